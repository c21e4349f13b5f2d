//! When a block is to be read: on an absolute grid of its own, so that nothing drifts, and once after a pause of any
//! length, so that nothing bursts.

use flyball_io_map::image::ScanTime;

/// One block's grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Schedule {
    period_ns: u64,
    next: ScanTime,
}

impl Schedule {
    /// Due at `first`, and then every `period_ns` (above 0).
    pub(super) fn new(first: ScanTime, period_ns: u64) -> Self {
        Self { period_ns: period_ns.max(1), next: first }
    }

    /// The time between two reads, ns.
    pub(super) fn period_ns(&self) -> u64 {
        self.period_ns
    }

    /// When it is due.
    pub(super) fn due(&self) -> ScanTime {
        self.next
    }

    /// It is done at `now`: the next time is the first one of the grid behind `now`.
    pub(super) fn done(&mut self, now: ScanTime) {
        if now >= self.next {
            let passed = now.since(self.next) / self.period_ns + 1;
            self.next = ScanTime(self.next.0.saturating_add(passed.saturating_mul(self.period_ns)));
        }
    }

    /// Not before `at`. The grid stays where it is after that.
    pub(super) fn not_before(&mut self, at: ScanTime) {
        if at > self.next {
            let passed = at.since(self.next).div_ceil(self.period_ns);
            self.next = ScanTime(self.next.0.saturating_add(passed.saturating_mul(self.period_ns)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn late_answers_do_not_make_it_drift() {
        let mut schedule = Schedule::new(ScanTime::from_ms(5), 100 * MS);
        for n in 0..1_000 {
            assert_eq!(schedule.due(), ScanTime::from_ms(5 + 100 * n));
            schedule.done(ScanTime::from_ms(5 + 100 * n + n % 100));
        }
    }

    #[test]
    fn a_pause_is_followed_by_one_read_and_not_by_a_burst() {
        let mut schedule = Schedule::new(ScanTime::from_ms(0), 100 * MS);
        schedule.done(ScanTime::from_ms(12_345));
        assert_eq!(schedule.due(), ScanTime::from_ms(12_400));
    }

    #[test]
    fn done_before_its_time_changes_nothing() {
        let mut schedule = Schedule::new(ScanTime::from_ms(100), 100 * MS);
        schedule.done(ScanTime::from_ms(50));
        assert_eq!(schedule.due(), ScanTime::from_ms(100));
    }

    proptest! {
        #[test]
        fn it_is_always_on_the_grid_and_behind_now(first in 0u64..1 << 40, period in 1u64..1 << 36, steps in prop::collection::vec(0u64..1 << 38, 1..50), wait: bool) {
            let mut schedule = Schedule::new(ScanTime(first), period);
            let mut now = ScanTime(0);
            for step in steps {
                now = ScanTime(now.0 + step);
                let before = schedule.due();
                if wait { schedule.not_before(now) } else { schedule.done(now) }
                prop_assert_eq!((schedule.due().0 - first) % period, 0);
                prop_assert!(schedule.due() >= before);
                let behind = if wait { schedule.due() >= now } else { schedule.due() > now };
                prop_assert!(behind);
                prop_assert!(schedule.due() == before || schedule.due().0 <= now.0 + period);
            }
        }
    }
}
