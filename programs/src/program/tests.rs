use super::*;
use crate::bench::{Bench, PERIOD_NS, Site, says};
use flyball_io_map::image::{Flag, Unit, ValueKind};

struct Script<F, S>(F, std::marker::PhantomData<fn() -> S>);

impl<F, S> Program for Script<F, S>
where
    F: Fn(&mut S, &mut Scan<'_>) + Send,
    S: Default + Copy + Send + Serialize + DeserializeOwned,
{
    type State = S;

    fn scan(&self, state: &mut S, scan: &mut Scan<'_>) {
        self.0(state, scan);
    }
}

fn script<S>(say: impl Fn(&mut S, &mut Scan<'_>) + Send + 'static) -> Box<dyn Run>
where
    S: Default + Copy + Send + Serialize + DeserializeOwned + 'static,
{
    Placed::boxed(1, Script(say, std::marker::PhantomData))
}

/// Computes the sum of two points, or why there is none.
fn summing() -> Bench {
    let site = Site::default().point("a", ValueKind::Real, Unit::W).point("b", ValueKind::Real, Unit::W);
    site.bench(|site| {
        let [a, b]: [Point<Real>; 2] = ["a", "b"].map(|name| site.point(&says(name), Unit::W));
        let sum: Computed<Real> = site.compute(&says("sum"), Unit::W, (f64::MIN, f64::MAX), 500);
        script(move |(): &mut (), scan| {
            let (a, b) = (scan.read(&a), scan.read(&b));
            scan.compute(&sum, a.and_then(|a| b.map(|b| a + b)));
        })
    })
}

#[test]
fn a_computed_point_is_as_old_as_its_oldest_input() {
    let mut bench = summing();
    bench.set("a", 1.0);
    let oldest = bench.now();
    bench.tick = 30;
    bench.set("b", 2.0);
    bench.run();
    let sum = bench.reading("sum");
    assert_eq!((sum.fresh(bench.now(), u64::MAX), sum.taken()), (Ok(3.0), oldest));
    assert_eq!(sum.fresh(bench.now(), 29 * PERIOD_NS), Err(NoData::TooOld { age_ms: 300, allowed_ms: 290 }));
}

#[test]
fn what_is_computed_from_a_missing_value_is_missing_for_the_same_reason() {
    let mut bench = summing();
    bench.set("a", 1.0);
    bench.lose("b");
    bench.run();
    assert_eq!(bench.reading("sum").fresh(bench.now(), u64::MAX), Err(NoData::DeviceSilent));
}

#[test]
fn what_is_computed_to_no_number_is_implausible() {
    let mut bench = summing();
    bench.set("a", f64::MAX);
    bench.set("b", f64::MAX);
    bench.run();
    assert_eq!(bench.reading("sum").fresh(bench.now(), u64::MAX), Err(NoData::Implausible));
}

#[test]
fn a_program_that_panics_has_the_state_it_had_before() {
    let mut bench = Site::default().point("bad", ValueKind::Flag, Unit::None).real("p", 0.0).bench(|site| {
        let bad: Point<Flag> = site.point(&says("bad"), Unit::None);
        let power = site.demand(&says("p"), Unit::W, 0);
        script(move |count: &mut u32, scan| {
            *count += 1;
            scan.demand(&power, f64::from(*count));
            assert_ne!(scan.read(&bad), Ok(true), "a bad input");
        })
    });
    bench.set("bad", 0.0);
    bench.scan();
    bench.set("bad", 1.0);
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| bench.run())).is_err());
    bench.set("bad", 0.0);
    bench.scan();
    assert_eq!(bench.power().0.to_bits(), 2.0f64.to_bits(), "the scan that panicked counted nothing");
}

#[test]
fn a_limit_is_released_for_one_scan_only() {
    let mut bench = Site::default().point("free", ValueKind::Flag, Unit::None).real("p", 0.0).bench(|site| {
        let free: Point<Flag> = site.point(&says("free"), Unit::None);
        let limit = site.limit(&says("p"), Unit::W);
        script(move |(): &mut (), scan| {
            if scan.read(&free) == Ok(true) {
                scan.release(&limit);
            }
        })
    });
    bench.set("free", 1.0);
    bench.scan();
    assert_eq!(bench.bounds(), (-1e4, 1e4));
    bench.set("free", 0.0);
    bench.scan();
    assert_eq!(bench.bounds(), (0.0, 0.0));
}
