//! What a profile means, once it was checked. Made only by [`super::load`].

use super::at::At;
use super::point::PointSpec;
use super::writable::{ReadBack, WritableSpec};
use crate::modbus::plan::Forbidden;
use crate::modbus::{Codec, WordOrder};
use serde::Deserialize;

/// A device type: where its values lie, what they mean, and how it wants to be treated.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// Who makes it.
    pub vendor: String,
    /// Which one it is.
    pub model: String,
    /// What it is.
    pub kind: DeviceKind,
    /// Where the facts come from.
    pub sources: Vec<String>,
    /// How well they are known.
    pub certainty: Certainty,
    /// What the profile was proven against.
    pub verified: Verified,
    /// How it wants to be asked.
    pub link: Link,
    /// What must be true of a device before anything of it is believed.
    pub identity: Vec<Identity>,
    /// For a SunSpec device: where to look for its models.
    pub sunspec: Option<SunSpecNeeds>,
    /// By what it shows that it is alive.
    pub life: Option<Life>,
    /// What can be read.
    pub points: Vec<PointSpec>,
    /// What can be written. One that no program of a site may speak about is never written.
    pub writables: Vec<WritableSpec>,
    /// The counter that we keep moving.
    pub heartbeat: Option<Heartbeat>,
    /// What the device does without us.
    pub watchdog: Watchdog,
    /// Written in this order on every (re)connect, each read back, before any set-point.
    pub connect: Vec<Step>,
    /// Points (as indices) that must have been seen with a value after every connect, before any set-point.
    pub limits: Vec<usize>,
    /// Only the check makes one.
    pub(super) checked: Checked,
}

/// Proof that a profile went through its check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Checked;

impl Profile {
    /// The index of the point of this name.
    #[must_use]
    pub fn point(&self, name: &str) -> Option<usize> {
        self.points.iter().position(|p| p.name == name)
    }

    /// The index of the writable of this name.
    #[must_use]
    pub fn writable(&self, name: &str) -> Option<usize> {
        self.writables.iter().position(|w| w.name == name)
    }
}

/// What a device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum DeviceKind {
    /// Measures a connection.
    Meter,
    /// Makes alternating current.
    Inverter,
    /// An inverter with its battery.
    Storage,
    /// A battery's management system.
    Battery,
    /// A charge controller.
    Charger,
    /// Digital and analogue inputs and outputs.
    Io,
    /// Temperatures, irradiance and the like.
    Sensor,
}

/// How well facts are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Certainty {
    /// The maker's own document was read, or two independent sources agree.
    A,
    /// One good source.
    B,
    /// Weak: indirect, old or inferred.
    C,
}

/// What a profile was proven against. Writing to a device whose profile was proven against nothing needs the site's consent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Verified {
    /// Nothing yet.
    None,
    /// A simulator written from the maker's facts.
    Simulator,
    /// The device itself.
    Hardware,
}

/// How a device wants to be asked. There is one request in flight at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its TCP port, where it has one.
    pub port: u16,
    /// Most registers in one read.
    pub read_max: u16,
    /// Most unwanted registers between two values in one read.
    pub gap_max: u16,
    /// A read must stay within a group of so many registers; 0: there are no groups.
    pub aligned: u16,
    /// Order of words, where a point does not say otherwise.
    pub word_order: WordOrder,
    /// Never read.
    pub forbidden: Vec<Forbidden>,
    /// Least pause between an answer and the next request, ms.
    pub gap_min_ms: u32,
    /// How long to wait for an answer, ms.
    pub timeout_ms: u32,
}

/// One value's place and form.
#[derive(Clone, Debug, PartialEq)]
pub struct Register {
    /// Where it is.
    pub at: At,
    /// How it lies there.
    pub codec: Codec,
    /// Where its scale factor is, if it has one.
    pub factor: Option<At>,
}

impl Register {
    /// How many addresses it takes.
    #[must_use]
    pub fn len(&self) -> u16 {
        self.codec.encoding.len()
    }

    /// Never: it takes at least one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        false
    }
}

/// Something that must be true of the device on every connect.
#[derive(Clone, Debug, PartialEq)]
pub enum Identity {
    /// A register holds a number in this range (both ends belong to it).
    Register {
        /// Where and how.
        register: Register,
        /// The range.
        expect: (f64, f64),
        /// Where this fact comes from.
        source: String,
    },
    /// Registers hold a text that begins like this.
    Text {
        /// Where.
        at: At,
        /// How many registers.
        registers: u16,
        /// The beginning.
        expect: String,
        /// Where this fact comes from.
        source: String,
    },
}

/// Where to look for SunSpec models, and which must be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SunSpecNeeds {
    /// Where the marker may stand, in the order of trying.
    pub bases: Vec<u16>,
    /// Ids of the models without which the device is not the right one. Points of other models may be absent.
    pub models: Vec<u16>,
}

/// How a device shows that it lives. Once the point rests longer than this, every point of the device is frozen; after
/// each connect nothing is believed before it was seen to move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// The point, as an index.
    pub point: usize,
    /// The longest it may rest, ms.
    pub within_ms: u32,
    /// Whether it is a counter that only goes up, by at most one a millisecond, and begins anew behind the last number of
    /// its register. If it goes back, the device has restarted.
    pub counts_up: bool,
}

/// A counter that we write, so that the device knows us alive.
#[derive(Clone, Debug, PartialEq)]
pub struct Heartbeat {
    /// Where and how.
    pub register: Register,
    /// The first and the last number; after the last comes the first.
    pub counter: (u32, u32),
    /// How often it moves on, ms.
    pub every_ms: u32,
    /// How it is written.
    pub function: super::writable::Function,
    /// Where this fact comes from.
    pub source: String,
}

/// What a device does by itself when it hears nothing from us.
#[derive(Clone, Debug, PartialEq)]
pub enum Watchdog {
    /// There is nothing to write, so nothing to watch.
    NotNeeded,
    /// It goes on for ever with what was written last. The site must accept this explicitly.
    Missing {
        /// How that is known, and what else may stop it.
        reason: String,
    },
    /// It goes safe by itself.
    Device {
        /// The shortest and the longest time-out, ms. Equal if the device does not let us choose.
        timeout_ms: (u32, u32),
        /// What is used if the site does not say otherwise, ms.
        default_ms: u32,
        /// What keeps it alive.
        kept_by: KeptBy,
        /// What the device does when it expires.
        effect: String,
        /// Where this fact comes from.
        source: String,
    },
}

/// What keeps a device's watchdog alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptBy {
    /// Any request.
    AnyRequest,
    /// The heartbeat.
    Heartbeat,
    /// Writing this writable (an index), which is refreshed before the time is up.
    Writable(usize),
}

/// One write of the connect sequence.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Where and how.
    pub register: Register,
    /// What.
    pub value: StepValue,
    /// How it is written.
    pub function: super::writable::Function,
    /// How it is proven.
    pub read_back: ReadBack,
    /// Where this fact comes from.
    pub source: String,
}

/// What a step of the connect sequence writes.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub enum StepValue {
    /// Always this.
    Value(f64),
    /// The time-out of the device's watchdog that the site chose, s.
    WatchdogSeconds,
}
