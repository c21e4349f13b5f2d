//! Something that can be written to a device, and how it wants to be written.

use super::spec::{Certainty, Register};
use crate::image::Unit;
use serde::Deserialize;

/// One writable of a profile.
#[derive(Clone, Debug, PartialEq)]
pub struct WritableSpec {
    /// Its name within the device.
    pub name: String,
    /// What it takes.
    pub kind: WritableKind,
    /// Where and how it lies on the device.
    pub register: Register,
    /// Constants that go out in the same request, right before or behind it (an enabling flag, a mode).
    pub with: Vec<Constant>,
    /// How it is written.
    pub function: Function,
    /// When it is written.
    pub policy: Policy,
    /// Writables with the same number are written in one request.
    pub together: Option<u16>,
    /// How a write is proven.
    pub read_back: ReadBack,
    /// Document and page, or SunSpec model and point.
    pub source: String,
    /// How well this is known.
    pub certainty: Certainty,
}

/// What a writable takes.
#[derive(Clone, Debug, PartialEq)]
pub enum WritableKind {
    /// A set-point.
    Real {
        /// In which of the house's units.
        unit: Unit,
        /// What the device takes at most.
        range: (f64, f64),
        /// What is written last when we stop.
        safe: f64,
    },
    /// One of a list of values, each with its name and the code that is written.
    Choice {
        /// Names and codes; a value's index is its number in the image.
        values: Vec<(String, u16)>,
        /// The index of the value that is written last when we stop.
        safe: u8,
    },
    /// A one-shot action: this code is written once. Nothing is written when we stop.
    Pulse {
        /// The code.
        code: u16,
    },
}

impl WritableKind {
    /// What is written when we stop: the number itself, or a choice's index.
    #[must_use]
    pub fn safe(&self) -> Option<f64> {
        match self {
            Self::Real { safe, .. } => Some(*safe),
            Self::Choice { safe, .. } => Some(f64::from(*safe)),
            Self::Pulse { .. } => None,
        }
    }
}

/// A constant that is written together with a writable.
#[derive(Clone, Debug, PartialEq)]
pub struct Constant {
    /// Where and how.
    pub register: Register,
    /// What.
    pub value: f64,
}

/// The kind of request that writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Function {
    /// One coil or register (functions 5 and 6).
    WriteSingle,
    /// Several coils or registers (functions 15 and 16).
    WriteMultiple,
}

/// When something is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Policy {
    /// A change up to this, in the writable's unit, is not written. 0 for choices and pulses.
    pub dead_band: f64,
    /// Least time between two writes, ms.
    pub gap_min_ms: u32,
    /// Written again after so long even if unchanged, ms. `None`: on change only.
    pub refresh_ms: Option<u32>,
    /// For a register in flash memory: most writes a day.
    pub flash_writes_per_day_max: Option<u32>,
}

/// How a write is proven.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum ReadBack {
    /// The register must show what was written.
    Within {
        /// After so long at most, ms.
        ms: u32,
        /// To within this, in the writable's unit (0: to within half a count).
        tolerance: f64,
    },
    /// It cannot be read back.
    Never(
        /// Why not.
        String,
    ),
}
