//! Attacks on one real output: programs say anything, in any order, in any state of the site, over pauses of any length.
//! Most of these properties were broken by some earlier resolver, so all of them stay.
//!
//! `PROPTEST_CASES=100000 cargo test -p flyball-io-map attack` digs deeper than a normal run.

use super::*;
use proptest::prelude::*;

const PERIOD_S: f64 = 0.01;

/// What a program says, or that it is about to speak anew.
#[derive(Clone, Debug)]
enum Say {
    Forget,
    Demand(Option<f64>),
    Limit(f64, f64),
    Add(Option<f64>),
    Reserve(f64, f64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Verb {
    Demand,
    Limit,
    Service,
}

/// One scan: how many slots of the grid passed, what the site does, what is said by whom.
#[derive(Clone, Debug)]
struct Step {
    slots: u32,
    drive: Drive,
    says: Vec<(usize, Say)>,
}

#[derive(Clone, Debug)]
struct Case {
    rule: Rule,
    speakers: Vec<Verb>,
    steps: Vec<Step>,
    /// Another order of the same programs.
    order: Vec<usize>,
}

/// What stands of one program, kept apart from the code under test.
#[derive(Clone, Copy, Debug, Default)]
struct Standing {
    demand: Option<f64>,
    limit: Option<(f64, f64)>,
    add: Option<f64>,
    room: (f64, f64),
}

fn number(wild: bool) -> BoxedStrategy<f64> {
    if !wild {
        let whole = (-12i32..12).prop_map(|v| f64::from(v) * 1_000.0);
        return prop_oneof![3 => -12_000.0..12_000.0f64, 2 => whole, 1 => Just(0.0)].boxed();
    }
    let odd = [0.0, -0.0, 5e-324, f64::MIN_POSITIVE, 1e16, -1e16, f64::MAX, f64::MIN];
    let none = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    let odd = || prop::sample::select(odd.to_vec());
    prop_oneof![8 => odd(), 3 => prop::sample::select(none.to_vec()), 1 => -1e4..1e4f64, 1 => -1.0..1.0f64].boxed()
}

fn said(wild: bool) -> BoxedStrategy<Say> {
    let v = || number(wild);
    prop_oneof![
        1 => Just(Say::Forget),
        4 => v().prop_map(|x| Say::Demand(Some(x))),
        1 => Just(Say::Demand(None)),
        3 => (v(), v()).prop_map(|(low, high)| Say::Limit(low, high)),
        3 => v().prop_map(|x| Say::Add(Some(x))),
        1 => Just(Say::Add(None)),
        2 => (v(), v()).prop_map(|(down, up)| Say::Reserve(down, up)),
    ]
    .boxed()
}

fn drive() -> impl Strategy<Value = Drive> {
    prop_oneof![
        8 => Just(Drive::Armed),
        1 => Just(Drive::Stopping),
        1 => prop::sample::select([Cause::Disarmed, Cause::Tripped, Cause::Offline].map(Drive::Held).to_vec()),
    ]
}

/// The safe value is 0, or lies anywhere in the range, its ends included.
fn rule() -> impl Strategy<Value = Rule> {
    let ramp = prop_oneof![10.0..1e6f64, Just(1e9)];
    let safe = prop_oneof![Just(None), prop_oneof![Just(0.0), Just(1.0), 0.0..1.0f64].prop_map(Some)];
    (-10_000.0..5_000.0f64, 0.0..10_000.0f64, safe, ramp, 10.0..1e5f64).prop_map(|(low, width, safe, ramp, out)| {
        let (low, safe) =
            safe.map_or((lower(low, -0.0), 0.0), |part| (low, clamped(low + width * part, low, low + width)));
        Rule { safe, range: (low, higher(low + width, safe)), ramp_per_s: ramp, ramp_out_per_s: out }
    })
}

/// What program `i` says when all is well.
fn starting(i: usize, verb: Verb) -> BoxedStrategy<Vec<(usize, Say)>> {
    match verb {
        Verb::Demand => number(false).prop_map(move |v| vec![(i, Say::Demand(Some(v)))]).boxed(),
        Verb::Limit => Just(vec![(i, Say::Limit(f64::MIN, f64::MAX))]).boxed(),
        Verb::Service => (number(false), 0.0..5_000.0f64, 0.0..5_000.0f64)
            .prop_map(move |(v, down, up)| vec![(i, Say::Reserve(down, up)), (i, Say::Add(Some(v)))])
            .boxed(),
    }
}

fn case(wild: bool) -> impl Strategy<Value = Case> {
    let verb = prop::sample::select(vec![Verb::Demand, Verb::Limit, Verb::Service]);
    (rule(), prop::collection::vec(verb, 1..6)).prop_flat_map(move |(rule, speakers)| {
        let n = speakers.len();
        let says = prop::collection::vec((0..n, said(wild)), 0..6);
        let step = (prop_oneof![8 => Just(1u32), 1 => 2u32..2_000], drive(), says);
        let steps = prop::collection::vec(step.prop_map(|(slots, drive, says)| Step { slots, drive, says }), 1..12);
        let order = Just((0..n).collect::<Vec<_>>()).prop_shuffle();
        // most cases start from an output about which everybody has something to say
        let start = speakers.iter().enumerate().map(|(i, verb)| starting(i, *verb)).collect::<Vec<_>>();
        let start = (prop::bool::weighted(0.7), start);
        (Just(rule), Just(speakers), start, steps, order).prop_map(
            |(rule, speakers, (running, start), mut steps, order)| {
                if running {
                    steps.insert(0, Step { slots: 1, drive: Drive::Armed, says: start.concat() });
                }
                Case { rule, speakers, steps, order }
            },
        )
    })
}

fn any_case() -> impl Strategy<Value = Case> {
    prop_oneof![case(false).boxed(), case(true).boxed()]
}

fn by(i: usize) -> By {
    By(u8::try_from(i).unwrap())
}

fn rank(i: usize) -> u8 {
    u8::try_from((i * 7 + 3) % 11).unwrap()
}

impl Case {
    /// The output with its speakers in this order, and where each one's statement stands.
    fn slot(&self, order: &[usize]) -> (Slot, Vec<u16>) {
        let mut slot = Slot::new(self.rule);
        let mut at = vec![0; order.len()];
        for &i in order {
            at[i] = slot.open(by(i), rank(i), self.speakers[i] == Verb::Limit);
        }
        (slot, at)
    }

    fn say(&self, slot: &mut Slot, at: &[u16], i: usize, say: &Say) {
        match (self.speakers[i], say) {
            (_, Say::Forget) => slot.forget(at[i]),
            (Verb::Demand, Say::Demand(v)) => slot.demand(at[i], *v),
            (Verb::Limit, Say::Limit(low, high)) => slot.limit(at[i], *low, *high),
            (Verb::Service, Say::Add(v)) => slot.add(at[i], *v),
            (Verb::Service, Say::Reserve(down, up)) => slot.reserve(at[i], *down, *up),
            _ => {}
        }
    }

    fn stand(&self, standing: &mut Standing, i: usize, say: &Say) {
        let number = |v: &Option<f64>| v.filter(|v| v.is_finite());
        match (self.speakers[i], say) {
            (_, Say::Forget) => *standing = Standing { room: standing.room, ..Standing::default() },
            (Verb::Demand, Say::Demand(v)) => standing.demand = number(v),
            (Verb::Limit, Say::Limit(low, high)) => standing.limit = Some((*low, *high)),
            (Verb::Service, Say::Add(v)) => standing.add = number(v),
            (Verb::Service, Say::Reserve(down, up)) => standing.room = (*down, *up),
            _ => {}
        }
    }
}

/// One scan as a property sees it.
struct Seen<'a> {
    case: &'a Case,
    /// After everything was said, before it was resolved.
    before: &'a Slot,
    at: &'a [u16],
    standing: &'a [Standing],
    drive: Drive,
    since_s: f64,
    last: Applied,
    now: Applied,
    /// From the same programs in another order.
    other: Applied,
}

fn elapsed(since_last_s: f64) -> Elapsed {
    Elapsed { since_last_s, period_s: PERIOD_S }
}

fn run(case: &Case, check: impl Fn(&Seen<'_>) -> Result<(), String>) -> Result<(), TestCaseError> {
    let straight: Vec<usize> = (0..case.speakers.len()).collect();
    let (mut slot, at) = case.slot(&straight);
    let (mut twin, twin_at) = case.slot(&case.order);
    let mut standing = vec![Standing::default(); straight.len()];
    for (n, step) in case.steps.iter().enumerate() {
        for (i, say) in &step.says {
            case.say(&mut slot, &at, *i, say);
            case.say(&mut twin, &twin_at, *i, say);
            case.stand(&mut standing[*i], *i, say);
        }
        slot.drive(step.drive);
        twin.drive(step.drive);
        let (last, before, since_s) = (slot.applied(), slot.clone(), f64::from(step.slots) * PERIOD_S);
        let (now, other) = (slot.resolve(elapsed(since_s)), twin.resolve(elapsed(since_s)));
        let (before, at, standing, drive) = (&before, &at[..], &standing[..], step.drive);
        let seen = Seen { case, before, at, standing, drive, since_s, last, now, other };
        let told = |e| format!("{e}\nstep {n}: last {last:?}\n now {now:?}\n other {other:?}\n {standing:?}");
        check(&seen).map_err(told).map_err(TestCaseError::fail)?;
    }
    Ok(())
}

fn ensure(ok: bool, otherwise: impl Into<String>) -> Result<(), String> {
    if ok { Ok(()) } else { Err(otherwise.into()) }
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * higher(higher(a.abs(), b.abs()), 1.0)
}

fn same(a: f64, b: f64) -> bool {
    (a + 0.0).to_bits() == (b + 0.0).to_bits()
}

impl Seen<'_> {
    fn safe(&self) -> f64 {
        self.case.rule.safe
    }

    fn armed(&self) -> bool {
        self.drive == Drive::Armed
    }

    /// What program `i` allows, by the words of the design.
    fn allowed(&self, i: usize) -> (f64, f64) {
        let safe = self.safe();
        let (low, high) = self.standing[i].limit.unwrap_or((safe, safe));
        let low = if low.is_finite() && low < safe { low } else { safe };
        let high = if high.is_finite() && high > safe { high } else { safe };
        (low, high)
    }

    /// The intersection of all limits, by the words of the design.
    fn bounds(&self) -> (f64, f64) {
        if let Drive::Held(_) = self.drive {
            return (self.safe(), self.safe());
        }
        let limiters = (0..self.standing.len()).filter(|i| self.case.speakers[*i] == Verb::Limit);
        limiters.map(|i| self.allowed(i)).fold(self.case.rule.range, |a, b| (higher(a.0, b.0), lower(a.1, b.1)))
    }

    /// The demand that wins.
    fn wins(&self) -> Option<(By, f64)> {
        let demands = self.standing.iter().enumerate().filter_map(|(i, s)| s.demand.map(|v| (rank(i), by(i), v)));
        demands.max_by_key(|(rank, ..)| *rank).map(|(_, by, v)| (by, v)).filter(|_| self.armed())
    }

    fn at_a_bound(&self, v: f64) -> bool {
        let (low, high) = self.bounds();
        same(v, low) || same(v, high)
    }

    fn adds(&self) -> bool {
        self.armed() && self.standing.iter().any(|s| s.add.is_some())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn everything_that_goes_out_is_a_number_and_never_minus_zero(c in any_case()) {
        run(&c, |s| {
            let out = [s.now.total, s.now.base, s.now.added];
            ensure(out.iter().all(|v| v.is_finite()), "not finite")?;
            ensure(out.iter().all(|v| v.to_bits() != (-0.0f64).to_bits()), "-0")
        })?;
    }

    #[test]
    fn what_goes_out_lies_within_every_limit(c in any_case()) {
        run(&c, |s| {
            let (low, high) = s.bounds();
            ensure(low <= s.now.total && s.now.total <= high, format!("total outside {low}..{high}"))?;
            ensure(low <= s.now.base && s.now.base <= high, format!("base outside {low}..{high}"))
        })?;
    }

    #[test]
    fn the_safe_value_is_always_allowed(c in any_case()) {
        run(&c, |s| {
            let (low, high) = s.before.bounds();
            ensure(low <= s.safe() && s.safe() <= high, format!("safe outside {low}..{high}"))
        })?;
    }

    #[test]
    fn the_order_of_programs_is_irrelevant(c in any_case()) {
        run(&c, |s| ensure(near(s.now.total, s.other.total) && near(s.now.base, s.other.base), "order matters"))?;
    }

    #[test]
    fn only_a_limit_moves_the_base_faster_than_its_ramp(c in any_case()) {
        run(&c, |s| {
            let rule = &s.case.rule;
            let step = s.since_s * if s.wins().is_some() { rule.ramp_per_s } else { rule.ramp_out_per_s };
            let moved = (s.now.base - s.last.base).abs();
            ensure(moved <= step * (1.0 + 1e-12) + 1e-9 || s.at_a_bound(s.now.base), format!("moved {moved}"))
        })?;
    }

    #[test]
    fn after_a_pause_the_ramp_away_from_safe_counts_one_period(c in any_case()) {
        run(&c, |s| {
            let (was, is) = (s.last.base - s.safe(), s.now.base - s.safe());
            // beyond safe, only what lies beyond safe leads away from it
            let before = if was * is < 0.0 { 0.0 } else { was.abs() };
            let step = s.case.rule.ramp_per_s * PERIOD_S;
            ensure(is.abs() <= before + step * (1.0 + 1e-12) + 1e-9, format!("{was} away from safe, then {is}"))
        })?;
    }

    #[test]
    fn the_base_and_what_is_added_make_the_total(c in any_case()) {
        run(&c, |s| ensure(near(s.now.base + s.now.added, s.now.total), "base + added is not the total"))?;
    }

    #[test]
    fn an_addition_goes_no_further_than_its_room(c in any_case()) {
        run(&c, |s| {
            let ended = |(x, verb): (&Standing, &Verb)| *verb == Verb::Service && x.add.is_none();
            if !s.armed() || s.standing.iter().zip(&s.case.speakers).any(ended) {
                return Ok(()); // what ramps out was within the room of its day
            }
            let rooms = s.standing.iter().map(|x| (room(x.room.0), room(x.room.1)));
            let (down, up) = rooms.fold((0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1));
            ensure(s.now.added <= up + 1e-6 && s.now.added >= -down - 1e-6, format!("beyond -{down}..{up}"))
        })?;
    }

    #[test]
    fn room_that_is_not_a_number_is_all_the_room(c in case(true)) {
        run(&c, |s| {
            let all_up = s.standing.iter().any(|x| x.room.1.is_nan());
            let way = higher(s.last.base, s.safe());
            ensure(!all_up || s.now.base <= way, "the demand went up although all the room is reserved")
        })?;
    }

    #[test]
    fn what_has_ended_ramps_out_and_never_comes_back(c in any_case()) {
        run(&c, |s| {
            if s.wins().is_some() || s.adds() || matches!(s.drive, Drive::Held(_)) {
                return Ok(());
            }
            let step = s.since_s * s.case.rule.ramp_out_per_s;
            let moved = (s.now.total - s.last.total).abs();
            // a limit that pushes the base to safe bares the addition that opposed it
            let pushed = s.at_a_bound(s.now.base) && !same(s.now.base, s.last.base);
            let limited = pushed || s.at_a_bound(s.now.total);
            ensure(moved <= step * (1.0 + 1e-9) + 1e-6 || limited, format!("moved {moved}"))?;
            let (was, is) = ((s.last.total - s.safe()).abs(), (s.now.total - s.safe()).abs());
            ensure(pushed || is <= was * (1.0 + 1e-12) + 1e-9, format!("{was} away from safe, then {is}"))
        })?;
    }

    #[test]
    fn what_has_ended_is_safe_in_bounded_time(c in any_case(), stop in any::<bool>()) {
        let straight: Vec<usize> = (0..c.speakers.len()).collect();
        let (mut slot, at) = c.slot(&straight);
        for step in &c.steps {
            step.says.iter().for_each(|(i, say)| c.say(&mut slot, &at, *i, say));
            slot.drive(step.drive);
            slot.resolve(elapsed(f64::from(step.slots) * PERIOD_S));
        }
        if stop {
            slot.drive(Drive::Stopping);
        } else {
            slot.drive(Drive::Armed);
            straight.iter().filter(|i| c.speakers[**i] != Verb::Limit).for_each(|i| slot.forget(at[*i]));
        }
        // at most five additions and the demand are out, none further than the range is wide
        let width = c.rule.range.1 - c.rule.range.0;
        let step_s = higher(width / c.rule.ramp_out_per_s / 50.0, PERIOD_S);
        (0..400).for_each(|_| { slot.resolve(elapsed(step_s)); });
        prop_assert!(same(slot.applied().total, c.rule.safe), "{:?}", slot.applied());
        prop_assert!(same(slot.applied().base, c.rule.safe), "{:?}", slot.applied());
    }

    #[test]
    fn a_site_that_is_held_is_exactly_safe_at_once(c in any_case()) {
        run(&c, |s| {
            let Drive::Held(why) = s.drive else { return Ok(()) };
            ensure(same(s.now.total, s.safe()) && same(s.now.base, s.safe()) && same(s.now.added, 0.0), "not safe")?;
            ensure(s.now.cause == why, "the cause is not why the site is held")
        })?;
    }

    #[test]
    fn repeating_what_stands_changes_nothing(c in any_case()) {
        run(&c, |s| {
            let mut again = s.before.clone();
            for (i, x) in s.standing.iter().enumerate() {
                match (s.case.speakers[i], x.limit) {
                    (Verb::Demand, _) => again.demand(s.at[i], x.demand),
                    (Verb::Limit, Some((low, high))) => again.limit(s.at[i], low, high),
                    (Verb::Limit, None) => {}
                    (Verb::Service, _) => {
                        again.add(s.at[i], x.add);
                        again.reserve(s.at[i], x.room.0, x.room.1);
                    }
                }
            }
            let repeated = again.resolve(elapsed(s.since_s));
            let equal = repeated.total.to_bits() == s.now.total.to_bits() && repeated.cause == s.now.cause;
            ensure(equal, format!("repeating made it {repeated:?}"))
        })?;
    }

    #[test]
    fn a_ramp_that_binds_is_named(c in case(false)) {
        run(&c, |s| {
            let unramped = matches!(s.now.cause, Cause::Limit(_) | Cause::Reserved(_) | Cause::Range | Cause::Demand(_));
            if !unramped || s.at_a_bound(s.now.base) || s.at_a_bound(s.now.total) {
                return Ok(());
            }
            let arrived = s.before.clone().resolve(Elapsed { since_last_s: 1e30, period_s: 1e30 });
            ensure(near(arrived.base, s.now.base), format!("the ramp binds, without it {arrived:?}"))
        })?;
    }

    #[test]
    fn the_cause_that_is_named_is_true(c in any_case()) {
        run(&c, |s| {
            let out = [s.now.total, s.now.base];
            let range = s.case.rule.range;
            let is_at = |(low, high): (f64, f64)| out.iter().any(|v| same(*v, low) || same(*v, high));
            let true_cause = match s.now.cause {
                Cause::Demand(by) => s.wins().is_some_and(|(b, v)| b == by && same(v, s.now.base)),
                Cause::Ramp(by) => s.wins().is_some_and(|(b, v)| b == by && !same(v, s.now.base)),
                Cause::Reserved(by) => s.wins().is_some() && {
                    let x = s.standing[usize::from(by.0)];
                    room(x.room.0) > 0.0 || room(x.room.1) > 0.0
                },
                Cause::Limit(by) => is_at(s.allowed(usize::from(by.0))),
                Cause::Range => is_at(range),
                Cause::NoDemand => s.armed() && s.wins().is_none(),
                Cause::Stopping => s.drive == Drive::Stopping,
                Cause::Disarmed | Cause::Tripped | Cause::Offline => s.drive == Drive::Held(s.now.cause),
                Cause::Members | Cause::Share | Cause::Dwell(_) | Cause::Order => false,
            };
            ensure(true_cause, "the cause is not true")
        })?;
    }
}
