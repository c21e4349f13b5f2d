//! What was typed: the site file as serde reads it. Nothing outside this crate sees these types.
//!
//! Every name and number that the check may complain about carries its place. Every entry is [`Lenient`], so that a problem
//! in one hides no problem in another.

use crate::programs::ProgramFile;
use flyball_io_map::document::{Lenient, Spanned, UniqueMap};
use flyball_io_map::image::Unit;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(rename = "Site", deny_unknown_fields)]
pub(crate) struct SiteFile {
    pub(crate) name: Spanned<String>,
    pub(crate) scan: Lenient<ScanFile>,
    pub(crate) arm: Lenient<Arm>,
    #[serde(default)]
    pub(crate) buses: UniqueMap<Lenient<BusFile>>,
    #[serde(default)]
    pub(crate) devices: UniqueMap<Lenient<DeviceFile>>,
    #[serde(default)]
    pub(crate) points: UniqueMap<Lenient<PointFile>>,
    #[serde(default)]
    pub(crate) outputs: UniqueMap<Lenient<OutputFile>>,
    #[serde(default)]
    pub(crate) groups: UniqueMap<Lenient<GroupFile>>,
    #[serde(default)]
    pub(crate) commands: UniqueMap<Lenient<CommandFile>>,
    pub(crate) reaction_ms_max: Option<Spanned<u32>>,
    pub(crate) programs: Vec<Lenient<Spanned<ProgramFile>>>,
    pub(crate) modbus_server: Option<Lenient<ModbusServerFile>>,
    pub(crate) mqtt: Option<Lenient<MqttFile>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename = "Scan", deny_unknown_fields)]
pub(crate) struct ScanFile {
    pub(crate) period_ms: Spanned<u32>,
    pub(crate) overrun: OverrunFile,
    pub(crate) realtime: Realtime,
    pub(crate) priority: Option<Spanned<u8>>,
    #[serde(default)]
    pub(crate) cpus: Vec<Spanned<u16>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename = "Overrun", deny_unknown_fields)]
pub(crate) struct OverrunFile {
    pub(crate) degrade: Spanned<(u16, u16)>,
    pub(crate) trip: Spanned<(u16, u16)>,
    #[serde(default)]
    pub(crate) shed: Vec<Spanned<String>>,
}

/// Whether the site may run without real-time rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Realtime {
    /// It may not: without them it does not start.
    Required,
    /// It may, and says what it could not have.
    BestEffort,
}

/// How a site that has seen all it needs goes from disarmed to armed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Arm {
    /// By itself.
    Auto,
    /// By the command point `site.arm`.
    Manual,
}

#[derive(Debug, Deserialize)]
#[serde(rename = "Bus", deny_unknown_fields)]
pub(crate) enum BusFile {
    ModbusTcp {},
}

#[derive(Debug, Deserialize)]
#[serde(rename = "Device", deny_unknown_fields)]
pub(crate) struct DeviceFile {
    pub(crate) profile: Spanned<String>,
    pub(crate) bus: Spanned<String>,
    pub(crate) address: Spanned<String>,
    pub(crate) unit: Spanned<u8>,
    pub(crate) poll_ms: Spanned<u32>,
    pub(crate) answer_ms: Option<Spanned<u32>>,
    pub(crate) watchdog_ms: Option<Spanned<u32>>,
    pub(crate) accepts_no_watchdog: Option<Spanned<bool>>,
    pub(crate) accepts_unverified_writes: Option<Spanned<bool>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename = "Point", deny_unknown_fields)]
pub(crate) struct PointFile {
    pub(crate) age_max_ms: Option<Spanned<u32>>,
    pub(crate) plausible: Option<Spanned<(f64, f64)>>,
    pub(crate) frozen_after_ms: Option<Spanned<u32>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename = "Output", deny_unknown_fields)]
pub(crate) struct OutputFile {
    pub(crate) unit: Option<Spanned<Unit>>,
    pub(crate) range: Option<Spanned<(f64, f64)>>,
    pub(crate) ramp_per_s: Option<Spanned<f64>>,
    pub(crate) ramp_out_per_s: Option<Spanned<f64>>,
    pub(crate) dwell_ms: Option<Spanned<u32>>,
    pub(crate) safe_after: Option<Spanned<SafeAfterFile>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename = "SafeAfter", deny_unknown_fields)]
pub(crate) struct SafeAfterFile {
    pub(crate) point: Spanned<String>,
    pub(crate) below: Spanned<f64>,
    pub(crate) or_after_ms: Spanned<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(rename = "Group", deny_unknown_fields)]
pub(crate) struct GroupFile {
    pub(crate) members: Spanned<Vec<Spanned<String>>>,
    pub(crate) unit: Spanned<Unit>,
    pub(crate) range: Option<Spanned<(f64, f64)>>,
    pub(crate) ramp_per_s: Spanned<f64>,
    pub(crate) ramp_out_per_s: Spanned<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename = "Command", deny_unknown_fields)]
pub(crate) struct CommandFile {
    #[serde(default)]
    pub(crate) kind: CommandKindFile,
    pub(crate) unit: Option<Spanned<Unit>>,
    pub(crate) range: Option<Spanned<(f64, f64)>>,
    pub(crate) lease_ms: Spanned<u32>,
    pub(crate) priority: Spanned<u8>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) enum CommandKindFile {
    #[default]
    Real,
    Flag,
}

#[derive(Debug, Deserialize)]
#[serde(rename = "ModbusServer", deny_unknown_fields)]
pub(crate) struct ModbusServerFile {
    pub(crate) listen: Spanned<String>,
    pub(crate) units: Option<Spanned<Vec<Spanned<u8>>>>,
    #[serde(default)]
    pub(crate) readers: Vec<Spanned<String>>,
    #[serde(default)]
    pub(crate) writers: Vec<Lenient<WriterFile>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename = "Writer", deny_unknown_fields)]
pub(crate) struct WriterFile {
    pub(crate) peer: Spanned<String>,
    pub(crate) commands: Spanned<Vec<Spanned<String>>>,
    #[serde(default)]
    pub(crate) heartbeat: bool,
    pub(crate) writes_per_s: Spanned<u16>,
}

#[derive(Debug, Deserialize)]
#[serde(rename = "Mqtt", deny_unknown_fields)]
pub(crate) struct MqttFile {
    pub(crate) broker: Spanned<String>,
    pub(crate) topic: Option<Spanned<String>>,
    pub(crate) every_ms: Option<Spanned<u32>>,
    pub(crate) offline_messages_max: Option<Spanned<u32>>,
}
