//! The heartbeat: a counter that we keep moving in the device, only while scans complete.

use super::schedule::Schedule;
use super::want::Want;
use flyball_io_map::image::ScanTime;
use flyball_io_map::profile::Heartbeat;

/// The counter and its grid.
#[derive(Clone, Debug)]
pub(super) struct Beat {
    first: u32,
    last: u32,
    next: u32,
    period_ns: u64,
    schedule: Schedule,
}

impl Beat {
    pub(super) fn new(heartbeat: &Heartbeat) -> Self {
        let (first, last) = heartbeat.counter;
        let period_ns = u64::from(heartbeat.every_ms) * 1_000_000;
        Self { first, last, next: first, period_ns, schedule: Schedule::new(ScanTime(0), period_ns) }
    }

    /// The device has just come online: it hears from us at once. The counter goes on where it was.
    pub(super) fn begin(&mut self, now: ScanTime) {
        self.schedule = Schedule::new(now, self.period_ns);
    }

    /// When it is to move.
    pub(super) fn due(&self, want: &Want, now: ScanTime) -> Option<ScanTime> {
        (want.has_scanned() && !want.stalled(now)).then(|| self.schedule.due())
    }

    /// It is being written: the number to write.
    pub(super) fn ask(&mut self, now: ScanTime) -> f64 {
        self.schedule.done(now);
        let number = self.next;
        self.next = if number >= self.last { self.first } else { number + 1 };
        f64::from(number)
    }
}
