//! When something is written, how it is proven, and what keeps the device alive.

use super::bench::{Bench, HEARTBEAT, MODE, P_SET, RESERVE, RESET, STORAGE, storage};
use super::device::Ill;
use flyball_io_map::image::NoData;
use flyball_runtime::field::block::OutputValue;
use flyball_runtime::field::modbus::fault::Fault;

/// What was written to the set-point after `since`, as (ms since then, value).
fn since(bench: &Bench, at: u16, since: u64) -> Vec<(u64, u16)> {
    bench.device.written(at).into_iter().filter(|(ms, _)| *ms >= since).map(|(ms, v)| (ms - since, v)).collect()
}

/// Online with `p_set` at 500, and its first write proven.
fn settled(outputs: &[&str]) -> Bench {
    let mut bench = Bench::new(outputs);
    bench.set(0, 500.0);
    bench.run_until_online();
    bench.run_until("the set-point", |b| !b.device.written(P_SET).is_empty());
    bench
}

#[test]
fn a_change_is_written_beyond_the_dead_band_only() {
    // (from, to, written at once)
    for (to, written) in [(510, false), (490, false), (511, true), (489, true), (-500, true)] {
        let mut bench = settled(&["p_set"]);
        bench.run(200);
        let t = bench.now_ms;
        bench.set(0, f64::from(to));
        bench.run(150);
        assert_eq!(!since(&bench, P_SET, t).is_empty(), written, "500 to {to}");
        bench.run(1_000);
        let last = bench.device.written(P_SET).last().unwrap().1.cast_signed();
        assert_eq!(i32::from(last), to, "the refresh writes what is wanted");
    }
}

#[test]
fn safe_values_know_no_dead_band() {
    let mut bench = settled(&["p_set"]);
    bench.set(0, 5.0);
    bench.run(300);
    bench.head.drives = false;
    bench.set(0, 0.0);
    bench.run(150);
    assert_eq!(bench.device.get(P_SET), 0);
}

#[test]
fn a_change_is_on_the_wire_within_one_request_of_its_scan() {
    let mut bench = settled(&["p_set"]);
    bench.run(500);
    for n in 0..20 {
        bench.run(237);
        let t = bench.now_ms;
        bench.set(0, if n % 2 == 0 { -1_000.0 } else { 1_000.0 });
        bench.run(40);
        let written = since(&bench, P_SET, t);
        // to the next scan, the request in flight and its pause, one read whose turn it is
        assert!(written.first().is_some_and(|(ms, _)| *ms <= 10 + 2 * (3 + 2) + 1), "{written:?}");
    }
}

#[test]
fn writes_keep_their_least_gap_and_take_the_newest_value() {
    let mut bench = settled(&["p_set"]);
    bench.run(1_000);
    let t = bench.now_ms;
    for n in 0..200 {
        bench.set(0, f64::from(n) * 20.0);
        bench.run(10);
    }
    let written = since(&bench, P_SET, t);
    let gaps: Vec<u64> = written.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    assert!(gaps.iter().all(|gap| (100..=112).contains(gap)), "{gaps:?}");
    assert!(written[1..].windows(2).all(|pair| pair[1].1 > pair[0].1), "{written:?}");
}

#[test]
fn an_unchanged_set_point_is_refreshed_before_the_device_gives_up_and_a_choice_without_refresh_is_not() {
    let mut bench = settled(&["p_set", "mode"]);
    bench.run(10_000);
    let times: Vec<u64> = bench.device.written(P_SET).iter().map(|(ms, _)| *ms).collect();
    let longest = times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    assert!((1_000..=1_012).contains(&longest), "{longest} ms");
    assert_eq!(bench.device.written(MODE).len(), 1);
    bench.values[1] = OutputValue::Choice(1);
    bench.run(100);
    assert_eq!(bench.device.get(MODE), 3, "the code, not the index");
}

#[test]
fn refresh_and_heartbeat_stop_when_the_scan_stalls_and_go_on_when_it_does() {
    let mut bench = settled(&["p_set"]);
    bench.run(2_000);
    bench.scanning = false;
    let t = bench.now_ms;
    bench.run(10_000);
    for at in [P_SET, HEARTBEAT] {
        let last = since(&bench, at, t).last().map_or(0, |(ms, _)| *ms);
        assert!(last <= 510, "{at}: {last} ms after the last scan");
    }
    assert!(bench.value(0).is_ok(), "the device is still read");
    bench.scanning = true;
    bench.run(300);
    assert!(!since(&bench, HEARTBEAT, t + 10_000).is_empty() && !since(&bench, P_SET, t + 10_000).is_empty());
}

#[test]
fn a_stalled_scan_sends_nothing_at_all_to_a_device_whose_watchdog_any_request_keeps() {
    let profile = STORAGE.replace("kept_by: Heartbeat", "kept_by: AnyRequest");
    let mut bench = Bench::of(&profile, storage(), &["p_set"]);
    bench.run(3_000);
    bench.scanning = false;
    let t = bench.now_ms;
    bench.run(10_000);
    assert!(bench.device.log.last().unwrap().ms <= t + 510);
    assert_ne!(bench.poller.fault(), Some(&Fault::Silent), "that we do not ask is not its silence");
    bench.scanning = true;
    bench.run(100);
    assert!(bench.device.log.last().unwrap().ms > t + 10_000);
}

#[test]
fn a_new_connection_gets_no_set_point_from_a_stalled_scan() {
    let mut bench = settled(&["p_set"]);
    bench.scanning = false;
    bench.run(1_000);
    bench.disconnect();
    let t = bench.now_ms;
    bench.run(10_000);
    assert!(bench.poller.is_online());
    assert!(since(&bench, P_SET, t).is_empty() && since(&bench, HEARTBEAT, t).is_empty());
}

#[test]
fn the_heartbeat_counts_in_its_range_on_its_grid() {
    let mut bench = settled(&["p_set"]);
    bench.run(3_000);
    let beats = bench.device.written(HEARTBEAT);
    assert!(beats.len() >= 14);
    for (n, pair) in beats.windows(2).enumerate() {
        assert_eq!(pair[1].1, if pair[0].1 == 3 { 1 } else { pair[0].1 + 1 });
        assert!((188..=212).contains(&(pair[1].0 - pair[0].0)), "beat {n}: {pair:?}");
    }
}

#[test]
fn what_belongs_together_is_one_request_and_an_unused_member_gets_its_safe_value() {
    let mut bench = Bench::new(&["q_set"]);
    bench.set(0, 250.0);
    bench.run_until_online();
    bench.run(100);
    assert!(bench.device.story().contains(&"w16 68 [250, 100]".to_owned()), "{:#?}", bench.device.story());
    let mut bench = Bench::new(&["q_ramp", "q_set"]);
    bench.set(0, 30.0);
    bench.set(1, 250.0);
    bench.run(1_000);
    assert!(bench.device.story().contains(&"w16 68 [250, 30]".to_owned()));
    assert_eq!(bench.device.written(68).len(), 1);
}

#[test]
fn a_write_that_is_acknowledged_and_not_taken_takes_the_device_offline_until_one_is_taken() {
    let mut bench = settled(&["p_set"]);
    bench.run(500);
    bench.device.ill = Ill::IgnoresWrites;
    let t = bench.now_ms;
    bench.set(0, 1_000.0);
    bench.run_until("offline", |b| !b.point_online());
    assert!(bench.now_ms - t <= 400, "{} ms", bench.now_ms - t);
    assert!(matches!(bench.poller.fault(), Some(Fault::NotTaken(n)) if n.at == P_SET));
    assert_eq!(bench.poller.counts().writes_not_taken, 1);
    bench.run(20_000);
    assert!(bench.online.iter().filter(|(ms, online)| *online && *ms > t).count() == 0, "{:?}", bench.online);
    bench.device.ill = Ill::No;
    bench.run_until_online();
    assert_eq!(bench.device.get(P_SET), 1_000);
    assert_eq!(bench.poller.fault(), None);
}

#[test]
fn a_device_that_ignores_a_set_point_that_always_moves_is_found_out_too() {
    let mut bench = settled(&["p_set"]);
    bench.run(500);
    bench.device.ill = Ill::IgnoresWrites;
    let t = bench.now_ms;
    let mut p = 600.0;
    while bench.point_online() && bench.now_ms < t + 5_000 {
        p += 20.0;
        bench.set(0, if p > 4_000.0 { 600.0 } else { p });
        bench.run(10);
    }
    assert!(!bench.point_online() && bench.now_ms - t <= 500, "{} ms", bench.now_ms - t);
}

#[test]
fn the_difference_that_the_profile_tolerates_is_taken() {
    let profile = STORAGE.replacen("tolerance: 0", "tolerance: 3", 1);
    for (shown, online) in [(1_003, true), (997, true), (1_004, false)] {
        let mut bench = Bench::of(&profile, storage(), &["p_set"]);
        bench.set(0, 1_000.0);
        bench.run_until("the write", |b| !b.device.written(P_SET).is_empty());
        for _ in 0..450 {
            bench.device.hold(P_SET, &[shown]); // what the device makes of it
            bench.run(1);
        }
        assert_eq!(bench.point_online(), online, "{shown}");
    }
}

#[test]
fn what_the_device_refuses_is_not_repeated_with_the_same_value() {
    for code in [3, 2] {
        let mut bench = settled(&["p_set"]);
        bench.device.ill = Ill::ExceptionAt(P_SET, code);
        bench.set(0, 1_000.0);
        let t = bench.now_ms;
        bench.run(5_000);
        let tries = since(&bench, P_SET, t).iter().filter(|(_, v)| *v == 1_000).count();
        assert_eq!(tries, 1, "exception {code}");
        assert!(matches!(bench.poller.fault(), Some(Fault::Refused { at: P_SET, .. })) && !bench.point_online());
        bench.device.ill = Ill::No;
        bench.set(0, 900.0);
        bench.run(300);
        assert!(bench.point_online() && bench.device.get(P_SET) == 900, "{:?}", bench.poller.fault());
    }
}

#[test]
fn a_device_that_refused_a_value_once_does_not_stay_unfit_for_ever() {
    let mut bench = settled(&["p_set"]);
    bench.device.ill = Ill::ExceptionAt(P_SET, 3);
    bench.set(0, 1_000.0);
    bench.run(2_000);
    bench.device.ill = Ill::No;
    let t = bench.now_ms;
    bench.run_until_online();
    assert!((27_000..=30_000).contains(&(bench.now_ms - t)), "{} ms", bench.now_ms - t);
    assert_eq!(bench.device.get(P_SET), 1_000);
}

#[test]
fn a_busy_device_is_written_to_again_and_after_three_refusals_is_not_believed() {
    let mut bench = settled(&["p_set"]);
    bench.run(500);
    bench.device.ill = Ill::ExceptionAt(P_SET, 6);
    bench.set(0, 1_000.0);
    let t = bench.now_ms;
    bench.run(700);
    assert!(bench.point_online(), "once busy is no fault");
    bench.run(1_000);
    assert!(!bench.point_online());
    let tries = since(&bench, P_SET, t);
    assert!(tries.windows(2).all(|pair| pair[1].0 - pair[0].0 >= 500), "{tries:?}");
    bench.device.ill = Ill::No;
    bench.run(700);
    assert!(bench.point_online() && bench.device.get(P_SET) == 1_000);
}

#[test]
fn a_value_that_the_register_cannot_hold_is_never_sent_and_makes_the_device_unfit() {
    let mut bench = settled(&["p_set"]);
    bench.set(0, 6_000.0);
    bench.run(1_000);
    assert!(matches!(bench.poller.fault(), Some(Fault::CannotWrite { what, .. }) if what == "p_set"));
    assert!(!bench.point_online());
    assert!(bench.device.written(P_SET).iter().all(|(_, v)| *v == 500));
    bench.set(0, 400.0);
    bench.run(300);
    assert!(bench.point_online());
}

#[test]
fn a_level_whose_answer_was_lost_is_written_again() {
    let mut bench = settled(&["p_set"]);
    bench.run(500);
    bench.device.ill = Ill::LosesWriteAnswers;
    bench.set(0, 1_000.0);
    let t = bench.now_ms;
    bench.run(250);
    bench.device.ill = Ill::No;
    bench.run(250);
    assert!(since(&bench, P_SET, t).iter().filter(|(_, v)| *v == 1_000).count() >= 2);
    assert!(bench.point_online());
}

#[test]
fn after_a_lost_answer_the_old_value_is_written_again_too() {
    let mut bench = settled(&["p_set"]);
    bench.run(1_300); // the next refresh is far
    bench.device.ill = Ill::LosesWriteAnswers;
    bench.set(0, 1_000.0);
    bench.run_until("the write", |b| b.device.get(P_SET) == 1_000);
    bench.device.ill = Ill::No;
    bench.set(0, 500.0);
    bench.run(400);
    assert_eq!(bench.device.get(P_SET), 500, "the device may have taken what it did not answer");
}

#[test]
fn a_choice_that_the_device_lost_is_found_out_and_made_again_although_it_is_never_refreshed() {
    let mut bench = Bench::new(&["mode"]);
    bench.values[0] = OutputValue::Choice(1);
    bench.run(10_000);
    assert_eq!(bench.device.written(MODE).len(), 1);
    bench.device.hold(MODE, &[1]);
    let t = bench.now_ms;
    bench.run_until("offline", |b| !b.point_online());
    assert!(bench.now_ms - t <= 5_400, "{} ms", bench.now_ms - t);
    bench.run_until_online();
    assert_eq!(bench.device.get(MODE), 3);
}

#[test]
fn a_device_that_is_busy_when_a_choice_is_looked_at_again_is_not_doubted() {
    let mut bench = Bench::new(&["mode"]);
    bench.run(4_000);
    bench.device.ill = Ill::ExceptionAt(MODE, 6);
    bench.run(12_000);
    assert!(bench.point_online() && bench.device.reads(MODE).len() >= 3, "{:?}", bench.poller.fault());
}

#[test]
fn flash_memory_is_read_first_and_written_only_if_it_does_not_hold_the_value() {
    let mut bench = Bench::new(&["reserve"]);
    bench.device.hold(RESERVE, &[30]);
    bench.set(0, 30.0);
    bench.run(5_000);
    assert!(bench.device.written(RESERVE).is_empty() && bench.point_online());
    bench.set(0, 31.0);
    bench.run(1_000);
    assert_eq!(bench.device.written(RESERVE).len(), 1);
    for _ in 0..5 {
        bench.disconnect();
        bench.run(5_000);
    }
    assert_eq!(bench.device.written(RESERVE).len(), 1, "a new connection wears nothing");
}

#[test]
fn a_wear_budget_that_is_used_up_holds_writes_back_says_so_and_keeps_some_for_going_safe() {
    let mut bench = Bench::new(&["reserve"]);
    bench.run_until_online();
    for n in 0..40 {
        bench.set(0, f64::from(n) + 30.0);
        bench.run(300);
    }
    assert_eq!(bench.device.written(RESERVE).len(), 18, "of 20 a day, two are kept back");
    assert!(matches!(bench.poller.fault(), Some(Fault::WornOut { at: RESERVE })) && !bench.point_online());
    assert!(bench.poller.counts().writes_held_back > 0);
    bench.head.drives = false;
    bench.set(0, 20.0);
    bench.run(1_000);
    assert_eq!(bench.device.get(RESERVE), 20);
    assert!(bench.point_online());
}

#[test]
fn a_pulse_is_executed_once_and_acknowledged() {
    let mut bench = Bench::new(&["reset"]);
    bench.run_until_online();
    bench.fire(0, 5, 1_000);
    bench.run(3_000);
    let done = |b: &Bench| b.poller.words().layout().pulse_done(0, |i| b.poller.words().words().get(i).copied());
    assert_eq!((bench.device.written(RESET).len(), done(&bench)), (1, 5));
    bench.fire(0, 4, 10_000);
    bench.run(1_000);
    assert_eq!(bench.device.written(RESET).len(), 1, "an id that is not above all before it");
    bench.fire(0, 6, 1_000);
    bench.run(1_000);
    assert_eq!((bench.device.written(RESET).len(), done(&bench)), (2, 6));
}

#[test]
fn a_pulse_is_not_repeated_by_a_reconnect_nor_after_a_lost_answer() {
    let mut bench = Bench::new(&["reset"]);
    bench.run_until_online();
    bench.device.ill = Ill::LosesWriteAnswers;
    bench.fire(0, 5, 60_000);
    bench.run(100);
    bench.device.ill = Ill::No;
    bench.run(5_000);
    bench.disconnect();
    bench.run(10_000);
    assert!(bench.point_online());
    assert_eq!(bench.device.written(RESET).len(), 1);
    let done = bench.poller.words().layout().pulse_done(0, |i| bench.poller.words().words().get(i).copied());
    assert_eq!(done, 0, "nobody knows whether it was executed, so nobody says so");
}

#[test]
fn a_pulse_that_comes_too_late_is_not_executed() {
    let mut bench = Bench::new(&["reset"]);
    bench.run_until_online();
    bench.disconnect();
    bench.fire(0, 5, 100);
    bench.run(10_000);
    assert!(bench.point_online() && bench.device.written(RESET).is_empty());
}

#[test]
fn a_busy_device_gets_its_pulse_again_and_one_that_refuses_it_does_not() {
    for (code, tries) in [(6, true), (4, false), (3, false)] {
        let mut bench = Bench::new(&["reset"]);
        bench.run_until_online();
        bench.device.ill = Ill::ExceptionAt(RESET, code);
        bench.fire(0, 5, 2_000);
        bench.run(1_000);
        assert_eq!(bench.device.written(RESET).len() > 1, tries, "exception {code}");
        bench.device.ill = Ill::No;
        bench.run(300);
        assert_eq!(bench.poller.counts().pulses_done == 1, tries);
        assert!(bench.point_online());
    }
}

#[test]
fn the_last_block_is_written_once_more_and_proven_before_the_end() {
    let mut bench = settled(&["p_set", "mode"]);
    bench.set(0, 0.0);
    bench.run(500);
    assert!(!bench.poller.is_finished());
    bench.head.last = true;
    bench.run(10);
    bench.scanning = false;
    let t = bench.now_ms;
    bench.run_until("the end", |b| b.poller.is_finished());
    assert!(bench.now_ms - t < 100);
    assert_eq!(since(&bench, P_SET, t - 10).len(), 1, "once more, although nothing changed");
    assert_eq!(since(&bench, MODE, t - 10).len(), 1);
    bench.run(5_000);
    assert_eq!(since(&bench, P_SET, t - 10).len(), 1, "and that is all");
}

#[test]
fn the_last_block_reaches_a_device_that_comes_back_before_the_deadline() {
    let mut bench = settled(&["p_set"]);
    bench.device.ill = Ill::Silent;
    bench.run(2_000);
    bench.set(0, 0.0);
    bench.head = flyball_runtime::field::block::Head { drives: false, last: true, ..bench.head };
    bench.run(10);
    bench.scanning = false;
    bench.run(1_000);
    assert!(!bench.poller.is_finished());
    bench.device.ill = Ill::No;
    bench.run_until("the end", |b| b.poller.is_finished());
    assert_eq!(bench.device.get(P_SET), 0);
}

#[test]
fn a_device_without_outputs_is_finished_with_the_last_block() {
    let mut bench = Bench::new(&[]);
    bench.run(1_000);
    bench.head.last = true;
    bench.run(10);
    assert!(bench.poller.is_finished());
    assert_ne!(bench.value(0), Err(NoData::NeverRead));
}

#[test]
fn a_device_that_does_not_do_what_it_is_told_is_still_read() {
    let mut bench = settled(&["p_set"]);
    bench.run(500);
    bench.device.ill = Ill::IgnoresWrites;
    bench.set(0, 1_000.0);
    bench.run_until("offline", |b| !b.point_online());
    for _ in 0..200 {
        bench.run(100);
        let age_ms = bench.now_ms - bench.poller.words().reading(0).taken().0 / 1_000_000;
        assert!(age_ms <= 120 && !bench.point_online(), "whether power still flows must be known: {age_ms} ms");
    }
    let tries = bench.poller.counts().sequences;
    assert!((5..=12).contains(&tries), "0.5 s doubling to 5 s: {tries} in 20 s");
}

#[test]
fn a_device_that_refuses_the_heartbeat_is_not_fit_for_control() {
    let mut bench = settled(&["p_set"]);
    bench.run(500);
    bench.device.ill = Ill::ExceptionAt(HEARTBEAT, 3);
    bench.run(300);
    assert!(!bench.point_online());
    assert!(matches!(bench.poller.fault(), Some(Fault::Refused { at: HEARTBEAT, .. })));
    bench.device.ill = Ill::No;
    bench.run(300);
    assert!(bench.point_online() && bench.poller.fault().is_none());
}

#[test]
fn a_write_that_is_accepted_and_takes_long_is_not_repeated_but_proven() {
    let profile = STORAGE.replacen("ms: 300, tolerance: 0", "ms: 2000, tolerance: 0", 1);
    let mut bench = Bench::of(&profile, storage(), &["p_set"]);
    bench.run_until_online();
    bench.run(300);
    bench.device.ill = Ill::WritesExceptionAt(P_SET, 5);
    bench.set(0, 1_000.0);
    let t = bench.now_ms;
    bench.run(700);
    assert_eq!(since(&bench, P_SET, t).iter().filter(|(_, v)| *v == 1_000).count(), 1);
    bench.device.hold(P_SET, &[1_000]);
    bench.device.ill = Ill::No;
    bench.run(200);
    assert!(bench.point_online());
    assert_eq!(bench.online.iter().filter(|(ms, _)| *ms > t).count(), 0, "{:?}", bench.online);
}

#[test]
fn flash_memory_that_cannot_be_read_back_is_not_written_anew_on_every_connection() {
    let profile = STORAGE.replace(
        r#"policy: (gap_min_ms: 0, flash_writes_per_day_max: 20), read_back: Within(ms: 300, tolerance: 0)"#,
        r#"policy: (gap_min_ms: 0, flash_writes_per_day_max: 20), read_back: Never("write only")"#,
    );
    let mut bench = Bench::of(&profile, storage(), &["reserve"]);
    bench.set(0, 30.0);
    for _ in 0..5 {
        bench.run(5_000);
        assert!(bench.point_online());
        bench.disconnect();
    }
    assert_eq!(bench.device.written(RESERVE).len(), 1);
}

#[test]
fn a_setting_of_the_connect_sequence_that_is_a_set_point_too_is_not_missed_later() {
    let profile = STORAGE.replace(
        "connect: [",
        r#"connect: [(at: Holding(60), encoding: I16, value: Value(0), source: "60: nothing flows before the first set-point"),"#,
    );
    let mut bench = Bench::of(&profile, storage(), &["p_set"]);
    bench.set(0, 500.0);
    bench.run(20_000);
    assert_eq!((bench.device.get(P_SET), bench.poller.counts().sequences), (500, 1));
    assert_eq!(bench.device.written(P_SET)[0].1, 0);
}

#[test]
fn a_device_with_nothing_but_pulses_is_finished_with_the_last_block() {
    let mut bench = Bench::new(&["reset"]);
    bench.device.ill = Ill::Silent;
    bench.head.last = true;
    bench.run(20);
    assert!(bench.poller.is_finished());
}
