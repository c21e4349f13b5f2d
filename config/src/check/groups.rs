//! Groups: outputs with one total. The total's safe value and range are the sums of its members'.

use super::numbers::{narrower, ramps_out, rate};
use super::{damaged_or, names};
use crate::file::GroupFile;
use crate::report::Problems;
use flyball_io_map::document::{Lenient, Spanned, UniqueMap};
use flyball_io_map::image::output::Rule;
use flyball_io_map::image::wiring::{OutputDef, OutputKind};

/// All output definitions: the totals first, then `outputs` in their order.
pub(super) fn check(
    problems: &mut Problems,
    file: &UniqueMap<Lenient<GroupFile>>,
    outputs: Vec<OutputDef>,
    devices: &[&str],
) -> Vec<OutputDef> {
    let mut totals: Vec<OutputDef> = Vec::new();
    let mut taken: Vec<(usize, &str)> = Vec::new();
    for (name, group) in file.iter() {
        let fits = names::dotted(problems, "group", name, devices);
        let Some(group) = damaged_or(group) else {
            problems.lose(&name.value);
            continue;
        };
        let members = members(problems, name, group, &outputs, file, &mut taken);
        let rule = rule(problems, group, members.iter().map(|m| &outputs[*m]));
        if fits {
            let kind = OutputKind::Real { unit: group.unit.value, rule };
            totals.push(OutputDef { name: name.value.clone(), kind, members });
        } else {
            problems.lose(&name.value);
        }
    }
    // members are counted from the first output; the totals go before them
    let before = totals.len();
    totals.iter_mut().flat_map(|t| &mut t.members).for_each(|m| *m += before);
    totals.extend(outputs);
    totals
}

fn members<'a>(
    problems: &mut Problems,
    name: &'a Spanned<String>,
    group: &GroupFile,
    outputs: &[OutputDef],
    groups: &UniqueMap<Lenient<GroupFile>>,
    taken: &mut Vec<(usize, &'a str)>,
) -> Vec<usize> {
    if group.members.value.is_empty() {
        problems.say_help(
            &group.members.span,
            "a group without members controls nothing",
            "name at least one real output",
        );
    }
    let mut members = Vec::new();
    for member in &group.members.value {
        let Some(i) = outputs.iter().position(|o| o.name == member.value) else {
            if groups.get(&member.value).is_some() {
                problems.say(
                    &member.span,
                    format!("`{}` is a group; a group's members are outputs of devices", member.value),
                );
            } else {
                let known: Vec<&str> = outputs.iter().map(|o| o.name.as_str()).collect();
                let message = format!("no output is called `{}`", member.value);
                problems.unknown(&member.span, message, &member.value, &known);
            }
            continue;
        };
        match &outputs[i].kind {
            OutputKind::Real { unit, rule } if *unit == group.unit.value => {
                // in a group the total ramps, and its members follow their shares
                let ramps = [(rule.ramp_per_s, &group.ramp_per_s), (rule.ramp_out_per_s, &group.ramp_out_per_s)];
                for (own, total) in ramps.into_iter().filter(|(own, total)| *own < total.value) {
                    let message = format!("`{}` may change by {own} per s, its group by {}", member.value, total.value);
                    problems.say_help(&total.span, message, "a group is no faster than its slowest member");
                }
            }
            OutputKind::Real { unit, .. } => {
                let message = format!("`{}` is in {unit}, but the group is in {}", member.value, group.unit.value);
                problems.say(&member.span, message);
                problems.lose(&name.value);
                continue;
            }
            OutputKind::Choice { .. } | OutputKind::Pulse => {
                problems
                    .say(&member.span, format!("`{}` is no real output, so it has no part in a total", member.value));
                continue;
            }
        }
        if let Some((_, other)) = taken.iter().find(|(m, _)| *m == i) {
            let message = format!("`{}` is a member of `{other}` already", member.value);
            problems.say_help(&member.span, message, "an output belongs to one group");
            continue;
        }
        taken.push((i, &name.value));
        members.push(i);
    }
    members
}

fn rule<'a>(problems: &mut Problems, group: &GroupFile, members: impl Iterator<Item = &'a OutputDef>) -> Rule {
    let (mut safe, mut sum) = (0.0, (0.0, 0.0));
    for member in members {
        if let OutputKind::Real { rule, .. } = &member.kind {
            safe += rule.safe;
            sum = (sum.0 + rule.range.0, sum.1 + rule.range.1);
        }
    }
    let given = group.range.as_ref();
    let mut range = given.map_or(sum, |r| narrower(problems, "range", r, sum, "what its members can do together"));
    if let Some(given) = given.filter(|_| !(range.0 <= safe && safe <= range.1)) {
        let message = format!("the members are safe at {safe} together, which lies outside the group's range");
        problems.say(&given.span, message);
        range = sum;
    }
    let ramp_per_s = rate(problems, "ramp_per_s", &group.ramp_per_s);
    ramps_out(problems, &group.ramp_out_per_s, range, safe);
    Rule { safe, range, ramp_per_s, ramp_out_per_s: rate(problems, "ramp_out_per_s", &group.ramp_out_per_s) }
}
