//! The field thread of one Modbus TCP endpoint: a socket, a clock and the cells of its devices around
//! [`super::endpoint`].
//!
//! It waits on its socket, and looks at what the scan wants on a grid of its own: the scan makes no system call, so it
//! wakes nobody. **When the peer is gone** nothing here blocks: connecting, sending and receiving are all given up in
//! time. **When it is told to stop**, or the scan's last block is there, it writes that block's values once more and ends,
//! after [`STOP_WITHIN_NS`] in any case.

use super::endpoint::{self, Do, Member};
use super::poller::{self, Poller};
use super::socket::Socket;
use crate::clock::{Deadline, monotonic_ns, until};
use crate::exchange::latest::{Reader, Writer};
use crate::field::block::ToDevice;
use crate::field::counters::{Counters, Counts};
use crate::rt::side::{SideError, spawn_side};
use flyball_io_map::image::ScanTime;
use flyball_io_map::profile::Profile;
use log::{info, warn};
use nix::poll::ppoll;
use nix::sys::time::TimeSpec;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often the thread looks at what the scan wants while a device that takes outputs is online, ns. It adds at most so
/// much to a reaction, a fifth of the usual scan period, and costs 500 wake-ups of a few µs a second.
pub const LOOK_EVERY_NS: u64 = 2_000_000;
/// How often it looks while nothing could be written anyway, ns: for the last block, and the word to stop.
const LOOK_IDLE_NS: u64 = 20_000_000;
/// The thread ends so long after it was told to, ns, whether or not every device could be written to: long enough for a
/// connect sequence on a device that has just come back, short enough for a service manager.
pub const STOP_WITHIN_NS: u64 = 2_000_000_000;
/// Room for the stack: frames of a few KiB at most.
const STACK_BYTES: usize = 128 * 1024;
/// Most bytes taken from the socket at once, so that a peer that floods does not hold the thread.
const READ_BYTES_MAX: usize = 1_024;

/// The field thread's ends of a device's cells.
#[derive(Debug)]
pub struct DeviceEnd {
    /// What it publishes, laid out as `FromDevice` says.
    pub writer: Writer,
    /// What the scan wants.
    pub reader: Reader,
    /// How that is laid out.
    pub to: ToDevice,
}

/// A device behind an endpoint.
#[derive(Debug)]
pub struct DeviceSetup {
    /// Its name, for the log.
    pub name: String,
    /// Its unit id.
    pub unit: u8,
    /// What it is.
    pub profile: Arc<Profile>,
    /// What the site says of it.
    pub settings: poller::Settings,
    /// Its cells.
    pub end: DeviceEnd,
}

/// Why an endpoint does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its thread does not start.
    #[error("{address}: {source}")]
    Thread {
        /// The endpoint.
        address: SocketAddr,
        /// Why not.
        source: SideError,
    },
}

/// An endpoint that runs. Dropping it tells it to stop, and does not wait.
#[derive(Debug)]
pub struct Endpoint {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    counters: Vec<(String, Arc<Counters>)>,
    thread: Option<JoinHandle<bool>>,
}

/// Starts the field thread of an endpoint. Time 0 of the scan's grid is `origin_ns` on the monotonic clock; `number` is the
/// endpoint's place in the site, for the thread's name and the jitter.
///
/// # Errors
/// [`StartError`].
pub fn start(
    number: u16,
    address: SocketAddr,
    devices: Vec<DeviceSetup>,
    origin_ns: u64,
) -> Result<Endpoint, StartError> {
    let stop = Arc::new(AtomicBool::new(false));
    let mut counters = Vec::new();
    let (mut members, mut ports) = (Vec::new(), Vec::new());
    let now = since(origin_ns);
    for device in devices {
        let counts = Arc::new(Counters::default());
        counters.push((device.name.clone(), Arc::clone(&counts)));
        members.push(Member { unit: device.unit, poller: Poller::new(device.profile, &device.settings, now) });
        ports.push(Port::new(device.name, device.end, counts));
    }
    let endpoint = endpoint::Endpoint::new(members, u64::from(number), now);
    let told = Arc::clone(&stop);
    let mut field =
        Field { address, endpoint, ports, socket: None, refused: None, origin_ns, stop: told, stop_at: None };
    let thread = spawn_side(&format!("modbus-{number}"), STACK_BYTES, move || field.run());
    let thread = thread.map_err(|source| StartError::Thread { address, source })?;
    Ok(Endpoint { address, stop, counters, thread: Some(thread) })
}

impl Endpoint {
    /// Where its devices are.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its devices by name, and what happened with them.
    #[must_use]
    pub fn counters(&self) -> &[(String, Arc<Counters>)] {
        &self.counters
    }

    /// Tells the thread to end, without waiting for it.
    pub fn tell_to_stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Tells the thread to end and waits for it until `deadline`. Whether it ended with the last block written to every
    /// device. The scan must have given that block, or must have ended, before.
    #[must_use]
    pub fn stop(mut self, deadline: Deadline) -> bool {
        self.stop.store(true, Ordering::Relaxed);
        let Some(thread) = self.thread.take() else { return false };
        until(deadline, || thread.is_finished()) && thread.join().unwrap_or(false)
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// The scan's time now.
fn since(origin_ns: u64) -> ScanTime {
    ScanTime(monotonic_ns().saturating_sub(origin_ns))
}

/// One device's cells, and what was published of it last.
struct Port {
    name: String,
    end: DeviceEnd,
    wants: Vec<u64>,
    counters: Arc<Counters>,
    counts: Counts,
    number: u64,
    online: bool,
}

impl Port {
    fn new(name: String, end: DeviceEnd, counters: Arc<Counters>) -> Self {
        let wants = vec![0; end.to.words()];
        Self { name, end, wants, counters, counts: Counts::default(), number: 0, online: false }
    }

    fn is_last(&self) -> bool {
        self.end.to.view(&self.wants).head().last
    }

    fn publish(&mut self, poller: &Poller) {
        if poller.words().number() != self.number {
            self.number = poller.words().number();
            self.end.writer.publish(poller.words().words());
        }
        let counts = poller.counts();
        if counts == self.counts {
            return;
        }
        self.counters.store(&counts);
        if let Some(fault) = poller.fault().filter(|_| counts.fault != self.counts.fault) {
            warn!("{}: {fault}", self.name);
        }
        if poller.is_online() != self.online {
            self.online = poller.is_online();
            info!("{}: {}", self.name, if self.online { "online" } else { "offline" });
        }
        self.counts = counts;
    }
}

struct Field {
    address: SocketAddr,
    endpoint: endpoint::Endpoint,
    ports: Vec<Port>,
    socket: Option<Socket>,
    /// Why the last attempt to connect failed.
    refused: Option<ErrorKind>,
    origin_ns: u64,
    stop: Arc<AtomicBool>,
    stop_at: Option<ScanTime>,
}

impl Field {
    /// Until it is told to stop. Whether every device has its last block.
    fn run(&mut self) -> bool {
        loop {
            for port in &mut self.ports {
                port.end.reader.update(&mut port.wants);
            }
            let now = since(self.origin_ns);
            let wait = self.act(now);
            for (port, poller) in self.ports.iter_mut().zip(self.endpoint.pollers()) {
                port.publish(poller);
            }
            if let Some(until) = wait {
                if self.is_over(now) {
                    return self.endpoint.is_finished();
                }
                self.wait(until);
            }
        }
    }

    /// Does what the endpoint wants done. Until when to wait after that.
    fn act(&mut self, now: ScanTime) -> Option<ScanTime> {
        let ports = &self.ports;
        match self.endpoint.next(now, |device| ports[device].end.to.view(&ports[device].wants)) {
            Do::Wait(until) => return Some(until),
            Do::Close => self.socket = None,
            Do::Connect => match Socket::open(self.address) {
                Ok(socket) => self.socket = Some(socket),
                Err(error) => self.connect_failed(now, &error),
            },
            Do::Send(bytes) => {
                let sent =
                    self.socket.as_mut().map_or(Err(ErrorKind::NotConnected.into()), |socket| socket.send(bytes));
                if let Err(error) = sent {
                    self.closed(now, &error);
                }
            }
        }
        None
    }

    fn closed(&mut self, now: ScanTime, why: &io::Error) {
        info!("{}: connection lost: {why}", self.address);
        self.socket = None;
        self.endpoint.closed(now);
    }

    /// No connection came about. The log says so once per reason, not once per attempt.
    fn connect_failed(&mut self, now: ScanTime, why: &io::Error) {
        if self.refused.replace(why.kind()) != Some(why.kind()) {
            warn!("{}: no connection: {why}", self.address);
        }
        self.socket = None;
        self.endpoint.connect_failed(now);
    }

    fn is_over(&mut self, now: ScanTime) -> bool {
        if self.stop_at.is_none() && (self.stop.load(Ordering::Relaxed) || self.ports.iter().any(Port::is_last)) {
            self.stop_at = Some(ScanTime(now.0.saturating_add(STOP_WITHIN_NS)));
        }
        self.stop_at.is_some_and(|at| now >= at || self.endpoint.is_finished())
    }

    /// Whether a change of what the scan wants could be written at once.
    fn takes_outputs(&self) -> bool {
        let mut devices = self.ports.iter().zip(self.endpoint.pollers());
        devices.any(|(port, poller)| poller.is_online() && !port.end.to.kinds().is_empty())
    }

    /// Waits for the socket, until `until` or until it is time to look at the cells.
    fn wait(&mut self, until: ScanTime) {
        let now = since(self.origin_ns);
        let every = if self.takes_outputs() { LOOK_EVERY_NS } else { LOOK_IDLE_NS };
        let look = ScanTime((now.0 / every + 1).saturating_mul(every));
        let timeout = TimeSpec::from_duration(Duration::from_nanos(until.min(look).since(now)));
        let Some(socket) = &self.socket else {
            // a signal that ends the wait early costs a look, no more; the same for every wait here
            let _ = ppoll(&mut [], Some(timeout), None);
            return;
        };
        if socket.wait(timeout) {
            let now = since(self.origin_ns);
            if let Err(error) = self.socket_is_ready(now) {
                self.closed(now, &error);
            }
        }
    }

    fn socket_is_ready(&mut self, now: ScanTime) -> io::Result<()> {
        let Some(socket) = &mut self.socket else { return Ok(()) };
        if socket.is_connecting() {
            match socket.finish_connecting() {
                Ok(()) => {
                    self.refused = None;
                    self.endpoint.connected();
                }
                Err(error) => self.connect_failed(now, &error),
            }
            return Ok(());
        }
        let mut bytes = [0; READ_BYTES_MAX];
        let count = socket.exchange(&mut bytes)?;
        self.endpoint.received(now, &bytes[..count]);
        Ok(())
    }
}
