//! Command points: what SCADA and its kin may say, for how long it stands, and who goes first.

use super::numbers::{range, within};
use super::{damaged_or, names};
use crate::file::{Arm, CommandFile, CommandKindFile};
use crate::report::Problems;
use crate::site::CommandDef;
use flyball_io_map::document::{Lenient, Spanned, UniqueMap};
use flyball_io_map::image::point::Source;
use flyball_io_map::image::{PointDef, Unit, ValueKind};

/// The built-in command by which a person arms a site with `arm: Manual`.
pub const ARM: &str = "site.arm";
/// The built-in command whose rising edge ends a trip and frees programs that panicked.
pub const RESET: &str = "site.reset";
/// How long one write of [`ARM`] or [`RESET`] stands: the edge is what counts.
const EDGE_LEASE_MS: u32 = 2_000;

/// The points of all commands, and the commands with points counted from `first`.
pub(super) fn check(
    problems: &mut Problems,
    file: &UniqueMap<Lenient<CommandFile>>,
    arm: Arm,
    devices: &[&str],
    first: usize,
) -> (Vec<PointDef>, Vec<CommandDef>) {
    let (mut points, mut commands) = (Vec::new(), Vec::new());
    for name in [RESET, ARM].into_iter().take(if arm == Arm::Manual { 2 } else { 1 }) {
        commands.push(CommandDef { point: first + points.len(), lease_ms: EDGE_LEASE_MS, priority: 0 });
        points.push(point(name, ValueKind::Flag, Unit::None, (0.0, 1.0), EDGE_LEASE_MS));
    }
    for (name, command) in file.iter() {
        let fits = names::dotted(problems, "command", name, devices);
        let Some(command) = damaged_or(command) else {
            problems.lose(&name.value);
            continue;
        };
        let lease_ms = within(problems, "lease_ms", &command.lease_ms, 100..=86_400_000);
        let (kind, unit, plausible) = what(problems, name, command);
        if fits {
            commands.push(CommandDef { point: first + points.len(), lease_ms, priority: command.priority.value });
            points.push(point(&name.value, kind, unit, plausible, lease_ms));
        } else {
            problems.lose(&name.value);
        }
    }
    (points, commands)
}

fn point(name: &str, kind: ValueKind, unit: Unit, plausible: (f64, f64), lease_ms: u32) -> PointDef {
    let (name, source, codes) = (name.to_owned(), Source::Command, Vec::new());
    PointDef { name, kind, unit, source, plausible, age_max_ms: lease_ms, frozen_after_ms: None, codes }
}

fn what(problems: &mut Problems, name: &Spanned<String>, command: &CommandFile) -> (ValueKind, Unit, (f64, f64)) {
    match command.kind {
        CommandKindFile::Flag => {
            let spans = [command.unit.as_ref().map(|u| &u.span), command.range.as_ref().map(|r| &r.span)];
            for span in spans.into_iter().flatten() {
                problems.lose(&name.value);
                problems.say_help(span, "a flag has no unit and no range", "leave it out, or leave out `kind: Flag`");
            }
            (ValueKind::Flag, Unit::None, (0.0, 1.0))
        }
        CommandKindFile::Real => {
            for (key, missing) in [("unit", command.unit.is_none()), ("range", command.range.is_none())] {
                if missing {
                    problems.say(&name.span, format!("`{key}` is missing from `{}`", name.value));
                    problems.lose(&name.value);
                }
            }
            let unit = command.unit.as_ref().map_or(Unit::None, |u| u.value);
            let plausible = command.range.as_ref().and_then(|r| range(problems, "range", r)).unwrap_or((0.0, 0.0));
            (ValueKind::Real, unit, plausible)
        }
    }
}
