//! The server's socket side: one thread, one `poll`, non-blocking sockets.
//!
//! A turn: wait until a socket is ready, a request is left over or a deadline passes; read once from each ready client;
//! let new clients in; answer at most one request of each client; close what is over. Nothing in a turn waits.
//!
//! When the process runs out of file descriptors the listener pauses and connections that exist go on. An orderly stop is
//! one write to an event descriptor; clients see their connection closed.

mod counts;
mod slots;

pub use counts::Counts;

use super::ports::{Commands, Ports, Published};
use super::settings::{CONNECTIONS_MAX, Settings};
use super::station::{Station, StationError};
use crate::clock::Clock;
use crate::rt::side::{SideError, spawn_side};
use crate::scan::snapshot::Layout;
use counts::Counters;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use slots::Slots;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread::JoinHandle;

/// The server thread's stack, bytes. It keeps its buffers elsewhere.
pub const STACK_BYTES: usize = 256 * 1024;
/// Clients let in per turn, so that a flood of them does not hold up those that are in.
const ACCEPTS_PER_TURN: usize = 8;
/// How long the listener rests when the system cannot give it another connection, ns.
const PAUSE_NS: u64 = 1_000_000_000;
/// The longest wait, ms: then the deadlines are looked at again.
const WAIT_MS_MAX: u16 = 60_000;

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings or the site do not fit.
    #[error(transparent)]
    Station(#[from] StationError),
    /// Somebody else listens there.
    #[error(
        "the SCADA server cannot listen on {listen}: the port is in use; stop the other program or change `listen`"
    )]
    PortInUse {
        /// What was asked for.
        listen: SocketAddr,
    },
    /// Ports below 1024 need a right.
    #[error(
        "the SCADA server may not listen on {listen}: give the process CAP_NET_BIND_SERVICE or use a port from 1024 on"
    )]
    NoRight {
        /// What was asked for.
        listen: SocketAddr,
    },
    /// The machine has no such address.
    #[error("the SCADA server cannot listen on {listen}: this machine has no such address; change `listen`")]
    NoSuchAddress {
        /// What was asked for.
        listen: SocketAddr,
    },
    /// The system gave no thread.
    #[error("the SCADA server cannot start: {0}")]
    Thread(#[from] SideError),
    /// Anything else that the system says.
    #[error("the SCADA server cannot start on {listen}: {source}")]
    System {
        /// What was asked for.
        listen: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
}

impl StartError {
    fn from_system(listen: SocketAddr, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::PortInUse { listen },
            io::ErrorKind::PermissionDenied => Self::NoRight { listen },
            io::ErrorKind::AddrNotAvailable => Self::NoSuchAddress { listen },
            _ => Self::System { listen, source },
        }
    }
}

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    wake: Arc<EventFd>,
    counters: Arc<Counters>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens and starts the thread, named `scada`.
    ///
    /// # Errors
    /// Why that cannot be, with the remedy.
    pub fn start<P, C, K>(layout: Arc<Layout>, settings: &Settings, ports: Ports<P, C, K>) -> Result<Self, StartError>
    where
        P: Published + 'static,
        C: Commands + 'static,
        K: Clock + Send + 'static,
    {
        let Ports { published, commands, clock, first_source } = ports;
        let station = Station::new(layout, settings, published, commands, first_source)?;
        let listen = settings.listen;
        let system = |e: io::Error| StartError::from_system(listen, e);
        let listener = TcpListener::bind(listen).map_err(system)?;
        listener.set_nonblocking(true).map_err(system)?;
        let address = listener.local_addr().map_err(system)?;
        let wake = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK).map_err(|e| system(e.into()))?;
        let wake = Arc::new(wake);
        let counters = Arc::new(Counters::default());
        let turns = Turns {
            station,
            clock,
            listener,
            paused_until_ns: None,
            slots: Slots::new(settings),
            counters: Arc::clone(&counters),
            wake: Arc::clone(&wake),
        };
        let thread = spawn_side("scada", STACK_BYTES, move || turns.run())?;
        log::info!("SCADA server listens on {address}");
        Ok(Self { address, wake, counters, thread: Some(thread) })
    }

    /// Where it listens; the port that was chosen if the settings asked for port 0.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has done since it was started.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counters.counts()
    }

    /// Whether its thread lives. It ends only when told to, or when the system fails it, which is logged.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.thread.as_ref().is_some_and(|t| !t.is_finished())
    }

    /// Stops it and waits until its sockets are closed.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let Some(thread) = self.thread.take() else {
            return;
        };
        if let Err(error) = self.wake.write(1) {
            log::error!("the SCADA server cannot be told to stop: {error}");
            return;
        }
        if thread.join().is_err() {
            log::error!("the SCADA server had stopped by a panic");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// What `poll` has said.
struct Ready {
    listener: bool,
    /// By slot.
    clients: [PollFlags; CONNECTIONS_MAX],
}

struct Turns<P, C, K> {
    station: Station<P, C>,
    clock: K,
    listener: TcpListener,
    paused_until_ns: Option<u64>,
    slots: Slots,
    counters: Arc<Counters>,
    wake: Arc<EventFd>,
}

impl<P: Published, C: Commands, K: Clock> Turns<P, C, K> {
    fn run(mut self) {
        while let Some(ready) = self.wait() {
            let now_ns = self.clock.now_ns();
            self.station.turn();
            self.slots.receive(&ready.clients, now_ns);
            if ready.listener {
                self.admit(now_ns);
            }
            self.slots.serve(&mut self.station, &self.counters, now_ns);
            self.slots.close(&self.counters, now_ns);
            self.counters.show_open(self.slots.open());
        }
        log::info!("SCADA server stops");
    }

    /// Waits until there is something to do. `None`: to stop.
    fn wait(&mut self) -> Option<Ready> {
        let timeout = self.timeout(self.clock.now_ns());
        let mut ready = Ready { listener: false, clients: [PollFlags::empty(); CONNECTIONS_MAX] };
        let mut fds: heapless::Vec<PollFd<'_>, { CONNECTIONS_MAX + 2 }> = heapless::Vec::new();
        let mut slots: heapless::Vec<usize, CONNECTIONS_MAX> = heapless::Vec::new();
        let listens = if self.paused_until_ns.is_none() { PollFlags::POLLIN } else { PollFlags::empty() };
        let mut watch = |fd| fds.push(fd).expect("there is room for the wake, the listener and every slot");
        watch(PollFd::new(self.wake.as_fd(), PollFlags::POLLIN));
        watch(PollFd::new(self.listener.as_fd(), listens));
        for (slot, fd, interest) in self.slots.watched() {
            watch(PollFd::new(fd, interest));
            slots.push(slot).expect("there is room for every slot");
        }
        match poll(&mut fds, timeout) {
            Ok(_) => {}
            Err(Errno::EINTR) => return Some(ready),
            Err(error) => {
                log::error!("the SCADA server cannot wait for its sockets and ends: {error}");
                return None;
            }
        }
        // flags that nix does not know count as ready: the socket itself will tell
        let events = |fd: &PollFd<'_>| fd.revents().unwrap_or(PollFlags::POLLIN);
        if !events(&fds[0]).is_empty() {
            return None;
        }
        ready.listener = !events(&fds[1]).is_empty();
        for (slot, fd) in slots.iter().zip(&fds[2..]) {
            ready.clients[*slot] = events(fd);
        }
        Some(ready)
    }

    /// Until the next deadline; not at all while a request is left over.
    fn timeout(&mut self, now_ns: u64) -> PollTimeout {
        self.paused_until_ns = self.paused_until_ns.filter(|until_ns| now_ns < *until_ns);
        let next_ns = [self.slots.next_ns(now_ns), self.paused_until_ns].into_iter().flatten().min();
        let wait_ms = next_ns.map_or(u64::MAX, |next_ns| next_ns.saturating_sub(now_ns).div_ceil(1_000_000));
        PollTimeout::from(u16::try_from(wait_ms).unwrap_or(WAIT_MS_MAX).min(WAIT_MS_MAX))
    }

    fn admit(&mut self, now_ns: u64) {
        for _ in 0..ACCEPTS_PER_TURN {
            match self.listener.accept() {
                Ok((stream, from)) => self.slots.admit(stream, from, &self.counters, now_ns),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                Err(e) if matches!(e.kind(), io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted) => {}
                Err(error) => {
                    log::warn!("the SCADA server takes no connections for a second: {error}");
                    self.paused_until_ns = Some(now_ns.saturating_add(PAUSE_NS));
                    return;
                }
            }
        }
    }
}

/// Makes a client's socket fit for a turn that never waits.
fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)
}
