//! Points: what they hold, how old they may get, and whether they can be read at all.

use super::super::at::At;
use super::super::file::PointFile;
use super::super::point::PointSpec;
use super::super::spec::{Profile, Register};
use super::{Check, limits, register::Typed};
use crate::document::Spanned;
use crate::image::{Unit, ValueKind};
use crate::modbus::plan::{Item, PlanError, plan};
use crate::modbus::{Encoding, Poll};
use std::ops::Range;

impl Check<'_> {
    pub(super) fn points(&mut self) -> Vec<PointSpec> {
        let file = self.file;
        if file.points.0.is_empty() {
            self.refuse(
                &file.model.span,
                "a profile without points",
                "a device of which nothing is known cannot be used",
            );
        }
        let mut syncs: Vec<&str> = Vec::new();
        for (_, entry) in file.points.iter() {
            if let Some(sync) = entry.0.as_ref().and_then(|p| p.sync.as_deref())
                && !syncs.contains(&sync)
            {
                syncs.push(sync);
            }
        }
        let entries = file.points.iter().filter_map(|(name, entry)| Some((name, entry.0.as_ref()?)));
        let points: Vec<PointSpec> = entries.map(|(name, point)| self.point(name, point, &syncs)).collect();
        self.overlaps(&points);
        points
    }

    fn point(&mut self, name: &Spanned<String>, file: &PointFile, syncs: &[&str]) -> PointSpec {
        let register = self.register(&Typed {
            at: &file.at,
            encoding: &file.encoding,
            word_order: file.word_order,
            scale: file.scale.as_ref(),
            scale_factor: file.scale_factor.as_ref(),
            raw_offset: file.raw_offset.as_ref(),
            sign: file.sign.as_ref(),
            not_implemented: file.not_implemented.as_ref(),
        });
        let kind = match file.encoding.value {
            Encoding::Enum => ValueKind::Code,
            Encoding::Bits(..) if file.codes.is_some() => ValueKind::Code,
            encoding if encoding.is_flag() => ValueKind::Flag,
            _ => ValueKind::Real,
        };
        self.ages(file);
        let sync = file.sync.as_ref().and_then(|sync| syncs.iter().position(|s| s == sync));
        PointSpec {
            name: name.value.clone(),
            register,
            kind,
            unit: self.unit(name, file, kind),
            plausible: self.plausible(name, file, kind),
            poll: file.poll,
            age_max_ms: file.age_max_ms.value,
            update_ms: file.update_ms.as_ref().map(|u| self.within("the device's own period in ms", u, (1, 3_600_000))),
            frozen_after_ms: file.frozen_after_ms.as_ref().map(|f| f.value),
            codes: self.codes(file, kind),
            sync: sync.map(|s| u16::try_from(s).unwrap_or(u16::MAX)),
            source: self.source(&file.source),
            certainty: file.certainty.unwrap_or(self.file.certainty),
        }
    }

    fn unit(&mut self, name: &Spanned<String>, file: &PointFile, kind: ValueKind) -> Unit {
        match (&file.unit.0, kind) {
            (Some(unit), ValueKind::Real) => unit.value,
            (None, ValueKind::Real) => {
                let message = format!("`{}` is a number without a unit", name.value);
                self.refuse(
                    &name.span,
                    message,
                    "add `unit:`, one of W, Var, Va, Wh, V, A, Hz, DegC, Percent, S, None",
                );
                Unit::None
            }
            (Some(unit), _) if unit.value != Unit::None => {
                self.refuse(&unit.span, format!("{kind} has no unit"), "leave `unit` out");
                Unit::None
            }
            _ => Unit::None,
        }
    }

    fn plausible(&mut self, name: &Spanned<String>, file: &PointFile, kind: ValueKind) -> (f64, f64) {
        match (&file.plausible, kind) {
            (Some(range), ValueKind::Real) => {
                self.range("plausible", range);
                range.value
            }
            (None, ValueKind::Real) => {
                let message = format!("`{}` has no plausible range", name.value);
                self.refuse(&name.span, message, "add `plausible: (lowest, highest)` in its unit");
                (0.0, 0.0)
            }
            (Some(range), _) => {
                self.refuse(&range.span, format!("{kind} has no plausible range"), "leave `plausible` out");
                (0.0, 0.0)
            }
            (None, ValueKind::Flag) => (0.0, 1.0),
            (None, ValueKind::Code) => (0.0, 65_535.0),
        }
    }

    /// The lower end of a range must be below its upper end.
    pub(super) fn range(&mut self, what: &str, range: &Spanned<(f64, f64)>) {
        let (low, high) = range.value;
        if !(low < high && (high - low).is_finite()) {
            let message = format!("`{what}` is from {low} to {high}");
            self.refuse(&range.span, message, "write the lowest value first, then the highest");
        }
    }

    fn ages(&mut self, file: &PointFile) {
        let period = file.poll.period_ms(1);
        let least = 2 * period;
        if file.age_max_ms.value < least {
            let message = format!("too old after {} ms, but read every {period} ms", file.age_max_ms.value);
            self.refuse(
                &file.age_max_ms.span,
                message,
                format!("allow at least two polls, {least} ms, or poll faster"),
            );
        }
        if let Some(frozen) = &file.frozen_after_ms
            && frozen.value < least
        {
            let message = format!("frozen after {} ms, but read every {period} ms", frozen.value);
            self.refuse(&frozen.span, message, format!("allow at least two polls, {least} ms, or poll faster"));
        }
    }

    fn codes(&mut self, file: &PointFile, kind: ValueKind) -> Vec<(u16, String)> {
        let Some(codes) = &file.codes else {
            if kind == ValueKind::Code {
                self.refuse(&file.encoding.span, "a code without names", "add `codes: [(0, \"off\"), (1, \"on\")]`");
            }
            return Vec::new();
        };
        if kind != ValueKind::Code {
            self.refuse(&codes.span, format!("{kind} has no codes"), "use the encoding `Enum` or `Bits(from, len)`");
        }
        let mut sorted = codes.value.clone();
        sorted.sort_by_key(|(code, _)| *code);
        let twice = sorted.windows(2).find(|pair| pair[0].0 == pair[1].0);
        if let Some(twice) = twice {
            self.refuse(&codes.span, format!("code {} is given twice", twice[0].0), "leave one of them out");
        }
        for (i, (_, name)) in sorted.iter().enumerate() {
            if name.trim().is_empty() || sorted[..i].iter().any(|(_, other)| other == name) {
                self.refuse(&codes.span, format!("`{name}` does not name one code"), "give each code its own name");
            }
        }
        sorted
    }

    /// Two points may share registers only if they are parts of the same ones.
    fn overlaps(&mut self, points: &[PointSpec]) {
        for (i, b) in points.iter().enumerate() {
            for a in &points[..i] {
                let (ra, rb) = (&a.register, &b.register);
                let same = ra.at == rb.at && ra.len() == rb.len();
                if ra.at.overlaps(ra.len(), rb.at, rb.len()) && !(same && shares(ra) && shares(rb)) {
                    let message = format!("`{}` and `{}` lie on the same registers", a.name, b.name);
                    let help =
                        format!("`{}` takes {} from {}: one of the two addresses is wrong", a.name, ra.len(), ra.at);
                    self.refuse(&self.at_of(&b.name), message, help);
                }
            }
            for other in points {
                if let Some(factor) = other.register.factor
                    && b.register.at.overlaps(b.register.len(), factor, 1)
                {
                    let message = format!("`{}` lies on the scale factor of `{}`", b.name, other.name);
                    self.refuse(&self.at_of(&b.name), message, "one of the two addresses is wrong");
                }
            }
        }
    }

    /// Where the address of a point is written.
    fn at_of(&self, point: &str) -> Range<usize> {
        let entry = self.file.points.get(point).and_then(|p| p.0.as_ref());
        entry.map_or(self.file.model.span.clone(), |p| p.at.span.clone())
    }

    /// That every point can be read within the device's limits.
    pub(super) fn reads(&mut self, profile: &Profile) {
        let limits = limits(&profile.link);
        let mut points: Vec<&PointSpec> = profile.points.iter().collect();
        // the planner stops at the first error: leave that point out and go on
        loop {
            let items: Vec<Item> = points.iter().map(|p| item_of(p)).collect();
            let Err(e) = plan(&items, &limits) else { break };
            let (PlanError::Address { item, .. }
            | PlanError::TooLong { item, .. }
            | PlanError::Forbidden { item, .. }
            | PlanError::Mixed { item }
            | PlanError::Hole { item, .. }) = e;
            let span = self.at_of(&points[item].name);
            // an address that does not exist was refused where it is typed
            if !matches!(e, PlanError::Address { .. }) {
                self.refuse(&span, format!("`{}`: {e}", points[item].name), "see `link` for what the device takes");
            }
            let sync = points[item].sync;
            let failed = points.remove(item);
            points.retain(|p| sync.is_none() || p.sync != failed.sync);
        }
        for factor in profile.points.iter().filter_map(|p| p.register.factor.map(|f| (p, f))) {
            let item =
                Item { area: factor.1.area(), at: factor.1.offset(), len: 1, poll: Poll::Slow, sync: None, region: 0 };
            if let Err(e @ PlanError::Forbidden { .. }) = plan(&[item], &limits) {
                let span = self.at_of(&factor.0.name);
                self.refuse(&span, format!("the scale factor of `{}`: {e}", factor.0.name), "see `link.forbidden`");
            }
        }
    }
}

/// Parts of a register, and the register as a whole without a sign.
fn shares(register: &Register) -> bool {
    let encoding = register.codec.encoding;
    encoding.is_part() || matches!(encoding, Encoding::U16 | Encoding::U32 | Encoding::Enum)
}

/// A point for the planner. SunSpec models stand for regions, and offsets for addresses.
fn item_of(point: &PointSpec) -> Item {
    let at: At = point.register.at;
    Item {
        area: at.area(),
        at: at.offset(),
        len: point.register.len(),
        poll: point.poll,
        sync: point.sync,
        region: at.model().unwrap_or(0),
    }
}
