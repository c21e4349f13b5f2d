//! `flyball demo`: the demo site and its plant in one process, on real sockets.

use super::run::{Signals, watch};
use crate::broker::Broker;
use crate::exit::{Exit, say};
use anyhow::{Context, Result};
use flyball_config::Site;
use flyball_hil::cabin::CabinWorld;
use flyball_hil::server::Server;
use flyball_hil::virtual_site::simulator_of;
use flyball_runtime::site::{Options, start};
use std::time::Duration;

/// The demo site; it comes with the program.
const SITE: &str = include_str!("../../../config/sites/demo.ron");
/// The plant is stepped so often, ms.
const STEP_MS: u16 = 10;

/// How to run the demo.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// End by itself after so long, like 30s, with a summary. Without it: until Ctrl-C.
    #[arg(long = "for", value_parser = humantime::parse_duration)]
    duration: Option<Duration>,
    /// Publish to this broker, like mqtt://192.168.1.5:1883. Without it an embedded one on this machine is used.
    #[arg(long)]
    mqtt: Option<String>,
    /// Of the plant's weather, appliances and noise.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// JSON lines on stdout: one when the first scan is done, one at the end.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<Exit> {
    crate::logger::install(true);
    let signals = Signals::take()?;
    let site = Site::check("demo.ron", SITE, &|_| Err("the demo has no profile files beside it".into()))?;
    let (broker, url) = broker(args.mqtt.as_deref(), &site)?;
    let cabin = CabinWorld::new(args.seed);
    let mut devices = Vec::new();
    for device in site.devices() {
        let port = simulator_of(&cabin, device)?;
        let faults = port.faults().clone();
        let server = Server::start(device.address, port, faults).with_context(|| {
            format!("the simulated {} cannot listen on {}: is another demo running?", device.name, device.address)
        })?;
        devices.push(server);
    }
    let plant = cabin.world().start_real_time(STEP_MS).context("the plant cannot be started")?;
    let running = start(&site, &Options { mqtt_broker: Some(url.clone()) })?;
    if !args.json {
        welcome(&site, &running, &url);
    }
    let exit = watch(running, &signals, args.duration, args.json)?;
    drop((plant, devices, broker));
    Ok(exit)
}

/// The broker to publish to, started here unless one was named.
fn broker(named: Option<&str>, site: &Site) -> Result<(Option<Broker>, String)> {
    if let Some(url) = named {
        return Ok((None, url.to_owned()));
    }
    let wanted = site.mqtt().map_or(1883, |m| m.port);
    let loopback = |port| std::net::SocketAddr::from(([127, 0, 0, 1], port));
    // another broker may have the usual port: then the embedded one takes a free one, and the demo says which
    let broker = Broker::start(loopback(wanted)).or_else(|_| Broker::start(loopback(0)))?;
    let url = format!("mqtt://{}", broker.addr());
    Ok((Some(broker), url))
}

fn welcome(site: &Site, running: &flyball_runtime::site::Running, url: &str) {
    say(&format!(
        "Flyball demo: site `{}`, a 10 ms scan, with a simulated meter, battery inverter and panel.",
        site.name()
    ));
    if let Some(scada) = running.scada() {
        let (ip, port) = (scada.ip(), scada.port());
        say(&format!("SCADA is Modbus TCP on {ip}:{port}, unit 1. Try, from another terminal:"));
        say(&format!(
            "  mbpoll -m tcp -p {port} -a 1 -0 -r 0 -c 20 -1 {ip}            # header: state, scan counter, heartbeat"
        ));
        for (point, what) in [
            ("pcs.soc", "state of charge, %"),
            ("meter.p", "grid power, W, import +"),
            ("pcs.p_actual", "battery power, W, discharge +"),
        ] {
            if let Some(address) = running.address_of(point) {
                say(&format!("  mbpoll -m tcp -p {port} -a 1 -0 -r {address} -c 1 -t 4:float -B -1 {ip}   # {what}"));
            }
        }
    }
    let (host, port) =
        url.trim_start_matches("mqtt://").rsplit_once(':').unwrap_or((url.trim_start_matches("mqtt://"), "1883"));
    let topic = site.mqtt().map_or("flyball/demo", |m| m.topic.as_str());
    say(&format!("MQTT: mosquitto_sub -h {host} -p {port} -t '{topic}/#' -v"));
    say("Ctrl-C ends it.");
}
