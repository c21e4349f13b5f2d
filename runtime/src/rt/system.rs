//! What the system's files say about its fitness for real time. Reads /proc and /sys once, at the start.
//!
//! A file that is missing or makes no sense gives `None` (or an empty list): unknown, which the report does not take for
//! fulfilled.

use std::fs;
use std::path::{Path, PathBuf};

/// CAP_IPC_LOCK of capabilities(7): lock any amount of memory.
pub(super) const CAP_IPC_LOCK: u32 = 14;
/// CAP_SYS_NICE of capabilities(7): any scheduling policy and priority.
pub(super) const CAP_SYS_NICE: u32 = 23;

/// More CPUs than this in a list are not believed.
const CPUS_MAX: usize = 8192;

/// The system's files, below `/` or, in a test, below a directory.
#[derive(Clone, Debug)]
pub(super) struct System {
    root: PathBuf,
}

impl Default for System {
    fn default() -> Self {
        Self::below(Path::new("/"))
    }
}

impl System {
    pub(super) fn below(root: &Path) -> Self {
        Self { root: root.to_path_buf() }
    }

    fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.root.join(path)).ok().map(|text| text.trim().to_owned())
    }

    /// The kernel's build line: its kind of preemption stands in it.
    pub(super) fn kernel_version(&self) -> Option<String> {
        self.read("proc/sys/kernel/version")
    }

    /// Whether the kernel is PREEMPT_RT: the patched ones say so in a file, the others in their build line.
    pub(super) fn is_preempt_rt(&self) -> bool {
        self.read("sys/kernel/realtime").is_some_and(|text| text == "1")
            || self.kernel_version().is_some_and(|text| text.split_whitespace().any(|word| word == "PREEMPT_RT"))
    }

    /// Of each `period_us` real-time threads may run `runtime_us`; -1: without limit.
    pub(super) fn throttling(&self) -> Option<(i64, i64)> {
        let number = |path| self.read(path)?.parse().ok();
        Some((number("proc/sys/kernel/sched_rt_runtime_us")?, number("proc/sys/kernel/sched_rt_period_us")?))
    }

    /// The CPUs that the scheduler gives no other work (isolcpus=).
    pub(super) fn isolated_cpus(&self) -> Vec<usize> {
        self.read("sys/devices/system/cpu/isolated").map(|text| cpu_list(&text)).unwrap_or_default()
    }

    /// The CPUs in use.
    pub(super) fn online_cpus(&self) -> Vec<usize> {
        self.read("sys/devices/system/cpu/online").map(|text| cpu_list(&text)).unwrap_or_default()
    }

    /// How the frequency of a CPU is governed; `None` where it is not.
    pub(super) fn governor(&self, cpu: usize) -> Option<String> {
        self.read(&format!("sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor"))
    }

    /// Whether the process has a capability in effect.
    pub(super) fn has_capability(&self, capability: u32) -> bool {
        let effective = self.status("CapEff:").and_then(|text| u64::from_str_radix(&text, 16).ok());
        effective.is_some_and(|bits| bits >> capability & 1 == 1)
    }

    /// Locked memory, in the kernel's words.
    pub(super) fn locked_memory(&self) -> Option<String> {
        self.status("VmLck:")
    }

    fn status(&self, field: &str) -> Option<String> {
        let status = self.read("proc/self/status")?;
        status.lines().find_map(|line| line.strip_prefix(field)).map(|text| text.trim().to_owned())
    }

    /// The threads of this process that have a real-time policy, by name, without those whose ids are in `known`.
    /// `None` if they cannot be listed.
    pub(super) fn realtime_threads(&self, known: &[i32]) -> Option<Vec<String>> {
        let tasks = fs::read_dir(self.root.join("proc/self/task")).ok()?;
        let stats = tasks.flatten().filter_map(|task| fs::read_to_string(task.path().join("stat")).ok());
        let threads = stats.filter_map(|stat| Task::parse(&stat));
        Some(threads.filter(|task| task.realtime && !known.contains(&task.id)).map(|task| task.name).collect())
    }
}

/// What is of interest in a thread's stat line, proc_pid_stat(5).
#[derive(Debug, PartialEq, Eq)]
struct Task {
    id: i32,
    name: String,
    realtime: bool,
}

impl Task {
    /// The name stands in parentheses and may hold any of them itself, so the last one ends it; the fields after it are
    /// counted from 3.
    fn parse(stat: &str) -> Option<Self> {
        let (head, tail) = stat.rsplit_once(')')?;
        let (id, name) = head.split_once('(')?;
        let policy: u32 = tail.split_whitespace().nth(41 - 3)?.parse().ok()?;
        // SCHED_FIFO 1, SCHED_RR 2, SCHED_DEADLINE 6 of sched(7)
        Some(Self { id: id.trim().parse().ok()?, name: name.to_owned(), realtime: matches!(policy, 1 | 2 | 6) })
    }
}

/// A list such as `0-2,5`.
fn cpu_list(text: &str) -> Vec<usize> {
    let ranges = text.split(',').filter_map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (first.trim().parse::<usize>().ok()?, last.trim().parse::<usize>().ok()?);
        (last < CPUS_MAX).then_some(first..=last)
    });
    ranges.flatten().collect()
}

/// CPUs in words, for the report.
pub(super) fn cpus_in_words(cpus: &[usize]) -> String {
    if cpus.is_empty() {
        return "none".to_owned();
    }
    cpus.iter().map(usize::to_string).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// A directory with system files in it, removed when dropped.
    pub(in crate::rt) struct FakeSystem {
        root: PathBuf,
    }

    impl FakeSystem {
        pub(in crate::rt) fn with(files: &[(&str, &str)]) -> Self {
            static MADE: AtomicU32 = AtomicU32::new(0);
            let number = MADE.fetch_add(1, Ordering::Relaxed);
            let root = std::env::temp_dir().join(format!("flyball-rt-{}-{number}", std::process::id()));
            for (path, text) in files {
                let file = root.join(path);
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, text).unwrap();
            }
            Self { root }
        }

        pub(in crate::rt) fn system(&self) -> System {
            System::below(&self.root)
        }
    }

    impl Drop for FakeSystem {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.root);
        }
    }

    /// A stat line of 52 fields.
    pub(in crate::rt) fn stat(id: i32, name: &str, policy: u32) -> String {
        let rest: Vec<String> = (4..=52).map(|field| if field == 41 { policy } else { 9 }.to_string()).collect();
        format!("{id} ({name}) S {}\n", rest.join(" "))
    }

    #[test]
    fn cpu_lists_are_read_as_the_kernel_writes_them() {
        assert_eq!(cpu_list("0-2,5"), [0, 1, 2, 5]);
        assert_eq!(cpu_list("3"), [3]);
        assert_eq!(cpu_list(""), Vec::<usize>::new());
        assert_eq!(cpu_list("0-99999999999,x,7-6,1"), [1]);
        assert_eq!(cpus_in_words(&[1, 4]), "1,4");
    }

    #[test]
    fn a_kernel_is_real_time_by_its_file_or_by_its_build_line_and_not_by_a_similar_word() {
        for (files, expected) in [
            (vec![("sys/kernel/realtime", "1\n")], true),
            (vec![("proc/sys/kernel/version", "#1 SMP PREEMPT_RT Debian 6.12\n")], true),
            (vec![("proc/sys/kernel/version", "#1 SMP PREEMPT_DYNAMIC\n"), ("sys/kernel/realtime", "0")], false),
            (vec![], false),
        ] {
            assert_eq!(FakeSystem::with(&files).system().is_preempt_rt(), expected, "{files:?}");
        }
    }

    #[test]
    fn a_thread_name_with_parentheses_and_blanks_does_not_shift_the_policy() {
        let task = Task::parse(&stat(12, "a) 1 (b", 1)).unwrap();
        assert_eq!(task, Task { id: 12, name: "a) 1 (b".to_owned(), realtime: true });
        assert!(!Task::parse(&stat(1, "x", 0)).unwrap().realtime);
        assert_eq!(Task::parse("12 (cut) S 1 2"), None);
        assert_eq!(Task::parse(""), None);
    }

    #[test]
    fn threads_that_inherited_real_time_are_named_and_the_known_ones_are_not() {
        let (main, scan, helper) = (stat(10, "flyball", 0), stat(11, "scan", 1), stat(12, "mqtt", 1));
        let fake = FakeSystem::with(&[
            ("proc/self/task/10/stat", main.as_str()),
            ("proc/self/task/11/stat", scan.as_str()),
            ("proc/self/task/12/stat", helper.as_str()),
        ]);
        assert_eq!(fake.system().realtime_threads(&[11]), Some(vec!["mqtt".to_owned()]));
        assert_eq!(FakeSystem::with(&[]).system().realtime_threads(&[]), None);
    }

    #[test]
    fn capabilities_are_read_by_their_bit() {
        let fake = FakeSystem::with(&[("proc/self/status", "Name:\tx\nVmLck:\t  12 kB\nCapEff:\t0000000000804000\n")]);
        assert!(fake.system().has_capability(CAP_IPC_LOCK) && fake.system().has_capability(CAP_SYS_NICE));
        assert!(!fake.system().has_capability(21));
        assert!(!FakeSystem::with(&[]).system().has_capability(CAP_SYS_NICE));
        assert_eq!(fake.system().locked_memory().as_deref(), Some("12 kB"));
    }

    #[test]
    fn throttling_is_known_only_when_both_its_files_are() {
        let fake = FakeSystem::with(&[
            ("proc/sys/kernel/sched_rt_runtime_us", "-1\n"),
            ("proc/sys/kernel/sched_rt_period_us", "1000000\n"),
        ]);
        assert_eq!(fake.system().throttling(), Some((-1, 1_000_000)));
        assert_eq!(FakeSystem::with(&[("proc/sys/kernel/sched_rt_runtime_us", "5")]).system().throttling(), None);
    }

    #[test]
    fn this_system_answers() {
        let system = System::default();
        assert!(system.kernel_version().is_some());
        assert!(!system.online_cpus().is_empty());
        assert!(system.realtime_threads(&[]).is_some());
        assert!(system.locked_memory().is_some());
    }
}
