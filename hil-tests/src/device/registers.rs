//! The answering half of Modbus: function codes 1 to 6, 15 and 16 (Modbus Application Protocol 1.1b3, section 6).
//!
//! The order of checks is the standard's: function (exception 1), quantity and length (3), address (2), then the value.

use super::pdu::Pdu;

/// A refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exception {
    /// 1: the device does not know this function.
    Function,
    /// 2: nothing there, or nothing that may be written.
    Address,
    /// 3: a quantity or value that is not taken.
    Value,
}

impl Exception {
    fn code(self) -> u8 {
        match self {
            Self::Function => 1,
            Self::Address => 2,
            Self::Value => 3,
        }
    }
}

/// The two tables of bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BitTable {
    Coils,
    Inputs,
}

/// The two tables of registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WordTable {
    Holding,
    Input,
}

/// What a device has behind the function codes. What it does not override, it does not know.
pub(crate) trait Registers {
    /// One bit.
    fn bit(&mut self, _table: BitTable, _at: u16) -> Result<bool, Exception> {
        Err(Exception::Function)
    }

    /// Appends `count` registers to `out`.
    fn words(&mut self, _table: WordTable, _at: u16, _count: u16, _out: &mut Pdu) -> Result<(), Exception> {
        Err(Exception::Function)
    }

    /// Takes `count` coils, the first in the lowest bit of the first byte: all of them or none.
    fn set_bits(&mut self, _at: u16, _count: u16, _bits: &[u8]) -> Result<(), Exception> {
        Err(Exception::Function)
    }

    /// Takes registers, two bytes each, high byte first: all of them or none.
    fn set_words(&mut self, _at: u16, _data: &[u8]) -> Result<(), Exception> {
        Err(Exception::Function)
    }
}

/// Answers a request out of `registers`. An empty PDU, which no transport delivers, leaves `out` empty.
pub(crate) fn answer(pdu: &[u8], registers: &mut impl Registers, out: &mut Pdu) {
    out.clear();
    let Some((&function, body)) = pdu.split_first() else { return };
    out.push(function);
    let done = match function {
        1 => read_bits(BitTable::Coils, body, registers, out),
        2 => read_bits(BitTable::Inputs, body, registers, out),
        3 => read_words(WordTable::Holding, body, registers, out),
        4 => read_words(WordTable::Input, body, registers, out),
        5 => write_bit(body, registers, out),
        6 => write_word(body, registers, out),
        15 => write_bits(body, registers, out),
        16 => write_words(body, registers, out),
        _ => Err(Exception::Function),
    };
    if let Err(exception) = done {
        out.refuse(function, exception.code());
    }
}

/// The two words that every request begins with, or the refusal of a request that is too short for them.
fn two_words(body: &[u8]) -> Result<(u16, u16, &[u8]), Exception> {
    match body {
        [a, b, c, d, rest @ ..] => Ok((u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d]), rest)),
        _ => Err(Exception::Value),
    }
}

/// Address and quantity of a request that carries `rest` behind them, both checked.
fn span(body: &[u8], count_max: u16) -> Result<(u16, u16, &[u8]), Exception> {
    let (at, count, rest) = two_words(body)?;
    if count == 0 || count > count_max {
        return Err(Exception::Value);
    }
    if u32::from(at) + u32::from(count) > 0x1_0000 {
        return Err(Exception::Address);
    }
    Ok((at, count, rest))
}

/// The data of a request whose byte count must be `expected`.
fn counted(rest: &[u8], expected: u16) -> Result<&[u8], Exception> {
    match rest.split_first() {
        Some((count, data)) if u16::from(*count) == expected && data.len() == usize::from(expected) => Ok(data),
        _ => Err(Exception::Value),
    }
}

fn nothing_behind(rest: &[u8]) -> Result<(), Exception> {
    if rest.is_empty() { Ok(()) } else { Err(Exception::Value) }
}

fn echo(body: &[u8], out: &mut Pdu) {
    for byte in body.iter().take(4) {
        out.push(*byte);
    }
}

fn low_byte(word: u16) -> u8 {
    word.to_be_bytes()[1]
}

fn read_bits(table: BitTable, body: &[u8], registers: &mut impl Registers, out: &mut Pdu) -> Result<(), Exception> {
    let (at, count, rest) = span(body, 2000)?;
    nothing_behind(rest)?;
    out.push(low_byte(count.div_ceil(8)));
    let mut byte = 0;
    for n in 0..count {
        byte |= u8::from(registers.bit(table, at + n)?) << (n % 8);
        if n % 8 == 7 || n + 1 == count {
            out.push(byte);
            byte = 0;
        }
    }
    Ok(())
}

fn read_words(table: WordTable, body: &[u8], registers: &mut impl Registers, out: &mut Pdu) -> Result<(), Exception> {
    let (at, count, rest) = span(body, 125)?;
    nothing_behind(rest)?;
    out.push(low_byte(2 * count));
    registers.words(table, at, count, out)
}

fn write_bit(body: &[u8], registers: &mut impl Registers, out: &mut Pdu) -> Result<(), Exception> {
    let (at, value, rest) = two_words(body)?;
    nothing_behind(rest)?;
    match value {
        0xFF00 => registers.set_bits(at, 1, &[1])?,
        0x0000 => registers.set_bits(at, 1, &[0])?,
        _ => return Err(Exception::Value),
    }
    echo(body, out);
    Ok(())
}

fn write_word(body: &[u8], registers: &mut impl Registers, out: &mut Pdu) -> Result<(), Exception> {
    let (at, value, rest) = two_words(body)?;
    nothing_behind(rest)?;
    registers.set_words(at, &value.to_be_bytes())?;
    echo(body, out);
    Ok(())
}

fn write_bits(body: &[u8], registers: &mut impl Registers, out: &mut Pdu) -> Result<(), Exception> {
    let (at, count, rest) = span(body, 1968)?;
    let bits = counted(rest, count.div_ceil(8))?;
    registers.set_bits(at, count, bits)?;
    echo(body, out);
    Ok(())
}

fn write_words(body: &[u8], registers: &mut impl Registers, out: &mut Pdu) -> Result<(), Exception> {
    let (at, count, rest) = span(body, 123)?;
    let data = counted(rest, 2 * count)?;
    registers.set_words(at, data)?;
    echo(body, out);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 200 registers and 64 coils, as plain as can be.
    struct Memory {
        words: [u16; 200],
        bits: [bool; 64],
    }

    impl Registers for Memory {
        fn bit(&mut self, _: BitTable, at: u16) -> Result<bool, Exception> {
            self.bits.get(usize::from(at)).copied().ok_or(Exception::Address)
        }

        fn words(&mut self, _: WordTable, at: u16, count: u16, out: &mut Pdu) -> Result<(), Exception> {
            let at = usize::from(at);
            let words = self.words.get(at..at + usize::from(count)).ok_or(Exception::Address)?;
            words.iter().for_each(|word| out.push_word(*word));
            Ok(())
        }

        fn set_bits(&mut self, at: u16, count: u16, bits: &[u8]) -> Result<(), Exception> {
            let at = usize::from(at);
            let places = self.bits.get_mut(at..at + usize::from(count)).ok_or(Exception::Address)?;
            for (n, place) in places.iter_mut().enumerate() {
                *place = bits[n / 8] >> (n % 8) & 1 == 1;
            }
            Ok(())
        }

        fn set_words(&mut self, at: u16, data: &[u8]) -> Result<(), Exception> {
            let at = usize::from(at);
            let places = self.words.get_mut(at..at + data.len() / 2).ok_or(Exception::Address)?;
            for (place, pair) in places.iter_mut().zip(data.chunks_exact(2)) {
                *place = u16::from_be_bytes([pair[0], pair[1]]);
            }
            Ok(())
        }
    }

    fn memory() -> Memory {
        Memory { words: [0; 200], bits: [false; 64] }
    }

    fn ask(memory: &mut Memory, pdu: &[u8]) -> Vec<u8> {
        let mut out = Pdu::new();
        answer(pdu, memory, &mut out);
        out.as_slice().to_vec()
    }

    #[test]
    fn what_was_written_is_read_back() {
        let mut memory = memory();
        assert_eq!(ask(&mut memory, &[6, 0, 9, 0x12, 0x34]), [6, 0, 9, 0x12, 0x34]);
        assert_eq!(ask(&mut memory, &[16, 0, 10, 0, 2, 4, 1, 2, 3, 4]), [16, 0, 10, 0, 2]);
        assert_eq!(ask(&mut memory, &[3, 0, 9, 0, 3]), [3, 6, 0x12, 0x34, 1, 2, 3, 4]);
        assert_eq!(ask(&mut memory, &[5, 0, 3, 0xFF, 0]), [5, 0, 3, 0xFF, 0]);
        assert_eq!(ask(&mut memory, &[15, 0, 8, 0, 10, 2, 0b0000_0101, 0b10]), [15, 0, 8, 0, 10]);
        assert_eq!(ask(&mut memory, &[1, 0, 0, 0, 20]), [1, 3, 0b1000, 0b101, 0b10]);
        assert_eq!(ask(&mut memory, &[2, 0, 3, 0, 1]), [2, 1, 1]);
    }

    #[test]
    fn each_wrong_request_gets_the_exception_of_the_standard() {
        let cases: &[(&[u8], u8)] = &[
            (&[7], 1),
            (&[0x2B, 14, 1, 0], 1),
            (&[0x83, 0, 0, 0, 1], 1),
            (&[3, 0, 5, 0, 0], 3),
            (&[3, 0, 5, 0, 126], 3),
            (&[3, 0, 5, 0], 3),
            (&[3, 0, 5, 0, 1, 0], 3),
            (&[1, 0, 0, 0x07, 0xD1], 3),
            (&[3, 0, 200, 0, 1], 2),
            (&[3, 0, 199, 0, 2], 2),
            (&[3, 0xFF, 0xFF, 0, 2], 2),
            (&[5, 0, 3, 0x12, 0x34], 3),
            (&[6, 0, 1], 3),
            (&[15, 0, 60, 0, 8, 1, 0xFF], 2),
            (&[15, 0, 0, 0, 16, 1, 0xFF], 3),
            (&[16, 0, 0, 0, 4, 2, 1, 2], 3),
            (&[16, 0, 0, 0, 4, 8, 1, 2], 3),
            (&[16, 0, 0, 0, 0, 0], 3),
            (&[16, 0, 199, 0, 2, 4, 0, 0, 0, 0], 2),
        ];
        for (pdu, code) in cases {
            assert_eq!(ask(&mut memory(), pdu), [pdu[0] | 0x80, *code], "{pdu:02x?}");
        }
    }

    /// A device with a register and a coil at every address there is.
    struct Everything;

    impl Registers for Everything {
        fn bit(&mut self, _: BitTable, _: u16) -> Result<bool, Exception> {
            Ok(true)
        }

        fn set_words(&mut self, _: u16, _: &[u8]) -> Result<(), Exception> {
            Ok(())
        }
    }

    #[test]
    fn nothing_reaches_beyond_the_last_address() {
        let mut out = Pdu::new();
        for (pdu, reply) in [
            (&[1, 0xFF, 0xFE, 0, 2][..], &[1, 1, 0b11][..]),
            (&[1, 0xFF, 0xFE, 0, 3], &[0x81, 2]),
            (&[16, 0xFF, 0xFF, 0, 1, 2, 0, 0], &[16, 0xFF, 0xFF, 0, 1]),
            (&[16, 0xFF, 0xFF, 0, 2, 4, 0, 0, 0, 0], &[0x90, 2]),
        ] {
            answer(pdu, &mut Everything, &mut out);
            assert_eq!(out.as_slice(), reply, "{pdu:02x?}");
        }
    }

    #[test]
    fn the_largest_requests_fit() {
        assert_eq!(ask(&mut memory(), &[3, 0, 0, 0, 125]).len(), 252);
        let mut write = vec![16, 0, 0, 0, 123, 246];
        write.extend([0xAB; 246]);
        assert_eq!(ask(&mut memory(), &write), [16, 0, 0, 0, 123]);
    }

    proptest! {
        #[test]
        fn no_request_panics_and_every_answer_carries_its_function(
            pdu in proptest::collection::vec(any::<u8>(), 1..260),
        ) {
            let reply = ask(&mut memory(), &pdu);
            prop_assert!(reply.len() >= 2);
            prop_assert_eq!(reply[0] & 0x7F, pdu[0] & 0x7F);
        }
    }
}
