//! Points: the named values of the site, and the typed handles through which programs read and compute them.

use super::unit::Unit;
use std::marker::PhantomData;

/// Kind of a point that holds a physical quantity (f64, finite by construction).
pub enum Real {}
/// Kind of a point that is true or false.
pub enum Flag {}
/// Kind of a point that holds one of a list of states.
pub enum Code {}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Real {}
    impl Sealed for super::Flag {}
    impl Sealed for super::Code {}
}

/// What a kind of point is in the image (always an f64) and in a program.
pub trait Kind: sealed::Sealed {
    /// What a program gets.
    type Value: Copy;
    /// The kind's name in site files and messages.
    const KIND: ValueKind;
    /// From the image.
    fn from_image(v: f64) -> Self::Value;
    /// Into the image.
    fn to_image(v: Self::Value) -> f64;
}

impl Kind for Real {
    type Value = f64;
    const KIND: ValueKind = ValueKind::Real;
    fn from_image(v: f64) -> f64 {
        v
    }
    fn to_image(v: f64) -> f64 {
        v
    }
}

impl Kind for Flag {
    type Value = bool;
    const KIND: ValueKind = ValueKind::Flag;
    fn from_image(v: f64) -> bool {
        v > 0.5
    }
    fn to_image(v: bool) -> f64 {
        f64::from(u8::from(v))
    }
}

impl Kind for Code {
    type Value = u16;
    const KIND: ValueKind = ValueKind::Code;
    fn from_image(v: f64) -> u16 {
        // the border (`PointDef::plausible`) has kept it within 0..=65535; the cast saturates in any case
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturating by definition of `as`")]
        let code = v as u16;
        code
    }
    fn to_image(v: u16) -> f64 {
        f64::from(v)
    }
}

/// The kinds of points, as data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// A physical quantity.
    Real,
    /// True or false.
    Flag,
    /// One of a list of states.
    Code,
}

impl std::fmt::Display for ValueKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Real => "a real",
            Self::Flag => "a flag",
            Self::Code => "a code",
        })
    }
}

/// Where a point's readings come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A field device (its index in the site's order).
    Device(u16),
    /// The runtime itself: start report, device links, scan counters. An input like any other, so that a replay has it.
    System,
    /// Commands from SCADA and its kin, under a lease.
    Command,
    /// A program.
    Computed,
}

/// What the site says of a point. Made by the site's checker; read by the controller's latch and by everything north.
#[derive(Clone, Debug, PartialEq)]
pub struct PointDef {
    /// `device.point`, or a name of the site's own.
    pub name: String,
    /// What it holds.
    pub kind: ValueKind,
    /// In which unit.
    pub unit: Unit,
    /// Where it comes from.
    pub source: Source,
    /// Values outside are no values, in the point's unit.
    pub plausible: (f64, f64),
    /// The greatest age at which it may be used, ms. For a command: its lease.
    pub age_max_ms: u32,
    /// A value that has not changed for so long is frozen, ms. `None`: it may rest for ever.
    pub frozen_after_ms: Option<u32>,
    /// Names of the codes, where the kind is [`ValueKind::Code`].
    pub codes: Vec<(u16, String)>,
}

/// A handle to a point that a program may read, with the greatest age that this program accepts.
pub struct Point<K> {
    pub(super) index: u16,
    pub(super) age_max_ns: u64,
    pub(super) kind: PhantomData<fn() -> K>,
}

/// A handle to a point that this program alone computes, for the programs after it.
pub struct Computed<K> {
    pub(super) index: u16,
    pub(super) kind: PhantomData<fn() -> K>,
}

impl<K> Point<K> {
    /// Its place in the image.
    #[must_use]
    pub fn index(&self) -> usize {
        usize::from(self.index)
    }

    /// The greatest age at which this program uses it, ns.
    #[must_use]
    pub fn age_max_ns(&self) -> u64 {
        self.age_max_ns
    }
}

impl<K> Computed<K> {
    /// Its place in the image.
    #[must_use]
    pub fn index(&self) -> usize {
        usize::from(self.index)
    }
}
