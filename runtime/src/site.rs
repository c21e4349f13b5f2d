//! A running site: every thread started in its order, and stopped in the reverse.
//!
//! Threads and their stacks: `scan` 512 KiB; one field thread per endpoint; `scada`; `mqtt`; `events`, which formats what
//! the scan reports. All are side threads but the scan, and none is started by it.
//!
//! **Stop**: the scan ramps its outputs out and takes them safe in their order, sends the devices their last block and
//! ends; field threads write it and end; then SCADA and MQTT go. Each step has a bound.

use crate::assembly::{Assembly, Contracted, assemble, system_values};
use crate::clock::{Clock, Deadline, MonotonicClock, WallClock, monotonic_ns, until};
use crate::exchange::latest::latest;
use crate::exchange::queue::{Receiver, Sender, queue};
use crate::exchange::snapshot::{SnapshotReader, snapshot};
use crate::field::counters::Counts;
use crate::field::modbus::poller;
use crate::field::modbus::tcp::{self, DeviceEnd, DeviceSetup, Endpoint};
use crate::rt::grid::Grid;
use crate::rt::panics::install_panic_hook;
use crate::rt::report::StartReport;
use crate::rt::run::{Ended, RunStats};
use crate::rt::settings::{Realtime, StartError as RtError, ThreadSettings};
use crate::rt::side::{SideError, spawn_side};
use crate::rt::thread::{RealtimeThread, spawn};
use crate::scada::{self, Ports, RegisterMap};
use crate::scan::command::Command;
use crate::scan::controller::Event;
use crate::scan::shell::{COMMAND_SLOTS, DeviceLink, EVENT_SLOTS, Ends, Shell, Stamped};
use crate::scan::snapshot::Layout;
use crate::telemetry::{self, Asked, Telemetry};
use flyball_config::Site;
use flyball_io_map::image::point::Source;
use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// The scan is given so long to ramp out and go safe, ms, beyond what its ramps need.
const STOP_GRACE_MS: u64 = 5_000;
/// Field threads are given so long to write the last block, ms.
const FIELD_STOP_MS: u64 = 3_000;
/// The thread that logs events looks so often, ms: people read it, nothing waits for it.
const EVENTS_EVERY_MS: u64 = 50;
const EVENTS_STACK_BYTES: usize = 128 * 1024;
/// How often the evidence of a synchronised wall clock is looked for, in rounds of [`EVENTS_EVERY_MS`]: every 10 s.
const LOOK_FOR_TIME_EVERY: u32 = 200;
/// The broker notices within one and a half times this that the controller is gone, s.
const MQTT_KEEP_ALIVE_S: u16 = 30;

/// What is not in the site file.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Another broker than the site's, as a URL.
    pub mqtt_broker: Option<String>,
}

/// Why a site does not start. Nothing of it is left running.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The SCADA server.
    #[error(transparent)]
    Scada(#[from] scada::StartError),
    /// The settings for MQTT.
    #[error("MQTT: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    MqttSettings(Vec<telemetry::SettingsError>),
    /// The telemetry thread.
    #[error(transparent)]
    Mqtt(#[from] telemetry::StartError),
    /// A field thread.
    #[error(transparent)]
    Field(#[from] tcp::StartError),
    /// The thread that logs events.
    #[error(transparent)]
    Side(#[from] SideError),
    /// The scan thread.
    #[error(transparent)]
    Realtime(#[from] RtError),
}

/// How a stop went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Every output was at its safe value when the scan ended.
    pub safe: bool,
    /// Every field thread wrote its last block in time.
    pub field_done: bool,
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.safe, self.field_done) {
            (true, true) => "all outputs are safe, and every device was told",
            (true, false) => "all outputs are safe, but not every device could be told: their own watchdogs act",
            (false, _) => "the scan did not end in time: the devices' own watchdogs act",
        })
    }
}

/// A site that runs. Dropping it stops it.
pub struct Running {
    layout: Arc<Layout>,
    snapshot: SnapshotReader,
    stop: Arc<AtomicBool>,
    stopped: Arc<AtomicBool>,
    stats: Arc<RunStats>,
    report: Option<StartReport>,
    ramp_out_ms: u64,
    map: Option<RegisterMap>,
    scan: Option<RealtimeThread<Ended>>,
    fields: Vec<Endpoint>,
    scada: Option<scada::Server>,
    telemetry: Option<Telemetry>,
    events: Option<(Arc<AtomicBool>, JoinHandle<()>)>,
}

/// Starts a checked site. Call it from the main thread.
///
/// # Errors
/// [`StartError`]; whatever was started before is stopped again.
pub fn start(site: &Site, options: &Options) -> Result<Running, StartError> {
    install_panic_hook();
    let Assembly { controller, layout, inputs, devices, period_ns } = assemble(site);
    let layout = Arc::new(layout);
    let origin_ns = monotonic_ns();
    let (links, ends) = cells(&devices);
    let (snapshot_writer, snapshot) = snapshot(layout.words());
    let (command_sender, commands) = queue::<Command, COMMAND_SLOTS>();
    let (event_sender, events) = queue::<Stamped, EVENT_SLOTS>();
    let wall = Arc::new(WallClock::default());
    let (stop, stopped) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let stats = Arc::new(RunStats::default());
    let mut running = Running {
        layout: Arc::clone(&layout),
        snapshot: snapshot.clone(),
        stop: Arc::clone(&stop),
        stopped: Arc::clone(&stopped),
        stats: Arc::clone(&stats),
        report: None,
        ramp_out_ms: ramp_out_ms(site),
        map: None,
        scan: None,
        fields: Vec::new(),
        scada: None,
        telemetry: None,
        events: Some(start_events(events, Arc::clone(&layout), Arc::clone(&wall))?),
    };
    let ends_of_scan =
        Ends { links, commands, snapshot: snapshot_writer, events: event_sender, stop, stopped, stats, wall };
    let shell = Shell::new(period_ns, controller, inputs, ends_of_scan, Vec::new());
    // the scan first: where it may not run, nobody is spoken to
    running.start_scan(site, shell, origin_ns, period_ns)?;
    running.start_scada(site, command_sender)?;
    running.start_fields(site, ends, origin_ns, period_ns)?;
    running.start_mqtt(site, options)?;
    Ok(running)
}

impl Running {
    /// What snapshots mean.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The newest snapshot.
    #[must_use]
    pub fn snapshot(&self) -> &SnapshotReader {
        &self.snapshot
    }

    /// What the loop counts.
    #[must_use]
    pub fn stats(&self) -> &RunStats {
        &self.stats
    }

    /// What the scan thread could have of the machine.
    #[must_use]
    pub fn start_report(&self) -> Option<&StartReport> {
        self.report.as_ref()
    }

    /// Devices by name, with what happened on their lines since start.
    pub fn devices(&self) -> impl Iterator<Item = (&str, Counts)> {
        let all = self.fields.iter().flat_map(|endpoint| endpoint.counters());
        all.map(|(name, counters)| (name.as_str(), counters.load()))
    }

    /// Where SCADA is served.
    #[must_use]
    pub fn scada(&self) -> Option<SocketAddr> {
        self.scada.as_ref().map(scada::Server::address)
    }

    /// SCADA requests answered since start.
    #[must_use]
    pub fn scada_requests(&self) -> Option<u64> {
        self.scada.as_ref().map(|s| s.counts().answered)
    }

    /// The register at which a point, output or header value starts.
    #[must_use]
    pub fn address_of(&self, name: &str) -> Option<u16> {
        self.map.as_ref()?.address_of(name)
    }

    /// All registers.
    #[must_use]
    pub fn map(&self) -> Option<&RegisterMap> {
        self.map.as_ref()
    }

    /// How telemetry fares.
    #[must_use]
    pub fn telemetry(&self) -> Option<telemetry::Status> {
        self.telemetry.as_ref().map(Telemetry::status)
    }

    /// Whether the scan has ended, told or not.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.scan.as_ref().is_none_or(RealtimeThread::is_finished)
    }

    /// Takes the outputs safe in their order, tells the devices, ends every thread.
    pub fn stop(mut self) -> Stopped {
        self.end()
    }

    fn start_scada(&mut self, site: &Site, commands: Sender<Command>) -> Result<(), StartError> {
        let Some(server) = site.modbus_server() else { return Ok(()) };
        let settings = scada::Settings::of_site(server, site.commands());
        let ports = Ports { published: self.snapshot.clone(), commands, clock: MonotonicClock, first_source: 0 };
        self.map = RegisterMap::new(Arc::clone(&self.layout), &settings.writers).ok();
        self.scada = Some(scada::Server::start(Arc::clone(&self.layout), &settings, ports)?);
        Ok(())
    }

    fn start_fields(
        &mut self,
        site: &Site,
        ends: Vec<DeviceEnd>,
        origin_ns: u64,
        period_ns: u64,
    ) -> Result<(), StartError> {
        let mut ends: Vec<Option<DeviceEnd>> = ends.into_iter().map(Some).collect();
        for (number, endpoint) in (0..).zip(site.endpoints()) {
            let setup = |i: &usize| {
                let device = &site.devices()[*i];
                let settings = poller::Settings {
                    poll_ms: device.poll_ms,
                    watchdog_ms: device.watchdog_ms,
                    outputs: device.outputs.iter().map(|o| o.writable).collect(),
                    scan_period_ns: period_ns,
                    seed: fastrand::u64(..),
                };
                let (name, profile) = (device.name.clone(), Arc::clone(&device.profile));
                Some(DeviceSetup { name, unit: device.unit, profile, settings, end: ends[*i].take()? })
            };
            let devices = endpoint.devices.iter().filter_map(setup).collect();
            self.fields.push(tcp::start(number, endpoint.address, devices, origin_ns)?);
        }
        Ok(())
    }

    fn start_scan(&mut self, site: &Site, mut shell: Shell, origin_ns: u64, period_ns: u64) -> Result<(), StartError> {
        let grid = Grid::new(origin_ns, NonZeroU64::new(period_ns).expect("the check refuses a period of 0"));
        let (counts, system) = (Arc::clone(&self.stats), site.system().clone());
        let scan = spawn(&thread_settings(site), move |report| {
            shell.set_system(system_values(&system, Some(report)));
            crate::rt::run::run(&MonotonicClock, grid, &mut shell, &counts)
        })?;
        self.report = Some(scan.report().clone());
        self.scan = Some(scan);
        Ok(())
    }

    fn start_mqtt(&mut self, site: &Site, options: &Options) -> Result<(), StartError> {
        let Some(mqtt) = site.mqtt() else { return Ok(()) };
        let broker = options.mqtt_broker.clone().unwrap_or_else(|| format!("mqtt://{}:{}", mqtt.host, mqtt.port));
        let asked = Asked {
            broker: &broker,
            client_id: &client_id(site.name()),
            prefix: &mqtt.topic,
            every_ms: mqtt.every_ms,
            offline_messages_max: mqtt.offline_messages_max,
            keep_alive_s: MQTT_KEEP_ALIVE_S,
        };
        let settings = telemetry::Settings::check(&asked).map_err(StartError::MqttSettings)?;
        let reader = self.snapshot.clone();
        self.telemetry = Some(Telemetry::start(settings, Arc::clone(&self.layout), move |words| reader.read(words))?);
        Ok(())
    }

    fn end(&mut self) -> Stopped {
        self.stop.store(true, Ordering::Relaxed);
        let deadline = Deadline::after_ms(self.ramp_out_ms + STOP_GRACE_MS);
        // a site that never scanned has commanded nothing
        let safe = self.scan.is_none() || until(deadline, || self.stopped.load(Ordering::Acquire));
        if safe && let Some(scan) = self.scan.take() {
            let _ = scan.join(); // how it ended is in the statistics and in the panic log
        }
        let field_deadline = Deadline::after_ms(FIELD_STOP_MS);
        self.fields.iter().for_each(Endpoint::tell_to_stop);
        let mut field_done = true;
        for endpoint in self.fields.drain(..) {
            field_done &= endpoint.stop(field_deadline); // each is told, whatever became of the one before
        }
        drop((self.scada.take(), self.telemetry.take()));
        if let Some((stop, thread)) = self.events.take() {
            stop.store(true, Ordering::Relaxed);
            let _ = thread.join();
        }
        Stopped { safe, field_done }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.events.is_some() {
            self.end();
        }
    }
}

fn cells(devices: &[Contracted]) -> (Vec<DeviceLink>, Vec<DeviceEnd>) {
    let pair = |device: &Contracted| {
        let (field_writer, reader) = latest(device.from.words());
        let (writer, field_reader) = latest(device.to.words());
        let link = DeviceLink {
            reader,
            from: device.from,
            points: device.points.clone(),
            pulses: device.pulses.clone(),
            writer,
            to: device.to.clone(),
            outputs: device.outputs.clone(),
        };
        (link, DeviceEnd { writer: field_writer, reader: field_reader, to: device.to.clone() })
    };
    devices.iter().map(pair).unzip()
}

fn thread_settings(site: &Site) -> ThreadSettings {
    let scan = site.scan();
    ThreadSettings {
        priority: scan.priority,
        cpus: scan.cpus.iter().map(|cpu| usize::from(*cpu)).collect(),
        realtime: match scan.realtime {
            flyball_config::Realtime::Required => Realtime::Required,
            flyball_config::Realtime::BestEffort => Realtime::BestEffort,
        },
        ..ThreadSettings::default()
    }
}

/// How long the slowest output takes to ramp out and go safe, ms.
fn ramp_out_ms(site: &Site) -> u64 {
    site.timing().reactions.iter().map(|r| u64::from(r.out_ms)).max().unwrap_or(0)
}

/// The broker's name for this controller: the site's and the machine's, since two clients of one name throw each other out.
fn client_id(site: &str) -> String {
    let host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default();
    telemetry::Settings::client_id_of(&format!("{site}-{host}"))
}

/// The thread that turns what the scan reports into lines of the log: the scan itself never logs.
fn start_events(
    mut events: Receiver<Stamped>,
    layout: Arc<Layout>,
    wall: Arc<WallClock>,
) -> Result<(Arc<AtomicBool>, JoinHandle<()>), SideError> {
    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    let panics = install_panic_hook();
    let thread = spawn_side("events", EVENTS_STACK_BYTES, move || {
        for round in 0_u32.. {
            let last = told.load(Ordering::Relaxed);
            while let Some(stamped) = events.receive() {
                log_event(&layout, stamped);
            }
            while let Some(panic) = panics.take() {
                log::error!("panic on the scan thread at {panic}");
            }
            if last {
                break;
            }
            if round % LOOK_FOR_TIME_EVERY == 0 {
                wall.look_for_synchronisation();
            }
            MonotonicClock.wait_until_ns(monotonic_ns() + EVENTS_EVERY_MS * 1_000_000);
        }
    })?;
    Ok((stop, thread))
}

/// The edge counts, and only a writer that was given the command can make it.
const HOW_TO_RESET: &str = "write 0 and then 1 to `site.reset`, or restart";

fn log_event(layout: &Layout, Stamped { tick, event }: Stamped) {
    match event {
        Event::Armed => log::info!("scan {tick}: armed, outputs act from now on"),
        Event::Disarmed => log::warn!("scan {tick}: disarmed, outputs are safe"),
        Event::Tripped => {
            log::error!(
                "scan {tick}: too many slots were skipped, the site has tripped and is safe: {HOW_TO_RESET}; what loads the machine?"
            );
        }
        Event::Degraded => {
            log::warn!("scan {tick}: too many slots were skipped: degraded, programs listed under `shed` rest")
        }
        Event::Recovered => log::info!("scan {tick}: no more slots are skipped"),
        Event::Quarantined(by) => {
            log::error!("scan {tick}: program {} panicked and is quarantined: {HOW_TO_RESET}", layout.program(by.0));
        }
        Event::Reset => log::info!("scan {tick}: trip and quarantines were reset"),
        Event::CommandRefused { source, point } => {
            let commands = layout.points.iter().filter(|p| p.source == Source::Command);
            let name = commands.map(|p| p.name.as_str()).nth(usize::from(point)).unwrap_or("unknown");
            let writer = source + 1;
            log::warn!(
                "scan {tick}: `{name}` from writer {writer} of the list was refused: out of range, or another writer holds it"
            );
        }
    }
}
