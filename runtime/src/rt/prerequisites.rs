//! Judges each prerequisite of real time: from what the thread attempted and what the system's files say, to a finding
//! with a remedy. No side effects.

use super::prefault::Prefault;
use super::report::{Finding, StartReport};
use super::settings::ThreadSettings;
use super::system::{CAP_IPC_LOCK, CAP_SYS_NICE, System, cpus_in_words};

/// What was attempted, and how it came out.
#[derive(Clone, Debug)]
pub(super) struct Attempts {
    /// Locking all memory; the reason if it failed.
    pub(super) locked: Result<(), String>,
    /// The CPUs the thread may run on now.
    pub(super) cpus: Vec<usize>,
    /// The thread's policy and priority now, and whether that is what was asked for.
    pub(super) fifo: Result<(), String>,
    /// Touching the stack.
    pub(super) prefault: Prefault,
    /// How many bytes of stack were to be touched.
    pub(super) prefault_wanted_bytes: usize,
    /// Timer slack of the thread now, ns.
    pub(super) timer_slack_ns: Option<i32>,
    /// Soft limit of locked memory, bytes; `None` without limit.
    pub(super) memlock_limit_bytes: Option<u64>,
    /// Soft limit of the real-time priority; `None` without limit.
    pub(super) rtprio_limit: Option<u64>,
    /// The ids of threads that are real-time on purpose.
    pub(super) known_realtime: Vec<i32>,
}

/// The report of one start.
pub(super) fn judge(settings: &ThreadSettings, system: &System, attempts: &Attempts) -> StartReport {
    StartReport::new([
        kernel(system),
        fifo(settings, attempts),
        affinity(settings, attempts),
        memory(system, attempts),
        stack(attempts),
        memlock_limit(system, attempts),
        rtprio_limit(settings, system, attempts),
        throttling(system),
        governor(settings, system),
        isolation(settings, system),
        timer_slack(attempts),
        inherited(system, attempts),
    ])
}

fn kernel(system: &System) -> Finding {
    Finding {
        wanted: "a PREEMPT_RT kernel".into(),
        got: system.kernel_version().unwrap_or_else(|| "unknown".into()),
        ok: system.is_preempt_rt(),
        remedy: "install and boot a real-time kernel (Debian: linux-image-rt-amd64 or linux-image-rt-arm64)".into(),
    }
}

fn fifo(settings: &ThreadSettings, attempts: &Attempts) -> Finding {
    let wanted = format!("SCHED_FIFO {}", settings.priority);
    Finding {
        got: attempts.fifo.clone().err().unwrap_or_else(|| wanted.clone()),
        ok: attempts.fifo.is_ok(),
        remedy: format!(
            "set LimitRTPRIO={} in the unit, or run `setcap cap_sys_nice,cap_ipc_lock+ep` on the binary",
            settings.priority
        ),
        wanted,
    }
}

fn affinity(settings: &ThreadSettings, attempts: &Attempts) -> Finding {
    let got = cpus_in_words(&attempts.cpus);
    if settings.cpus.is_empty() {
        return Finding { wanted: "any CPU".into(), got, ok: true, remedy: String::new() };
    }
    let mut wanted = settings.cpus.clone();
    wanted.sort_unstable();
    wanted.dedup();
    Finding {
        got,
        ok: attempts.cpus == wanted,
        wanted: format!("CPU {} only", cpus_in_words(&wanted)),
        remedy: "name CPUs this machine has, and that the unit's AllowedCPUs= lets through".into(),
    }
}

fn memory(system: &System, attempts: &Attempts) -> Finding {
    let locked = || format!("{} locked", system.locked_memory().unwrap_or_else(|| "all".into()));
    Finding {
        wanted: "all memory locked, also what comes later".into(),
        got: attempts.locked.clone().err().unwrap_or_else(locked),
        ok: attempts.locked.is_ok(),
        remedy: "set LimitMEMLOCK=infinity in the unit, or run `setcap cap_sys_nice,cap_ipc_lock+ep` on the binary"
            .into(),
    }
}

fn stack(attempts: &Attempts) -> Finding {
    let done = attempts.prefault;
    let faults = done.faults_left.map_or_else(|| "unknown".into(), |count| count.to_string());
    Finding {
        wanted: format!("{} KiB touched, 0 faults when touched again", attempts.prefault_wanted_bytes / 1024),
        got: format!("{} KiB touched, {faults} faults when touched again", done.touched_bytes / 1024),
        ok: done.touched_bytes >= attempts.prefault_wanted_bytes && done.faults_left == Some(0),
        remedy: "lock the memory (LimitMEMLOCK=infinity), so that touched pages stay in place".into(),
    }
}

fn memlock_limit(system: &System, attempts: &Attempts) -> Finding {
    let capable = system.has_capability(CAP_IPC_LOCK);
    let limit =
        attempts.memlock_limit_bytes.map_or_else(|| "unlimited".into(), |bytes| format!("{} KiB", bytes / 1024));
    Finding {
        wanted: "unlimited, or CAP_IPC_LOCK".into(),
        got: if capable { format!("{limit}, with CAP_IPC_LOCK") } else { limit },
        ok: capable || attempts.memlock_limit_bytes.is_none(),
        remedy: "set LimitMEMLOCK=infinity in the unit".into(),
    }
}

fn rtprio_limit(settings: &ThreadSettings, system: &System, attempts: &Attempts) -> Finding {
    let capable = system.has_capability(CAP_SYS_NICE);
    let limit = attempts.rtprio_limit.map_or_else(|| "unlimited".into(), |limit| limit.to_string());
    Finding {
        wanted: format!("{} or more, or CAP_SYS_NICE", settings.priority),
        got: if capable { format!("{limit}, with CAP_SYS_NICE") } else { limit },
        ok: capable || attempts.rtprio_limit.is_none_or(|limit| limit >= u64::from(settings.priority)),
        remedy: format!("set LimitRTPRIO={} in the unit", settings.priority),
    }
}

/// The kernel's default of 95 % never touches a scan that leaves room for others, and saves the machine from one that
/// hangs; so it is good enough, and less is not.
fn throttling(system: &System) -> Finding {
    let throttling = system.throttling();
    let got = match throttling {
        Some((runtime_us, _)) if runtime_us < 0 => "no limit".into(),
        Some((runtime_us, period_us)) => format!("{runtime_us} of {period_us} us"),
        None => "unknown".into(),
    };
    let enough = |(runtime_us, period_us): (i64, i64)| {
        runtime_us < 0 || runtime_us.saturating_mul(100) >= period_us.saturating_mul(95)
    };
    Finding {
        wanted: "95 % or more of each period for real-time threads".into(),
        got,
        ok: throttling.is_some_and(enough),
        remedy: "set kernel.sched_rt_runtime_us=950000 and kernel.sched_rt_period_us=1000000 with sysctl".into(),
    }
}

/// The CPUs the thread runs on, or all if it may run anywhere.
fn scan_cpus(settings: &ThreadSettings, system: &System) -> Vec<usize> {
    if settings.cpus.is_empty() { system.online_cpus() } else { settings.cpus.clone() }
}

fn governor(settings: &ThreadSettings, system: &System) -> Finding {
    let cpus = scan_cpus(settings, system);
    let mut governors: Vec<String> = cpus.iter().filter_map(|cpu| system.governor(*cpu)).collect();
    governors.sort();
    governors.dedup();
    Finding {
        wanted: "performance, or no frequency scaling".into(),
        got: if governors.is_empty() { "no frequency scaling".into() } else { governors.join(", ") },
        ok: governors.iter().all(|governor| governor == "performance"),
        remedy: "run `cpupower frequency-set -g performance` at boot".into(),
    }
}

fn isolation(settings: &ThreadSettings, system: &System) -> Finding {
    let isolated = system.isolated_cpus();
    Finding {
        wanted: "a CPU of its own".into(),
        got: format!(
            "runs on CPU {}, isolated are {}",
            cpus_in_words(&scan_cpus(settings, system)),
            cpus_in_words(&isolated)
        ),
        ok: !settings.cpus.is_empty() && settings.cpus.iter().all(|cpu| isolated.contains(cpu)),
        remedy: "boot with isolcpus= for one CPU and name it as the scan's CPU".into(),
    }
}

fn timer_slack(attempts: &Attempts) -> Finding {
    Finding {
        wanted: "1 ns or less".into(),
        got: attempts.timer_slack_ns.map_or_else(|| "unknown".into(), |slack_ns| format!("{slack_ns} ns")),
        ok: attempts.timer_slack_ns.is_some_and(|slack_ns| (0..=1).contains(&slack_ns)),
        remedy: "allow prctl(PR_SET_TIMERSLACK) in the unit's SystemCallFilter=".into(),
    }
}

fn inherited(system: &System, attempts: &Attempts) -> Finding {
    let others = system.realtime_threads(&attempts.known_realtime);
    Finding {
        wanted: "no other thread with a real-time policy".into(),
        got: match &others {
            None => "unknown".into(),
            Some(names) if names.is_empty() => "none".into(),
            Some(names) => names.join(", "),
        },
        ok: others.is_some_and(|names| names.is_empty()),
        remedy: "remove CPUSchedulingPolicy= from the unit: the runtime raises its scan thread itself".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::NAMES;
    use super::super::system::tests::{FakeSystem, stat};
    use super::*;

    /// A machine on which everything is as it should be.
    fn good_files() -> Vec<(&'static str, String)> {
        vec![
            ("sys/kernel/realtime", "1\n".into()),
            ("proc/sys/kernel/version", "#1 SMP PREEMPT_RT\n".into()),
            ("proc/sys/kernel/sched_rt_runtime_us", "950000\n".into()),
            ("proc/sys/kernel/sched_rt_period_us", "1000000\n".into()),
            ("sys/devices/system/cpu/isolated", "3\n".into()),
            ("sys/devices/system/cpu/online", "0-3\n".into()),
            ("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "ondemand\n".into()),
            ("sys/devices/system/cpu/cpu3/cpufreq/scaling_governor", "performance\n".into()),
            ("proc/self/status", "VmLck:\t 4096 kB\nCapEff:\t0000000000000000\n".into()),
            ("proc/self/task/10/stat", stat(10, "flyball", 0)),
            ("proc/self/task/11/stat", stat(11, "scan", 1)),
        ]
    }

    fn good_attempts() -> Attempts {
        Attempts {
            locked: Ok(()),
            cpus: vec![3],
            fifo: Ok(()),
            prefault: Prefault { touched_bytes: 460_000, faults_left: Some(0) },
            prefault_wanted_bytes: 458_752,
            timer_slack_ns: Some(1),
            memlock_limit_bytes: None,
            rtprio_limit: Some(40),
            known_realtime: vec![11],
        }
    }

    fn settings() -> ThreadSettings {
        ThreadSettings { cpus: vec![3], ..ThreadSettings::default() }
    }

    fn missing(files: &[(&str, String)], attempts: &Attempts, settings: &ThreadSettings) -> Vec<&'static str> {
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
        let fake = FakeSystem::with(&files);
        let report = judge(settings, &fake.system(), attempts);
        for each in report.missing() {
            assert!(!each.remedy.is_empty() && !each.wanted.is_empty() && !each.got.is_empty(), "{each:?}");
        }
        report.missing().map(|each| each.name).collect()
    }

    #[test]
    fn a_machine_that_is_fit_misses_nothing() {
        assert_eq!(missing(&good_files(), &good_attempts(), &settings()), Vec::<&str>::new());
    }

    #[test]
    fn each_system_file_that_is_wrong_is_found_under_its_own_name() {
        for (path, text, name) in [
            ("sys/devices/system/cpu/isolated", "", "cpu_isolated"),
            ("sys/devices/system/cpu/cpu3/cpufreq/scaling_governor", "powersave", "cpu_governor"),
            ("proc/sys/kernel/sched_rt_runtime_us", "500000", "rt_throttling"),
            ("proc/sys/kernel/sched_rt_runtime_us", "garbage", "rt_throttling"),
            ("proc/self/task/12/stat", &stat(12, "mqtt", 2), "no_inherited_fifo"),
        ] {
            let mut files = good_files();
            files.retain(|(known, _)| *known != path);
            files.push((path, text.to_owned()));
            assert_eq!(missing(&files, &good_attempts(), &settings()), [name], "{path} = {text}");
        }
    }

    #[test]
    fn each_attempt_that_failed_is_found_under_its_own_name() {
        let good = good_attempts();
        let cases = [
            (Attempts { fifo: Err("SCHED_OTHER (EPERM)".into()), ..good.clone() }, "scheduling_fifo"),
            (Attempts { cpus: vec![0, 1, 2, 3], ..good.clone() }, "cpu_affinity"),
            (Attempts { locked: Err("not locked".into()), ..good.clone() }, "memory_locked"),
            (
                Attempts { prefault: Prefault { faults_left: Some(2), ..good.prefault }, ..good.clone() },
                "stack_prefaulted",
            ),
            (Attempts { prefault: Prefault { touched_bytes: 9, ..good.prefault }, ..good.clone() }, "stack_prefaulted"),
            (Attempts { memlock_limit_bytes: Some(8 << 20), ..good.clone() }, "memlock_limit"),
            (Attempts { rtprio_limit: Some(39), ..good.clone() }, "rtprio_limit"),
            (Attempts { timer_slack_ns: Some(50_000), ..good.clone() }, "timer_slack"),
            (Attempts { timer_slack_ns: None, ..good.clone() }, "timer_slack"),
        ];
        for (attempts, name) in cases {
            assert_eq!(missing(&good_files(), &attempts, &settings()), [name], "{attempts:?}");
        }
    }

    #[test]
    fn capabilities_stand_in_for_limits() {
        let mut files = good_files();
        files.retain(|(path, _)| *path != "proc/self/status");
        files.push(("proc/self/status", "CapEff:\t0000000000804000\n".to_owned()));
        let attempts = Attempts { memlock_limit_bytes: Some(0), rtprio_limit: Some(0), ..good_attempts() };
        assert_eq!(missing(&files, &attempts, &settings()), Vec::<&str>::new());
    }

    #[test]
    fn without_a_cpu_of_its_own_all_cpus_count() {
        let anywhere = ThreadSettings::default();
        let attempts = Attempts { cpus: vec![0, 1, 2, 3], ..good_attempts() };
        assert_eq!(missing(&good_files(), &attempts, &anywhere), ["cpu_governor", "cpu_isolated"]);
    }

    #[test]
    fn a_machine_that_tells_nothing_is_taken_for_fit_in_nothing_it_should_have_told() {
        let attempts = Attempts { rtprio_limit: Some(0), memlock_limit_bytes: Some(0), ..good_attempts() };
        let found = missing(&[], &attempts, &settings());
        for name in ["kernel_preempt_rt", "rt_throttling", "cpu_isolated", "no_inherited_fifo", "rtprio_limit"] {
            assert!(found.contains(&name), "{name} not in {found:?}");
        }
        assert!(found.iter().all(|name| NAMES.contains(name)));
    }
}
