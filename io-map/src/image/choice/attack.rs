//! Attacks on one choice output: programs say anything, the site arms, stops and trips, the current is lost and found.

use super::*;
use proptest::prelude::*;

const MS: u64 = 1_000_000;
const AGE_MAX_NS: u64 = 100 * MS;
const BELOW: f64 = 100.0;
const LONGEST_STEP_MS: u64 = 500;

#[derive(Clone, Debug)]
enum Say {
    Forget(usize),
    Demand(usize, Option<u8>),
    Allow(usize, u32),
}

#[derive(Clone, Debug)]
struct Step {
    ms: u64,
    drive: Drive,
    ramping: bool,
    says: Vec<Say>,
    /// The current, if its device answers.
    current: Option<f64>,
}

#[derive(Clone, Debug)]
struct Case {
    rule: ChoiceRule,
    steps: Vec<Step>,
}

/// Programs 0 to 2 demand (at these ranks), 3 and 4 limit.
const RANKS: [u8; 3] = [1, 2, 0];

fn said() -> impl Strategy<Value = Say> {
    prop_oneof![
        1 => (0..5usize).prop_map(Say::Forget),
        3 => (0..3usize, prop::option::of(0..5u8)).prop_map(|(i, v)| Say::Demand(i, v)),
        3 => (3..5usize, prop_oneof![Just(u32::MAX), Just(0), 0..16u32]).prop_map(|(i, mask)| Say::Allow(i, mask)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let drive =
        prop_oneof![20 => Just(Drive::Armed), 1 => Just(Drive::Stopping), 1 => Just(Drive::Held(Cause::Tripped))];
    let current =
        prop_oneof![2 => Just(None), 4 => Just(Some(5_000.0)), 1 => prop::sample::select(vec![Some(0.0), Some(-99.0)])];
    let ms = prop_oneof![3 => Just(10u64), 1 => 1..LONGEST_STEP_MS];
    let says = prop_oneof![4 => Just(Vec::new()), 1 => prop::collection::vec(said(), 1..4)];
    (ms, drive, any::<bool>(), says, current).prop_map(|(ms, drive, ramping, says, current)| Step {
        ms,
        drive,
        ramping,
        says,
        current,
    })
}

fn case() -> impl Strategy<Value = Case> {
    let order =
        (0..300u64).prop_map(|ms| SafeAfter { point: 0, age_max_ns: AGE_MAX_NS, below: BELOW, or_after_ns: ms * MS });
    let dwell = prop_oneof![Just(0u64), 0..300u64];
    let rule = (1..5u8, any::<prop::sample::Index>(), dwell, prop::option::of(order));
    (rule, prop::bool::weighted(0.8), prop::collection::vec(step(), 1..60)).prop_map(
        |((values, safe, dwell, safe_after), running, mut steps)| {
            let safe = u8::try_from(safe.index(usize::from(values))).unwrap();
            // most cases start from a site that runs
            let start = [Say::Allow(3, u32::MAX), Say::Allow(4, u32::MAX), Say::Demand(2, Some((safe + 1) % values))];
            let drive = if running { Drive::Armed } else { Drive::Held(Cause::Disarmed) };
            steps.insert(0, Step { ms: 10, drive, ramping: false, says: start.to_vec(), current: None });
            Case { rule: ChoiceRule { values, safe, dwell_ns: dwell * MS, safe_after }, steps }
        },
    )
}

/// What stands, kept apart from the code under test.
struct Model {
    demands: [Option<u8>; 3],
    masks: [u32; 2],
}

impl Model {
    fn say(&mut self, rule: &ChoiceRule, say: &Say) {
        match *say {
            Say::Forget(i) if i < 3 => self.demands[i] = None,
            Say::Forget(i) => self.masks[i - 3] = 0,
            Say::Demand(i, v) => self.demands[i] = v.filter(|v| *v < rule.values),
            Say::Allow(i, mask) => self.masks[i - 3] = mask,
        }
    }

    fn allowed(&self, rule: &ChoiceRule, value: u8) -> bool {
        value == rule.safe || self.masks.iter().all(|m| m & (1 << value) != 0)
    }

    /// Of the highest rank: the second, the first, the third.
    fn demanded(&self) -> Option<u8> {
        self.demands[1].or(self.demands[0]).or(self.demands[2])
    }
}

/// One scan as a property sees it.
struct Seen<'a> {
    rule: &'a ChoiceRule,
    model: &'a Model,
    step: &'a Step,
    was: u8,
    now: (u8, Cause),
    at: u64,
    /// When the value last changed, if it did.
    changed: Option<u64>,
}

fn run(case: &Case, mut check: impl FnMut(&Seen<'_>) -> Result<(), String>) -> Result<(), TestCaseError> {
    let rule = &case.rule;
    let mut slot = ChoiceSlot::new(*rule);
    let demands = [0, 1, 2].map(|i: u8| slot.open(By(i), RANKS[usize::from(i)], false));
    let limits = [3, 4].map(|i| slot.open(By(i), 0, true));
    let mut model = Model { demands: [None; 3], masks: [0; 2] };
    let (mut at, mut changed) = (0, None);
    for (n, step) in case.steps.iter().enumerate() {
        at += step.ms * MS;
        for say in &step.says {
            model.say(rule, say);
            match *say {
                Say::Forget(i) if i < 3 => slot.forget(demands[i]),
                Say::Forget(i) => slot.forget(limits[i - 3]),
                Say::Demand(i, v) => slot.demand(demands[i], v),
                Say::Allow(i, mask) => slot.allow(limits[i - 3], mask),
            }
        }
        let was = slot.applied().0;
        let current = step.current.map_or(Reading::NEVER, |a| Reading::new(Ok(a), ScanTime(at)));
        let now = slot.resolve(ScanTime(at), step.drive, &[current], step.ramping);
        let seen = Seen { rule, model: &model, step, was, now, at, changed };
        check(&seen).map_err(|e| TestCaseError::fail(format!("{e}\nstep {n}: {was} then {now:?}")))?;
        if now.0 != was {
            changed = Some(at);
        }
    }
    Ok(())
}

fn ensure(ok: bool, otherwise: &str) -> Result<(), String> {
    if ok { Ok(()) } else { Err(otherwise.into()) }
}

impl Seen<'_> {
    /// The present value is one that a limit or the site's state forbids, or that nobody demands any more.
    fn must_go(&self, value: u8) -> bool {
        let held = match self.step.drive {
            Drive::Armed => self.model.demanded().is_none(),
            Drive::Stopping => !self.step.ramping,
            Drive::Held(_) => true,
        };
        value != self.rule.safe && (held || !self.model.allowed(self.rule, value))
    }

    fn current_is_low(&self) -> bool {
        self.step.current.is_some_and(|a| a.abs() < BELOW)
    }

    fn within(&self, since: &mut Option<u64>, must: bool, ns: u64) -> Result<(), String> {
        if !must {
            *since = None;
            return Ok(());
        }
        let since = *since.get_or_insert(self.at);
        ensure(self.at - since < ns, "it is still there")
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_said_a_forbidden_value_is_left_in_time(c in case()) {
        let (mut since, mut value) = (None, None);
        run(&c, |s| {
            // a value that was just taken starts anew
            if value.replace(s.was) != Some(s.was) {
                since = None;
            }
            let Some(order) = s.rule.safe_after else { return ensure(!s.must_go(s.now.0), "no order, yet it stays") };
            if s.must_go(s.was) && s.current_is_low() {
                return ensure(!s.must_go(s.now.0), "the current is low, yet it stays");
            }
            if s.must_go(s.was) {
                since.get_or_insert(s.at);
            } else {
                since = None;
            }
            ensure(!s.must_go(s.now.0) || since.is_some_and(|t| s.at - t < order.or_after_ns), "it stays too long")
        })?;
    }

    #[test]
    fn a_demanded_safe_value_comes_after_the_dwell_time_and_its_turn(c in case()) {
        let mut since = None;
        run(&c, |s| {
            let armed = s.step.drive == Drive::Armed;
            let demanded = armed && s.model.demanded() == Some(s.rule.safe) && s.now.0 != s.rule.safe;
            // the turn starts at the first scan after the dwell time, so a long step counts twice
            let turn = s.rule.safe_after.map_or(0, |order| order.or_after_ns);
            s.within(&mut since, demanded, s.rule.dwell_ns + turn + LONGEST_STEP_MS * MS)
        })?;
    }

    #[test]
    fn a_value_that_is_taken_is_demanded_and_allowed(c in case()) {
        run(&c, |s| {
            if s.now.0 == s.was || s.now.0 == s.rule.safe {
                return Ok(());
            }
            ensure(s.step.drive == Drive::Armed, "it moves although the site is not armed")?;
            ensure(s.model.demanded() == Some(s.now.0), "nobody demands it")?;
            ensure(s.model.allowed(s.rule, s.now.0), "a limit forbids it")
        })?;
    }

    #[test]
    fn no_demand_changes_it_within_the_dwell_time(c in case()) {
        run(&c, |s| {
            let by_demand = s.now.0 != s.was && matches!(s.now.1, Cause::Demand(_));
            ensure(!by_demand || s.changed.is_none_or(|at| s.at - at >= s.rule.dwell_ns), "it did not rest")
        })?;
    }

    #[test]
    fn what_is_demanded_allowed_and_rested_is_applied(c in case()) {
        run(&c, |s| {
            let Some(want) = s.model.demanded() else { return Ok(()) };
            let rested = s.changed.is_none_or(|at| s.at - at >= s.rule.dwell_ns);
            let free = s.step.drive == Drive::Armed && s.model.allowed(s.rule, want) && want != s.rule.safe;
            ensure(!(rested && free) || s.now.0 == want, "it is not applied")
        })?;
    }
}
