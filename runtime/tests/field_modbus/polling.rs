//! What is read when, and what becomes of it.

use super::bench::{Bench, P, STORAGE, TEMPERATURE, storage};
use super::device::Ill;
use flyball_io_map::image::{NoData, ScanTime};

#[test]
fn fast_blocks_are_read_at_every_poll_on_an_absolute_grid_and_normal_ones_every_second() {
    let mut bench = Bench::new(&[]);
    bench.run_until_online();
    bench.run(60_000);
    let fast = bench.device.reads(0);
    for (n, at) in (0..).zip(&fast[1..]) {
        let late = at - (fast[1] + 100 * n);
        assert!(late <= 12, "poll {n} at {at}: {late} ms behind its grid");
    }
    assert!((599..=602).contains(&fast.len()), "{}", fast.len());
    assert!((60..=62).contains(&bench.device.reads(20).len()), "{:?}", bench.device.reads(20));
    assert!((6..=8).contains(&bench.device.reads(40).len()), "{:?}", bench.device.reads(40));
}

#[test]
fn the_device_has_its_pause_between_an_answer_and_the_next_request() {
    let profile = STORAGE.replace("gap_min_ms: 2", "gap_min_ms: 25");
    let mut bench = Bench::of(&profile, storage(), &["p_set", "mode"]);
    bench.run(5_000);
    let times: Vec<u64> = bench.device.log.iter().map(|asked| asked.ms).collect();
    let least = times.windows(2).map(|pair| pair[1] - pair[0]).min();
    assert_eq!(least, Some(25 + bench.device.answer_ms), "answer and pause");
}

#[test]
fn a_value_is_as_old_as_its_request_and_not_as_its_answer() {
    let mut bench = Bench::new(&[]);
    bench.device.answer_ms = 150;
    bench.run_until("a value", |b| b.value(P).is_ok());
    let taken = bench.poller.words().reading(P).taken();
    assert_eq!(taken, ScanTime::from_ms(bench.device.reads(0)[0]));
    assert_eq!(bench.now_ms - bench.device.reads(0)[0], 150);
}

#[test]
fn after_a_pause_of_the_whole_machine_nothing_bursts() {
    let mut bench = Bench::new(&[]);
    bench.run(2_000);
    bench.now_ms += 30_000; // as if it had been stopped: the answer in flight is late, and then all is as before
    let before = bench.device.reads(0).len();
    bench.run(1_000);
    assert!(bench.device.reads(0).len() - before <= 12, "{:?}", &bench.device.reads(0)[before..]);
}

#[test]
fn slow_blocks_are_read_although_the_fast_ones_take_all_the_time_there_is() {
    let mut bench = Bench::new(&["p_set", "mode"]);
    bench.device.answer_ms = 130; // longer than a poll
    bench.run(30_000);
    let longest = |at: u16| bench.device.reads(at).windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    assert!(longest(0) < 1_500 && longest(20) < 3_000, "{} {}", longest(0), longest(20));
    let story = bench.device.story();
    assert!(story.iter().any(|line| line.starts_with("w16 80")), "the heartbeat goes on");
}

#[test]
fn a_register_that_the_device_does_not_have_costs_one_value() {
    let mut bench = Bench::new(&[]);
    bench.device.ill = Ill::ExceptionAt(1, 2);
    bench.run(3_000);
    assert_eq!((bench.value(P), bench.value(super::bench::SOC)), (Ok(1234.0), Err(NoData::Refused(2))));
    assert_eq!(bench.device.reads(1).len(), 2, "asked for twice: with its block and alone");
    assert!(bench.point_online() && bench.device.reads(0).len() > 20);
    assert_eq!(bench.value(TEMPERATURE), Ok(31.0));
}

#[test]
fn a_block_that_is_too_long_for_the_device_is_halved_until_it_fits() {
    let mut bench = Bench::new(&[]);
    bench.device.ill = Ill::ExceptionAt(1, 3);
    bench.run(3_000);
    assert_eq!(bench.value(P), Ok(1234.0));
}

#[test]
fn a_function_that_the_device_does_not_know_is_not_asked_for_again() {
    let mut bench = Bench::new(&[]);
    bench.run_until_online();
    bench.device.ill = Ill::ExceptionAt(0, 1);
    bench.run(2_000);
    assert_eq!(bench.value(P), Err(NoData::Refused(1)));
    let asked = bench.device.reads(0).len();
    bench.run(2_000);
    assert_eq!(bench.device.reads(0).len(), asked);
}

#[test]
fn a_register_that_appears_later_is_found_and_then_read_as_often_as_any() {
    let mut bench = Bench::new(&[]);
    bench.device.ill = Ill::ExceptionAt(1, 2);
    bench.run(65_000);
    assert!(bench.device.reads(1).len() <= 4, "{:?}", bench.device.reads(1));
    bench.device.ill = Ill::No;
    bench.run(31_000);
    assert_eq!(bench.value(super::bench::SOC), Ok(55.0));
    let before = bench.device.reads(1).len();
    bench.run(1_000);
    assert!(bench.device.reads(1).len() - before >= 9);
}

#[test]
fn a_refused_register_is_tried_again_on_the_next_connection() {
    let mut bench = Bench::new(&[]);
    bench.device.ill = Ill::ExceptionAt(1, 2);
    bench.run(3_000);
    bench.device.ill = Ill::No;
    bench.disconnect();
    bench.run(3_000);
    assert_eq!(bench.value(super::bench::SOC), Ok(55.0));
}

#[test]
fn a_busy_device_is_left_alone_for_longer_and_longer_and_from_the_third_time_has_no_value() {
    for code in [4, 6, 8, 200] {
        let mut bench = Bench::new(&[]);
        bench.run(1_000);
        bench.device.ill = Ill::ExceptionAt(0, code);
        let before = bench.device.reads(0).len();
        bench.run_until("the third refusal", |b| b.device.reads(0).len() == before + 3);
        assert_eq!(bench.value(P), Ok(1234.0), "until then the value only ages");
        bench.run(10);
        assert_eq!(bench.value(P), Err(NoData::Refused(code)));
        bench.run(20_000);
        let gaps: Vec<u64> = bench.device.reads(0)[before..].windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps[0] >= 500 && gaps[1] >= 1_000 && gaps[3] >= 4_000 && gaps.iter().all(|g| *g <= 5_200), "{gaps:?}");
        bench.device.ill = Ill::No;
        bench.run(5_200);
        assert_eq!(bench.value(P), Ok(1234.0), "exception {code}");
    }
}
