//! A device on a real Modbus TCP port: one thread, non-blocking sockets, everything bounded.
//!
//! A connection beyond the eighth is closed at once, as small devices do. A connection that has 16 answers on their way
//! is not read from until one has left. A stream that is not Modbus TCP is closed.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, PipeReader, PipeWriter, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::fd::AsFd;
use std::thread::JoinHandle;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::clock::Stopwatch;
use crate::device::Pdu;
use crate::fault::{Fault, Faults, Outcome};
use crate::frame::{FRAME_MAX, Frame, Stream, encode};
use crate::world::Port;

/// Connections at one time.
const CONNECTIONS_MAX: usize = 8;
/// Answers of one connection that wait to be sent.
const WAITING_MAX: usize = 16;
/// How often fault switches are looked at while nothing happens.
const LOOK: Duration = Duration::from_millis(20);

/// What a server asks for its answers.
pub trait Service: Send + 'static {
    /// Answers one request into `out`.
    fn answer(&mut self, unit: u8, pdu: &[u8], out: &mut Pdu) -> Outcome;
}

impl Service for Port {
    fn answer(&mut self, unit: u8, pdu: &[u8], out: &mut Pdu) -> Outcome {
        Self::answer(self, unit, pdu, out)
    }
}

/// A running server; dropping it closes everything and waits for its thread.
#[derive(Debug)]
pub struct Server {
    addr: SocketAddr,
    wake: Option<PipeWriter>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves `service` at `bind` (port 0 takes a free one). `faults` are the switches of the connection itself:
    /// [`Fault::Refuse`] and [`Fault::HalfOpen`]; for a [`Port`] give it `port.faults().clone()`.
    ///
    /// # Errors
    /// When the address cannot be bound, or the system gives no pipe or thread.
    pub fn start(bind: impl ToSocketAddrs, service: impl Service, faults: Faults) -> io::Result<Self> {
        let listener = TcpListener::bind(bind)?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let (reader, wake) = io::pipe()?;
        let name = format!("modbus {}", addr.port());
        let mut serving = Serving { listener, wake: reader, service, faults, connections: Vec::new() };
        serving.connections.reserve_exact(CONNECTIONS_MAX);
        let thread = std::thread::Builder::new().name(name).spawn(move || serving.run())?;
        Ok(Self { addr, wake: Some(wake), thread: Some(thread) })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The reading end sees the hang-up.
        drop(self.wake.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Serving<S> {
    listener: TcpListener,
    wake: PipeReader,
    service: S,
    faults: Faults,
    connections: Vec<Connection>,
}

impl<S: Service> Serving<S> {
    fn run(mut self) {
        let clock = Stopwatch::start();
        while !self.wait(clock.elapsed()) {
            if self.faults.is_set(Fault::Refuse) {
                self.connections.clear();
            }
            self.accept();
            for connection in &mut self.connections {
                connection.serve(&mut self.service, &clock);
            }
            self.connections.retain(|connection| !connection.closed);
        }
    }

    /// Waits until there is something to do; true when the server is to end.
    fn wait(&self, now: Duration) -> bool {
        let mut fds: [PollFd<'_>; 2 + CONNECTIONS_MAX] =
            std::array::from_fn(|_| PollFd::new(self.wake.as_fd(), PollFlags::POLLIN));
        fds[1] = PollFd::new(self.listener.as_fd(), PollFlags::POLLIN);
        let mut timeout = LOOK;
        for (fd, connection) in fds[2..].iter_mut().zip(&self.connections) {
            let (flags, due) = connection.interest(now);
            *fd = PollFd::new(connection.socket.as_fd(), flags);
            timeout = due.map_or(timeout, |due| timeout.min(due));
        }
        let count = 2 + self.connections.len();
        // Rounded up, for a millisecond too early is another round.
        let timeout_ms = u16::try_from(timeout.as_millis() + 1).unwrap_or(u16::MAX);
        let polled = poll(&mut fds[..count], PollTimeout::from(timeout_ms));
        polled.is_ok() && fds[0].any().unwrap_or(true)
    }

    fn accept(&mut self) {
        // Bounded, so that a flood of connections cannot keep the others waiting.
        for _ in 0..CONNECTIONS_MAX {
            let Ok((socket, _)) = self.listener.accept() else { return };
            // Looked at after accepting, so that whoever connects once the fault is gone is taken.
            if self.faults.is_set(Fault::Refuse) || self.connections.len() >= CONNECTIONS_MAX {
                continue;
            }
            if socket.set_nonblocking(true).is_ok() && socket.set_nodelay(true).is_ok() {
                self.connections.push(Connection::new(socket));
            }
        }
    }
}

/// An answer that waits until it is due, and then for the socket.
#[derive(Debug)]
struct Waiting {
    due: Duration,
    bytes: [u8; FRAME_MAX],
    len: usize,
    sent: usize,
}

#[derive(Debug)]
struct Connection {
    socket: TcpStream,
    stream: Stream,
    waiting: VecDeque<Waiting>,
    closed: bool,
}

impl Connection {
    fn new(socket: TcpStream) -> Self {
        Self { socket, stream: Stream::new(), waiting: VecDeque::with_capacity(WAITING_MAX), closed: false }
    }

    /// What the socket is watched for, and how long until an answer is due.
    fn interest(&self, now: Duration) -> (PollFlags, Option<Duration>) {
        let mut flags = PollFlags::empty();
        if self.waiting.len() < WAITING_MAX {
            flags |= PollFlags::POLLIN;
        }
        let due = self.waiting.front().map(|first| first.due.saturating_sub(now));
        match due {
            Some(Duration::ZERO) => (flags | PollFlags::POLLOUT, None),
            due => (flags, due),
        }
    }

    fn serve(&mut self, service: &mut impl Service, clock: &Stopwatch) {
        // A reset must be seen also while nothing is read.
        self.closed |= !matches!(self.socket.take_error(), Ok(None));
        self.send(clock.elapsed());
        self.take_frames(service, clock);
        // Bounded: one buffer a round, and the rest when the others had their turn. Here no whole frame is left in the
        // buffer, so that there is room in it.
        if self.waiting.len() < WAITING_MAX && !self.closed {
            self.receive();
            self.take_frames(service, clock);
        }
    }

    fn receive(&mut self) {
        match self.socket.read(self.stream.room()) {
            Ok(0) => self.closed = true,
            Ok(count) => self.stream.filled(count),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => self.closed = true,
        }
    }

    /// Answers the frames in the buffer, as long as their answers can leave or wait.
    fn take_frames(&mut self, service: &mut impl Service, clock: &Stopwatch) {
        while !self.closed {
            if self.waiting.len() == WAITING_MAX {
                self.send(clock.elapsed());
            }
            if self.waiting.len() == WAITING_MAX {
                return;
            }
            match self.stream.next() {
                Ok(Some(frame)) => self.ask(frame, service, clock),
                Ok(None) => break,
                Err(_) => self.closed = true,
            }
        }
        self.send(clock.elapsed());
    }

    fn ask(&mut self, frame: Frame, service: &mut impl Service, clock: &Stopwatch) {
        let mut out = Pdu::new();
        match service.answer(frame.unit, frame.pdu.as_slice(), &mut out) {
            Outcome::Reply { after_ms } => {
                let due = clock.elapsed() + Duration::from_millis(u64::from(after_ms));
                let (bytes, len) = encode(&Frame { pdu: out, ..frame });
                // Only the first of the queue is ever sent, so answers keep the order of their requests.
                self.waiting.push_back(Waiting { due, bytes, len, sent: 0 });
            }
            Outcome::Silence => {}
            Outcome::Refused => self.closed = true,
        }
    }

    fn send(&mut self, now: Duration) {
        while let Some(first) = self.waiting.front_mut() {
            if first.due > now || self.closed {
                return;
            }
            match self.socket.write(&first.bytes[first.sent..first.len]) {
                Ok(0) => self.closed = true,
                Ok(count) => first.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => self.closed = true,
            }
            if first.sent == first.len {
                self.waiting.pop_front();
            }
        }
    }
}
