//! The wiring: the only place where handles are made. Giving one out is the check: an unknown name, a kind or unit that
//! does not fit, a second owner, a point that is read before the program that computes it.
//!
//! Errors do not stop it: every handle that cannot be given is recorded as a [`Problem`] and replaced by one that leads
//! nowhere, and [`Wiring::finish`] gives outputs only if there was none.

use super::choice::{Choice, ChoiceRule, ChoiceSlot};
use super::group::Group;
use super::output::{By, Demand, Limit, Observe, Rule, Service, Slot};
use super::outputs::{Outputs, Place};
use super::point::{Computed, Kind, Point, PointDef, Real, Source};
use super::pulse::{Fire, PulseSlot};
use super::unit::Unit;
use crate::document::{Problem, Spanned, closest};
use std::marker::PhantomData;
use std::ops::Range;

/// What an output is.
#[derive(Clone, Debug, PartialEq)]
pub enum OutputKind {
    /// A set-point.
    Real {
        /// Unit of the rule.
        unit: Unit,
        /// Range, ramps, safe value.
        rule: Rule,
    },
    /// One of a list of values.
    Choice {
        /// Their names, in the order of their indices.
        values: Vec<String>,
        /// Safe value, dwell time, order.
        rule: ChoiceRule,
    },
    /// A one-shot action.
    Pulse,
}

/// An output as the site file defines it. Totals of groups stand before their members.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputDef {
    /// `device.output`, or a name of the site's own for a group's total.
    pub name: String,
    /// What it is.
    pub kind: OutputKind,
    /// For a group's total: its members, as indices of output definitions. Else empty.
    pub members: Vec<usize>,
}

/// The kind and place of an output among its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputAt {
    /// Index into [`Outputs::reals`].
    Real(usize),
    /// Index into [`Outputs::choices`].
    Choice(usize),
    /// Index into [`Outputs::pulses`].
    Pulse(usize),
}

/// That a program reads a point, and how old it accepts it.
#[derive(Clone, Debug)]
pub struct Use {
    /// The program.
    pub by: By,
    /// The point's place in the image.
    pub point: usize,
    /// The greatest age that the program accepts, ms.
    pub age_max_ms: u32,
    /// Where the site file says so.
    pub span: Range<usize>,
}

/// That a program may say something about an output.
#[derive(Clone, Debug)]
pub struct Says {
    /// The program.
    pub by: By,
    /// Index of the output's definition.
    pub output: usize,
    /// For a demand, its rank.
    pub rank: Option<u8>,
    /// Where the site file says so.
    pub span: Range<usize>,
}

/// What wiring all programs of a site yields.
#[derive(Debug)]
pub struct Wired {
    /// Every point: the latched ones, then the computed ones.
    pub points: Vec<PointDef>,
    /// Every output, ready for the first scan.
    pub outputs: Outputs,
    /// Who reads what.
    pub uses: Vec<Use>,
    /// Who may say what.
    pub says: Vec<Says>,
    /// Who computes which point.
    pub computed: Vec<(By, usize)>,
}

/// The site's names while its programs are wired, in the site's order.
#[derive(Clone, Debug)]
pub struct Wiring {
    points: Vec<PointDef>,
    defs: Vec<OutputDef>,
    at: Vec<OutputAt>,
    outputs: Outputs,
    by: By,
    started: bool,
    uses: Vec<Use>,
    says: Vec<Says>,
    computed: Vec<(By, usize)>,
    problems: Vec<Problem>,
    period_ms: u32,
}

/// At most so many programs, so that the index of one fits a byte and 255 means nobody.
pub const PROGRAMS_MAX: usize = 255;

impl Wiring {
    /// For a site with these latched points (devices', the system's, commands'), outputs and scan period (ms, above 0).
    ///
    /// # Panics
    /// If a total stands behind its members, has members of another kind or a safe value that is not the sum of theirs,
    /// or if a member belongs to two groups; the site's checker refuses such groups with their place.
    #[must_use]
    pub fn new(points: Vec<PointDef>, defs: Vec<OutputDef>, period_ms: u32) -> Self {
        let mut outputs = Outputs::default();
        let mut at = Vec::new();
        for def in &defs {
            at.push(match &def.kind {
                OutputKind::Real { rule, .. } => {
                    outputs.reals.push(Slot::new(*rule));
                    OutputAt::Real(outputs.reals.len() - 1)
                }
                OutputKind::Choice { rule, .. } => {
                    outputs.choices.push(ChoiceSlot::new(*rule));
                    OutputAt::Choice(outputs.choices.len() - 1)
                }
                OutputKind::Pulse => {
                    outputs.pulses.push(PulseSlot::default());
                    OutputAt::Pulse(outputs.pulses.len() - 1)
                }
            });
        }
        let real = |i: usize| match at[i] {
            OutputAt::Real(slot) => slot,
            other => panic!("output {i} is in a group, so it is a real output, not {other:?}"),
        };
        let mut owned = vec![false; defs.len()];
        for (i, def) in defs.iter().enumerate().filter(|(_, d)| !d.members.is_empty()) {
            for m in &def.members {
                assert!(*m > i, "a total stands before its members");
                assert!(!std::mem::replace(&mut owned[*m], true), "a member belongs to one group");
            }
            outputs.groups.push(Group { total: real(i), members: def.members.iter().map(|m| real(*m)).collect() });
        }
        // children have higher totals than their parents: highest first is children first
        outputs.groups.sort_by_key(|g| std::cmp::Reverse(g.total));
        outputs.groups.iter().for_each(|g| g.agree(&mut outputs.reals));
        Self {
            points,
            defs,
            at,
            outputs,
            by: By(0),
            started: false,
            uses: Vec::new(),
            says: Vec::new(),
            computed: Vec::new(),
            problems: Vec::new(),
            period_ms,
        }
    }

    /// The next program asks for its handles. `span` is its entry in the site file.
    pub fn begin(&mut self, span: Range<usize>) {
        if std::mem::replace(&mut self.started, true) {
            if usize::from(self.by.0) + 1 < PROGRAMS_MAX {
                self.by = By(self.by.0 + 1);
            } else {
                self.problem(span, format!("a site has at most {PROGRAMS_MAX} programs"), None);
            }
        }
        self.outputs.places.resize_with(usize::from(self.by.0) + 1, Vec::new);
    }

    /// May read `name`, at the point's own greatest age.
    pub fn point<K: Kind>(&mut self, name: &Spanned<String>, unit: Unit) -> Point<K> {
        self.point_within(name, unit, None)
    }

    /// May read `name`, no older than `age_max_ms` if that is given and narrower than the point's own greatest age.
    pub fn point_within<K: Kind>(&mut self, name: &Spanned<String>, unit: Unit, age_max_ms: Option<u32>) -> Point<K> {
        let nowhere = Point { index: 0, age_max_ns: 0, kind: PhantomData };
        let Some(i) = self.find_point(name) else {
            return nowhere;
        };
        let def = &self.points[i];
        if def.kind != K::KIND || def.unit != unit {
            let is = format!("`{}` is {} in {}", def.name, def.kind, def.unit);
            let message = format!("{is}, but {} in {unit} is needed here", K::KIND);
            self.problem(name.span.clone(), message, None);
            return nowhere;
        }
        let own = def.age_max_ms;
        let accepted = age_max_ms.map_or(own, |asked| asked.min(own));
        self.uses.push(Use { by: self.by, point: i, age_max_ms: accepted, span: name.span.clone() });
        Point { index: index(i), age_max_ns: u64::from(accepted) * 1_000_000, kind: PhantomData }
    }

    /// Computes a new point `name` for the programs after this one; its age is that of the oldest reading it is made from.
    pub fn compute<K: Kind>(
        &mut self,
        name: &Spanned<String>,
        unit: Unit,
        plausible: (f64, f64),
        age_max_ms: u32,
    ) -> Computed<K> {
        if self.points.iter().any(|p| p.name == name.value) || self.defs.iter().any(|d| d.name == name.value) {
            let help = Some("give the computed point a name of its own".into());
            self.problem(name.span.clone(), format!("`{}` exists already", name.value), help);
            return Computed { index: 0, kind: PhantomData };
        }
        self.points.push(PointDef {
            name: name.value.clone(),
            kind: K::KIND,
            unit,
            source: Source::Computed,
            plausible,
            age_max_ms,
            frozen_after_ms: None,
            codes: Vec::new(),
        });
        self.computed.push((self.by, self.points.len() - 1));
        Computed { index: index(self.points.len() - 1), kind: PhantomData }
    }

    /// May demand a real output (its unit must be `unit`) at `rank`: of several demands the highest rank wins.
    pub fn demand(&mut self, name: &Spanned<String>, unit: Unit, rank: u8) -> Demand<Real> {
        let Some((def, output)) = self.find_real(name, unit) else {
            return Demand::at(0, 0);
        };
        self.refuse_member(def, name);
        self.claim(def, rank, name);
        Demand::at(output, self.open_real(output, rank, false))
    }

    /// May demand one of the values of a choice output at `rank`.
    pub fn demand_choice(&mut self, name: &Spanned<String>, rank: u8) -> Demand<Choice> {
        let Some((def, output)) = self.find_choice(name) else {
            return Demand::at(0, 0);
        };
        self.claim(def, rank, name);
        Demand::at(output, self.open_choice(output, rank, false))
    }

    /// May limit a real output. Until it speaks it allows nothing.
    pub fn limit(&mut self, name: &Spanned<String>, unit: Unit) -> Limit<Real> {
        let Some((def, output)) = self.find_real(name, unit) else {
            return Limit::at(0, 0);
        };
        self.say(def, None, name);
        Limit::at(output, self.open_real(output, 0, true))
    }

    /// May limit a choice output to some of its values. Until it speaks it allows the safe one only.
    pub fn limit_choice(&mut self, name: &Spanned<String>) -> Limit<Choice> {
        let Some((def, output)) = self.find_choice(name) else {
            return Limit::at(0, 0);
        };
        self.say(def, None, name);
        Limit::at(output, self.open_choice(output, 0, true))
    }

    /// May add to a real output's demand, and reserve room for that.
    pub fn service(&mut self, name: &Spanned<String>, unit: Unit) -> Service<Real> {
        let Some((def, output)) = self.find_real(name, unit) else {
            return Service::at(0, 0);
        };
        self.refuse_member(def, name);
        self.say(def, None, name);
        Service::at(output, self.open_real(output, 0, false))
    }

    /// May see what was applied to a real output.
    pub fn observe(&mut self, name: &Spanned<String>, unit: Unit) -> Observe<Real> {
        let output = self.find_real(name, unit).map_or(0, |(_, output)| output);
        Observe { output, kind: PhantomData }
    }

    /// May fire a pulse; one holder per output.
    pub fn fire(&mut self, name: &Spanned<String>) -> Fire {
        let Some(def) = self.find_output(name) else {
            return Fire { output: 0 };
        };
        let OutputAt::Pulse(output) = self.at[def] else {
            self.wrong_kind(name, "a pulse");
            return Fire { output: 0 };
        };
        if let Some(first) = self.says.iter().find(|s| s.output == def) {
            let (first, second) = (first.by.0 + 1, self.by.0 + 1);
            let message = format!("two programs fire `{}`: number {first} and number {second} of the list", name.value);
            self.problem(name.span.clone(), message, Some("a pulse has one holder; ranks do not help here".into()));
        }
        self.say(def, Some(0), name);
        Fire { output: index(output) }
    }

    /// The index of a choice output's value by its name.
    pub fn choice_value(&mut self, output: &Spanned<String>, value: &Spanned<String>) -> u8 {
        let Some((def, _)) = self.find_choice(output) else {
            return 0;
        };
        let OutputKind::Choice { values, .. } = &self.defs[def].kind else {
            return 0;
        };
        if let Some(i) = values.iter().position(|v| *v == value.value) {
            return u8::try_from(i).expect("at most 32 values");
        }
        let names = values.iter().map(|v| format!("`{v}`")).collect::<Vec<_>>().join(", ");
        let message = format!("`{}` has no value `{}`", output.value, value.value);
        self.problem(value.span.clone(), message, Some(format!("it takes {names}")));
        0
    }

    /// The code of a point's state by its name.
    pub fn code_value(&mut self, point: &Spanned<String>, state: &Spanned<String>) -> u16 {
        // a point that is not there was reported when its handle was asked for
        let Some(def) = self.points.iter().find(|p| p.name == point.value) else {
            return 0;
        };
        if let Some((code, _)) = def.codes.iter().find(|(_, name)| *name == state.value) {
            return *code;
        }
        let names = def.codes.iter().map(|(_, name)| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let help = if names.is_empty() { "it has no named states".into() } else { format!("its states are {names}") };
        self.problem(state.span.clone(), format!("`{}` has no state `{}`", point.value, state.value), Some(help));
        0
    }

    /// A program's own period in scans: 1 if it says nothing; else it must be a multiple of the scan period.
    pub fn every(&mut self, every_ms: Option<&Spanned<u32>>) -> u64 {
        let Some(every) = every_ms else {
            return 1;
        };
        if every.value == 0 || every.value % self.period_ms != 0 {
            let message = format!("{} ms is not a multiple of the scan period of {} ms", every.value, self.period_ms);
            let down = every.value - every.value % self.period_ms;
            let help = match (down, down.checked_add(self.period_ms)) {
                (0, _) => format!("{} ms would be", self.period_ms),
                (down, None) => format!("{down} ms would be"),
                (down, Some(up)) => format!("{down} or {up} ms would be"),
            };
            self.problem(every.span.clone(), message, Some(help));
            return 1;
        }
        u64::from(every.value / self.period_ms)
    }

    /// Records what a program found wrong with its own settings.
    pub fn problem(&mut self, span: Range<usize>, message: String, help: Option<String>) {
        self.problems.push(Problem { span, message, help });
    }

    /// Kind and place of each output definition, in their order.
    #[must_use]
    pub fn places(&self) -> &[OutputAt] {
        &self.at
    }

    /// All programs are wired.
    ///
    /// # Errors
    /// Every problem that any program met, in the order met.
    pub fn finish(self) -> Result<Wired, Vec<Problem>> {
        if !self.problems.is_empty() {
            return Err(self.problems);
        }
        Ok(Wired {
            points: self.points,
            outputs: self.outputs,
            uses: self.uses,
            says: self.says,
            computed: self.computed,
        })
    }

    /// A member gets its share of the group's total; what it would demand or add itself would be lost in silence.
    fn refuse_member(&mut self, def: usize, name: &Spanned<String>) {
        if let Some(group) = self.defs.iter().find(|d| d.members.contains(&def)) {
            let help = Some(format!("name the total `{}`; members may only be limited", group.name));
            let (member, group) = (&name.value, &group.name);
            let message =
                format!("`{member}` belongs to the group `{group}` and takes no demand or addition of its own");
            self.problem(name.span.clone(), message, help);
        }
    }

    fn claim(&mut self, def: usize, rank: u8, name: &Spanned<String>) {
        if let Some(first) = self.says.iter().find(|s| s.output == def && s.rank == Some(rank)) {
            let message = format!(
                "two programs demand `{}` at rank {rank}: number {} and number {} of the list",
                name.value,
                first.by.0 + 1,
                self.by.0 + 1
            );
            self.problem(
                name.span.clone(),
                message,
                Some("give one of them another rank; the higher rank wins".into()),
            );
        }
        self.say(def, Some(rank), name);
    }

    fn say(&mut self, output: usize, rank: Option<u8>, name: &Spanned<String>) {
        self.says.push(Says { by: self.by, output, rank, span: name.span.clone() });
    }

    fn open_real(&mut self, output: u16, rank: u8, limiter: bool) -> u16 {
        let statement = self.outputs.reals[usize::from(output)].open(self.by, rank, limiter);
        self.place(Place::Real { output, statement });
        statement
    }

    fn open_choice(&mut self, output: u16, rank: u8, limiter: bool) -> u16 {
        let statement = self.outputs.choices[usize::from(output)].open(self.by, rank, limiter);
        self.place(Place::Choice { output, statement });
        statement
    }

    fn place(&mut self, place: Place) {
        let by = usize::from(self.by.0);
        self.outputs.places.resize_with(self.outputs.places.len().max(by + 1), Vec::new);
        self.outputs.places[by].push(place);
    }

    fn find_point(&mut self, name: &Spanned<String>) -> Option<usize> {
        if let Some(i) = self.points.iter().position(|p| p.name == name.value) {
            return Some(i);
        }
        let (message, help) = if self.defs.iter().any(|d| d.name == name.value) {
            (format!("`{}` is an output; a point is needed here", name.value), None)
        } else {
            let near = closest(&name.value, self.points.iter().map(|p| p.name.as_str()));
            let help = near
                .map_or("a point that a program computes is known only to the programs after it".into(), |n| {
                    format!("did you mean `{n}`?")
                });
            (format!("nobody provides the point `{}`", name.value), Some(help))
        };
        self.problem(name.span.clone(), message, help);
        None
    }

    fn find_output(&mut self, name: &Spanned<String>) -> Option<usize> {
        let found = self.defs.iter().position(|d| d.name == name.value);
        if found.is_none() {
            let near = closest(&name.value, self.defs.iter().map(|d| d.name.as_str()));
            let help = near
                .map_or("outputs are listed under `outputs` and `groups`".into(), |n| format!("did you mean `{n}`?"));
            self.problem(name.span.clone(), format!("no output is called `{}`", name.value), Some(help));
        }
        found
    }

    fn find_real(&mut self, name: &Spanned<String>, unit: Unit) -> Option<(usize, u16)> {
        let def = self.find_output(name)?;
        let (OutputAt::Real(output), OutputKind::Real { unit: is, .. }) = (self.at[def], &self.defs[def].kind) else {
            self.wrong_kind(name, "a real output");
            return None;
        };
        if *is != unit {
            let message = format!("`{}` is in {is}, but an output in {unit} is needed here", name.value);
            self.problem(name.span.clone(), message, None);
            return None;
        }
        Some((def, index(output)))
    }

    fn find_choice(&mut self, name: &Spanned<String>) -> Option<(usize, u16)> {
        let def = self.find_output(name)?;
        let OutputAt::Choice(output) = self.at[def] else {
            self.wrong_kind(name, "a choice output");
            return None;
        };
        Some((def, index(output)))
    }

    fn wrong_kind(&mut self, name: &Spanned<String>, needed: &str) {
        self.problem(
            name.span.clone(),
            format!("`{}` is another kind of output; {needed} is needed here", name.value),
            None,
        );
    }
}

/// Images are far below 65 536 points; the site's checker refuses larger ones.
fn index(i: usize) -> u16 {
    u16::try_from(i).expect("the checker refuses images of 65 536 points and more")
}

#[cfg(test)]
mod tests;
