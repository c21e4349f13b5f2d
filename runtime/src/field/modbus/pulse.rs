//! One-shot actions: each is executed once, in its time, and never on suspicion.
//!
//! An id is tried only if it is above every id tried before, on this connection or an earlier one. If the answer to it is
//! lost it may have been executed, so it is not repeated; it stays unacknowledged, and the scan counts it as expired. A
//! device that is busy (exception 6) has not executed it: that one is tried again until it expires.

use super::want::Want;
use flyball_io_map::image::ScanTime;
use flyball_io_map::modbus::{Exception, Reaction};

/// After "busy", the pulse waits so long, ns.
const RETRY_NS: u64 = 250_000_000;

/// One pulse output.
#[derive(Clone, Debug)]
pub(super) struct Pulse {
    /// The group of the bound profile that it writes.
    pub(super) group: usize,
    writable: usize,
    tried: u64,
    before: u64,
    executed: u64,
    retry_at: ScanTime,
}

impl Pulse {
    pub(super) fn new(group: usize, writable: usize) -> Self {
        Self { group, writable, tried: 0, before: 0, executed: 0, retry_at: ScanTime(0) }
    }

    /// When it is to be executed.
    pub(super) fn due(&self, want: &Want, now: ScanTime) -> Option<ScanTime> {
        let pending = want.pulse(self.writable).filter(|_| want.may_write(now))?;
        (pending.id > self.tried && now < pending.expires).then_some(self.retry_at)
    }

    /// It is being executed.
    pub(super) fn asked(&mut self, want: &Want) {
        if let Some(pending) = want.pulse(self.writable) {
            (self.before, self.tried) = (self.tried, pending.id);
        }
    }

    /// The device acknowledged it. The highest id that was executed.
    pub(super) fn acknowledged(&mut self) -> u64 {
        self.executed = self.tried;
        self.executed
    }

    /// The device refuses it. Whether it may be tried again.
    pub(super) fn refused(&mut self, exception: Exception, now: ScanTime) -> bool {
        let busy = exception == Exception::Busy;
        debug_assert!(!busy || exception.reaction() == Reaction::Transient);
        if busy {
            self.tried = self.before;
            self.retry_at = ScanTime(now.0.saturating_add(RETRY_NS));
        }
        busy
    }
}
