//! `flyball demo` as a newcomer meets it: the released binary, real sockets, and programs that are not ours. The demo's
//! ports are fixed, so its tests are all here, one at a time.
#![cfg(feature = "demo")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use flyball_config::Site;
use flyball_runtime::assembly::assemble;
use flyball_runtime::clock::{Deadline, until};
use flyball_runtime::scada::{RegisterMap, Settings};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::process::Command;
use std::sync::Arc;
use support::in_real_time;
use support::peers::{python, script, tool};
use support::process::{Process, flyball, flyball_says, says};
use support::site::DEMO;

/// The demo's register map, as its site file gives it.
fn map() -> RegisterMap {
    let site = Site::check("demo.ron", DEMO, &|_| Err("no profile files".into())).unwrap();
    let settings = Settings::of_site(site.modbus_server().unwrap(), site.commands());
    RegisterMap::new(Arc::new(assemble(&site).layout), &settings.writers).unwrap()
}

/// A demo that has said where everything is.
fn demo() -> Process {
    let demo = flyball(["demo", "--for", "90s"]);
    demo.waits_for(20_000, "welcome", |line| line.contains("Ctrl-C").then_some(()));
    demo
}

/// What the welcome says after `flag`, on the line about `what`.
fn told(demo: &Process, what: &str, flag: &str) -> String {
    demo.waits_for(1_000, what, |line| {
        let mut words = line.contains(what).then(|| line.split_whitespace())?;
        words.find(|word| *word == flag)?;
        words.next().map(str::to_owned)
    })
}

/// The numbers that an mbpoll command of the welcome shows, in its order.
fn polled(demo: &Process, mbpoll: &std::path::Path, what: &str) -> Vec<f64> {
    let line =
        demo.waits_for(1_000, what, |line| (line.contains("mbpoll") && line.contains(what)).then(|| line.to_owned()));
    let command = line.split('#').next().unwrap();
    let args: Vec<&str> = command.split_whitespace().skip(1).collect();
    let said = says(mbpoll, &args);
    assert_eq!(said.code, Some(0), "{said:?}");
    let values = said.out.lines().filter_map(|l| l.strip_prefix('[')?.split_once("]:"));
    let number = |text: &str| text.trim().split(' ').next().unwrap_or_default().parse().unwrap_or(f64::NAN);
    values.map(|(_, text)| number(text)).collect()
}

#[test]
fn a_demo_for_a_while_ends_by_itself_armed_and_safe() {
    in_real_time("a_demo_for_a_while_ends_by_itself_armed_and_safe", || {
        let said = flyball(["demo", "--for", "8s"]).ends_within_ms(40_000);
        assert_eq!(said.code, Some(0), "{said:?}");
        assert!(said.out.contains("state armed"), "{said:?}");
        assert!(said.out.contains("stopped: all outputs are safe, and every device was told"), "{said:?}");
        let said = flyball(["demo", "--for", "8s", "--json"]).ends_within_ms(40_000);
        assert_eq!(said.code, Some(0), "{said:?}");
        let lines: Vec<Value> = said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let end = lines.last().unwrap();
        assert_eq!((&end["summary"]["state"], &end["safe"]), (&json!("armed"), &json!(true)), "{said:?}");
    });
}

#[test]
fn ctrl_c_ends_a_demo_safe() {
    in_real_time("ctrl_c_ends_a_demo_safe", || {
        let demo = demo();
        demo.signal(Signal::SIGINT);
        let said = demo.ends_within_ms(20_000);
        assert_eq!(said.code, Some(0), "{said:?}");
        assert!(said.out.contains("all outputs are safe, and every device was told"), "{said:?}");
    });
}

#[test]
fn mbpoll_reads_the_header_the_state_of_charge_and_the_power_of_a_running_demo() {
    let test = "mbpoll_reads_the_header_the_state_of_charge_and_the_power_of_a_running_demo";
    let Some(mbpoll) = tool(test, "mbpoll") else { return };
    in_real_time(test, || {
        let demo = demo();
        let header = polled(&demo, &mbpoll, "header");
        assert_eq!((header.len(), header[0]), (20, 1.0), "the map's version: {header:?}");
        let moved = until(Deadline::after_ms(5_000), || {
            let now = polled(&demo, &mbpoll, "header");
            now[2..4] != header[2..4]
        });
        assert!(moved, "the scan counter stands still");
        let mut soc = Vec::new();
        let shown = until(Deadline::after_ms(10_000), || {
            soc = polled(&demo, &mbpoll, "state of charge");
            soc.len() == 1 && (0.0..=100.0).contains(&soc[0])
        });
        assert!(shown, "state of charge {soc:?}");
        let power = polled(&demo, &mbpoll, "battery power");
        assert!(power.len() == 1 && (-5_500.0..=5_500.0).contains(&power[0]), "battery power {power:?}");
        let grid = polled(&demo, &mbpoll, "grid power");
        assert!(grid.len() == 1 && grid[0].is_finite(), "grid power {grid:?}");
    });
}

#[test]
fn mosquitto_sub_gets_all_points_as_json_from_the_embedded_broker() {
    let test = "mosquitto_sub_gets_all_points_as_json_from_the_embedded_broker";
    let Some(mosquitto_sub) = tool(test, "mosquitto_sub") else { return };
    in_real_time(test, || {
        let demo = demo();
        let (host, port) = (told(&demo, "mosquitto_sub", "-h"), told(&demo, "mosquitto_sub", "-p"));
        let topic = told(&demo, "mosquitto_sub", "-t");
        let topic = topic.trim_matches('\'');
        assert_eq!(topic, "flyball/demo/#");
        let sub = Process::start(Command::new(&mosquitto_sub).args(["-h", &host, "-p", &port, "-t", topic, "-v"]));
        sub.waits_for(20_000, "retained state", |line| (line == "flyball/demo/state online").then_some(()));
        let pcs: Value = sub.waits_for(20_000, "state of charge", |line| {
            let json: Value = serde_json::from_str(line.strip_prefix("flyball/demo/pcs ")?).unwrap();
            json.to_string().contains("soc").then_some(json)
        });
        assert!(pcs.is_object(), "{pcs}");
        for group in ["meter", "panel", "site", "outputs", "meta"] {
            let prefix = format!("flyball/demo/{group} ");
            sub.waits_for(20_000, group, |line| {
                serde_json::from_str::<Value>(line.strip_prefix(&prefix)?).unwrap().is_object().then_some(())
            });
        }
    });
}

#[test]
fn pymodbus_as_scada_commands_the_battery_under_a_lease_and_is_refused_what_is_not_its_own() {
    let test = "pymodbus_as_scada_commands_the_battery_under_a_lease_and_is_refused_what_is_not_its_own";
    let Some(python) = python(test) else { return };
    let map = map();
    let command = map.command_address_of("cmd.p").unwrap();
    assert_eq!(command, 1_002, "the documented place of the second command point");
    assert_eq!(map.heartbeat_address_of("127.0.0.1"), Some(900));
    let asked = json!({
        "command": command, "state": 2_008, "heartbeat": 900,
        "power": map.address_of("ess.p").unwrap(), "soc": map.address_of("pcs.soc").unwrap(),
    });
    in_real_time(test, || {
        let demo = demo();
        let port = told(&demo, "header", "-p");
        let said = says(&python, &[&script("scada_client.py"), "127.0.0.1", &port, &asked.to_string()]);
        assert_eq!(said.code, Some(0), "{}\n{}\n{}", said.out, said.err, demo.err());
    });
}

#[test]
fn a_second_demo_is_refused_with_one_sentence() {
    in_real_time("a_second_demo_is_refused_with_one_sentence", || {
        let first = demo();
        let said = flyball_says(["demo", "--for", "5s"]);
        assert_eq!(said.code, Some(3), "{said:?}");
        assert_eq!(said.err.lines().count(), 1, "{said:?}");
        assert!(said.err.contains("is another demo running?") && said.err.contains("127.0.0.1:15021"), "{said:?}");
        first.signal(Signal::SIGTERM);
        assert_eq!(first.ends_within_ms(20_000).code, Some(0), "the first one is not disturbed");
    });
}
