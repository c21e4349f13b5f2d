//! Writables: what they take, how they are written, and that a request for them can exist.

use super::super::file::{KindFile, PolicyFile, WritableFile};
use super::super::group::{Part, groups};
use super::super::spec::{Profile, Register};
use super::super::writable::{Constant, Function, Policy, ReadBack, WritableKind, WritableSpec};
use super::super::write::WRITE_MAX;
use super::{Check, register::Typed};
use crate::document::{Spanned, proposal};
use crate::modbus::Encoding;
use std::ops::Range;

/// A day, ms.
const DAY_MS: u32 = 86_400_000;

impl Check<'_> {
    pub(super) fn writables(&mut self) -> Vec<WritableSpec> {
        let file = self.file;
        let mut groups: Vec<&str> = Vec::new();
        for (_, entry) in file.writables.iter() {
            if let Some(group) = entry.0.as_ref().and_then(|w| w.together.as_ref())
                && !groups.contains(&group.value.as_str())
            {
                groups.push(&group.value);
            }
        }
        let entries = file.writables.iter().filter_map(|(name, entry)| Some((name, entry.0.as_ref()?)));
        entries.map(|(name, writable)| self.writable(name, writable, &groups)).collect()
    }

    fn writable(&mut self, name: &Spanned<String>, file: &WritableFile, groups: &[&str]) -> WritableSpec {
        let register = self.register(&Typed {
            at: &file.at,
            encoding: &file.encoding,
            word_order: file.word_order,
            scale: file.scale.as_ref(),
            scale_factor: file.scale_factor.as_ref(),
            raw_offset: file.raw_offset.as_ref(),
            sign: file.sign.as_ref(),
            not_implemented: None,
        });
        self.writable_place(&format!("`{}`", name.value), &register, &file.at.span);
        let with = file.with.iter().map(|constant| {
            let register = self.register(&Typed::plain(&constant.at, &constant.encoding));
            self.writable_place("the constant", &register, &constant.at.span);
            self.writable_number(&register, constant.value.value, "the constant", &constant.value.span);
            Constant { register, value: constant.value.value }
        });
        let with = with.collect();
        let kind = self.kind(file, &register);
        let together = file.together.as_ref().and_then(|t| groups.iter().position(|g| *g == t.value));
        if let (WritableKind::Pulse { .. }, Some(together)) = (&kind, &file.together) {
            let help = "give the pulse a request of its own: leave `together` out";
            self.refuse(&together.span, "a pulse would be repeated whenever its group is written", help);
        }
        WritableSpec {
            name: name.value.clone(),
            policy: self.policy(&file.policy, &kind, file.encoding.value),
            read_back: self.read_back(&file.read_back, matches!(kind, WritableKind::Pulse { .. })),
            kind,
            register,
            with,
            function: self.function(file.function.as_ref()),
            together: together.map(|t| u16::try_from(t).unwrap_or(u16::MAX)),
            source: self.source(&file.source),
            certainty: file.certainty.unwrap_or(self.file.certainty),
        }
    }

    /// That something may be written there at all.
    pub(super) fn writable_place(&mut self, what: &str, register: &Register, span: &Range<usize>) {
        if !register.at.area().is_writable() {
            let message = format!("{what} lies in a {}, which cannot be written", register.at.area());
            self.refuse(span, message, "only `Coil`, `Holding` and `SunSpec` addresses can be written");
        }
        if register.codec.encoding.is_part() {
            let message = format!("{what} is a part of a register");
            self.refuse(span, message, "write whole registers: use `Enum` or a number");
        }
        self.required(what, register.at, span);
        if let Some(factor) = register.factor {
            self.required("the scale factor", factor, span);
        }
    }

    /// How something is written, if it does not say so itself.
    pub(super) fn function(&self, function: Option<&Spanned<Function>>) -> Function {
        function.map(|f| f.value).or(self.file.link.write).unwrap_or(Function::WriteMultiple)
    }

    fn kind(&mut self, file: &WritableFile, register: &Register) -> WritableKind {
        let encoding = file.encoding.value;
        let is_code = matches!(encoding, Encoding::Bool | Encoding::Enum | Encoding::U16) && register.factor.is_none();
        let wrong = match file.kind.value {
            KindFile::Real { .. } => !encoding.is_number() || file.at.value.area().is_bits(),
            KindFile::Choice { .. } | KindFile::Pulse(_) => !is_code,
        };
        if wrong {
            let message = format!("{encoding:?} does not fit this kind of output");
            self.refuse(
                &file.encoding.span,
                message,
                "a Real is a number; a Choice or Pulse is `Bool`, `Enum` or `U16`",
            );
        }
        match &file.kind.value {
            KindFile::Real { unit, range, safe } => {
                self.range("range", range);
                let (low, high) = range.value;
                if !(low..=high).contains(&safe.value) {
                    let message = format!("the safe value {} is outside the range", safe.value);
                    self.refuse(&safe.span, message, format!("it must lie within {low} and {high}"));
                }
                for end in [low, high] {
                    self.writable_number(register, end, "the end of the range", &range.span);
                }
                WritableKind::Real { unit: *unit, range: range.value, safe: safe.value }
            }
            KindFile::Choice { values, safe } => self.choice(register, values, safe),
            KindFile::Pulse(code) => {
                self.writable_number(register, f64::from(*code), "the pulse", &file.kind.span);
                WritableKind::Pulse { code: *code }
            }
        }
    }

    fn choice(
        &mut self,
        register: &Register,
        values: &Spanned<Vec<(String, u16)>>,
        safe: &Spanned<String>,
    ) -> WritableKind {
        if !(2..=32).contains(&values.value.len()) {
            let message = format!("a choice between {} values", values.value.len());
            self.refuse(&values.span, message, "a choice has 2 to 32 values");
        }
        for (i, (name, code)) in values.value.iter().enumerate() {
            let before = &values.value[..i];
            if name.trim().is_empty() || before.iter().any(|(n, c)| n == name || c == code) {
                let message = format!("`{name}` ({code}) is empty, or stands there twice");
                self.refuse(&values.span, message, "each value has its own name and its own code");
            }
            self.writable_number(register, f64::from(*code), &format!("`{name}`"), &values.span);
        }
        let index = values.value.iter().position(|(name, _)| *name == safe.value);
        if index.is_none() {
            let names: Vec<&str> = values.value.iter().map(|(name, _)| name.as_str()).collect();
            let help = proposal(&safe.value, &names).unwrap_or_else(|| "it must be one of the values".into());
            self.refuse(&safe.span, format!("the safe value `{}` is none of the values", safe.value), help);
        }
        let safe = index.and_then(|i| u8::try_from(i).ok()).unwrap_or(0);
        WritableKind::Choice { values: values.value.clone(), safe }
    }

    fn policy(&mut self, file: &Spanned<PolicyFile>, kind: &WritableKind, encoding: Encoding) -> Policy {
        let (span, file) = (&file.span, &file.value);
        let dead_band = file.dead_band.as_ref().map_or(0.0, |d| d.value);
        if let Some(given) = &file.dead_band {
            match kind {
                WritableKind::Real { range: (low, high), .. } if !(0.0..high - low).contains(&given.value) => {
                    let message = format!("the dead band is {}", given.value);
                    self.refuse(&given.span, message, "it must be 0 or more, and less than the range");
                }
                WritableKind::Real { .. } => {}
                _ => self.refuse(&given.span, format!("{encoding:?} has no dead band"), "leave `dead_band` out"),
            }
        }
        let refresh_ms = file.refresh_ms.as_ref().map(|r| r.value);
        if let Some(refresh) = &file.refresh_ms {
            if refresh.value == 0 || refresh.value < file.gap_min_ms {
                let message =
                    format!("written again every {} ms, but not faster than {} ms", refresh.value, file.gap_min_ms);
                self.refuse(&refresh.span, message, "refresh more slowly, or allow faster writes with `gap_min_ms`");
            }
            if matches!(kind, WritableKind::Pulse { .. }) {
                self.refuse(&refresh.span, "a pulse is never repeated", "leave `refresh_ms` out");
            }
        }
        if file.gap_min_ms > DAY_MS {
            self.refuse(span, format!("at most one write in {} ms", file.gap_min_ms), "allow at least one a day");
        }
        let flash_writes_per_day_max = file.flash_writes_per_day_max.as_ref().map(|f| f.value);
        if let Some(most) = &file.flash_writes_per_day_max {
            let refreshes = refresh_ms.and_then(|r| DAY_MS.checked_div(r)).unwrap_or(0);
            if most.value == 0 || refreshes > most.value {
                let message = format!("{refreshes} writes a day, and the flash memory stands {}", most.value);
                self.refuse(&most.span, message, "do not refresh what lies in flash memory");
            }
        }
        Policy { dead_band, gap_min_ms: file.gap_min_ms, refresh_ms, flash_writes_per_day_max }
    }

    pub(super) fn read_back(&mut self, file: &Spanned<ReadBack>, pulse: bool) -> ReadBack {
        match &file.value {
            ReadBack::Within { .. } if pulse => {
                let help = "read_back: Never(\"the device clears it by itself\")";
                self.refuse(&file.span, "a pulse does not stay, so it cannot be read back", help);
            }
            ReadBack::Within { ms, tolerance } => {
                if *ms == 0 || *ms > 600_000 || *tolerance < 0.0 {
                    let message = format!("read back within {ms} ms to within {tolerance}");
                    self.refuse(&file.span, message, "1 to 600000 ms, and a tolerance of 0 or more");
                }
            }
            ReadBack::Never(reason) if reason.trim().is_empty() => {
                let help = "say why the device does not show what was written";
                self.refuse(&file.span, "a write that is never proven, without a reason", help);
            }
            ReadBack::Never(_) => {}
        }
        file.value.clone()
    }

    /// That each group of writables can be one request.
    pub(super) fn write_groups(&mut self, profile: &Profile) {
        for group in groups(&profile.writables) {
            self.group(profile, &group);
        }
        let all: Vec<Part<'_>> = groups(&profile.writables).into_iter().flatten().collect();
        for (i, b) in all.iter().enumerate() {
            let hit =
                all[..i].iter().find(|a| a.register.at.overlaps(a.register.len(), b.register.at, b.register.len()));
            if let Some(a) = hit {
                let (a, b) = (&profile.writables[a.writable].name, &profile.writables[b.writable].name);
                let message = format!("`{a}` and `{b}` write the same registers");
                self.refuse(&self.writable_at(b), message, "one of the two addresses is wrong");
            }
        }
    }

    fn group(&mut self, profile: &Profile, group: &[Part<'_>]) {
        let writable = |part: &Part<'_>| &profile.writables[part.writable];
        let (Some(first), Some(last)) = (group.first(), group.last()) else { return };
        let span = self.writable_at(&writable(first).name);
        let function = writable(first).function;
        if let Some(other) = group.iter().find(|p| writable(p).function != function) {
            let help = "give them the same `function`";
            self.refuse(&self.writable_at(&writable(other).name), "one request has one function", help);
        }
        for pair in group.windows(2) {
            let (a, b) = (pair[0].register, pair[1].register);
            let next = u32::from(a.at.offset()) + u32::from(a.len());
            let follows = (a.at.area(), a.at.model()) == (b.at.area(), b.at.model());
            if !follows || u32::from(b.at.offset()) > next {
                let message = format!("between {} and {} lies a hole, and one request has none", a.at, b.at);
                let help = "only neighbours can be written together; fill the hole with a constant in `with`";
                self.refuse(&self.writable_at(&writable(&pair[1]).name), message, help);
            }
        }
        let end = u32::from(last.register.at.offset()) + u32::from(last.register.len());
        let count = end.saturating_sub(u32::from(first.register.at.offset()));
        if usize::try_from(count).is_ok_and(|count| count > WRITE_MAX) {
            self.refuse(
                &span,
                format!("{count} registers in one request"),
                format!("at most {WRITE_MAX} can be written"),
            );
        }
        let proven = group.iter().any(|p| matches!(writable(p).read_back, ReadBack::Within { .. }));
        if proven && !first.register.at.area().is_bits() && count > u32::from(profile.link.read_max) {
            let help = "see `link.read_max`; write them apart";
            self.refuse(&span, format!("{count} registers cannot be read back in one read"), help);
        }
        if function == Function::WriteSingle && count > 1 {
            let message = format!("{count} registers cannot be written one by one");
            self.refuse(&span, message, "function: WriteMultiple");
        }
    }

    /// Where the address of a writable is written.
    pub(super) fn writable_at(&self, name: &str) -> Range<usize> {
        let entry = self.file.writables.get(name).and_then(|w| w.0.as_ref());
        entry.map_or(self.file.model.span.clone(), |w| w.at.span.clone())
    }
}
