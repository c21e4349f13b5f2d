//! Starts a real-time thread: the scan, and a supervisor above it.
//!
//! **Demands** of the machine what [`super::report`] lists, tries to get it, and reports what it got. **Limits** are in
//! [`super::settings`]. **When something is missing**: with [`Realtime::Required`] the thread does
//! not run its body and the start fails with what to do; with [`Realtime::BestEffort`] it runs, and the report says how
//! far to trust it.
//!
//! Memory is locked for the whole process, now and in future, before the thread exists. That makes the stacks of all
//! later threads resident, so they are kept small ([`super::side`]). It is only done where the process may lock any
//! amount: below a finite limit a later allocation would fail, and end the process, at any time.

use super::prefault::prefault_stack;
use super::prerequisites::{Attempts, judge};
use super::report::{Prerequisite, StartReport};
use super::settings::{Realtime, STACK_UNTOUCHED_BYTES, StartError, ThreadSettings, check};
use super::side::with_signals_blocked;
use super::system::{CAP_IPC_LOCK, System};
use nix::errno::Errno;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::mman::{MlockAllFlags, mlockall};
use nix::sys::prctl::{get_timerslack, set_timerslack};
use nix::sys::resource::{Resource, getrlimit};
use nix::unistd::{Pid, gettid};
use std::cell::Cell;
use std::io;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread::{Builder, JoinHandle};
use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy,
    thread_native_id, thread_schedule_policy_param,
};

/// A running real-time thread.
#[derive(Debug)]
pub struct RealtimeThread<T> {
    handle: JoinHandle<Option<T>>,
    report: StartReport,
}

impl<T> RealtimeThread<T> {
    /// What it got of what it needs.
    #[must_use]
    pub fn report(&self) -> &StartReport {
        &self.report
    }

    /// Whether it has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.handle.is_finished()
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// The payload of a panic that its body did not catch.
    pub fn join(self) -> std::thread::Result<T> {
        self.handle.join().map(|result| result.expect("a thread whose start was refused is never handed out"))
    }
}

/// Starts a real-time thread, which runs `body` with the report of its start. Call it from the main thread, before the
/// site's arming; returns once the thread is ready.
///
/// # Errors
/// See [`StartError`]; the body has not run then.
pub fn spawn<T: Send + 'static>(
    settings: &ThreadSettings,
    body: impl FnOnce(&StartReport) -> T + Send + 'static,
) -> Result<RealtimeThread<T>, StartError> {
    spawn_on(System::default(), settings, body)
}

fn spawn_on<T: Send + 'static>(
    system: System,
    settings: &ThreadSettings,
    body: impl FnOnce(&StartReport) -> T + Send + 'static,
) -> Result<RealtimeThread<T>, StartError> {
    check(settings)?;
    let locked = lock_memory(&system);
    let (tell, told) = sync_channel(1);
    let wanted = settings.clone();
    let builder = Builder::new().name(settings.name.to_owned()).stack_size(settings.stack_bytes);
    let run = move || {
        let _mark = Mark::this_thread();
        let report = enter(&wanted, &system, locked);
        let verdict = verdict(wanted.realtime, &report);
        let goes_on = verdict.is_ok();
        // The starter waits for exactly this message, so it is there to take it.
        let _ = tell.send(verdict.map(|()| report.clone()));
        goes_on.then(|| body(&report))
    };
    let handle = with_signals_blocked(|| builder.spawn(run))
        .map_err(|source| StartError::Spawn { name: settings.name, source })?;
    match told.recv() {
        Ok(Ok(report)) => Ok(RealtimeThread { handle, report }),
        Ok(Err(refused)) => {
            let _ = handle.join();
            Err(refused)
        }
        Err(_) => {
            let source = io::Error::other("it ended before it could report");
            Err(StartError::Spawn { name: settings.name, source })
        }
    }
}

fn verdict(realtime: Realtime, report: &StartReport) -> Result<(), StartError> {
    let missing: Vec<Prerequisite> = report.missing_essential().cloned().collect();
    match realtime {
        Realtime::Required if !missing.is_empty() => Err(StartError::Missing { missing }),
        Realtime::Required | Realtime::BestEffort => Ok(()),
    }
}

/// Raises the calling thread, and judges what came of it. Every step is tried, whatever became of the one before.
fn enter(settings: &ThreadSettings, system: &System, locked: Result<(), String>) -> StartReport {
    let _ = set_timerslack(1); // judged by reading it back
    pin(&settings.cpus);
    let fifo = raise(settings.priority);
    let prefault_wanted_bytes = settings.stack_bytes - STACK_UNTOUCHED_BYTES;
    let attempts = Attempts {
        locked,
        cpus: own_cpus(),
        fifo,
        prefault: prefault_stack(prefault_wanted_bytes),
        prefault_wanted_bytes,
        timer_slack_ns: get_timerslack().ok(),
        memlock_limit_bytes: soft_limit(Resource::RLIMIT_MEMLOCK),
        rtprio_limit: soft_limit(Resource::RLIMIT_RTPRIO),
        known_realtime: REALTIME_IDS.iter().map(|id| id.load(Ordering::Relaxed)).collect(),
    };
    judge(settings, system, &attempts)
}

/// Locks all memory of the process, if it may lock any amount.
fn lock_memory(system: &System) -> Result<(), String> {
    if let Some(limit_bytes) = soft_limit(Resource::RLIMIT_MEMLOCK)
        && !system.has_capability(CAP_IPC_LOCK)
    {
        return Err(format!("not locked, because the limit is {} KiB", limit_bytes / 1024));
    }
    mlockall(MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE).map_err(|error| format!("not locked ({error})"))
}

/// `None` without limit. A limit that cannot be read counts as 0.
fn soft_limit(resource: Resource) -> Option<u64> {
    let (soft, _) = getrlimit(resource).unwrap_or((0, 0));
    (soft != nix::libc::RLIM_INFINITY).then_some(soft)
}

/// Keeps the calling thread on `cpus`. What it came to is judged by reading it back.
fn pin(cpus: &[usize]) {
    let mut set = CpuSet::new();
    let all_known = cpus.iter().all(|cpu| set.set(*cpu).is_ok());
    if all_known && !cpus.is_empty() {
        let _ = sched_setaffinity(Pid::from_raw(0), &set);
    }
}

fn own_cpus() -> Vec<usize> {
    let Ok(set) = sched_getaffinity(Pid::from_raw(0)) else { return Vec::new() };
    (0..CpuSet::count()).filter(|cpu| set.is_set(*cpu).unwrap_or(false)).collect()
}

/// Gives the calling thread SCHED_FIFO, and reads back what it has; otherwise says what that is and why.
fn raise(priority: u8) -> Result<(), String> {
    const FIFO: ThreadSchedulePolicy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
    let own = thread_native_id();
    let wanted = ThreadPriority::try_from(priority).map_err(str::to_owned)?;
    let refused = set_thread_priority_and_policy(own, wanted, FIFO).err().map(|error| match error {
        thread_priority::Error::OS(number) => Errno::from_raw(number).to_string(),
        other => other.to_string(),
    });
    match (thread_schedule_policy_param(own), refused) {
        (Ok((FIFO, got)), None) if got.sched_priority == i32::from(priority) => Ok(()),
        (Ok((policy, got)), refused) => {
            let why = refused.unwrap_or_else(|| "it was taken back".into());
            Err(format!("{} {} ({why})", policy_in_words(policy), got.sched_priority))
        }
        (Err(error), _) => Err(format!("unknown ({error})")),
    }
}

pub(super) fn is_realtime_policy(policy: ThreadSchedulePolicy) -> bool {
    matches!(policy, ThreadSchedulePolicy::Realtime(_))
}

fn policy_in_words(policy: ThreadSchedulePolicy) -> &'static str {
    match policy {
        ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo) => "SCHED_FIFO",
        ThreadSchedulePolicy::Realtime(_) => "another real-time policy",
        ThreadSchedulePolicy::Normal(_) => "ordinary scheduling",
    }
}

thread_local! {
    static ON_REALTIME_THREAD: Cell<bool> = const { Cell::new(false) };
}

/// The ids of the threads started here, 0 where there is none. A process has two at most; the rest is room for tests.
static REALTIME_IDS: [AtomicI32; 64] = [const { AtomicI32::new(0) }; 64];

/// Whether the calling thread was started by [`spawn`] (whatever it then got).
#[must_use]
pub fn on_realtime_thread() -> bool {
    ON_REALTIME_THREAD.get()
}

/// Marks a thread as real-time on purpose, as long as it lives.
struct Mark {
    id: i32,
}

impl Mark {
    fn this_thread() -> Self {
        let id = gettid().as_raw();
        ON_REALTIME_THREAD.set(true);
        let claim = |slot: &AtomicI32| slot.compare_exchange(0, id, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        // Without a free slot the thread is reported as one that inherited its policy: wrong, but on the safe side.
        let _ = REALTIME_IDS.iter().any(claim);
        Self { id }
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        for slot in &REALTIME_IDS {
            let _ = slot.compare_exchange(self.id, 0, Ordering::Relaxed, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rt::report::{ESSENTIAL, NAMES};
    use crate::rt::system::tests::FakeSystem;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    fn found<'a>(report: &'a StartReport, name: &str) -> &'a Prerequisite {
        report.prerequisites().iter().find(|each| each.name == name).unwrap()
    }

    #[test]
    fn a_best_effort_thread_runs_whatever_the_machine_gives_it_and_reports_it() {
        let thread = spawn(&ThreadSettings::default(), |report| (on_realtime_thread(), report.clone())).unwrap();
        let report = thread.report().clone();
        let (realtime, seen_inside) = thread.join().unwrap();
        assert!(realtime && !on_realtime_thread());
        assert_eq!(report, seen_inside);
        assert_eq!(report.flags().map(|(name, _)| name), NAMES);
        assert!(found(&report, "timer_slack").ok, "it takes no right: {report}");
        eprintln!("{report}");
    }

    #[test]
    fn the_report_tells_the_truth_about_the_policy_of_the_thread() {
        let own = || thread_schedule_policy_param(thread_native_id()).unwrap();
        let thread = spawn(&ThreadSettings { priority: 3, ..ThreadSettings::default() }, move |_| own()).unwrap();
        let reported = found(thread.report(), "scheduling_fifo").clone();
        let (policy, parameters) = thread.join().unwrap();
        assert_eq!(reported.ok, is_realtime_policy(policy));
        if reported.ok {
            assert_eq!((reported.got.as_str(), parameters.sched_priority), ("SCHED_FIFO 3", 3));
        } else {
            eprintln!("skipped: no right to SCHED_FIFO here ({})", reported.got);
            assert!(reported.got.starts_with("ordinary scheduling 0 ("), "{}", reported.got);
        }
    }

    #[test]
    fn the_stack_is_touched_in_advance_but_for_its_reserve() {
        let thread = spawn(&ThreadSettings::default(), |_| ()).unwrap();
        let stack = found(thread.report(), "stack_prefaulted").clone();
        assert!(stack.wanted.starts_with("448 KiB"), "{stack:?}");
        thread.join().unwrap();
    }

    #[test]
    fn a_thread_runs_on_the_cpu_it_is_given_and_its_starter_stays_where_it_was() {
        let home = own_cpus();
        let cpu = *home.last().unwrap();
        let settings = ThreadSettings { cpus: vec![cpu], ..ThreadSettings::default() };
        let thread = spawn(&settings, |_| own_cpus()).unwrap();
        let affinity = found(thread.report(), "cpu_affinity").clone();
        assert!(affinity.ok, "{affinity:?}");
        assert_eq!(thread.join().unwrap(), [cpu]);
        assert_eq!(own_cpus(), home);
    }

    #[test]
    fn a_cpu_the_machine_does_not_have_is_reported_and_refused_where_it_is_required() {
        for cpu in [CpuSet::count() - 1, 1_000_000] {
            let mut settings = ThreadSettings { cpus: vec![cpu], ..ThreadSettings::default() };
            let thread = spawn(&settings, |_| ()).unwrap();
            assert!(!found(thread.report(), "cpu_affinity").ok);
            thread.join().unwrap();
            settings.realtime = Realtime::Required;
            let refused = spawn(&settings, |_| ()).unwrap_err().to_string();
            assert!(refused.contains(&format!("cpu_affinity is missing (wanted CPU {cpu} only")), "{refused}");
        }
    }

    #[test]
    fn where_real_time_is_required_a_machine_without_it_does_not_run_the_body_and_says_what_to_do() {
        let fake = FakeSystem::with(&[("proc/sys/kernel/version", "#1 SMP PREEMPT_DYNAMIC")]);
        let ran = Arc::new(AtomicBool::new(false));
        let inside = Arc::clone(&ran);
        let settings = ThreadSettings { realtime: Realtime::Required, ..ThreadSettings::default() };
        let refused = spawn_on(fake.system(), &settings, move |_| inside.store(true, Ordering::SeqCst)).unwrap_err();
        assert!(!ran.load(Ordering::SeqCst));
        let StartError::Missing { missing } = &refused else { panic!("{refused}") };
        assert!(missing.iter().all(|each| NAMES[..ESSENTIAL].contains(&each.name)));
        let text = refused.to_string();
        assert!(text.starts_with("realtime is Required, but kernel_preempt_rt is missing"), "{text}");
        assert!(text.contains("got #1 SMP PREEMPT_DYNAMIC): install and boot a real-time kernel"), "{text}");
    }

    #[test]
    fn only_required_makes_a_missing_prerequisite_an_error() {
        let fake = FakeSystem::with(&[]);
        let thread = spawn_on(fake.system(), &ThreadSettings::default(), |_| 7).unwrap();
        let report = thread.report().clone();
        assert_eq!(thread.join().unwrap(), 7);
        assert!(report.missing_essential().count() > 0);
        assert!(verdict(Realtime::BestEffort, &report).is_ok());
        assert!(verdict(Realtime::Required, &report).is_err());
    }

    #[test]
    fn a_finite_memory_limit_is_not_locked_into() {
        let fake = FakeSystem::with(&[("proc/self/status", "CapEff:\t0000000000000000\n")]);
        match soft_limit(Resource::RLIMIT_MEMLOCK) {
            None => eprintln!("skipped: locked memory has no limit here"),
            Some(limit_bytes) => {
                let refused = lock_memory(&fake.system()).unwrap_err();
                assert_eq!(refused, format!("not locked, because the limit is {} KiB", limit_bytes / 1024));
            }
        }
    }

    #[test]
    fn a_real_time_thread_cannot_start_another() {
        let thread = spawn(&ThreadSettings::default(), |_| spawn(&ThreadSettings::default(), |_| ()).map(|_| ()));
        let inner = thread.unwrap().join().unwrap();
        assert!(matches!(inner, Err(StartError::OnRealtimeThread { name: "scan" })));
    }

    #[test]
    fn a_thread_that_is_real_time_on_purpose_is_not_taken_for_one_that_inherited() {
        let system = System::default();
        let known = || REALTIME_IDS.iter().map(|id| id.load(Ordering::Relaxed)).collect::<Vec<_>>();
        let settings = ThreadSettings { name: "on-purpose", ..ThreadSettings::default() };
        let thread = spawn(&settings, move |report| {
            let fifo = found(report, "scheduling_fifo").ok;
            (fifo, system.realtime_threads(&known()).unwrap(), system.realtime_threads(&[]).unwrap())
        });
        let (fifo, others, all) = thread.unwrap().join().unwrap();
        assert!(!others.contains(&"on-purpose".to_owned()), "{others:?}");
        assert_eq!(all.contains(&"on-purpose".to_owned()), fifo, "{all:?}");
    }

    #[test]
    fn a_panic_of_the_body_reaches_join() {
        let thread = spawn(&ThreadSettings { name: "panicking", ..ThreadSettings::default() }, |_| {
            std::panic::resume_unwind(Box::new("quietly"));
        });
        assert!(thread.unwrap().join().is_err());
    }
}
