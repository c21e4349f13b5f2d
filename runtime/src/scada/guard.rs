//! The guard in front of rmodbus: what reaches it is well-formed, whatever a client sends.
//!
//! rmodbus 0.13 encodes and decodes; by itself it panics on some hostile frames (a byte count beyond the frame, function
//! codes from 0x80 on), confirms writes that it did not do (quantity and byte count that disagree), leaves reads of
//! nothing and unknown short functions unanswered, refuses legal writes of 122 and 123 registers, and takes unit 0 for a
//! broadcast. So the form of every PDU is checked here first, by the rules of the standard, and rmodbus only sees what
//! it handles rightly.
//!
//! Source: Modbus application protocol V1.1b3.

use super::frame::{ADU_MAX, Frame};
use rmodbus::server::{ModbusFrame, Read, Write};
use rmodbus::{ErrorKind, ModbusProto};

/// An answer, ready to be sent.
pub type Reply = heapless::Vec<u8, ADU_MAX>;

/// Most bits in one read.
pub const READ_BITS_MAX: u16 = 2_000;
/// Most registers in one read.
pub const READ_REGISTERS_MAX: u16 = 125;
/// Most coils in one write.
pub const WRITE_COILS_MAX: u16 = 1_968;
/// Most registers in one write.
pub const WRITE_REGISTERS_MAX: u16 = 123;

/// rmodbus takes length fields up to this, though legal ones go to 254.
const LENGTH_RMODBUS_MAX: u8 = 250;

/// Why a request is refused, as an exception code. Tells the peer nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// 1: the function does not exist, or not for this peer.
    #[error("exception 1, illegal function")]
    Function,
    /// 2: not all of these addresses exist, or not for this peer.
    #[error("exception 2, illegal data address")]
    Address,
    /// 3: a quantity, length or value that cannot be.
    #[error("exception 3, illegal data value")]
    Value,
    /// 4: the codec failed where it should not.
    #[error("exception 4, server failure")]
    Failure,
    /// 6: not now.
    #[error("exception 6, server busy")]
    Busy,
}

impl Refusal {
    /// The code on the wire.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Function => 1,
            Self::Address => 2,
            Self::Value => 3,
            Self::Failure => 4,
            Self::Busy => 6,
        }
    }

    fn kind(self) -> ErrorKind {
        match self {
            Self::Function => ErrorKind::IllegalFunction,
            Self::Address => ErrorKind::IllegalDataAddress,
            Self::Value => ErrorKind::IllegalDataValue,
            Self::Failure => ErrorKind::SlaveDeviceFailure,
            Self::Busy => ErrorKind::SlaveDeviceBusy,
        }
    }
}

/// The registers and bits that one request of one peer sees. Quantities are within the standard's limits.
pub trait Registers {
    /// Whether functions 5, 6, 15 and 16 exist for this peer.
    fn may_write(&self) -> bool;

    /// Functions 3 and 4: fills `out`, two bytes a register, high byte first, from `address` on.
    ///
    /// # Errors
    /// Why not; nothing of `out` is then sent.
    fn read_words(&mut self, address: u16, out: &mut [u8]) -> Result<(), Refusal>;

    /// Functions 1 and 2: sets `count` bits from `address` on in `out`, which is zeroed, lowest bit first.
    ///
    /// # Errors
    /// Why not; nothing of `out` is then sent.
    fn read_bits(&mut self, address: u16, count: u16, out: &mut [u8]) -> Result<(), Refusal>;

    /// Functions 6 and 16: `data` holds two bytes a register. All or none.
    ///
    /// # Errors
    /// Why not; nothing was then taken.
    fn write_words(&mut self, address: u16, data: &[u8]) -> Result<(), Refusal>;

    /// Functions 5 and 15: `data` holds `count` bits, lowest first; bits beyond are to be ignored. All or none.
    ///
    /// # Errors
    /// Why not; nothing was then taken.
    fn write_bits(&mut self, address: u16, count: u16, data: &[u8]) -> Result<(), Refusal>;
}

/// Answers one request. There always is an answer: data, a confirmation or an exception.
pub fn answer(frame: Frame<'_>, registers: &mut impl Registers, reply: &mut Reply) {
    if let Err(refusal) = lawful(frame.pdu(), registers.may_write()) {
        refuse(frame, refusal, reply);
    } else if through_rmodbus(frame, registers, reply).is_err() {
        refuse(frame, Refusal::Failure, reply);
    }
}

/// Whether the PDU's function exists, and whether its length, quantity and byte count are what that function has.
fn lawful(pdu: &[u8], may_write: bool) -> Result<(), Refusal> {
    let [function, data @ ..] = pdu else {
        return Err(Refusal::Function);
    };
    match function {
        1..=4 => {}
        5 | 6 | 15 | 16 if may_write => {}
        _ => return Err(Refusal::Function),
    }
    let quantity = |high: u8, low: u8| u16::from_be_bytes([high, low]);
    let fits = match (function, data) {
        (1 | 2, &[_, _, high, low]) => (1..=READ_BITS_MAX).contains(&quantity(high, low)),
        (3 | 4, &[_, _, high, low]) => (1..=READ_REGISTERS_MAX).contains(&quantity(high, low)),
        (5, &[_, _, high, low]) => matches!(quantity(high, low), 0x0000 | 0xFF00),
        (6, &[_, _, _, _]) => true,
        (15, &[_, _, high, low, bytes, ref values @ ..]) => {
            let coils = quantity(high, low);
            let needed = usize::from(coils).div_ceil(8);
            (1..=WRITE_COILS_MAX).contains(&coils) && usize::from(bytes) == needed && values.len() == needed
        }
        (16, &[_, _, high, low, bytes, ref values @ ..]) => {
            let registers = quantity(high, low);
            let needed = 2 * usize::from(registers);
            (1..=WRITE_REGISTERS_MAX).contains(&registers) && usize::from(bytes) == needed && values.len() == needed
        }
        _ => false,
    };
    if fits { Ok(()) } else { Err(Refusal::Value) }
}

fn refuse(frame: Frame<'_>, refusal: Refusal, reply: &mut Reply) {
    let [high, low] = frame.transaction();
    let exception = [high, low, 0, 0, 0, 3, frame.unit(), frame.function() | 0x80, refusal.code()];
    reply.clear();
    reply.extend_from_slice(&exception).expect("9 bytes fit a reply of 260");
}

fn through_rmodbus(frame: Frame<'_>, registers: &mut impl Registers, reply: &mut Reply) -> Result<(), ErrorKind> {
    let mut adu = [0; ADU_MAX];
    adu[..frame.adu().len()].copy_from_slice(frame.adu());
    if adu[5] > LENGTH_RMODBUS_MAX {
        adu[5] = LENGTH_RMODBUS_MAX; // the lengths inside the PDU are what rmodbus goes by, and they are checked
    }
    let mut request = ModbusFrame::new(frame.unit(), &adu, ModbusProto::TcpUdp, reply).with_broadcast_units(&[]);
    request.parse()?;
    if !request.processing_required {
        return Err(ErrorKind::FrameBroken);
    }
    if request.readonly {
        let result = match request.get_external_read()? {
            Read::Words(words) => registers.read_words(words.address, words.buf),
            Read::Bits(bits) => registers.read_bits(bits.address, bits.count, bits.buf),
        };
        request.process_external_read(result.map_err(Refusal::kind))?;
    } else {
        let result = match request.get_external_write()? {
            Write::Words(words) => registers.write_words(words.address, words.data),
            Write::Bits(bits) => registers.write_bits(bits.address, bits.count, bits.data),
        };
        request.process_external_write(result.map_err(Refusal::kind))?;
    }
    request.finalize_response()
}

#[cfg(test)]
mod tests;
