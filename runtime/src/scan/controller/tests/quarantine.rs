//! A program that panics.

use super::lab::*;
use crate::scan::controller::Event;
use flyball_io_map::image::output::Cause;
use flyball_io_map::image::{By, NoData};

/// What the test program under observation says about the output, and what `bad` makes it panic over.
enum Role {
    Demands(f64),
    Limits,
    Serves,
    Computes,
}

/// Program 0 demands 1 kW at rank 0; program 1 has the role; program 2 copies the computed point to one of its own.
fn with(role: Role) -> Lab {
    lab(|site| {
        site.begin();
        let demand = site.demand(0);
        site.runs(1, move |_, scan| scan.demand(&demand, 1_000.0));
        site.begin();
        let bad = site.bad();
        match role {
            Role::Demands(watts) => {
                let demand = site.demand(1);
                site.runs(1, move |_, scan| {
                    scan.demand(&demand, watts);
                    assert_ne!(scan.read(&bad), Ok(true), "a bad input");
                });
            }
            Role::Limits => {
                let limit = site.limit();
                site.runs(1, move |_, scan| {
                    scan.release(&limit);
                    assert_ne!(scan.read(&bad), Ok(true), "a bad input");
                });
            }
            Role::Serves => {
                let service = site.service();
                site.runs(1, move |_, scan| {
                    scan.reserve(&service, 0.0, 9_500.0);
                    scan.add(&service, 2_000.0);
                    assert_ne!(scan.read(&bad), Ok(true), "a bad input");
                });
            }
            Role::Computes => {
                let (count, a) = (site.compute("count"), site.point("a"));
                site.runs(1, move |n, scan| {
                    *n += 1;
                    let _ = scan.read(&a);
                    scan.compute(&count, Ok(f64::from(*n)));
                    assert_ne!(scan.read(&bad), Ok(true), "a bad input");
                });
                site.begin();
                let (count, copy) = (site.point("count"), site.compute("copy"));
                site.runs(1, move |_, scan| {
                    let value = scan.read(&count);
                    scan.compute(&copy, value);
                });
            }
        }
    })
}

/// The scan in which it panics.
fn panics(lab: &mut Lab) {
    lab.set("bad", 1.0);
    lab.scan();
    assert_eq!((lab.controller.events(), lab.controller.quarantined()), (&[Event::Quarantined(By(1))][..], 1));
    lab.set("bad", 0.0);
}

#[test]
fn its_demand_ends_and_the_next_rank_takes_over() {
    let mut lab = with(Role::Demands(5_000.0));
    assert_eq!(lab.scan().total.to_bits(), 5_000.0f64.to_bits());
    panics(&mut lab);
    assert_eq!((lab.power().total, lab.power().cause), (1_000.0, Cause::Demand(By(0))), "in the same scan");
    let _ = lab.scan();
    assert_eq!((lab.power().cause, lab.controller.events()), (Cause::Demand(By(0)), &[][..]), "it runs no more");
}

#[test]
fn its_limits_become_the_narrowest() {
    let mut lab = with(Role::Limits);
    assert_eq!(lab.scan().cause, Cause::Demand(By(0)));
    panics(&mut lab);
    assert_eq!((lab.power().total, lab.power().cause), (0.0, Cause::Limit(By(1))));
    let out = (0..100).map(|_| lab.scan()).last().unwrap();
    assert_eq!((out.total, out.cause), (0.0, Cause::Limit(By(1))));
}

#[test]
fn its_addition_ramps_out_and_its_reserved_room_stays() {
    let mut lab = with(Role::Serves);
    let out = lab.scan();
    assert_eq!((out.base, out.added, out.cause), (500.0, 2_000.0, Cause::Reserved(By(1))));
    panics(&mut lab);
    assert_eq!((lab.power().base, lab.power().added), (500.0, 1_950.0));
    let out = (0..100).map(|_| lab.scan()).last().unwrap();
    assert_eq!((out.base, out.added, out.cause), (500.0, 0.0, Cause::Reserved(By(1))));
}

#[test]
fn what_it_computes_is_not_computed_for_the_programs_after_it_in_the_same_scan() {
    let mut lab = with(Role::Computes);
    lab.scan();
    assert_eq!([lab.computed(0), lab.computed(1)], [Ok(1.0), Ok(1.0)]);
    panics(&mut lab);
    assert_eq!([lab.computed(0), lab.computed(1)], [Err(NoData::NotComputed); 2]);
    lab.scan();
    assert_eq!(lab.computed(1), Err(NoData::NotComputed));
}

#[test]
fn a_reset_edge_brings_it_back_with_the_state_it_had_before() {
    let mut lab = with(Role::Computes);
    lab.scan();
    panics(&mut lab);
    for _ in 0..10 {
        lab.scan();
    }
    lab.reset();
    assert_eq!(lab.controller.quarantined(), 0);
    assert_eq!(lab.computed(0), Ok(2.0), "the first scan counted, the one that panicked did not");
}

#[test]
fn a_program_that_panics_again_after_the_reset_is_quarantined_again() {
    let mut lab = with(Role::Demands(5_000.0));
    lab.scan();
    panics(&mut lab);
    lab.set("bad", 1.0);
    lab.reset();
    assert_eq!((lab.controller.quarantined(), lab.power().cause), (1, Cause::Demand(By(0))));
}
