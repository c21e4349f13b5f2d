use super::*;
use crate::bench::{Bench, Site, says};
use crate::modes::hold;
use flyball_io_map::image::ValueKind;
use proptest::prelude::*;

fn settings() -> Settings {
    Settings {
        name: None,
        input: says("panel.estop"),
        reset: says("site.reset"),
        opens: vec![says("panel.contactor")],
        stops: vec![says("ess.p")],
        resets: vec![says("pcs.alarm_reset")],
        latch_when_lost: None,
        free_at_start: Some(true),
    }
}

fn site(safe: f64) -> Site {
    let points = Site::default().point("panel.estop", ValueKind::Flag, Unit::None);
    let points = points.point("site.reset", ValueKind::Flag, Unit::None);
    points.real("ess.p", safe).contactor("panel.contactor").pulse("pcs.alarm_reset")
}

/// The stop on the bench; somebody else keeps the contactor closed as far as he may.
fn bench_of(settings: &Settings, safe: f64) -> Bench {
    let close = hold::Settings { name: None, output: says("panel.contactor"), value: says("Closed"), rank: 0 };
    site(safe).bench(|site| {
        let (stop, close) = (wire(settings, site), hold::wire(&close, site));
        Box::new(Both(stop, close))
    })
}

struct Both(Box<dyn Run>, Box<dyn Run>);

impl Run for Both {
    fn every(&self) -> u64 {
        1
    }

    fn run(&mut self, scan: &mut Scan<'_>) {
        self.0.run(scan);
        self.1.run(scan);
    }
}

fn bench() -> Bench {
    bench_of(&settings(), 0.0)
}

/// One scan with the chain and the reset button in these states (`None`: unknown). Whether the site is free after it.
fn scan(bench: &mut Bench, chain: Option<bool>, reset: Option<bool>) -> bool {
    for (point, state) in [("panel.estop", chain), ("site.reset", reset)] {
        match state {
            Some(state) => bench.set(point, f64::from(u8::from(state))),
            None => bench.lose(point),
        }
    }
    bench.scan();
    let free = bench.bounds() == (-1e4, 1e4);
    let safe = bench.outputs.reals()[0].rule().safe;
    assert!(free || bench.bounds() == (safe, safe), "free or safe, nothing between: {:?}", bench.bounds());
    assert_eq!(bench.outputs.choices()[0].applied().0 == 1, free, "the contactor follows");
    free
}

const HEALTHY: Option<bool> = Some(true);
const PRESSED: Option<bool> = Some(false);

#[test]
fn a_healthy_chain_stops_nothing() {
    assert!(scan(&mut bench(), HEALTHY, None));
}

#[test]
fn boot_with_an_unknown_chain_stops_and_does_not_latch() {
    let mut bench = bench();
    assert!(!scan(&mut bench, None, None));
    assert!(!scan(&mut bench, None, None));
    assert!(scan(&mut bench, HEALTHY, None));
}

#[test]
fn boot_with_a_pressed_button_latches() {
    let mut bench = bench();
    assert!(!scan(&mut bench, PRESSED, None));
    assert!(!scan(&mut bench, HEALTHY, None));
}

#[test]
fn pressed_stops_in_the_same_scan_and_release_does_nothing() {
    let mut bench = bench();
    assert!(scan(&mut bench, HEALTHY, Some(false)));
    assert!(!scan(&mut bench, PRESSED, Some(false)));
    assert!(!scan(&mut bench, HEALTHY, Some(false)));
}

#[test]
fn a_stop_goes_to_the_safe_value_where_that_is_not_zero() {
    for safe in [2_000.0, -2_000.0] {
        let mut bench = bench_of(&settings(), safe);
        assert!(scan(&mut bench, HEALTHY, None));
        assert!(!scan(&mut bench, PRESSED, None));
        assert_eq!(bench.bounds(), (safe, safe), "nothing between zero and the safe value either");
    }
}

#[test]
fn a_reset_edge_frees_a_healthy_chain_and_a_held_reset_does_not() {
    let mut bench = bench();
    scan(&mut bench, PRESSED, Some(true));
    assert!(!scan(&mut bench, HEALTHY, Some(true)), "held since before the release");
    assert!(!scan(&mut bench, HEALTHY, Some(false)));
    assert!(scan(&mut bench, HEALTHY, Some(true)));
    assert!(scan(&mut bench, HEALTHY, Some(true)), "and it stays free");
}

#[test]
fn a_reset_while_the_button_is_pressed_does_not_count_afterwards() {
    let mut bench = bench();
    scan(&mut bench, PRESSED, Some(false));
    assert!(!scan(&mut bench, PRESSED, Some(true)));
    assert!(!scan(&mut bench, HEALTHY, Some(true)));
}

#[test]
fn a_reset_that_comes_out_of_the_unknown_is_no_edge() {
    let mut bench = bench();
    scan(&mut bench, PRESSED, Some(false));
    assert!(!scan(&mut bench, HEALTHY, None));
    assert!(!scan(&mut bench, HEALTHY, Some(true)), "a reconnect with the reset held down resets nothing");
}

#[test]
fn a_chain_that_is_lost_latches_like_a_pressed_one() {
    let mut bench = bench();
    assert!(scan(&mut bench, HEALTHY, Some(false)));
    assert!(!scan(&mut bench, None, Some(false)));
    assert!(!scan(&mut bench, HEALTHY, Some(false)));
    assert!(scan(&mut bench, HEALTHY, Some(true)));
}

#[test]
fn a_chain_that_is_lost_frees_itself_only_where_the_site_says_so() {
    let mut bench = bench_of(&Settings { latch_when_lost: Some(false), ..settings() }, 0.0);
    assert!(scan(&mut bench, HEALTHY, None));
    assert!(!scan(&mut bench, None, None));
    assert!(scan(&mut bench, HEALTHY, None));
    assert!(!scan(&mut bench, PRESSED, None));
    assert!(!scan(&mut bench, HEALTHY, None), "pressed still latches");
}

#[test]
fn a_chain_that_is_too_old_is_lost() {
    let mut bench = bench();
    assert!(scan(&mut bench, HEALTHY, None));
    bench.tick += 50;
    bench.scan();
    assert_eq!(bench.bounds(), (0.0, 0.0));
}

#[test]
fn each_reset_that_frees_fires_one_pulse_for_two_seconds() {
    let mut bench = bench();
    let pending = |bench: &Bench| bench.outputs.pulses()[0].pending();
    scan(&mut bench, HEALTHY, Some(false));
    scan(&mut bench, HEALTHY, Some(true));
    assert_eq!(pending(&bench), None, "nothing was latched, so nothing is reset");
    for id in 1..3 {
        scan(&mut bench, PRESSED, Some(false));
        scan(&mut bench, HEALTHY, Some(false));
        let at = bench.now();
        scan(&mut bench, HEALTHY, Some(true));
        let sent = pending(&bench).expect("a pulse is on its way");
        assert_eq!((sent.id, sent.expires.since(at)), (id, 2_000_000_000));
        scan(&mut bench, HEALTHY, Some(true));
        assert_eq!(pending(&bench), Some(sent), "the same one");
    }
}

#[test]
fn a_stop_that_stops_nothing_is_refused() {
    let empty = Settings { opens: Vec::new(), stops: Vec::new(), ..settings() };
    assert_eq!(site(0.0).problems(|site| wire(&empty, site)), ["this emergency stop stops nothing"]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Free only with a healthy chain, and after a press or a loss only by an edge of the reset seen while healthy.
    #[test]
    fn whatever_happens_it_is_free_only_after_a_reset(
        states in prop::collection::vec((prop::option::of(any::<bool>()), prop::option::of(any::<bool>())), 1..60),
    ) {
        let mut bench = bench();
        let (mut latched, mut seen_healthy, mut reset_was) = (false, false, None);
        for (chain, reset) in states {
            let free = scan(&mut bench, chain, reset);
            latched |= chain == PRESSED || chain.is_none() && seen_healthy;
            seen_healthy |= chain == HEALTHY;
            if chain == HEALTHY && (reset_was, reset) == (Some(false), Some(true)) {
                latched = false;
            }
            reset_was = reset;
            prop_assert_eq!(free, chain == HEALTHY && !latched);
        }
    }
}

#[test]
fn a_start_is_latched_until_a_reset_edge_so_that_a_restart_forgives_nothing() {
    let mut bench = bench_of(&Settings { free_at_start: None, ..settings() }, 0.0);
    assert!(!scan(&mut bench, HEALTHY, Some(false)), "a healthy chain is not enough");
    assert!(scan(&mut bench, HEALTHY, Some(true)), "a reset edge is");
}
