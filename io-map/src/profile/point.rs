//! A value that a device measures or reports.

use super::spec::{Certainty, Register};
use crate::image::{Unit, ValueKind};
use crate::modbus::{Encoding, Poll};

/// One point of a profile. Its index in [`super::Profile::points`] is its index in a device's readings.
#[derive(Clone, Debug, PartialEq)]
pub struct PointSpec {
    /// Its name within the device.
    pub name: String,
    /// Where and how it lies on the device.
    pub register: Register,
    /// What it holds.
    pub kind: ValueKind,
    /// In which of the house's units.
    pub unit: Unit,
    /// Values outside are no values; in `unit`, both ends belong to it.
    pub plausible: (f64, f64),
    /// How often it is read.
    pub poll: Poll,
    /// The greatest age at which it may be used, ms.
    pub age_max_ms: u32,
    /// How often the device itself measures anew, ms, where that is known. Asking more often brings nothing.
    pub update_ms: Option<u32>,
    /// A value that has not changed for so long is frozen, ms. `None`: it may rest for ever.
    pub frozen_after_ms: Option<u32>,
    /// Codes and their names, by code; empty if it is not a code. A code that is not listed is implausible.
    pub codes: Vec<(u16, String)>,
    /// Points with the same number are read in one request.
    pub sync: Option<u16>,
    /// Document and page, or SunSpec model and point.
    pub source: String,
    /// How well this is known.
    pub certainty: Certainty,
}

impl PointSpec {
    /// The smallest step of the value, in `unit`; 0 for floating point. `None` if the device's scale factor decides, or if
    /// it is no number. A frequency in steps of 0.1 Hz is no input for a droop.
    #[must_use]
    pub fn resolution(&self) -> Option<f64> {
        let codec = &self.register.codec;
        match codec.encoding {
            Encoding::F32 | Encoding::F64 => Some(0.0),
            encoding if !encoding.is_number() || self.kind != ValueKind::Real || self.register.factor.is_some() => None,
            _ => Some(codec.scale.numerator / codec.scale.denominator),
        }
    }
}
