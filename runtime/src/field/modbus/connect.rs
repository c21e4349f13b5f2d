//! The connect sequence: what must be true of a device, and be set in it, before any set-point is written.
//!
//! In this order, on every connection and after every fault that may mean a restart: the SunSpec models are found, the
//! identity is compared, the blocks with scale factors are read (from here on the device is polled), the profile's
//! connect writes are made in their order, each proven before the next (the device's own watchdog is one of them), and
//! the device's limits must have been read, and its sign of life seen to move. A device that the site only reads is never written to: it is done once its
//! scale factors are known.

use super::fault::Fault;
use super::life::Life;
use super::proof::Proof;
use super::question::Question;
use flyball_io_map::image::{NoData, Reading, ScanTime};
use flyball_io_map::modbus::sunspec::{Discovery, ModelTable};
use flyball_io_map::modbus::{Exception, Reaction};
use flyball_io_map::profile::{Bound, Profile, WRITE_MAX};

/// What the sequence wants next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wants {
    /// Ask what [`Sequence::ask`] says; the answer goes to [`Sequence::answer`].
    Ask,
    /// Read this block; then [`Sequence::block_read`].
    Block(usize),
    /// Nothing before this time.
    Wait(ScanTime),
    /// Nothing more: it is done.
    Done,
}

#[derive(Debug)]
enum Stage {
    Discover(Box<Discovery>),
    /// Waits to be bound to the device.
    Unbound(Option<ModelTable>),
    Identify(usize),
    Factors(usize),
    Write(usize),
    Prove(usize, Proof),
    /// Since when.
    Limits(ScanTime),
    Done,
}

/// One run of the sequence.
#[derive(Debug)]
pub(super) struct Sequence {
    stage: Stage,
    /// Whether the site writes to the device.
    controls: bool,
    began: ScanTime,
    /// The writes wait until then, after one of them has failed.
    hold_until: ScanTime,
    /// What the connect writes wrote, by their number.
    wrote: Vec<Vec<u16>>,
}

impl Sequence {
    pub(super) fn new(profile: &Profile, controls: bool, now: ScanTime) -> Self {
        let stage = match &profile.sunspec {
            Some(needs) => Stage::Discover(Box::new(Discovery::new(&needs.bases, &needs.models))),
            None => Stage::Unbound(None),
        };
        Self { stage, controls, began: now, hold_until: ScanTime(0), wrote: Vec::new() }
    }

    /// The models of the device, if it is time to bind the profile to it; `Some(None)` for a device without models.
    pub(super) fn models(&mut self) -> Option<Option<ModelTable>> {
        let Stage::Unbound(models) = &mut self.stage else { return None };
        let models = models.take();
        self.stage = Stage::Identify(0);
        Some(models)
    }

    /// Whether values can be read: identity and scale factors are known.
    pub(super) fn may_poll(&self) -> bool {
        matches!(self.stage, Stage::Write(_) | Stage::Prove(..) | Stage::Limits(_) | Stage::Done)
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Done)
    }

    /// Whether it made connect writes. A device that is only read has none of ours.
    pub(super) fn has_written(&self) -> bool {
        !self.wrote.is_empty()
    }

    /// What the connect write of this number wrote.
    pub(super) fn wrote(&self, step: usize) -> &[u16] {
        self.wrote.get(step).map_or(&[], Vec::as_slice)
    }

    /// The writes failed: they begin anew at `at`, while the device is polled.
    pub(super) fn hold(&mut self, at: ScanTime) {
        self.hold_until = at;
        self.stage = Stage::Write(0);
    }

    /// What comes next. `bound` is there from [`Sequence::models`] on; `readings` are those of the profile's points.
    pub(super) fn next(
        &mut self,
        now: ScanTime,
        profile: &Profile,
        bound: Option<&Bound>,
        readings: &[Reading],
        life: Option<&Life>,
    ) -> Result<Wants, Fault> {
        let Some(bound) = bound else {
            return Ok(if matches!(self.stage, Stage::Discover(_)) { Wants::Ask } else { Wants::Wait(now) });
        };
        loop {
            match &mut self.stage {
                Stage::Discover(_) => return Ok(Wants::Ask),
                Stage::Unbound(_) => return Ok(Wants::Wait(now)),
                Stage::Identify(i) if *i < bound.identity().len() => return Ok(Wants::Ask),
                Stage::Identify(_) => self.stage = Stage::Factors(0),
                Stage::Factors(i) => match bound.blocks().iter().skip(*i).position(|b| b.has_factors()) {
                    Some(further) => return Ok(Wants::Block(*i + further)),
                    None => self.stage = if self.controls { Stage::Write(0) } else { Stage::Done },
                },
                Stage::Write(_) | Stage::Limits(_) if now < self.hold_until => return Ok(Wants::Wait(self.hold_until)),
                Stage::Write(i) if *i < bound.connect().len() => return Ok(Wants::Ask),
                Stage::Write(_) => self.stage = Stage::Limits(now),
                Stage::Prove(_, proof) if now < proof.look => return Ok(Wants::Wait(proof.look)),
                Stage::Prove(..) => return Ok(Wants::Ask),
                Stage::Limits(since) => match limits_known(self.began, profile, bound, readings)? {
                    true if life.is_none_or(Life::has_moved) => self.stage = Stage::Done,
                    true => return still(life, *since, now, profile),
                    false => return Ok(Wants::Wait(ScanTime(u64::MAX))),
                },
                Stage::Done => return Ok(Wants::Done),
            }
        }
    }

    /// The request for [`Wants::Ask`].
    pub(super) fn ask(&self, bound: Option<&Bound>) -> Result<Option<Question>, Fault> {
        let read = |request| Ok(Some(Question::new(&request)));
        match (&self.stage, bound) {
            (Stage::Discover(discovery), _) => read(discovery.request()),
            (Stage::Identify(i), Some(bound)) => bound.identity().get(*i).map_or(Ok(None), |id| read(id.request())),
            (Stage::Write(i), Some(bound)) => connect_write(bound, *i).map(Some),
            (Stage::Prove(i, _), Some(bound)) => {
                let read_back = bound.connect().get(*i).and_then(|step| step.read_back());
                read_back.map_or(Ok(None), |(request, _)| read(request))
            }
            _ => Ok(None),
        }
    }

    /// A block with scale factors was read, or is refused for good; without them its values are unknown, not wrong.
    pub(super) fn block_read(&mut self, block: usize) {
        if let Stage::Factors(i) = &mut self.stage {
            *i = block + 1;
        }
    }

    /// The answer to what [`Wants::Ask`] asked at `sent`: registers that were read (none for a write), or an exception.
    pub(super) fn answer(
        &mut self,
        now: ScanTime,
        sent: ScanTime,
        bound: Option<&Bound>,
        question: &Question,
        answer: Result<&[u16], Exception>,
    ) -> Result<(), Fault> {
        let refused = |exception| Fault::Refused { at: question.at(), exception };
        match &mut self.stage {
            Stage::Discover(discovery) => {
                if let Some(models) = discovery.take(answer).map_err(Fault::Discovery)? {
                    self.stage = Stage::Unbound(Some(models));
                }
            }
            Stage::Identify(i) => {
                let identity = bound.and_then(|b| b.identity().get(*i));
                let words = answer.map_err(refused)?;
                identity.map_or(Ok(()), |id| id.check(words)).map_err(Fault::WrongDevice)?;
                *i += 1;
            }
            Stage::Write(i) => {
                match answer {
                    Err(exception) if exception.reaction() != Reaction::Accepted => return Err(refused(exception)),
                    _ => {}
                }
                let step = *i;
                self.wrote.resize(self.wrote.len().max(step + 1), Vec::new());
                self.wrote[step] = question.wrote().to_vec();
                let within_ms = bound.and_then(|b| b.connect().get(step)?.read_back()).map(|(_, ms)| ms);
                self.stage = within_ms.map_or(Stage::Write(step + 1), |ms| Stage::Prove(step, Proof::new(sent, ms)));
            }
            Stage::Prove(i, proof) => {
                let step = *i;
                let wrote = self.wrote.get(step).map_or(&[][..], Vec::as_slice);
                let shown = match (answer, bound.and_then(|b| Some((b, b.connect().get(step)?)))) {
                    (Ok(words), Some((bound, group))) => bound.taken(group, wrote, words).map_err(Fault::NotTaken),
                    (Err(exception), _) => Err(refused(exception)),
                    (Ok(_), None) => Ok(()),
                };
                match shown {
                    Ok(()) => self.stage = Stage::Write(step + 1),
                    Err(_) if proof.again(now) => {}
                    Err(fault) => return Err(fault),
                }
            }
            Stage::Unbound(_) | Stage::Factors(_) | Stage::Limits(_) | Stage::Done => {}
        }
        Ok(())
    }
}

fn connect_write(bound: &Bound, step: usize) -> Result<Question, Fault> {
    let mut buffer = [0; WRITE_MAX];
    match bound.write(&bound.connect()[step], &[], &mut buffer) {
        Ok(request) => Ok(Question::new(&request)),
        Err(error) => Err(Fault::CannotWrite { what: format!("connect write {}", step + 1), error }),
    }
}

/// The sign of life was not seen to move since `since`: more time, or none.
fn still(life: Option<&Life>, since: ScanTime, now: ScanTime, profile: &Profile) -> Result<Wants, Fault> {
    let (within_ns, point) = life.map_or((0, 0), |life| (life.within_ns(), life.point));
    if now.since(since) <= within_ns {
        return Ok(Wants::Wait(ScanTime(since.0.saturating_add(within_ns + 1))));
    }
    Err(Fault::LifeStill { point: profile.points.get(point).map_or_else(String::new, |p| p.name.clone()) })
}

/// Whether every limit was read since `began`.
fn limits_known(began: ScanTime, profile: &Profile, bound: &Bound, readings: &[Reading]) -> Result<bool, Fault> {
    for limit in bound.limits() {
        let reading = readings[*limit];
        match reading.fresh(reading.taken(), u64::MAX) {
            Ok(_) if reading.taken() >= began => {}
            Ok(_) | Err(NoData::NeverRead | NoData::DeviceSilent) => return Ok(false),
            Err(_) if reading.taken() < began => return Ok(false),
            Err(why) => {
                let point = profile.points.get(*limit).map_or_else(String::new, |p| p.name.clone());
                return Err(Fault::LimitMissing { point, why });
            }
        }
    }
    Ok(true)
}
