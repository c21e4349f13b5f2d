//! From a profile to one device: absolute addresses, planned reads, write requests.

mod writes;

use super::at::At;
use super::bound::{Bound, BoundPoint, Factor, ReadBlock, ReadPart, ReadWhat};
use super::check::limits;
use super::group::groups;
use super::identity::{BoundIdentity, Expect};
use super::spec::{Identity, Profile, Register, Watchdog};
use crate::image::NoData;
use crate::modbus::plan::{Block, Item, PlanError, plan};
use crate::modbus::sunspec::ModelTable;
use crate::modbus::{Poll, Request};

/// What a site chooses about a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Time-out of the device's own watchdog, ms. `None`: the profile's usual one.
    pub watchdog_ms: Option<u32>,
}

/// Why a profile does not fit a device, or what the site chose.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BindError {
    /// The profile has SunSpec addresses, and no models were handed in.
    #[error("the profile has SunSpec addresses: find the device's models first")]
    ModelsUnknown,
    /// A model that cannot be done without.
    #[error("SunSpec model {model} is missing: this is another device, or the model must be switched on")]
    ModelMissing {
        /// Its id.
        model: u16,
    },
    /// A model that ends before a register that cannot be done without.
    #[error(
        "SunSpec model {model} has {len} registers, {offset} and what follows is needed: an older revision of the model"
    )]
    ModelTooShort {
        /// Its id.
        model: u16,
        /// How many registers it has, including id and length.
        len: u16,
        /// The offset that is needed.
        offset: u16,
    },
    /// The device's watchdog does not take this time-out.
    #[error("a watchdog time-out of {ms} ms was chosen, the device takes {low} to {high} ms: correct `watchdog_ms`")]
    WatchdogRange {
        /// What was chosen, ms.
        ms: u32,
        /// The shortest, ms.
        low: u32,
        /// The longest, ms.
        high: u32,
    },
    /// The device's watchdog counts in coarser steps.
    #[error(
        "a watchdog time-out of {ms} ms was chosen, the device would make it {device_s} s: choose what it can count"
    )]
    WatchdogStep {
        /// What was chosen, ms.
        ms: u32,
        /// What the device would make of it, s.
        device_s: String,
    },
    /// A time-out was chosen for a device that has none to choose.
    #[error("a watchdog time-out was chosen, but the device has no watchdog: leave `watchdog_ms` out")]
    NoWatchdog,
    /// On this device, the reads cannot be planned.
    #[error("on this device, {0}")]
    Plan(#[from] PlanError),
}

impl Profile {
    /// Binds the profile to a device. `models` are what a [`crate::modbus::Discovery`] found; a profile without SunSpec
    /// addresses needs none and binds at any time.
    ///
    /// # Errors
    /// The device lacks something that cannot be done without, or the site chose something that it does not take.
    pub fn bind(&self, models: Option<&ModelTable>, settings: Settings) -> Result<Bound, BindError> {
        let mut binding = Binding { profile: self, models, factors: Vec::new() };
        let watchdog_ms = self.watchdog_ms(settings)?;
        let (mut present, mut absent) = (Vec::new(), Vec::new());
        let mut points = Vec::new();
        for (index, point) in self.points.iter().enumerate() {
            let place = binding.optional(&point.register)?;
            match place {
                Some((at, _)) => present.push((index, at)),
                None => absent.push(index),
            }
            points.push(BoundPoint {
                codec: point.register.codec.clone(),
                factor: place.and_then(|(_, factor)| factor),
                plausible: point.plausible,
                codes: point.codes.iter().map(|(code, _)| *code).collect(),
            });
        }
        let groups = groups(&self.writables).iter().map(|g| binding.group(g)).collect::<Result<_, _>>()?;
        let connect = self.connect.iter().map(|s| binding.step(s, watchdog_ms)).collect::<Result<_, _>>()?;
        let heartbeat = self.heartbeat.as_ref().map(|h| binding.heartbeat(h)).transpose()?;
        let identity = self.identity.iter().map(|i| binding.identity(i)).collect::<Result<_, _>>()?;
        Ok(Bound {
            blocks: binding.blocks(&present)?.into(),
            factors: binding.factors.iter().map(|(_, at)| Factor { at: *at, known: Err(NoData::NeverRead) }).collect(),
            points: points.into(),
            absent: absent.into(),
            groups,
            connect,
            heartbeat,
            identity,
            limits: self.limits.clone().into(),
            watchdog_ms,
        })
    }

    fn watchdog_ms(&self, settings: Settings) -> Result<Option<u32>, BindError> {
        match (&self.watchdog, settings.watchdog_ms) {
            (Watchdog::Device { timeout_ms: (low, high), default_ms, .. }, chosen) => {
                let ms = chosen.unwrap_or(*default_ms);
                let fits = (*low..=*high).contains(&ms);
                if fits { Ok(Some(ms)) } else { Err(BindError::WatchdogRange { ms, low: *low, high: *high }) }
            }
            (Watchdog::Missing { .. } | Watchdog::NotNeeded, Some(_)) => Err(BindError::NoWatchdog),
            (Watchdog::Missing { .. } | Watchdog::NotNeeded, None) => Ok(None),
        }
    }
}

struct Binding<'a> {
    profile: &'a Profile,
    models: Option<&'a ModelTable>,
    /// Scale factors: where the profile has them, and their absolute address.
    factors: Vec<(At, u16)>,
}

impl Binding<'_> {
    /// The absolute address of `len` registers.
    fn address(&self, at: At, len: u16) -> Result<u16, BindError> {
        let At::SunSpec(model, offset) = at else { return Ok(at.offset()) };
        let table = self.models.ok_or(BindError::ModelsUnknown)?;
        let found = table.find(model).ok_or(BindError::ModelMissing { model })?;
        let end = u32::from(offset) + u32::from(len);
        let short = BindError::ModelTooShort { model, len: found.len, offset };
        if end > u32::from(found.len) { Err(short) } else { found.at.checked_add(offset).ok_or(short) }
    }

    /// The absolute address of a value, and the index of its scale factor.
    fn required(&mut self, register: &Register) -> Result<(u16, Option<u16>), BindError> {
        let at = self.address(register.at, register.len())?;
        let Some(factor) = register.factor else { return Ok((at, None)) };
        let index = match self.factors.iter().position(|(f, _)| *f == factor) {
            Some(index) => index,
            None => {
                let absolute = self.address(factor, 1)?;
                self.factors.push((factor, absolute));
                self.factors.len() - 1
            }
        };
        Ok((at, Some(small(index))))
    }

    /// The same for a point, which may be absent if its model is not a required one.
    fn optional(&mut self, register: &Register) -> Result<Option<(u16, Option<u16>)>, BindError> {
        let required = self.profile.sunspec.as_ref().map_or(&[][..], |s| &s.models);
        match self.required(register) {
            Ok(place) => Ok(Some(place)),
            Err(BindError::ModelMissing { model } | BindError::ModelTooShort { model, .. })
                if !required.contains(&model) =>
            {
                Ok(None)
            }
            Err(e) => Err(e),
        }
    }

    /// Plans the reads of points and, where no block holds them anyway, of scale factors.
    fn blocks(&self, present: &[(usize, u16)]) -> Result<Vec<ReadBlock>, BindError> {
        let limits = limits(&self.profile.link);
        let points: Vec<Item> = present.iter().map(|(index, at)| self.item(*index, *at)).collect();
        let mut blocks = Vec::new();
        let mut found = vec![false; self.factors.len()];
        for block in plan(&points, &limits)? {
            let mut parts: Vec<ReadPart> = Vec::new();
            for member in &block.members {
                let what = ReadWhat::Point(small(present[member.item].0));
                parts.push(ReadPart { offset: member.offset, len: points[member.item].len, what });
            }
            for (index, (factor, at)) in self.factors.iter().enumerate() {
                let offset =
                    at.checked_sub(block.at).filter(|offset| *offset < block.len && factor.area() == block.area);
                if let (Some(offset), false) = (offset, found[index]) {
                    parts.push(ReadPart { offset, len: 1, what: ReadWhat::Factor(small(index)) });
                    found[index] = true;
                }
            }
            blocks.push(read_block(&block, parts));
        }
        let rest: Vec<usize> = (0..self.factors.len()).filter(|i| !found[*i]).collect();
        let items: Vec<Item> = rest.iter().map(|i| factor_item(self.factors[*i])).collect();
        for block in plan(&items, &limits)? {
            let members = block.members.iter();
            let parts =
                members.map(|m| ReadPart { offset: m.offset, len: 1, what: ReadWhat::Factor(small(rest[m.item])) });
            blocks.push(read_block(&block, parts.collect()));
        }
        Ok(blocks)
    }

    fn item(&self, index: usize, at: u16) -> Item {
        let point = &self.profile.points[index];
        let (area, len) = (point.register.at.area(), point.register.len());
        Item { area, at, len, poll: point.poll, sync: point.sync, region: point.register.at.model().unwrap_or(0) }
    }

    fn identity(&mut self, identity: &Identity) -> Result<BoundIdentity, BindError> {
        let (at, count, expect) = match identity {
            Identity::Register { register, expect, .. } => {
                let expect = Expect::Number { codec: register.codec.clone(), range: *expect };
                (register.at, register.len(), expect)
            }
            Identity::Text { at, registers, expect, .. } => (*at, *registers, Expect::Text(expect.clone())),
        };
        let request = Request::Read { area: at.area(), at: self.address(at, count)?, count };
        Ok(BoundIdentity { request, expect })
    }
}

fn factor_item((factor, at): (At, u16)) -> Item {
    Item { area: factor.area(), at, len: 1, poll: Poll::Slow, sync: None, region: factor.model().unwrap_or(0) }
}

fn read_block(block: &Block, parts: Vec<ReadPart>) -> ReadBlock {
    ReadBlock { request: block.request(), poll: block.poll, parts: parts.into() }
}

/// An index into what one profile holds.
fn small(index: usize) -> u16 {
    u16::try_from(index).expect("a profile of at most a megabyte of text has fewer than 65 536 entries")
}
