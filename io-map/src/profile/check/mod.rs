//! From what is typed to what it means: every rule a profile must keep, with all problems at once.
//!
//! Nothing is repaired. Each part is built with stand-ins where it is wrong, so that the rest can still be looked at; a
//! profile comes out only if nothing was wrong.

mod points;
mod register;
mod start;
mod writables;

use super::at::At;
use super::file::{IdentityFile, LinkFile, ProfileFile, SunSpecFile};
use super::spec::{Checked, Identity, Link, Profile, SunSpecNeeds};
use crate::document::{Problem, Spanned, UniqueMap, proposal};
use crate::modbus::pdu::READ_REGISTERS_MAX;
use crate::modbus::plan::{Forbidden, Limits};
use std::ops::Range;

/// Checks a whole profile. The profile is only what it should be if there are no problems.
pub(super) fn check(file: &ProfileFile) -> (Profile, Vec<Problem>) {
    let mut check = Check { file, problems: Vec::new() };
    for (what, text) in [("the vendor", &file.vendor), ("the model", &file.model)] {
        check.not_empty(what, text);
    }
    if file.sources.value.is_empty() || file.sources.value.iter().any(|s| s.trim().is_empty()) {
        check.refuse(&file.sources.span, "a profile without a source", "name the maker's document, with its revision");
    }
    check.names();
    let profile = Profile {
        vendor: file.vendor.value.clone(),
        model: file.model.value.clone(),
        kind: file.kind,
        sources: file.sources.value.clone(),
        certainty: file.certainty,
        verified: file.verified,
        link: check.link(),
        identity: check.identity(),
        sunspec: file.sunspec.as_ref().map(|s| check.sunspec(s)),
        points: check.points(),
        writables: check.writables(),
        life: check.life(),
        heartbeat: check.heartbeat(),
        watchdog: check.watchdog(),
        connect: check.connect(),
        limits: check.limits(),
        checked: Checked,
    };
    check.reads(&profile);
    check.write_groups(&profile);
    (profile, check.problems)
}

struct Check<'f> {
    file: &'f ProfileFile,
    problems: Vec<Problem>,
}

impl<'f> Check<'f> {
    fn refuse(&mut self, span: &Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        self.problems.push(Problem::at(span.clone(), message).help(help));
    }

    fn not_empty(&mut self, what: &str, text: &Spanned<String>) {
        if text.value.trim().is_empty() {
            self.refuse(&text.span, format!("{what} is empty"), "say what it is");
        }
    }

    fn source(&mut self, source: &Spanned<String>) -> String {
        if source.value.trim().is_empty() {
            self.refuse(&source.span, "a fact without a source", "name the document and page, or the SunSpec point");
        }
        source.value.clone()
    }

    /// `value` if it lies in the range, else the nearer end and a problem.
    fn within<T: PartialOrd + Copy + std::fmt::Display>(
        &mut self,
        what: &str,
        value: &Spanned<T>,
        (low, high): (T, T),
    ) -> T {
        if low <= value.value && value.value <= high {
            return value.value;
        }
        let message = format!("{what} is {}", value.value);
        self.refuse(&value.span, message, format!("it must lie within {low} and {high}"));
        if value.value > high { high } else { low }
    }

    /// The position of a name in a map, or a problem with a proposal.
    fn find<V>(&mut self, what: &str, name: &str, span: &Range<usize>, among: &UniqueMap<V>) -> Option<usize> {
        let found = among.names().position(|n| n == name);
        if found.is_none() {
            let known: Vec<&str> = among.names().collect();
            let help = proposal(name, &known).unwrap_or_else(|| format!("the profile has no {what} of that name"));
            self.refuse(span, format!("no {what} is called `{name}`"), help);
        }
        found
    }

    /// Points and writables share one space of names, so that `device.name` is never two things.
    fn names(&mut self) {
        let file = self.file;
        for (name, _) in file.points.iter() {
            self.name(name);
        }
        for (name, _) in file.writables.iter() {
            self.name(name);
            if file.points.names().any(|p| p == name.value) {
                let message = format!("`{}` is a point and a writable", name.value);
                let help = format!("call the point `{}_actual`", name.value);
                self.refuse(&name.span, message, help);
            }
        }
    }

    fn name(&mut self, name: &Spanned<String>) {
        let mut chars = name.value.chars();
        let good = chars.next().is_some_and(|c| c.is_ascii_lowercase())
            && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if !good || name.value.len() > 40 {
            let message = format!("`{}` is no name", name.value);
            self.refuse(&name.span, message, "use at most 40 small letters, digits and _, a letter first");
        }
    }

    fn link(&mut self) -> Link {
        let link: &'f LinkFile = &self.file.link;
        let read_max = self.within("the longest read", &link.read_max, (1, READ_REGISTERS_MAX));
        let mut forbidden = Vec::new();
        for range in &link.forbidden {
            let (area, first, last) = range.value;
            if first > last {
                let message = format!("the forbidden range ends at {last:#06x}, before it begins at {first:#06x}");
                self.refuse(&range.span, message, "write the lower address first");
            }
            forbidden.push(Forbidden { area, first, last });
        }
        Link {
            port: link.port.as_ref().map_or(502, |p| self.within("the TCP port", p, (1, u16::MAX))),
            read_max,
            gap_max: self.within("the longest hole in a read", &link.gap_max, (0, read_max - 1)),
            aligned: link.aligned.as_ref().map_or(0, |a| self.within("the group of registers", a, (1, 0x4000))),
            word_order: link.word_order,
            forbidden,
            gap_min_ms: self.within("the pause between requests in ms", &link.gap_min_ms, (0, 10_000)),
            timeout_ms: self.within("the time-out in ms", &link.timeout_ms, (10, 60_000)),
        }
    }

    fn sunspec(&mut self, file: &SunSpecFile) -> SunSpecNeeds {
        let (bases, models) = (&file.bases, &file.models);
        if bases.value.is_empty() || bases.value.iter().any(|b| *b > 65_532) {
            self.refuse(&bases.span, "no place to look for the SunSpec marker", "bases: [40000, 0, 50000]");
        }
        if models.value.is_empty() || models.value.iter().any(|m| [0, u16::MAX].contains(m)) {
            self.refuse(&models.span, "models must have ids from 1 to 65534", "models: [1, 701, 704]");
        }
        for (what, list) in [("base", bases), ("model", models)] {
            if let Some(twice) = list.value.iter().enumerate().find(|(i, v)| list.value[..*i].contains(v)) {
                self.refuse(&list.span, format!("{what} {} is given twice", twice.1), "leave one of them out");
            }
        }
        SunSpecNeeds { bases: bases.value.clone(), models: models.value.clone() }
    }

    /// What we cannot do without must be in a model that the device is required to have.
    fn required(&mut self, what: &str, at: At, span: &Range<usize>) {
        let (Some(model), Some(sunspec)) = (at.model(), &self.file.sunspec) else { return };
        if !sunspec.models.value.contains(&model) {
            let message = format!("{what} lies in model {model}, which the device need not have");
            self.refuse(span, message, format!("add {model} to `sunspec.models`"));
        }
    }

    fn identity(&mut self) -> Vec<Identity> {
        let file = self.file;
        file.identity.iter().filter_map(|entry| entry.0.as_ref()).map(|entry| self.identity_of(entry)).collect()
    }

    fn identity_of(&mut self, entry: &IdentityFile) -> Identity {
        match entry {
            IdentityFile::Register { at, encoding, expect, source } => {
                self.required("the identity", at.value, &at.span);
                let (low, high) = expect.value;
                if low > high {
                    self.refuse(
                        &expect.span,
                        format!("nothing lies between {low} and {high}"),
                        "write the lower first",
                    );
                }
                Identity::Register {
                    register: self.register(&register::Typed::plain(at, encoding)),
                    expect: (low as f64, high as f64),
                    source: self.source(source),
                }
            }
            IdentityFile::Text { at, registers, expect, source } => {
                self.required("the identity", at.value, &at.span);
                self.address(at, registers.value);
                if at.value.area().is_bits() {
                    self.refuse(&at.span, "bits hold no text", "use `Holding`, `Input` or `SunSpec`");
                }
                let most = if self.file.link.read_max.value < 64 { self.file.link.read_max.value } else { 64 };
                let registers = self.within("the number of registers", registers, (1, most));
                let fits = expect.value.is_ascii() && expect.value.len() <= 2 * usize::from(registers);
                if expect.value.trim().is_empty() || !fits {
                    let help = format!("write 1 to {} ASCII characters", 2 * registers);
                    self.refuse(&expect.span, format!("{registers} registers cannot hold this text"), help);
                }
                Identity::Text { at: at.value, registers, expect: expect.value.clone(), source: self.source(source) }
            }
        }
    }
}

/// What the planner needs to know of a device.
pub(super) fn limits(link: &Link) -> Limits {
    Limits {
        registers_max: link.read_max,
        gap_max: link.gap_max,
        aligned: link.aligned,
        forbidden: link.forbidden.clone(),
    }
}

#[cfg(test)]
mod tests;
