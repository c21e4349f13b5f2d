//! Against mosquitto: what a subscriber sees when all is well, when the client dies, and when the broker does.

use crate::gate::Gate;
use crate::mosquitto::{Mosquitto, WITHIN_MS, free_port, is_installed};
use crate::site::{PER_ROUND, settings, start};
use flyball_runtime::clock::{Deadline, until};
use flyball_runtime::telemetry::{Status, Telemetry};
use serde_json::json;

fn wait(telemetry: &Telemetry, what: &str, is: impl Fn(&Status) -> bool) {
    let came = until(Deadline::after_ms(WITHIN_MS), || is(&telemetry.status()));
    assert!(came, "waited for: {what}; now {:?}", telemetry.status());
}

#[test]
fn a_subscriber_sees_all_groups_of_one_scan_and_the_state_is_retained() {
    if !is_installed() {
        return;
    }
    let broker = Mosquitto::start(free_port());
    let live = broker.subscribe("live");
    let telemetry = start(settings(broker.port, 100, 100));
    live.find("site/t/state", |m| m.payload == "online" && !m.retained);
    let site = live.json("site/t/site");
    let (meter, outputs) = (live.json("site/t/meter"), live.json("site/t/outputs"));
    assert_eq!(site["site"], json!("t"));
    assert_eq!([&meter["scan"], &outputs["scan"]], [&site["scan"]; 2]);
    let scan = site["scan"].as_f64().unwrap();
    assert_eq!(meter["points"], json!({ "p": { "v": scan, "unit": "W", "age_ms": 0 } }));
    let late = broker.subscribe("late");
    late.find("site/t/state", |m| m.payload == "online" && m.retained);
    late.find("site/t/meta", |m| m.retained && m.payload.contains("\"scan_period_ms\":10"));
    assert!(!late.find("site/t/meter", |_| true).retained, "measured values are not retained");
    assert!(telemetry.stop(), "in time");
    live.find("site/t/state", |m| m.payload == "offline");
    broker.logs("Received DISCONNECT from flyball-test");
    broker.subscribe("later").find("site/t/state", |m| m.payload == "offline" && m.retained);
}

#[test]
fn the_broker_says_offline_for_a_client_that_was_cut_off() {
    if !is_installed() {
        return;
    }
    let broker = Mosquitto::start(free_port());
    let gate = Gate::new(broker.port, true);
    let live = broker.subscribe("live");
    let telemetry = start(settings(gate.port, 100, 100));
    live.find("site/t/state", |m| m.payload == "online");
    gate.shut();
    live.find("site/t/state", |m| m.payload == "offline");
    broker.subscribe("late").find("site/t/state", |m| m.payload == "offline" && m.retained);
    wait(&telemetry, "it knows", |s| !s.connected);
    gate.open();
    live.find("site/t/state", |m| m.payload == "online");
}

#[test]
fn a_broker_that_was_killed_and_comes_back_gets_the_newest_of_what_it_missed_in_order() {
    if !is_installed() {
        return;
    }
    let first = Mosquitto::start(free_port());
    let port = first.port;
    let gate = Gate::new(port, true);
    let telemetry = start(settings(gate.port, 100, 12));
    wait(&telemetry, "a connection", |s| s.connected && s.delivery.published > 0);
    // the gate keeps the client away until the subscriber is there again
    gate.shut();
    drop(first);
    wait(&telemetry, "a full buffer", |s| !s.connected && s.delivery.dropped > 12);
    assert!(telemetry.status().delivery.queued <= 12, "{:?}", telemetry.status());
    let second = Mosquitto::start(port);
    let live = second.subscribe("live");
    gate.open();
    let first_seen = live.json("site/t/meter")["scan"].as_u64().unwrap();
    let mut dropped = None;
    for scan in first_seen..first_seen + 20 {
        if scan > first_seen {
            assert_eq!(live.json("site/t/meter")["scan"].as_u64(), Some(scan), "in order and without a hole");
        }
        if scan > first_seen + 10 {
            dropped = dropped.max(live.json("site/t/site")["mqtt"]["dropped"].as_u64());
        }
    }
    assert!(first_seen > 4, "the oldest went");
    assert!(dropped >= Some(12), "the loss is published: {dropped:?}");
    wait(&telemetry, "an empty buffer", |s| s.delivery.queued < PER_ROUND && s.delivery.connections == 2);
}

#[test]
fn a_broker_that_is_absent_at_start_is_found_when_it_comes() {
    if !is_installed() {
        return;
    }
    let port = free_port();
    let telemetry = start(settings(port, 100, 100));
    wait(&telemetry, "messages in the buffer", |s| s.delivery.queued >= 2 * PER_ROUND);
    assert!(!telemetry.status().connected);
    let broker = Mosquitto::start(port);
    wait(&telemetry, "delivery", |s| s.connected && s.delivery.published >= 3 * PER_ROUND);
    assert_eq!(telemetry.status().delivery.dropped, 0);
    drop(broker);
    wait(&telemetry, "the loss of it", |s| !s.connected);
}
