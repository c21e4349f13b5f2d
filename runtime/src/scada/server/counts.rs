//! What the server has done, for status lines and alarms.

use std::sync::atomic::{AtomicU64, Ordering};

/// What the server has done since it was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections open now.
    pub open: u64,
    /// Connections that were let in.
    pub accepted: u64,
    /// Clients that may not connect, or found no slot.
    pub refused: u64,
    /// Connections that were displaced by a newer one of their own peer.
    pub displaced: u64,
    /// Connections that were closed because the client was too slow, idle, or did not speak Modbus TCP.
    pub dropped: u64,
    /// Requests that were answered.
    pub answered: u64,
    /// Answers among them that were exceptions.
    pub exceptions: u64,
}

/// The counts while they are counted, by the server thread alone.
#[derive(Debug, Default)]
pub(super) struct Counters {
    open: AtomicU64,
    pub(super) accepted: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) displaced: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) answered: AtomicU64,
    pub(super) exceptions: AtomicU64,
}

impl Counters {
    pub(super) fn show_open(&self, connections: u64) {
        self.open.store(connections, Ordering::Relaxed);
    }

    pub(super) fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            open: read(&self.open),
            accepted: read(&self.accepted),
            refused: read(&self.refused),
            displaced: read(&self.displaced),
            dropped: read(&self.dropped),
            answered: read(&self.answered),
            exceptions: read(&self.exceptions),
        }
    }
}

/// One more.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
