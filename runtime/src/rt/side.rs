//! Every thread of the runtime that is not real-time is started here.
//!
//! A new thread inherits the scheduling policy, the CPUs, the timer slack and the signal mask of the one that starts it.
//! A helper that inherits the scan's priority fights the scan, so:
//!
//! - a real-time thread cannot start one: [`SideError::OnRealtimeThread`];
//! - whatever was inherited, a side thread returns to ordinary scheduling and to the CPUs of the main thread (which a
//!   systemd unit sets with `CPUAffinity=`);
//! - its stack size is stated, because locked memory makes every byte of every stack resident;
//! - signals that end or steer the process are blocked in it before it starts, and so are left to the main thread.
//!
//! Threads that a library starts itself (a blocking pool) inherit from the side thread that made it start them.

use super::thread::{is_realtime_policy, on_realtime_thread};
use nix::sched::{sched_getaffinity, sched_setaffinity};
use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use nix::unistd::Pid;
use std::io;
use std::thread::{Builder, JoinHandle};
use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy, thread_native_id,
    thread_schedule_policy,
};

/// The kernel cuts longer names.
pub const NAME_BYTES_MAX: usize = 15;

/// A smaller stack does not carry the standard library's own needs.
pub const STACK_BYTES_MIN: usize = 64 * 1024;

/// Why a side thread was not started.
#[derive(Debug, thiserror::Error)]
pub enum SideError {
    /// The name does not fit.
    #[error("thread name {name:?} has {} bytes: give it 1 to {NAME_BYTES_MAX}, without NUL", name.len())]
    Name {
        /// The name that was asked for.
        name: String,
    },
    /// The stack is too small.
    #[error("thread {name} asks for a stack of {bytes} bytes: give it {STACK_BYTES_MIN} or more")]
    Stack {
        /// The thread.
        name: String,
        /// What was asked for.
        bytes: usize,
    },
    /// It would inherit real-time scheduling, and starting it would hold up the scan.
    #[error("thread {name} was to be started by a real-time thread: start it from the main thread")]
    OnRealtimeThread {
        /// The thread.
        name: String,
    },
    /// The system refused.
    #[error("the system does not start thread {name}: {source}; look at the unit's TasksMax= and LimitMEMLOCK=")]
    Spawn {
        /// The thread.
        name: String,
        /// Its reason.
        source: io::Error,
    },
}

/// Starts a side thread called `name` with a stack of `stack_bytes`, running `body`.
///
/// # Errors
/// See [`SideError`].
pub fn spawn_side<T: Send + 'static>(
    name: &str,
    stack_bytes: usize,
    body: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, SideError> {
    let name = name.to_owned();
    if !is_thread_name(&name) {
        return Err(SideError::Name { name });
    }
    if stack_bytes < STACK_BYTES_MIN {
        return Err(SideError::Stack { name, bytes: stack_bytes });
    }
    if on_realtime_thread() {
        return Err(SideError::OnRealtimeThread { name });
    }
    let builder = Builder::new().name(name.clone()).stack_size(stack_bytes);
    let started = with_signals_blocked(|| {
        builder.spawn(move || {
            become_ordinary();
            body()
        })
    });
    started.map_err(|source| SideError::Spawn { name, source })
}

pub(super) fn is_thread_name(name: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&name.len()) && !name.contains('\0')
}

/// Runs `start` with all signals blocked that are addressed to the process rather than caused by the thread itself, so
/// that a thread started in it has them blocked from its first instruction.
pub(super) fn with_signals_blocked<T>(start: impl FnOnce() -> T) -> T {
    use Signal::{SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP};
    let mut process_wide = SigSet::all();
    for own in [SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP] {
        process_wide.remove(own);
    }
    // Neither call can fail: the only errors are of a wrong `how` or a bad address.
    let before = process_wide.thread_swap_mask(SigmaskHow::SIG_BLOCK);
    let result = start();
    if let Ok(before) = before {
        let _ = before.thread_set_mask();
    }
    result
}

/// Gives up what the calling thread may have inherited. Going back to ordinary scheduling and to the process's own CPUs
/// needs no right, so a refusal here is one that leaves the thread as it was; the start report's look at all threads
/// would show it.
fn become_ordinary() {
    if thread_schedule_policy().is_ok_and(is_realtime_policy) {
        // On this crate's scale of 0 to 99, 47 is the one that means nice 0.
        let nice_0 = ThreadPriority::try_from(47).expect("47 lies within 0 to 99");
        let ordinary = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Other);
        let _ = set_thread_priority_and_policy(thread_native_id(), nice_0, ordinary);
    }
    // The main thread's id is the process's.
    if let Ok(cpus) = sched_getaffinity(Pid::this()) {
        let _ = sched_setaffinity(Pid::from_raw(0), &cpus);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rt::settings::ThreadSettings;
    use crate::rt::thread::spawn;
    use nix::sched::CpuSet;
    use std::fs::read_to_string;
    use thread_priority::RealtimeThreadSchedulePolicy;

    const STACK: usize = 128 * 1024;

    fn own_status(field: &str) -> String {
        let status = read_to_string("/proc/thread-self/status").unwrap();
        status.lines().find_map(|line| line.strip_prefix(field)).unwrap().trim_matches([':', '\t']).to_owned()
    }

    #[test]
    fn a_side_thread_has_the_name_asked_for_and_gives_its_result() {
        let thread = spawn_side("history-writer1", STACK, || own_status("Name")).unwrap();
        assert_eq!(thread.join().unwrap(), "history-writer1");
    }

    #[test]
    fn names_the_kernel_would_cut_and_tiny_stacks_are_refused() {
        for name in ["", "sixteen-bytes-xx", "nul\0"] {
            let refused = spawn_side(name, STACK, || ()).unwrap_err();
            assert!(refused.to_string().contains("1 to 15"), "{refused}");
        }
        let refused = spawn_side("side", STACK_BYTES_MIN - 1, || ()).unwrap_err();
        assert!(refused.to_string().contains("65535"), "{refused}");
    }

    #[test]
    fn a_real_time_thread_cannot_start_a_side_thread() {
        let settings = ThreadSettings { name: "scan", ..ThreadSettings::default() };
        let thread = spawn(&settings, |_| spawn_side("side", STACK, || ()).map(|_| ())).unwrap();
        assert!(matches!(thread.join().unwrap(), Err(SideError::OnRealtimeThread { .. })));
    }

    #[test]
    fn signals_to_the_process_are_blocked_in_a_side_thread_and_stay_open_in_its_starter() {
        let before = SigSet::thread_get_mask().unwrap();
        let side = spawn_side("side", STACK, || SigSet::thread_get_mask().unwrap()).unwrap().join().unwrap();
        for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGUSR1] {
            assert!(side.contains(signal), "{signal} is left to the main thread");
        }
        assert!(!side.contains(Signal::SIGSEGV), "a fault is the thread's own");
        let after = SigSet::thread_get_mask().unwrap();
        assert!(Signal::iterator().all(|signal| before.contains(signal) == after.contains(signal)));
    }

    #[test]
    fn neither_priority_nor_cpus_are_inherited_from_a_thread_that_raised_itself() {
        let outcome = std::thread::spawn(|| {
            let mut first = CpuSet::new();
            let home = sched_getaffinity(Pid::from_raw(0)).unwrap();
            let cpu = (0..CpuSet::count()).find(|cpu| home.is_set(*cpu).unwrap()).unwrap();
            first.set(cpu).unwrap();
            sched_setaffinity(Pid::from_raw(0), &first).unwrap();
            let fifo = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
            let low = ThreadPriority::try_from(1).unwrap();
            if let Err(refused) = set_thread_priority_and_policy(thread_native_id(), low, fifo) {
                eprintln!("skipped: no right to SCHED_FIFO here ({refused})");
                return None;
            }
            let side = spawn_side("side", STACK, || {
                let stat = read_to_string("/proc/thread-self/stat").unwrap();
                let nice = stat.rsplit(')').next().unwrap().split_whitespace().nth(16).unwrap().to_owned();
                (thread_schedule_policy().unwrap(), nice, own_status("Cpus_allowed_list"))
            });
            Some(side.unwrap().join().unwrap())
        });
        let Some((policy, nice, cpus)) = outcome.join().unwrap() else { return };
        assert_eq!(policy, ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Other));
        assert_eq!(nice, "0");
        let main = read_to_string("/proc/self/status").unwrap();
        assert!(main.lines().any(|line| line == format!("Cpus_allowed_list:\t{cpus}")), "{cpus}");
    }
}
