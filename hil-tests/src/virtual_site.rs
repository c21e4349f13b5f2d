//! A site in virtual time: the pure controller, the field code without its sockets, and the simulated plant.
//!
//! Everything that runs on a site runs here but threads, sockets and the real-time loop: the same controller, the same
//! poller with its connect sequence and write policy, the same bytes to and from the devices. Time is the tick.

use crate::cabin::CabinWorld;
use crate::device::Pdu;
use crate::fault::Outcome;
use crate::oracle::Oracle;
use crate::plant::truth::Truth;
use crate::world::Port;
use flyball_config::{Device, Site};
use flyball_io_map::image::wiring::OutputAt;
use flyball_io_map::image::{NoData, Reading, ScanTime};
use flyball_io_map::modbus;
use flyball_runtime::assembly::{Assembly, Contracted, assemble, system_values};
use flyball_runtime::field::block::{Head, OutputValue};
use flyball_runtime::field::modbus::fault::LinkFault;
use flyball_runtime::field::modbus::poller::{Poller, Settings, Step};
use flyball_runtime::scan::command::Command;
use flyball_runtime::scan::controller::{Controller, Event};
use flyball_runtime::scan::inputs::Inputs;
use flyball_runtime::scan::shell::SystemValue;
use flyball_runtime::scan::snapshot::{Layout, SiteState};
use siphasher::sip::SipHasher13;
use std::hash::Hasher;
use std::sync::Arc;

/// A simulated device answers after so long, ns: one round on a local network.
const ANSWER_NS: u64 = 1_000_000;

/// A device of the site for which there is no simulator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no simulator for device `{device}` ({vendor} {model}): there are ones for {known}", known = KNOWN.join(", "))]
pub struct NoSimulator {
    /// The device's name in the site.
    pub device: String,
    /// Its maker.
    pub vendor: String,
    /// What it is.
    pub model: String,
}

const KNOWN: [&str; 3] = ["Carlo Gavazzi EM540", "SunSpec storage inverter", "Flyball panel"];

/// The simulated device behind a device of a site.
///
/// # Errors
/// [`NoSimulator`].
pub fn simulator_of(cabin: &CabinWorld, device: &Device) -> Result<Port, NoSimulator> {
    let port = match (device.profile.vendor.as_str(), device.profile.model.as_str()) {
        ("Carlo Gavazzi", "EM540") => cabin.meter(),
        ("SunSpec", _) => cabin.pcs(),
        ("Flyball", _) => cabin.panel(),
        (vendor, model) => {
            return Err(NoSimulator { device: device.name.clone(), vendor: vendor.into(), model: model.into() });
        }
    };
    Ok(port.clone())
}

/// What a device's answer to the request in flight will be, and when.
struct Flight {
    arrives: ScanTime,
    answer: Option<Pdu>,
}

struct VirtualDevice {
    poller: Poller,
    port: Port,
    unit: u8,
    contract: Contracted,
    wants: Vec<u64>,
    flight: Option<Flight>,
    time: ScanTime,
    latched: u64,
}

impl VirtualDevice {
    /// The field thread's life from where it was until `now`.
    fn run_until(&mut self, now: ScanTime) {
        while self.time <= now {
            if let Some(flight) = &self.flight {
                if flight.arrives > now {
                    return;
                }
                self.time = flight.arrives;
                let flight = self.flight.take().expect("looked at just now");
                let answer = flight.answer.as_ref().map_or(Err(LinkFault::Timeout), |pdu| Ok(pdu.as_slice()));
                self.poller.answered(self.time, answer);
                continue;
            }
            let outputs = self.contract.to.view(&self.wants);
            match self.poller.next(self.time, &outputs) {
                Step::Wait(until) if until > now => {
                    self.time = now;
                    return;
                }
                Step::Wait(until) => self.time = ScanTime(until.0.max(self.time.0 + 1_000)),
                Step::Send(request) => {
                    let mut bytes = modbus::Pdu::default();
                    let encoded = request.encode(&mut bytes);
                    let mut answer = Pdu::new();
                    let outcome = if encoded.is_ok() {
                        self.port.answer(self.unit, bytes.as_bytes(), &mut answer)
                    } else {
                        Outcome::Silence
                    };
                    let timeout = ScanTime(self.time.0 + self.poller.timeout_ns());
                    let late = |after_ms: u32| ScanTime(self.time.0 + ANSWER_NS + u64::from(after_ms) * 1_000_000);
                    self.flight = Some(match outcome {
                        Outcome::Reply { after_ms } if late(after_ms) < timeout => {
                            Flight { arrives: late(after_ms), answer: Some(answer) }
                        }
                        Outcome::Reply { .. } | Outcome::Silence => Flight { arrives: timeout, answer: None },
                        Outcome::Refused => {
                            self.poller.disconnected(self.time);
                            continue;
                        }
                    });
                }
            }
        }
    }

    fn latch(&mut self, inputs: &mut Inputs) {
        let words = self.poller.words();
        if words.number() == self.latched {
            return;
        }
        self.latched = words.number();
        let word = |i: usize| words.words().get(i).copied();
        for (i, point) in self.contract.points.clone().enumerate() {
            inputs.latched[point] = self.contract.from.reading(i, word);
        }
        for (i, slot) in self.contract.pulses.iter().enumerate() {
            inputs.pulses_done[*slot] = self.contract.from.pulse_done(i, word);
        }
    }
}

/// A site in virtual time.
pub struct VirtualSite {
    /// The plant, and the switches of its faults.
    pub cabin: CabinWorld,
    layout: Arc<Layout>,
    controller: Controller,
    inputs: Inputs,
    devices: Vec<VirtualDevice>,
    system: Vec<(usize, SystemValue)>,
    period_ns: u64,
    tick: u64,
    scans: u64,
    skipped: u64,
    hash: SipHasher13,
    oracle: Oracle,
    watched: Option<usize>,
    pending: Vec<Command>,
    stop: bool,
}

impl VirtualSite {
    /// The site with a cabin of this seed.
    ///
    /// # Errors
    /// [`NoSimulator`].
    pub fn new(site: &Site, seed: u64) -> Result<Self, NoSimulator> {
        Self::with_cabin(site, CabinWorld::new(seed), seed)
    }

    /// The site with a cabin of its own.
    ///
    /// # Errors
    /// [`NoSimulator`].
    pub fn with_cabin(site: &Site, cabin: CabinWorld, seed: u64) -> Result<Self, NoSimulator> {
        let Assembly { controller, layout, inputs, devices, period_ns } = assemble(site);
        let device = |(i, (device, contract)): (usize, (&Device, Contracted))| {
            let settings = Settings {
                poll_ms: device.poll_ms,
                watchdog_ms: device.watchdog_ms,
                outputs: device.outputs.iter().map(|o| o.writable).collect(),
                scan_period_ns: period_ns,
                seed: seed.wrapping_add(i as u64),
            };
            Ok(VirtualDevice {
                poller: Poller::new(Arc::clone(&device.profile), &settings, ScanTime(0)),
                port: simulator_of(&cabin, device)?,
                unit: device.unit,
                wants: vec![0; contract.to.words()],
                contract,
                flight: None,
                time: ScanTime(0),
                latched: 0,
            })
        };
        let devices = site.devices().iter().zip(devices).enumerate().map(device).collect::<Result<_, _>>()?;
        let watched = layout.outputs.iter().zip(&layout.at).find_map(|(def, at)| match at {
            OutputAt::Real(slot) if def.members.is_empty() => Some(*slot),
            _ => None,
        });
        Ok(Self {
            cabin,
            layout: Arc::new(layout),
            controller,
            inputs,
            devices,
            system: system_values(site.system(), None),
            period_ns,
            tick: 0,
            scans: 0,
            skipped: 0,
            hash: SipHasher13::new(),
            oracle: Oracle::default(),
            watched,
            pending: Vec::new(),
            stop: false,
        })
    }

    /// One slot of the grid with its scan.
    pub fn scan(&mut self) {
        self.slot();
        for (point, value) in &self.system {
            let value = match value {
                SystemValue::Fixed(v) => *v,
                SystemValue::Degraded => f64::from(u8::from(self.controller.degraded())),
                SystemValue::SlotsSkipped => f64::from(u32::try_from(self.skipped).unwrap_or(u32::MAX)),
            };
            self.inputs.latched[*point] = Reading::new(Ok(value), self.now());
        }
        for device in &mut self.devices {
            device.latch(&mut self.inputs);
        }
        self.inputs.commands.clear();
        for command in self.pending.drain(..) {
            let _ = self.inputs.commands.push(command); // scenarios send far fewer than fit
        }
        self.inputs.stop = self.stop;
        self.controller.scan(self.tick, &self.inputs);
        self.scans += 1;
        self.commit();
        self.watch();
    }

    /// A slot of the grid without a scan: the plant and the field threads go on.
    pub fn skip(&mut self) {
        self.slot();
        self.skipped += 1;
    }

    /// Runs so long in virtual time, ms; with a period above 1 ms the last slot may lie a little later.
    pub fn run_ms(&mut self, ms: u64) {
        let until = self.now().0 + ms * 1_000_000;
        while self.now().0 < until {
            self.scan();
        }
    }

    /// Runs until the condition holds, at most so long, ms. Gives the time it took, ms, or `None`.
    pub fn run_until(&mut self, ms_max: u64, mut holds: impl FnMut(&Self) -> bool) -> Option<u64> {
        let began = self.now();
        while self.now().since(began) <= ms_max * 1_000_000 {
            if holds(self) {
                return Some(self.now().since(began) / 1_000_000);
            }
            self.scan();
        }
        None
    }

    /// A command for the next scan.
    pub fn command(&mut self, command: Command) {
        self.pending.push(command);
    }

    /// Asks the site to stop.
    pub fn stop(&mut self) {
        self.stop = true;
    }

    /// The grid time.
    #[must_use]
    pub fn now(&self) -> ScanTime {
        ScanTime(self.tick * self.period_ns)
    }

    /// Scans so far.
    #[must_use]
    pub fn scans(&self) -> u64 {
        self.scans
    }

    /// A hash over all outputs of all scans so far.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hash.finish()
    }

    /// What watches the plant.
    #[must_use]
    pub fn oracle(&self) -> &Oracle {
        &self.oracle
    }

    /// What the site is doing.
    #[must_use]
    pub fn state(&self) -> SiteState {
        self.controller.state()
    }

    /// Whether a stopping site has arrived.
    #[must_use]
    pub fn stopped(&self) -> bool {
        self.controller.stopped()
    }

    /// What happened in the last scan.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        self.controller.events()
    }

    /// What is really so.
    #[must_use]
    pub fn truth(&self) -> Truth {
        self.cabin.truth()
    }

    /// A point's value now, within its own greatest age.
    ///
    /// # Errors
    /// Why there is none.
    ///
    /// # Panics
    /// If the site has no such point.
    pub fn value(&self, point: &str) -> Result<f64, NoData> {
        let i = self.layout.points.iter().position(|p| p.name == point).unwrap_or_else(|| panic!("no point `{point}`"));
        let age_max_ns = u64::from(self.layout.points[i].age_max_ms) * 1_000_000;
        self.controller.readings()[i].fresh(self.now(), age_max_ns)
    }

    /// What went out to an output in the last scan, and why: a set-point in its unit, or the index of a choice.
    ///
    /// # Panics
    /// If the site has no such output, or it is a pulse.
    #[must_use]
    pub fn output(&self, output: &str) -> (f64, String) {
        let i =
            self.layout.outputs.iter().position(|o| o.name == output).unwrap_or_else(|| panic!("no output `{output}`"));
        let outputs = self.controller.outputs();
        let (value, cause) = match self.layout.at[i] {
            OutputAt::Real(slot) => (outputs.reals()[slot].applied().total, outputs.reals()[slot].applied().cause),
            OutputAt::Choice(slot) => {
                let (value, cause) = outputs.choices()[slot].applied();
                (f64::from(value), cause)
            }
            OutputAt::Pulse(_) => panic!("`{output}` is a pulse"),
        };
        (value, flyball_io_map::image::Cause::describe(cause.code(), |by| self.layout.program(by)))
    }

    /// The layout of the site.
    #[must_use]
    pub fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    /// The next slot: plant and field threads up to its time.
    fn slot(&mut self) {
        self.tick += 1;
        let now = self.now();
        self.cabin.step(seconds(self.period_ns));
        for device in &mut self.devices {
            device.run_until(now);
        }
    }

    fn commit(&mut self) {
        let outputs = self.controller.outputs();
        let value = |at: OutputAt| match at {
            OutputAt::Real(i) => OutputValue::Real(outputs.reals()[i].applied().total),
            OutputAt::Choice(i) => OutputValue::Choice(outputs.choices()[i].applied().0),
            OutputAt::Pulse(i) => OutputValue::Pulse(outputs.pulses()[i].pending()),
        };
        let (drives, last) = (self.controller.state() == SiteState::Armed, self.controller.stopped());
        for device in &mut self.devices {
            let (contract, wants) = (&device.contract, &mut device.wants);
            let head = Head { scans: self.scans, drives, last };
            contract.to.write(head, |i| value(contract.outputs[i]), |i, word| wants[i] = word);
        }
    }

    fn watch(&mut self) {
        let outputs = self.controller.outputs();
        outputs.reals().iter().for_each(|slot| self.hash.write_u64(slot.applied().total.to_bits()));
        outputs.choices().iter().for_each(|slot| self.hash.write_u8(slot.applied().0));
        outputs.pulses().iter().for_each(|slot| self.hash.write_u64(slot.pending().map_or(0, |p| p.id)));
        let commanded_w = self.watched.map_or(0.0, |slot| outputs.reals()[slot].applied().total);
        self.oracle.look(&self.cabin.truth(), commanded_w);
    }
}

/// A scan period as seconds, exact.
fn seconds(period_ns: u64) -> f64 {
    f64::from(u32::try_from(period_ns / 1_000).unwrap_or(u32::MAX)) / 1e6
}
