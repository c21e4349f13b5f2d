//! What is read when, and what a refusal leads to.
//!
//! Each block has a grid of its own from the moment it may first be read. Of several that are due, the one that has
//! waited longest is read: a slow block waits for a fast one at most once, and the other way round.
//!
//! | answer | reaction |
//! |---|---|
//! | exception 2 or 3 | the block is split in halves until the register is found; its points are `Refused` from then on, and it is asked for again after 30 s only (a device may not have all registers while it boots) |
//! | exception 1 | the same for all points of the block, without a search |
//! | exceptions 4 to 8 and unknown ones | the block waits 0.5 s, doubling up to 5 s; its values age, and from the third in a row on its points are `Refused` |
//! | exceptions 10 and 11 | the device behind the gateway is silent: as a time-out, and none of the table |

use super::schedule::Schedule;
use crate::field::backoff::{CAP_NS, DEVICE_FIRST_NS};
use flyball_io_map::image::ScanTime;
use flyball_io_map::modbus::{Exception, Reaction};
use flyball_io_map::profile::{Bound, Profile};

/// What the device does not have is asked for again so long after, ns.
const REFUSED_AGAIN_NS: u64 = 30_000_000_000;
/// From the so-manieth transient exception in a row on, a block's points lose their values.
const REFUSALS_MAX: u32 = 3;

/// What an exception to a read leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is read again in time; its values age.
    Later,
    /// It stands as two blocks now, both due.
    Split,
    /// Its points lose their values until it is answered again.
    Refused,
}

#[derive(Clone, Debug)]
struct Read {
    schedule: Schedule,
    /// Transient exceptions in a row.
    refusals: u32,
    /// Its own period, while it is asked for rarely because the device does not have it.
    rests: Option<u64>,
}

/// The reads of one connection, by the blocks of its [`Bound`].
#[derive(Clone, Debug)]
pub(super) struct Reads {
    poll_ms: u32,
    reads: Vec<Read>,
}

impl Reads {
    /// All blocks of `bound`, due at `now`.
    pub(super) fn new(bound: &Bound, poll_ms: u32, now: ScanTime) -> Self {
        let mut reads = Self { poll_ms, reads: Vec::new() };
        for block in 0..bound.blocks().len() {
            reads.add(bound, block, now);
        }
        reads
    }

    fn add(&mut self, bound: &Bound, block: usize, now: ScanTime) {
        let period_ns = u64::from(bound.blocks()[block].poll().period_ms(self.poll_ms)) * 1_000_000;
        self.reads.push(Read { schedule: Schedule::new(now, period_ns), refusals: 0, rests: None });
    }

    /// The block that has waited longest, and since when; or the next one, and when.
    pub(super) fn due(&self) -> Option<(ScanTime, usize)> {
        self.reads.iter().enumerate().map(|(i, r)| (r.schedule.due(), i)).min()
    }

    /// It is being asked for.
    pub(super) fn asked(&mut self, block: usize, now: ScanTime) {
        self.reads[block].schedule.done(now);
    }

    /// It was answered.
    pub(super) fn answered(&mut self, block: usize, now: ScanTime) {
        let read = &mut self.reads[block];
        read.refusals = 0;
        if let Some(period_ns) = read.rests.take() {
            read.schedule = Schedule::new(ScanTime(now.0 + period_ns), period_ns);
        }
    }

    /// The device refuses it.
    pub(super) fn refused(
        &mut self,
        block: usize,
        exception: Exception,
        now: ScanTime,
        bound: &mut Bound,
        profile: &Profile,
    ) -> Outcome {
        let splits = matches!(exception, Exception::IllegalAddress | Exception::IllegalValue);
        match exception.reaction() {
            Reaction::Permanent | Reaction::OurBug => {
                let sync = |point: usize| profile.points.get(point).and_then(|p| p.sync);
                let second = if splits { bound.split_block(block, sync) } else { None };
                match second {
                    Some(second) => {
                        self.reads[block].schedule = Schedule::new(now, self.reads[block].schedule.period_ns());
                        self.add(bound, second, now);
                        Outcome::Split
                    }
                    None => {
                        let read = &mut self.reads[block];
                        read.rests.get_or_insert(read.schedule.period_ns());
                        read.schedule = Schedule::new(ScanTime(now.0 + REFUSED_AGAIN_NS), REFUSED_AGAIN_NS);
                        Outcome::Refused
                    }
                }
            }
            Reaction::Transient | Reaction::Accepted | Reaction::Gateway => {
                let read = &mut self.reads[block];
                let pause_ns = (DEVICE_FIRST_NS << read.refusals.min(8)).min(CAP_NS);
                read.schedule.not_before(ScanTime(now.0.saturating_add(pause_ns)));
                read.refusals += 1;
                if read.refusals < REFUSALS_MAX { Outcome::Later } else { Outcome::Refused }
            }
        }
    }
}
