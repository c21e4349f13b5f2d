//! The log on stderr: one line each, with the priority that journald reads when it is the reader.

use log::{Level, LevelFilter, Log, Metadata, Record};
use std::io::{IsTerminal, Write};

struct Stderr {
    /// systemd sets JOURNAL_STREAM when stderr goes to the journal: then lines begin with their priority.
    journal: bool,
}

impl Log for Stderr {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // libraries speak up only when something is wrong
        metadata.target().starts_with("flyball") || metadata.level() <= Level::Warn
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let (priority, word) = match record.level() {
            Level::Error => (3, "error"),
            Level::Warn => (4, "warning"),
            Level::Info => (6, "info"),
            Level::Debug | Level::Trace => (7, "debug"),
        };
        // what came from a device or a client is text, never a line of its own
        let text: String = record.args().to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let mut stderr = std::io::stderr().lock();
        let _ = if self.journal { writeln!(stderr, "<{priority}>{text}") } else { writeln!(stderr, "{word}: {text}") };
    }

    fn flush(&self) {}
}

/// Installs the log. `quiet` keeps to warnings, for commands whose output is their result.
pub(crate) fn install(quiet: bool) {
    let journal = std::env::var_os("JOURNAL_STREAM").is_some() && !std::io::stderr().is_terminal();
    let level = if quiet { LevelFilter::Warn } else { LevelFilter::Info };
    if log::set_boxed_logger(Box::new(Stderr { journal })).is_ok() {
        log::set_max_level(level);
    }
}
