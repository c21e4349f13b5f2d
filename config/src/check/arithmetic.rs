//! The arithmetic of [`crate::timing`]: its definitions and its formulas stand there.

use super::devices::Draft;
use super::endpoints::{self, Endpoints};
use super::outputs::Listed;
use crate::report::Problems;
use crate::timing::{PointAge, Reaction, Timing};
use flyball_io_map::document::Spanned;
use flyball_io_map::image::By;
use flyball_io_map::image::point::Source;
use flyball_io_map::image::wiring::{OutputDef, OutputKind, Use, Wired};
use flyball_io_map::modbus::Poll;
use std::ops::Range;

/// All that the arithmetic needs.
pub(super) struct Facts<'a> {
    pub(super) devices: &'a [Option<Draft>],
    /// Each device's part of the image.
    pub(super) parts: &'a [Range<usize>],
    pub(super) endpoints: &'a Endpoints,
    pub(super) listed: &'a [Listed],
    pub(super) outputs: &'a [OutputDef],
    pub(super) wired: &'a Wired,
    /// Names of the programs, and their periods in scans.
    pub(super) programs: Vec<(&'a str, u64)>,
    pub(super) period_ms: u32,
    pub(super) reaction_ms_max: Option<&'a Spanned<u32>>,
    /// Where the site narrows a point's age.
    pub(super) narrowed: Vec<(usize, Range<usize>)>,
}

/// The whole arithmetic, with what does not fit.
pub(super) fn check(problems: &mut Problems, facts: &Facts<'_>) -> Timing {
    let worst = worst_ages(facts);
    let reactions = reactions(facts, &worst);
    if !problems.senseless {
        ages_fit(problems, facts, &worst);
    }
    if let Some(needed) = facts.reaction_ms_max.filter(|_| !problems.senseless) {
        reactions_fit(problems, needed, &reactions);
    }
    let points = facts.wired.points.iter().enumerate();
    let points = points.filter(|(_, p)| matches!(p.source, Source::Device(_) | Source::Computed));
    let age = |(i, point): (usize, &flyball_io_map::image::PointDef)| PointAge {
        point: point.name.clone(),
        worst_ms: whole(worst[i]),
        age_ms_max: point.age_max_ms,
        accepted_ms: accepted(facts, i).unwrap_or(point.age_max_ms),
    };
    Timing { loads: facts.endpoints.loads.clone(), points: points.map(age).collect(), reactions }
}

fn accepted(facts: &Facts<'_>, point: usize) -> Option<u32> {
    facts.wired.uses.iter().filter(|u| u.point == point).map(|u| u.age_max_ms).min()
}

/// Per point, its worst age while all is healthy, ms. Commands are as old as their lease.
fn worst_ages(facts: &Facts<'_>) -> Vec<u64> {
    let mut worst: Vec<u64> = facts.wired.points.iter().map(|p| u64::from(p.age_max_ms)).collect();
    for (i, point) in facts.wired.points.iter().enumerate() {
        match point.source {
            Source::Device(device) => {
                let device = usize::from(device);
                if let Some(draft) = &facts.devices[device] {
                    let period_ms = endpoints::poll(draft, i - facts.parts[device].start).period_ms(draft.poll_ms);
                    worst[i] =
                        u64::from(period_ms) + u64::from(facts.endpoints.round_ms[device]) + u64::from(facts.period_ms);
                }
            }
            Source::System => worst[i] = u64::from(facts.period_ms),
            Source::Command | Source::Computed => {}
        }
    }
    // programs stand before those that read what they compute
    for (by, point) in &facts.wired.computed {
        let read = uses_of(facts, *by).map(|u| worst[u.point]).max().unwrap_or(u64::from(facts.period_ms));
        worst[*point] = read + waits_ms(facts, *by);
    }
    worst
}

/// Per point, whether it is read at every poll of its device, or computed from such points alone.
fn fast(facts: &Facts<'_>) -> Vec<bool> {
    let mut fast = vec![false; facts.wired.points.len()];
    for (part, draft) in facts.parts.iter().zip(facts.devices) {
        for i in part.clone() {
            fast[i] = draft.as_ref().is_some_and(|d| endpoints::poll(d, i - part.start) == Poll::Fast);
        }
    }
    for (by, point) in &facts.wired.computed {
        fast[*point] = uses_of(facts, *by).all(|u| fast[u.point]);
    }
    fast
}

fn uses_of<'a>(facts: &'a Facts<'_>, by: By) -> impl Iterator<Item = &'a Use> {
    facts.wired.uses.iter().filter(move |u| u.by == by)
}

/// How long a program waits for its own turn, ms.
fn waits_ms(facts: &Facts<'_>, by: By) -> u64 {
    let every = facts.programs.get(usize::from(by.0)).map_or(1, |(_, every)| *every);
    every.saturating_sub(1).saturating_mul(u64::from(facts.period_ms))
}

fn ages_fit(problems: &mut Problems, facts: &Facts<'_>, worst: &[u64]) {
    for (part, draft) in facts.parts.iter().zip(facts.devices) {
        let Some(draft) = draft else { continue };
        let too_old = part.clone().filter(|i| worst[*i] > u64::from(facts.wired.points[*i].age_max_ms));
        let (narrowed, own): (Vec<usize>, Vec<usize>) =
            too_old.partition(|i| facts.narrowed.iter().any(|(n, _)| n == i));
        // one point says it for all of the device: that which is furthest off
        let furthest = own.into_iter().max_by_key(|i| worst[*i] - u64::from(facts.wired.points[*i].age_max_ms));
        for i in narrowed.into_iter().chain(furthest) {
            let span = facts.narrowed.iter().find(|(n, _)| *n == i).map_or(&draft.poll_span, |(_, span)| span);
            let point = &facts.wired.points[i];
            let message = format!(
                "`{}` may be {} ms old while all is healthy, but no older than {} ms is allowed",
                point.name, worst[i], point.age_max_ms
            );
            problems.say_help(span, message, made_of(facts, i, worst[i]));
        }
    }
    for used in &facts.wired.uses {
        let point = &facts.wired.points[used.point];
        let narrower = used.age_max_ms < point.age_max_ms || point.source == Source::Computed;
        if narrower && point.source != Source::Command && worst[used.point] > u64::from(used.age_max_ms) {
            let program = facts.programs.get(usize::from(used.by.0)).map_or("", |(name, _)| name);
            let message = format!(
                "`{}` may be {} ms old while all is healthy, but `{program}` accepts only {} ms",
                point.name, worst[used.point], used.age_max_ms
            );
            problems.say_help(&used.span, message, made_of(facts, used.point, worst[used.point]));
        }
    }
}

/// What a worst age is made of.
fn made_of(facts: &Facts<'_>, point: usize, worst_ms: u64) -> String {
    let Source::Device(device) = facts.wired.points[point].source else {
        return "it is as old as the oldest reading that it is computed from".to_owned();
    };
    let device = usize::from(device);
    let round_ms = facts.endpoints.round_ms[device];
    let period_ms = worst_ms - u64::from(round_ms) - u64::from(facts.period_ms);
    let scan_ms = facts.period_ms;
    format!(
        "read every {period_ms} ms, up to {round_ms} ms for its turn and answer, {scan_ms} ms for the scan: poll faster, or accept more"
    )
}

fn reactions(facts: &Facts<'_>, worst: &[u64]) -> Vec<Reaction> {
    let fast = fast(facts);
    let mut all = Vec::new();
    for (output, def) in facts.outputs.iter().enumerate().filter(|(_, def)| def.kind != OutputKind::Pulse) {
        let write_ms = write_ms(facts, output);
        let mut speakers: Vec<By> = facts.wired.says.iter().filter(|s| s.output == output).map(|s| s.by).collect();
        speakers.dedup();
        for by in speakers {
            for used in uses_of(facts, by) {
                let input = &facts.wired.points[used.point];
                if !matches!(input.source, Source::Device(_) | Source::Computed) {
                    continue;
                }
                // one scan to be run, and for a loss one more until its age shows
                let scan_ms = u64::from(facts.period_ms) + waits_ms(facts, by);
                let loss_ms = u64::from(used.age_max_ms) + u64::from(facts.period_ms) + scan_ms + write_ms;
                all.push(Reaction {
                    output: def.name.clone(),
                    input: input.name.clone(),
                    program: facts
                        .programs
                        .get(usize::from(by.0))
                        .map_or(String::new(), |(name, _)| (*name).to_owned()),
                    fast: fast[used.point],
                    reaction_ms: whole(worst[used.point] + scan_ms + write_ms),
                    loss_ms: whole(loss_ms),
                    out_ms: out_ms(&def.kind),
                });
            }
        }
    }
    all
}

/// The field thread looks so often at what the scan wants, ms.
const LOOK_MS: u64 = 2;

/// Until what is committed has been written and answered, ms: for a total, by the slowest of its members. The register may
/// have been written just before, and then wants its pause.
fn write_ms(facts: &Facts<'_>, output: usize) -> u64 {
    let members = &facts.outputs[output].members;
    let own = [output];
    let written = if members.is_empty() { &own[..] } else { &members[..] };
    let rounds = written.iter().filter_map(|o| {
        let listed = facts.listed.iter().find(|l| l.def.name == facts.outputs[*o].name)?;
        let gap_ms = facts.devices[listed.device].as_ref()?.profile.writables[listed.writable].policy.gap_min_ms;
        let round_ms = facts.endpoints.round_ms.get(listed.device)?;
        Some(LOOK_MS + u64::from(gap_ms) + u64::from(*round_ms))
    });
    rounds.max().unwrap_or(0)
}

/// From the first step towards safe until it is reached, at the latest, ms.
fn out_ms(kind: &OutputKind) -> u32 {
    match kind {
        OutputKind::Real { rule, .. } => {
            let (down, up) = (rule.safe - rule.range.0, rule.range.1 - rule.safe);
            let way = if down > up { down } else { up };
            let ms = (way / rule.ramp_out_per_s * 1_000.0).ceil();
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "saturating by definition of `as`"
            )]
            let ms = ms as u64;
            whole(ms)
        }
        OutputKind::Choice { rule, .. } => rule.safe_after.map_or(0, |order| whole(order.or_after_ns / 1_000_000)),
        OutputKind::Pulse => 0,
    }
}

fn reactions_fit(problems: &mut Problems, needed: &Spanned<u32>, reactions: &[Reaction]) {
    let mut outputs: Vec<&str> = reactions.iter().map(|r| r.output.as_str()).collect();
    outputs.dedup();
    for output in outputs {
        // of several equally slow ones the first
        let of_output = || reactions.iter().rev().filter(|r| r.fast && r.output == output);
        if let Some(slowest) = of_output().max_by_key(|r| r.reaction_ms).filter(|r| r.reaction_ms > needed.value) {
            let message = format!(
                "`{output}` reacts to `{}` within {} ms, but {} ms are needed",
                slowest.input, slowest.reaction_ms, needed.value
            );
            problems.say_help(
                &needed.span,
                message,
                format!("through `{}`: poll faster, or state a need that can be met", slowest.program),
            );
        }
        if let Some(slowest) = of_output().max_by_key(|r| r.loss_ms).filter(|r| r.loss_ms > needed.value) {
            let message = format!(
                "`{output}` begins to go safe {} ms after `{}` is lost, but {} ms are needed",
                slowest.loss_ms, slowest.input, needed.value
            );
            problems.say_help(
                &needed.span,
                message,
                format!("through `{}`: let it accept less age, or narrow `age_max_ms` of the point", slowest.program),
            );
        }
    }
}

fn whole(ms: u64) -> u32 {
    u32::try_from(ms).unwrap_or(u32::MAX)
}
