use super::*;
use crate::bench::{Bench, Site, says};

fn settings(permits: &[&str]) -> Settings {
    let permits = says(permits.iter().map(|name| says(*name)).collect::<Vec<_>>());
    Settings { name: None, state: says("pcs.state"), permits, power: says("pcs.p") }
}

fn site(safe: f64) -> Site {
    Site::default()
        .code("pcs.state", &[(1, "off"), (3, "starting"), (4, "running"), (5, "derated")])
        .real("pcs.p", safe)
}

fn bench(safe: f64) -> Bench {
    site(safe).bench(|site| wire(&settings(&["running", "derated"]), site))
}

#[test]
fn only_the_listed_states_permit() {
    let mut bench = bench(0.0);
    for (state, free) in [(1.0, false), (3.0, false), (4.0, true), (5.0, true), (0.0, false), (9.0, false)] {
        bench.set("pcs.state", state);
        bench.scan();
        assert_eq!(bench.bounds(), if free { (-1e4, 1e4) } else { (0.0, 0.0) }, "state {state}");
    }
}

#[test]
fn a_state_that_is_lost_or_too_old_permits_nothing() {
    let mut bench = bench(0.0);
    bench.scan();
    assert_eq!(bench.bounds(), (0.0, 0.0), "never read");
    bench.set("pcs.state", 4.0);
    bench.lose("pcs.state");
    bench.scan();
    assert_eq!(bench.bounds(), (0.0, 0.0), "silent");
    bench.set("pcs.state", 4.0);
    bench.tick += 51;
    bench.scan();
    assert_eq!(bench.bounds(), (0.0, 0.0), "510 ms old");
}

#[test]
fn nothing_is_permitted_but_the_safe_value_where_that_is_not_zero() {
    for safe in [2_000.0, -2_000.0] {
        let mut bench = bench(safe);
        bench.set("pcs.state", 1.0);
        bench.scan();
        assert_eq!(bench.bounds(), (safe, safe));
    }
}

#[test]
fn a_state_that_the_device_does_not_have_and_an_empty_list_are_refused() {
    let problems = |permits: &[&str]| site(0.0).problems(|site| wire(&settings(permits), site));
    assert_eq!(problems(&["runing"]), ["`pcs.state` has no state `runing`"]);
    assert_eq!(problems(&[]), ["a permit without states permits nothing"]);
}
