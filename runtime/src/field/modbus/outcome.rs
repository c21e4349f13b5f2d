//! What an answer, a refusal or silence leads to.

use super::beat::Beat;
use super::connect::Sequence;
use super::fault::{Fault, LinkFault};
use super::level::{Act, Level};
use super::life::Life;
use super::poller::{Flight, Poller, Task};
use super::pulse::Pulse;
use super::reads::{Outcome, Reads};
use flyball_io_map::image::{NoData, Reading, ScanTime};
use flyball_io_map::modbus::pdu::READ_BITS_MAX;
use flyball_io_map::modbus::{Exception, Reaction, Reply, ReplyError};
use flyball_io_map::profile::{Bound, Decoded, WritableKind};

/// After so many answers in a row that are not to the question, the device is not one to be believed.
const BAD_ANSWERS_MAX: u32 = 3;

impl Poller {
    /// The answer to what [`Poller::next`] sent: its PDU, or why there is none. Without a request in flight it is nothing.
    pub fn answered(&mut self, now: ScanTime, answer: Result<&[u8], LinkFault>) {
        let Some(flight) = self.flight.take() else { return };
        self.ready_at = ScanTime(now.0 + u64::from(self.profile.link.gap_min_ms) * 1_000_000);
        match answer {
            Ok(pdu) => match flight.question.check(pdu) {
                Ok(reply) => {
                    self.heard();
                    // writes may well be answered rightly by a device whose reads are not: they do not count for it
                    self.bad_answers = if reply == Reply::Written { self.bad_answers } else { 0 };
                    self.accepted(now, &flight, &reply);
                    if self.online {
                        self.words.set_online(true, flight.sent);
                    }
                }
                Err(ReplyError::Exception(exception)) => self.excepted(now, &flight, exception),
                Err(bad) => self.bad_answer(now, &flight, Fault::BadAnswer(bad)),
            },
            Err(LinkFault::Timeout) => {
                self.counts.timeouts += 1;
                self.unanswered(now, &flight);
            }
            Err(fault @ LinkFault::WrongUnit { .. }) => self.bad_answer(now, &flight, Fault::Link(fault)),
            Err(fault @ (LinkFault::Disconnected | LinkFault::Framing(_))) => {
                self.unanswered(now, &flight);
                self.connection_lost(now, fault);
            }
        }
        self.judge(now);
    }

    /// The connection is gone, or was made anew, while nothing was in flight.
    pub fn disconnected(&mut self, now: ScanTime) {
        if let Some(flight) = self.flight.take() {
            self.unanswered(now, &flight);
        }
        self.connection_lost(now, LinkFault::Disconnected);
        self.judge(now);
    }

    fn connection_lost(&mut self, now: ScanTime, fault: LinkFault) {
        self.counts.disconnects += 1;
        self.unheard_since.get_or_insert(now);
        self.start_anew(now, Fault::Link(fault));
    }

    fn heard(&mut self) {
        self.counts.answers += 1;
        self.unheard_since = None;
        self.silent = false;
    }

    fn excepted(&mut self, now: ScanTime, flight: &Flight, exception: Exception) {
        self.counts.exceptions += 1;
        if exception.reaction() == Reaction::Gateway {
            // the gateway answered, the device did not
            self.counts.answers += 1;
            return self.unanswered(now, flight);
        }
        self.heard();
        if exception.reaction() == Reaction::Accepted && flight.task.writes() {
            return self.accepted(now, flight, &Reply::Written);
        }
        self.refused(now, flight, exception);
    }

    /// What came is no answer, so that nothing is known of a write, and no value comes from it.
    fn bad_answer(&mut self, now: ScanTime, flight: &Flight, fault: Fault) {
        self.counts.bad_answers += 1;
        self.bad_answers += 1;
        self.unanswered(now, flight);
        if self.bad_answers >= BAD_ANSWERS_MAX {
            self.bad_answers = 0;
            self.start_anew(now, fault);
        }
    }

    fn unanswered(&mut self, now: ScanTime, flight: &Flight) {
        self.unheard_since.get_or_insert(flight.sent);
        match flight.task {
            Task::Level(i, act) => self.levels[i].unanswered(act, flight.sent),
            Task::Block(_) | Task::Sequence if !self.sequence.may_poll() => {
                self.start_anew(now, Fault::Link(LinkFault::Timeout));
            }
            Task::Block(_) | Task::Sequence | Task::Pulse(_) | Task::Beat | Task::Verify(_) => {}
        }
    }

    fn accepted(&mut self, now: ScanTime, flight: &Flight, reply: &Reply<'_>) {
        let mut words = [0; READ_BITS_MAX as usize];
        let count = reply.values().copy_to(&mut words);
        let words = &words[..count];
        match flight.task {
            Task::Sequence => self.sequence_answered(now, flight, Ok(words)),
            Task::Block(block) => self.block_read(now, flight, block, words),
            Task::Level(i, act) => {
                let Some(bound) = &self.bound else { return };
                let shown = match act {
                    Act::Write => {
                        self.levels[i].acknowledged(bound, &flight.question, &self.want, flight.sent);
                        Ok(())
                    }
                    Act::ReadBack => self.levels[i].shown(bound, words, &self.want, now, flight.sent),
                };
                if let Err(fault) = shown {
                    self.counts.writes_not_taken += 1;
                    self.arm_anew(now, fault);
                }
            }
            Task::Pulse(i) => {
                let id = self.pulses[i].acknowledged();
                self.words.set_pulse_done(i, id);
                self.counts.pulses_done += 1;
            }
            Task::Beat => self.beat.iter_mut().for_each(|beat| beat.answered(true)),
            Task::Verify(step) => {
                let Some(bound) = &self.bound else { return };
                let Some(group) = bound.connect().get(step) else { return };
                if let Err(lost) = bound.taken(group, self.sequence.wrote(step), words) {
                    self.start_anew(now, Fault::SettingLost(lost));
                }
            }
        }
    }

    fn refused(&mut self, now: ScanTime, flight: &Flight, exception: Exception) {
        let at = flight.question.at();
        match flight.task {
            Task::Sequence => self.sequence_answered(now, flight, Err(exception)),
            Task::Block(block) => self.block_refused(now, block, exception),
            Task::Level(i, act) => {
                if let Err(fault) = self.levels[i].refuses(act, exception, at, &self.want, now) {
                    self.fault = Some(fault);
                }
            }
            Task::Pulse(i) => {
                self.counts.pulses_refused += u64::from(!self.pulses[i].refused(exception, now));
            }
            Task::Beat => {
                self.beat.iter_mut().for_each(|beat| beat.answered(false));
                self.fault = Some(Fault::Refused { at, exception });
            }
            Task::Verify(_) => {}
        }
    }

    fn sequence_answered(&mut self, now: ScanTime, flight: &Flight, answer: Result<&[u16], Exception>) {
        self.sequence_went_on(now);
        let bound = self.bound.as_ref();
        if let Err(fault) = self.sequence.answer(now, flight.sent, bound, &flight.question, answer) {
            self.sequence_failed(now, fault);
        }
    }

    fn block_read(&mut self, now: ScanTime, flight: &Flight, block: usize, words: &[u16]) {
        let (Some(bound), Some(reads)) = (&mut self.bound, &mut self.reads) else { return };
        reads.answered(block, now);
        let decoded = bound.decode_block(block, words, flight.sent, &mut self.readings);
        for point in bound.blocks()[block].points() {
            self.words.set_reading(point, self.readings[point]);
        }
        self.sequence.block_read(block);
        let in_block = |life: &&mut Life| bound.blocks()[block].points().any(|p| p == life.point);
        if let Some(life) = self.life.as_mut().filter(in_block)
            && life.note(self.readings[life.point])
        {
            let point = self.profile.points[life.point].name.clone();
            self.start_anew(now, Fault::Restarted { point });
        }
        if let Decoded::ScaleChanged { at } = decoded {
            self.lose_all(NoData::Implausible);
            self.start_anew(now, Fault::ScaleChanged { at });
        }
    }

    fn block_refused(&mut self, now: ScanTime, block: usize, exception: Exception) {
        let (Some(bound), Some(reads)) = (&mut self.bound, &mut self.reads) else { return };
        let outcome = reads.refused(block, exception, now, bound, &self.profile);
        if outcome == Outcome::Refused {
            for point in bound.blocks()[block].points() {
                self.readings[point] = Reading::new(Err(NoData::Refused(exception.code())), now);
                self.words.set_reading(point, self.readings[point]);
            }
            self.sequence.block_read(block);
        }
        if outcome == Outcome::Later && !self.sequence.may_poll() {
            self.hold_until = ScanTime(now.0 + self.backoff.fault());
        }
    }

    /// The profile was bound to the device: its reads are planned, and what was written before is forgotten.
    pub(super) fn bound_to(&mut self, bound: Bound, now: ScanTime) {
        self.reads = Some(Reads::new(&bound, self.poll_ms, now));
        for point in bound.absent() {
            self.readings[*point] = Reading::new(Err(NoData::NotImplemented), now);
            self.words.set_reading(*point, self.readings[*point]);
        }
        if self.levels.is_empty() && self.pulses.is_empty() {
            self.take_up_writables(&bound, now);
        }
        self.levels.iter_mut().for_each(|level| level.reconnect(&bound));
        self.bound = Some(bound);
    }

    /// One level for each group that the site writes to, and the pulses in the order of the scan's block.
    fn take_up_writables(&mut self, bound: &Bound, now: ScanTime) {
        let outputs = self.want.outputs();
        for (i, group) in bound.groups().iter().enumerate() {
            if !group.is_pulse() && group.writables().iter().any(|w| outputs.contains(w)) {
                self.levels.push(Level::new(&self.profile, i, group, now));
            }
        }
        for output in outputs.iter().filter(|w| matches!(self.profile.writables[**w].kind, WritableKind::Pulse { .. }))
        {
            let group = bound.groups().iter().position(|g| g.writables().contains(output));
            // their numbers are those of the scan's block, so none may be left out
            self.pulses.push(Pulse::new(group.expect("the profile's check gives every writable a group"), *output));
        }
    }

    pub(super) fn sequence_done(&mut self, now: ScanTime) {
        self.counts.connects += 1;
        self.beat.iter_mut().for_each(|beat| beat.begin(now));
        let provable = self.sequence.has_written()
            && self.bound.as_ref().is_some_and(|b| b.connect().iter().any(|step| step.read_back().is_some()));
        self.verify = (0, if provable { now } else { ScanTime(u64::MAX) });
        self.judge(now);
    }

    /// The device does not do what it is told. Its settings are made and proven again after a pause; until then it is read,
    /// so that whether power still flows is known, and not written to.
    fn arm_anew(&mut self, now: ScanTime, fault: Fault) {
        if let Some(bound) = &self.bound {
            self.levels.iter_mut().for_each(|level| level.reconnect(bound));
        }
        self.counts.sequences += 1;
        self.sequence_failed(now, fault);
    }

    /// A part of the sequence failed: before the device is known, all of it begins anew; after that only its writes do.
    pub(super) fn sequence_failed(&mut self, now: ScanTime, fault: Fault) {
        if self.sequence.may_poll() {
            let pause_ns = self.backoff.fault();
            self.sequence.hold(ScanTime(now.0 + pause_ns));
            self.fault = Some(fault);
        } else {
            self.start_anew(now, fault);
        }
    }

    /// What was to be asked cannot be said.
    pub(super) fn cannot_ask(&mut self, task: Task, fault: Fault, now: ScanTime) {
        self.counts.writes_held_back += u64::from(matches!(fault, Fault::WornOut { .. }));
        match task {
            Task::Sequence => self.sequence_failed(now, fault),
            _ => self.fault = Some(fault),
        }
        self.judge(now);
    }

    /// Everything from the beginning, after a pause.
    pub(super) fn start_anew(&mut self, now: ScanTime, fault: Fault) {
        self.hold_until = ScanTime(now.0 + self.backoff.fault());
        self.fault = Some(if self.silent { Fault::Silent } else { fault });
        self.sequence = Sequence::new(&self.profile, !self.want.outputs().is_empty(), now);
        self.bound = None;
        self.reads = None;
        self.life.iter_mut().for_each(Life::forget);
        self.counts.sequences += 1;
        self.judge(now);
    }

    pub(super) fn lose_all(&mut self, why: NoData) {
        for (point, reading) in self.readings.iter_mut().enumerate() {
            *reading = reading.lost(why);
            self.words.set_reading(point, *reading);
        }
    }

    /// Whether the device is online; a change is known at once.
    fn judge(&mut self, now: ScanTime) {
        let doubted = self.levels.iter().any(Level::is_doubted) || self.beat.as_ref().is_some_and(Beat::is_refused);
        let online = self.sequence.is_done() && !doubted;
        if online != self.online {
            self.online = online;
            self.words.set_online(online, now);
        }
        if online {
            self.fault = None;
            self.backoff.success();
        }
    }
}
