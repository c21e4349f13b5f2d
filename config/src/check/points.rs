//! Points of devices: what the profile says, narrowed by the site. A site can only narrow.

use super::damaged_or;
use super::devices::Draft;
use super::numbers::{narrower, within};
use crate::file::PointFile;
use crate::report::Problems;
use flyball_io_map::document::{Lenient, Spanned, UniqueMap};
use flyball_io_map::image::point::Source;
use flyball_io_map::image::{PointDef, Unit, ValueKind};
use flyball_io_map::profile::PointSpec;
use std::ops::Range;

/// The last point of every device: it is connected, and its connect sequence is done.
pub(super) const ONLINE: &str = "online";

/// All points of all devices, grouped by device, and each device's part of them.
pub(super) fn of_devices(devices: &[Option<Draft>]) -> (Vec<PointDef>, Vec<Range<usize>>) {
    let (mut points, mut parts) = (Vec::new(), Vec::new());
    for (index, draft) in devices.iter().enumerate() {
        let first = points.len();
        let source = Source::Device(u16::try_from(index).unwrap_or(u16::MAX));
        if let Some(draft) = draft {
            let specs = draft.profile.points.iter();
            points.extend(specs.map(|spec| of_profile(&draft.name.value, spec, source)));
            points.push(online(draft, source));
        }
        parts.push(first..points.len());
    }
    (points, parts)
}

fn of_profile(device: &str, spec: &PointSpec, source: Source) -> PointDef {
    PointDef {
        name: format!("{device}.{}", spec.name),
        kind: spec.kind,
        unit: spec.unit,
        source,
        plausible: spec.plausible,
        age_max_ms: spec.age_max_ms,
        frozen_after_ms: spec.frozen_after_ms,
        codes: spec.codes.clone(),
    }
}

/// It is stamped with every block that is read, so that it ages when the field thread dies.
fn online(draft: &Draft, source: Source) -> PointDef {
    PointDef {
        name: format!("{}.{ONLINE}", draft.name.value),
        kind: ValueKind::Flag,
        unit: Unit::None,
        source,
        plausible: (0.0, 1.0),
        age_max_ms: draft.poll_ms.saturating_mul(3).max(ONLINE_AGE_MAX_MS),
        frozen_after_ms: None,
        codes: Vec::new(),
    }
}

/// At least so long, and three polls, ms.
const ONLINE_AGE_MAX_MS: u32 = 1_000;

/// Applies what the site says about points of devices.
pub(super) fn narrow(problems: &mut Problems, file: &UniqueMap<Lenient<PointFile>>, points: &mut [PointDef]) {
    for (name, said) in file.iter() {
        let Some(said) = damaged_or(said) else { continue };
        let Some(i) = points.iter().position(|p| p.name == name.value) else {
            let known: Vec<&str> = points.iter().map(|p| p.name.as_str()).collect();
            problems.unknown(&name.span, format!("no device has the point `{}`", name.value), &name.value, &known);
            continue;
        };
        narrow_one(problems, name, said, &mut points[i]);
    }
}

fn narrow_one(problems: &mut Problems, name: &Spanned<String>, said: &PointFile, point: &mut PointDef) {
    if let Some(age) = &said.age_max_ms {
        point.age_max_ms = narrower_ms(problems, "age_max_ms", age, point.age_max_ms);
    }
    if let Some(frozen) = &said.frozen_after_ms {
        let most = point.frozen_after_ms.unwrap_or(u32::MAX);
        point.frozen_after_ms = Some(narrower_ms(problems, "frozen_after_ms", frozen, most));
    }
    match &said.plausible {
        Some(plausible) if point.kind == ValueKind::Real => {
            point.plausible = narrower(problems, "plausible", plausible, point.plausible, "what the profile says");
        }
        Some(plausible) => {
            let message = format!("`{}` is {} and has no range to narrow", name.value, point.kind);
            problems.say_help(&plausible.span, message, "leave `plausible` out");
        }
        None => {}
    }
    if said.age_max_ms.is_none() && said.frozen_after_ms.is_none() && said.plausible.is_none() {
        problems.say_help(&name.span, format!("nothing is said about `{}`", name.value), "leave it out");
    }
}

fn narrower_ms(problems: &mut Problems, key: &str, given: &Spanned<u32>, most: u32) -> u32 {
    if given.value <= most {
        return within(problems, key, given, 1..=most);
    }
    let message = format!("`{key}` of {} ms is wider than the profile's {most} ms", given.value);
    problems.say_help(&given.span, message, "a site can only narrow it");
    most
}
