//! Write requests, and the proof that the device took them.

use super::bound::Bound;
use super::writable::{Function, Policy};
use crate::image::NoData;
use crate::modbus::{Area, Codec, EncodeError, Request};

/// Most registers or coils in one write request.
pub const WRITE_MAX: usize = 123;

/// Room for the registers of one write request.
pub type WriteBuffer = [u16; WRITE_MAX];

/// One write request: writables and constants that go out together.
#[derive(Clone, Debug)]
pub struct WriteGroup {
    pub(super) area: Area,
    pub(super) at: u16,
    pub(super) len: u16,
    pub(super) function: Function,
    pub(super) parts: Box<[WritePart]>,
    pub(super) writables: Box<[usize]>,
    pub(super) policy: Policy,
    pub(super) pulse: bool,
    /// Within how long it must be proven, ms; `None`: it cannot be read back.
    pub(super) read_back_ms: Option<u32>,
}

#[derive(Clone, Debug)]
pub(super) struct WritePart {
    pub(super) offset: u16,
    pub(super) codec: Codec,
    pub(super) factor: Option<u16>,
    pub(super) value: PartValue,
    pub(super) tolerance: f64,
}

/// What a part of a write request holds.
#[derive(Clone, Debug)]
pub(super) enum PartValue {
    Constant(f64),
    /// The writable's number, within the device's range.
    Real(usize, (f64, f64)),
    /// The writable's index into these codes.
    Choice(usize, Box<[u16]>),
}

/// A write was acknowledged, but the device does not show it.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("register {at:#06x} reads back {}, written was {wrote}: the device did not take it", shown(.read))]
pub struct NotTaken {
    /// The first register of the value.
    pub at: u16,
    /// What was written, in the writable's unit.
    pub wrote: f64,
    /// What it shows.
    pub read: Result<f64, NoData>,
}

fn shown(read: &Result<f64, NoData>) -> String {
    read.map_or_else(|why| format!("no value ({why})"), |v| v.to_string())
}

impl WriteGroup {
    /// Whether both write one of the same registers or coils.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let end = |group: &Self| u32::from(group.at) + u32::from(group.len);
        self.area == other.area && u32::from(self.at) < end(other) && u32::from(other.at) < end(self)
    }

    /// The writables in it, as indices.
    #[must_use]
    pub fn writables(&self) -> &[usize] {
        &self.writables
    }

    /// When it is to be written. The dead bands are those of the writables.
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.policy
    }

    /// Whether it is a one-shot action.
    #[must_use]
    pub fn is_pulse(&self) -> bool {
        self.pulse
    }

    /// The request that reads it back, and within how long the device must show what was written, ms.
    #[must_use]
    pub fn read_back(&self) -> Option<(Request<'static>, u32)> {
        self.read_back_ms.map(|ms| (Request::Read { area: self.area, at: self.at, count: self.len }, ms))
    }
}

impl Bound {
    /// The request that writes a group. `values` are those of all writables of the profile, by index: numbers in their unit,
    /// choices by their index; pulses have none. (For the heartbeat: its one number.) The registers stay in `out`.
    ///
    /// # Errors
    /// A value that does not fit, or whose scale factor is not known.
    ///
    /// # Panics
    /// If `values` are fewer than the writables.
    pub fn write<'b>(
        &self,
        group: &WriteGroup,
        values: &[f64],
        out: &'b mut WriteBuffer,
    ) -> Result<Request<'b>, EncodeError> {
        for part in &group.parts {
            let value = match &part.value {
                PartValue::Constant(value) => *value,
                PartValue::Real(writable, (low, high)) => {
                    let value = values[*writable];
                    if value < *low || value > *high {
                        return Err(EncodeError::OutOfRange { value, low: *low, high: *high });
                    }
                    value
                }
                PartValue::Choice(writable, codes) => code(values[*writable], codes)?,
            };
            let factor = self.factor(part.factor).map_err(EncodeError::NoScale)?;
            let words = part.codec.encode_by(value, factor)?;
            let from = usize::from(part.offset);
            out[from..from + words.as_slice().len()].copy_from_slice(words.as_slice());
        }
        let (at, values) = (group.at, &out[..usize::from(group.len)]);
        Ok(match (group.area.is_bits(), group.function, values) {
            (true, Function::WriteSingle, [on]) => Request::WriteCoil { at, on: *on != 0 },
            (false, Function::WriteSingle, [value]) => Request::WriteRegister { at, value: *value },
            (true, ..) => Request::WriteCoils { at, values },
            (false, ..) => Request::WriteRegisters { at, values },
        })
    }

    /// Whether the device shows what was written. `wrote` and `read` are the group's registers, from its first on.
    ///
    /// # Errors
    /// The first value that it does not show.
    pub fn taken(&self, group: &WriteGroup, wrote: &[u16], read: &[u16]) -> Result<(), NotTaken> {
        for part in &group.parts {
            let decode = |words: &[u16]| {
                let from = usize::from(part.offset);
                let own = words.get(from..from + usize::from(part.codec.encoding.len())).unwrap_or(&[]);
                part.codec.decode_by(own, self.factor(part.factor)?)
            };
            let (wrote, read) = (decode(wrote).unwrap_or(f64::NAN), decode(read));
            if !read.is_ok_and(|read| (read - wrote).abs() <= part.tolerance) {
                return Err(NotTaken { at: group.at.saturating_add(part.offset), wrote, read });
            }
        }
        Ok(())
    }
}

/// The code of a choice's value.
fn code(index: f64, codes: &[u16]) -> Result<f64, EncodeError> {
    let found = codes.iter().zip(0u8..).find(|(_, i)| f64::from(*i).to_bits() == (index + 0.0).to_bits());
    let high = f64::from(u16::try_from(codes.len().saturating_sub(1)).unwrap_or(u16::MAX));
    found.map(|(code, _)| f64::from(*code)).ok_or(EncodeError::OutOfRange { value: index, low: 0.0, high })
}
