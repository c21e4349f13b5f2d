//! What is typed in a profile. What it means is checked by [`super::check`].

use super::at::At;
use super::spec::{Certainty, DeviceKind, StepValue, Verified};
use super::writable::{Function, ReadBack};
use crate::document::{Lenient, Spanned, UniqueMap};
use crate::image::Unit;
use crate::modbus::{Area, Encoding, Poll, WordOrder};
use serde::{Deserialize, Deserializer};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename = "Profile")]
pub(super) struct ProfileFile {
    pub(super) vendor: Spanned<String>,
    pub(super) model: Spanned<String>,
    pub(super) kind: DeviceKind,
    pub(super) sources: Spanned<Vec<String>>,
    pub(super) certainty: Certainty,
    pub(super) verified: Verified,
    pub(super) link: LinkFile,
    #[serde(default)]
    pub(super) identity: Vec<Lenient<IdentityFile>>,
    pub(super) sunspec: Option<SunSpecFile>,
    pub(super) life: Option<LifeFile>,
    pub(super) points: UniqueMap<Lenient<PointFile>>,
    #[serde(default)]
    pub(super) writables: UniqueMap<Lenient<WritableFile>>,
    pub(super) heartbeat: Option<HeartbeatFile>,
    pub(super) watchdog: Option<Spanned<WatchdogFile>>,
    #[serde(default)]
    pub(super) connect: Vec<Lenient<StepFile>>,
    #[serde(default)]
    pub(super) limits: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LinkFile {
    pub(super) port: Option<Spanned<u16>>,
    pub(super) read_max: Spanned<u16>,
    pub(super) gap_max: Spanned<u16>,
    pub(super) aligned: Option<Spanned<u16>>,
    #[serde(default)]
    pub(super) word_order: WordOrder,
    pub(super) write: Option<Function>,
    #[serde(default)]
    pub(super) forbidden: Vec<Spanned<(Area, u16, u16)>>,
    pub(super) gap_min_ms: Spanned<u32>,
    pub(super) timeout_ms: Spanned<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) enum IdentityFile {
    Register { at: Spanned<At>, encoding: Spanned<Encoding>, expect: Spanned<(i64, i64)>, source: Spanned<String> },
    Text { at: Spanned<At>, registers: Spanned<u16>, expect: Spanned<String>, source: Spanned<String> },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SunSpecFile {
    pub(super) bases: Spanned<Vec<u16>>,
    pub(super) models: Spanned<Vec<u16>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LifeFile {
    pub(super) point: Spanned<String>,
    pub(super) within_ms: Spanned<u32>,
    pub(super) counts_up: Option<Spanned<bool>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PointFile {
    pub(super) at: Spanned<At>,
    pub(super) encoding: Spanned<Encoding>,
    pub(super) word_order: Option<WordOrder>,
    pub(super) scale: Option<Spanned<(u32, u32)>>,
    pub(super) scale_factor: Option<Spanned<At>>,
    pub(super) raw_offset: Option<Spanned<i32>>,
    pub(super) sign: Option<Spanned<i8>>,
    pub(super) not_implemented: Option<Spanned<Vec<u64>>>,
    #[serde(default)]
    pub(super) unit: StatedUnit,
    pub(super) plausible: Option<Spanned<(f64, f64)>>,
    pub(super) codes: Option<Spanned<Vec<(u16, String)>>>,
    pub(super) poll: Poll,
    pub(super) age_max_ms: Spanned<u32>,
    pub(super) update_ms: Option<Spanned<u32>>,
    pub(super) frozen_after_ms: Option<Spanned<u32>>,
    pub(super) sync: Option<String>,
    pub(super) source: Spanned<String>,
    pub(super) certainty: Option<Certainty>,
}

/// A unit that may be left out. (An `Option` would take the unit `None` for being left out.)
#[derive(Default)]
pub(super) struct StatedUnit(pub(super) Option<Spanned<Unit>>);

impl<'de> Deserialize<'de> for StatedUnit {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Spanned::deserialize(d).map(|unit| Self(Some(unit)))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WritableFile {
    pub(super) kind: Spanned<KindFile>,
    pub(super) at: Spanned<At>,
    pub(super) encoding: Spanned<Encoding>,
    pub(super) word_order: Option<WordOrder>,
    pub(super) scale: Option<Spanned<(u32, u32)>>,
    pub(super) scale_factor: Option<Spanned<At>>,
    pub(super) raw_offset: Option<Spanned<i32>>,
    pub(super) sign: Option<Spanned<i8>>,
    #[serde(default)]
    pub(super) with: Vec<ConstantFile>,
    pub(super) function: Option<Spanned<Function>>,
    pub(super) policy: Spanned<PolicyFile>,
    pub(super) together: Option<Spanned<String>>,
    pub(super) read_back: Spanned<ReadBack>,
    pub(super) source: Spanned<String>,
    pub(super) certainty: Option<Certainty>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) enum KindFile {
    Real { unit: Unit, range: Spanned<(f64, f64)>, safe: Spanned<f64> },
    Choice { values: Spanned<Vec<(String, u16)>>, safe: Spanned<String> },
    Pulse(u16),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConstantFile {
    pub(super) at: Spanned<At>,
    pub(super) encoding: Spanned<Encoding>,
    pub(super) value: Spanned<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PolicyFile {
    pub(super) dead_band: Option<Spanned<f64>>,
    pub(super) gap_min_ms: u32,
    pub(super) refresh_ms: Option<Spanned<u32>>,
    pub(super) flash_writes_per_day_max: Option<Spanned<u32>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HeartbeatFile {
    pub(super) at: Spanned<At>,
    pub(super) encoding: Spanned<Encoding>,
    pub(super) counter: Spanned<(u32, u32)>,
    pub(super) every_ms: Spanned<u32>,
    pub(super) function: Option<Spanned<Function>>,
    pub(super) source: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) enum WatchdogFile {
    Missing {
        reason: Spanned<String>,
    },
    Device {
        timeout_ms: Spanned<(u32, u32)>,
        default_ms: Spanned<u32>,
        kept_by: Spanned<KeptByFile>,
        effect: Spanned<String>,
        source: Spanned<String>,
    },
}

#[derive(Deserialize)]
pub(super) enum KeptByFile {
    AnyRequest,
    Heartbeat,
    Writable(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StepFile {
    pub(super) at: Spanned<At>,
    pub(super) encoding: Spanned<Encoding>,
    pub(super) scale: Option<Spanned<(u32, u32)>>,
    pub(super) scale_factor: Option<Spanned<At>>,
    pub(super) value: Spanned<StepValue>,
    pub(super) function: Option<Spanned<Function>>,
    pub(super) read_back: Option<Spanned<ReadBack>>,
    pub(super) source: Spanned<String>,
}
