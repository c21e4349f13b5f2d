//! A profile bound to one device: absolute addresses, planned reads, and from their answers to readings.
//!
//! Made by [`super::Profile::bind`] on every connect. Decoding allocates nothing.
//!
//! **When something is lost.** A value whose scale factor is not known has none either. A scale factor that changes while
//! the device is connected means that values since its last read may be wrong by powers of ten: [`Decoded::ScaleChanged`]
//! says so, and the connection must be started anew. A plausible range is checked here; age and rest (frozen) are not,
//! because they need the time.

use super::identity::BoundIdentity;
use super::write::WriteGroup;
use crate::image::{NoData, Reading, ScanTime};
use crate::modbus::{Codec, Poll, Request, ScaleFactor};

/// A profile with the addresses of one device.
#[derive(Clone, Debug)]
pub struct Bound {
    pub(super) points: Box<[BoundPoint]>,
    pub(super) absent: Box<[usize]>,
    pub(super) blocks: Box<[ReadBlock]>,
    pub(super) factors: Box<[Factor]>,
    pub(super) groups: Box<[WriteGroup]>,
    pub(super) connect: Box<[WriteGroup]>,
    pub(super) heartbeat: Option<WriteGroup>,
    pub(super) identity: Box<[BoundIdentity]>,
    pub(super) limits: Box<[usize]>,
    pub(super) watchdog_ms: Option<u32>,
}

/// How to decode one point.
#[derive(Clone, Debug)]
pub(super) struct BoundPoint {
    pub(super) codec: Codec,
    pub(super) factor: Option<u16>,
    pub(super) plausible: (f64, f64),
    /// The codes that have a name, ascending; empty if it is not a code.
    pub(super) codes: Box<[u16]>,
}

/// A scale factor of the device.
#[derive(Clone, Debug)]
pub(super) struct Factor {
    /// Its register, for messages.
    pub(super) at: u16,
    pub(super) known: Result<ScaleFactor, NoData>,
}

/// One read request, and what its answer holds.
#[derive(Clone, Debug)]
pub struct ReadBlock {
    pub(super) request: Request<'static>,
    pub(super) poll: Poll,
    pub(super) parts: Box<[ReadPart]>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct ReadPart {
    pub(super) offset: u16,
    pub(super) len: u16,
    pub(super) what: ReadWhat,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum ReadWhat {
    Point(u16),
    Factor(u16),
}

impl ReadBlock {
    /// What to ask the device for.
    #[must_use]
    pub fn request(&self) -> Request<'static> {
        self.request
    }

    /// How often.
    #[must_use]
    pub fn poll(&self) -> Poll {
        self.poll
    }

    /// The points in it, as indices.
    pub fn points(&self) -> impl Iterator<Item = usize> {
        self.parts.iter().filter_map(|part| match part.what {
            ReadWhat::Point(point) => Some(usize::from(point)),
            ReadWhat::Factor(_) => None,
        })
    }

    /// Whether it holds scale factors, without which values of other blocks cannot be decoded or written.
    #[must_use]
    pub fn has_factors(&self) -> bool {
        self.parts.iter().any(|part| matches!(part.what, ReadWhat::Factor(_)))
    }
}

/// What decoding a block showed besides its readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a scale factor that changed makes earlier values wrong"]
pub enum Decoded {
    /// Nothing.
    AsBefore,
    /// A scale factor is another one than before. Start the connection anew before anything of the device is believed.
    ScaleChanged {
        /// Its register.
        at: u16,
    },
}

impl Bound {
    /// The reads, in the order of area, poll class and address. Read all of them once on connecting, those with scale
    /// factors first.
    #[must_use]
    pub fn blocks(&self) -> &[ReadBlock] {
        &self.blocks
    }

    /// Points (as indices) that this device does not have: they lie in optional SunSpec models.
    #[must_use]
    pub fn absent(&self) -> &[usize] {
        &self.absent
    }

    /// What must be true of the device before anything of it is believed.
    #[must_use]
    pub fn identity(&self) -> &[BoundIdentity] {
        &self.identity
    }

    /// What is written on connecting, in this order, each proven before the next.
    #[must_use]
    pub fn connect(&self) -> &[WriteGroup] {
        &self.connect
    }

    /// Points (as indices) that must have been seen with a value before any set-point is written.
    #[must_use]
    pub fn limits(&self) -> &[usize] {
        &self.limits
    }

    /// The write requests, one for each writable or group of them.
    #[must_use]
    pub fn groups(&self) -> &[WriteGroup] {
        &self.groups
    }

    /// The heartbeat's request. Its one value is the counter.
    #[must_use]
    pub fn heartbeat(&self) -> Option<&WriteGroup> {
        self.heartbeat.as_ref()
    }

    /// The time-out of the device's own watchdog, ms, if it has one.
    #[must_use]
    pub fn watchdog_ms(&self) -> Option<u32> {
        self.watchdog_ms
    }

    /// The answer to a block's request, into the device's readings. `taken` is when the device was asked.
    ///
    /// # Panics
    /// If there is no such block, or `out` does not have a place for every point of the profile.
    pub fn decode_block(&mut self, block: usize, words: &[u16], taken: ScanTime, out: &mut [Reading]) -> Decoded {
        let block = &self.blocks[block];
        let mut decoded = Decoded::AsBefore;
        for part in &block.parts {
            if let ReadWhat::Factor(factor) = part.what {
                let factor = &mut self.factors[usize::from(factor)];
                let before = factor.known;
                factor.known = match slice(words, part) {
                    [word] => ScaleFactor::from_word(*word),
                    _ => Err(NoData::Implausible),
                };
                if before.is_ok() && factor.known.is_ok() && before != factor.known {
                    decoded = Decoded::ScaleChanged { at: factor.at };
                }
            }
        }
        for part in &block.parts {
            if let ReadWhat::Point(point) = part.what {
                let value = self.points[usize::from(point)].decode(slice(words, part), &self.factors);
                out[usize::from(point)] = Reading::new(value, taken);
            }
        }
        decoded
    }

    /// A block could not be read: its points lose their values, for this reason.
    ///
    /// # Panics
    /// As [`Bound::decode_block`].
    pub fn lose_block(&self, block: usize, why: NoData, out: &mut [Reading]) {
        for point in self.blocks[block].points() {
            out[point] = out[point].lost(why);
        }
    }

    pub(super) fn factor(&self, factor: Option<u16>) -> Result<ScaleFactor, NoData> {
        known(&self.factors, factor)
    }
}

impl BoundPoint {
    fn decode(&self, words: &[u16], factors: &[Factor]) -> Result<f64, NoData> {
        let value = self.codec.decode_by(words, known(factors, self.factor)?)?;
        let (low, high) = self.plausible;
        let named =
            self.codes.is_empty() || self.codes.iter().any(|code| f64::from(*code).to_bits() == value.to_bits());
        if low <= value && value <= high && named { Ok(value) } else { Err(NoData::Implausible) }
    }
}

fn known(factors: &[Factor], factor: Option<u16>) -> Result<ScaleFactor, NoData> {
    factor.map_or(Ok(ScaleFactor::ONE), |f| factors[usize::from(f)].known)
}

/// The registers of a part; none if the answer is too short, which decodes to no value.
fn slice<'w>(words: &'w [u16], part: &ReadPart) -> &'w [u16] {
    let (from, len) = (usize::from(part.offset), usize::from(part.len));
    words.get(from..from + len).unwrap_or(&[])
}
