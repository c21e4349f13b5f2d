//! From what was typed to what it means, with every problem of the site in one pass.
//!
//! Nothing is repaired: what cannot be made sense of gets a stand-in, so that the rest can still be checked, and a site comes
//! out only if there was no problem at all. What would be a mere consequence of another problem is not reported: whatever
//! stands in an entry that could not be read, whoever names such an entry, and what is computed from senseless numbers.

mod arithmetic;
mod commands;
mod devices;
mod endpoints;
mod groups;
mod names;
mod north;
mod numbers;
mod outputs;
mod points;
mod profiles;
pub(crate) mod programs;
mod scan;

pub use commands::{ARM, RESET};
pub use profiles::Beside;

use crate::file::{Arm, Realtime, SiteFile};
use crate::report::{Faulty, Problems, Report};
use crate::site::{Device, DeviceOutput, NamedProgram, Overrun, ScanSettings, Site, Skips};
use crate::system::SystemPoints;
use crate::timing::Timing;
use arithmetic::Facts;
use devices::Draft;
use endpoints::Endpoints;
use flyball_io_map::document::{self, Lenient, Problem};
use flyball_io_map::image::PointDef;
use flyball_io_map::image::wiring::{OutputDef, Wired};
use outputs::Listed;
use profiles::Library;
use std::ops::Range;

/// The most points of a site, so that an index of one fits 16 bits with room to spare.
const POINTS_MAX: usize = 60_000;

/// What an entry says, or `None` if it could not be read: that is a problem already.
pub(crate) fn damaged_or<T>(entry: &Lenient<T>) -> Option<&T> {
    entry.0.as_ref()
}

/// Checks a site file. `beside` gives the text of profile files beside it.
pub(crate) fn check(file_name: &str, text: &str, beside: Beside<'_>) -> Result<Site, Report> {
    let faulty = |problems| Faulty { file: file_name.to_owned(), text: text.to_owned(), problems };
    let mut parsed = document::parse_partly::<SiteFile>(text);
    let Some(mut file) = parsed.value.take() else {
        return Err(Report::new(vec![faulty(parsed.problems)]));
    };
    let mut problems = Problems::default();
    let mut library = Library::new(beside);
    for name in parsed.problems.iter().filter_map(|p| text.get(p.span.clone())?.strip_prefix('"')?.strip_suffix('"')) {
        // a name given twice: which of the two is meant by those who use it is not known
        problems.lose(name);
    }
    let site = site(&mut problems, text, &mut file, &mut library);
    let found = problems.all.into_iter().filter(|p| !parsed.is_damaged(&p.span));
    let mut all: Vec<Problem> = parsed.problems.iter().cloned().chain(found).collect();
    all.sort_by_key(|p| (p.span.start, p.span.end));
    all.dedup();
    let report = Report::new([faulty(all)].into_iter().chain(library.into_faulty()).collect());
    match site {
        Some(site) if report.count() == 0 => Ok(site),
        _ => Err(report),
    }
}

/// What stands in the field: devices, their points and outputs.
struct South {
    devices: Vec<Option<Draft>>,
    /// Each device's part of the image.
    parts: Vec<Range<usize>>,
    points: Vec<PointDef>,
    listed: Vec<Listed>,
    endpoints: Endpoints,
    /// Totals of groups, then `listed`.
    outputs: Vec<OutputDef>,
}

/// The site if it could be wired.
fn site(problems: &mut Problems, text: &str, file: &mut SiteFile, library: &mut Library<'_>) -> Option<Site> {
    names::simple(problems, "site", &file.name);
    file.buses.iter().for_each(|(name, _)| names::simple(problems, "bus", name));
    let scan = damaged_or(&file.scan).map_or_else(stand_in, |s| scan::check(problems, s));
    let south = south(problems, file, scan.period_ms, library);
    let arm = damaged_or(&file.arm).copied().unwrap_or(Arm::Manual);
    let devices: Vec<&str> = file.devices.names().collect();
    let mut latched = south.points.clone();
    let (system, own) = SystemPoints::new(latched.len());
    latched.extend(own);
    let (commanded, commands) = commands::check(problems, &file.commands, arm, &devices, latched.len());
    latched.extend(commanded);
    if latched.len() > POINTS_MAX {
        let message = format!("the site has {} points, at most {POINTS_MAX} are possible", latched.len());
        problems.say(&file.name.span, message);
    }
    for (name, _) in file.commands.iter().filter(|(name, _)| file.groups.get(&name.value).is_some()) {
        problems.say_help(
            &name.span,
            format!("`{}` is a group already", name.value),
            "give the command a name of its own",
        );
    }
    let server = file.modbus_server.as_ref().and_then(damaged_or);
    let modbus_server = server.and_then(|s| north::modbus_server(problems, s, &latched, &commands));
    let mqtt = file.mqtt.as_ref().and_then(damaged_or).and_then(|m| north::mqtt(problems, m, &file.name.value));
    let programs = programs::take(problems, file);
    let shed = programs::shed(problems, file, &programs);
    if let Some(needed) = &file.reaction_ms_max {
        numbers::within(problems, "reaction_ms_max", needed, 1..=3_600_000);
    }
    let wired = wire(problems, (text, file), &south, &latched, &programs, scan.period_ms);
    wired.map(|(points, timing)| Site {
        name: file.name.value.clone(),
        arm,
        scan: ScanSettings { overrun: Overrun { shed, ..scan.overrun }, ..scan },
        devices: assemble(&south),
        endpoints: south.endpoints.all,
        outputs: south.outputs,
        latched: latched.len(),
        points,
        system,
        commands,
        programs: programs.into_iter().flatten().collect(),
        modbus_server,
        mqtt,
        timing,
    })
}

fn south(problems: &mut Problems, file: &SiteFile, period_ms: u32, library: &mut Library<'_>) -> South {
    let written: Vec<&str> = file.outputs.names().filter_map(|n| Some(n.split_once('.')?.0)).collect();
    let names: Vec<&str> = file.devices.names().collect();
    let devices = devices::check(problems, &file.devices, &file.buses, &written, period_ms, library);
    let (mut points, parts) = points::of_devices(&devices);
    points::narrow(problems, &file.points, &mut points);
    let listed = outputs::check(problems, &file.outputs, &devices, &names, &points);
    let endpoints = endpoints::check(problems, &devices, &listed);
    let outputs = groups::check(problems, &file.groups, listed.iter().map(|l| l.def.clone()).collect(), &names);
    South { devices, parts, points, listed, endpoints, outputs }
}

/// In place of scan settings that could not be read.
fn stand_in() -> ScanSettings {
    let never = Skips { skipped: 1, of: 1 };
    let overrun = Overrun { degrade: never, trip: never, shed: Vec::new() };
    ScanSettings { period_ms: 10, overrun, realtime: Realtime::BestEffort, priority: 1, cpus: Vec::new() }
}

/// Wires the programs once, to see whether it can be done, and does the arithmetic.
fn wire(
    problems: &mut Problems,
    (text, file): (&str, &SiteFile),
    south: &South,
    latched: &[PointDef],
    programs: &[Option<NamedProgram>],
    period_ms: u32,
) -> Option<(Vec<PointDef>, Timing)> {
    let files = programs.iter().map(|p| p.as_ref().map(|p| &p.file));
    let (runs, wired) = programs::wire(latched.to_vec(), south.outputs.clone(), period_ms, files);
    let wired: Wired = match wired {
        Ok(wired) => wired,
        Err(found) => {
            let named = |p: &Problem| text.get(p.span.clone()).unwrap_or_default().trim_matches('"');
            let found: Vec<Problem> = found.into_iter().filter(|p| !problems.is_lost(named(p))).collect();
            problems.all.extend(found);
            return None;
        }
    };
    let narrowed = file.points.iter().filter_map(|(name, said)| {
        let span = damaged_or(said)?.age_max_ms.as_ref()?.span.clone();
        Some((latched.iter().position(|p| p.name == name.value)?, span))
    });
    let names = programs.iter().map(|p| p.as_ref().map_or("", |p| p.name.as_str()));
    let periods = runs.iter().map(|run| run.as_ref().map_or(1, |run| run.every()));
    let facts = Facts {
        devices: &south.devices,
        parts: &south.parts,
        endpoints: &south.endpoints,
        listed: &south.listed,
        outputs: &south.outputs,
        wired: &wired,
        programs: names.zip(periods).collect(),
        period_ms,
        reaction_ms_max: file.reaction_ms_max.as_ref(),
        narrowed: narrowed.collect(),
    };
    let timing = arithmetic::check(problems, &facts);
    Some((wired.points, timing))
}

/// The devices with their outputs, where nothing is missing.
fn assemble(south: &South) -> Vec<Device> {
    let groups = south.outputs.len() - south.listed.len();
    let devices = south.devices.iter().zip(&south.parts).enumerate();
    let device = |(i, (draft, part)): (usize, (&Option<Draft>, &Range<usize>))| {
        let draft = draft.as_ref()?;
        let listed = south.listed.iter().enumerate().filter(|(_, l)| l.device == i);
        Some(Device {
            name: draft.name.value.clone(),
            profile: draft.profile.clone(),
            address: draft.address,
            unit: draft.unit,
            poll_ms: draft.poll_ms,
            answer_ms: draft.answer_ms,
            watchdog_ms: draft.watchdog_ms,
            points: part.clone(),
            outputs: listed.map(|(at, l)| DeviceOutput { output: groups + at, writable: l.writable }).collect(),
        })
    };
    devices.filter_map(device).collect()
}
