//! The wear budget of a register in flash memory: so many writes a day, and a few kept back for going safe.
//!
//! A token bucket: it holds at most a day's writes, fills evenly over the day, and every write takes one. The last
//! tenth (at least one) is kept for safe values, so that a program that asks too often cannot use up the write that
//! ends it.

use flyball_io_map::image::ScanTime;

const DAY_NS: u64 = 86_400_000_000_000;

/// One register's budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wear {
    per_day: u64,
    /// Time saved up, ns: a write costs `DAY_NS / per_day` of it.
    saved_ns: u64,
    at: ScanTime,
}

impl Wear {
    /// A full budget of so many writes a day. 0 allows none at all.
    pub(super) fn new(per_day: u32, now: ScanTime) -> Self {
        Self { per_day: u64::from(per_day), saved_ns: DAY_NS, at: now }
    }

    /// The device refused the write, so that nothing was worn.
    pub(super) fn give_back(&mut self) {
        let cost_ns = DAY_NS.checked_div(self.per_day).unwrap_or(0);
        self.saved_ns = self.saved_ns.saturating_add(cost_ns).min(DAY_NS);
    }

    /// Takes one write if it is there. `safe`: it writes a safe value.
    pub(super) fn take(&mut self, now: ScanTime, safe: bool) -> bool {
        let Some(cost_ns) = DAY_NS.checked_div(self.per_day) else {
            return false;
        };
        self.saved_ns = self.saved_ns.saturating_add(now.since(self.at)).min(DAY_NS);
        self.at = if now > self.at { now } else { self.at };
        let reserve = if safe { 0 } else { (self.per_day / 10).max(1) * cost_ns };
        let enough = self.saved_ns >= cost_ns + reserve;
        if enough {
            self.saved_ns -= cost_ns;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(wear: &mut Wear, now_ms: u64, safe: bool) -> usize {
        (0..1_000).filter(|_| wear.take(ScanTime::from_ms(now_ms), safe)).count()
    }

    #[test]
    fn a_day_has_its_writes_and_a_tenth_is_kept_for_going_safe() {
        let mut wear = Wear::new(100, ScanTime(0));
        assert_eq!(taken(&mut wear, 0, false), 90);
        assert_eq!(taken(&mut wear, 0, true), 10);
        assert_eq!(taken(&mut wear, 0, true), 0);
    }

    #[test]
    fn it_fills_evenly_over_the_day_and_no_further() {
        let mut wear = Wear::new(24, ScanTime(0));
        assert_eq!(taken(&mut wear, 0, true), 24);
        assert_eq!(taken(&mut wear, 3_600_000 - 1, true), 0);
        assert_eq!(taken(&mut wear, 3_600_000, true), 1);
        assert_eq!(taken(&mut wear, 10 * 86_400_000, true), 24);
    }

    #[test]
    fn a_refused_write_is_given_back_and_a_full_budget_stays_full() {
        let mut wear = Wear::new(2, ScanTime(0));
        wear.give_back();
        assert_eq!(taken(&mut wear, 0, true), 2);
        wear.give_back();
        assert_eq!(taken(&mut wear, 0, true), 1);
    }

    #[test]
    fn no_writes_a_day_are_none_at_all_and_one_is_for_going_safe() {
        assert_eq!(taken(&mut Wear::new(0, ScanTime(0)), 0, true), 0);
        assert_eq!(taken(&mut Wear::new(1, ScanTime(0)), 0, false), 0);
        assert_eq!(taken(&mut Wear::new(1, ScanTime(0)), 0, true), 1);
    }
}
