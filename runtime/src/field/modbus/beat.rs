//! The heartbeat: a counter that we keep moving in the device, only while scans complete.

use super::fault::Fault;
use super::question::Question;
use super::schedule::Schedule;
use super::want::Want;
use flyball_io_map::image::ScanTime;
use flyball_io_map::profile::{Bound, Heartbeat, WRITE_MAX};

/// The counter and its grid.
#[derive(Clone, Debug)]
pub(super) struct Beat {
    first: u32,
    last: u32,
    next: u32,
    period_ns: u64,
    schedule: Schedule,
    refused: bool,
}

impl Beat {
    pub(super) fn new(heartbeat: &Heartbeat) -> Self {
        let (first, last) = heartbeat.counter;
        let period_ns = u64::from(heartbeat.every_ms) * 1_000_000;
        Self { first, last, next: first, period_ns, schedule: Schedule::new(ScanTime(0), period_ns), refused: false }
    }

    /// The device has just come online: it hears from us at once. The counter goes on where it was.
    pub(super) fn begin(&mut self, now: ScanTime) {
        self.schedule = Schedule::new(now, self.period_ns);
    }

    /// Whether the device took the last one.
    pub(super) fn answered(&mut self, taken: bool) {
        self.refused = !taken;
    }

    /// Whether the device is known not to take it: its watchdog will act.
    pub(super) fn is_refused(&self) -> bool {
        self.refused
    }

    /// When it is to move.
    pub(super) fn due(&self, want: &Want, now: ScanTime) -> Option<ScanTime> {
        (want.has_scanned() && !want.stalled(now)).then(|| self.schedule.due())
    }

    /// The request that moves it on.
    pub(super) fn ask(&mut self, bound: &Bound, now: ScanTime) -> Result<Option<Question>, Fault> {
        self.schedule.done(now);
        let Some(group) = bound.heartbeat() else { return Ok(None) };
        let number = self.next;
        self.next = if number >= self.last { self.first } else { number + 1 };
        let mut buffer = [0; WRITE_MAX];
        match bound.write(group, &[f64::from(number)], &mut buffer) {
            Ok(request) => Ok(Some(Question::new(&request))),
            Err(error) => Err(Fault::CannotWrite { what: "heartbeat".to_owned(), error }),
        }
    }
}
