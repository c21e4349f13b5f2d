//! Examples of one real output: what is said, what goes out, and why.

use super::*;

const PERIOD_S: f64 = 0.01;
const FREE: (f64, f64) = (f64::MIN, f64::MAX);

/// ±10 kW, safe at 0, 1 000 W/s, 5 000 W/s out.
const INVERTER: Rule = Rule { safe: 0.0, range: (-10_000.0, 10_000.0), ramp_per_s: 1_000.0, ramp_out_per_s: 5_000.0 };
/// The same without a ramp of the demand that one could see.
const FAST: Rule = Rule { ramp_per_s: 1e9, ..INVERTER };

fn scan(slot: &mut Slot) -> (f64, Cause) {
    after(slot, PERIOD_S)
}

fn after(slot: &mut Slot, since_last_s: f64) -> (f64, Cause) {
    let out = slot.resolve(Elapsed { since_last_s, period_s: PERIOD_S });
    (out.total, out.cause)
}

fn scans(slot: &mut Slot, count: u32) {
    for _ in 0..count {
        scan(slot);
    }
}

/// An output that programs 0, 1, … may demand at ranks 0, 1, …
fn demanded<const N: usize>(rule: Rule, watts: [f64; N]) -> (Slot, [u16; N]) {
    let mut slot = Slot::new(rule);
    let at = std::array::from_fn(|i| {
        let i = u8::try_from(i).unwrap();
        slot.open(By(i), i, false)
    });
    at.iter().zip(watts).for_each(|(at, w)| slot.demand(*at, Some(w)));
    (slot, at)
}

#[test]
fn nobody_demands_so_the_output_is_safe() {
    assert_eq!(scan(&mut Slot::new(INVERTER)), (0.0, Cause::NoDemand));
}

#[test]
fn a_demand_ramps_and_arrives_exactly() {
    let (mut slot, _) = demanded(INVERTER, [25.0]);
    let ramp = Cause::Ramp(By(0));
    assert_eq!([scan(&mut slot), scan(&mut slot)], [(10.0, ramp), (20.0, ramp)]);
    assert_eq!(scan(&mut slot), (25.0, Cause::Demand(By(0))));
}

#[test]
fn the_highest_rank_wins_and_hands_over_to_the_next_when_it_ends() {
    let (mut slot, at) = demanded(FAST, [1_000.0, -2_000.0]);
    assert_eq!(scan(&mut slot), (-2_000.0, Cause::Demand(By(1))));
    slot.demand(at[1], None);
    assert_eq!(scan(&mut slot), (1_000.0, Cause::Demand(By(0))));
}

#[test]
fn a_demand_that_is_not_a_number_has_ended() {
    for v in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let (mut slot, at) = demanded(FAST, [1_000.0]);
        scan(&mut slot);
        slot.demand(at[0], Some(v));
        assert_eq!(scan(&mut slot), (950.0, Cause::NoDemand), "{v}");
    }
}

#[test]
fn an_ended_demand_ramps_out_and_skipped_slots_count() {
    let (mut slot, at) = demanded(FAST, [6_500.0]);
    scan(&mut slot);
    slot.forget(at[0]);
    assert_eq!(scan(&mut slot), (6_450.0, Cause::NoDemand));
    assert_eq!(after(&mut slot, 0.04), (6_250.0, Cause::NoDemand));
}

#[test]
fn after_a_pause_the_way_to_safe_counts_all_the_time_and_the_way_from_it_one_period() {
    let ramp = Cause::Ramp(By(0));
    let (mut slot, at) = demanded(INVERTER, [9_000.0]);
    assert_eq!(after(&mut slot, 5.0), (10.0, ramp), "away from safe");
    scans(&mut slot, 700);
    slot.demand(at[0], Some(1_000.0));
    assert_eq!(after(&mut slot, 5.0), (2_010.0, ramp), "towards safe");
    slot.demand(at[0], Some(-9_000.0));
    assert_eq!(after(&mut slot, 5.0), (-10.0, ramp), "across safe: all of the way to it, one period beyond it");
}

#[test]
fn a_step_of_one_period_across_safe_is_not_cut_at_safe() {
    let (mut slot, at) = demanded(INVERTER, [6.0]);
    scan(&mut slot);
    slot.demand(at[0], Some(-9_000.0));
    assert_eq!(scan(&mut slot), (-4.0, Cause::Ramp(By(0))));
}

#[test]
fn a_limiter_that_has_not_spoken_allows_nothing() {
    let (mut slot, _) = demanded(FAST, [6_500.0]);
    let limit = slot.open(By(9), 0, true);
    assert_eq!(scan(&mut slot), (0.0, Cause::Limit(By(9))));
    slot.limit(limit, FREE.0, FREE.1);
    assert_eq!(scan(&mut slot), (6_500.0, Cause::Demand(By(0))));
    slot.forget(limit);
    assert_eq!(scan(&mut slot), (0.0, Cause::Limit(By(9))), "silence is the narrowest limit");
}

#[test]
fn a_limit_that_is_not_a_number_allows_nothing_on_that_side() {
    let (mut slot, at) = demanded(FAST, [6_500.0]);
    let limit = slot.open(By(9), 0, true);
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        slot.limit(limit, -3_000.0, bad);
        assert_eq!(scan(&mut slot), (0.0, Cause::Limit(By(9))), "{bad}");
        slot.demand(at[0], Some(-6_500.0));
        assert_eq!(scan(&mut slot), (-3_000.0, Cause::Limit(By(9))), "{bad}");
        slot.demand(at[0], Some(6_500.0));
    }
}

#[test]
fn a_limit_acts_at_once_and_what_it_held_back_ramps_when_it_widens() {
    let (mut slot, _) = demanded(INVERTER, [30.0]);
    let limit = slot.open(By(9), 0, true);
    slot.limit(limit, FREE.0, FREE.1);
    scans(&mut slot, 3);
    slot.limit(limit, 0.0, 5.0);
    assert_eq!(scan(&mut slot), (5.0, Cause::Limit(By(9))));
    slot.limit(limit, FREE.0, FREE.1);
    assert_eq!(scan(&mut slot), (15.0, Cause::Ramp(By(0))));
}

#[test]
fn limits_cannot_contradict_each_other() {
    let (mut slot, _) = demanded(FAST, [0.0]);
    let (a, b) = (slot.open(By(8), 0, true), slot.open(By(9), 0, true));
    slot.limit(a, 2_000.0, 3_000.0);
    slot.limit(b, -3_000.0, -2_000.0);
    assert_eq!(slot.bounds(), (0.0, 0.0), "each is widened to contain the safe value, and that is what they share");
    assert_eq!(scan(&mut slot), (0.0, Cause::Demand(By(0))));
}

#[test]
fn the_range_binds_and_is_named() {
    let (mut slot, _) = demanded(FAST, [12_000.0]);
    assert_eq!(scan(&mut slot), (10_000.0, Cause::Range));
}

#[test]
fn nobody_can_sell_the_kilowatts_that_a_service_reserved() {
    let (mut slot, _) = demanded(FAST, [9_000.0]);
    let service = slot.open(By(5), 0, false);
    slot.reserve(service, 0.0, 3_000.0);
    assert_eq!(scan(&mut slot), (7_000.0, Cause::Reserved(By(5))));
    slot.add(service, Some(3_000.0));
    assert_eq!(scan(&mut slot), (10_000.0, Cause::Reserved(By(5))));
}

#[test]
fn reserved_room_never_moves_power_by_itself_and_never_pulls_past_safe() {
    let mut slot = Slot::new(FAST);
    let (demand, service, limit) = (slot.open(By(0), 0, false), slot.open(By(5), 0, false), slot.open(By(9), 0, true));
    slot.reserve(service, 3_000.0, 3_000.0);
    slot.limit(limit, -1_000.0, 1_000.0);
    assert_eq!(scan(&mut slot), (0.0, Cause::NoDemand));
    slot.demand(demand, Some(500.0));
    assert_eq!(scan(&mut slot), (0.0, Cause::Reserved(By(5))), "more room than there is pulls to safe and not beyond");
}

#[test]
fn reserved_room_stays_while_its_program_says_nothing() {
    let (mut slot, _) = demanded(FAST, [9_000.0]);
    let service = slot.open(By(5), 0, false);
    slot.reserve(service, 0.0, 3_000.0);
    slot.forget(service);
    assert_eq!(scan(&mut slot), (7_000.0, Cause::Reserved(By(5))));
}

#[test]
fn an_addition_goes_no_further_than_its_room_and_outside_the_ramp() {
    let (mut slot, _) = demanded(INVERTER, [5.0]);
    let service = slot.open(By(5), 0, false);
    slot.add(service, Some(2_000.0));
    assert_eq!(scan(&mut slot), (5.0, Cause::Demand(By(0))), "nothing is reserved");
    slot.reserve(service, 100.0, 1_500.0);
    assert_eq!(scan(&mut slot), (1_505.0, Cause::Demand(By(0))));
    slot.add(service, Some(-2_000.0));
    assert_eq!(scan(&mut slot), (-95.0, Cause::Demand(By(0))));
}

#[test]
fn an_addition_that_ended_ramps_out_on_top_of_its_demand() {
    let (mut slot, _) = demanded(FAST, [2_000.0]);
    let service = slot.open(By(5), 0, false);
    slot.reserve(service, 0.0, 3_000.0);
    slot.add(service, Some(3_000.0));
    assert_eq!(scan(&mut slot), (5_000.0, Cause::Demand(By(0))));
    slot.forget(service);
    assert_eq!(scan(&mut slot), (4_950.0, Cause::Demand(By(0))));
}

#[test]
fn what_a_limit_cut_off_does_not_come_back_while_it_ramps_out() {
    let (mut slot, _) = demanded(FAST, [0.0]);
    let (service, limit) = (slot.open(By(5), 0, false), slot.open(By(9), 0, true));
    slot.limit(limit, FREE.0, FREE.1);
    slot.reserve(service, 0.0, 3_000.0);
    slot.add(service, Some(3_000.0));
    scan(&mut slot);
    slot.limit(limit, 0.0, 200.0);
    slot.add(service, None);
    assert_eq!(scan(&mut slot), (200.0, Cause::Limit(By(9))));
    slot.limit(limit, FREE.0, FREE.1);
    assert_eq!(scan(&mut slot), (150.0, Cause::Demand(By(0))));
}

#[test]
fn a_demand_and_an_addition_that_end_together_share_one_ramp() {
    let (mut slot, at) = demanded(FAST, [4_000.0]);
    let service = slot.open(By(5), 0, false);
    slot.reserve(service, 0.0, 2_000.0);
    slot.add(service, Some(2_000.0));
    scan(&mut slot);
    slot.forget(at[0]);
    slot.forget(service);
    for left in [5_950.0, 5_900.0, 5_850.0] {
        let total = scan(&mut slot).0;
        assert!((total - left).abs() < 1e-6, "{total}, not {left}");
    }
    scans(&mut slot, 117);
    assert_eq!(scan(&mut slot), (0.0, Cause::NoDemand), "and arrives exactly");
}

#[test]
fn what_a_held_site_had_added_is_forgotten() {
    let mut slot = Slot::new(FAST);
    let at = [slot.open(By(0), 0, false), slot.open(By(1), 0, false)];
    for (at, w) in at.iter().zip([4_000.0, -4_000.0]) {
        slot.reserve(*at, 4_000.0, 4_000.0);
        slot.add(*at, Some(w));
    }
    scan(&mut slot);
    slot.drive(Drive::Held(Cause::Tripped));
    slot.add(at[1], None);
    scan(&mut slot);
    slot.drive(Drive::Armed);
    assert_eq!(scan(&mut slot), (4_000.0, Cause::NoDemand), "the second was out of it, and does not ramp out now");
}

#[test]
fn two_additions_that_end_together_keep_their_balance() {
    let mut slot = Slot::new(FAST);
    let at = [slot.open(By(0), 0, false), slot.open(By(1), 0, false)];
    for (at, w) in at.iter().zip([4_000.0, -4_000.0]) {
        slot.reserve(*at, 4_000.0, 4_000.0);
        slot.add(*at, Some(w));
    }
    scan(&mut slot);
    at.iter().for_each(|at| slot.forget(*at));
    for _ in 0..200 {
        let total = scan(&mut slot).0;
        assert!(total.abs() < 1e-6, "the first must not run out before the second: {total}");
    }
}

#[test]
fn a_stop_moves_nothing_away_from_safe_where_demand_and_addition_oppose() {
    let (mut slot, _) = demanded(FAST, [4_000.0]);
    let service = slot.open(By(5), 0, false);
    slot.reserve(service, 4_000.0, 0.0);
    slot.add(service, Some(-4_000.0));
    assert_eq!(scan(&mut slot), (0.0, Cause::Demand(By(0))));
    slot.drive(Drive::Stopping);
    for _ in 0..200 {
        let (total, cause) = scan(&mut slot);
        assert!(total.abs() < 1e-6 && cause == Cause::Stopping, "{total} {cause:?}");
    }
    assert_eq!((slot.applied().base, slot.applied().added), (0.0, 0.0));
}

#[test]
fn a_stopping_site_ramps_out_under_its_limits() {
    let (mut slot, _) = demanded(FAST, [6_500.0]);
    let limit = slot.open(By(9), 0, true);
    slot.limit(limit, FREE.0, FREE.1);
    scan(&mut slot);
    slot.drive(Drive::Stopping);
    assert_eq!(scan(&mut slot), (6_450.0, Cause::Stopping));
    slot.limit(limit, 0.0, 1_000.0);
    assert_eq!(scan(&mut slot), (1_000.0, Cause::Limit(By(9))));
}

#[test]
fn a_held_site_is_safe_at_once_and_starts_from_there_when_it_arms() {
    let (mut slot, _) = demanded(INVERTER, [30.0]);
    let service = slot.open(By(5), 0, false);
    slot.reserve(service, 0.0, 500.0);
    slot.add(service, Some(500.0));
    scans(&mut slot, 3);
    slot.drive(Drive::Held(Cause::Tripped));
    slot.add(service, None);
    assert_eq!(scan(&mut slot), (0.0, Cause::Tripped));
    slot.drive(Drive::Armed);
    assert_eq!(
        scan(&mut slot),
        (10.0, Cause::Ramp(By(0))),
        "the ramp begins anew, the ended addition does not come back"
    );
}

#[test]
fn a_held_site_names_its_reason_where_safe_is_the_end_of_the_range() {
    let (mut slot, _) = demanded(Rule { range: (0.0, 10_000.0), ..FAST }, [6_500.0]);
    let service = slot.open(By(5), 0, false);
    slot.reserve(service, 9_000.0, 0.0);
    slot.add(service, Some(-9_000.0));
    scan(&mut slot);
    slot.drive(Drive::Held(Cause::Disarmed));
    assert_eq!(scan(&mut slot), (0.0, Cause::Disarmed));
}

#[test]
fn the_cause_names_the_bound_that_holds_the_total() {
    let (mut slot, at) = demanded(Rule { ramp_per_s: 1e6, ..INVERTER }, [9_000.0]);
    let (high, low) = (slot.open(By(1), 0, true), slot.open(By(2), 0, true));
    let service = slot.open(By(3), 0, false);
    slot.limit(high, -1e4, 1e4);
    slot.limit(low, -1_000.0, 1e4);
    scan(&mut slot);
    slot.limit(high, -1e4, 5_000.0);
    slot.add(service, Some(-9_000.0));
    slot.reserve(service, 9_000.0, 0.0);
    slot.demand(at[0], Some(9_500.0));
    assert_eq!(
        scan(&mut slot),
        (-1_000.0, Cause::Limit(By(2))),
        "the base is at its upper limit, the total at its lower"
    );
}

#[test]
fn a_safe_value_of_minus_zero_is_zero() {
    let slot = Slot::new(Rule { safe: -0.0, range: (-0.0, 10_000.0), ..FAST });
    assert_eq!(slot.applied().total.to_bits(), 0);
    assert_eq!((slot.rule().safe.to_bits(), slot.bounds().0.to_bits()), (0, 0));
}

#[test]
fn a_rule_that_cannot_be_kept_is_refused() {
    for bad in [
        Rule { safe: f64::NAN, ..INVERTER },
        Rule { safe: 10_000.5, ..INVERTER },
        Rule { range: (f64::NEG_INFINITY, 0.0), ..INVERTER },
        Rule { range: (f64::MIN, f64::MAX), ..INVERTER },
        Rule { range: (5.0, -5.0), ..INVERTER },
        Rule { ramp_per_s: 0.0, ..INVERTER },
        Rule { ramp_per_s: f64::NAN, ..INVERTER },
        Rule { ramp_out_per_s: -1.0, ..INVERTER },
        Rule { ramp_out_per_s: f64::INFINITY, ..INVERTER },
    ] {
        assert!(std::panic::catch_unwind(|| Slot::new(bad)).is_err(), "{bad:?}");
    }
}

#[test]
fn every_cause_has_a_code_and_words_of_its_own() {
    let by = By(3);
    let causes = [
        Cause::NoDemand,
        Cause::Demand(by),
        Cause::Ramp(by),
        Cause::Limit(by),
        Cause::Reserved(by),
        Cause::Range,
        Cause::Members,
        Cause::Share,
        Cause::Dwell(by),
        Cause::Order,
        Cause::Disarmed,
        Cause::Tripped,
        Cause::Stopping,
        Cause::Offline,
    ];
    let words = causes.map(|c| Cause::describe(c.code(), |i| if i == 3 { "fcr" } else { "?" }));
    for (i, (cause, said)) in causes.iter().zip(&words).enumerate() {
        assert_eq!(usize::from(cause.code().0), i);
        assert_eq!(said.contains("fcr"), cause.code().1 == 3, "{said}");
        assert!(!said.contains("unknown") && words.iter().filter(|w| *w == said).count() == 1, "{said}");
    }
    assert_eq!(Cause::describe((14, 255), |_| "?"), "unknown");
}
