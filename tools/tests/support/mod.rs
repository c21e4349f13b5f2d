//! What the tests of the binary share: a process that is watched and never outlives its test, sites on free ports, peers
//! that are not ours, and a look at the machine, which must keep up for a test to mean anything.
#![allow(dead_code, reason = "each test file takes what it needs of this")]

pub(crate) mod peers;
pub(crate) mod process;
pub(crate) mod site;

use flyball_runtime::clock::{Clock, MonotonicClock, monotonic_ns};
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// One test with a running site at a time: fixed ports, and two processors.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// How often a failing test is given another chance on a machine that stood still.
const ATTEMPTS: u32 = 4;
/// A site trips when its 10 ms scan misses 10 of 100 slots; standing still for half of that says nothing about the site.
const STOOD_STILL_NS: u64 = 50_000_000;

/// A line that the user sees whatever the test harness captures.
pub(crate) fn loudly(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Runs a test of a site in real time, alone. If it fails and the machine stood still meanwhile, it is run again, and says
/// so: a virtual machine that was taken off its processor is no fault of the site. A machine that keeps up gets no second
/// chance.
pub(crate) fn in_real_time(name: &str, test: impl Fn()) {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    for attempt in 1.. {
        let watch = Watch::start();
        let Err(failure) = catch_unwind(AssertUnwindSafe(&test)) else { return };
        let worst_ns = watch.end();
        if worst_ns < STOOD_STILL_NS || attempt == ATTEMPTS {
            resume_unwind(failure);
        }
        let (ms, why) = (worst_ns / 1_000_000, reason(&*failure));
        loudly(&format!("AGAIN {name}: the machine stood still for {ms} ms while it failed with: {why}"));
    }
}

fn reason(failure: &dyn std::any::Any) -> &str {
    let text = failure.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| failure.downcast_ref::<&str>().copied()).and_then(|t| t.lines().next()).unwrap_or("no message")
}

/// Measures how much later than asked this process is woken.
struct Watch {
    stop: Arc<AtomicBool>,
    worst_ns: Arc<AtomicU64>,
    thread: std::thread::JoinHandle<()>,
}

impl Watch {
    fn start() -> Self {
        let (stop, worst_ns) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (told, worst) = (Arc::clone(&stop), Arc::clone(&worst_ns));
        let thread = std::thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                let due_ns = monotonic_ns() + 10_000_000;
                MonotonicClock.wait_until_ns(due_ns);
                worst.fetch_max(monotonic_ns() - due_ns, Ordering::Relaxed);
            }
        });
        Self { stop, worst_ns, thread }
    }

    fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.join();
        self.worst_ns.load(Ordering::Relaxed)
    }
}
