//! Answers: whether one is the answer to what was asked. Function, byte count and echo are all compared.
//!
//! Source: Modbus application protocol V1.1b3, section 6.

use super::exception::Exception;
use super::pdu::{Area, Request, coil};

/// An answer that is the request's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply<'p> {
    /// What was read; exactly as many values as were asked for.
    Read(Values<'p>),
    /// The write was accepted. Whether it was taken, only reading back tells.
    Written,
}

impl<'p> Reply<'p> {
    /// The values of a read; none for a write.
    #[must_use]
    pub fn values(&self) -> Values<'p> {
        match self {
            Self::Read(values) => *values,
            Self::Written => Values { bytes: &[], count: 0, bits: false },
        }
    }
}

/// Registers, or bits as 0 and 1, still in the bytes of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Values<'p> {
    bytes: &'p [u8],
    count: u16,
    bits: bool,
}

impl Values<'_> {
    /// How many values there are.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::from(self.count)
    }

    /// Whether there are none (the answer to a write).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The value at `i`, counted from the first address asked for.
    #[must_use]
    pub fn get(&self, i: usize) -> Option<u16> {
        if i >= self.len() {
            None
        } else if self.bits {
            Some(u16::from(self.bytes.get(i / 8)? >> (i % 8) & 1))
        } else {
            word(self.bytes, 2 * i)
        }
    }

    /// Copies them out, as many as fit into `out`; returns how many.
    pub fn copy_to(&self, out: &mut [u16]) -> usize {
        let n = if out.len() < self.len() { out.len() } else { self.len() };
        for (i, slot) in out[..n].iter_mut().enumerate() {
            *slot = self.get(i).unwrap_or_default();
        }
        n
    }
}

/// Why bytes are not the answer to the request. Nothing of such an answer may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// The device understood and refuses.
    #[error("the device refuses: {0}")]
    Exception(#[from] Exception),
    /// The answer to something else.
    #[error(
        "answer to function {got}, asked was {asked}: drop it, a late answer or a second client is the usual cause"
    )]
    Function {
        /// The function asked for.
        asked: u8,
        /// The function byte of the answer.
        got: u8,
    },
    /// Too short, too long, or its byte count is not the one asked for.
    #[error("answer of {got} bytes where {expected} belong: drop it, half a frame has no values")]
    Length {
        /// How many bytes the answer to this request has.
        expected: usize,
        /// How many came.
        got: usize,
    },
    /// The byte count in the answer is not the one asked for.
    #[error("answer announces {got} bytes of values where {expected} were asked for: drop it")]
    ByteCount {
        /// Bytes of values that were asked for.
        expected: usize,
        /// What the answer says.
        got: u8,
    },
    /// A write is confirmed, but not the one that was sent.
    #[error("write confirmed with {what} {got:#06x}, sent was {sent:#06x}: read back before relying on it")]
    Echo {
        /// Address, value or quantity.
        what: &'static str,
        /// What was sent.
        sent: u16,
        /// What the answer says.
        got: u16,
    },
}

impl Request<'_> {
    /// Whether `pdu` is the answer to this request; if so, what it says.
    ///
    /// # Errors
    /// The device's exception, or the first thing in which the answer differs from what was asked.
    pub fn check_reply<'p>(&self, pdu: &'p [u8]) -> Result<Reply<'p>, ReplyError> {
        let asked = self.function();
        let got = pdu.first().copied().ok_or(ReplyError::Length { expected: 2, got: 0 })?;
        if got == asked | 0x80 {
            return Err(match pdu {
                [_, code] => Exception::from_code(*code).into(),
                _ => ReplyError::Length { expected: 2, got: pdu.len() },
            });
        }
        if got != asked {
            return Err(ReplyError::Function { asked, got });
        }
        match *self {
            Self::Read { area, count, .. } => check_values(pdu, area, count),
            Self::WriteCoil { at, on } => check_echo(pdu, at, "value", coil(on)),
            Self::WriteRegister { at, value } => check_echo(pdu, at, "value", value),
            Self::WriteCoils { at, values } | Self::WriteRegisters { at, values } => {
                check_echo(pdu, at, "quantity", u16::try_from(values.len()).unwrap_or(u16::MAX))
            }
        }
    }
}

fn check_values(pdu: &[u8], area: Area, count: u16) -> Result<Reply<'_>, ReplyError> {
    let bits = area.is_bits();
    let expected = if bits { usize::from(count).div_ceil(8) } else { 2 * usize::from(count) };
    let bytes = match pdu {
        [_, got, ..] if usize::from(*got) != expected => return Err(ReplyError::ByteCount { expected, got: *got }),
        [_, _, bytes @ ..] if bytes.len() == expected => bytes,
        _ => return Err(ReplyError::Length { expected: 2 + expected, got: pdu.len() }),
    };
    Ok(Reply::Read(Values { bytes, count, bits }))
}

fn check_echo<'p>(pdu: &[u8], at: u16, what: &'static str, sent: u16) -> Result<Reply<'p>, ReplyError> {
    let (Some(echo_at), Some(echo), 5) = (word(pdu, 1), word(pdu, 3), pdu.len()) else {
        return Err(ReplyError::Length { expected: 5, got: pdu.len() });
    };
    if echo_at != at {
        return Err(ReplyError::Echo { what: "address", sent: at, got: echo_at });
    }
    if echo != sent {
        return Err(ReplyError::Echo { what, sent, got: echo });
    }
    Ok(Reply::Written)
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    match bytes.get(at..)? {
        [high, low, ..] => Some(u16::from_be_bytes([*high, *low])),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Reaction;
    use super::super::pdu::{PDU_MAX, Pdu};
    use super::*;
    use proptest::prelude::*;

    const READ: Request<'static> = Request::Read { area: Area::Holding, at: 0x28, count: 2 };

    #[test]
    fn registers_and_bits_come_out_in_order() {
        let reply = READ.check_reply(&[3, 4, 0xEC, 0x78, 0xFF, 0xFF]).expect("its own answer");
        let mut words = [0; 2];
        assert_eq!((reply.values().copy_to(&mut words), words), (2, [0xEC78, 0xFFFF]));
        let bits = Request::Read { area: Area::Discrete, at: 0, count: 10 };
        let values = bits.check_reply(&[2, 2, 0b0000_0101, 0b0000_0010]).expect("its own answer").values();
        let on: Vec<usize> = (0..values.len()).filter(|i| values.get(*i) == Some(1)).collect();
        assert_eq!((values.len(), on, values.get(10)), (10, vec![0, 2, 9], None));
    }

    #[test]
    fn an_answer_to_something_else_is_refused() {
        assert_eq!(READ.check_reply(&[]), Err(ReplyError::Length { expected: 2, got: 0 }));
        assert_eq!(READ.check_reply(&[4, 4, 0, 0, 0, 0]), Err(ReplyError::Function { asked: 3, got: 4 }));
        assert_eq!(READ.check_reply(&[0x84, 2]), Err(ReplyError::Function { asked: 3, got: 0x84 }));
        assert_eq!(READ.check_reply(&[3, 2, 0, 0]), Err(ReplyError::ByteCount { expected: 4, got: 2 }));
        assert_eq!(READ.check_reply(&[3, 4, 0, 0, 0]), Err(ReplyError::Length { expected: 6, got: 5 }));
        assert_eq!(READ.check_reply(&[3, 4, 0, 0, 0, 0, 0]), Err(ReplyError::Length { expected: 6, got: 7 }));
        assert_eq!(READ.check_reply(&[0x83]), Err(ReplyError::Length { expected: 2, got: 1 }));
    }

    #[test]
    fn a_write_is_confirmed_only_by_its_own_echo() {
        let one = Request::WriteRegister { at: 7, value: 0x0102 };
        assert_eq!(one.check_reply(&[6, 0, 7, 1, 2]), Ok(Reply::Written));
        assert_eq!(one.check_reply(&[6, 0, 8, 1, 2]), Err(ReplyError::Echo { what: "address", sent: 7, got: 8 }));
        assert_eq!(one.check_reply(&[6, 0, 7, 1, 3]), Err(ReplyError::Echo { what: "value", sent: 0x102, got: 0x103 }));
        let many = Request::WriteRegisters { at: 7, values: &[1, 2] };
        assert_eq!(many.check_reply(&[16, 0, 7, 0, 2]), Ok(Reply::Written));
        assert_eq!(many.check_reply(&[16, 0, 7, 0, 1]), Err(ReplyError::Echo { what: "quantity", sent: 2, got: 1 }));
        assert_eq!(many.check_reply(&[16, 0, 7]), Err(ReplyError::Length { expected: 5, got: 3 }));
        let coil = Request::WriteCoil { at: 0, on: true };
        assert_eq!(coil.check_reply(&[5, 0, 0, 0xFF, 0]), Ok(Reply::Written));
        assert!(coil.check_reply(&[5, 0, 0, 0, 0]).is_err());
    }

    #[test]
    fn every_exception_keeps_its_code_and_has_a_reaction() {
        for code in 0..=u8::MAX {
            let Err(ReplyError::Exception(exception)) = READ.check_reply(&[0x83, code]) else {
                panic!("code {code} is no exception")
            };
            assert_eq!(exception.code(), code);
        }
        let reaction = |code| Exception::from_code(code).reaction();
        assert_eq!([1, 2].map(reaction), [Reaction::Permanent; 2]);
        assert_eq!([3, 7].map(reaction), [Reaction::OurBug; 2]);
        assert_eq!([4, 6, 8, 16].map(reaction), [Reaction::Transient; 4]);
        assert_eq!(
            (reaction(5), reaction(10), reaction(11)),
            (Reaction::Accepted, Reaction::Gateway, Reaction::Gateway)
        );
    }

    fn any_request() -> impl Strategy<Value = (u8, u16, u16)> {
        (0u8..8, any::<u16>(), 0u16..2100)
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic((which, at, count) in any_request(), pdu in proptest::collection::vec(any::<u8>(), 0..300)) {
            let values = vec![1; usize::from(count)];
            let request = match which {
                0 => Request::Read { area: Area::Coil, at, count },
                1 => Request::Read { area: Area::Discrete, at, count },
                2 => Request::Read { area: Area::Holding, at, count },
                3 => Request::Read { area: Area::Input, at, count },
                4 => Request::WriteCoil { at, on: count > 1000 },
                5 => Request::WriteRegister { at, value: count },
                6 => Request::WriteCoils { at, values: &values },
                _ => Request::WriteRegisters { at, values: &values },
            };
            let mut out = Pdu::new();
            if request.encode(&mut out).is_ok() {
                prop_assert!(out.as_bytes().len() <= PDU_MAX);
            }
            // the first byte made to fit, so that the rest is looked at
            let mut fitting = pdu.clone();
            if let Some(first) = fitting.first_mut() {
                *first = request.function();
            }
            for pdu in [pdu, fitting] {
                if let Ok(reply) = request.check_reply(&pdu) {
                    let mut words = [0; 2000];
                    let n = reply.values().copy_to(&mut words);
                    prop_assert!(matches!(reply, Reply::Written) || n == usize::from(count));
                }
            }
        }

        #[test]
        fn what_a_device_puts_in_comes_out(words in proptest::collection::vec(any::<u16>(), 1..=125)) {
            let count = u16::try_from(words.len()).expect("at most 125");
            let mut pdu = vec![4, u8::try_from(2 * words.len()).expect("at most 250")];
            pdu.extend(words.iter().flat_map(|w| w.to_be_bytes()));
            let values = Request::Read { area: Area::Input, at: 0, count }.check_reply(&pdu).expect("its own").values();
            prop_assert_eq!((0..words.len()).filter_map(|i| values.get(i)).collect::<Vec<_>>(), words);
        }
    }
}
