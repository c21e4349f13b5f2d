//! `flyball run` of a site whose inverter and panel are simulated in the test's process, so that the test sees what
//! really happens in the plant, and whose meter and broker are programs that are not ours.
#![cfg(feature = "demo")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use flyball_hil::cabin::CabinWorld;
use flyball_hil::server::Server;
use flyball_hil::world::{Port, RealTime};
use flyball_runtime::clock::{Deadline, until};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use support::in_real_time;
use support::peers::{python, script, tool};
use support::process::{Process, flyball, flyball_says};
use support::site::{Folder, demo_with, free_port};

/// What an inverter without a set-point still shows, W.
const NEARLY_NOTHING_W: f64 = 50.0;
/// The inverter's dead time and lag, and a poll of the device: what the controller's own times do not hold, ms.
const INVERTER_MS: u64 = 2_000;

/// The plant and the devices that are simulated here, moving in real time.
struct Plant {
    cabin: CabinWorld,
    servers: [Server; 3],
    _moving: RealTime,
}

impl Plant {
    fn new() -> Self {
        let cabin = CabinWorld::new(3);
        let serve = |port: &Port| Server::start("127.0.0.1:0", port.clone(), port.faults().clone()).unwrap();
        let servers = [serve(cabin.panel()), serve(cabin.meter()), serve(cabin.pcs())];
        let moving = cabin.world().start_real_time(10).unwrap();
        Self { cabin, servers, _moving: moving }
    }

    /// The demo's site on these devices, with another meter if a port is given.
    fn site(&self, folder: &Folder, meter: Option<u16>, broker: u16) -> String {
        let [panel, own_meter, pcs] = self.servers.each_ref().map(|s| s.addr().port());
        let at = |port: u16| format!("\"127.0.0.1:{port}\"");
        let text = demo_with(&[
            ("\"127.0.0.1:15021\"", &at(panel)),
            ("\"127.0.0.1:15022\"", &at(meter.unwrap_or(own_meter))),
            ("\"127.0.0.1:15023\"", &at(pcs)),
            ("\"127.0.0.1:1502\"", &at(free_port())),
            ("mqtt://127.0.0.1:1883", &format!("mqtt://127.0.0.1:{broker}")),
        ]);
        folder.file("site.ron", text)
    }

    fn inverter_w(&self) -> f64 {
        self.cabin.truth().inverter_w
    }

    /// Waits until the inverter's power is as it should be.
    fn inverter_is(&self, ms: u64, what: &str, wanted: impl Fn(f64) -> bool, site: &Process) {
        let came = until(Deadline::after_ms(ms), || wanted(self.inverter_w()));
        assert!(came, "{what}: {:?}\n{}\n{}", self.cabin.truth(), site.out(), site.err());
    }

    /// Lets the battery supply a load of 2 kW.
    fn at_work(&self, site: &Process) {
        self.cabin.set_pv_w(Some(0.0));
        self.cabin.set_load_w(Some(2_000.0));
        self.inverter_is(30_000, "the battery supplies the load", |w| (1_500.0..2_500.0).contains(&w), site);
    }

    /// What a stopped site must leave behind; contacts and the inverter's lag take their time after the last write.
    fn is_safe(&self) {
        let safe = until(Deadline::after_ms(INVERTER_MS), || {
            let truth = self.cabin.truth();
            truth.inverter_w.abs() < NEARLY_NOTHING_W && !truth.contactor_closed && !truth.contactor_coil
        });
        let truth = self.cabin.truth();
        assert!(safe, "{truth:?}");
        assert_eq!((truth.contactor_wear, truth.inverter_faults, truth.battery_trips), (0, 0, 0), "{truth:?}");
        // the site did it, not the watchdogs
        assert_eq!((truth.panel_drops, truth.reversions, truth.heartbeat_losses), (0, 0, 0), "{truth:?}");
    }
}

/// The meter that pymodbus serves, and its port.
fn pymodbus_meter(python: &Path) -> (Process, u16) {
    let meter = Process::start(Command::new(python).arg(script("meter_server.py")));
    let port = meter.waits_for(20_000, "port of the meter", |line| {
        u16::try_from(serde_json::from_str::<Value>(line).ok()?.get("port")?.as_u64()?).ok()
    });
    (meter, port)
}

/// How long the site itself says that the power may still flow once the meter is lost, ms.
fn stated_ms(site: &str) -> u64 {
    let said = flyball_says(["check", site, "--json"]);
    let json: Value = serde_json::from_str(&said.out).unwrap_or_else(|why| panic!("{why}: {said:?}"));
    let reactions = json["timing"]["reactions"].as_array().unwrap();
    let meter = reactions.iter().find(|r| r["input"] == "meter.p" && r["output"] == "ess.p").unwrap();
    meter["loss_ms"].as_u64().unwrap() + meter["out_ms"].as_u64().unwrap()
}

#[test]
fn the_battery_follows_a_meter_of_pymodbus_and_ramps_out_when_it_freezes() {
    let test = "the_battery_follows_a_meter_of_pymodbus_and_ramps_out_when_it_freezes";
    let Some(python) = python(test) else { return };
    in_real_time(test, || {
        let (folder, plant) = (Folder::new(), Plant::new());
        let (mut meter, port) = pymodbus_meter(&python);
        let site = flyball(["run", &plant.site(&folder, Some(port), free_port())]);
        // armed, the inverter switched on and nothing to do
        let ready = until(Deadline::after_ms(30_000), || plant.cabin.truth().contactor_closed);
        assert!(ready, "the site does not arm\n{}\n{}", site.out(), site.err());
        meter.tell("p 1500");
        let follows = until(Deadline::after_ms(15_000), || plant.cabin.truth().set_point_w > 100.0);
        assert!(follows, "{:?}", plant.cabin.truth());
        plant.inverter_is(15_000, "the battery discharges", |w| w > 500.0, &site);
        meter.tell("p -1500");
        plant.inverter_is(15_000, "the battery charges", |w| w < -500.0, &site);
        meter.tell("freeze");
        plant.inverter_is(15_000, "a frozen meter ramps the battery out", |w| w.abs() < NEARLY_NOTHING_W, &site);
        meter.tell("thaw");
        plant.inverter_is(15_000, "a meter that moves again is followed again", |w| w < -500.0, &site);
        assert_eq!(plant.cabin.truth().battery_trips, 0);
    });
}

#[test]
fn a_meter_of_pymodbus_that_dies_ramps_the_battery_out_within_the_stated_time() {
    let test = "a_meter_of_pymodbus_that_dies_ramps_the_battery_out_within_the_stated_time";
    let Some(python) = python(test) else { return };
    in_real_time(test, || {
        let (folder, plant) = (Folder::new(), Plant::new());
        let (mut meter, port) = pymodbus_meter(&python);
        let path = plant.site(&folder, Some(port), free_port());
        let stated_ms = stated_ms(&path);
        assert!((100..10_000).contains(&stated_ms), "{stated_ms} ms");
        let site = flyball(["run", &path]);
        meter.tell("p 1500");
        plant.inverter_is(30_000, "the battery discharges", |w| w > 500.0, &site);
        drop(meter);
        let ramped_out = |w: f64| w.abs() < NEARLY_NOTHING_W;
        plant.inverter_is(stated_ms + INVERTER_MS, "a dead meter ramps the battery out", ramped_out, &site);
        assert!(plant.cabin.truth().contactor_closed, "a lost meter is no reason to open it");
    });
}

#[test]
fn told_to_stop_a_site_leaves_no_power_and_an_open_contactor() {
    in_real_time("told_to_stop_a_site_leaves_no_power_and_an_open_contactor", || {
        let (folder, plant) = (Folder::new(), Plant::new());
        let site = flyball(["run", &plant.site(&folder, None, free_port())]);
        plant.at_work(&site);
        site.signal(Signal::SIGTERM);
        let said = site.ends_within_ms(20_000);
        plant.is_safe();
        assert_eq!(said.code, Some(0), "{said:?}");
        assert!(said.out.contains("stopped: all outputs are safe, and every device was told"), "{said:?}");
    });
}

#[test]
fn told_to_stop_twice_a_site_still_takes_its_time_to_go_safe() {
    in_real_time("told_to_stop_twice_a_site_still_takes_its_time_to_go_safe", || {
        let (folder, plant) = (Folder::new(), Plant::new());
        let site = flyball(["run", &plant.site(&folder, None, free_port()), "--json"]);
        plant.at_work(&site);
        site.signal(Signal::SIGTERM);
        // the second one comes while it ramps out
        plant.inverter_is(10_000, "it ramps out", |w| w < 1_400.0, &site);
        site.signal(Signal::SIGTERM);
        site.signal(Signal::SIGINT);
        let said = site.ends_within_ms(20_000);
        plant.is_safe();
        assert_eq!(said.code, Some(0), "{said:?}");
        let end: Value = serde_json::from_str(said.out.lines().last().unwrap()).unwrap();
        assert_eq!((&end["safe"], &end["field_done"]), (&Value::Bool(true), &Value::Bool(true)), "{said:?}");
    });
}

#[test]
fn a_site_that_is_killed_is_taken_safe_by_its_devices_own_watchdogs() {
    in_real_time("a_site_that_is_killed_is_taken_safe_by_its_devices_own_watchdogs", || {
        let (folder, plant) = (Folder::new(), Plant::new());
        let site = flyball(["run", &plant.site(&folder, None, free_port())]);
        plant.at_work(&site);
        site.signal(Signal::SIGKILL);
        assert_eq!(site.ends_within_ms(5_000).code, None);
        // the panel's watchdog is set to 3 s, the inverter's to 5 s
        let safe = until(Deadline::after_ms(15_000), || {
            let truth = plant.cabin.truth();
            !truth.contactor_closed && truth.inverter_w.abs() < NEARLY_NOTHING_W
        });
        assert!(safe, "{:?}", plant.cabin.truth());
        assert_eq!(plant.cabin.truth().panel_drops, 1);
    });
}

/// Mosquitto on a port of its own.
fn broker(mosquitto: &Path, folder: &Folder, port: u16) -> Process {
    let config = format!("listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n");
    let broker = Process::start(Command::new(mosquitto).args(["-c", &folder.file("mosquitto.conf", config)]));
    let listens = until(Deadline::after_ms(20_000), || TcpStream::connect(("127.0.0.1", port)).is_ok());
    assert!(listens, "mosquitto does not listen on {port}: {}", broker.err());
    broker
}

fn subscribed(mosquitto_sub: &Path, port: u16) -> Process {
    let args = ["-h", "127.0.0.1", "-p", &port.to_string(), "-t", "flyball/demo/state", "-F", "%r %p"];
    Process::start(Command::new(mosquitto_sub).args(args))
}

fn says_state(sub: &Process, state: &str) {
    sub.waits_for(30_000, state, |line| (line == state).then_some(()));
}

#[test]
fn mosquitto_keeps_that_the_site_is_online_and_says_its_last_will_when_it_is_killed() {
    let test = "mosquitto_keeps_that_the_site_is_online_and_says_its_last_will_when_it_is_killed";
    let (Some(mosquitto), Some(mosquitto_sub)) = (tool(test, "mosquitto"), tool(test, "mosquitto_sub")) else { return };
    in_real_time(test, || {
        let (folder, plant, port) = (Folder::new(), Plant::new(), free_port());
        let first = broker(&mosquitto, &folder, port);
        let site = flyball(["run", &plant.site(&folder, None, port)]);
        let live = subscribed(&mosquitto_sub, port);
        live.waits_for(30_000, "online", |line| line.ends_with("online").then_some(()));
        says_state(&subscribed(&mosquitto_sub, port), "1 online");
        // a broker that restarts has forgotten everything: the site tells it anew
        drop((live, first));
        let _second = broker(&mosquitto, &folder, port);
        let live = subscribed(&mosquitto_sub, port);
        live.waits_for(60_000, "online", |line| line.ends_with("online").then_some(()));
        says_state(&subscribed(&mosquitto_sub, port), "1 online");
        site.signal(Signal::SIGKILL);
        says_state(&live, "0 offline");
        says_state(&subscribed(&mosquitto_sub, port), "1 offline");
        // told to stop, a site says so itself
        let site = flyball(["run", &plant.site(&folder, None, port)]);
        let late = subscribed(&mosquitto_sub, port);
        late.waits_for(30_000, "online", |line| line.ends_with("online").then_some(()));
        site.signal(Signal::SIGTERM);
        assert_eq!(site.ends_within_ms(20_000).code, Some(0));
        says_state(&late, "0 offline");
    });
}
