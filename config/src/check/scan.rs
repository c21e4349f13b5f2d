//! The scan's own settings.

use super::numbers::within;
use crate::file::{OverrunFile, ScanFile};
use crate::report::Problems;
use crate::site::{Overrun, ScanSettings, Skips};
use flyball_io_map::document::Spanned;

/// Below the 50 at which Linux runs its interrupt threads, above everything ordinary.
const PRIORITY: u8 = 40;

/// The settings; programs to shed are resolved when the programs are known.
pub(super) fn check(problems: &mut Problems, file: &ScanFile) -> ScanSettings {
    let mut cpus: Vec<u16> = Vec::new();
    for cpu in &file.cpus {
        within(problems, "cpus", cpu, 0..=1023);
        if cpus.contains(&cpu.value) {
            problems.say(&cpu.span, format!("CPU {} is listed twice", cpu.value));
        }
        cpus.push(cpu.value);
    }
    ScanSettings {
        period_ms: within(problems, "period_ms", &file.period_ms, 1..=1_000),
        overrun: overrun(problems, &file.overrun),
        realtime: file.realtime,
        priority: file.priority.as_ref().map_or(PRIORITY, |p| within(problems, "priority", p, 1..=98)),
        cpus,
    }
}

fn overrun(problems: &mut Problems, file: &OverrunFile) -> Overrun {
    let (degrade, trip) = (skips(problems, "degrade", &file.degrade), skips(problems, "trip", &file.trip));
    if trip.skipped <= degrade.skipped && trip.of >= degrade.of {
        let message =
            format!("trips after {} skipped slots, but degrades only after {}", trip.skipped, degrade.skipped);
        problems.say_help(&file.trip.span, message, "a site degrades first; more skipped slots trip it");
    }
    Overrun { degrade, trip, shed: Vec::new() }
}

fn skips(problems: &mut Problems, key: &str, given: &Spanned<(u16, u16)>) -> Skips {
    let (skipped, of) = given.value;
    if skipped == 0 || skipped > of || of > Skips::OF_MAX {
        let message = format!("`{key}: ({skipped}, {of})` makes no sense as so many skipped slots of so many");
        problems.say_help(&given.span, message, format!("1 or more of at most {}", Skips::OF_MAX));
    }
    Skips { skipped, of }
}
