//! A device that is silent, lies, or goes away and comes back.

use super::bench::{Bench, P, P_SET, SOC};
use super::device::Ill;
use flyball_io_map::image::NoData;
use flyball_runtime::field::modbus::fault::{Fault, LinkFault};

#[test]
fn one_lost_answer_marks_nothing() {
    let mut bench = Bench::new(&["p_set"]);
    bench.run(2_000);
    bench.device.ill = Ill::Silent;
    bench.run(250);
    bench.device.ill = Ill::No;
    bench.run(2_000);
    assert!(bench.poller.counts().timeouts > 0);
    assert!(
        bench.online.iter().filter(|(_, online)| !online).count() <= 1,
        "only before the start: {:?}",
        bench.online
    );
    assert_eq!((bench.value(P), bench.poller.counts().sequences), (Ok(1234.0), 1));
}

#[test]
fn a_silent_device_loses_its_values_after_three_polls_and_is_left_alone_for_longer_and_longer() {
    let mut bench = Bench::new(&["p_set"]);
    bench.run(2_000);
    bench.device.ill = Ill::Silent;
    let t = bench.now_ms;
    bench.run_until("silence", |b| b.value(P) == Err(NoData::DeviceSilent));
    // a poll lasts as long as its time-out here; the last answer and the pause come on top
    assert!((600..=720).contains(&(bench.now_ms - t)), "{} ms", bench.now_ms - t);
    assert!(!bench.point_online() && bench.poller.fault() == Some(&Fault::Silent));
    bench.run(40_000);
    let asked: Vec<u64> = bench.device.log.iter().map(|a| a.ms).filter(|ms| *ms > t + 720).collect();
    let gaps: Vec<u64> = asked.windows(2).map(|pair| pair[1] - pair[0] - 200).collect();
    assert!(gaps[0] >= 499 && gaps[2] >= 1_999 && gaps.iter().all(|gap| *gap <= 5_001), "{gaps:?}");
    assert!(asked.len() <= 14, "{asked:?}");
    assert_eq!(bench.poller.fault(), Some(&Fault::Silent), "one cause, not one per attempt");
    bench.device.ill = Ill::No;
    let t = bench.now_ms;
    bench.run_until_online();
    assert!(bench.now_ms - t <= 5_400, "back {} ms after it could be", bench.now_ms - t);
    assert_eq!(bench.value(P), Ok(1234.0));
    assert_eq!(bench.poller.fault(), None);
}

#[test]
fn a_device_that_was_never_there_is_silent() {
    let mut bench = Bench::new(&["p_set"]);
    bench.device.ill = Ill::Silent;
    bench.run(500);
    assert_eq!(bench.value(P), Err(NoData::NeverRead));
    bench.run(500);
    assert_eq!(bench.value(P), Err(NoData::DeviceSilent));
}

#[test]
fn an_answer_that_is_not_to_the_question_gives_no_value_and_after_three_the_device_is_not_believed() {
    for ill in [Ill::WrongFunction, Ill::ShortAnswer] {
        let mut bench = Bench::new(&["p_set"]);
        bench.run(2_000);
        bench.device.hold(0, &[999, 1]);
        bench.device.ill = ill;
        bench.run_until("offline", |b| !b.point_online());
        assert_eq!(bench.poller.counts().bad_answers, 3);
        assert!(matches!(bench.poller.fault(), Some(Fault::BadAnswer(_))), "{:?}", bench.poller.fault());
        assert_eq!(
            (bench.value(P), bench.value(SOC)),
            (Ok(1234.0), Ok(55.0)),
            "{ill:?}: old values age, no new ones come"
        );
        bench.device.ill = Ill::No;
        bench.run_until_online();
    }
}

#[test]
fn an_answer_of_another_unit_gives_no_value() {
    let mut bench = Bench::new(&[]);
    bench.run(2_000);
    let before = bench.poller.words().reading(P);
    bench.run_until("a request in flight", |b| b.in_flight());
    bench.answer_with(Err(LinkFault::WrongUnit { asked: 1, got: 2 }));
    bench.run(1);
    assert_eq!(bench.poller.words().reading(P), before);
    assert_eq!(bench.poller.counts().bad_answers, 1);
}

#[test]
fn a_gateway_that_says_its_device_is_silent_is_believed() {
    for code in [10, 11] {
        let mut bench = Bench::new(&["p_set"]);
        bench.run(2_000);
        bench.device.ill = Ill::Exception(code);
        bench.run(800);
        assert_eq!(bench.value(P), Err(NoData::DeviceSilent), "exception {code}");
        let asked = bench.device.log.len();
        bench.run(10_000);
        assert!(bench.device.log.len() - asked <= 6, "it is left alone like any silent device");
        bench.device.ill = Ill::No;
        bench.run_until_online();
    }
}

#[test]
fn a_lost_connection_is_known_at_once_and_its_values_age_until_the_device_counts_as_silent() {
    let mut bench = Bench::new(&["p_set"]);
    bench.set(0, 500.0);
    bench.run(2_000);
    bench.disconnect();
    assert!(!bench.point_online());
    assert_eq!(bench.value(P), Ok(1234.0));
    assert_eq!(bench.poller.fault(), Some(&Fault::Link(LinkFault::Disconnected)));
    let t = bench.now_ms;
    bench.run_until_online();
    let online = bench.now_ms;
    bench.run(50);
    let written: Vec<u64> = bench.device.written(P_SET).iter().map(|(ms, _)| *ms).filter(|ms| *ms > t).collect();
    assert!(
        written.first().is_some_and(|ms| (online..online + 20).contains(ms)),
        "not before the sequence is done: {written:?}"
    );
}

#[test]
fn a_connection_that_breaks_again_and_again_is_not_hammered() {
    let mut bench = Bench::new(&["p_set"]);
    let mut attempts = 0;
    for _ in 0..60_000 {
        bench.run(1);
        if bench.in_flight() {
            attempts += 1;
            bench.disconnect();
        }
    }
    assert!((12..=20).contains(&attempts), "{attempts} in a minute");
}

#[test]
fn an_answer_nobody_waits_for_changes_nothing() {
    let mut bench = Bench::new(&[]);
    bench.run(1_000);
    bench.run_until("nothing in flight", |b| !b.in_flight());
    let before = bench.poller.words().clone();
    bench.poller.answered(flyball_io_map::image::ScanTime::from_ms(bench.now_ms), Ok(&[3, 4, 0, 1, 0, 1]));
    assert_eq!(bench.poller.words().words(), before.words());
}
