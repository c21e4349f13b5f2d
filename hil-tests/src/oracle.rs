//! The oracle of a simulation: it knows what is really so and what went out, and never asks the controller.
//!
//! Each invariant is a condition that may not hold for longer than its grace time; one that does is a violation, counted
//! once until it has ended. The grace covers what the site's arithmetic allows: a poll, a scan, a write, and the ramp.

use crate::plant::truth::Truth;
use std::fmt;

/// What may never be so for long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invariant {
    /// The set-point lies outside what the BMS allows at this moment.
    BeyondBmsLimits,
    /// The emergency stop is pressed and power flows.
    PowerWhileStopped,
    /// The battery's own protection had to act.
    BatteryTripped,
    /// The inverter's own protection had to act.
    InverterTripped,
    /// The contactor was opened under load.
    OpenedUnderLoad,
    /// The state of charge left the envelope of 2 % to 98 %.
    SocEnvelope,
    /// An output is not a number.
    NotANumber,
}

const ALL: [(Invariant, f64); 7] = [
    (Invariant::BeyondBmsLimits, 1.5),
    (Invariant::PowerWhileStopped, 1.5),
    (Invariant::BatteryTripped, 0.0),
    (Invariant::InverterTripped, 0.0),
    (Invariant::OpenedUnderLoad, 0.0),
    (Invariant::SocEnvelope, 0.0),
    (Invariant::NotANumber, 0.0),
];

/// One invariant that was broken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// Plant time at which its grace ran out, s.
    pub at_s: f64,
    /// What the set-point was, W.
    pub commanded_w: f64,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {:.2} s: {:?} with a set-point of {:.0} W", self.at_s, self.invariant, self.commanded_w)
    }
}

/// At most so many violations are kept; more are counted.
pub const KEPT: usize = 100;

/// Watches a plant and its one set-point.
#[derive(Clone, Debug, Default)]
pub struct Oracle {
    since_s: [Option<f64>; ALL.len()],
    counted: [bool; ALL.len()],
    events: [u32; 3],
    kept: Vec<Violation>,
    count: u64,
}

/// Set-points may exceed a limit by so much without being wrong: rounding of registers, and 2 %.
const SLACK_W: f64 = 50.0;

impl Oracle {
    /// Looks at the plant as it is now, and at the set-point that is in force, W.
    pub fn look(&mut self, truth: &Truth, commanded_w: f64) {
        let events = [truth.battery_trips, truth.inverter_faults, truth.contactor_wear];
        let new = std::array::from_fn::<bool, 3, _>(|i| events[i] > self.events[i]);
        self.events = events;
        for (i, (invariant, grace_s)) in ALL.into_iter().enumerate() {
            let broken = match invariant {
                Invariant::BeyondBmsLimits => {
                    let (low, high) = (-truth.charge_w_max * 1.02 - SLACK_W, truth.discharge_w_max * 1.02 + SLACK_W);
                    !(low..=high).contains(&commanded_w)
                }
                Invariant::PowerWhileStopped => !truth.estop_healthy && truth.inverter_w.abs() > 100.0,
                Invariant::BatteryTripped => new[0],
                Invariant::InverterTripped => new[1],
                Invariant::OpenedUnderLoad => new[2],
                Invariant::SocEnvelope => !(0.02..=0.98).contains(&truth.soc),
                Invariant::NotANumber => !commanded_w.is_finite(),
            };
            self.judge(i, broken, grace_s, truth.time_s, commanded_w);
        }
    }

    /// How often an invariant was broken.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The first [`KEPT`] violations.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.kept
    }

    fn judge(&mut self, i: usize, broken: bool, grace_s: f64, now_s: f64, commanded_w: f64) {
        if !broken {
            (self.since_s[i], self.counted[i]) = (None, false);
            return;
        }
        let since_s = *self.since_s[i].get_or_insert(now_s);
        if self.counted[i] || now_s - since_s < grace_s {
            return;
        }
        self.counted[i] = true;
        self.count += 1;
        if self.kept.len() < KEPT {
            self.kept.push(Violation { invariant: ALL[i].0, at_s: now_s, commanded_w });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cabin::CabinWorld;

    fn truth(time_s: f64) -> Truth {
        Truth { time_s, ..CabinWorld::new(1).truth() }
    }

    #[test]
    fn a_healthy_plant_at_rest_breaks_nothing() {
        let mut oracle = Oracle::default();
        (0..100).for_each(|i| oracle.look(&truth(f64::from(i)), 0.0));
        assert_eq!(oracle.count(), 0, "{:?}", oracle.violations());
    }

    #[test]
    fn a_set_point_beyond_the_bms_limits_counts_once_after_its_grace() {
        let mut oracle = Oracle::default();
        let far = truth(0.0).discharge_w_max * 2.0 + 1_000.0;
        oracle.look(&truth(0.0), far);
        oracle.look(&truth(1.4), far);
        assert_eq!(oracle.count(), 0, "within its grace");
        oracle.look(&truth(1.5), far);
        oracle.look(&truth(9.0), far);
        assert_eq!(oracle.count(), 1);
        oracle.look(&truth(10.0), 0.0);
        oracle.look(&truth(11.0), far);
        oracle.look(&truth(13.0), far);
        assert_eq!(oracle.count(), 2);
    }

    #[test]
    fn what_protections_had_to_do_counts_at_once() {
        let mut oracle = Oracle::default();
        oracle.look(&Truth { battery_trips: 1, ..truth(0.0) }, 0.0);
        oracle.look(&Truth { battery_trips: 1, contactor_wear: 1, ..truth(1.0) }, 0.0);
        let kinds: Vec<Invariant> = oracle.violations().iter().map(|v| v.invariant).collect();
        assert_eq!(kinds, [Invariant::BatteryTripped, Invariant::OpenedUnderLoad]);
    }

    #[test]
    fn power_that_flows_while_stopped_is_seen() {
        let mut oracle = Oracle::default();
        let stopped = |time_s| Truth { estop_healthy: false, inverter_w: 900.0, ..truth(time_s) };
        oracle.look(&stopped(0.0), 0.0);
        oracle.look(&stopped(2.0), 0.0);
        assert_eq!(oracle.violations()[0].invariant, Invariant::PowerWhileStopped);
    }
}
