//! The loop of the scan thread: wait for a grid point, scan, count, and again.
//!
//! **Reads** the clock (twice per scan). **Demands** nothing of its own: what a scan does is the [`Cycle`]'s matter.
//! **When the cycle panics** as a whole (a panic of a single program is caught further in), the loop ends and hands the
//! cycle over to [`Cycle::panicked`], once, so that a safe state can be driven in its order.
//!
//! Between two waits the loop itself allocates nothing, takes no lock and makes no system call.

use super::grid::Grid;
use super::histogram::Histogram;
use crate::clock::Clock;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Whether the loop goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Wait for the next grid point.
    GoOn,
    /// End the loop.
    Stop,
}

/// What is done at each grid point.
pub trait Cycle {
    /// One scan. `tick` is the grid point, `skipped` how many were passed over since the last scan, `late_ns` how long
    /// after the grid point the scan starts (less than a period): a measure for diagnosis, which must not change what
    /// the scan computes.
    fn scan(&mut self, tick: u64, skipped: u64, late_ns: u64) -> Next;

    /// The scan panicked and will not be called again. Drive what must be driven to its safe state, in its order; do not
    /// trust what the panicking scan was in the middle of changing.
    fn panicked(&mut self);
}

/// How the loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The cycle said [`Next::Stop`].
    Stopped,
    /// The cycle panicked; [`Cycle::panicked`] has run.
    Panicked,
    /// The cycle panicked, and so did [`Cycle::panicked`]: only the devices' own watchdogs are left.
    PanickedAgain,
}

/// What the loop counts. Written by the loop, read by anybody; counts that are read together may be a scan apart.
#[derive(Debug, Default)]
pub struct RunStats {
    scans: AtomicU64,
    skipped: AtomicU64,
    last_skip_tick: AtomicU64,
    panicked: AtomicBool,
    last_scan_ns: AtomicU64,
    /// How long after its grid point the thread woke up, ns.
    pub lateness: Histogram,
    /// How long the scan took, ns.
    pub scan_time: Histogram,
}

impl RunStats {
    /// Scans that have been started.
    #[must_use]
    pub fn scans(&self) -> u64 {
        self.scans.load(Ordering::Relaxed)
    }

    /// Grid points that were passed over.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped.load(Ordering::Relaxed)
    }

    /// The tick of the last scan that came after skipped grid points; 0 if none were skipped.
    #[must_use]
    pub fn last_skip_tick(&self) -> u64 {
        self.last_skip_tick.load(Ordering::Relaxed)
    }

    /// How long the last scan took, ns; 0 before the first has ended.
    #[must_use]
    pub fn last_scan_ns(&self) -> u64 {
        self.last_scan_ns.load(Ordering::Relaxed)
    }

    /// Whether the cycle has panicked.
    #[must_use]
    pub fn panicked(&self) -> bool {
        self.panicked.load(Ordering::Relaxed)
    }

    fn count_scan(&self, tick: u64, skipped: u64) {
        add(&self.scans, 1);
        if skipped > 0 {
            add(&self.skipped, skipped);
            self.last_skip_tick.store(tick, Ordering::Relaxed);
        }
    }
}

/// The loop is the only writer, so a load and a store lose nothing.
fn add(counter: &AtomicU64, by: u64) {
    counter.store(counter.load(Ordering::Relaxed).saturating_add(by), Ordering::Relaxed);
}

/// Runs `cycle` on `grid` until it stops or panics. `grid` and `clock` count the same ns.
pub fn run<C: Cycle>(clock: &impl Clock, grid: Grid, cycle: &mut C, stats: &RunStats) -> Ended {
    // Unwind safety: after a panic the cycle is only given to `panicked`, which knows what it may find.
    let Err(payload) = catch_unwind(AssertUnwindSafe(|| turn(clock, grid, cycle, stats))) else {
        return Ended::Stopped;
    };
    // Dropping a payload runs code of whoever panicked. It is leaked instead: this happens once in a process.
    std::mem::forget(payload);
    stats.panicked.store(true, Ordering::Relaxed);
    match catch_unwind(AssertUnwindSafe(|| cycle.panicked())) {
        Ok(()) => Ended::Panicked,
        Err(payload) => {
            std::mem::forget(payload);
            Ended::PanickedAgain
        }
    }
}

fn turn<C: Cycle>(clock: &impl Clock, mut grid: Grid, cycle: &mut C, stats: &RunStats) {
    let mut now_ns = clock.now_ns();
    grid.begin(now_ns);
    loop {
        let planned = grid.next_after(now_ns);
        clock.wait_until_ns(planned.deadline_ns);
        let woke_ns = clock.now_ns();
        let slot = grid.after_waking(planned, woke_ns);
        stats.lateness.record(woke_ns.saturating_sub(planned.deadline_ns), slot.tick);
        stats.count_scan(slot.tick, slot.skipped);
        let next = cycle.scan(slot.tick, slot.skipped, woke_ns.saturating_sub(slot.deadline_ns));
        now_ns = clock.now_ns();
        let scan_ns = now_ns.saturating_sub(woke_ns);
        stats.last_scan_ns.store(scan_ns, Ordering::Relaxed);
        stats.scan_time.record(scan_ns, slot.tick);
        if next == Next::Stop {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::VirtualClock;
    use std::num::NonZeroU64;

    const MS: u64 = 1_000_000;
    const PERIOD_NS: u64 = 10 * MS;

    /// A cycle that takes and oversleeps what a script says, and stops or panics at its end.
    struct Scripted {
        clock: VirtualClock,
        /// Scan time and the oversleeping that follows it, ms.
        script: Vec<(u64, u64)>,
        panics_at_end: bool,
        panics_again: bool,
        scans: Vec<(u64, u64, u64)>,
        handed_over: u32,
    }

    impl Scripted {
        fn new(script: &[(u64, u64)]) -> Self {
            let clock = VirtualClock::starting_at_ns(3 * MS);
            let script = script.to_vec();
            Self { clock, script, panics_at_end: false, panics_again: false, scans: Vec::new(), handed_over: 0 }
        }

        fn run(&mut self) -> (Ended, RunStats) {
            let grid = Grid::new(20 * MS, NonZeroU64::new(PERIOD_NS).unwrap());
            let stats = RunStats::default();
            let ended = run(&self.clock.clone(), grid, self, &stats);
            (ended, stats)
        }

        /// Tick, skipped, late in ms.
        fn scans_ms(&self) -> Vec<(u64, u64, u64)> {
            self.scans.iter().map(|(tick, skipped, late_ns)| (*tick, *skipped, late_ns / MS)).collect()
        }
    }

    impl Cycle for Scripted {
        fn scan(&mut self, tick: u64, skipped: u64, late_ns: u64) -> Next {
            let (takes_ms, oversleeps_ms) = self.script[self.scans.len()];
            self.scans.push((tick, skipped, late_ns));
            self.clock.advance_ns(takes_ms * MS);
            self.clock.oversleep_once_ns(oversleeps_ms * MS);
            let at_end = self.scans.len() == self.script.len();
            assert!(!(at_end && self.panics_at_end), "the scan panics");
            if at_end { Next::Stop } else { Next::GoOn }
        }

        fn panicked(&mut self) {
            self.handed_over += 1;
            assert!(!self.panics_again, "the safe state panics too");
        }
    }

    #[test]
    fn scans_that_fit_run_at_every_grid_point() {
        let mut cycle = Scripted::new(&[(4, 0), (9, 1), (0, 0)]);
        let (ended, stats) = cycle.run();
        assert_eq!(ended, Ended::Stopped);
        assert_eq!(cycle.scans_ms(), [(0, 0, 0), (1, 0, 0), (2, 0, 1)]);
        assert_eq!((stats.scans(), stats.skipped(), stats.last_skip_tick(), stats.panicked()), (3, 0, 0, false));
    }

    #[test]
    fn a_scan_that_takes_too_long_costs_the_grid_points_it_covers_and_none_is_made_up() {
        let mut cycle = Scripted::new(&[(1, 0), (25, 0), (1, 0), (1, 0)]);
        let (_, stats) = cycle.run();
        assert_eq!(cycle.scans_ms(), [(0, 0, 0), (1, 0, 0), (4, 2, 0), (5, 0, 0)]);
        assert_eq!((stats.scans(), stats.skipped(), stats.last_skip_tick()), (4, 2, 4));
        let scan_time = stats.scan_time.counts();
        assert_eq!((scan_time.total(), scan_time.worst_ns, scan_time.worst_tick), (4, 25 * MS, 1));
    }

    #[test]
    fn a_late_wake_up_scans_at_once_for_the_newest_grid_point() {
        let mut cycle = Scripted::new(&[(1, 34), (1, 0), (1, 0)]);
        let (_, stats) = cycle.run();
        assert_eq!(cycle.scans_ms(), [(0, 0, 0), (4, 3, 4), (5, 0, 0)]);
        let lateness = stats.lateness.counts();
        assert_eq!((lateness.total(), lateness.worst_ns, lateness.worst_tick), (3, 34 * MS, 4));
    }

    #[test]
    fn a_machine_that_always_wakes_late_still_scans() {
        let mut cycle = Scripted::new(&[(1, 15); 5]);
        let (_, stats) = cycle.run();
        assert_eq!(stats.scans(), 5);
        assert_eq!(stats.skipped(), 4);
    }

    #[test]
    fn skipped_and_scanned_ticks_add_up_to_the_last_tick() {
        let mut cycle = Scripted::new(&[(1, 0), (12, 23), (40, 0), (0, 9), (9, 10), (10, 0), (11, 0)]);
        let (_, stats) = cycle.run();
        let last_tick = cycle.scans.last().unwrap().0;
        assert_eq!(stats.scans() + stats.skipped(), last_tick + 1);
    }

    #[test]
    fn a_panic_hands_the_cycle_over_exactly_once_and_ends_the_loop() {
        let mut cycle = Scripted::new(&[(1, 0), (1, 0)]);
        cycle.panics_at_end = true;
        let (ended, stats) = cycle.run();
        assert_eq!((ended, cycle.handed_over, cycle.scans.len()), (Ended::Panicked, 1, 2));
        assert!(stats.panicked());
        assert_eq!(stats.scans(), 2);
    }

    #[test]
    fn a_stop_does_not_hand_the_cycle_over() {
        let mut cycle = Scripted::new(&[(1, 0)]);
        assert_eq!(cycle.run().0, Ended::Stopped);
        assert_eq!(cycle.handed_over, 0);
    }

    #[test]
    fn a_panic_while_driving_the_safe_state_is_reported_and_not_repeated() {
        let mut cycle = Scripted::new(&[(1, 0)]);
        (cycle.panics_at_end, cycle.panics_again) = (true, true);
        assert_eq!(cycle.run().0, Ended::PanickedAgain);
        assert_eq!(cycle.handed_over, 1);
    }
}
