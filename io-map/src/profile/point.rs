//! A value that a device measures or reports.

use super::spec::{Certainty, Register};
use crate::image::{Unit, ValueKind};
use crate::modbus::Poll;

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
