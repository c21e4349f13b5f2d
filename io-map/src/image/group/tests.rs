//! Groups, one and two levels deep, through the wiring and all that programs may say. Members' safe values are 0 or not,
//! their ranges may be empty, their limiters have periods of their own.

use super::super::output::{Cause, Demand, Drive, Elapsed, Limit, Rule, Service};
use super::super::wiring::{OutputDef, OutputKind, Wired, Wiring};
use super::super::{By, Outputs, Real, ScanTime, Unit};
use crate::document::Spanned;
use crate::real::{higher, lower};
use proptest::prelude::*;

const PERIOD_S: f64 = 0.01;

#[derive(Clone, Debug)]
struct Member {
    safe: f64,
    range: (f64, f64),
    limits: Vec<(f64, f64)>,
}

#[derive(Clone, Debug)]
struct Case {
    members: Vec<Member>,
    demand: Vec<f64>,
    add: Vec<f64>,
    total_limits: Vec<(f64, f64)>,
    /// The second and third member make a total of their own, which is a member of the first.
    nested: bool,
    /// Periods in scans: of the demand, the addition, the limit on the total, the members' limits.
    every: [u64; 6],
    drives: Vec<Drive>,
}

fn name(name: &str) -> Spanned<String> {
    Spanned { value: name.into(), span: 0..0 }
}

fn def(name: &str, safe: f64, range: (f64, f64), members: &[usize]) -> OutputDef {
    let rule = Rule { safe, range, ramp_per_s: 1e9, ramp_out_per_s: 1e4 };
    OutputDef { name: name.into(), kind: OutputKind::Real { unit: Unit::W, rule }, members: members.to_vec() }
}

/// A group with somebody who demands, adds and limits the total, and somebody who limits each member.
struct Plant {
    outputs: Outputs,
    demand: Demand<Real>,
    service: Service<Real>,
    total: Limit<Real>,
    limits: Vec<Limit<Real>>,
    /// The members that are outputs of a device, as slots.
    leaves: Vec<usize>,
    tick: u64,
}

impl Plant {
    fn new(members: &[Member], nested: bool) -> Self {
        let safe: f64 = members.iter().map(|m| m.safe).sum();
        let wide = |safe: f64| (safe - 3e4, safe + 3e4);
        let mut defs = Vec::new();
        if nested {
            let below = members[1].safe + members[2].safe;
            defs = vec![def("total", safe, wide(safe), &[2, 1]), def("below", below, wide(below), &[3, 4])];
        } else {
            defs.push(def("total", safe, wide(safe), &(1..=members.len()).collect::<Vec<_>>()));
        }
        let leaves = (defs.len()..defs.len() + members.len()).collect();
        let names: Vec<String> = (0..members.len()).map(|i| format!("m{i}")).collect();
        defs.extend(names.iter().zip(members).map(|(name, m)| def(name, m.safe, m.range, &[])));
        let mut wiring = Wiring::new(Vec::new(), defs, 10);
        wiring.begin(0..0);
        let demand = wiring.demand(&name("total"), Unit::W, 0);
        wiring.begin(0..0);
        let service = wiring.service(&name("total"), Unit::W);
        wiring.begin(0..0);
        let total = wiring.limit(&name("total"), Unit::W);
        let mut limits = Vec::new();
        for member in &names {
            wiring.begin(0..0);
            limits.push(wiring.limit(&name(member), Unit::W));
        }
        let Wired { outputs, .. } = wiring.finish().unwrap();
        Self { outputs, demand, service, total, limits, leaves, tick: 0 }
    }

    fn resolve(&mut self, drive: Drive) {
        let elapsed = Elapsed { since_last_s: PERIOD_S, period_s: PERIOD_S };
        self.outputs.resolve(ScanTime(self.tick * 10_000_000), elapsed, drive, &[], &[]);
        self.tick += 1;
    }

    fn total(&self) -> f64 {
        self.outputs.reals()[0].applied().total
    }

    fn shares(&self) -> Vec<f64> {
        self.leaves.iter().map(|i| self.outputs.reals()[*i].applied().total).collect()
    }

    /// The programs that are due speak anew.
    fn speak(&mut self, case: &Case) {
        use super::super::outputs::Demandable;
        let tick = self.tick;
        let due = |i: usize| tick.is_multiple_of(case.every[i]);
        let pick = |of: usize, len: usize| usize::try_from(tick / case.every[of]).unwrap() % len;
        for i in 0..6 {
            if due(i) {
                self.outputs.forget(By(u8::try_from(i).unwrap()));
            }
        }
        if due(0) {
            Real::demand(&mut self.outputs, &self.demand, Some(case.demand[pick(0, case.demand.len())]));
        }
        if due(1) {
            let add = case.add[pick(1, case.add.len())];
            self.outputs.reserve(&self.service, add.abs(), add.abs());
            self.outputs.add(&self.service, Some(add));
        }
        if due(2) {
            let (low, high) = case.total_limits[pick(2, case.total_limits.len())];
            self.outputs.limit(&self.total, low, high);
        }
        for (i, member) in case.members.iter().enumerate().filter(|(i, _)| due(3 + i)) {
            let (low, high) = member.limits[pick(3 + i, member.limits.len())];
            self.outputs.limit(&self.limits[i], low, high);
        }
    }
}

fn allowed((low, high): (f64, f64), safe: f64, range: (f64, f64)) -> (f64, f64) {
    let low = if low.is_finite() && low < safe { low } else { safe };
    let high = if high.is_finite() && high > safe { high } else { safe };
    (higher(low, range.0), lower(high, range.1))
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * higher(higher(a.abs(), b.abs()), 1e4)
}

fn case() -> impl Strategy<Value = Case> {
    let limit = || {
        let any = (-6_000.0..6_000.0f64, -6_000.0..6_000.0f64);
        let odd = prop::sample::select(vec![(0.0, 0.0), (-1e5, 0.0), (0.0, 1e5), (f64::NAN, 5.0), (-0.0, -0.0)]);
        prop_oneof![3 => any, 4 => odd]
    };
    let down = prop_oneof![1 => Just(0.0), 2 => 0.0..9_000.0f64, 1 => Just(1e-300), 1 => Just(3_333.3)];
    let up = prop_oneof![1 => Just(0.0), 2 => 0.0..9_000.0f64, 1 => Just(1e-12)];
    let safe = prop_oneof![Just(-0.0), Just(0.1), -3_000.0..3_000.0f64];
    let limits = prop::collection::vec(limit(), 1..6);
    let member = (down, up, safe, limits).prop_map(|(down, up, safe, limits)| Member {
        safe,
        range: (safe - down, safe + up),
        limits,
    });
    let drive = prop_oneof![
        6 => Just(Drive::Armed),
        1 => Just(Drive::Stopping),
        1 => Just(Drive::Held(Cause::Disarmed)),
    ];
    let members = (prop::collection::vec(member, 3), any::<bool>()).prop_map(|(mut members, zero)| {
        for m in members.iter_mut().filter(|_| zero) {
            m.range = (m.range.0 - m.safe, m.range.1 - m.safe);
            m.safe = 0.0;
        }
        members
    });
    let demand = prop::collection::vec(-20_000.0..20_000.0f64, 1..6);
    let add = prop::collection::vec(-5_000.0..5_000.0f64, 1..6);
    let total_limits = prop::collection::vec(limit(), 1..4);
    let every = prop::array::uniform6(1u64..4);
    (members, demand, add, total_limits, any::<bool>(), every, prop::collection::vec(drive, 8)).prop_map(
        |(members, demand, add, total_limits, nested, every, drives)| Case {
            members,
            demand,
            add,
            total_limits,
            nested,
            every,
            drives,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn shares_sum_to_the_total_and_none_leaves_its_members_limits(c in case()) {
        let mut plant = Plant::new(&c.members, c.nested);
        for (tick, drive) in (0..).zip(&c.drives) {
            plant.speak(&c);
            plant.resolve(*drive);
            let shares = plant.shares();
            prop_assert!(near(shares.iter().sum(), plant.total()), "scan {}: {:?} of {}", tick, shares, plant.total());
            for (i, (m, share)) in c.members.iter().zip(&shares).enumerate() {
                let said = m.limits[usize::try_from(tick / c.every[3 + i]).unwrap() % m.limits.len()];
                let (low, high) = allowed(said, m.safe, m.range);
                prop_assert!(low <= *share && *share <= high, "scan {}: member {} outside {}..{}: {:?}", tick, i, low, high, shares);
                prop_assert!(share.to_bits() != (-0.0f64).to_bits(), "-0");
                if let Drive::Held(_) = drive {
                    prop_assert_eq!(share.to_bits(), (m.safe + 0.0).to_bits(), "member {} of a site that is held", i);
                }
            }
        }
    }

    #[test]
    fn a_group_that_stops_arrives_with_every_member_exactly_safe(c in case()) {
        let mut plant = Plant::new(&c.members, c.nested);
        for drive in &c.drives {
            plant.speak(&c);
            plant.resolve(*drive);
        }
        // at most 30 kW of demand and 5 kW of addition, at 10 kW/s
        for _ in 0..400 {
            plant.resolve(Drive::Stopping);
        }
        prop_assert!(plant.outputs.all_safe(), "{} is {:?}", plant.total(), plant.shares());
    }
}

fn inverter(limits: &[(f64, f64)]) -> Member {
    Member { safe: 0.0, range: (-10_000.0, 10_000.0), limits: limits.to_vec() }
}

/// What goes out when 8 kW are demanded of these members.
fn demanded(members: &[Member], watts: f64) -> Plant {
    use super::super::outputs::Demandable;
    let mut plant = Plant::new(members, false);
    Real::demand(&mut plant.outputs, &plant.demand, Some(watts));
    plant.outputs.limit(&plant.total, f64::MIN, f64::MAX);
    for (limit, member) in plant.limits.iter().zip(members) {
        plant.outputs.limit(limit, member.limits[0].0, member.limits[0].1);
    }
    plant.resolve(Drive::Armed);
    plant
}

#[test]
fn a_cold_battery_gives_less_and_the_other_inverter_takes_over_in_the_same_scan() {
    let plant = demanded(&[inverter(&[(-2_000.0, 2_000.0)]), inverter(&[(-8_000.0, 8_000.0)])], 8_000.0);
    assert_eq!((plant.total(), plant.shares()), (8_000.0, vec![1_600.0, 6_400.0]));
}

#[test]
fn what_the_members_allow_together_limits_the_total_and_is_named() {
    let plant = demanded(&[inverter(&[(0.0, 1_000.0)]), inverter(&[(0.0, 3_000.0)])], 8_000.0);
    let out = plant.outputs.reals()[0].applied();
    assert_eq!((out.total, out.cause), (4_000.0, Cause::Members));
    assert_eq!(plant.shares(), [1_000.0, 3_000.0]);
    assert_eq!(plant.outputs.reals()[1].applied().cause, Cause::Share);
}

#[test]
fn a_group_of_one_gives_its_member_everything() {
    let plant = demanded(&[inverter(&[(-9_000.0, 9_000.0)])], -8_000.0);
    assert_eq!((plant.total(), plant.shares()), (-8_000.0, vec![-8_000.0]));
}

#[test]
fn a_member_whose_limiter_has_not_spoken_takes_nothing() {
    let mut plant = demanded(&[inverter(&[(-9_000.0, 9_000.0)]), inverter(&[(-9_000.0, 9_000.0)])], 8_000.0);
    plant.outputs.forget(By(3));
    plant.resolve(Drive::Armed);
    assert_eq!((plant.total(), plant.shares()), (8_000.0, vec![0.0, 8_000.0]));
}

#[test]
fn safe_values_that_do_not_sum_exactly_are_still_reached_exactly() {
    let members = [0.1, 0.2, 0.3].map(|safe| Member { safe, ..inverter(&[(-9_000.0, 9_000.0)]) });
    let mut plant = demanded(&members, 8_000.0);
    for _ in 0..200 {
        plant.resolve(Drive::Stopping);
    }
    assert_eq!(plant.shares(), [0.1, 0.2, 0.3]);
    assert!(plant.outputs.all_safe());
}

#[test]
#[should_panic(expected = "sum of its members")]
fn a_total_whose_safe_value_is_not_the_sum_of_its_members_is_refused() {
    let defs = vec![def("total", 0.0, (-1e4, 1e4), &[1]), def("m0", 500.0, (-1e4, 1e4), &[])];
    let _ = Wiring::new(Vec::new(), defs, 10);
}
