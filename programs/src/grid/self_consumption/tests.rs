use super::*;
use crate::bench::{Bench, Site, says};
use flyball_io_map::image::output::{Cause, Drive, Service};
use flyball_io_map::image::{By, ValueKind};

const MINE: Cause = Cause::Demand(By(0));

fn settings() -> Settings {
    Settings {
        name: None,
        every_ms: None,
        grid: says("meter.p"),
        grid_age_ms_max: Some(200),
        power: says("ess.p"),
        rank: 0,
        target_w: 0.0,
        dead_band_w: says(50.0),
        kp: says(0.5),
        ti_s: says(1.0),
        td_s: None,
    }
}

fn site() -> Site {
    Site::default().point("meter.p", ValueKind::Real, Unit::W).real("ess.p", 0.0)
}

fn bench() -> Bench {
    site().bench(|site| wire(&settings(), site))
}

/// The meter was just read; one scan.
fn sample(bench: &mut Bench, watts: f64) -> (f64, Cause) {
    bench.set("meter.p", watts);
    bench.scan();
    bench.power()
}

/// Up to the next sample 100 ms after the last, the meter says nothing new.
fn until_the_next_sample(bench: &mut Bench) {
    (0..9).for_each(|_| bench.scan());
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-6
}

#[test]
fn import_is_answered_with_discharge_and_export_with_charge() {
    for (grid, power) in [(1_000.0, 5.0), (-1_000.0, -5.0)] {
        let (total, cause) = sample(&mut bench(), grid);
        assert!(near(total, power) && cause == MINE, "{total} {cause:?}");
    }
}

#[test]
fn one_step_is_made_for_one_sample() {
    let mut bench = bench();
    let first = sample(&mut bench, 1_000.0);
    until_the_next_sample(&mut bench);
    assert_eq!(bench.power(), first, "the same sample is not acted on again");
    assert!(sample(&mut bench, 1_000.0).0 > first.0, "a fresh sample of the same value is");
}

#[test]
fn a_lost_meter_ends_the_demand_and_the_battery_ramps_out() {
    let mut bench = bench();
    for _ in 0..50 {
        sample(&mut bench, 1_000.0);
    }
    let before = bench.power().0;
    bench.lose("meter.p");
    bench.scan();
    let (total, cause) = bench.power();
    assert!(near(total, before - 50.0) && cause == Cause::NoDemand, "{before}, then {total} {cause:?}");
}

#[test]
fn a_meter_that_answers_no_more_is_lost_after_its_age() {
    let mut bench = bench();
    sample(&mut bench, 1_000.0);
    (0..20).for_each(|_| bench.scan());
    assert_eq!(bench.power().1, MINE, "200 ms old");
    bench.scan();
    assert_eq!(bench.power().1, Cause::NoDemand, "210 ms old");
}

#[test]
fn after_a_pause_longer_than_a_sample_lasts_it_starts_anew() {
    let mut bench = bench();
    let before = sample(&mut bench, 1_000.0).0;
    bench.tick += 1_000;
    // one integral step over one scan; neither ten seconds of it nor the difference to a sample of another time
    let (total, _) = sample(&mut bench, 5_000.0);
    assert!(near(total, before + 25.0), "{before}, then {total}");
}

#[test]
fn the_loop_closes_and_rests_inside_the_dead_band() {
    let (mut bench, load) = (bench(), 3_000.0);
    let mut rest = Vec::new();
    for n in 0..400 {
        let grid = load - bench.power().0;
        sample(&mut bench, grid);
        until_the_next_sample(&mut bench);
        if n >= 300 {
            rest.push(bench.power().0);
        }
    }
    assert!((load - rest[0]).abs() <= 50.0, "inside the dead band: {}", rest[0]);
    assert!(rest.iter().all(|p| p.to_bits() == rest[0].to_bits()), "it rests where it is: {rest:?}");
}

#[test]
fn entering_the_dead_band_moves_nothing() {
    let mut bench = bench();
    sample(&mut bench, 1_000.0);
    until_the_next_sample(&mut bench);
    let before = bench.power().0;
    assert_eq!(sample(&mut bench, 50.0), (before, MINE));
    until_the_next_sample(&mut bench);
    assert_eq!(sample(&mut bench, -50.0), (before, MINE), "nor does moving about in it");
    until_the_next_sample(&mut bench);
    assert!(sample(&mut bench, 2_000.0).0 > before + 500.0, "a step out of it is answered in full");
}

#[test]
fn a_limit_that_holds_for_long_winds_nothing_up() {
    let mut bench = bench();
    bench.drive = Drive::Held(Cause::Disarmed);
    for _ in 0..1_000 {
        sample(&mut bench, 5_000.0);
    }
    bench.drive = Drive::Armed;
    let (total, _) = sample(&mut bench, 5_000.0);
    assert!(total > 0.0 && total < 100.0, "one step from where it was held: {total}");
}

#[test]
fn what_a_grid_service_adds_is_not_regulated_away() {
    let mut service: Option<Service<Real>> = None;
    let mut bench = site().bench(|site| {
        let program = wire(&settings(), site);
        site.begin(0..0);
        service = Some(site.service(&says("ess.p"), Unit::W));
        program
    });
    let service = service.unwrap();
    bench.outputs.reserve(&service, 0.0, 2_000.0);
    bench.outputs.add(&service, Some(2_000.0));
    for n in 0..100 {
        // a site without load: what the service adds is exported
        let grid = -bench.power().0;
        let (total, _) = sample(&mut bench, grid);
        assert!(near(total, 2_000.0), "sample {n}: {total}");
        until_the_next_sample(&mut bench);
    }
}

#[test]
fn settings_without_sense_are_refused() {
    let problems = |settings: Settings| site().problems(|site| wire(&settings, site));
    let all =
        Settings { kp: says(0.0), ti_s: says(f64::NAN), dead_band_w: says(-1.0), td_s: Some(says(-0.1)), ..settings() };
    let expected = [
        "`kp` is 0, but must be above 0",
        "`ti_s` is NaN, but must be above 0",
        "`dead_band_w` is -1, but must be 0 or above",
        "`td_s` is -0.1, but must be 0 or above",
    ];
    assert_eq!(problems(all), expected);
    let nowhere = Settings { target_w: f64::NAN, ..settings() };
    assert_eq!(problems(nowhere), ["`target_w` is NaN, but must be a number"]);
}
