//! Commands are inputs: a level from SCADA, MQTT or a page becomes the reading of a command point, under a lease.
//!
//! One arbitration rule: priority, then holder. While a lease lasts only its holder, or a source of higher priority, may
//! set the point; when it has run out the point is as stale as any other old reading, and anybody may take it.

use flyball_io_map::image::{NoData, PointDef, Reading, ScanTime, ValueKind};

/// What the network side asks of one command point, or of all that a source holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Command {
    /// Who asks: an index that the network side gives out, one per configured writer.
    pub source: u16,
    /// A higher one takes over while a lease still lasts.
    pub priority: u8,
    /// What is asked.
    pub ask: Ask,
}

/// The kinds of commands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ask {
    /// The command point (index among the command points) shall have this value.
    Level {
        /// Index among the command points.
        point: u16,
        /// In the point's unit; flags are 0 and 1.
        value: f64,
    },
    /// The source is alive: all its leases begin anew.
    Renew,
    /// The source lets go of the command point.
    Release {
        /// Index among the command points.
        point: u16,
    },
}

/// A command point's reading and who holds it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    lease_ns: u64,
    plausible: (f64, f64),
    /// Flags and codes are whole numbers.
    whole: bool,
    /// Its rising edge is what counts (arm, reset): everybody who may write it is heard, and no heartbeat keeps it up.
    edge: bool,
    holder: Option<Holder>,
}

#[derive(Clone, Copy, Debug)]
struct Holder {
    source: u16,
    priority: u8,
    value: f64,
    renewed: ScanTime,
}

impl Held {
    /// Nobody has commanded yet.
    pub(super) fn new(def: &PointDef) -> Self {
        let (plausible, whole) = (def.plausible, def.kind != ValueKind::Real);
        Self { lease_ns: u64::from(def.age_max_ms) * 1_000_000, plausible, whole, edge: false, holder: None }
    }

    /// The same for a command whose rising edge is what counts.
    pub(super) fn of_edges(self) -> Self {
        Self { edge: true, ..self }
    }

    /// Takes or refuses a level. A value outside the point's range, or between two states of a flag or code, is refused
    /// whole; it is not bent into use.
    pub(super) fn level(&mut self, command: &Command, value: f64, now: ScanTime) -> bool {
        let (low, high) = self.plausible;
        let between = self.whole && value.fract().abs() > 0.0;
        if between || !(value >= low && value <= high) {
            return false;
        }
        let free = self.holder.is_none_or(|h| {
            let ended = now.since(h.renewed) > self.lease_ns;
            ended || self.edge || h.source == command.source || command.priority > h.priority
        });
        if free {
            self.holder =
                Some(Holder { source: command.source, priority: command.priority, value: value + 0.0, renewed: now });
        }
        free
    }

    pub(super) fn renew(&mut self, source: u16, now: ScanTime) {
        let edge = self.edge;
        if let Some(holder) =
            self.holder.as_mut().filter(|h| !edge && h.source == source && now.since(h.renewed) <= self.lease_ns)
        {
            holder.renewed = now;
        }
    }

    pub(super) fn release(&mut self, source: u16) -> bool {
        let held = self.holder.is_some_and(|h| h.source == source);
        if held {
            self.holder = None;
        }
        held
    }

    /// As a reading: fresh while the lease lasts. A lease that ran out cannot be renewed, only taken again.
    pub(super) fn reading(&self, now: ScanTime) -> Reading {
        match self.holder {
            Some(h) if now.since(h.renewed) <= self.lease_ns => Reading::new(Ok(h.value), h.renewed),
            Some(h) => Reading::new(Err(NoData::NoCommand), h.renewed),
            None => Reading::new(Err(NoData::NoCommand), ScanTime(0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use flyball_io_map::image::{Unit, point::Source};

    const LEASE: u64 = 10_000_000_000;

    fn held(kind: ValueKind, plausible: (f64, f64)) -> Held {
        Held::new(&PointDef {
            name: "cmd".into(),
            kind,
            unit: Unit::None,
            source: Source::Command,
            plausible,
            age_max_ms: 10_000,
            frozen_after_ms: None,
            codes: Vec::new(),
        })
    }

    fn level(source: u16, priority: u8) -> Command {
        Command { source, priority, ask: Ask::Renew }
    }

    fn value(held: &Held, at_ms: u64) -> Result<f64, NoData> {
        held.reading(ScanTime::from_ms(at_ms)).fresh(ScanTime::from_ms(at_ms), LEASE)
    }

    #[test]
    fn an_arming_or_reset_is_heard_from_everybody_and_kept_up_by_no_heartbeat() {
        let mut arm = held(ValueKind::Flag, (0.0, 1.0)).of_edges();
        assert!(arm.level(&level(1, 5), 1.0, ScanTime(0)));
        assert!(arm.level(&level(2, 0), 0.0, ScanTime::from_ms(10)), "the safe direction is never blocked");
        assert_eq!(value(&arm, 10), Ok(0.0));
        arm.renew(2, ScanTime::from_ms(9_000));
        assert_eq!(value(&arm, 10_011), Err(NoData::NoCommand));
    }

    #[test]
    fn a_lease_that_is_not_renewed_runs_out() {
        let mut held = held(ValueKind::Real, (-5_000.0, 5_000.0));
        assert_eq!(value(&held, 0), Err(NoData::NoCommand));
        assert!(held.level(&level(1, 0), 2_000.0, ScanTime(0)));
        assert_eq!(value(&held, 10_000), Ok(2_000.0));
        assert_eq!(value(&held, 10_001), Err(NoData::NoCommand));
    }

    #[test]
    fn a_heartbeat_renews_the_lease_of_its_source_only_and_never_a_dead_one() {
        let mut held = held(ValueKind::Real, (-5_000.0, 5_000.0));
        held.level(&level(1, 0), 2_000.0, ScanTime(0));
        held.renew(2, ScanTime::from_ms(9_000));
        assert_eq!(value(&held, 10_001), Err(NoData::NoCommand));
        held.renew(1, ScanTime::from_ms(9_000));
        assert_eq!(value(&held, 19_000), Ok(2_000.0));
        held.renew(1, ScanTime::from_ms(30_000));
        assert_eq!(value(&held, 30_000), Err(NoData::NoCommand), "a lease that ran out must be taken again");
    }

    #[test]
    fn a_second_master_waits_for_the_lease_unless_its_priority_is_higher() {
        let mut held = held(ValueKind::Real, (-5_000.0, 5_000.0));
        assert!(held.level(&level(1, 5), 2_000.0, ScanTime(0)));
        assert!(!held.level(&level(2, 5), -1.0, ScanTime::from_ms(1)), "an equal priority waits");
        assert!(held.level(&level(3, 6), 1_000.0, ScanTime::from_ms(2)), "a higher one does not");
        assert!(!held.level(&level(1, 5), 2_000.0, ScanTime::from_ms(3)));
        assert_eq!(value(&held, 3), Ok(1_000.0));
        assert!(held.release(3) && held.level(&level(1, 5), 3_000.0, ScanTime::from_ms(4)));
    }

    #[test]
    fn a_flag_or_code_is_set_to_one_of_its_states_and_nothing_between() {
        for kind in [ValueKind::Flag, ValueKind::Code] {
            let mut held = held(kind, (0.0, 3.0));
            assert!(!held.level(&level(1, 0), 0.7, ScanTime(0)));
            assert!(held.level(&level(1, 0), 1.0, ScanTime(0)));
        }
    }

    #[test]
    fn a_value_out_of_range_or_not_a_number_is_refused_whole() {
        let mut held = held(ValueKind::Real, (-5_000.0, 5_000.0));
        for bad in [5_000.1, -5_001.0, f64::NAN, f64::INFINITY] {
            assert!(!held.level(&level(1, 0), bad, ScanTime(0)), "{bad}");
        }
        assert_eq!(value(&held, 0), Err(NoData::NoCommand));
    }
}
