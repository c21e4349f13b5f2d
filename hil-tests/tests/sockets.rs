//! The scenarios again, over sockets and in real time: every fault that can be switched on while a site runs, on the line
//! that it is about. What is exact in virtual time has a deadline here.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use flyball_config::Site;
use flyball_hil::cabin::CabinWorld;
use flyball_hil::fault::Fault;
use flyball_hil::server::Server;
use flyball_hil::virtual_site::simulator_of;
use flyball_hil::world::{Port, RealTime};
use flyball_io_map::image::wiring::OutputAt;
use flyball_runtime::clock::{Deadline, until};
use flyball_runtime::scan::snapshot::{SiteState, View};
use flyball_runtime::site::{Options, Running, start};

const DEMO: &str = include_str!("../../config/sites/demo.ron");

/// A running demo site on free ports, with its plant in real time. No SCADA, no MQTT: they have tests of their own.
struct Live {
    cabin: CabinWorld,
    running: Running,
    _servers: Vec<Server>,
    _plant: RealTime,
}

impl Live {
    fn new() -> Self {
        let check = |text: &str| Site::check("demo.ron", text, &|_| Err("no profile files".into())).unwrap();
        let cabin = CabinWorld::new(7);
        cabin.set_load_w(Some(2_000.0));
        cabin.set_pv_w(Some(0.0));
        let north = DEMO.find("    modbus_server:").unwrap();
        // a shared machine may take this process off its processor for long: that is not what is tested here
        let mut text = format!("{})\n", &DEMO[..north]).replace("trip: (50, 100)", "trip: (1000, 1000)");
        let mut servers = Vec::new();
        for device in check(&text).devices() {
            let port = simulator_of(&cabin, device).unwrap();
            let faults = port.faults().clone();
            servers.push(Server::start("127.0.0.1:0", port, faults).unwrap());
            let address = servers.last().unwrap().addr();
            text = text.replace(&device.address.to_string(), &address.to_string());
        }
        let plant = cabin.world().start_real_time(10).unwrap();
        let running = start(&check(&text), &Options::default()).unwrap();
        Self { cabin, running, _servers: servers, _plant: plant }
    }

    fn look<T>(&self, what: impl Fn(&View<'_>) -> T) -> Option<T> {
        let mut words = vec![0; self.running.layout().words()];
        self.running.snapshot().read(&mut words)?;
        View::new(self.running.layout(), &words).map(|view| what(&view))
    }

    /// What goes out to the inverter, W.
    fn set_point_w(&self) -> f64 {
        let layout = self.running.layout();
        let i = layout.outputs.iter().position(|o| o.name == "pcs.p").unwrap();
        let OutputAt::Real(slot) = layout.at[i] else { panic!("a set-point") };
        self.look(|view| view.real(slot).total).unwrap_or(f64::NAN)
    }

    fn healthy(&self, after: &str) {
        let well = until(Deadline::after_ms(60_000), || {
            let armed = self.look(|view| view.header().state) == Some(SiteState::Armed);
            armed && self.set_point_w() > 1_500.0 && self.cabin.truth().grid_w.abs() < 150.0
        });
        assert!(well, "{after}: the site holds zero import: {} W, {:?}", self.set_point_w(), self.cabin.truth());
    }

    /// The fault takes the set-point to zero, and the power with it; when it is gone the site is back.
    fn survives(&self, line: &Port, fault: Fault) {
        line.faults().set(fault);
        let out = until(Deadline::after_ms(20_000), || self.set_point_w().abs() < 1.0);
        assert!(out, "{fault:?}: no set-point: {} W", self.set_point_w());
        let still = until(Deadline::after_ms(20_000), || self.cabin.truth().inverter_w.abs() < 60.0);
        assert!(still, "{fault:?}: no power: {:?}", self.cabin.truth());
        line.faults().clear_all();
        self.healthy(&format!("after {fault:?}"));
    }
}

#[test]
fn every_fault_of_the_meter_takes_the_battery_out_and_its_end_brings_it_back() {
    let site = Live::new();
    site.healthy("at start");
    let slow = Fault::Slow { ms: 3_000 };
    for fault in [Fault::Silent, slow, Fault::Frozen, Fault::NotImplemented, Fault::HalfOpen, Fault::Refuse] {
        site.survives(site.cabin.meter(), fault);
    }
    let stopped = site.running.stop();
    assert!(stopped.safe && stopped.field_done, "{stopped}");
}

#[test]
fn every_fault_of_the_inverter_leaves_no_power_and_its_end_brings_it_back() {
    let site = Live::new();
    site.healthy("at start");
    for fault in [Fault::Silent, Fault::Frozen, Fault::HalfOpen] {
        site.survives(site.cabin.pcs(), fault);
    }
    // a write that is acknowledged and not taken shows once something is wanted
    site.cabin.pcs().faults().set(Fault::WriteIgnored);
    site.cabin.set_load_w(Some(2_600.0));
    let found = until(Deadline::after_ms(20_000), || site.set_point_w().abs() < 1.0);
    assert!(found, "found out: {} W", site.set_point_w());
    site.cabin.pcs().faults().clear_all();
    site.healthy("after a write that was not taken");
    let stopped = site.running.stop();
    assert!(stopped.safe && stopped.field_done, "{stopped}");
}
