//! Choice outputs: booleans and enumerations. A ranked demand picks a value, limits are masks of allowed values that
//! always hold the safe one, and a demanded change waits until the output has rested for its dwell time.
//!
//! Going safe may have its turn: with [`SafeAfter`] the contactor opens once the current is low, or after so many ms.
//! While the site stops, that time begins when the real outputs have ramped out.
//! Inputs lost: an unknown current waits for the time, never for ever.

use super::output::{By, Cause, Drive};
use super::reading::{Reading, ScanTime};

/// Kind of an output that takes one of a list of values, the values being their index (0 to 31).
pub enum Choice {}

/// The order of safe values: leave the present value only when a point is near zero, or after a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SafeAfter {
    /// The point's place in the image.
    pub point: usize,
    /// The greatest age at which it is believed, ns.
    pub age_max_ns: u64,
    /// The point's magnitude must be below this, in the point's unit.
    pub below: f64,
    /// After this long it goes safe whatever the point says, ns.
    pub or_after_ns: u64,
}

/// What the site file says about a choice output.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChoiceRule {
    /// How many values there are (1 to 32).
    pub values: u8,
    /// The value that is always allowed.
    pub safe: u8,
    /// A demanded change waits until the last change is so long ago, ns. Limits and lost demands do not wait.
    pub dwell_ns: u64,
    /// Its turn in the order of safe values.
    pub safe_after: Option<SafeAfter>,
}

#[derive(Clone, Copy, Debug)]
struct Statement {
    by: By,
    rank: u8,
    demand: Option<u8>,
    mask: u32,
    limiter: bool,
}

/// One choice output and all that is said about it.
#[derive(Clone, Debug)]
pub struct ChoiceSlot {
    rule: ChoiceRule,
    statements: Vec<Statement>,
    value: u8,
    cause: Cause,
    changed: Option<ScanTime>,
    leaving_since: Option<ScanTime>,
}

impl ChoiceSlot {
    /// An output at its safe value.
    ///
    /// # Panics
    /// If there are no values, more than 32, or the safe one is not among them; the site's checker refuses this first.
    #[must_use]
    pub fn new(rule: ChoiceRule) -> Self {
        assert!(
            (1..=32).contains(&rule.values) && rule.safe < rule.values,
            "1 to 32 values, the safe one among them: {rule:?}"
        );
        Self {
            rule,
            statements: Vec::new(),
            value: rule.safe,
            cause: Cause::NoDemand,
            changed: None,
            leaving_since: None,
        }
    }

    /// The index of the value that went out in the last scan, and why.
    #[must_use]
    pub fn applied(&self) -> (u8, Cause) {
        (self.value, self.cause)
    }

    /// The rule it was made with.
    #[must_use]
    pub fn rule(&self) -> &ChoiceRule {
        &self.rule
    }

    pub(super) fn open(&mut self, by: By, rank: u8, limiter: bool) -> u16 {
        let mask = if limiter { self.safe_mask() } else { u32::MAX };
        self.statements.push(Statement { by, rank, demand: None, mask, limiter });
        u16::try_from(self.statements.len() - 1).expect("at most one statement a program and verb: below 65 536")
    }

    pub(super) fn demand(&mut self, statement: u16, value: Option<u8>) {
        self.statements[usize::from(statement)].demand = value.filter(|v| *v < self.rule.values);
    }

    pub(super) fn allow(&mut self, statement: u16, mask: u32) {
        self.statements[usize::from(statement)].mask = mask | self.safe_mask();
    }

    pub(super) fn forget(&mut self, statement: u16) {
        let safe = self.safe_mask();
        let s = &mut self.statements[usize::from(statement)];
        s.demand = None;
        if s.limiter {
            s.mask = safe;
        }
    }

    fn safe_mask(&self) -> u32 {
        1 << self.rule.safe
    }

    /// The value that goes out, and why. `ramping`: real outputs are still on their way to safe.
    pub(super) fn resolve(&mut self, now: ScanTime, drive: Drive, readings: &[Reading], ramping: bool) -> (u8, Cause) {
        let (wanted, cause) = self.wanted(drive, ramping);
        let leaving_since = self.leaving_since.take();
        let rests = self.changed.is_some_and(|at| now.since(at) < self.rule.dwell_ns);
        let (value, cause) = match cause {
            _ if wanted == self.value => (wanted, cause),
            Cause::Demand(by) if rests => match self.forbids(self.value) {
                None => (self.value, Cause::Dwell(by)),
                Some(limit) => self.leave(now, leaving_since, Cause::Limit(limit), readings),
            },
            _ if wanted == self.rule.safe => self.leave(now, leaving_since, cause, readings),
            _ => (wanted, cause),
        };
        if value != self.value {
            (self.changed, self.leaving_since) = (Some(now), None);
        }
        (self.value, self.cause) = (value, cause);
        (value, cause)
    }

    /// The demand of the highest rank if every limit allows it, else the safe value.
    fn wanted(&self, drive: Drive, ramping: bool) -> (u8, Cause) {
        let safe = self.rule.safe;
        match drive {
            Drive::Armed => {}
            // its turn has not come; what a limit forbids does not wait for that
            Drive::Stopping if ramping && self.rule.safe_after.is_some() && self.value != safe => {
                return self.forbids(self.value).map_or((self.value, Cause::Order), |by| (safe, Cause::Limit(by)));
            }
            Drive::Stopping => return (safe, Cause::Stopping),
            Drive::Held(cause) => return (safe, cause),
        }
        let demands = self.statements.iter().filter_map(|s| s.demand.map(|value| (s.rank, value, s.by)));
        let Some((_, want, by)) = demands.max_by_key(|(rank, ..)| *rank) else {
            return (safe, Cause::NoDemand);
        };
        self.forbids(want).map_or((want, Cause::Demand(by)), |limit| (safe, Cause::Limit(limit)))
    }

    /// Whose limit forbids a value.
    fn forbids(&self, value: u8) -> Option<By> {
        self.statements.iter().find(|s| s.mask & (1 << value) == 0).map(|s| s.by)
    }

    /// Goes safe when its turn has come. `since`: since when it is on its way.
    fn leave(&mut self, now: ScanTime, since: Option<ScanTime>, cause: Cause, readings: &[Reading]) -> (u8, Cause) {
        let Some(order) = self.rule.safe_after else {
            return (self.rule.safe, cause);
        };
        let since = *self.leaving_since.insert(since.unwrap_or(now));
        let reading = readings.get(order.point).map(|r| r.fresh(now, order.age_max_ns));
        let low = matches!(reading, Some(Ok(v)) if v.abs() < order.below);
        if low || now.since(since) >= order.or_after_ns { (self.rule.safe, cause) } else { (self.value, Cause::Order) }
    }
}

#[cfg(test)]
mod attack;

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn contactor() -> (ChoiceSlot, u16, u16) {
        let safe_after = Some(SafeAfter { point: 0, age_max_ns: 1_000 * MS, below: 100.0, or_after_ns: 500 * MS });
        let mut slot = ChoiceSlot::new(ChoiceRule { values: 2, safe: 0, dwell_ns: 2_000 * MS, safe_after });
        let (demand, limit) = (slot.open(By(0), 0, false), slot.open(By(1), 0, true));
        (slot, demand, limit)
    }

    fn power(w: f64, at_ms: u64) -> [Reading; 1] {
        [Reading::new(Ok(w), ScanTime::from_ms(at_ms))]
    }

    #[test]
    fn a_limiter_that_has_not_spoken_keeps_the_contactor_open() {
        let (mut slot, demand, _) = contactor();
        slot.demand(demand, Some(1));
        assert_eq!(slot.resolve(ScanTime(0), Drive::Armed, &power(0.0, 0), false), (0, Cause::Limit(By(1))));
    }

    #[test]
    fn the_contactor_opens_once_the_power_is_low_or_after_half_a_second() {
        let (mut slot, demand, limit) = contactor();
        slot.demand(demand, Some(1));
        slot.allow(limit, u32::MAX);
        assert_eq!(slot.resolve(ScanTime(0), Drive::Armed, &power(0.0, 0), false).0, 1);
        slot.allow(limit, 1);
        let (mut waits, mut drops) = (slot.clone(), slot);
        assert_eq!(waits.resolve(ScanTime::from_ms(10), Drive::Armed, &power(4_000.0, 10), false), (1, Cause::Order));
        assert_eq!(waits.resolve(ScanTime::from_ms(509), Drive::Armed, &power(4_000.0, 509), false), (1, Cause::Order));
        assert_eq!(
            waits.resolve(ScanTime::from_ms(510), Drive::Armed, &power(4_000.0, 510), false),
            (0, Cause::Limit(By(1)))
        );
        assert_eq!(drops.resolve(ScanTime::from_ms(10), Drive::Armed, &power(4_000.0, 10), false), (1, Cause::Order));
        assert_eq!(
            drops.resolve(ScanTime::from_ms(20), Drive::Armed, &power(-50.0, 20), false),
            (0, Cause::Limit(By(1)))
        );
    }

    #[test]
    fn an_unknown_power_waits_for_the_time_and_not_for_ever() {
        let (mut slot, demand, limit) = contactor();
        slot.demand(demand, Some(1));
        slot.allow(limit, u32::MAX);
        slot.resolve(ScanTime(0), Drive::Armed, &[Reading::NEVER], false);
        assert_eq!(
            slot.resolve(ScanTime(MS), Drive::Held(Cause::Tripped), &[Reading::NEVER], false),
            (1, Cause::Order)
        );
        assert_eq!(
            slot.resolve(ScanTime(501 * MS), Drive::Held(Cause::Tripped), &[Reading::NEVER], false),
            (0, Cause::Tripped)
        );
    }

    #[test]
    fn a_demanded_change_waits_for_the_dwell_time_and_a_limit_does_not() {
        let (mut slot, demand, limit) = contactor();
        slot.rule.safe_after = None;
        slot.allow(limit, u32::MAX);
        slot.demand(demand, Some(1));
        assert_eq!(slot.resolve(ScanTime(0), Drive::Armed, &[], false).0, 1);
        slot.demand(demand, Some(0));
        assert_eq!(slot.resolve(ScanTime(MS), Drive::Armed, &[], false), (1, Cause::Dwell(By(0))));
        slot.allow(limit, 0);
        slot.demand(demand, Some(1));
        assert_eq!(slot.resolve(ScanTime(2 * MS), Drive::Armed, &[], false), (0, Cause::Limit(By(1))));
        slot.allow(limit, u32::MAX);
        assert_eq!(slot.resolve(ScanTime(3 * MS), Drive::Armed, &[], false), (0, Cause::Dwell(By(0))));
        assert_eq!(slot.resolve(ScanTime(2_002 * MS), Drive::Armed, &[], false), (1, Cause::Demand(By(0))));
    }

    #[test]
    fn a_demanded_opening_has_its_turn_too_and_does_not_wait_for_ever() {
        let (mut slot, demand, limit) = contactor();
        slot.rule.dwell_ns = 0;
        slot.allow(limit, u32::MAX);
        slot.demand(demand, Some(1));
        slot.resolve(ScanTime(0), Drive::Armed, &power(0.0, 0), false);
        slot.demand(demand, Some(0));
        for ms in (10..510).step_by(10) {
            let out = slot.resolve(ScanTime::from_ms(ms), Drive::Armed, &power(4_000.0, ms), false);
            assert_eq!(out, (1, Cause::Order), "after {ms} ms");
        }
        let out = slot.resolve(ScanTime::from_ms(510), Drive::Armed, &power(4_000.0, 510), false);
        assert_eq!(out, (0, Cause::Demand(By(0))));
    }

    #[test]
    fn a_forbidden_value_does_not_rest_until_the_demand_may_change_it() {
        let (mut slot, demand, limit) = contactor();
        (slot.rule.values, slot.rule.safe_after) = (3, None);
        slot.allow(limit, u32::MAX);
        slot.demand(demand, Some(1));
        assert_eq!(slot.resolve(ScanTime(0), Drive::Armed, &[], false).0, 1);
        slot.allow(limit, 0b101);
        slot.demand(demand, Some(2));
        assert_eq!(slot.resolve(ScanTime(MS), Drive::Armed, &[], false), (0, Cause::Limit(By(1))));
        assert_eq!(slot.resolve(ScanTime(2 * MS), Drive::Armed, &[], false), (0, Cause::Dwell(By(0))));
        assert_eq!(slot.resolve(ScanTime(2_001 * MS), Drive::Armed, &[], false), (2, Cause::Demand(By(0))));
    }

    #[test]
    fn a_stopping_site_opens_the_contactor_after_the_power_has_ramped_out() {
        let (mut slot, demand, limit) = contactor();
        slot.allow(limit, u32::MAX);
        slot.demand(demand, Some(1));
        slot.resolve(ScanTime(0), Drive::Armed, &power(0.0, 0), false);
        let stop = |slot: &mut ChoiceSlot, ms: u64, ramping: bool| {
            slot.resolve(ScanTime::from_ms(ms), Drive::Stopping, &power(4_000.0, ms), ramping)
        };
        assert_eq!(stop(&mut slot, 10, true), (1, Cause::Order));
        assert_eq!(
            stop(&mut slot, 2_000, true),
            (1, Cause::Order),
            "it does not open under load while power ramps out"
        );
        assert_eq!(stop(&mut slot, 2_010, false), (1, Cause::Order), "the device may follow a little later");
        assert_eq!(stop(&mut slot, 2_510, false), (0, Cause::Stopping));
    }

    #[test]
    fn a_limit_does_not_wait_for_a_stopping_site_to_ramp_out() {
        let (mut slot, demand, limit) = contactor();
        slot.allow(limit, u32::MAX);
        slot.demand(demand, Some(1));
        slot.resolve(ScanTime(0), Drive::Armed, &power(0.0, 0), false);
        slot.allow(limit, 0);
        slot.resolve(ScanTime(0), Drive::Stopping, &power(4_000.0, 0), true);
        let out = slot.resolve(ScanTime::from_ms(500), Drive::Stopping, &power(4_000.0, 500), true);
        assert_eq!(out, (0, Cause::Limit(By(1))));
    }

    #[test]
    fn only_a_fresh_and_small_reading_lets_the_contactor_open() {
        let (mut slot, demand, limit) = contactor();
        slot.demand(demand, Some(1));
        slot.allow(limit, u32::MAX);
        slot.resolve(ScanTime(0), Drive::Armed, &power(0.0, 0), false);
        slot.allow(limit, 0);
        let out = |watts: f64, taken_ms: u64| {
            slot.clone().resolve(ScanTime::from_ms(2_000), Drive::Armed, &power(watts, taken_ms), false)
        };
        assert_eq!(out(0.0, 999), (1, Cause::Order), "that was 1 001 ms ago");
        assert_eq!(out(-4_000.0, 2_000), (1, Cause::Order), "charging is no less than discharging");
        assert_eq!(out(100.0, 2_000), (1, Cause::Order));
        assert_eq!(out(-99.0, 1_000), (0, Cause::Limit(By(1))));
    }

    #[test]
    fn the_safe_value_is_always_allowed() {
        let (mut slot, demand, limit) = contactor();
        slot.allow(limit, 0);
        slot.demand(demand, Some(0));
        assert_eq!(slot.resolve(ScanTime(0), Drive::Armed, &[], false), (0, Cause::Demand(By(0))));
    }

    #[test]
    fn a_value_that_does_not_exist_is_no_demand() {
        let (mut slot, demand, limit) = contactor();
        slot.allow(limit, u32::MAX);
        slot.demand(demand, Some(7));
        assert_eq!(slot.resolve(ScanTime(0), Drive::Armed, &[], false), (0, Cause::NoDemand));
    }
}
