//! Who may write what, how often, and what a write becomes.
//!
//! A writer is told by its peer address. Each has a token bucket, a heartbeat value, and the command points it was given.
//! The heartbeat belongs to the writer and not to a connection: a master that reconnects and repeats its last value has
//! shown no sign of life.

use super::guard::Refusal;
use super::map::{Place, RegisterMap};
use super::settings::Writer;
use crate::scan::command::{Ask, Command};
use flyball_io_map::image::{PointDef, ValueKind};
use std::net::IpAddr;

/// All writers, in the order of the settings.
#[derive(Debug)]
pub struct Writers {
    list: Vec<State>,
    /// The last heartbeat values taken, 0 before the first. Beside the list so that the register map can show them.
    heartbeats: Vec<u16>,
    /// What the request at hand becomes. Its room is allocated once: no request can hold more commands than there are.
    asked: Vec<Command>,
}

#[derive(Debug)]
struct State {
    peer: IpAddr,
    source: u16,
    /// The priority of its commands, by command point; `None` where it may not command.
    may: Vec<Option<u8>>,
    bucket: Bucket,
}

/// A request that passed every check: what is to be sent, and what is to be remembered once it is.
#[derive(Debug)]
pub struct Checked<'a> {
    /// In the order of the registers. Empty: a heartbeat that did not change.
    pub commands: &'a [Command],
    /// The heartbeat value to [`Writers::remember`].
    pub heartbeat: Option<u16>,
}

impl Writers {
    /// For a site with `commands` command points. The first writer's commands carry the source `first_source`, the others
    /// follow.
    ///
    /// # Panics
    /// If the sources run beyond 65 535.
    #[must_use]
    pub fn new(writers: &[Writer], commands: usize, first_source: u16) -> Self {
        let state = |(i, w): (usize, &Writer)| State {
            peer: w.peer.to_canonical(),
            source: first_source + u16::try_from(i).expect("at most 64 writers"),
            may: (0..commands)
                .map(|c| w.commands.iter().find(|g| usize::from(g.command) == c).map(|g| g.priority))
                .collect(),
            bucket: Bucket::full(w.writes_per_s),
        };
        Self {
            list: writers.iter().enumerate().map(state).collect(),
            heartbeats: vec![0; writers.len()],
            asked: Vec::with_capacity(commands.max(1)),
        }
    }

    /// The writer at this address; `None` for a stranger.
    #[must_use]
    pub fn at(&self, peer: IpAddr) -> Option<usize> {
        let peer = peer.to_canonical();
        self.list.iter().position(|w| w.peer == peer)
    }

    /// The last heartbeat values taken, in the order of the writers.
    #[must_use]
    pub fn heartbeats(&self) -> &[u16] {
        &self.heartbeats
    }

    /// Takes one write request off the writer's rate.
    ///
    /// # Errors
    /// [`Refusal::Busy`] if it has used it up.
    pub fn admit(&mut self, writer: usize, now_ns: u64) -> Result<(), Refusal> {
        if self.list[writer].bucket.take(now_ns) { Ok(()) } else { Err(Refusal::Busy) }
    }

    /// Checks a write of registers, two bytes each, and says what it becomes. Nothing has happened yet.
    ///
    /// # Errors
    /// [`Refusal::Address`] if not every register is there, writable, and this writer's; [`Refusal::Value`] for half a
    /// value or one that the command point cannot take.
    pub fn check_words(
        &mut self,
        map: &RegisterMap,
        writer: usize,
        address: u16,
        data: &[u8],
    ) -> Result<Checked<'_>, Refusal> {
        self.asked.clear();
        // all addresses before any value, so that the exception does not depend on what stands where
        for i in 0..data.len() / 2 {
            self.writable(map, writer, address, i)?;
        }
        let mut heartbeat = None;
        let mut high = None;
        for (i, bytes) in data.chunks_exact(2).enumerate() {
            let register = u16::from_be_bytes([bytes[0], bytes[1]]);
            match self.writable(map, writer, address, i)? {
                Place::CommandValue { word: 0, .. } => high = Some(register),
                Place::CommandValue { command, .. } => {
                    let high = high.take().ok_or(Refusal::Value)?;
                    let single = f32::from_bits(u32::from(high) << 16 | u32::from(register));
                    let value = commanded(map.point_of(command), single).ok_or(Refusal::Value)?;
                    self.ask(writer, command, value);
                }
                Place::Heartbeat { .. } => heartbeat = Some(register),
                _ => return Err(Refusal::Address),
            }
        }
        if high.is_some() {
            return Err(Refusal::Value);
        }
        if heartbeat.is_some_and(|h| h != self.heartbeats[writer]) {
            // renewing is no contest, so it has no priority
            self.asked.push(Command { source: self.list[writer].source, priority: 0, ask: Ask::Renew });
        }
        Ok(Checked { commands: &self.asked, heartbeat })
    }

    /// Checks a write of coils, lowest bit first, and says what it becomes. Nothing has happened yet.
    ///
    /// # Errors
    /// [`Refusal::Address`] if not every coil is a flag command of this writer; [`Refusal::Value`] if the command point
    /// cannot take the value.
    pub fn check_bits(
        &mut self,
        map: &RegisterMap,
        writer: usize,
        address: u16,
        count: u16,
        data: &[u8],
    ) -> Result<Checked<'_>, Refusal> {
        self.asked.clear();
        let count = usize::from(count);
        for i in 0..count {
            self.writable_coil(map, writer, address, i)?;
        }
        for i in 0..count {
            let command = self.writable_coil(map, writer, address, i)?;
            let on = data.get(i / 8).is_some_and(|byte| byte >> (i % 8) & 1 == 1);
            let value = commanded(map.point_of(command), if on { 1.0 } else { 0.0 }).ok_or(Refusal::Value)?;
            self.ask(writer, command, value);
        }
        Ok(Checked { commands: &self.asked, heartbeat: None })
    }

    /// After the commands of a request were sent: its heartbeat value is the one that the next must differ from.
    pub fn remember(&mut self, writer: usize, heartbeat: u16) {
        self.heartbeats[writer] = heartbeat;
    }

    /// The place of the `i`th register from `address` on, if this writer may write it.
    fn writable(&self, map: &RegisterMap, writer: usize, address: u16, i: usize) -> Result<Place, Refusal> {
        let place = nth(address, i).and_then(|a| map.place(a)).ok_or(Refusal::Address)?;
        let may = match place {
            Place::CommandValue { command, .. } => self.list[writer].may[command].is_some(),
            Place::Heartbeat { writer: of } => of == writer,
            _ => false,
        };
        if may { Ok(place) } else { Err(Refusal::Address) }
    }

    /// The command of the `i`th coil from `address` on, if this writer may write it.
    fn writable_coil(&self, map: &RegisterMap, writer: usize, address: u16, i: usize) -> Result<usize, Refusal> {
        let command = nth(address, i).and_then(|coil| map.command_of_coil(coil));
        command.filter(|c| self.list[writer].may[*c].is_some()).ok_or(Refusal::Address)
    }

    fn ask(&mut self, writer: usize, command: usize, value: f64) {
        let State { source, may, .. } = &self.list[writer];
        let (source, priority) = (*source, may[command].unwrap_or(0));
        let point = u16::try_from(command).expect("the map has room for 500 command points");
        self.asked.push(Command { source, priority, ask: Ask::Level { point, value } });
    }
}

/// The `i`th address from `address` on, if there is one.
fn nth(address: u16, i: usize) -> Option<u16> {
    address.checked_add(u16::try_from(i).ok()?)
}

/// The value that a command point takes for a single; `None` if it does not take it.
///
/// The bounds of a range are shown as singles too, so a single that equals a bound's stands for the bound itself: a master
/// that writes what it has read as the highest command is not refused for a rounding.
fn commanded(point: &PointDef, single: f32) -> Option<f64> {
    let is = |bound: f64| {
        #[expect(clippy::cast_possible_truncation, reason = "as the register map shows it")]
        let shown = bound as f32;
        shown.to_bits() == single.to_bits()
    };
    let (lowest, highest) = point.plausible;
    let value = if is(lowest) {
        lowest
    } else if is(highest) {
        highest
    } else {
        f64::from(single) + 0.0
    };
    let whole = value.trunc().to_bits() == value.to_bits();
    let of_its_kind = match point.kind {
        ValueKind::Real => true,
        ValueKind::Flag => whole && (0.0..=1.0).contains(&value),
        ValueKind::Code => {
            whole
                && (point.codes.is_empty()
                    || point.codes.iter().any(|(code, _)| f64::from(*code).to_bits() == value.to_bits()))
        }
    };
    (value.is_finite() && (lowest..=highest).contains(&value) && of_its_kind).then_some(value)
}

/// A token bucket that holds one second's worth of writes.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    per_s: u64,
    /// Thousand-millionths of a write.
    level: u64,
    filled_ns: u64,
}

const ONE: u64 = 1_000_000_000;

impl Bucket {
    fn full(per_s: u32) -> Self {
        Self { per_s: u64::from(per_s), level: u64::from(per_s) * ONE, filled_ns: 0 }
    }

    fn take(&mut self, now_ns: u64) -> bool {
        let since_ns = now_ns.saturating_sub(self.filled_ns);
        self.filled_ns = self.filled_ns.max(now_ns);
        self.level = self.level.saturating_add(since_ns.saturating_mul(self.per_s)).min(self.per_s * ONE);
        let enough = self.level >= ONE;
        if enough {
            self.level -= ONE;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flyball_io_map::image::Unit;
    use flyball_io_map::image::point::Source;
    use proptest::prelude::*;

    fn point(kind: ValueKind, plausible: (f64, f64), codes: &[u16]) -> PointDef {
        PointDef {
            name: "scada.x".into(),
            kind,
            unit: Unit::None,
            source: Source::Command,
            plausible,
            age_max_ms: 10_000,
            frozen_after_ms: None,
            codes: codes.iter().map(|c| (*c, format!("code {c}"))).collect(),
        }
    }

    #[test]
    fn a_command_point_takes_what_is_in_its_range_and_of_its_kind() {
        let real = point(ValueKind::Real, (-5_000.0, 5_000.0), &[]);
        let flag = point(ValueKind::Flag, (0.0, 1.0), &[]);
        let code = point(ValueKind::Code, (0.0, 10.0), &[1, 3]);
        let rows: [(&PointDef, f32, Option<f64>); 20] = [
            (&real, 5_000.0, Some(5_000.0)),
            (&real, -5_000.0, Some(-5_000.0)),
            (&real, 5_000.1, None),
            (&real, -5_000.1, None),
            (&real, f32::NAN, None),
            (&real, -f32::NAN, None),
            (&real, f32::INFINITY, None),
            (&real, f32::NEG_INFINITY, None),
            (&real, -0.0, Some(0.0)),
            (&real, f32::MIN_POSITIVE / 2.0, Some(f64::from(f32::MIN_POSITIVE / 2.0))),
            (&flag, 0.0, Some(0.0)),
            (&flag, 1.0, Some(1.0)),
            (&flag, 0.5, None),
            (&flag, 2.0, None),
            (&flag, -1.0, None),
            (&code, 3.0, Some(3.0)),
            (&code, 2.0, None),
            (&code, 1.5, None),
            (&code, 11.0, None),
            (&code, f32::NAN, None),
        ];
        for (point, single, expected) in rows {
            assert_eq!(
                commanded(point, single).map(f64::to_bits),
                expected.map(f64::to_bits),
                "{single} for {:?}",
                point.kind
            );
        }
    }

    #[test]
    fn the_highest_command_may_be_written_back_though_its_single_lies_above_it() {
        let real = point(ValueKind::Real, (0.0, 0.1), &[]);
        assert!(f64::from(0.1f32) > 0.1);
        assert_eq!(commanded(&real, 0.1).map(f64::to_bits), Some(0.1f64.to_bits()));
        assert_eq!(commanded(&real, f32::from_bits(0.1f32.to_bits() + 1)), None);
    }

    #[test]
    fn ten_writes_a_second_come_at_once_or_one_by_one() {
        let mut bucket = Bucket::full(10);
        let start = 5_000_000_000;
        assert_eq!((0..20).filter(|_| bucket.take(start)).count(), 10);
        assert!(!bucket.take(start + 99_999_999));
        assert!(bucket.take(start + 100_000_000));
        assert_eq!((1..=100).filter(|i| bucket.take(start + 100_000_000 + i * 10_000_000)).count(), 10);
        assert_eq!((0..20).filter(|_| bucket.take(u64::MAX)).count(), 10, "a long rest fills it no further");
        assert!(!bucket.take(0), "a clock that went back gives nothing");
    }

    proptest! {
        #[test]
        fn no_pattern_of_writes_gets_more_than_the_rate_and_one_burst(per_s in 1u32..50, gaps_ns in proptest::collection::vec(0u64..300_000_000, 1..200)) {
            let mut bucket = Bucket::full(per_s);
            let (mut now_ns, mut taken) = (0u64, 0u64);
            for gap in &gaps_ns {
                now_ns += gap;
                taken += u64::from(bucket.take(now_ns));
            }
            let allowed = u128::from(per_s) + u128::from(now_ns) * u128::from(per_s) / 1_000_000_000;
            prop_assert!(u128::from(taken) <= allowed);
        }

        #[test]
        fn what_a_real_command_takes_is_finite_and_in_range(bits in any::<u32>(), low in -1e6f64..0.0, high in 0.0f64..1e6) {
            if let Some(value) = commanded(&point(ValueKind::Real, (low, high), &[]), f32::from_bits(bits)) {
                prop_assert!(value.is_finite() && low <= value && value <= high);
            }
        }
    }
}
