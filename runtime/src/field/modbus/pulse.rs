//! One-shot actions: each is executed once, in its time, and never on suspicion.
//!
//! An id is tried only if it is above every id tried before, on this connection or an earlier one. If the answer to it is
//! lost it may have been executed, so it is not repeated; it stays unacknowledged, and the scan counts it as expired. A
//! device that is busy (exception 6) has not executed it: that one is tried again until it expires.

use super::fault::Fault;
use super::question::Question;
use super::want::Want;
use flyball_io_map::image::ScanTime;
use flyball_io_map::modbus::Exception;
use flyball_io_map::profile::{Bound, WRITE_MAX};

/// After "busy", the pulse waits so long, ns.
const RETRY_NS: u64 = 250_000_000;

/// One pulse output.
#[derive(Clone, Debug)]
pub(super) struct Pulse {
    /// The group of the bound profile that it writes.
    group: usize,
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

    /// Its request. From here on its id counts as tried.
    pub(super) fn ask(&mut self, bound: &Bound, want: &Want) -> Result<Option<Question>, Fault> {
        let Some(pending) = want.pulse(self.writable) else { return Ok(None) };
        (self.before, self.tried) = (self.tried, pending.id);
        let mut buffer = [0; WRITE_MAX];
        match bound.write(&bound.groups()[self.group], want.values(), &mut buffer) {
            Ok(request) => Ok(Some(Question::new(&request))),
            Err(error) => Err(Fault::CannotWrite { what: format!("pulse {}", pending.id), error }),
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
        if busy {
            self.tried = self.before;
            self.retry_at = ScanTime(now.0.saturating_add(RETRY_NS));
        }
        busy
    }
}
