//! Device profiles: where a device's values lie, what they mean, how it wants to be asked and written. Data, not code.
//!
//! Two types for every profile: what is typed (private) and what it means ([`Profile`]), which only [`load`] makes.
//!
//! # For the site's checker
//! [`library`] the profiles that come with the house · [`load`] a text → [`Profile`], or all its problems ·
//! [`Profile::points`] name, kind, unit, ages, codes · [`Profile::writables`] kind with range and safe value, policy ·
//! [`Profile::watchdog`] [`Watchdog::Missing`] needs the site's consent · [`Profile::verified`] likewise, for writes ·
//! [`crate::modbus::Poll::period_ms`] how often a point is read.
//!
//! # For the field thread, on every connect
//! 1. [`Profile::sunspec`]: if there, run a [`crate::modbus::Discovery`] to its [`crate::modbus::ModelTable`].
//! 2. [`Profile::bind`] → [`Bound`]; readings and values are slices with one place for each point, each writable.
//! 3. [`Bound::identity`]: each [`BoundIdentity::request`], [`BoundIdentity::check`].
//! 4. [`Bound::blocks`], those with scale factors first: [`ReadBlock::request`], [`Bound::decode_block`]; on failure
//!    [`Bound::lose_block`]. Points in [`Bound::absent`] are `NotImplemented`. [`Decoded::ScaleChanged`]: start anew.
//! 5. [`Bound::connect`]: each [`Bound::write`], then [`WriteGroup::read_back`] and [`Bound::taken`] before the next.
//! 6. [`Bound::limits`]: seen with a value, and [`Profile::life`] seen to move; only then
//! 7. [`Bound::groups`] as [`WriteGroup::policy`] says, [`Bound::heartbeat`] while scans complete, blocks as
//!    [`ReadBlock::poll`] says. On exit each writable's [`WritableKind::safe`].
//!
//! # What is not here
//! Time. Whether a value is too old or frozen, and whether the life counter moved, is for those who have a clock.

mod at;
mod bind;
mod bound;
mod check;
mod file;
mod group;
mod identity;
mod point;
mod spec;
mod split;
mod writable;
mod write;

pub use at::At;
pub use bind::{BindError, Settings};
pub use bound::{Bound, Decoded, ReadBlock};
pub use identity::{BoundIdentity, WrongDevice};
pub use point::PointSpec;
pub use spec::{
    Certainty, DeviceKind, Heartbeat, Identity, KeptBy, Life, Link, Profile, Register, Step, StepValue, SunSpecNeeds,
    Verified, Watchdog,
};
pub use writable::{Constant, Function, Policy, ReadBack, WritableKind, WritableSpec};
pub use write::{NotTaken, WRITE_MAX, WriteBuffer, WriteGroup};

use crate::document::{self, Problem};

/// The profiles that come with the house: name as a site file says it, and text.
const LIBRARY: &[(&str, &str)] = &[
    ("carlo-gavazzi/em540", include_str!("../../profiles/carlo-gavazzi/em540.ron")),
    ("flyball/panel", include_str!("../../profiles/flyball/panel.ron")),
    ("sunspec/storage", include_str!("../../profiles/sunspec/storage.ron")),
];

/// The profiles that come with the house, as `(name, text)`; a site file says the name.
#[must_use]
pub fn library() -> &'static [(&'static str, &'static str)] {
    LIBRARY
}

/// Reads and checks a profile.
///
/// # Errors
/// All its problems, in the order of the text.
pub fn load(text: &str) -> Result<Profile, Vec<Problem>> {
    let parsed = document::parse_partly::<file::ProfileFile>(text);
    let Some(file) = &parsed.value else {
        return Err(parsed.problems);
    };
    let (profile, found) = check::check(file);
    let mut problems = parsed.problems.clone();
    problems.extend(found.into_iter().filter(|p| !parsed.is_damaged(&p.span)));
    problems.sort_by_key(|p| (p.span.start, p.span.end));
    problems.dedup();
    if problems.is_empty() { Ok(profile) } else { Err(problems) }
}
