use super::*;
use crate::bench::{Bench, Site, says};
use flyball_io_map::image::ValueKind;
use proptest::prelude::*;

const POINTS: [(&str, Unit, f64); 4] = [
    ("bms.charge_a_max", Unit::A, 50.0),
    ("bms.discharge_a_max", Unit::A, 100.0),
    ("bms.v", Unit::V, 50.0),
    ("bms.soc", Unit::Percent, 50.0),
];

fn settings() -> Settings {
    Settings {
        name: None,
        every_ms: None,
        charge_a_max: says("bms.charge_a_max"),
        discharge_a_max: says("bms.discharge_a_max"),
        voltage: says("bms.v"),
        soc: says("bms.soc"),
        power: says("ess.p"),
        soc_percent_min: says(10.0),
        soc_percent_max: says(90.0),
        taper_percent: says(5.0),
    }
}

fn site() -> Site {
    let points = POINTS.iter().fold(Site::default(), |site, (name, unit, _)| site.point(name, ValueKind::Real, *unit));
    points.real("ess.p", 0.0)
}

/// A battery at 50 V and 50 %, which takes 50 A and gives 100 A.
fn bench() -> Bench {
    let mut bench = site().bench(|site| wire(&settings(), site));
    POINTS.iter().for_each(|(name, _, value)| bench.set(name, *value));
    bench
}

/// What is allowed with this point at this value.
fn with(point: &str, value: f64) -> (f64, f64) {
    let mut bench = bench();
    bench.set(point, value);
    bench.scan();
    bench.bounds()
}

#[test]
fn current_times_voltage_is_what_is_allowed() {
    assert_eq!(with("bms.soc", 50.0), (-2_500.0, 5_000.0));
}

#[test]
fn a_lost_input_allows_nothing_from_that_scan_on_and_all_of_it_when_it_is_back() {
    for (lost, _, value) in POINTS {
        let mut bench = bench();
        bench.scan();
        bench.lose(lost);
        bench.scan();
        assert_eq!(bench.bounds(), (0.0, 0.0), "{lost}");
        bench.set(lost, value);
        bench.scan();
        assert_eq!(bench.bounds(), (-2_500.0, 5_000.0), "{lost}");
    }
}

#[test]
fn inputs_that_are_too_old_allow_nothing() {
    let mut bench = bench();
    bench.tick += 51;
    bench.scan();
    assert_eq!(bench.bounds(), (0.0, 0.0));
}

#[test]
fn both_ends_of_the_charge_are_tapered() {
    for (soc, charge, discharge) in [
        (0.0, -2_500.0, 0.0),
        (10.0, -2_500.0, 0.0),
        (12.5, -2_500.0, 2_500.0),
        (15.0, -2_500.0, 5_000.0),
        (85.0, -2_500.0, 5_000.0),
        (87.5, -1_250.0, 5_000.0),
        (90.0, 0.0, 5_000.0),
        (100.0, 0.0, 5_000.0),
    ] {
        assert_eq!(with("bms.soc", soc), (charge, discharge), "at {soc} %");
    }
}

#[test]
fn a_current_below_zero_allows_nothing_in_its_direction() {
    assert_eq!(with("bms.discharge_a_max", -20.0), (-2_500.0, 0.0));
    assert_eq!(with("bms.charge_a_max", -20.0), (0.0, 5_000.0));
}

#[test]
fn two_wrong_signs_make_no_power() {
    let mut bench = bench();
    bench.set("bms.v", -50.0);
    bench.set("bms.discharge_a_max", -100.0);
    bench.set("bms.charge_a_max", -50.0);
    bench.scan();
    assert_eq!(bench.bounds(), (0.0, 0.0));
}

#[test]
fn numbers_that_overflow_allow_nothing() {
    let mut bench = bench();
    bench.set("bms.v", f64::MAX);
    bench.scan();
    assert_eq!(bench.bounds(), (0.0, 0.0));
}

#[test]
fn settings_without_sense_are_refused() {
    let problems = |settings: Settings| site().problems(|site| wire(&settings, site));
    let taper = |v: f64| Settings { taper_percent: says(v), ..settings() };
    assert_eq!(problems(taper(0.0)), ["the taper of 0 % must be above 0"]);
    assert_eq!(problems(taper(f64::NAN)), ["the taper of NaN % must be above 0"]);
    assert_eq!(problems(taper(50.0)), ["between 10 % and 90 % there is no room for two tapers of 50 %"]);
    let ends = Settings { soc_percent_min: says(f64::NAN), soc_percent_max: says(100.5), ..settings() };
    let nowhere = ["a state of charge of NaN % does not exist", "a state of charge of 100.5 % does not exist"];
    assert_eq!(problems(ends), nowhere);
    let swapped = Settings { soc_percent_min: says(90.0), soc_percent_max: says(10.0), ..settings() };
    assert_eq!(problems(swapped), ["between 90 % and 10 % there is no room for two tapers of 5 %"]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_never_allows_more_than_the_battery_and_nothing_beyond_its_ends(
        charge in any::<f64>(), discharge in any::<f64>(), volts in any::<f64>(), soc in -10.0..110.0f64,
    ) {
        let mut bench = bench();
        for (point, value) in POINTS.iter().zip([charge, discharge, volts, soc]) {
            bench.set(point.0, value);
        }
        bench.scan();
        let (low, high) = bench.bounds();
        prop_assert!(low.is_finite() && high.is_finite() && low <= 0.0 && high >= 0.0);
        prop_assert!(low >= -(charge * volts).abs() && high <= (discharge * volts).abs() || low == 0.0 && high == 0.0);
        prop_assert!(soc < 90.0 || low == 0.0);
        prop_assert!(soc > 10.0 || high == 0.0);
        prop_assert!(charge > 0.0 && volts > 0.0 || low == 0.0);
        prop_assert!(discharge > 0.0 && volts > 0.0 || high == 0.0);
    }
}
