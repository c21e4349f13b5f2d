//! What a register or a bit shows of a snapshot.

use super::{FLAG_KNOWN, FLAG_TRUE, MAP_VERSION, Place, RegisterMap};
use crate::scan::snapshot::View;
use flyball_io_map::image::wiring::OutputKind;
use flyball_io_map::image::{NoData, ScanTime, ValueKind};

/// Registers of the header.
pub(super) const HEADER_WORDS: u16 = 25;

/// Parts of a lease are shown in tenths of a second.
const LEASE_TICK_NS: u64 = 100_000_000;

/// A record of any area but the header; what a shorter one has no use for is 0.
type Record = [u16; 8];

impl RegisterMap {
    /// What a register shows; `None` if it does not exist. `heartbeats` are what the writers last wrote, in their order.
    pub fn word(&self, view: &View<'_>, heartbeats: &[u16], address: u16) -> Option<u16> {
        let (record, word) = match self.place(address)? {
            Place::Header(word) => return self.header(view).get(word).copied(),
            Place::Heartbeat { writer } => return heartbeats.get(writer).copied(),
            Place::CommandValue { command, word } => (command_value(view, self.commands[command]), word),
            Place::CommandState { command, word } => (self.command_state(view, command), word),
            Place::Real { slot, word } => (real(view, slot), word),
            Place::Choice { slot, word } => (self.choice(view, slot), word),
            Place::Pulse { slot, word } => (joined([longs(view.pulse(slot)), [0; 4]]), word),
            Place::Point { point, word } => (shown_point(view, point), word),
        };
        record.get(word).copied()
    }

    /// What a coil or discrete input shows; `None` if it does not exist.
    pub fn bit(&self, view: &View<'_>, address: u16) -> Option<bool> {
        let points = self.layout.points.len();
        let (known, (point, _)) = match FLAG_KNOWN.find(address, points) {
            Some(found) => (true, found),
            None => (false, FLAG_TRUE.find(address, points)?),
        };
        if self.layout.points[point].kind != ValueKind::Flag {
            return Some(false);
        }
        let value = view.value(point);
        Some(if known { value.is_ok() } else { value.is_ok_and(|v| v > 0.5) })
    }

    fn header(&self, view: &View<'_>) -> [u16; HEADER_WORDS as usize] {
        let header = view.header();
        let [scans, skipped, refused] = [header.scans, header.slots_skipped, header.commands_refused].map(low_word);
        let [scan_us, late_us] = [header.scan_ns, header.late_ns].map(|ns| pair(saturated_u32(ns / 1_000)));
        let wall_s = pair(saturated_u32(header.wall_ns / 1_000_000_000));
        let layout = &self.layout;
        let outputs = [self.reals.len(), self.choices.len(), self.pulses.len()].map(count);
        [
            MAP_VERSION,
            scans[1],
            scans[0],
            scans[1],
            u16::from(header.state.code()),
            u16::from(header.degraded),
            skipped[0],
            skipped[1],
            scan_us[0],
            scan_us[1],
            late_us[0],
            late_us[1],
            refused[0],
            refused[1],
            u16::from(header.quarantined),
            u16::from(header.wall_trusted),
            wall_s[0],
            wall_s[1],
            saturated_u16(u64::from(layout.period_ms)),
            count(layout.points.len()),
            outputs[0],
            outputs[1],
            outputs[2],
            count(self.commands.len()),
            count(self.writers.len()),
        ]
    }

    fn command_state(&self, view: &View<'_>, command: usize) -> Record {
        let point = self.commands[command];
        let def = &self.layout.points[point];
        let lease_ns = u64::from(def.age_max_ms) * 1_000_000;
        let left_ns = view.value(point).map_or(0, |_| lease_ns - view.now().since(view.reading(point).taken()));
        let quality = view.value(point).map_or_else(|why| u16::from(why.code()), |_| 0);
        let [lease, lowest, highest] = [pair(def.age_max_ms), single(def.plausible.0), single(def.plausible.1)];
        let left = saturated_u16(left_ns.div_ceil(LEASE_TICK_NS));
        [quality, left, lease[0], lease[1], lowest[0], lowest[1], highest[0], highest[1]]
    }

    fn choice(&self, view: &View<'_>, slot: usize) -> Record {
        let (value, (cause, by)) = view.choice(slot);
        let values = match &self.layout.outputs[self.choices[slot]].kind {
            OutputKind::Choice { values, .. } => count(values.len()),
            OutputKind::Real { .. } | OutputKind::Pulse => 0,
        };
        [u16::from(value), u16::from(cause), u16::from(by), values, 0, 0, 0, 0]
    }
}

/// The value as a register pair, the reason why there is none, and the age in ms.
fn shown_point(view: &View<'_>, point: usize) -> Record {
    let value = view.value(point);
    let words = value.map_or(NOT_A_NUMBER, single);
    let quality = match value {
        Err(why) => why.code(),
        Ok(_) if words == NOT_A_NUMBER => NoData::Implausible.code(),
        Ok(_) => 0,
    };
    let taken = view.reading(point).taken();
    let never = taken == ScanTime(0) && value.is_err();
    let age_ms = if never { u16::MAX } else { saturated_u16(view.now().since(taken) / 1_000_000) };
    [words[0], words[1], u16::from(quality), age_ms, 0, 0, 0, 0]
}

fn command_value(view: &View<'_>, point: usize) -> Record {
    let words = view.value(point).map_or(NOT_A_NUMBER, single);
    [words[0], words[1], 0, 0, 0, 0, 0, 0]
}

fn real(view: &View<'_>, slot: usize) -> Record {
    let shown = view.real(slot);
    let [total, base, added] = [shown.total, shown.base, shown.added].map(single);
    let (cause, by) = shown.cause;
    [total[0], total[1], base[0], base[1], u16::from(cause), u16::from(by), added[0], added[1]]
}

/// The quiet NaN that stands where there is no value.
const NOT_A_NUMBER: [u16; 2] = [0x7FC0, 0];

/// As a single; what does not fit one is not a number.
fn single(value: f64) -> [u16; 2] {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "rounded to the nearest single; what overflows is caught below"
    )]
    let single = value as f32;
    if single.is_finite() { pair(single.to_bits()) } else { NOT_A_NUMBER }
}

fn pair(value: u32) -> [u16; 2] {
    let [a, b, c, d] = value.to_be_bytes();
    [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])]
}

fn longs(value: u64) -> [u16; 4] {
    let [a, b, c, d, e, f, g, h] = value.to_be_bytes();
    [[a, b], [c, d], [e, f], [g, h]].map(u16::from_be_bytes)
}

fn joined([[a, b, c, d], [e, f, g, h]]: [[u16; 4]; 2]) -> Record {
    [a, b, c, d, e, f, g, h]
}

/// The lower half of a counter: it wraps.
fn low_word(counter: u64) -> [u16; 2] {
    let [_, _, high, low] = longs(counter);
    [high, low]
}

fn saturated_u16(value: u64) -> u16 {
    u16::try_from(value).unwrap_or(u16::MAX)
}

fn saturated_u32(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

fn count(n: usize) -> u16 {
    u16::try_from(n).expect("no area has room for so many")
}
