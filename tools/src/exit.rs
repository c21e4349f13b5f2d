//! How `flyball` ends, and how it speaks to a terminal.

use std::io::Write;
use std::process::ExitCode;

/// What the exit code says. Code 2, wrong usage, is given by the parser of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: done.
    Fine,
    /// 1: the answer is no: a bad site, a violated invariant.
    No,
    /// 3: could not run: a port in use, a missing file, a missing right.
    CouldNotRun,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Fine => Self::from(0),
            Exit::No => Self::from(1),
            Exit::CouldNotRun => Self::from(3),
        }
    }
}

/// A line on stdout. Whoever reads may have gone (a closed pipe): that is no reason to stop a site.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// A line on stderr.
pub(crate) fn complain(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "flyball: {line}");
}
