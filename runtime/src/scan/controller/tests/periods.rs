//! Programs with periods of their own, and points that programs compute.

use super::lab::*;
use flyball_io_map::image::NoData;
use flyball_io_map::image::output::Cause;

/// A program that counts its own scans into a demand of so many kilowatts.
fn counts(every: u64) -> Lab {
    lab(|site| {
        site.begin();
        let demand = site.demand(0);
        site.runs(every, move |n, scan| {
            *n += 1;
            scan.demand(&demand, f64::from(*n) * 1_000.0);
        });
    })
}

fn kilowatts(lab: &mut Lab, ticks: &[u64]) -> Vec<f64> {
    let scan = |tick: &u64| {
        lab.tick = *tick;
        lab.scan().total / 1_000.0
    };
    ticks.iter().map(scan).collect()
}

#[test]
fn a_program_with_a_period_runs_at_its_multiples_and_its_statements_stand_between() {
    assert_eq!(kilowatts(&mut counts(3), &[0, 1, 2, 3, 4, 5, 6]), [1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 3.0]);
}

#[test]
fn every_program_runs_in_the_first_scan() {
    assert_eq!(kilowatts(&mut counts(10), &[7, 8, 9, 10]), [1.0, 1.0, 1.0, 2.0]);
}

#[test]
fn a_program_that_fell_due_in_skipped_slots_runs_at_the_next_scan_and_only_once() {
    assert_eq!(kilowatts(&mut counts(2), &[0, 1, 3, 5, 7, 8, 9]), [1.0, 1.0, 2.0, 3.0, 4.0, 5.0, 5.0]);
    assert_eq!(kilowatts(&mut counts(3), &[0, 8, 9, 10]), [1.0, 2.0, 3.0, 3.0], "twice due, run once");
}

#[test]
fn a_program_that_falls_silent_keeps_no_demand() {
    let mut lab = lab(|site| {
        site.begin();
        let demand = site.demand(0);
        site.runs(1, move |n, scan| {
            *n += 1;
            if *n == 1 {
                scan.demand(&demand, 5_000.0);
            }
        });
    });
    assert_eq!(lab.scan().cause, Cause::Demand(flyball_io_map::image::By(0)));
    let out = lab.scan();
    assert_eq!((out.total, out.cause), (4_950.0, Cause::NoDemand));
}

#[test]
fn the_time_since_a_program_ran_is_never_longer_than_its_period() {
    let mut lab = lab(|site| {
        site.begin();
        let elapsed = site.compute("elapsed");
        site.runs(3, move |_, scan| {
            let seconds = scan.elapsed_s();
            scan.compute(&elapsed, Ok(seconds));
        });
    });
    for (tick, seconds) in [(0, 0.03), (3, 0.03), (8, 0.03), (9, 0.01), (360_000, 0.03)] {
        lab.tick = tick;
        lab.scan();
        assert_eq!(lab.computed(0).map(|s| (s * 1e3).round()), Ok(f64::round(seconds * 1e3)), "tick {tick}");
    }
}

/// Program 0 computes the sum of `a` and `b`, program 1 demands it.
fn sums(every: u64) -> Lab {
    lab(|site| {
        site.begin();
        let (a, b, sum) = (site.point("a"), site.point("b"), site.compute("sum"));
        site.runs(every, move |_, scan| {
            let (a, b) = (scan.read(&a), scan.read(&b));
            scan.compute(&sum, a.and_then(|a| b.map(|b| a + b)));
        });
        site.begin();
        let (sum, demand) = (site.point("sum"), site.demand(0));
        site.runs(1, move |_, scan| {
            let sum = scan.read(&sum).ok();
            scan.demand(&demand, sum);
        });
    })
}

#[test]
fn a_computed_point_is_as_old_as_its_oldest_input() {
    let mut lab = sums(1);
    lab.set("a", 1_000.0);
    lab.tick = 30;
    lab.set("b", 2_000.0);
    assert_eq!((lab.scan().total, lab.computed(0)), (3_000.0, Ok(3_000.0)));
    assert_eq!(lab.controller.readings()[4].taken(), flyball_io_map::image::ScanTime(0), "that of `a`");
}

#[test]
fn a_computed_point_grows_old_between_the_scans_of_its_program() {
    let mut lab = sums(100);
    lab.set("a", 1_000.0);
    for _ in 0..=50 {
        lab.set("b", 0.0);
        assert_ne!(lab.scan().cause, Cause::NoDemand);
    }
    assert_eq!(lab.scan().cause, Cause::NoDemand, "510 ms old although nobody said otherwise");
}

#[test]
fn an_input_that_is_lost_is_lost_in_what_is_computed_from_it() {
    let mut lab = sums(1);
    lab.scan();
    lab.tick = 60;
    lab.set("b", 2_000.0);
    assert_eq!(lab.scan().cause, Cause::NoDemand);
    assert_eq!(lab.computed(0), Err(NoData::TooOld { age_ms: 600, allowed_ms: 500 }));
}

#[test]
fn a_point_that_its_program_does_not_compute_in_its_scan_is_not_computed() {
    let mut lab = lab(|site| {
        site.begin();
        let odd = site.compute("odd");
        site.runs(1, move |n, scan| {
            *n += 1;
            if *n % 2 == 1 {
                scan.compute(&odd, Ok(1.0));
            }
        });
    });
    lab.scan();
    assert_eq!(lab.computed(0), Ok(1.0));
    lab.scan();
    assert_eq!(lab.computed(0), Err(NoData::NotComputed));
}
