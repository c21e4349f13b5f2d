//! What must be true of a device, and be set in it, before any set-point is written.

use super::bench::{Bench, ONLINE, P, P_SET, REMOTE, STORAGE, WATCHDOG, storage};
use super::device::{Device, Ill};
use flyball_io_map::image::NoData;
use flyball_runtime::field::modbus::fault::Fault;

fn position(story: &[String], what: &str) -> usize {
    story.iter().position(|line| line == what).unwrap_or_else(|| panic!("no `{what}` in {story:#?}"))
}

#[test]
fn identity_settings_with_proof_limits_and_watchdog_come_before_the_first_set_point() {
    let mut bench = Bench::new(&["p_set"]);
    bench.set(0, 500.0);
    bench.run_until("a set-point", |b| !b.device.written(P_SET).is_empty());
    let story = bench.device.story();
    let order = ["r3 900+1", "w16 84 [5]", "r3 84+1", "w16 82 [2]", "r3 82+1", "w16 60 [500]"];
    let places: Vec<usize> = order.iter().map(|what| position(&story, what)).collect();
    assert!(places.is_sorted(), "{story:#?}");
    assert_eq!(places[0], 0);
    assert!(position(&story, "r3 40+1") < places[5], "the limit was read before the set-point");
    assert!(bench.poller.is_online() && bench.point_online());
}

#[test]
fn a_device_that_the_site_only_reads_is_never_written_to() {
    let mut bench = Bench::new(&[]);
    bench.run(5_000);
    assert!(bench.poller.is_online());
    assert_eq!(bench.value(P), Ok(1234.0));
    assert!(bench.device.log.iter().all(|asked| asked.function < 5), "{:#?}", bench.device.story());
}

#[test]
fn another_device_at_the_address_is_neither_believed_nor_written_to() {
    let mut bench = Bench::new(&["p_set"]);
    bench.device.hold(900, &[8]);
    bench.run(20_000);
    assert!(matches!(bench.poller.fault(), Some(Fault::WrongDevice(_))));
    assert!(!bench.point_online());
    assert_eq!(bench.value(P), Err(NoData::NeverRead));
    assert!(bench.device.log.iter().all(|asked| asked.at == 900), "{:#?}", bench.device.story());
    bench.device.hold(900, &[7]);
    bench.run_until_online();
}

#[test]
fn a_setting_that_is_not_taken_keeps_the_device_offline_while_its_values_are_read() {
    let mut bench = Bench::new(&["p_set"]);
    bench.device.ill = Ill::IgnoresWrites;
    bench.run(10_000);
    assert!(matches!(bench.poller.fault(), Some(Fault::NotTaken(n)) if n.at == REMOTE), "{:?}", bench.poller.fault());
    assert!(!bench.point_online() && bench.device.written(P_SET).is_empty());
    assert_eq!(bench.value(P), Ok(1234.0), "what can be read is read");
    assert!(bench.device.written(WATCHDOG).is_empty(), "each step is proven before the next");
    bench.device.ill = Ill::No;
    bench.run_until_online();
}

#[test]
fn a_setting_that_is_refused_is_tried_again_after_a_pause() {
    let mut bench = Bench::new(&["p_set"]);
    bench.device.ill = Ill::ExceptionAt(REMOTE, 4);
    bench.run(20_000);
    assert!(matches!(bench.poller.fault(), Some(Fault::Refused { at: REMOTE, .. })));
    let tries = bench.device.written(REMOTE);
    assert!((5..=9).contains(&tries.len()), "0.5 s doubling to 5 s: {tries:?}");
    bench.device.ill = Ill::No;
    bench.run_until_online();
}

#[test]
fn no_set_point_without_the_devices_limits() {
    let mut bench = Bench::new(&["p_set"]);
    bench.device.hold(40, &[6_000]);
    bench.run(8_000);
    assert!(matches!(bench.poller.fault(), Some(Fault::LimitMissing { why: NoData::Implausible, .. })));
    assert!(!bench.point_online() && bench.device.written(P_SET).is_empty());
    bench.device.hold(40, &[4_000]);
    bench.run_until_online();
}

#[test]
fn a_device_that_restarted_and_lost_a_setting_runs_the_sequence_again() {
    let mut bench = Bench::new(&["p_set"]);
    bench.set(0, 500.0);
    bench.run(3_000);
    assert_eq!(bench.device.get(P_SET), 500);
    bench.device.hold(REMOTE, &[0]).hold(P_SET, &[0]);
    let before = bench.device.log.len();
    bench.run_until("offline", |b| !b.point_online());
    assert!(matches!(bench.poller.fault(), Some(Fault::SettingLost(_) | Fault::NotTaken(_))));
    bench.run_until_online();
    bench.run(300);
    let story = bench.device.story();
    assert!(position(&story[before..], "r3 900+1") < position(&story[before..], "w16 84 [5]"));
    assert_eq!((bench.device.get(REMOTE), bench.device.get(P_SET)), (5, 500));
}

#[test]
fn online_is_stamped_with_every_answer_and_while_the_device_is_away() {
    let mut bench = Bench::new(&["p_set"]);
    bench.run(3_000);
    let age = |b: &Bench| b.now_ms - b.poller.words().reading(ONLINE).taken().0 / 1_000_000;
    assert!(age(&bench) <= 120, "{} ms", age(&bench));
    bench.device.ill = Ill::Silent;
    bench.run(5_000);
    assert!(!bench.point_online() && age(&bench) <= 120, "{} ms", age(&bench));
}

const SUNSPEC: &str = r#"Profile(
    vendor: "Test", model: "sunspec", kind: Storage, sources: ["made for tests"], certainty: A, verified: Simulator,
    link: (read_max: 50, gap_max: 4, gap_min_ms: 0, timeout_ms: 200),
    sunspec: (bases: [40000, 0], models: [1, 701]),
    points: {
        "p": (at: SunSpec(701, 2), encoding: I16, scale_factor: SunSpec(701, 4), unit: W, plausible: (-1e6, 1e6), poll: Fast,
            age_max_ms: 500, source: "p"),
        "soc": (at: SunSpec(713, 2), encoding: U16, unit: Percent, plausible: (0, 100), poll: Fast, age_max_ms: 500, source: "soc"),
    },
)"#;

fn sunspec(base: u16) -> Device {
    let mut device = Device::new();
    device.hold(base, &[0x5375, 0x6E53, 1, 2, 0, 0, 701, 3, 123, 0, 1, 0xFFFF, 0]);
    device
}

#[test]
fn sunspec_models_are_found_and_their_scale_factors_read_before_any_value() {
    for base in [40_000, 0] {
        let mut bench = Bench::of(SUNSPEC, sunspec(base), &[]);
        bench.run_until_online();
        bench.run(200);
        assert_eq!(bench.value(0), Ok(1230.0));
        assert_eq!(bench.value(1), Err(NoData::NotImplemented), "an optional model that is not there");
    }
    let mut bench = Bench::of(SUNSPEC, storage(), &[]);
    bench.run(3_000);
    assert!(matches!(bench.poller.fault(), Some(Fault::Discovery(_))));
}

#[test]
fn a_scale_factor_that_changes_makes_every_value_before_it_unknown() {
    let mut bench = Bench::of(SUNSPEC, sunspec(40_000), &[]);
    bench.run(2_000);
    assert_eq!(bench.value(0), Ok(1230.0));
    bench.device.hold(40_010, &[2]);
    bench.run_until("the change to be seen", |b| matches!(b.poller.fault(), Some(Fault::ScaleChanged { at: 40_010 })));
    assert_eq!(bench.value(0), Err(NoData::Implausible));
    bench.run_until_online();
    bench.run(200);
    assert_eq!(bench.value(0), Ok(12_300.0));
}

#[test]
fn a_profile_that_asks_for_nothing_is_online_at_the_first_chance() {
    let plain = STORAGE.split("identity").next().unwrap().to_owned()
        + r#"points: {"p": (at: Holding(0), encoding: I16, unit: W, plausible: (-5000, 5000), poll: Fast, age_max_ms: 500, source: "0")})"#;
    let mut bench = Bench::of(&plain, storage(), &[]);
    bench.run(150);
    assert!(bench.point_online());
    assert_eq!(bench.value(P), Ok(1234.0));
}

/// [`STORAGE`] with a life counter in register 1, which the tests move.
fn living() -> Bench {
    let profile = STORAGE
        .replace(
            r#""soc": (at: Holding(1), encoding: U16, unit: Percent, plausible: (0, 100)"#,
            r#""life": (at: Holding(1), encoding: U16, unit: None, plausible: (0, 65535)"#,
        )
        .replace("points: {", r#"life: (point: "life", within_ms: 1000, counts_up: true), points: {"#);
    Bench::of(&profile, storage(), &["p_set"])
}

fn count(bench: &mut Bench, ms: u64) {
    for _ in 0..ms / 100 {
        bench.run(100);
        let next = bench.device.get(1).wrapping_add(1);
        bench.device.hold(1, &[next]);
    }
}

#[test]
fn nothing_is_written_to_a_device_whose_sign_of_life_was_not_seen_to_move() {
    let mut bench = living();
    bench.run(5_000);
    assert!(matches!(bench.poller.fault(), Some(Fault::LifeStill { .. })), "{:?}", bench.poller.fault());
    assert!(!bench.point_online() && bench.device.written(P_SET).is_empty());
    count(&mut bench, 6_000);
    assert!(bench.point_online() && !bench.device.written(P_SET).is_empty());
}

#[test]
fn a_life_counter_that_goes_back_is_a_restart_and_one_that_wraps_is_not() {
    let mut bench = living();
    bench.device.hold(1, &[65_500]);
    count(&mut bench, 10_000);
    assert_eq!(bench.poller.counts().sequences, 1, "{:?}", bench.poller.fault());
    bench.device.hold(1, &[40_000]);
    count(&mut bench, 200);
    bench.device.hold(1, &[0]);
    count(&mut bench, 200);
    assert!(
        matches!(bench.poller.fault(), Some(Fault::Restarted { point }) if point == "life"),
        "{:?}",
        bench.poller.fault()
    );
    count(&mut bench, 3_000);
    assert!(bench.point_online());
}

#[test]
fn a_device_that_is_busy_with_its_scale_factors_is_not_pressed() {
    let mut bench = Bench::of(SUNSPEC, sunspec(40_000), &[]);
    bench.device.ill = Ill::ExceptionAt(40_010, 6);
    bench.run(10_000);
    let tries = bench.device.reads(40_010).len();
    assert!((3..=8).contains(&tries), "{tries} in 10 s");
    bench.device.ill = Ill::No;
    bench.run_until_online();
    bench.run(5_000);
    assert_eq!(bench.value(0), Ok(1230.0));
}
