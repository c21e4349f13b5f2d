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

/// An error with its causes in one sentence; a cause that the error has quoted is not said again.
pub(crate) fn sentence(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |said, cause| match said.as_str() {
        "" => cause,
        quoted if quoted.contains(&cause) => said,
        _ => format!("{said}: {cause}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt;

    /// As `thiserror` makes them of `#[error("SCADA: {0}")] Scada(#[from] Inner)`.
    #[derive(Debug)]
    struct Quotes(std::io::Error);

    impl fmt::Display for Quotes {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "SCADA: {}", self.0)
        }
    }

    impl std::error::Error for Quotes {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn a_cause_that_was_quoted_is_said_once_and_one_that_was_not_is_added() {
        let quotes = anyhow::Error::from(Quotes(std::io::Error::other("the port is in use")));
        assert_eq!(sentence(&quotes), "SCADA: the port is in use");
        assert_eq!(sentence(&quotes.context("no demo")), "no demo: SCADA: the port is in use");
    }
}
