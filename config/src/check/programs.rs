//! Programs: their names, and the wiring that gives them their handles.

use super::damaged_or;
use crate::file::SiteFile;
use crate::programs::ProgramFile;
use crate::report::Problems;
use crate::site::NamedProgram;
use flyball_io_map::document::{Problem, Spanned};
use flyball_io_map::image::wiring::{OutputDef, Wired};
use flyball_io_map::image::{PointDef, Wiring};
use flyball_programs::Run;

/// The programs, each with a name of its own; `None` where one cannot be read, so that the others keep their numbers.
pub(super) fn take(problems: &mut Problems, file: &mut SiteFile) -> Vec<Option<NamedProgram>> {
    let mut named: Vec<Option<NamedProgram>> = Vec::new();
    for file in std::mem::take(&mut file.programs) {
        let program = file.0.map(|file| {
            let kind = file.value.kind();
            let own = Spanned { value: kind.to_owned(), span: file.span.start..file.span.start + kind.len() };
            let name = file.value.given_name().cloned().unwrap_or(own);
            if named.iter().flatten().any(|n| n.name == name.value) {
                let message = format!("two programs are called `{}`", name.value);
                problems.say_help(&name.span, message, "give this one a `name` of its own");
            }
            NamedProgram { name: name.value, file }
        });
        named.push(program);
    }
    named
}

/// The programs to shed while degraded, as indices.
pub(super) fn shed(problems: &mut Problems, file: &SiteFile, programs: &[Option<NamedProgram>]) -> Vec<usize> {
    let Some(scan) = damaged_or(&file.scan) else { return Vec::new() };
    let mut shed = Vec::new();
    for name in &scan.overrun.shed {
        match programs.iter().position(|p| p.as_ref().is_some_and(|p| p.name == name.value)) {
            Some(i) if shed.contains(&i) => problems.say(&name.span, format!("`{}` is listed twice", name.value)),
            Some(i) => shed.push(i),
            None => {
                let known: Vec<&str> = programs.iter().flatten().map(|p| p.name.as_str()).collect();
                problems.unknown(&name.span, format!("no program is called `{}`", name.value), &name.value, &known);
            }
        }
    }
    shed
}

/// A program with its handles; `None` where it cannot be read.
pub(crate) type OptionalRun = Option<Box<dyn Run>>;

/// All programs that can be read, with their handles.
pub(crate) fn wire<'a>(
    points: Vec<PointDef>,
    outputs: Vec<OutputDef>,
    period_ms: u32,
    programs: impl Iterator<Item = Option<&'a Spanned<ProgramFile>>>,
) -> (Vec<OptionalRun>, Result<Wired, Vec<Problem>>) {
    let mut wiring = Wiring::new(points, outputs, period_ms);
    let wire = |program: Option<&Spanned<ProgramFile>>| {
        wiring.begin(program.map_or(0..0, |p| p.span.clone()));
        program.map(|p| p.value.wire(&mut wiring))
    };
    let wired = programs.map(wire).collect();
    (wired, wiring.finish())
}
