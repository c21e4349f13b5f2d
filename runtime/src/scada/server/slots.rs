//! The clients that are in, each with its socket. All slots are allocated once.

use super::super::admission::{Guests, Verdict, judge};
use super::super::connection::{Connection, Over};
use super::super::ports::{Commands, Published};
use super::super::settings::{CONNECTIONS_MAX, Settings};
use super::super::station::Station;
use super::counts::{Counters, count};
use super::prepare;
use nix::poll::PollFlags;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};

#[derive(Debug)]
struct Client {
    stream: TcpStream,
    connection: Connection,
    /// Its socket has failed: there is nobody to talk to.
    gone: bool,
}

/// At most [`CONNECTIONS_MAX`] clients.
#[derive(Debug)]
pub(super) struct Slots {
    clients: Vec<Option<Client>>,
    guests: Guests,
    idle_ms: u32,
}

impl Slots {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            clients: (0..settings.connections_max.min(CONNECTIONS_MAX)).map(|_| None).collect(),
            guests: Guests::new(settings),
            idle_ms: settings.idle_ms,
        }
    }

    pub(super) fn open(&self) -> u64 {
        self.clients.iter().flatten().map(|_| 1).sum()
    }

    /// Each client's slot and socket, and what it waits for.
    pub(super) fn watched(&self) -> impl Iterator<Item = (usize, BorrowedFd<'_>, PollFlags)> {
        self.clients.iter().enumerate().filter_map(|(slot, client)| {
            let client = client.as_ref()?;
            let mut interest = PollFlags::empty();
            interest.set(PollFlags::POLLIN, client.connection.listens());
            interest.set(PollFlags::POLLOUT, !client.connection.outgoing().is_empty());
            Some((slot, client.stream.as_fd(), interest))
        })
    }

    /// When something has to be looked at again, ns: now, if a request is left over.
    pub(super) fn next_ns(&self, now_ns: u64) -> Option<u64> {
        self.clients.iter().flatten().map(|c| c.connection.deadline_ns().unwrap_or(now_ns)).min()
    }

    /// Reads once from every client that is ready, and sends what could not be sent before.
    pub(super) fn receive(&mut self, ready: &[PollFlags; CONNECTIONS_MAX], now_ns: u64) {
        for (client, events) in self.clients.iter_mut().zip(ready) {
            let Some(client) = client.as_mut().filter(|_| !events.is_empty()) else {
                continue;
            };
            client.send(now_ns);
            client.receive(now_ns);
            // a failed socket shows its error when it is used; one that is not used now would stay ready for ever
            client.gone |= events.intersects(PollFlags::POLLERR | PollFlags::POLLNVAL);
        }
    }

    /// Lets a client in, or closes its socket, which it sees as an orderly end.
    pub(super) fn admit(&mut self, stream: TcpStream, from: SocketAddr, counters: &Counters, now_ns: u64) {
        let peer = from.ip().to_canonical();
        let open = self.clients.iter().enumerate().filter_map(|(slot, client)| {
            let connection = &client.as_ref()?.connection;
            Some((slot, connection.peer(), connection.asked_ns()))
        });
        let slot = match judge(peer, self.clients.len(), open, &self.guests) {
            Verdict::Admit => self.clients.iter().position(Option::is_none),
            Verdict::Displace(slot) => {
                count(&counters.displaced);
                Some(slot)
            }
            Verdict::Refuse => None,
        };
        let Some(slot) = slot.filter(|_| prepare(&stream).is_ok()) else {
            count(&counters.refused);
            return;
        };
        count(&counters.accepted);
        self.clients[slot] =
            Some(Client { stream, connection: Connection::new(peer, self.idle_ms, now_ns), gone: false });
    }

    /// Answers at most one request of every client.
    pub(super) fn serve<P: Published, C: Commands>(
        &mut self,
        station: &mut Station<P, C>,
        counters: &Counters,
        now_ns: u64,
    ) {
        for client in self.clients.iter_mut().flatten() {
            client.connection.turn(now_ns, |frame, peer, reply| {
                let answered = station.serve(frame, peer, now_ns, reply);
                if answered {
                    count(&counters.answered);
                }
                if reply.get(7).is_some_and(|function| function & 0x80 != 0) {
                    count(&counters.exceptions);
                }
                answered
            });
            client.send(now_ns);
        }
    }

    /// Closes every connection that is over.
    pub(super) fn close(&mut self, counters: &Counters, now_ns: u64) {
        for client in &mut self.clients {
            let Some(over) = client.as_ref().and_then(|c| c.over(now_ns)) else {
                continue;
            };
            if over != Over::Closed {
                count(&counters.dropped);
            }
            *client = None;
        }
    }
}

impl Client {
    fn receive(&mut self, now_ns: u64) {
        let spare = self.connection.spare();
        if spare.is_empty() {
            return;
        }
        match self.stream.read(spare) {
            Ok(bytes) => self.connection.received(bytes, now_ns),
            Err(e) => self.gone |= !passes(&e),
        }
    }

    fn send(&mut self, now_ns: u64) {
        let outgoing = self.connection.outgoing();
        if outgoing.is_empty() {
            return;
        }
        match self.stream.write(outgoing) {
            Ok(bytes) => self.connection.delivered(bytes, now_ns),
            Err(e) => self.gone |= !passes(&e),
        }
    }

    fn over(&self, now_ns: u64) -> Option<Over> {
        if self.gone { Some(Over::Closed) } else { self.connection.over(now_ns) }
    }
}

/// Whether a socket's error means "later".
fn passes(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
