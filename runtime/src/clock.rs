//! The only place of the runtime that reads a clock or waits for one.
//!
//! Two clocks, never mixed up:
//!
//! - **CLOCK_MONOTONIC** in ns since boot: the scan's grid, ages, time-outs. It never steps. It stands still while the
//!   machine is suspended, so a controller must not be suspended (mask the sleep targets of the system).
//! - **the wall clock** in ns since 1970 UTC, with a [`WallTrust`]: a stamp for people and servers, an input for
//!   time-of-day programs, never a timer. A machine without a battery-backed clock boots in some past year.
//!
//! Reading either is no system call on the usual hardware (the kernel maps it into the process).

use nix::errno::Errno;
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, ClockNanosleepFlags, clock_gettime, clock_nanosleep};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// A clock the scan can run on: the real one, or a virtual one in tests and simulations.
pub trait Clock {
    /// Now, in ns since an arbitrary start; never goes back.
    fn now_ns(&self) -> u64;

    /// Returns once `now_ns` is `deadline_ns` or later; at once if it is already.
    fn wait_until_ns(&self, deadline_ns: u64);
}

/// CLOCK_MONOTONIC.
#[derive(Clone, Copy, Debug, Default)]
pub struct MonotonicClock;

impl Clock for MonotonicClock {
    fn now_ns(&self) -> u64 {
        monotonic_ns()
    }

    fn wait_until_ns(&self, deadline_ns: u64) {
        wait_until(deadline_ns, monotonic_ns, |until| {
            clock_nanosleep(ClockId::CLOCK_MONOTONIC, ClockNanosleepFlags::TIMER_ABSTIME, until).map(|_| ())
        });
    }
}

/// CLOCK_MONOTONIC in ns since boot.
#[must_use]
pub fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("every Linux has CLOCK_MONOTONIC");
    since_epoch_ns(now).expect("CLOCK_MONOTONIC counts up from boot")
}

/// `None` before the clock's epoch and 584 years after it.
fn since_epoch_ns(time: TimeSpec) -> Option<u64> {
    let seconds = u64::try_from(time.tv_sec()).ok()?;
    let rest_ns = u64::try_from(time.tv_nsec()).ok()?;
    seconds.checked_mul(1_000_000_000)?.checked_add(rest_ns)
}

/// Sleeps until an absolute time. A signal that ends the sleep early only makes it sleep again, until the same time; so
/// does any other refusal, at the worst by spinning: what is promised is the time, not the manner.
fn wait_until(deadline_ns: u64, now_ns: impl Fn() -> u64, mut sleep: impl FnMut(&TimeSpec) -> Result<(), Errno>) {
    let until = TimeSpec::from_duration(Duration::from_nanos(deadline_ns));
    while now_ns() < deadline_ns {
        if sleep(&until).is_err() {
            std::hint::spin_loop();
        }
    }
}

/// A clock that moves only when it is told to: by [`advance_ns`](VirtualClock::advance_ns), or by a wait, which returns
/// at once with the clock at its deadline. Clones share the time.
#[derive(Clone, Debug, Default)]
pub struct VirtualClock {
    time: Arc<VirtualTime>,
}

#[derive(Debug, Default)]
struct VirtualTime {
    now_ns: AtomicU64,
    oversleep_ns: AtomicU64,
}

impl VirtualClock {
    /// A clock that stands at `now_ns`.
    #[must_use]
    pub fn starting_at_ns(now_ns: u64) -> Self {
        let clock = Self::default();
        clock.time.now_ns.store(now_ns, Ordering::SeqCst);
        clock
    }

    /// Moves the clock on, as work does.
    pub fn advance_ns(&self, by_ns: u64) {
        self.time.now_ns.fetch_add(by_ns, Ordering::SeqCst);
    }

    /// Makes the next wait return `by_ns` late.
    pub fn oversleep_once_ns(&self, by_ns: u64) {
        self.time.oversleep_ns.store(by_ns, Ordering::SeqCst);
    }
}

impl Clock for VirtualClock {
    fn now_ns(&self) -> u64 {
        self.time.now_ns.load(Ordering::SeqCst)
    }

    fn wait_until_ns(&self, deadline_ns: u64) {
        self.time.now_ns.fetch_max(deadline_ns, Ordering::SeqCst);
        self.advance_ns(self.time.oversleep_ns.swap(0, Ordering::SeqCst));
    }
}

/// How far the wall clock can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WallTrust {
    /// Before 2024: nobody has set this clock. The time is good for nothing.
    NotSet,
    /// A believable date, but nothing says whether it was ever compared with a time server.
    Unknown,
    /// Compared with a time server since boot.
    Synchronised,
}

/// A wall-clock time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WallTime {
    /// ns since 1970-01-01 00:00 UTC; 0 when the clock stands before that.
    pub unix_ns: u64,
    /// How far to believe it.
    pub trust: WallTrust,
}

/// 2024-01-01 00:00 UTC: older than this software, so a clock before it was never set.
const CLOCK_WAS_SET_NS: u64 = 1_704_067_200_000_000_000;

/// systemd-timesyncd makes this file when it first hears from a time server after boot.
const SYNCHRONISED_MARKER: &str = "/run/systemd/timesync/synchronized";

/// The wall clock with its trust.
///
/// Reading it is cheap and allowed in the scan. The evidence of synchronisation is a file, so it is looked up by
/// [`look_for_synchronisation`](WallClock::look_for_synchronisation) on a side thread, every 10 s or so. Only
/// systemd-timesyncd leaves such evidence (asking the kernel, `adjtimex`, has no safe binding here); with another time
/// client the trust stays [`WallTrust::Unknown`].
#[derive(Debug)]
pub struct WallClock {
    marker: PathBuf,
    synchronised: AtomicBool,
}

impl Default for WallClock {
    fn default() -> Self {
        Self::with_marker(Path::new(SYNCHRONISED_MARKER))
    }
}

impl WallClock {
    /// A wall clock that takes the existence of the file `marker` as evidence of synchronisation.
    #[must_use]
    pub fn with_marker(marker: &Path) -> Self {
        let clock = Self { marker: marker.to_path_buf(), synchronised: AtomicBool::new(false) };
        clock.look_for_synchronisation();
        clock
    }

    /// Looks for the evidence anew. Reads the file system: never call it in the scan.
    pub fn look_for_synchronisation(&self) {
        self.synchronised.store(self.marker.exists(), Ordering::Relaxed);
    }

    /// Now, and how far to believe it.
    #[must_use]
    pub fn now(&self) -> WallTime {
        let unix_ns = clock_gettime(ClockId::CLOCK_REALTIME).ok().and_then(since_epoch_ns).unwrap_or(0);
        WallTime { unix_ns, trust: trust(unix_ns, self.synchronised.load(Ordering::Relaxed)) }
    }
}

fn trust(unix_ns: u64, synchronised: bool) -> WallTrust {
    match (unix_ns >= CLOCK_WAS_SET_NS, synchronised) {
        (false, _) => WallTrust::NotSet,
        (true, false) => WallTrust::Unknown,
        (true, true) => WallTrust::Synchronised,
    }
}

/// An absolute time on CLOCK_MONOTONIC until which something may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline {
    at_ns: u64,
}

impl Deadline {
    /// `ms` milliseconds from now.
    #[must_use]
    pub fn after_ms(ms: u64) -> Self {
        Self { at_ns: monotonic_ns().saturating_add(ms.saturating_mul(1_000_000)) }
    }

    /// Whether it has passed.
    #[must_use]
    pub fn passed(self) -> bool {
        monotonic_ns() >= self.at_ns
    }

    /// What is left of it, 0 once it has passed: the time-out to give to a call that blocks.
    #[must_use]
    pub fn left(self) -> Duration {
        Duration::from_nanos(self.at_ns.saturating_sub(monotonic_ns()))
    }
}

/// How long [`until`] rests between two looks.
const LOOK_EVERY_NS: u64 = 1_000_000;

/// Waits until `condition` holds; false when `deadline` passed first. The condition is looked at once more after the
/// deadline, so a slow machine does not fail what has come true. For tests and for start and stop, not for the scan.
pub fn until(deadline: Deadline, mut condition: impl FnMut() -> bool) -> bool {
    loop {
        let last_look = deadline.passed();
        if condition() {
            return true;
        }
        if last_look {
            return false;
        }
        MonotonicClock.wait_until_ns(deadline.at_ns.min(monotonic_ns().saturating_add(LOOK_EVERY_NS)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn the_monotonic_clock_does_not_go_back_and_a_wait_ends_after_its_deadline() {
        let start_ns = MonotonicClock.now_ns();
        MonotonicClock.wait_until_ns(start_ns + 1_000_000);
        assert!(MonotonicClock.now_ns() >= start_ns + 1_000_000);
        MonotonicClock.wait_until_ns(start_ns); // in the past: returns
    }

    #[test]
    fn a_wait_that_signals_interrupt_goes_on_until_the_same_absolute_time() {
        let now_ns = Cell::new(0);
        let sleeps = Cell::new(0);
        wait_until(
            5_000_000_007,
            || now_ns.get(),
            |until| {
                assert_eq!((until.tv_sec(), until.tv_nsec()), (5, 7), "the deadline is absolute and does not move");
                sleeps.set(sleeps.get() + 1);
                if sleeps.get() < 4 {
                    now_ns.set(now_ns.get() + 1_000_000_000);
                    return Err(Errno::EINTR);
                }
                now_ns.set(5_000_000_007);
                Ok(())
            },
        );
        assert_eq!(sleeps.get(), 4);
    }

    #[test]
    fn a_wait_the_kernel_refuses_still_ends_no_earlier_than_its_deadline() {
        let now_ns = Cell::new(0);
        wait_until(
            100,
            || {
                now_ns.set(now_ns.get() + 1);
                now_ns.get()
            },
            |_| Err(Errno::EINVAL),
        );
        assert_eq!(now_ns.get(), 100);
    }

    #[test]
    fn a_virtual_clock_moves_only_when_told() {
        let clock = VirtualClock::starting_at_ns(50);
        let shared = clock.clone();
        shared.advance_ns(10);
        assert_eq!(clock.now_ns(), 60);
        clock.wait_until_ns(100);
        assert_eq!(shared.now_ns(), 100);
        clock.wait_until_ns(40); // never goes back
        assert_eq!(clock.now_ns(), 100);
        clock.oversleep_once_ns(7);
        clock.wait_until_ns(200);
        clock.wait_until_ns(300);
        assert_eq!(clock.now_ns(), 300);
    }

    #[test]
    fn a_clock_that_nobody_has_set_is_not_believed_even_if_a_server_was_heard() {
        assert_eq!(trust(0, true), WallTrust::NotSet);
        assert_eq!(trust(CLOCK_WAS_SET_NS - 1, false), WallTrust::NotSet);
        assert_eq!(trust(CLOCK_WAS_SET_NS, false), WallTrust::Unknown);
        assert_eq!(trust(CLOCK_WAS_SET_NS, true), WallTrust::Synchronised);
    }

    #[test]
    fn times_before_the_epoch_and_beyond_64_bits_are_no_times() {
        assert_eq!(since_epoch_ns(TimeSpec::new(-1, 0)), None);
        assert_eq!(since_epoch_ns(TimeSpec::new(i64::MAX, 0)), None);
        assert_eq!(since_epoch_ns(TimeSpec::new(2, 3)), Some(2_000_000_003));
    }

    #[test]
    fn synchronisation_is_seen_when_its_marker_appears() {
        let marker = std::env::temp_dir().join(format!("flyball-clock-{}", std::process::id()));
        let clock = WallClock::with_marker(&marker);
        assert!(clock.now().trust <= WallTrust::Unknown);
        std::fs::write(&marker, "").unwrap();
        clock.look_for_synchronisation();
        let now = clock.now();
        std::fs::remove_file(&marker).unwrap();
        assert_eq!(now.trust, trust(now.unix_ns, true));
    }

    #[test]
    fn until_tells_a_condition_that_came_true_from_one_that_did_not() {
        let mut looks = 0;
        assert!(until(Deadline::after_ms(60_000), || {
            looks += 1;
            looks == 3
        }));
        assert!(!until(Deadline::after_ms(0), || false));
        assert!(until(Deadline::after_ms(0), || true), "what is true is true after the deadline, too");
        assert_eq!(Deadline::after_ms(0).left(), Duration::ZERO);
    }
}
