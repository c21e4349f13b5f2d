//! Any faults in any order: what may never happen does not, and when the faults end the device is back.

use super::bench::{Bench, HEARTBEAT, P, P_SET, REMOTE, RESET, SOC};
use super::device::Ill;
use flyball_io_map::image::ScanTime;
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
enum Event {
    Ill(Ill),
    Restart,
    Disconnect,
    Stall,
    Want(i16),
    Fire,
    Measure(i16),
    Slow(u64),
}

fn any_event() -> impl Strategy<Value = Event> {
    let register = prop::sample::select(vec![0, 1, 20, 40, P_SET, RESET, HEARTBEAT, REMOTE, 900]);
    let ill = prop_oneof![
        Just(Ill::Silent),
        Just(Ill::IgnoresWrites),
        Just(Ill::LosesWriteAnswers),
        Just(Ill::WrongFunction),
        Just(Ill::ShortAnswer),
        (1u8..12).prop_map(Ill::Exception),
        (register, 1u8..12).prop_map(|(at, code)| Ill::ExceptionAt(at, code)),
    ];
    prop_oneof![
        3 => ill.prop_map(Event::Ill),
        1 => Just(Event::Restart),
        1 => Just(Event::Disconnect),
        1 => Just(Event::Stall),
        2 => (-5_000i16..=5_000).prop_map(Event::Want),
        1 => Just(Event::Fire),
        1 => (-5_000i16..=5_000).prop_map(Event::Measure),
        1 => (0u64..400).prop_map(Event::Slow),
    ]
}

/// What was wanted and measured so far, and how many pulses were fired.
struct Said {
    wanted: Vec<i16>,
    measured: Vec<i16>,
    fired: u64,
}

impl Said {
    fn happen(&mut self, bench: &mut Bench, event: Event) {
        bench.scanning = true;
        match event {
            Event::Ill(ill) => bench.device.ill = ill,
            Event::Restart => drop(bench.device.hold(P_SET, &[0]).hold(HEARTBEAT, &[0; 5])),
            Event::Disconnect => bench.disconnect(),
            Event::Stall => bench.scanning = false,
            Event::Want(p) => {
                self.wanted.push(p);
                bench.set(0, f64::from(p));
            }
            Event::Fire => {
                self.fired += 1;
                bench.fire(1, self.fired, 3_000);
            }
            Event::Measure(p) => {
                self.measured.push(p);
                bench.device.hold(0, &[p.cast_unsigned()]);
            }
            Event::Slow(ms) => bench.device.answer_ms = ms,
        }
    }

    fn hold(&self, bench: &Bench) -> Result<(), TestCaseError> {
        let now = ScanTime::from_ms(bench.now_ms);
        let reading = bench.poller.words().reading(P);
        prop_assert!(reading.taken() <= now);
        if let Ok(p) = bench.value(P) {
            prop_assert!(
                self.measured.iter().any(|m| f64::from(*m).to_bits() == p.to_bits()),
                "{p} W was never measured"
            );
        }
        for (at, value) in bench.device.written(P_SET) {
            prop_assert!(self.wanted.contains(&value.cast_signed()), "{value} at {at} ms was never wanted");
        }
        let pulses = bench.device.written(RESET).len();
        let refused = usize::try_from(bench.poller.counts().exceptions).unwrap();
        prop_assert!(pulses <= usize::try_from(self.fired).unwrap() + refused, "{pulses} pulses of {}", self.fired);
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_faults_make_up_values_or_repeat_pulses_and_after_them_the_device_is_back(
        events in prop::collection::vec((any_event(), 0u64..3_000), 1..12)
    ) {
        let mut bench = Bench::new(&["p_set", "reset"]);
        let mut said = Said { wanted: vec![0], measured: vec![1_234], fired: 0 };
        bench.run(500);
        for (event, ms) in events {
            said.happen(&mut bench, event);
            bench.run(ms);
            said.hold(&bench)?;
        }
        bench.device.ill = Ill::No;
        bench.device.answer_ms = 3;
        bench.scanning = true;
        said.happen(&mut bench, Event::Measure(77));
        // what was refused is asked for again after 30 s, and what it feeds has a pause of at most 5 s of its own
        bench.run(45_000);
        said.hold(&bench)?;
        prop_assert!(bench.point_online() && bench.poller.fault().is_none(), "{:?}", bench.poller.fault());
        prop_assert_eq!((bench.value(P), bench.value(SOC)), (Ok(77.0), Ok(55.0)));
        let wanted = *said.wanted.last().unwrap();
        prop_assert!((bench.device.get(P_SET).cast_signed() - wanted).abs() <= 10, "the refresh writes what is wanted");
        prop_assert_eq!(bench.device.get(REMOTE), 5);
    }
}

#[test]
fn the_same_seed_and_the_same_faults_give_the_same_requests() {
    let story = || {
        let mut bench = Bench::new(&["p_set", "reset"]);
        for ill in [Ill::No, Ill::Silent, Ill::IgnoresWrites, Ill::Exception(6), Ill::No] {
            bench.device.ill = ill;
            bench.set(0, f64::from(u32::try_from(bench.now_ms % 3_000).unwrap()));
            bench.run(7_000);
        }
        bench.device.log
    };
    assert_eq!(story(), story());
}
