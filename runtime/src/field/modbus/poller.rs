//! One device, without a socket and without a clock: ask [`Poller::next`] what to send, hand in what came.
//!
//! **Reads** the device's registers by poll class on absolute grids, and what the scan wants of it. **Gives** the block
//! that the scan latches: readings stamped with the time their request was sent, `online`, and which pulses were
//! executed. The same code runs over sockets ([`super::endpoint`]) and in virtual time, where a simulated device answers
//! directly.
//!
//! **When something is lost.** A request without an answer marks nothing: values age, and their consumers judge them. A
//! device that has answered nothing for [`SILENT_AFTER_POLLS`] polls (each as long as its time-out, if that is longer) is
//! silent: its readings lose their values, and everything begins anew with the connect sequence after a pause of 0.5 s,
//! doubling up to 5 s. The same follows on a lost connection, at once, and on whatever means that the device may have
//! restarted. `online` is true only while the sequence is done and no write is known not to be taken.
//!
//! **When the scan stalls**, heartbeats and refreshes stop, and so do all requests to a device whose watchdog is kept by
//! any request: the device's own watchdog acts.

use super::beat::Beat;
use super::connect::Sequence;
use super::fault::Fault;
use super::level::{Act, Level};
use super::life::Life;
use super::pulse::Pulse;
use super::question::Question;
use super::reads::Reads;
use super::want::Want;
use crate::field::backoff::{Backoff, DEVICE_FIRST_NS};
use crate::field::block::{DeviceWords, FromDevice, Outputs};
use crate::field::counters::Counts;
use flyball_io_map::image::{NoData, Reading, ScanTime};
use flyball_io_map::modbus::Request;
use flyball_io_map::profile::{self, Bound, KeptBy, Profile, Watchdog};
use std::sync::Arc;

/// A device that has not answered for so many polls is silent: one lost answer is an accident, three are a fact.
pub const SILENT_AFTER_POLLS: u64 = 3;
/// A scan that has not moved for so long has stalled, ns, unless five of its periods are longer: well above the slots that a
/// busy machine skips, well below the watchdogs of devices (2 s and more).
pub const STALLED_AFTER_NS: u64 = 500_000_000;
/// One connect write is read back each time, ns, to see whether the device still has it. A device that restarted is
/// found out within so long times the number of its connect writes.
pub(super) const VERIFY_EVERY_NS: u64 = 1_000_000_000;
/// So far away that it is never.
pub(super) const NEVER: ScanTime = ScanTime(u64::MAX);

/// What the site says of a device.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How often it is polled, ms.
    pub poll_ms: u32,
    /// Time-out of its own watchdog, ms; `None`: the profile's usual one.
    pub watchdog_ms: Option<u32>,
    /// Its outputs in the order of the scan's block, as indices of the profile's writables. A device without any is only
    /// read: no connect write, no heartbeat.
    pub outputs: Vec<usize>,
    /// The scan period, ns.
    pub scan_period_ns: u64,
    /// Of the jitter.
    pub seed: u64,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// Send this, and hand in its answer, or that there is none.
    Send(Request<'a>),
    /// Nothing before this time, unless the scan wants something else before.
    Wait(ScanTime),
}

/// What the request in flight is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    Sequence,
    Block(usize),
    Level(usize, Act),
    Pulse(usize),
    Beat,
    Verify(usize),
}

impl Task {
    pub(super) fn writes(self) -> bool {
        matches!(self, Self::Level(_, Act::Write) | Self::Pulse(_) | Self::Beat)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Flight {
    pub(super) task: Task,
    pub(super) question: Question,
    pub(super) sent: ScanTime,
}

/// One device.
#[derive(Debug)]
pub struct Poller {
    pub(super) profile: Arc<Profile>,
    pub(super) poll_ms: u32,
    pub(super) bind: profile::Settings,
    pub(super) words: DeviceWords,
    pub(super) readings: Box<[Reading]>,
    /// The profile on this connection; there from discovery on.
    pub(super) bound: Option<Bound>,
    pub(super) sequence: Sequence,
    pub(super) sequence_ready: ScanTime,
    pub(super) reads: Option<Reads>,
    pub(super) life: Option<Life>,
    pub(super) want: Want,
    pub(super) levels: Vec<Level>,
    pub(super) pulses: Vec<Pulse>,
    pub(super) beat: Option<Beat>,
    pub(super) verify: (usize, ScanTime),
    pub(super) flight: Option<Flight>,
    pub(super) wrote_last: bool,
    /// The pause that the device wants between two requests.
    pub(super) ready_at: ScanTime,
    /// The pause after a fault.
    pub(super) hold_until: ScanTime,
    pub(super) backoff: Backoff,
    /// When the first request was sent that nothing was heard of since.
    pub(super) unheard_since: Option<ScanTime>,
    pub(super) silent: bool,
    pub(super) bad_answers: u32,
    stamp_at: ScanTime,
    pub(super) online: bool,
    pub(super) fault: Option<Fault>,
    pub(super) counts: Counts,
    silent_ns: u64,
    hushes: bool,
    /// Whether any output is more than a pulse.
    keeps_values: bool,
}

impl Poller {
    /// A device that was never heard of.
    ///
    /// # Panics
    /// If an output is not a writable of the profile; the site's checker makes the list.
    #[must_use]
    pub fn new(profile: Arc<Profile>, settings: &Settings, now: ScanTime) -> Self {
        let outputs = &settings.outputs;
        let stalled_after_ns = STALLED_AFTER_NS.max(5 * settings.scan_period_ns);
        let is_pulse = |w: &&usize| matches!(profile.writables[**w].kind, profile::WritableKind::Pulse { .. });
        let pulses = outputs.iter().filter(is_pulse).count();
        let layout = FromDevice::new(profile.points.len(), pulses);
        let kept_by_any = matches!(profile.watchdog, Watchdog::Device { kept_by: KeptBy::AnyRequest, .. });
        Self {
            poll_ms: settings.poll_ms,
            bind: profile::Settings { watchdog_ms: settings.watchdog_ms },
            words: DeviceWords::new(layout),
            readings: vec![Reading::NEVER; profile.points.len()].into(),
            bound: None,
            sequence: Sequence::new(&profile, !outputs.is_empty(), now),
            sequence_ready: now,
            reads: None,
            life: Life::of(&profile),
            want: Want::new(&profile.writables, outputs, stalled_after_ns, now),
            levels: Vec::new(),
            pulses: Vec::new(),
            beat: profile.heartbeat.as_ref().filter(|_| !outputs.is_empty()).map(Beat::new),
            verify: (0, NEVER),
            flight: None,
            wrote_last: false,
            ready_at: now,
            hold_until: now,
            backoff: Backoff::new(DEVICE_FIRST_NS, settings.seed),
            unheard_since: Some(now),
            silent: false,
            bad_answers: 0,
            stamp_at: now,
            online: false,
            fault: None,
            counts: Counts { sequences: 1, ..Counts::default() },
            silent_ns: SILENT_AFTER_POLLS * silent_poll_ns(&profile, settings.poll_ms),
            hushes: kept_by_any && !outputs.is_empty(),
            keeps_values: pulses < outputs.len(),
            profile,
        }
    }

    /// What to do at `now`, given what the scan wants. While a request is in flight there is nothing to send.
    pub fn next(&mut self, now: ScanTime, block: &Outputs<'_>) -> Step<'_> {
        self.want.take(now, block);
        self.watch(now);
        let hold = self.ready_at.max(self.hold_until);
        if self.flight.is_some() || now < hold || self.is_hushed(now) {
            let next = if self.flight.is_some() || now >= hold { NEVER } else { hold };
            return Step::Wait(next.min(self.stamp_at));
        }
        // each turn that sends nothing has changed something that ends its own repetition
        for _ in 0..4 + 2 * self.levels.len() {
            match self.pick(now) {
                Ok((due, task)) if due <= now => {
                    if let Some(question) = self.ask(task, now) {
                        self.wrote_last = task.writes();
                        self.counts.polls += 1;
                        self.counts.writes += u64::from(!question.wrote().is_empty());
                        let flight = self.flight.insert(Flight { task, question, sent: now });
                        return Step::Send(flight.question.request());
                    }
                }
                Ok((due, _)) => return Step::Wait(due.min(self.stamp_at)),
                Err(fault) => self.sequence_failed(now, fault),
            }
            if now < self.hold_until {
                break;
            }
        }
        Step::Wait(self.hold_until.max(ScanTime(now.0 + 1_000_000)).min(self.stamp_at))
    }

    /// Lets time pass while nothing can be sent. When it has to be told again.
    pub fn rest(&mut self, now: ScanTime, block: &Outputs<'_>) -> ScanTime {
        self.want.take(now, block);
        self.watch(now);
        self.stamp_at
    }

    /// What was known of the device when something last changed: publish it whenever [`DeviceWords::number`] has moved.
    #[must_use]
    pub fn words(&self) -> &DeviceWords {
        &self.words
    }

    /// How long to wait for an answer, ns.
    #[must_use]
    pub fn timeout_ns(&self) -> u64 {
        u64::from(self.profile.link.timeout_ms) * 1_000_000
    }

    /// Whether the connect sequence is done and the device does what it is told.
    #[must_use]
    pub fn is_online(&self) -> bool {
        self.online
    }

    /// Whether the last request was answered, by whatever.
    #[must_use]
    pub fn is_answering(&self) -> bool {
        self.unheard_since.is_none()
    }

    /// What is wrong with it now.
    #[must_use]
    pub fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }

    /// Whether nothing is left to be done for the scan's last block.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.want.is_last()
            && (!self.keeps_values || self.bound.is_some() && self.levels.iter().all(Level::is_finished))
    }

    /// What happened so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts { fault: self.fault.as_ref().map_or(0, Fault::code), ..self.counts }
    }

    /// The answer to a request that had timed out came in the end, and was dropped.
    pub fn note_late_answer(&mut self) {
        self.counts.late_answers += 1;
    }

    /// Silence, and the stamp of a device that is not online.
    fn watch(&mut self, now: ScanTime) {
        let unheard = self.unheard_since.is_some_and(|since| now.since(since) >= self.silent_ns);
        if unheard && !self.silent {
            self.silent = true;
            self.lose_all(NoData::DeviceSilent);
            if self.sequence.may_poll() {
                // what it may still answer belongs to a connection that is over
                self.counts.timeouts += u64::from(self.flight.take().is_some());
                self.start_anew(now, Fault::Silent);
            } else {
                self.fault = Some(Fault::Silent);
            }
        }
        if now >= self.stamp_at {
            if !self.online || self.is_answering() {
                self.words.set_online(self.online, now);
            }
            self.stamp_at = ScanTime(now.0 + u64::from(self.poll_ms.clamp(50, 1_000)) * 1_000_000);
        }
    }

    fn is_hushed(&self, now: ScanTime) -> bool {
        self.hushes && self.want.has_scanned() && !self.want.is_last() && self.want.stalled(now)
    }

    pub(super) fn sequence_went_on(&mut self, now: ScanTime) {
        self.sequence_ready = now;
    }
}

/// How long a poll may last before it counts as missed: the shortest poll period of the profile's points, or its time-out.
fn silent_poll_ns(profile: &Profile, poll_ms: u32) -> u64 {
    let period_ms = profile.points.iter().map(|p| p.poll.period_ms(poll_ms)).min().unwrap_or(poll_ms);
    u64::from(period_ms.max(profile.link.timeout_ms)) * 1_000_000
}
