//! One client's byte stream, without its socket: requests are put together, answered one at a time in order, and the
//! answers wait until they are sent. While an answer waits, nothing more is read: a client that does not listen is not
//! listened to.
//!
//! A client has [`REQUEST_DEADLINE_MS`] to complete a request that it has begun, [`ANSWER_DEADLINE_MS`] to take an answer,
//! and the idle time between requests. A request of another unit counts as one, though it gets no answer.

use super::frame::{ADU_MAX, Broken, Frame};
use super::guard::Reply;
use std::net::IpAddr;

/// From its first byte on, a request must be whole within this, ms.
pub const REQUEST_DEADLINE_MS: u64 = 1_000;
/// An answer must be taken within this, ms.
pub const ANSWER_DEADLINE_MS: u64 = 5_000;

const MS: u64 = 1_000_000;

/// Why a connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Over {
    /// The client has closed it and has all its answers.
    #[error("closed by the client")]
    Closed,
    /// What it sends is not Modbus TCP.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// It began a request and did not end it.
    #[error("a request was not whole after {REQUEST_DEADLINE_MS} ms")]
    RequestTooSlow,
    /// It asks and does not listen.
    #[error("an answer was not taken for {ANSWER_DEADLINE_MS} ms")]
    AnswerNotTaken,
    /// It asked for nothing.
    #[error("no request for the idle time")]
    Idle,
}

/// One client. Holds one request and one answer, never more.
#[derive(Clone, Debug)]
pub struct Connection {
    peer: IpAddr,
    inbox: [u8; ADU_MAX],
    filled: usize,
    outbox: Reply,
    sent: usize,
    /// Since when the request at the front, or the taking of the answer, is awaited.
    awaited_ns: u64,
    /// When the last whole request came, or the client.
    asked_ns: u64,
    idle_ns: u64,
    closed: bool,
}

impl Connection {
    /// A client that has just come. It may rest for `idle_ms`.
    #[must_use]
    pub fn new(peer: IpAddr, idle_ms: u32, now_ns: u64) -> Self {
        Self {
            peer,
            inbox: [0; ADU_MAX],
            filled: 0,
            outbox: Reply::new(),
            sent: 0,
            awaited_ns: now_ns,
            asked_ns: now_ns,
            idle_ns: u64::from(idle_ms) * MS,
            closed: false,
        }
    }

    /// Its address.
    #[must_use]
    pub fn peer(&self) -> IpAddr {
        self.peer
    }

    /// When it last completed a request, ns; when it came, if it never did.
    #[must_use]
    pub fn asked_ns(&self) -> u64 {
        self.asked_ns
    }

    /// Where received bytes go. Empty while there is nothing to be read: an answer waits, or the inbox is full.
    pub fn spare(&mut self) -> &mut [u8] {
        if self.listens() { &mut self.inbox[self.filled..] } else { &mut [] }
    }

    /// Whether it can take bytes now.
    #[must_use]
    pub fn listens(&self) -> bool {
        !self.closed && self.outgoing().is_empty() && self.filled < ADU_MAX
    }

    /// `count` bytes were put into [`Connection::spare`]; 0 means that the client sends no more.
    ///
    /// # Panics
    /// If there was not so much to spare.
    pub fn received(&mut self, count: usize, now_ns: u64) {
        assert!(count <= self.spare().len() || count == 0, "more bytes than there was room for");
        self.closed |= count == 0;
        if self.filled == 0 {
            self.awaited_ns = now_ns;
        }
        self.filled += count;
    }

    /// Whether a whole request waits and there is room for its answer.
    #[must_use]
    pub fn has_request(&self) -> bool {
        self.outgoing().is_empty() && matches!(Frame::first(&self.inbox[..self.filled]), Ok(Some(_)))
    }

    /// Has at most one request answered: `serve` fills the reply and tells whether there is one.
    pub fn turn(&mut self, now_ns: u64, serve: impl FnOnce(Frame<'_>, IpAddr, &mut Reply) -> bool) {
        if !self.outgoing().is_empty() {
            return;
        }
        let Ok(Some(frame)) = Frame::first(&self.inbox[..self.filled]) else {
            return;
        };
        let used = frame.adu().len();
        self.sent = 0;
        if !serve(frame, self.peer, &mut self.outbox) {
            self.outbox.clear();
        }
        self.inbox.copy_within(used..self.filled, 0);
        self.filled -= used;
        (self.asked_ns, self.awaited_ns) = (now_ns, now_ns);
    }

    /// What waits to be sent.
    #[must_use]
    pub fn outgoing(&self) -> &[u8] {
        &self.outbox[self.sent..]
    }

    /// `count` bytes of [`Connection::outgoing`] are on their way.
    ///
    /// # Panics
    /// If there were not so many.
    pub fn delivered(&mut self, count: usize, now_ns: u64) {
        assert!(count <= self.outgoing().len(), "more bytes sent than there were");
        self.sent += count;
        if count > 0 && self.outgoing().is_empty() {
            self.awaited_ns = now_ns;
        }
    }

    /// When [`Connection::over`] has to be asked again, ns. `None`: it waits for us, not for the client.
    #[must_use]
    pub fn deadline_ns(&self) -> Option<u64> {
        if self.has_request() { None } else { Some(self.due().0) }
    }

    /// Whether it is over, and why.
    #[must_use]
    pub fn over(&self, now_ns: u64) -> Option<Over> {
        if self.outgoing().is_empty() {
            match Frame::first(&self.inbox[..self.filled]) {
                Err(broken) => return Some(broken.into()),
                Ok(Some(_)) => return None,
                Ok(None) if self.closed => return Some(Over::Closed),
                Ok(None) => {}
            }
        }
        let (due_ns, over) = self.due();
        (now_ns >= due_ns).then_some(over)
    }

    /// The next deadline of a client that is waited for.
    fn due(&self) -> (u64, Over) {
        if !self.outgoing().is_empty() {
            return (self.awaited_ns + ANSWER_DEADLINE_MS * MS, Over::AnswerNotTaken);
        }
        let idle = (self.asked_ns + self.idle_ns, Over::Idle);
        let request = (self.awaited_ns + REQUEST_DEADLINE_MS * MS, Over::RequestTooSlow);
        if self.filled > 0 && request.0 <= idle.0 { request } else { idle }
    }
}

#[cfg(test)]
mod tests;
