//! Skipped slots: pauses, the overrun contract, trip and reset.

use super::demo::*;
use crate::scan::controller::{Arm, Event};
use crate::scan::snapshot::SiteState;
use flyball_io_map::image::output::Cause;
use flyball_io_map::image::{NoData, ScanTime};

#[test]
fn two_skipped_slots_are_within_the_contract() {
    let site = runs().level("cmd.p", 1_000.0).skips(2).expect(1_000.0, Cause::Demand(SETPOINT)).expect_events(&[]);
    assert!(!site.controller.degraded());
}

#[test]
fn three_skipped_slots_of_ten_shed_the_named_programs_until_the_window_is_clean() {
    let site = runs().set("meter.p", 1_000.0).scans(20).skips(3).scan().expect_events(&[Event::Degraded]);
    assert!(site.controller.degraded());
    assert_eq!(site.power().1, Cause::NoDemand, "self consumption is shed, so its demand ends");
    let site = site.scans(8);
    assert!(site.controller.degraded());
    let site = site.scan().expect_events(&[Event::Recovered]);
    assert_eq!((site.controller.degraded(), site.power().1), (false, Cause::Demand(SELF)));
}

#[test]
fn programs_that_are_not_named_go_on_while_the_site_is_degraded() {
    let site = runs().level("cmd.p", 1_000.0).skips(3).expect(1_000.0, Cause::Demand(SETPOINT));
    assert!(site.controller.degraded());
    site.set("panel.estop", 0.0).expect(0.0, Cause::Limit(STOP));
}

#[test]
fn a_trip_is_safe_until_reset_and_then_disarmed() {
    let site = runs().level("cmd.p", 4_000.0).expect(4_000.0, Cause::Demand(SETPOINT)).skips(10);
    let site = site.expect(0.0, Cause::Tripped).expect_events(&[Event::Degraded, Event::Tripped]);
    let site = site.scans(2_000).expect(0.0, Cause::Tripped).expect_contactor(0).expect_state(SiteState::Tripped);
    let site = site.arms().scan().expect_state(SiteState::Tripped);
    let site = site.reset().expect_state(SiteState::Disarmed).expect_events(&[Event::Reset]).scans(200);
    site.expect_state(SiteState::Disarmed)
        .level("site.arm", 0.0)
        .scan()
        .level("site.arm", 1.0)
        .scan()
        .expect_state(SiteState::Armed);
}

#[test]
fn an_order_to_arm_from_before_a_trip_does_not_arm_after_it() {
    // its lease lasts over the trip and the reset
    let site = runs().arms().scan().expect_state(SiteState::Armed).skips(10).scan();
    site.expect_state(SiteState::Tripped).reset().scans(50).expect_state(SiteState::Disarmed);
}

#[test]
fn a_site_that_arms_by_itself_arms_again_after_the_reset_of_a_trip() {
    let site = boots(Arm::Auto).healthy().scans(5).skips(10).scan().expect_state(SiteState::Tripped);
    site.scans(500).expect_state(SiteState::Tripped).reset().expect_state(SiteState::Armed);
}

#[test]
fn a_reset_that_is_held_down_ends_no_trip() {
    let mut site = runs();
    for _ in 0..20 {
        site = site.level("site.reset", 1.0).scan();
    }
    site = site.skips(10).level("site.reset", 1.0).scan().expect_state(SiteState::Tripped);
    for _ in 0..20 {
        site = site.level("site.reset", 1.0).scans(50).expect_state(SiteState::Tripped);
    }
    site.reset().expect_state(SiteState::Disarmed);
}

#[test]
fn a_master_that_reconnects_with_the_reset_held_down_ends_no_trip() {
    let mut site = runs().skips(10).scan();
    for _ in 0..20 {
        site = site.level("site.reset", 1.0).scans(150).expect_state(SiteState::Tripped);
    }
    site.reset().expect_state(SiteState::Disarmed).expect_events(&[Event::Reset]);
}

#[test]
fn a_reset_forgives_the_skipped_slots() {
    let site = runs().skips(10).scan().reset().scans(2);
    assert!(!site.controller.degraded());
}

#[test]
fn a_pause_of_hours_is_one_trip_and_every_reading_is_judged_anew() {
    let site = runs().level("cmd.p", 4_000.0).scan().ages("meter.p").skips(3 * 360_000);
    let site = site.expect(0.0, Cause::Tripped);
    let meter = site.controller.readings()[0];
    assert!(matches!(meter.fresh(ScanTime(0), 0), Err(NoData::TooOld { age_ms: 10_800_000.., .. })), "{meter:?}");
    let site = site.reset().arms().scans(20).expect_state(SiteState::Disarmed);
    site.set("meter.p", 0.0).scan().expect_state(SiteState::Armed);
}

#[test]
fn a_command_does_not_outlive_a_pause_longer_than_its_lease() {
    let site = runs().level("cmd.p", 4_000.0).expect(4_000.0, Cause::Demand(SETPOINT)).skips(9);
    let site = site.expect(4_000.0, Cause::Demand(SETPOINT)).scans(100).skips(9).scans(80);
    assert_eq!(site.power().1, Cause::Demand(SETPOINT));
    assert_eq!(site.scans(20).power().1, Cause::Demand(SELF));
}

#[test]
fn a_flood_of_refused_commands_hides_no_trip() {
    let flood = (0..crate::scan::inputs::COMMANDS_PER_SCAN).fold(runs(), |site, _| site.command_to_nowhere());
    let site = flood.skips(10).scan().expect_state(SiteState::Tripped);
    assert!(site.events().contains(&Event::Tripped), "{:?}", site.events());
    assert_eq!(site.controller.commands_refused(), 64);
}
