//! Outputs: which writables of which devices, within which physical limits. Those have no defaults.

use super::damaged_or;
use super::devices::Draft;
use super::numbers::{RATE_STAND_IN, narrower, ramps_out, rate, within};
use crate::file::{OutputFile, SafeAfterFile};
use crate::report::Problems;
use flyball_io_map::document::{Lenient, Spanned, UniqueMap, closest};
use flyball_io_map::image::choice::{ChoiceRule, SafeAfter};
use flyball_io_map::image::output::Rule;
use flyball_io_map::image::wiring::{OutputDef, OutputKind};
use flyball_io_map::image::{PointDef, Unit, ValueKind};
use flyball_io_map::profile::{WritableKind, WritableSpec};

/// An output of a device.
pub(super) struct Listed {
    pub(super) def: OutputDef,
    /// The device, as an index of the site's.
    pub(super) device: usize,
    /// The writable, as an index of the profile's.
    pub(super) writable: usize,
}

/// All outputs that make sense, in the order of the site.
pub(super) fn check(
    problems: &mut Problems,
    file: &UniqueMap<Lenient<OutputFile>>,
    devices: &[Option<Draft>],
    names: &[&str],
    points: &[PointDef],
) -> Vec<Listed> {
    let mut all = Vec::new();
    for (name, output) in file.iter() {
        let found = find(problems, name, devices, names);
        let (Some((device, writable)), Some(output)) = (found, damaged_or(output)) else {
            problems.lose(&name.value);
            continue;
        };
        let Some(draft) = &devices[device] else { continue };
        let kind = kind(problems, name, output, &draft.profile.writables[writable], points);
        let def = OutputDef { name: name.value.clone(), kind, members: Vec::new() };
        all.push(Listed { def, device, writable });
    }
    all
}

fn find(
    problems: &mut Problems,
    name: &Spanned<String>,
    devices: &[Option<Draft>],
    names: &[&str],
) -> Option<(usize, usize)> {
    let Some((device, writable)) = name.value.split_once('.') else {
        let message = format!("`{}` is not the name of an output", name.value);
        problems.say_help(
            &name.span,
            message,
            "an output is called like its device, a dot, and what is written: `pcs.p`",
        );
        return None;
    };
    let Some(index) = names.iter().position(|n| *n == device) else {
        problems.unknown(&name.span, format!("no device is called `{device}`"), device, names);
        if let Some(meant) = closest(device, names.iter().copied()) {
            problems.lose(format!("{meant}.{writable}"));
        }
        return None;
    };
    let profile = &devices[index].as_ref()?.profile;
    let found = profile.writable(writable);
    if found.is_none() && !problems.is_lost(device) {
        let known: Vec<&str> = profile.writables.iter().map(|w| w.name.as_str()).collect();
        let model = format!("{} {}", profile.vendor, profile.model);
        let message = if profile.point(writable).is_some() {
            format!("`{}` is a point of the {model}, not something that is written", name.value)
        } else if known.is_empty() {
            format!("nothing can be written to the {model}")
        } else {
            format!("the {model} has nothing to write that is called `{writable}`")
        };
        problems.unknown(&name.span, message, writable, &known);
        if let Some(meant) = closest(writable, known.iter().copied()) {
            problems.lose(format!("{device}.{meant}"));
        }
    }
    Some((index, found?))
}

fn kind(
    problems: &mut Problems,
    name: &Spanned<String>,
    output: &OutputFile,
    spec: &WritableSpec,
    points: &[PointDef],
) -> OutputKind {
    let reals = [
        ("unit", output.unit.as_ref().map(|s| &s.span)),
        ("range", output.range.as_ref().map(|s| &s.span)),
        ("ramp_per_s", output.ramp_per_s.as_ref().map(|s| &s.span)),
        ("ramp_out_per_s", output.ramp_out_per_s.as_ref().map(|s| &s.span)),
    ];
    let choices = [
        ("dwell_ms", output.dwell_ms.as_ref().map(|s| &s.span)),
        ("safe_after", output.safe_after.as_ref().map(|s| &s.span)),
    ];
    let (what, odd) = match &spec.kind {
        WritableKind::Real { .. } => ("a real output", choices.to_vec()),
        WritableKind::Choice { .. } => ("a choice output", reals.to_vec()),
        WritableKind::Pulse { .. } => ("a pulse", reals.into_iter().chain(choices).collect()),
    };
    for (key, span) in odd {
        if let Some(span) = span {
            problems.say_help(span, format!("`{}` is {what} and has no `{key}`", name.value), "leave it out");
        }
    }
    match &spec.kind {
        WritableKind::Real { unit, range, safe } => real(problems, name, output, (*unit, *range, *safe)),
        WritableKind::Choice { values, safe } => choice(problems, output, values, *safe, points),
        WritableKind::Pulse { .. } => OutputKind::Pulse,
    }
}

fn real(
    problems: &mut Problems,
    name: &Spanned<String>,
    output: &OutputFile,
    (unit, device_range, safe): (Unit, (f64, f64), f64),
) -> OutputKind {
    let mut missing = |key: &str, what: String| {
        let message = format!("`{key}` is missing from `{}`", name.value);
        problems.say_help(&name.span, message, format!("physical limits have no defaults: {what}"));
    };
    if output.unit.is_none() {
        missing("unit", format!("it is in {unit}"));
    }
    if output.range.is_none() {
        missing("range", format!("the device takes {} to {} {unit}", device_range.0, device_range.1));
    }
    if output.ramp_per_s.is_none() {
        missing("ramp_per_s", format!("how fast a demand may change it, {unit} per s"));
    }
    if output.ramp_out_per_s.is_none() {
        missing("ramp_out_per_s", format!("how fast a demand that has ended ramps out, {unit} per s"));
    }
    if let Some(given) = output.unit.as_ref().filter(|u| u.value != unit) {
        let message = format!("`{}` is given in {}, but the device takes {unit}", name.value, given.value);
        problems.say_help(&given.span, message, format!("`unit: {unit:?}`, and the numbers in it"));
    }
    let given = output.range.as_ref();
    let range = given.map_or(device_range, |r| narrower(problems, "range", r, device_range, "what the device takes"));
    if let Some(given) = given.filter(|_| !(range.0 <= safe && safe <= range.1)) {
        let message = format!("the safe value of `{}` is {safe} {unit}, which lies outside its range", name.value);
        problems.say_help(&given.span, message, "widen the range until it holds the safe value");
        return OutputKind::Real {
            unit,
            rule: Rule { safe, range: device_range, ramp_per_s: RATE_STAND_IN, ramp_out_per_s: RATE_STAND_IN },
        };
    }
    let mut rate = |key, given: &Option<Spanned<f64>>| given.as_ref().map_or(RATE_STAND_IN, |g| rate(problems, key, g));
    let ramp_per_s = rate("ramp_per_s", &output.ramp_per_s);
    let ramp_out_per_s = rate("ramp_out_per_s", &output.ramp_out_per_s);
    if let Some(given) = &output.ramp_out_per_s {
        ramps_out(problems, given, range, safe);
    }
    OutputKind::Real { unit, rule: Rule { safe, range, ramp_per_s, ramp_out_per_s } }
}

fn choice(
    problems: &mut Problems,
    output: &OutputFile,
    values: &[(String, u16)],
    safe: u8,
    points: &[PointDef],
) -> OutputKind {
    let dwell_ms = output.dwell_ms.as_ref().map_or(0, |d| within(problems, "dwell_ms", d, 0..=86_400_000));
    let safe_after = output.safe_after.as_ref().and_then(|order| safe_order(problems, &order.value, points));
    let count = u8::try_from(values.len()).expect("a profile's check allows at most 32 values");
    let rule = ChoiceRule { values: count, safe, dwell_ns: ns(dwell_ms), safe_after };
    OutputKind::Choice { values: values.iter().map(|(name, _)| name.clone()).collect(), rule }
}

fn safe_order(problems: &mut Problems, order: &SafeAfterFile, points: &[PointDef]) -> Option<SafeAfter> {
    let or_after_ms = within(problems, "or_after_ms", &order.or_after_ms, 1..=600_000);
    if order.below.value <= 0.0 {
        let message = format!("`below` is {}: a magnitude is never below that", order.below.value);
        problems.say_help(&order.below.span, message, "above 0, in the point's unit");
    }
    let Some(point) = points.iter().position(|p| p.name == order.point.value) else {
        let known: Vec<&str> = points.iter().map(|p| p.name.as_str()).collect();
        let message = format!("nobody provides the point `{}`", order.point.value);
        problems.unknown(&order.point.span, message, &order.point.value, &known);
        return None;
    };
    if points[point].kind != ValueKind::Real {
        let message = format!("`{}` is {}; a real is needed here", order.point.value, points[point].kind);
        problems.say(&order.point.span, message);
    }
    if points[point].kind == ValueKind::Real && !matches!(points[point].unit, Unit::W | Unit::A) {
        let message = format!("`{}` is in {}, which says nothing of a load", order.point.value, points[point].unit);
        problems.say_help(&order.point.span, message, "a power in W or a current in A is needed here");
    }
    let age_max_ns = ns(points[point].age_max_ms);
    Some(SafeAfter { point, age_max_ns, below: order.below.value, or_after_ns: ns(or_after_ms) })
}

fn ns(ms: u32) -> u64 {
    u64::from(ms) * 1_000_000
}
