//! What the wiring gives out, what it refuses, and in which words.

use super::super::choice::ChoiceRule;
use super::super::point::{Code, Flag, ValueKind};
use super::*;

const INVERTER: Rule = Rule { safe: 0.0, range: (-1e4, 1e4), ramp_per_s: 1e3, ramp_out_per_s: 1e3 };

fn point(name: &str, kind: ValueKind, unit: Unit) -> PointDef {
    PointDef {
        name: name.into(),
        kind,
        unit,
        source: Source::Device(0),
        plausible: (-1e6, 1e6),
        age_max_ms: 500,
        frozen_after_ms: None,
        codes: Vec::new(),
    }
}

fn real(name: &str, members: &[usize]) -> OutputDef {
    OutputDef { name: name.into(), kind: OutputKind::Real { unit: Unit::W, rule: INVERTER }, members: members.to_vec() }
}

fn contactor() -> OutputDef {
    let rule = ChoiceRule { values: 2, safe: 0, dwell_ns: 0, safe_after: None };
    let values = vec!["Open".into(), "Closed".into()];
    OutputDef { name: "panel.contactor".into(), kind: OutputKind::Choice { values, rule }, members: Vec::new() }
}

fn pulse() -> OutputDef {
    OutputDef { name: "pcs.alarm_reset".into(), kind: OutputKind::Pulse, members: Vec::new() }
}

/// A site whose first program asks for its handles.
fn site() -> Wiring {
    let points = vec![
        point("meter.p", ValueKind::Real, Unit::W),
        point("panel.estop", ValueKind::Flag, Unit::None),
        point("pcs.state", ValueKind::Code, Unit::None),
    ];
    let outputs = vec![real("ess.p", &[1]), real("pcs.p", &[]), contactor(), pulse()];
    let mut site = Wiring::new(points, outputs, 10);
    site.begin(0..0);
    site
}

/// A name at a place of its own.
fn at<T>(start: usize, value: T) -> Spanned<T> {
    Spanned { value, span: start..start + 1 }
}

fn name(name: &str) -> Spanned<String> {
    at(7, name.into())
}

fn messages(site: Wiring) -> Vec<String> {
    site.finish().map(drop).expect_err("something is wrong").into_iter().map(|p| p.message).collect()
}

/// The one problem of a site: where, what, and the proposal.
fn problem(site: Wiring) -> (Range<usize>, String, String) {
    let mut all = site.finish().map(drop).expect_err("something is wrong");
    assert_eq!(all.len(), 1, "{all:?}");
    let only = all.remove(0);
    (only.span, only.message, only.help.unwrap_or_default())
}

#[test]
fn what_fits_is_given_out_and_noted() {
    let mut site = site();
    let grid: Point<Real> = site.point(&name("meter.p"), Unit::W);
    let chain: Point<Flag> = site.point(&name("panel.estop"), Unit::None);
    let state: Point<Code> = site.point(&name("pcs.state"), Unit::None);
    let _ = (site.demand(&name("ess.p"), Unit::W, 0), site.limit(&name("pcs.p"), Unit::W));
    let _ = (site.demand_choice(&name("panel.contactor"), 0), site.fire(&name("pcs.alarm_reset")));
    let load: Computed<Real> = site.compute(&name("site.load"), Unit::W, (-1e6, 1e6), 500);
    assert_eq!([grid.index(), chain.index(), state.index(), load.index()], [0, 1, 2, 3]);
    site.begin(0..0);
    let known: Point<Real> = site.point(&name("site.load"), Unit::W);
    let wired = site.finish().unwrap();
    assert_eq!((known.index(), wired.computed), (3, vec![(By(0), 3)]));
    assert_eq!(wired.points[3].source, Source::Computed);
    let says: Vec<_> = wired.says.iter().map(|s| (s.by, s.output, s.rank)).collect();
    assert_eq!(says, [(By(0), 0, Some(0)), (By(0), 1, None), (By(0), 2, Some(0)), (By(0), 3, Some(0))]);
    assert_eq!(wired.uses.iter().map(|u| (u.by.0, u.point)).collect::<Vec<_>>(), [(0, 0), (0, 1), (0, 2), (1, 3)]);
}

#[test]
fn a_program_may_ask_for_fresher_readings_than_the_point_allows_but_not_for_older_ones() {
    let mut site = site();
    let age_ms = |site: &mut Wiring, asked| {
        let point: Point<Real> = site.point_within(&name("meter.p"), Unit::W, asked);
        point.age_max_ns() / 1_000_000
    };
    assert_eq!([None, Some(200), Some(9_000)].map(|asked| age_ms(&mut site, asked)), [500, 200, 500]);
    let ages: Vec<u32> = site.finish().unwrap().uses.iter().map(|u| u.age_max_ms).collect();
    assert_eq!(ages, [500, 200, 500]);
}

#[test]
fn a_point_that_nobody_provides_is_refused_with_the_nearest_name() {
    let mut site = site();
    let _: Point<Real> = site.point(&name("meter.q"), Unit::W);
    let expected = (7..8, "nobody provides the point `meter.q`".into(), "did you mean `meter.p`?".into());
    assert_eq!(problem(site), expected);
}

#[test]
fn a_point_that_is_read_before_it_is_computed_is_refused() {
    let mut site = site();
    let _: Point<Real> = site.point(&name("site.load_of_the_house"), Unit::W);
    site.begin(0..0);
    let _: Computed<Real> = site.compute(&name("site.load_of_the_house"), Unit::W, (-1e6, 1e6), 500);
    let (_, message, help) = problem(site);
    assert_eq!(message, "nobody provides the point `site.load_of_the_house`");
    assert_eq!(help, "a point that a program computes is known only to the programs after it");
}

#[test]
fn a_point_has_one_source() {
    for taken in ["meter.p", "site.load", "ess.p"] {
        let mut site = site();
        let _: Computed<Real> = site.compute(&name("site.load"), Unit::W, (-1e6, 1e6), 500);
        site.begin(0..0);
        let _: Computed<Real> = site.compute(&name(taken), Unit::W, (-1e6, 1e6), 500);
        assert_eq!(messages(site), [format!("`{taken}` exists already")]);
    }
}

#[test]
fn a_kind_or_unit_that_does_not_fit_is_refused() {
    let mut site = site();
    let _: Point<Real> = site.point(&name("panel.estop"), Unit::None);
    let _: Point<Flag> = site.point(&name("meter.p"), Unit::W);
    let _: Point<Real> = site.point(&name("meter.p"), Unit::V);
    let _: Point<Real> = site.point(&name("ess.p"), Unit::W);
    let _ = site.demand(&name("ess.p"), Unit::Var, 0);
    let _ = site.limit(&name("panel.contactor"), Unit::W);
    let _ = site.limit_choice(&name("ess.p"));
    let _ = site.fire(&name("ess.p"));
    let _ = site.observe(&name("pcs.alarm_reset"), Unit::W);
    let expected = [
        "`panel.estop` is a flag in no unit, but a real in no unit is needed here",
        "`meter.p` is a real in W, but a flag in W is needed here",
        "`meter.p` is a real in W, but a real in V is needed here",
        "`ess.p` is an output; a point is needed here",
        "`ess.p` is in W, but an output in var is needed here",
        "`panel.contactor` is another kind of output; a real output is needed here",
        "`ess.p` is another kind of output; a choice output is needed here",
        "`ess.p` is another kind of output; a pulse is needed here",
        "`pcs.alarm_reset` is another kind of output; a real output is needed here",
    ];
    assert_eq!(messages(site), expected, "all at once, in the order met");
}

#[test]
fn an_output_that_does_not_exist_is_refused_with_the_nearest_name() {
    let mut site = site();
    let _ = site.demand(&name("ess.q"), Unit::W, 0);
    assert_eq!(problem(site), (7..8, "no output is called `ess.q`".into(), "did you mean `ess.p`?".into()));
}

#[test]
fn two_demands_of_one_rank_are_refused_and_of_two_ranks_are_not() {
    for (rank, refused) in [(3, true), (4, false)] {
        let mut site = site();
        let _ = site.demand(&name("ess.p"), Unit::W, 3);
        let _ = site.demand_choice(&name("panel.contactor"), 3);
        site.begin(0..0);
        let _ = site.demand(&name("ess.p"), Unit::W, rank);
        let _ = site.demand_choice(&name("panel.contactor"), rank);
        if refused {
            let expected = ["ess.p", "panel.contactor"]
                .map(|o| format!("two programs demand `{o}` at rank 3: number 1 and number 2 of the list"));
            assert_eq!(messages(site), expected);
        } else {
            assert!(site.finish().is_ok());
        }
    }
}

#[test]
fn a_pulse_has_one_holder() {
    let mut site = site();
    let _ = site.fire(&name("pcs.alarm_reset"));
    site.begin(0..0);
    let _ = site.fire(&name("pcs.alarm_reset"));
    let (_, message, help) = problem(site);
    assert_eq!(message, "two programs fire `pcs.alarm_reset`: number 1 and number 2 of the list");
    assert_eq!(help, "a pulse has one holder; ranks do not help here");
}

#[test]
fn a_member_of_a_group_is_limited_and_neither_demanded_nor_added_to() {
    let mut site = site();
    let _ = site.limit(&name("pcs.p"), Unit::W);
    let _ = site.demand(&name("pcs.p"), Unit::W, 0);
    let _ = site.service(&name("pcs.p"), Unit::W);
    let belongs = "`pcs.p` belongs to the group `ess.p` and takes no demand or addition of its own";
    assert_eq!(messages(site), [belongs, belongs]);
}

#[test]
fn a_value_of_a_choice_is_found_by_its_name() {
    let mut site = site();
    let value = |site: &mut Wiring, v: &str| site.choice_value(&name("panel.contactor"), &at(9, v.into()));
    assert_eq!([value(&mut site, "Open"), value(&mut site, "Closed")], [0, 1]);
    let _ = value(&mut site, "Ajar");
    let expected = (9..10, "`panel.contactor` has no value `Ajar`".into(), "it takes `Open`, `Closed`".into());
    assert_eq!(problem(site), expected);
}

#[test]
fn a_state_of_a_point_is_found_by_its_name() {
    let mut states = point("pcs.mode", ValueKind::Code, Unit::None);
    states.codes = vec![(1, "off".into()), (4, "running".into())];
    let mut site = Wiring::new(vec![states, point("pcs.state", ValueKind::Code, Unit::None)], Vec::new(), 10);
    let mut state = |point: &str, state: &str| site.code_value(&name(point), &at(9, state.into()));
    assert_eq!([state("pcs.mode", "off"), state("pcs.mode", "running")], [1, 4]);
    let _ = (state("pcs.mode", "ajar"), state("pcs.state", "off"), state("pcs.nowhere", "off"));
    let problems = site.finish().map(drop).expect_err("something is wrong");
    let said: Vec<_> = problems.iter().map(|p| (p.message.as_str(), p.help.as_deref().unwrap_or_default())).collect();
    let expected = [
        ("`pcs.mode` has no state `ajar`", "its states are `off`, `running`"),
        ("`pcs.state` has no state `off`", "it has no named states"),
    ];
    assert_eq!(said, expected, "a point that is not there is reported where its handle is asked for");
}

#[test]
fn a_period_of_its_own_is_a_multiple_of_the_scans() {
    let mut site = site();
    assert_eq!([site.every(None), site.every(Some(&at(0, 10))), site.every(Some(&at(0, 250)))], [1, 1, 25]);
    for (ms, would_be) in [(0, "10 ms"), (3, "10 ms"), (25, "20 or 30 ms"), (u32::MAX, "4294967290 ms")] {
        let mut site = self::site();
        assert_eq!(site.every(Some(&at(5, ms))), 1);
        let (span, message, help) = problem(site);
        assert_eq!((span, message), (5..6, format!("{ms} ms is not a multiple of the scan period of 10 ms")));
        assert_eq!(help, format!("{would_be} would be"));
    }
}

#[test]
fn a_site_of_too_many_programs_is_refused_and_one_of_just_enough_is_not() {
    let mut site = site();
    for _ in 1..PROGRAMS_MAX {
        site.begin(0..0);
    }
    let mut more = site.clone();
    assert!(site.finish().is_ok());
    more.begin(3..4);
    assert_eq!(problem(more), (3..4, "a site has at most 255 programs".into(), String::new()));
}

#[test]
fn what_a_program_finds_wrong_with_its_settings_is_told_with_the_rest() {
    let mut site = site();
    site.problem(2..3, "the taper is 0".into(), Some("5 is usual".into()));
    let _ = site.demand(&name("ess.q"), Unit::W, 0);
    assert_eq!(messages(site), ["the taper is 0", "no output is called `ess.q`"]);
}

#[test]
fn groups_that_cannot_be_resolved_are_refused() {
    let refused = |outputs: Vec<OutputDef>| std::panic::catch_unwind(|| Wiring::new(Vec::new(), outputs, 10)).is_err();
    assert!(!refused(vec![real("a", &[1]), real("b", &[2]), real("c", &[])]), "two levels");
    assert!(refused(vec![real("a", &[]), real("b", &[0])]), "a member before its total");
    assert!(refused(vec![real("a", &[0])]), "a member of itself");
    assert!(refused(vec![real("a", &[2]), real("b", &[2]), real("c", &[])]), "a member of two groups");
    assert!(refused(vec![real("a", &[1, 1]), real("b", &[])]), "a member twice");
    assert!(refused(vec![real("a", &[1]), contactor()]), "a member of another kind");
}
