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

/// An error with its causes as one line. Many errors say their cause themselves: it is not said twice.
pub(crate) fn sentence(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn a_cause_that_was_said_already_is_not_said_twice() {
        let cause = || std::io::Error::other("the port is in use");
        let plain: anyhow::Error = Err::<(), _>(cause()).context("the demo cannot start").unwrap_err();
        assert_eq!(sentence(&plain), "the demo cannot start: the port is in use");
        let doubled = Err::<(), _>(cause()).context("the demo cannot start: the port is in use").unwrap_err();
        assert_eq!(sentence(&doubled), "the demo cannot start: the port is in use");
    }
}
