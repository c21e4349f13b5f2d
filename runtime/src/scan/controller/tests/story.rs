//! Boot, arming, the emergency stop, lost inputs, commands, and the end.

use super::demo::*;
use super::lab::lab;
use crate::scan::controller::{Arm, Event};
use crate::scan::snapshot::SiteState;
use flyball_io_map::image::output::Cause;

#[test]
fn boot_is_disarmed_until_every_critical_point_was_seen_fresh() {
    let mut site = boots(Arm::Auto);
    for (point, _, _, value) in DEVICES.iter().filter(|d| d.0 != "pcs.p_actual") {
        site =
            site.expect(0.0, Cause::Disarmed).expect_state(SiteState::Disarmed).expect_contactor(0).set(point, *value);
    }
    site.scan().expect_state(SiteState::Armed).expect_events(&[Event::Armed]).expect_contactor(1);
}

#[test]
fn one_critical_point_that_is_too_old_keeps_the_site_disarmed() {
    let old = boots(Arm::Auto).healthy().lose("bms.soc").scans(100).expect_state(SiteState::Disarmed);
    old.set("bms.soc", 50.0).scan().expect_state(SiteState::Armed);
}

#[test]
fn a_site_that_arms_by_hand_waits_for_the_edge() {
    let site = boots(by_hand()).healthy().scans(50).expect_state(SiteState::Disarmed);
    site.arms().expect_state(SiteState::Disarmed).scan().expect_state(SiteState::Armed);
}

#[test]
fn a_master_that_keeps_the_switch_on_arms_nothing_when_it_connects() {
    let mut site = boots(by_hand()).healthy();
    for _ in 0..20 {
        // its lease runs out between
        site = site.level("site.arm", 1.0).scans(150).expect_state(SiteState::Disarmed);
    }
}

#[test]
fn anybody_may_disarm() {
    let site = runs().level_of(1, 9, "site.arm", 1.0).scan().level_of(2, 0, "site.arm", 0.0);
    site.scan().expect_state(SiteState::Disarmed);
}

#[test]
fn a_site_arms_only_once_every_device_that_is_written_to_is_online() {
    let mut lab = lab(|_| {}).needing("bad");
    lab.scan();
    assert_eq!(lab.controller.state(), SiteState::Disarmed);
    lab.set("bad", 1.0);
    lab.scan();
    assert_eq!(lab.controller.state(), SiteState::Armed);
    lab.set("bad", 0.0);
    lab.scan();
    assert_eq!(
        lab.controller.state(),
        SiteState::Armed,
        "what is lost later is the programs' and the outputs' business"
    );
}

#[test]
fn an_order_to_arm_waits_for_the_critical_points_as_long_as_its_lease_and_no_longer() {
    let asked = || boots(by_hand()).healthy().lose("bms.soc").arms().scans(50);
    asked().expect_state(SiteState::Disarmed).set("bms.soc", 50.0).scan().expect_state(SiteState::Armed);
    asked().scans(60).set("bms.soc", 50.0).scans(10).expect_state(SiteState::Disarmed);
}

#[test]
fn disarming_is_safe_at_once_and_stays_until_the_next_edge() {
    let site = runs().level("cmd.p", 4_000.0).expect(4_000.0, Cause::Demand(SETPOINT));
    let site = site.level("site.arm", 0.0).expect(0.0, Cause::Disarmed).expect_events(&[Event::Disarmed]);
    let site = site.scans(10).expect_state(SiteState::Disarmed).level("cmd.p", 4_000.0).level("site.arm", 1.0);
    site.expect(4_000.0, Cause::Demand(SETPOINT)).expect_events(&[Event::Armed]);
}

#[test]
fn the_end_of_the_arming_lease_does_not_disarm() {
    runs().scans(500).expect_state(SiteState::Armed);
}

#[test]
fn import_is_answered_and_the_loop_closes() {
    let (mut site, load) = (runs(), 3_000.0);
    for _ in 0..2_000 {
        let grid = load - site.power().0;
        site = site.set("meter.p", grid).scan();
    }
    let (total, cause) = site.power();
    assert!((total - load).abs() <= 20.0 && cause == Cause::Demand(SELF), "{total} {cause:?}");
}

#[test]
fn a_lost_meter_ramps_the_battery_out() {
    let site = runs().level("cmd.p", 6_500.0).expect(6_500.0, Cause::Demand(SETPOINT)).release(1, "cmd.p");
    let site = site.lose("meter.p").expect(6_450.0, Cause::NoDemand);
    site.skips(3).expect(6_250.0, Cause::NoDemand).scans(200).expect(0.0, Cause::NoDemand).expect_contactor(1);
}

#[test]
fn a_meter_that_says_nothing_new_is_lost_when_its_reading_is_too_old() {
    let site = runs().set("meter.p", 1_000.0).scans(100).ages("meter.p").scans(50);
    assert_eq!(site.power().1, Cause::Demand(SELF), "500 ms old");
    assert_eq!(site.scan().power().1, Cause::NoDemand, "510 ms old");
}

#[test]
fn a_bms_that_allows_less_binds_in_the_same_scan_and_is_named() {
    let site = runs().level("cmd.p", 9_000.0).expect(FULL_W, Cause::Members);
    site.set("bms.discharge_a_max", 40.0).expect(2_000.0, Cause::Members);
}

#[test]
fn a_lost_bms_limit_allows_nothing_from_that_scan_on() {
    for point in ["bms.charge_a_max", "bms.discharge_a_max", "bms.v", "bms.soc"] {
        let site = runs().level("cmd.p", 4_000.0).expect(4_000.0, Cause::Demand(SETPOINT));
        site.lose(point).expect(0.0, Cause::Members);
    }
}

#[test]
fn an_implausible_limit_is_no_limit_that_could_be_used() {
    let site = runs().level("cmd.p", 4_000.0).set("bms.discharge_a_max", 60_000.0);
    site.expect(0.0, Cause::Members);
}

#[test]
fn a_pressed_stop_takes_the_power_in_the_same_scan_and_opens_once_the_inverter_has_followed() {
    let site = runs().level("cmd.p", 4_000.0).expect(4_000.0, Cause::Demand(SETPOINT));
    let site = site.set("panel.estop", 0.0).expect(0.0, Cause::Limit(STOP)).expect_contactor(1);
    site.expect(0.0, Cause::Limit(STOP)).expect_contactor(0);
}

#[test]
fn a_stop_opens_the_contactor_after_half_a_second_whatever_the_inverter_does() {
    let site = runs().level("cmd.p", 4_000.0).scan().stuck_at(4_000.0).set("panel.estop", 0.0);
    let site = site.scans(50).expect_contactor(1);
    site.scan().expect_contactor(0);
}

#[test]
fn a_stop_opens_the_contactor_after_half_a_second_where_the_power_is_unknown() {
    let site = runs().level("cmd.p", 4_000.0).scan().stuck_at(4_000.0).lose("pcs.p_actual").set("panel.estop", 0.0);
    site.scans(50).expect_contactor(1).scan().expect_contactor(0);
}

#[test]
fn releasing_the_stop_does_nothing_and_a_reset_edge_frees_the_site() {
    let site = runs().level("site.reset", 0.0).set("panel.estop", 0.0).scans(2).expect_contactor(0);
    let site = site.set("panel.estop", 1.0).level("cmd.p", 4_000.0).scans(100);
    let site = site.expect(0.0, Cause::Limit(STOP)).expect_contactor(0);
    assert_eq!(site.pulse(), None);
    let site = site.level("cmd.p", 4_000.0).reset();
    assert_eq!((site.power(), site.contactor()), ((4_000.0, Cause::Demand(SETPOINT)), 1));
    assert_eq!(site.pulse(), Some(1), "and the inverter's alarms are reset");
}

#[test]
fn a_held_reset_does_not_count() {
    let held = |mut site: Demo| {
        for _ in 0..20 {
            site = site.level("site.reset", 1.0).scan();
        }
        site
    };
    let site = held(runs().set("meter.p", 1_000.0).set("panel.estop", 0.0)).set("panel.estop", 1.0);
    let site = held(site).expect(0.0, Cause::Limit(STOP));
    let site = site.scans(200).level("site.reset", 1.0).expect(0.0, Cause::Limit(STOP));
    assert_eq!(site.reset().power().1, Cause::Demand(SELF), "released and pressed it does");
}

#[test]
fn a_lost_chain_latches_like_a_pressed_one() {
    let site = runs().set("meter.p", 1_000.0).lose("panel.estop").expect(0.0, Cause::Limit(STOP)).expect_contactor(0);
    let site = site.set("panel.estop", 1.0).scans(100).expect(0.0, Cause::Limit(STOP)).expect_contactor(0);
    site.reset().expect_contactor(1);
}

#[test]
fn boot_with_an_unknown_chain_does_not_latch() {
    let site = boots(by_hand()).healthy().lose("panel.estop").arms().scans(20);
    let site = site.expect(0.0, Cause::Disarmed).set("panel.estop", 1.0);
    site.scan().expect_state(SiteState::Armed).expect_contactor(1);
}

#[test]
fn the_reset_pulse_goes_out_until_the_inverter_has_executed_it_and_never_again() {
    let site = runs().set("panel.estop", 0.0).scan().set("panel.estop", 1.0).reset();
    assert_eq!(site.pulse(), Some(1));
    let site = site.executed(1).scan();
    assert_eq!(site.pulse(), None);
    let site = site.set("panel.estop", 0.0).scan().set("panel.estop", 1.0).reset();
    assert_eq!(site.pulse(), Some(2));
    let site = site.scans(199);
    assert_eq!((site.pulse(), site.controller.outputs().pulses()[0].expired()), (Some(2), 0));
    let site = site.scan();
    assert_eq!((site.pulse(), site.controller.outputs().pulses()[0].expired()), (None, 1), "two seconds later");
}

#[test]
fn when_the_lease_of_a_command_runs_out_self_consumption_takes_over_without_a_bump() {
    let site = runs().level("cmd.p", 4_000.0).expect(4_000.0, Cause::Demand(SETPOINT)).scans(200);
    assert_eq!(site.power(), (4_000.0, Cause::Demand(SETPOINT)), "2 000 ms old");
    site.expect(4_000.0, Cause::Demand(SELF));
}

#[test]
fn a_heartbeat_keeps_the_lease_and_a_release_ends_it() {
    let mut site = runs().level("cmd.p", 4_000.0);
    for _ in 0..5 {
        site = site.scans(150).renew();
    }
    site.expect(4_000.0, Cause::Demand(SETPOINT)).release(1, "cmd.p").expect(4_000.0, Cause::Demand(SELF));
}

#[test]
fn a_second_master_waits_unless_its_priority_is_higher() {
    let refused = Event::CommandRefused { source: 2, point: 0 };
    let site = runs().level("cmd.p", 4_000.0).scan().level_of(2, 5, "cmd.p", -1_000.0);
    let site = site.expect(4_000.0, Cause::Demand(SETPOINT)).expect_events(&[refused]);
    let site = site.level_of(3, 6, "cmd.p", -1_000.0).expect(-1_000.0, Cause::Demand(SETPOINT)).expect_events(&[]);
    let site = site.scans(201).level_of(2, 5, "cmd.p", 500.0).expect(500.0, Cause::Demand(SETPOINT));
    assert_eq!(site.controller.commands_refused(), 1);
}

#[test]
fn a_command_out_of_range_or_to_nowhere_is_refused_whole() {
    let site = runs().level("cmd.p", 4_000.0).level("cmd.p", 60_000.0).level("cmd.p", f64::NAN).command_to_nowhere();
    let site = site.expect(4_000.0, Cause::Demand(SETPOINT));
    assert_eq!(site.controller.commands_refused(), 3);
}

#[test]
fn a_flag_is_commanded_with_0_or_1_and_nothing_between() {
    let site = boots(by_hand()).healthy().level("site.arm", 0.0).scan().level("site.arm", 0.7).scan();
    let site = site.expect_state(SiteState::Disarmed);
    site.expect_events(&[Event::CommandRefused { source: 1, point: 2 }]);
}

#[test]
fn a_stop_ramps_everything_out_and_opens_the_contactor_last() {
    let site = runs().level("cmd.p", 6_500.0).expect(6_500.0, Cause::Demand(SETPOINT)).stop();
    let site = site.expect(6_450.0, Cause::Stopping).expect_state(SiteState::Stopping).level("cmd.p", 6_500.0);
    let site = site.scans(128).expect_contactor(1);
    assert_eq!((site.power(), site.controller.stopped()), ((50.0, Cause::Stopping), false));
    let site = site.expect(0.0, Cause::Stopping).expect_contactor(0);
    assert!(site.controller.stopped());
}

#[test]
fn a_stop_waits_for_an_inverter_that_does_not_follow_but_not_for_ever() {
    let site = runs().level("cmd.p", 6_500.0).scan().stuck_at(6_500.0).stop().scans(130);
    assert_eq!((site.power().0.to_bits(), site.contactor()), (0, 1));
    let site = site.scans(49).expect_contactor(1);
    assert!(!site.controller.stopped());
    let site = site.scan().expect_contactor(0);
    assert!(site.controller.stopped());
}

#[test]
fn a_stop_does_not_delay_the_emergency_stop() {
    let site = runs().level("cmd.p", 6_500.0).scan().stop().scan().set("panel.estop", 0.0);
    site.expect(0.0, Cause::Limit(STOP)).scan().expect_contactor(0);
}

#[test]
fn a_stop_is_for_good() {
    let site = runs().stop().scan().withdraw_stop().skips(20).scan().expect_state(SiteState::Stopping);
    site.level("site.arm", 0.0).scan().level("site.arm", 1.0).reset().expect_state(SiteState::Stopping);
}

#[test]
fn a_disarmed_site_stops_at_once() {
    let site = boots(by_hand()).scan();
    assert!(!site.controller.stopped(), "all is safe, but nobody has asked for a stop");
    let site = site.stop().scan();
    assert!(site.controller.stopped());
}

#[test]
fn the_programs_that_bind_are_the_ones_of_the_list() {
    assert_eq!([STOP, BATTERY, CLOSE, SELF, SETPOINT].map(|by| by.0), [0, 1, 2, 3, 4]);
    let site = runs();
    assert_eq!(site.controller.outputs().choices()[0].applied(), (1, Cause::Demand(CLOSE)));
}
