//! What real time needs of the machine, and what of it is there: the start report.
//!
//! Made once, when a real-time thread starts. Each prerequisite says what was wanted, what was found, and what to do
//! about it. The same list is available as flags with fixed names, for points.

use std::fmt;

/// How many prerequisites there are.
pub const PREREQUISITES: usize = 12;

/// Their names, in the order of the report and of [`StartReport::flags`].
pub const NAMES: [&str; PREREQUISITES] = [
    "kernel_preempt_rt",
    "scheduling_fifo",
    "cpu_affinity",
    "memory_locked",
    "stack_prefaulted",
    "memlock_limit",
    "rtprio_limit",
    "rt_throttling",
    "cpu_governor",
    "cpu_isolated",
    "timer_slack",
    "no_inherited_fifo",
];

/// The first ones: without them a site with `realtime: Required` does not start. The others cost latency, not the
/// guarantee.
pub const ESSENTIAL: usize = 5;

/// One thing real time needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prerequisite {
    /// Its name, one of [`NAMES`].
    pub name: &'static str,
    /// What was wanted.
    pub wanted: String,
    /// What was found.
    pub got: String,
    /// Whether that is good enough.
    pub ok: bool,
    /// What to do if it is not: one sentence.
    pub remedy: String,
}

/// All prerequisites, in the order of [`NAMES`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartReport {
    prerequisites: [Prerequisite; PREREQUISITES],
}

impl StartReport {
    pub(super) fn new(findings: [Finding; PREREQUISITES]) -> Self {
        let mut names = NAMES.into_iter();
        let prerequisites = findings.map(|finding| Prerequisite {
            name: names.next().unwrap_or_default(),
            wanted: finding.wanted,
            got: finding.got,
            ok: finding.ok,
            remedy: finding.remedy,
        });
        Self { prerequisites }
    }

    /// All of them.
    #[must_use]
    pub fn prerequisites(&self) -> &[Prerequisite; PREREQUISITES] {
        &self.prerequisites
    }

    /// Those that are not fulfilled.
    pub fn missing(&self) -> impl Iterator<Item = &Prerequisite> {
        self.prerequisites.iter().filter(|each| !each.ok)
    }

    /// Those that are not fulfilled and that `realtime: Required` insists on.
    pub fn missing_essential(&self) -> impl Iterator<Item = &Prerequisite> {
        self.prerequisites.iter().take(ESSENTIAL).filter(|each| !each.ok)
    }

    /// Names and whether they are fulfilled, for points.
    #[must_use]
    pub fn flags(&self) -> [(&'static str, bool); PREREQUISITES] {
        self.prerequisites.each_ref().map(|each| (each.name, each.ok))
    }
}

/// One line each: name, what was found, and for what is missing what was wanted and what to do.
impl fmt::Display for StartReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for each in &self.prerequisites {
            if each.ok {
                writeln!(f, "ok      {:<17} {}", each.name, each.got)?;
            } else {
                writeln!(f, "missing {:<17} {}; wanted {}: {}", each.name, each.got, each.wanted, each.remedy)?;
            }
        }
        Ok(())
    }
}

/// A prerequisite before it has its name.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) wanted: String,
    pub(super) got: String,
    pub(super) ok: bool,
    pub(super) remedy: String,
}

/// The sentence of a refused start.
pub(super) fn sentence(missing: &[Prerequisite]) -> String {
    let parts = missing
        .iter()
        .map(|each| format!("{} is missing (wanted {}, got {}): {}", each.name, each.wanted, each.got, each.remedy));
    parts.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(missing: &[usize]) -> StartReport {
        let mut index = 0;
        StartReport::new([(); PREREQUISITES].map(|()| {
            let ok = !missing.contains(&index);
            index += 1;
            Finding { wanted: "much".into(), got: "little".into(), ok, remedy: format!("do step {index}") }
        }))
    }

    #[test]
    fn flags_carry_the_fixed_names_in_order() {
        let flags = report(&[1, 11]).flags();
        assert_eq!(flags.map(|(name, _)| name), NAMES);
        assert_eq!(flags[1], ("scheduling_fifo", false));
        assert_eq!(flags[11], ("no_inherited_fifo", false));
        assert_eq!(flags.iter().filter(|(_, ok)| *ok).count(), PREREQUISITES - 2);
    }

    #[test]
    fn only_the_first_five_are_essential() {
        let report = report(&[4, 5, 9]);
        assert_eq!(report.missing().count(), 3);
        assert_eq!(report.missing_essential().map(|each| each.name).collect::<Vec<_>>(), ["stack_prefaulted"]);
    }

    #[test]
    fn a_missing_one_prints_what_to_do() {
        let text = report(&[1]).to_string();
        assert_eq!(text.lines().count(), PREREQUISITES);
        assert!(text.contains("missing scheduling_fifo   little; wanted much: do step 2"), "{text}");
        assert!(text.contains("ok      cpu_governor      little"), "{text}");
    }
}
