//! Whose turn it is: of everything that a device is to be asked, what is due first.

use super::connect::Wants;
use super::fault::Fault;
use super::level::Act;
use super::poller::{NEVER, Poller, Task, VERIFY_EVERY_NS};
use super::question::Question;
use super::reads::Reads;
use flyball_io_map::image::ScanTime;
use flyball_io_map::profile::WriteGroup;

impl Poller {
    /// The task that is due first, and when. Writes and reads take turns when both are due.
    pub(super) fn pick(&mut self, now: ScanTime) -> Result<(ScanTime, Task), Fault> {
        if let Some(models) = self.sequence.models() {
            let bound = self.profile.bind(models.as_ref(), self.bind).map_err(Fault::Bind)?;
            self.bound_to(bound, now);
        }
        let mut read = self.pick_read(now)?;
        let mut write = None;
        if self.sequence.is_done() {
            let earlier = |slot: &mut Option<(ScanTime, Task)>, due: ScanTime, task: Task| {
                if slot.is_none_or(|(other, _)| due < other) {
                    *slot = Some((due, task));
                }
            };
            for (i, pulse) in self.pulses.iter().enumerate() {
                pulse.due(&self.want, now).into_iter().for_each(|due| earlier(&mut write, due, Task::Pulse(i)));
            }
            for (i, level) in self.levels.iter().enumerate() {
                if let Some((due, act)) = level.due(&self.want, now) {
                    let slot = if act == Act::Write { &mut write } else { &mut read };
                    earlier(slot, due, Task::Level(i, act));
                }
            }
            let beat = self.beat.as_ref().and_then(|beat| beat.due(&self.want, now));
            beat.into_iter().for_each(|due| earlier(&mut write, due, Task::Beat));
        }
        let is_due = |slot: &Option<(ScanTime, Task)>| slot.is_some_and(|(due, _)| due <= now);
        let reads_first = is_due(&read) && (self.wrote_last || !is_due(&write));
        let writes_first = is_due(&write) && !reads_first;
        let chosen = match (read, write) {
            (read, write) if writes_first => write.or(read),
            (read, write) if reads_first => read.or(write),
            (read, write) => read.into_iter().chain(write).min_by_key(|(due, _)| *due),
        };
        Ok(chosen.unwrap_or((NEVER, Task::Sequence)))
    }

    fn pick_read(&mut self, now: ScanTime) -> Result<Option<(ScanTime, Task)>, Fault> {
        let mut picked = self.sequence_task(now)?;
        if self.sequence.may_poll() {
            let block = self.reads.as_ref().and_then(Reads::due).map(|(due, block)| (due, Task::Block(block)));
            let verify = self.sequence.is_done().then_some((self.verify.1, Task::Verify(self.verify.0)));
            picked = [picked, block, verify].into_iter().flatten().min_by_key(|(due, _)| *due);
        }
        Ok(picked)
    }

    fn sequence_task(&mut self, now: ScanTime) -> Result<Option<(ScanTime, Task)>, Fault> {
        if self.sequence.is_done() {
            return Ok(None);
        }
        Ok(match self.sequence.next(now, &self.profile, self.bound.as_ref(), &self.readings, self.life.as_ref())? {
            Wants::Ask => Some((self.sequence_ready, Task::Sequence)),
            Wants::Block(block) => Some((self.sequence_ready, Task::Block(block))),
            Wants::Wait(until) => Some((until, Task::Sequence)),
            Wants::Done => {
                self.sequence_done(now);
                None
            }
        })
    }

    /// The request for a task that is due. `None`: it turned out that there is nothing to ask.
    pub(super) fn ask(&mut self, task: Task, now: ScanTime) -> Option<Question> {
        let bound = self.bound.as_ref();
        let asked = match task {
            Task::Sequence => self.sequence.ask(bound),
            Task::Block(block) => {
                self.reads.as_mut()?.asked(block, now);
                Ok(Some(Question::new(&bound?.blocks()[block].request())))
            }
            Task::Level(i, act) => self.levels[i].ask(act, bound?, &self.want, &self.profile, now),
            Task::Pulse(i) => self.pulses[i].ask(bound?, &self.want),
            Task::Beat => self.beat.as_mut()?.ask(bound?, now),
            Task::Verify(step) => Ok(self.verify_question(step, now)),
        };
        match asked {
            Ok(question) => question,
            Err(fault) => {
                self.cannot_ask(task, fault, now);
                None
            }
        }
    }

    /// Reads back one connect write after the other, but those that set-points have written over since.
    fn verify_question(&mut self, step: usize, now: ScanTime) -> Option<Question> {
        let bound = self.bound.as_ref()?;
        let steps = bound.connect();
        self.verify = ((step + 1) % steps.len().max(1), ScanTime(now.0 + VERIFY_EVERY_NS));
        let step = steps.get(step)?;
        let outputs = self.want.outputs();
        let used = |group: &&WriteGroup| group.writables().iter().any(|w| outputs.contains(w));
        if bound.groups().iter().filter(used).any(|group| group.overlaps(step)) {
            return None;
        }
        step.read_back().map(|(request, _)| Question::new(&request))
    }
}
