//! One write request for set-points and choices, and when it is due by the policy of its registers.
//!
//! Written first when the device has come online; then on a change beyond the dead band, not faster than the least gap;
//! then again before the device's own time-out, unchanged. A write whose answer timed out may have been taken or not: it
//! is made again. What the device refused is not repeated with the same value before 30 s are over (it may have been
//! booting, and must not stay unfit for ever). Safe values know no dead band.
//!
//! What the device acknowledged is read back. It has the time that its profile gives, counted from the first write that
//! it has not shown, so that a set-point that always moves is proven too; it may lag by one write. After that it does
//! not do what it is told. What is never refreshed is looked at again every few seconds: a device that restarted may have
//! lost it.
//!
//! A register in flash memory is read first on a new connection, and written only if it does not hold the value yet; one
//! that cannot be read back is not written anew.

use super::fault::Fault;
use super::proof::Proof;
use super::question::Question;
use super::want::Want;
use super::wear::Wear;
use flyball_io_map::image::ScanTime;
use flyball_io_map::modbus::{Exception, Reaction};
use flyball_io_map::profile::{Bound, Profile, WRITE_MAX, WriteGroup};

/// After a refusal that may pass, and after a lost answer, the write waits at least so long, ns.
const RETRY_NS: u64 = 500_000_000;
/// A value that is never refreshed is read back again so long after it was last seen, ns: as often as a slow point.
const SEEN_AGAIN_NS: u64 = 5_000_000_000;
/// What was refused is tried again with the same value so long after, ns.
const REFUSED_AGAIN_NS: u64 = 30_000_000_000;
/// From the so-manieth transient refusal in a row on, the device does not do what it is told.
const REFUSALS_MAX: u32 = 3;

/// What a level wants of the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Write,
    ReadBack,
}

/// One write request and its state.
#[derive(Clone, Debug)]
pub(super) struct Level {
    group: usize,
    writables: Box<[usize]>,
    dead_bands: Box<[f64]>,
    gap_ns: u64,
    refresh_ns: Option<u64>,
    wear: Option<Wear>,
    /// What the device has acknowledged on this connection, and when it was asked to.
    sent: Option<(Box<[f64]>, ScanTime)>,
    retry_at: ScanTime,
    refusals: u32,
    /// What the device refused, and until when it is not tried again.
    refused: Option<(Box<[f64]>, ScanTime)>,
    /// Registers of the last write and of the one before.
    wrote: [Vec<u16>; 2],
    /// What is being written, until it is answered.
    writing: Box<[f64]>,
    proof: Option<Proof>,
    /// When it was last read back.
    seen_at: ScanTime,
    reads_back: bool,
    /// A register in flash memory is compared with this before it is written at all.
    compare: bool,
    /// The device does not do this, or it is not known that it does.
    doubted: bool,
    /// The last block's values were acknowledged.
    last_sent: bool,
    /// Nothing more can be done about them.
    finished: bool,
}

impl Level {
    /// For a group of the profile's writables.
    pub(super) fn new(profile: &Profile, group: usize, spec: &WriteGroup, now: ScanTime) -> Self {
        let policy = spec.policy();
        let ns = |ms: u32| u64::from(ms) * 1_000_000;
        Self {
            group,
            writables: spec.writables().into(),
            dead_bands: spec.writables().iter().map(|w| profile.writables[*w].policy.dead_band).collect(),
            gap_ns: ns(policy.gap_min_ms),
            refresh_ns: policy.refresh_ms.map(ns),
            wear: policy.flash_writes_per_day_max.map(|n| Wear::new(n, now)),
            sent: None,
            retry_at: ScanTime(0),
            refusals: 0,
            refused: None,
            wrote: [Vec::new(), Vec::new()],
            writing: vec![0.0; spec.writables().len()].into(),
            proof: None,
            seen_at: now,
            reads_back: spec.read_back().is_some(),
            compare: false,
            doubted: false,
            last_sent: false,
            finished: false,
        }
    }

    /// A new connection: the device may have forgotten everything but what lies in flash memory. Doubt and wear stay.
    pub(super) fn reconnect(&mut self, bound: &Bound) {
        let kept = self.wear.is_some() && bound.groups()[self.group].read_back().is_none();
        self.sent = self.sent.take().filter(|_| kept);
        self.refused = None;
        self.proof = None;
        self.refusals = 0;
        self.wrote = [Vec::new(), Vec::new()];
        self.last_sent = false;
        self.compare = self.wear.is_some() && bound.groups()[self.group].read_back().is_some();
    }

    /// Whether the device is known not to do this.
    pub(super) fn is_doubted(&self) -> bool {
        self.doubted
    }

    /// Whether the last block's values were written, or cannot be.
    pub(super) fn is_finished(&self) -> bool {
        self.finished
    }

    fn is_wanted(&self, values: &[f64], want: &Want) -> bool {
        self.writables.iter().zip(values).all(|(w, v)| want.values()[*w].to_bits() == v.to_bits())
    }

    /// When it is to be written.
    fn write_due(&self, want: &Want, now: ScanTime) -> Option<ScanTime> {
        if !want.may_write(now) || self.compare {
            return None;
        }
        if let Some((_, until)) = self.refused.as_ref().filter(|(refused, _)| self.is_wanted(refused, want)) {
            return Some(*until);
        }
        let Some((sent, at)) = &self.sent else { return Some(self.retry_at) };
        if want.is_last() {
            return (!self.last_sent && !self.finished).then_some(self.retry_at);
        }
        let changed = self.writables.iter().zip(sent).zip(&self.dead_bands).any(|((w, sent), dead_band)| {
            let dead_band = if want.is_safe(&self.writables) { 0.0 } else { *dead_band };
            (want.values()[*w] - sent).abs() > dead_band
        });
        let on_change = changed.then(|| ScanTime(at.0.saturating_add(self.gap_ns)));
        let on_refresh = self.refresh_ns.map(|ns| ScanTime(at.0.saturating_add(ns)));
        let due = [on_change, on_refresh].into_iter().flatten().min();
        due.map(|due| due.max(self.retry_at))
    }

    /// When it wants something of the device, and what.
    pub(super) fn due(&self, want: &Want, now: ScanTime) -> Option<(ScanTime, Act)> {
        if self.compare && want.may_write(now) {
            return Some((self.retry_at, Act::ReadBack));
        }
        let write = self.write_due(want, now).map(|at| (at, Act::Write));
        let look = match (self.proof, self.refresh_ns) {
            (Some(proof), _) => Some(proof.look),
            (None, None) if self.reads_back && self.sent.is_some() && want.may_write(now) => {
                Some(ScanTime(self.seen_at.0.saturating_add(SEEN_AGAIN_NS)))
            }
            (None, _) => None,
        };
        let proof = look.map(|at| (at, Act::ReadBack));
        // a write that is due supersedes the look at the one before; the time to be shown goes on
        match (write, proof) {
            (Some(w), Some(p)) => Some(if w.0 <= p.0 { w } else { p }),
            (w, p) => w.or(p),
        }
    }

    /// The request that is due. `Ok(None)`: the wear budget holds it back for now.
    pub(super) fn ask(
        &mut self,
        act: Act,
        bound: &Bound,
        want: &Want,
        profile: &Profile,
        now: ScanTime,
    ) -> Result<Option<Question>, Fault> {
        let spec = &bound.groups()[self.group];
        let read_back = spec.read_back().map(|(request, _)| Question::new(&request));
        if act == Act::ReadBack && !self.compare {
            return Ok(read_back);
        }
        let mut buffer = [0; WRITE_MAX];
        let request =
            bound.write(spec, want.values(), &mut buffer).map_err(|error| self.cannot(profile, want, now, error))?;
        let question = Question::new(&request);
        if act == Act::ReadBack {
            self.wrote[0] = question.wrote().to_vec();
            self.copy_wanted(want);
            return Ok(read_back);
        }
        let held_already = want.is_last() && self.sent.as_ref().is_some_and(|(sent, _)| self.is_wanted(sent, want));
        if let Some(wear) = &mut self.wear {
            if held_already {
                self.finished = true;
                return Ok(None);
            }
            if !wear.take(now, want.is_safe(&self.writables)) {
                self.retry_at = ScanTime(now.0.saturating_add(RETRY_NS));
                self.doubted = true;
                self.finished |= want.is_last();
                return Err(Fault::WornOut { at: question.at() });
            }
        }
        self.copy_wanted(want);
        Ok(Some(question))
    }

    fn copy_wanted(&mut self, want: &Want) {
        for (value, w) in self.writing.iter_mut().zip(&self.writables) {
            *value = want.values()[*w];
        }
    }

    fn cannot(
        &mut self,
        profile: &Profile,
        want: &Want,
        now: ScanTime,
        error: flyball_io_map::modbus::EncodeError,
    ) -> Fault {
        self.copy_wanted(want);
        self.refuse(want, now);
        let names: Vec<&str> = self.writables.iter().map(|w| profile.writables[*w].name.as_str()).collect();
        Fault::CannotWrite { what: names.join(", "), error }
    }

    fn refuse(&mut self, want: &Want, now: ScanTime) {
        self.refused = Some((self.writing.clone(), ScanTime(now.0.saturating_add(REFUSED_AGAIN_NS))));
        self.doubted = true;
        self.compare = false;
        self.finished |= want.is_last();
    }

    /// The answer to a write that was sent at `sent`: acknowledged.
    pub(super) fn acknowledged(&mut self, bound: &Bound, question: &Question, want: &Want, sent: ScanTime) {
        self.sent = Some((self.writing.clone(), sent));
        self.refused = None;
        self.refusals = 0;
        self.wrote.swap(0, 1);
        self.wrote[0] = question.wrote().to_vec();
        self.last_sent |= want.is_last() && self.is_wanted(&self.writing, want);
        match (bound.groups()[self.group].read_back(), &mut self.proof) {
            (Some(_), Some(proof)) => proof.superseded(sent),
            (Some((_, within_ms)), None) => self.proof = Some(Proof::new(sent, within_ms)),
            (None, _) => self.proven(want),
        }
    }

    /// The device shows what was written, or cannot be asked.
    fn proven(&mut self, want: &Want) {
        self.proof = None;
        self.doubted = false;
        self.finished = want.is_last() && self.is_wanted(&self.writing, want);
    }

    /// What a read-back shows. `Err`: the device does not do what it is told.
    pub(super) fn shown(
        &mut self,
        bound: &Bound,
        words: &[u16],
        want: &Want,
        now: ScanTime,
        sent: ScanTime,
    ) -> Result<(), Fault> {
        let spec = &bound.groups()[self.group];
        let compared = bound.taken(spec, &self.wrote[0], words);
        self.seen_at = now;
        if self.compare {
            self.compare = false;
            if compared.is_ok() {
                self.sent = Some((self.writing.clone(), sent));
                self.proven(want);
            }
            return Ok(());
        }
        let Err(not_taken) = compared else {
            self.proven(want);
            return Ok(());
        };
        let within_ms = spec.read_back().map_or(0, |(_, within_ms)| within_ms);
        let proof = self.proof.get_or_insert(Proof::new(now, within_ms));
        let lags = !self.wrote[1].is_empty() && bound.taken(spec, &self.wrote[1], words).is_ok();
        if let (true, Some((_, at))) = (lags, &self.sent) {
            proof.all_but_last(*at, within_ms);
        }
        if proof.again(now) {
            return Ok(());
        }
        self.proof = None;
        self.doubted = true;
        Err(Fault::NotTaken(not_taken))
    }

    /// The device refuses the write, or the reading back. `Err`: it does not do what it is told.
    pub(super) fn refuses(
        &mut self,
        act: Act,
        exception: Exception,
        at: u16,
        want: &Want,
        now: ScanTime,
    ) -> Result<(), Fault> {
        self.retry_at = ScanTime(now.0.saturating_add(RETRY_NS));
        let fault = Fault::Refused { at, exception };
        if act == Act::ReadBack {
            self.seen_at = now;
            // a look that proves nothing may fail; the next one is near
            let over = self.compare || self.proof.as_mut().is_some_and(|proof| !proof.again(now));
            self.compare = false;
            self.proof = self.proof.filter(|_| !over);
            self.doubted |= over;
            return if over { Err(fault) } else { Ok(()) };
        }
        self.wear.iter_mut().for_each(Wear::give_back);
        match exception.reaction() {
            Reaction::Permanent | Reaction::OurBug => {
                self.refuse(want, now);
                Err(fault)
            }
            _ => {
                self.refusals += 1;
                self.doubted |= self.refusals >= REFUSALS_MAX;
                if self.refusals >= REFUSALS_MAX { Err(fault) } else { Ok(()) }
            }
        }
    }

    /// No answer: the write may have been taken or not, so it is made again.
    pub(super) fn unanswered(&mut self, act: Act, sent: ScanTime) {
        match (act, &mut self.proof) {
            (Act::Write, _) => {
                self.sent = None;
                self.retry_at = ScanTime(sent.0.saturating_add(self.gap_ns));
            }
            (Act::ReadBack, Some(proof)) => {
                proof.again(sent);
            }
            (Act::ReadBack, None) => self.seen_at = sent,
        }
    }
}
