//! Modbus requests: what a device is asked, as the bytes of a PDU.
//!
//! Source: Modbus application protocol V1.1b3: at most 125 registers or 2000 bits in a read, 123 registers or 1968
//! coils in a write, 253 bytes in a PDU.

use serde::Deserialize;
use std::fmt;

/// The longest PDU, bytes.
pub const PDU_MAX: usize = 253;
/// Most registers in one read.
pub const READ_REGISTERS_MAX: u16 = 125;
/// Most coils or discrete inputs in one read.
pub const READ_BITS_MAX: u16 = 2000;
/// Most registers in one write.
pub const WRITE_REGISTERS_MAX: u16 = 123;
/// Most coils in one write.
pub const WRITE_COILS_MAX: u16 = 1968;

/// The four address spaces of a Modbus device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
pub enum Area {
    /// Writable bits (functions 1, 5, 15).
    Coil,
    /// Read-only bits (function 2).
    Discrete,
    /// Writable registers (functions 3, 6, 16).
    Holding,
    /// Read-only registers (function 4).
    Input,
}

impl Area {
    /// Whether an address holds one bit, not a register.
    #[must_use]
    pub const fn is_bits(self) -> bool {
        matches!(self, Self::Coil | Self::Discrete)
    }

    /// Whether a client may write to it.
    #[must_use]
    pub const fn is_writable(self) -> bool {
        matches!(self, Self::Coil | Self::Holding)
    }

    /// Most addresses in one read.
    #[must_use]
    pub const fn read_max(self) -> u16 {
        if self.is_bits() { READ_BITS_MAX } else { READ_REGISTERS_MAX }
    }

    const fn read_function(self) -> u8 {
        match self {
            Self::Coil => 1,
            Self::Discrete => 2,
            Self::Holding => 3,
            Self::Input => 4,
        }
    }
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Coil => "coil",
            Self::Discrete => "discrete input",
            Self::Holding => "holding register",
            Self::Input => "input register",
        })
    }
}

/// A PDU being built: a fixed buffer of 253 bytes.
#[derive(Clone, Debug)]
pub struct Pdu {
    bytes: [u8; PDU_MAX],
    len: usize,
}

impl Pdu {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: [0; PDU_MAX], len: 0 }
    }

    /// What is in it.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn push(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        self.bytes[self.len..end].copy_from_slice(bytes);
        self.len = end;
    }
}

impl Default for Pdu {
    fn default() -> Self {
        Self::new()
    }
}

/// What a device is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// Read `count` addresses from `at` on (functions 1 to 4).
    Read {
        /// Which address space.
        area: Area,
        /// The first address.
        at: u16,
        /// How many registers or bits.
        count: u16,
    },
    /// Write one coil (function 5).
    WriteCoil {
        /// The coil.
        at: u16,
        /// On or off.
        on: bool,
    },
    /// Write one holding register (function 6).
    WriteRegister {
        /// The register.
        at: u16,
        /// Its new content.
        value: u16,
    },
    /// Write coils from `at` on (function 15); a value other than 0 is on.
    WriteCoils {
        /// The first coil.
        at: u16,
        /// Their new states.
        values: &'a [u16],
    },
    /// Write holding registers from `at` on (function 16).
    WriteRegisters {
        /// The first register.
        at: u16,
        /// Their new contents.
        values: &'a [u16],
    },
}

/// Why a request cannot be put on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Nothing to read or write, or more than the protocol carries.
    #[error("{count} addresses in one request: Modbus carries 1 to {max} here, so split it")]
    Count {
        /// How many were asked for.
        count: usize,
        /// How many fit.
        max: u16,
    },
    /// The last address would be above 65535.
    #[error("{count} addresses from {at:#06x} on end beyond 65535: check the first address")]
    Address {
        /// The first address.
        at: u16,
        /// How many.
        count: u16,
    },
}

impl Request<'_> {
    /// The function code.
    #[must_use]
    pub fn function(&self) -> u8 {
        match self {
            Self::Read { area, .. } => area.read_function(),
            Self::WriteCoil { .. } => 5,
            Self::WriteRegister { .. } => 6,
            Self::WriteCoils { .. } => 15,
            Self::WriteRegisters { .. } => 16,
        }
    }

    /// The first address.
    #[must_use]
    pub fn at(&self) -> u16 {
        match *self {
            Self::Read { at, .. }
            | Self::WriteCoil { at, .. }
            | Self::WriteRegister { at, .. }
            | Self::WriteCoils { at, .. }
            | Self::WriteRegisters { at, .. } => at,
        }
    }

    /// Puts the request into `out`, whatever was in there.
    ///
    /// # Errors
    /// More addresses than the protocol carries, none, or beyond the last address.
    pub fn encode(&self, out: &mut Pdu) -> Result<(), RequestError> {
        let count = self.checked_count()?;
        out.len = 0;
        out.push(&[self.function()]);
        out.push(&self.at().to_be_bytes());
        match *self {
            Self::Read { .. } => out.push(&count.to_be_bytes()),
            Self::WriteCoil { on, .. } => out.push(&coil(on).to_be_bytes()),
            Self::WriteRegister { value, .. } => out.push(&value.to_be_bytes()),
            Self::WriteCoils { values, .. } => {
                out.push(&count.to_be_bytes());
                out.push(&[byte_count(values.len().div_ceil(8))]);
                for eight in values.chunks(8) {
                    let bits = eight.iter().rev().fold(0, |byte, v| byte << 1 | u8::from(*v != 0));
                    out.push(&[bits]);
                }
            }
            Self::WriteRegisters { values, .. } => {
                out.push(&count.to_be_bytes());
                out.push(&[byte_count(2 * values.len())]);
                for value in values {
                    out.push(&value.to_be_bytes());
                }
            }
        }
        Ok(())
    }

    fn checked_count(&self) -> Result<u16, RequestError> {
        let (count, max) = match *self {
            Self::Read { area, count, .. } => (usize::from(count), area.read_max()),
            Self::WriteCoil { .. } | Self::WriteRegister { .. } => (1, 1),
            Self::WriteCoils { values, .. } => (values.len(), WRITE_COILS_MAX),
            Self::WriteRegisters { values, .. } => (values.len(), WRITE_REGISTERS_MAX),
        };
        match u16::try_from(count) {
            Ok(n) if (1..=max).contains(&n) => match self.at().checked_add(n - 1) {
                Some(_) => Ok(n),
                None => Err(RequestError::Address { at: self.at(), count: n }),
            },
            _ => Err(RequestError::Count { count, max }),
        }
    }
}

pub(super) fn coil(on: bool) -> u16 {
    if on { 0xFF00 } else { 0 }
}

/// The quantity was checked, so that the count fits a byte: 2 × 123 registers, 1968 / 8 coils.
fn byte_count(bytes: usize) -> u8 {
    u8::try_from(bytes).expect("a checked quantity has at most 246 bytes of values")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(request: Request<'_>) -> Vec<u8> {
        let mut pdu = Pdu::new();
        request.encode(&mut pdu).expect("a legal request");
        pdu.as_bytes().to_vec()
    }

    #[test]
    fn requests_are_the_bytes_of_the_standard() {
        assert_eq!(encoded(Request::Read { area: Area::Holding, at: 0, count: 10 }), [3, 0, 0, 0, 10]);
        assert_eq!(encoded(Request::Read { area: Area::Input, at: 0x34, count: 2 }), [4, 0, 0x34, 0, 2]);
        assert_eq!(encoded(Request::Read { area: Area::Coil, at: 19, count: 2000 }), [1, 0, 19, 0x07, 0xD0]);
        assert_eq!(encoded(Request::WriteCoil { at: 172, on: true }), [5, 0, 172, 0xFF, 0]);
        assert_eq!(encoded(Request::WriteRegister { at: 1, value: 0x0102 }), [6, 0, 1, 1, 2]);
        let coils = [1, 0, 1, 1, 0, 0, 1, 1, 1, 0];
        assert_eq!(encoded(Request::WriteCoils { at: 19, values: &coils }), [15, 0, 19, 0, 10, 2, 0xCD, 0x01]);
        assert_eq!(encoded(Request::WriteRegisters { at: 1, values: &[10, 0x102] }), [16, 0, 1, 0, 2, 4, 0, 10, 1, 2]);
    }

    #[test]
    fn the_largest_requests_fit_and_one_more_address_does_not() {
        for (area, max) in [(Area::Coil, 2000), (Area::Discrete, 2000), (Area::Holding, 125), (Area::Input, 125)] {
            assert_eq!(encoded(Request::Read { area, at: 0, count: max }).len(), 5);
            for count in [0, max + 1] {
                let refused = Request::Read { area, at: 0, count }.encode(&mut Pdu::new());
                assert_eq!(refused, Err(RequestError::Count { count: usize::from(count), max }));
            }
        }
        assert_eq!(encoded(Request::WriteRegisters { at: 0, values: &[0; 123] }).len(), 252);
        assert_eq!(encoded(Request::WriteCoils { at: 0, values: &[0; 1968] }).len(), 252);
        assert!(Request::WriteRegisters { at: 0, values: &[0; 124] }.encode(&mut Pdu::new()).is_err());
        assert!(Request::WriteCoils { at: 0, values: &[0; 1969] }.encode(&mut Pdu::new()).is_err());
        assert!(Request::WriteCoils { at: 0, values: &[] }.encode(&mut Pdu::new()).is_err());
    }

    #[test]
    fn the_last_address_is_65535() {
        assert!(Request::Read { area: Area::Holding, at: 65_534, count: 2 }.encode(&mut Pdu::new()).is_ok());
        let beyond = Request::Read { area: Area::Holding, at: 65_535, count: 2 }.encode(&mut Pdu::new());
        assert_eq!(beyond, Err(RequestError::Address { at: 65_535, count: 2 }));
    }
}
