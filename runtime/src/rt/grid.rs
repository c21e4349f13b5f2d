//! The tick grid: when scans are due. Pure arithmetic: the time is an argument.
//!
//! Tick `t` is due at `origin + t × period`, always: a deadline is never made from a wake-up time, so nothing drifts.
//! One tick is at most one scan, and ticks only go up, so nothing bursts. What was missed is skipped and counted:
//!
//! - **a scan took too long**: the next one waits for the next grid point ([`Grid::next_after`]), even if the one before
//!   has only just passed. Scans that always take longer than a period then leave the rest of the CPU some room.
//! - **the wake-up came a period late or more**: the scan runs at once, for the newest grid point that has passed
//!   ([`Grid::after_waking`]). Waiting once more would let a machine that always wakes late never scan at all.
//!
//! So a scan runs at most once per wake-up, and less than a period after its grid point.
//!
//! Units: ns of the clock that the caller waits on. The end of u64 (584 years) saturates, it does not panic.

use std::num::NonZeroU64;

/// A grid of ticks, and which of them is the first that has not been given out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grid {
    origin_ns: u64,
    period_ns: NonZeroU64,
    next: u64,
}

/// A tick that is to be scanned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The tick, from 0 up. Scan time is tick × period.
    pub tick: u64,
    /// How many ticks were passed over between the scan before and this one.
    pub skipped: u64,
    /// When it is due, in ns.
    pub deadline_ns: u64,
}

impl Grid {
    /// A grid whose tick 0 is due at `origin_ns`.
    #[must_use]
    pub fn new(origin_ns: u64, period_ns: NonZeroU64) -> Self {
        Self { origin_ns, period_ns, next: 0 }
    }

    /// The period in ns.
    #[must_use]
    pub fn period_ns(&self) -> NonZeroU64 {
        self.period_ns
    }

    /// When `tick` is due, in ns.
    #[must_use]
    pub fn deadline_ns(&self, tick: u64) -> u64 {
        self.origin_ns.saturating_add(tick.saturating_mul(self.period_ns.get()))
    }

    /// Before the first scan: ticks that were due before `now_ns` belong to nobody, and do not count as passed over.
    pub fn begin(&mut self, now_ns: u64) {
        self.next = now_ns.saturating_sub(self.origin_ns).div_ceil(self.period_ns.get());
    }

    /// Gives out the first tick that was not given out yet and is due at `now_ns` or later.
    pub fn next_after(&mut self, now_ns: u64) -> Slot {
        let reachable = now_ns.saturating_sub(self.origin_ns).div_ceil(self.period_ns.get());
        let tick = self.next.max(reachable);
        self.give_out(tick, tick - self.next)
    }

    /// Corrects a slot that [`next_after`](Grid::next_after) gave out last, once the wait for it has ended at `woke_ns`:
    /// late by a period or more, its tick moves on to the newest one that is due.
    pub fn after_waking(&mut self, slot: Slot, woke_ns: u64) -> Slot {
        let passed = woke_ns.saturating_sub(slot.deadline_ns) / self.period_ns;
        self.give_out(slot.tick.saturating_add(passed), slot.skipped.saturating_add(passed))
    }

    fn give_out(&mut self, tick: u64, skipped: u64) -> Slot {
        self.next = tick.saturating_add(1);
        Slot { tick, skipped, deadline_ns: self.deadline_ns(tick) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_was_due_before_the_first_scan_was_not_skipped() {
        let mut grid = Grid::new(20 * MS, NonZeroU64::new(10 * MS).unwrap());
        grid.begin(55 * MS);
        let first = grid.next_after(56 * MS);
        assert_eq!((first.tick, first.skipped), (4, 0));
    }

    const MS: u64 = 1_000_000;

    fn grid(origin_ns: u64, period_ns: u64) -> Grid {
        Grid::new(origin_ns, NonZeroU64::new(period_ns).unwrap())
    }

    fn due(slot: Slot) -> (u64, u64) {
        (slot.tick, slot.skipped)
    }

    #[test]
    fn scans_in_time_skip_nothing() {
        let mut grid = grid(1_000, 10);
        for tick in 0..5 {
            let slot = grid.next_after(1_000 + 10 * tick - 3);
            assert_eq!(slot, Slot { tick, skipped: 0, deadline_ns: 1_000 + 10 * tick });
        }
    }

    #[test]
    fn before_the_origin_tick_0_is_next() {
        assert_eq!(grid(1_000, 10).next_after(0), Slot { tick: 0, skipped: 0, deadline_ns: 1_000 });
    }

    #[test]
    fn a_tick_that_is_due_this_very_ns_is_not_skipped_and_one_that_was_due_a_ns_ago_is() {
        let mut on_time = grid(0, 10);
        on_time.next_after(0);
        assert_eq!(due(on_time.clone().next_after(10)), (1, 0));
        assert_eq!(due(on_time.next_after(11)), (2, 1));
    }

    #[test]
    fn an_early_clock_never_gives_a_tick_twice() {
        let mut grid = grid(0, 10);
        assert_eq!(due(grid.next_after(40)), (4, 4));
        assert_eq!(due(grid.next_after(0)), (5, 0));
        assert_eq!(due(grid.next_after(0)), (6, 0));
    }

    #[test]
    fn a_wake_up_late_by_less_than_a_period_keeps_its_tick() {
        let mut grid = grid(0, 10);
        grid.next_after(0);
        let slot = grid.next_after(5);
        assert_eq!(grid.after_waking(slot, 19), slot);
        assert_eq!(due(grid.next_after(19)), (2, 0));
    }

    #[test]
    fn a_wake_up_late_by_a_period_moves_on_to_the_newest_tick() {
        let mut grid = grid(0, 10);
        grid.next_after(0);
        let slot = grid.next_after(5);
        assert_eq!(grid.after_waking(slot, 20), Slot { tick: 2, skipped: 1, deadline_ns: 20 });
        let slot = grid.next_after(21);
        assert_eq!(grid.after_waking(slot, 69), Slot { tick: 6, skipped: 3, deadline_ns: 60 });
    }

    #[test]
    fn hours_of_standstill_are_skipped_in_one_go() {
        let mut grid = grid(7, 10 * MS);
        grid.next_after(0);
        let hours_ns = 5 * 3_600 * 1_000 * MS;
        let slot = grid.next_after(7 + hours_ns + 1);
        assert_eq!(due(slot), (5 * 360_000 + 1, 5 * 360_000));
        assert_eq!(due(grid.next_after(slot.deadline_ns)), (slot.tick + 1, 0));
    }

    #[test]
    fn the_end_of_the_clock_saturates_and_does_not_panic() {
        let mut grid = grid(u64::MAX - 5, 10);
        assert_eq!(grid.next_after(u64::MAX).deadline_ns, u64::MAX);
        assert_eq!(grid.next_after(u64::MAX).deadline_ns, u64::MAX);
        let mut finest = self::grid(0, 1);
        let last = finest.next_after(u64::MAX);
        assert_eq!(last.tick, u64::MAX);
        assert_eq!(finest.after_waking(last, u64::MAX).tick, u64::MAX);
        assert_eq!(finest.next_after(u64::MAX).tick, u64::MAX);
    }

    proptest! {
        /// Whatever wakes late and however long scans take.
        #[test]
        fn ticks_go_up_by_one_plus_what_was_skipped_and_deadlines_lie_on_the_grid(
            origin_ns in 0..1u64 << 62,
            period_ns in 1..10_000 * MS,
            start_before_ns in 0..100 * MS,
            turns in prop::collection::vec((0..50 * MS, 0..50 * MS), 1..200),
        ) {
            let mut grid = grid(origin_ns, period_ns);
            let mut now_ns = origin_ns.saturating_sub(start_before_ns);
            let mut ticks_accounted_for = 0;
            let mut last_tick = None;
            for (oversleep_ns, scan_ns) in turns {
                let planned = grid.next_after(now_ns);
                prop_assert!(planned.deadline_ns >= now_ns, "it is never waited for the past");
                let is_first_reachable = planned.tick == 0
                    || Some(planned.tick - 1) == last_tick
                    || grid.deadline_ns(planned.tick - 1) < now_ns;
                prop_assert!(is_first_reachable, "no tick is skipped that could be reached");
                now_ns = planned.deadline_ns + oversleep_ns;
                let slot = grid.after_waking(planned, now_ns);

                prop_assert!(last_tick.is_none_or(|last| slot.tick > last));
                prop_assert_eq!(slot.deadline_ns, origin_ns + slot.tick * period_ns);
                ticks_accounted_for += slot.skipped + 1;
                prop_assert_eq!(slot.tick + 1, ticks_accounted_for, "each tick was scanned or counted");
                prop_assert!(now_ns - slot.deadline_ns < period_ns, "a scan runs inside its own period");

                last_tick = Some(slot.tick);
                now_ns += scan_ns;
            }
        }
    }
}
