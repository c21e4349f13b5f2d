//! Real outputs are demanded and limited, never written. Each program has at most one standing statement about an
//! output; [`Slot::resolve`] folds the statements of all programs into one value with its cause.
//!
//! Invariants: what goes out lies within every standing limit; every limit contains the safe value, so limits cannot
//! contradict each other; the order of programs is irrelevant but for rounding; a statement stands until its program
//! runs again and is then forgotten before the program speaks anew, so that silence never keeps a demand.

use crate::real::{approach, clamped, finite, higher, lower};
use serde::{Deserialize, Serialize};
use std::marker::PhantomData;

/// Who said it: the index of a program in the site's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct By(pub u8);

/// Why an output has the value it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Nobody demands anything: at the safe value, or on its way there.
    NoDemand,
    /// A program's demand, as it is.
    Demand(By),
    /// A program's demand that is still ramping.
    Ramp(By),
    /// A program's limit.
    Limit(By),
    /// A grid service's reservation keeps the demand below it out of its room.
    Reserved(By),
    /// The output's own range.
    Range,
    /// What the members of the group allow together.
    Members,
    /// The member's share of its group's total.
    Share,
    /// A demanded change waits until the output has rested for its dwell time.
    Dwell(By),
    /// On its way to safe, waiting for its turn in the order of safe values.
    Order,
    /// The site is not armed.
    Disarmed,
    /// The site has tripped.
    Tripped,
    /// The controller is being stopped.
    Stopping,
    /// The device that would execute it is not online.
    Offline,
}

impl Cause {
    /// A stable small number for registers and snapshots, and the program it names (255: none).
    #[must_use]
    pub fn code(self) -> (u8, u8) {
        match self {
            Self::NoDemand => (0, 255),
            Self::Demand(by) => (1, by.0),
            Self::Ramp(by) => (2, by.0),
            Self::Limit(by) => (3, by.0),
            Self::Reserved(by) => (4, by.0),
            Self::Range => (5, 255),
            Self::Members => (6, 255),
            Self::Share => (7, 255),
            Self::Dwell(by) => (8, by.0),
            Self::Order => (9, 255),
            Self::Disarmed => (10, 255),
            Self::Tripped => (11, 255),
            Self::Stopping => (12, 255),
            Self::Offline => (13, 255),
        }
    }

    /// The words for people, for a [`Cause::code`] that comes out of a snapshot; `program` names a program by its index.
    #[must_use]
    pub fn describe<'a>(code: (u8, u8), program: impl Fn(u8) -> &'a str) -> String {
        let by = || program(code.1);
        match code.0 {
            0 => "no demand".into(),
            1 => format!("demanded by {}", by()),
            2 => format!("ramping to the demand of {}", by()),
            3 => format!("limited by {}", by()),
            4 => format!("room reserved by {}", by()),
            5 => "the output's own range".into(),
            6 => "what the members allow".into(),
            7 => "its share of the group".into(),
            8 => format!("dwell time, then {}", by()),
            9 => "waits for its turn to go safe".into(),
            10 => "site not armed".into(),
            11 => "site tripped".into(),
            12 => "stopping".into(),
            13 => "device not online".into(),
            _ => "unknown".into(),
        }
    }
}

/// Whether demands may act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drive {
    /// They do.
    Armed,
    /// They have ended: outputs ramp out, limits still act.
    Stopping,
    /// Only safe values are allowed, at once. The cause says why: [`Cause::Disarmed`] or [`Cause::Tripped`].
    Held(Cause),
}

/// The time that ramps see.
#[derive(Clone, Copy, Debug)]
pub struct Elapsed {
    /// Since the last scan, s: ramps towards safe use all of it.
    pub since_last_s: f64,
    /// One scan period, s: after a pause a ramp away from safe counts no more than this.
    pub period_s: f64,
}

/// What went out in the last scan, for programs that must track it (anti-windup, bumpless transfer) and for `explain`.
/// In the output's unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Applied {
    /// The demand's part.
    pub base: f64,
    /// What grid services added to it.
    pub added: f64,
    /// What went out.
    pub total: f64,
    /// What binds.
    pub cause: Cause,
}

/// What the site file says about a real output, in the output's unit. `safe` lies within `range`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// The value that is always allowed.
    pub safe: f64,
    /// Lowest and highest value.
    pub range: (f64, f64),
    /// Slew of the demand, both ways; limits bypass it.
    pub ramp_per_s: f64,
    /// Slew of a demand or addition that has ended.
    pub ramp_out_per_s: f64,
}

/// What one program says about one output.
#[derive(Clone, Copy, Debug)]
struct Statement {
    by: By,
    rank: u8,
    demand: Option<f64>,
    add: Option<f64>,
    /// What of the addition is still out: it ramps out when the addition ends.
    adding: f64,
    low: f64,
    high: f64,
    limiter: bool,
    reserve_down: f64,
    reserve_up: f64,
}

// Handles are capabilities: holding one is the permission to say that one thing about that one output.
macro_rules! handle {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        pub struct $name<K> {
            pub(super) output: u16,
            pub(super) statement: u16,
            pub(super) kind: PhantomData<fn() -> K>,
        }
        impl<K> $name<K> {
            pub(super) fn at(output: u16, statement: u16) -> Self {
                Self { output, statement, kind: PhantomData }
            }
        }
    };
}
handle!(/// May demand. The wiring allows one holder per output and rank.
    Demand);
handle!(/// May limit.
    Limit);
handle!(/// May add to the demand, and reserve room for its addition.
    Service);

/// May see what was applied, and say nothing.
pub struct Observe<K> {
    pub(super) output: u16,
    pub(super) kind: PhantomData<fn() -> K>,
}

/// One real output and all that is said about it.
#[derive(Clone, Debug)]
pub struct Slot {
    rule: Rule,
    statements: Vec<Statement>,
    /// From the group this output leads: what its members allow together.
    members: Option<(f64, f64)>,
    /// From the group this output belongs to: its share of the total.
    share: Option<f64>,
    drive: Drive,
    applied: Applied,
}

#[derive(Clone, Copy)]
struct Bound {
    value: f64,
    cause: Cause,
}

impl Statement {
    /// The addition, while additions may act.
    fn adds(&self, drive: Drive) -> Option<f64> {
        self.add.filter(|_| drive == Drive::Armed)
    }
}

/// What has ended ramps out together, each part in proportion to what is out of it: so neither the order of programs nor
/// parts that oppose each other can move the total faster than the ramp, or away from safe.
#[derive(Clone, Copy)]
struct Ending {
    /// How far all of it may move.
    step: f64,
    /// How much is out, without signs.
    out: f64,
}

impl Ending {
    /// The step of a part of which `out` is out; it is the whole way where the step suffices for all.
    fn step_of(self, out: f64) -> f64 {
        if self.out > self.step { self.step * (out.abs() / self.out) } else { self.out }
    }
}

impl Slot {
    /// An output at its safe value, about which nobody may say anything yet.
    ///
    /// # Panics
    /// If the rule is not finite, `safe` lies outside `range`, or a ramp is not above 0: the site's checker refuses such
    /// rules with their place, so this is a fault of the program and not of the site.
    #[must_use]
    pub fn new(rule: Rule) -> Self {
        let (low, high) = rule.range;
        let finite = [rule.ramp_per_s, rule.ramp_out_per_s, low, high, high - low].iter().all(|v| v.is_finite());
        assert!(finite, "a rule has finite numbers: {rule:?}");
        assert!(low <= rule.safe && rule.safe <= high, "the safe value lies in the range: {rule:?}");
        assert!(rule.ramp_per_s > 0.0 && rule.ramp_out_per_s > 0.0, "ramps are above 0: {rule:?}");
        let rule = Rule { safe: rule.safe + 0.0, range: (low + 0.0, high + 0.0), ..rule };
        let applied = Applied { base: rule.safe, added: 0.0, total: rule.safe, cause: Cause::NoDemand };
        Self { rule, statements: Vec::new(), members: None, share: None, drive: Drive::Armed, applied }
    }

    /// While the site is wired: leads members whose safe values sum to `safe`, which differs from its own by rounding only.
    pub(super) fn lead(&mut self, safe: f64) {
        let rule = &mut self.rule;
        let off = (rule.safe - safe).abs();
        assert!(
            off <= 1e-9 * higher(safe.abs(), 1.0),
            "the safe value of a total is the sum of its members', {safe}: {rule:?}"
        );
        (rule.safe, rule.range) = (safe, (lower(rule.range.0, safe), higher(rule.range.1, safe)));
        (self.applied.base, self.applied.total) = (safe, safe);
    }

    /// While the site is wired: a place for what `by` will say. A limiter that has not spoken yet allows nothing.
    pub(super) fn open(&mut self, by: By, rank: u8, limiter: bool) -> u16 {
        let (low, high) = if limiter { (self.rule.safe, self.rule.safe) } else { self.rule.range };
        self.statements.push(Statement {
            by,
            rank,
            demand: None,
            add: None,
            adding: 0.0,
            low,
            high,
            limiter,
            reserve_down: 0.0,
            reserve_up: 0.0,
        });
        u16::try_from(self.statements.len() - 1).expect("at most one statement a program and verb: below 65 536")
    }

    /// What went out in the last scan.
    #[must_use]
    pub fn applied(&self) -> Applied {
        self.applied
    }

    /// The rule it was made with.
    #[must_use]
    pub fn rule(&self) -> &Rule {
        &self.rule
    }

    pub(super) fn demand(&mut self, statement: u16, value: Option<f64>) {
        self.statements[usize::from(statement)].demand = value.and_then(finite);
    }

    pub(super) fn add(&mut self, statement: u16, value: Option<f64>) {
        self.statements[usize::from(statement)].add = value.and_then(finite);
    }

    /// Narrows to `low..=high`, widened to contain the safe value. What is not a number allows nothing.
    pub(super) fn limit(&mut self, statement: u16, low: f64, high: f64) {
        let safe = self.rule.safe;
        let s = &mut self.statements[usize::from(statement)];
        s.low = finite(low).filter(|v| *v < safe).unwrap_or(safe);
        s.high = finite(high).filter(|v| *v > safe).unwrap_or(safe);
    }

    pub(super) fn reserve(&mut self, statement: u16, down: f64, up: f64) {
        let s = &mut self.statements[usize::from(statement)];
        s.reserve_down = room(down);
        s.reserve_up = room(up);
    }

    /// Before its program speaks anew, and after it panicked: it has said nothing. Reserved room stays.
    pub(super) fn forget(&mut self, statement: u16) {
        let safe = self.rule.safe;
        let s = &mut self.statements[usize::from(statement)];
        (s.demand, s.add) = (None, None);
        if s.limiter {
            (s.low, s.high) = (safe, safe);
        }
    }

    /// What `by` may do in this scan: a slot that is held allows only its safe value, which its group must know.
    pub(super) fn drive(&mut self, drive: Drive) {
        self.drive = drive;
    }

    /// The lowest and highest value that all limits allow; between them lies the safe value.
    #[must_use]
    pub fn bounds(&self) -> (f64, f64) {
        let (low, high) = self.limits();
        (low.value, high.value)
    }

    pub(super) fn fold_members(&mut self, low: f64, high: f64) {
        self.members = Some((low, high));
    }

    pub(super) fn assign_share(&mut self, share: f64) {
        self.share = Some(share);
    }

    /// The value that goes out, and why.
    pub(super) fn resolve(&mut self, elapsed: Elapsed) -> Applied {
        let (low, high) = self.limits();
        if let Some(share) = self.share {
            // ramps and additions belong to the group's total; the share lies within our bounds by construction of the split
            let total = clamped(share, low.value, high.value) + 0.0;
            let cause = if let Drive::Held(cause) = self.drive { cause } else { Cause::Share };
            self.applied = Applied { base: total, added: 0.0, total, cause };
            return self.applied;
        }
        let (target, mut cause, by) = self.target(low, high);
        let ending = self.ending(by.is_none(), elapsed);
        let wanted = self.additions(ending);
        let ramped = match by {
            None => approach(self.applied.base, target, ending.step_of(self.applied.base - target)),
            Some(_) => self.ramp(target, elapsed),
        };
        if let Some(by) = by
            && ramped.to_bits() != target.to_bits()
        {
            cause = Cause::Ramp(by);
        }
        let base = clamped(ramped, low.value, high.value);
        let total = clamped(base + wanted, low.value, high.value) + 0.0;
        if total < base + wanted || (total <= base + wanted && base < ramped) {
            cause = high.cause;
        } else if total > base + wanted || base > ramped {
            cause = low.cause;
        }
        let added = total - base;
        if total.to_bits() != (base + wanted).to_bits() && wanted.abs() > 0.0 {
            // what a limit cut off is not out, and must not come back while the addition ramps out
            let kept = added / wanted;
            self.statements.iter_mut().for_each(|s| s.adding *= kept);
        }
        self.applied = Applied { base: base + 0.0, added: added + 0.0, total, cause };
        self.applied
    }

    /// How far all that has ended may move in this step: the demand's part if `base` says so, and ended additions.
    fn ending(&self, base: bool, elapsed: Elapsed) -> Ending {
        let base = if base { (self.applied.base - self.rule.safe).abs() } else { 0.0 };
        let ended = self.statements.iter().filter(|s| s.adds(self.drive).is_none());
        Ending {
            step: self.rule.ramp_out_per_s * elapsed.since_last_s,
            out: ended.fold(base, |out, s| out + s.adding.abs()),
        }
    }

    /// All additions that are out after this step. While the site is held nothing is, so nothing comes back when it arms.
    fn additions(&mut self, ending: Ending) -> f64 {
        let width = self.rule.range.1 - self.rule.range.0;
        let mut wanted = 0.0;
        for s in &mut self.statements {
            s.adding = match s.adds(self.drive) {
                Some(add) => clamped(clamped(add, -s.reserve_down, s.reserve_up), -width, width) + 0.0,
                None if matches!(self.drive, Drive::Held(_)) => 0.0,
                None => approach(s.adding, 0.0, ending.step_of(s.adding)),
            };
            wanted += s.adding;
        }
        wanted
    }

    /// The demand's ramp: all the time that passed towards safe, after a pause only one period away from it.
    fn ramp(&self, target: f64, elapsed: Elapsed) -> f64 {
        let safe = self.rule.safe;
        let base = self.applied.base;
        let all = self.rule.ramp_per_s * elapsed.since_last_s;
        let one = self.rule.ramp_per_s * lower(elapsed.period_s, elapsed.since_last_s);
        let towards = approach(base, target, all);
        // the part of the way that leads away from safe starts at `base`, or at `safe` where this step crosses it
        let start = if (base < safe && safe < towards) || (towards < safe && safe < base) { safe } else { base };
        if (towards - safe).abs() > (start - safe).abs() { approach(start, towards, one) } else { towards }
    }

    /// The intersection of all limits; it contains the safe value.
    fn limits(&self) -> (Bound, Bound) {
        let safe = self.rule.safe;
        let (low, high) = self.rule.range;
        let mut bounds = (Bound { value: low, cause: Cause::Range }, Bound { value: high, cause: Cause::Range });
        let mut narrow = |low: f64, high: f64, cause: Cause| {
            if low > bounds.0.value {
                bounds.0 = Bound { value: low, cause };
            }
            if high < bounds.1.value {
                bounds.1 = Bound { value: high, cause };
            }
        };
        if let Drive::Held(cause) = self.drive {
            narrow(safe, safe, cause);
        }
        if let Some((low, high)) = self.members {
            narrow(low, high, Cause::Members);
        }
        for s in &self.statements {
            narrow(s.low, s.high, Cause::Limit(s.by));
        }
        bounds
    }

    /// Where the demand of the highest rank wants the base, kept out of reserved room. Room pulls it towards safe, never past.
    fn target(&self, low: Bound, high: Bound) -> (f64, Cause, Option<By>) {
        let safe = self.rule.safe;
        match self.drive {
            Drive::Armed => {}
            Drive::Stopping => return (safe, Cause::Stopping, None),
            Drive::Held(cause) => return (safe, cause, None),
        }
        let demands = self.statements.iter().filter_map(|s| s.demand.map(|value| (s.rank, value, s.by)));
        let Some((_, want, by)) = demands.max_by_key(|(rank, ..)| *rank) else {
            return (safe, Cause::NoDemand, None);
        };
        let (mut top, mut bottom) = (high, low);
        let (mut most_up, mut most_down) = (0.0, 0.0);
        for s in &self.statements {
            top.value -= s.reserve_up;
            bottom.value += s.reserve_down;
            if high.value > safe && s.reserve_up > most_up {
                (most_up, top.cause) = (s.reserve_up, Cause::Reserved(s.by));
            }
            if low.value < safe && s.reserve_down > most_down {
                (most_down, bottom.cause) = (s.reserve_down, Cause::Reserved(s.by));
            }
        }
        let (top_value, bottom_value) = (higher(top.value, safe), lower(bottom.value, safe));
        if want > top_value {
            (top_value, top.cause, Some(by))
        } else if want < bottom_value {
            (bottom_value, bottom.cause, Some(by))
        } else {
            (want, Cause::Demand(by), Some(by))
        }
    }
}

/// Room that is not a number is all the room there is.
fn room(v: f64) -> f64 {
    if v.is_nan() {
        f64::INFINITY
    } else if v > 0.0 {
        v
    } else {
        0.0
    }
}

#[cfg(test)]
mod attack;
#[cfg(test)]
mod tests;
