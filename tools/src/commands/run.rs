//! `flyball run`: a site until it is told to stop, then its outputs go safe in their order.

use crate::exit::{Exit, complain, say};
use crate::status::{Summary, status_line};
use anyhow::{Context, Result};
use flyball_runtime::clock::Deadline;
use flyball_runtime::scan::snapshot::View;
use flyball_runtime::site::{Options, Running, start};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use serde_json::json;
use std::io::{IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::Duration;

/// What to run.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The site file.
    site: PathBuf,
    /// End by itself after so long, like 10m.
    #[arg(long = "for", value_parser = humantime::parse_duration)]
    duration: Option<Duration>,
    /// JSON lines on stdout: one when the first scan is done, one at the end.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<Exit> {
    crate::logger::install(false);
    let Some(site) = crate::site::load(&args.site)? else {
        return Ok(Exit::No);
    };
    let signals = Signals::take()?;
    let running = start(&site, &Options { mqtt_broker: None })?;
    if !args.json {
        say(&format!("site `{}` runs; what the scan thread got of the machine:", site.name()));
        say(running.start_report().map(ToString::to_string).unwrap_or_default().trim_end());
        if let Some(address) = running.scada() {
            say(&format!("SCADA: Modbus TCP on {address}"));
        }
    }
    watch(running, &signals, args.duration, args.json)
}

/// SIGTERM and SIGINT, taken out of their usual course before any thread is started.
pub(crate) struct Signals(SignalFd);

impl Signals {
    /// Blocks them in this thread, and so in all that it starts.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn take() -> Result<Self> {
        let mut set = SigSet::empty();
        set.add(Signal::SIGTERM);
        set.add(Signal::SIGINT);
        set.thread_block().context("signals cannot be blocked")?;
        Ok(Self(
            SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
                .context("no file for signals")?,
        ))
    }

    /// Waits so long for one; true if there was one.
    fn came_within(&self, wait: Duration) -> bool {
        let mut fds = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        let timeout = PollTimeout::try_from(wait).unwrap_or(PollTimeout::MAX);
        // an interrupted wait is a short one
        let _ = poll(&mut fds, timeout);
        matches!(self.0.read_signal(), Ok(Some(_)))
    }
}

/// Where there is no terminal to draw on, a line is printed so often, ms.
const LINE_EVERY_MS: u64 = 5_000;
/// A scan that has not published for so long hangs, ms.
const HUNG_AFTER_MS: u64 = 2_000;
/// How often the status line is drawn anew.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Watches a running site until a signal, the end of `duration`, or the end of its scan; then stops it and sums up.
///
/// # Errors
/// The scan ended by itself.
pub(crate) fn watch(running: Running, signals: &Signals, duration: Option<Duration>, json: bool) -> Result<Exit> {
    let until = duration.map(|d| Deadline::after_ms(u64::try_from(d.as_millis()).unwrap_or(u64::MAX)));
    let live = !json && std::io::stdout().is_terminal();
    let mut words = vec![0; running.layout().words()];
    let mut seen_first = false;
    let mut next_line = Deadline::after_ms(0);
    let mut moving = (running.snapshot().published(), Deadline::after_ms(HUNG_AFTER_MS));
    loop {
        let left = until.map_or(LOOK_EVERY, |deadline| deadline.left().min(LOOK_EVERY));
        let wait = if seen_first { left } else { left.min(Duration::from_millis(5)) };
        let wait = wait.max(Duration::from_millis(1)); // poll counts whole milliseconds: less would spin
        if signals.came_within(wait) || until.is_some_and(Deadline::passed) || running.has_ended() {
            break;
        }
        let published = running.snapshot().published();
        if published != moving.0 {
            moving = (published, Deadline::after_ms(HUNG_AFTER_MS));
        } else if moving.1.passed() {
            complain(
                "no scan has been completed for 2 s: devices are no longer kept alive and stop by their own watchdogs",
            );
            moving.1 = Deadline::after_ms(60_000);
        }
        if running.snapshot().read(&mut words).is_none() {
            continue;
        }
        let Some(view) = View::new(running.layout(), &words) else { continue };
        if !seen_first {
            seen_first = true;
            if json {
                say(&json!({"first_scan": {"tick": view.header().tick}}).to_string());
            }
        }
        if json {
            continue;
        }
        let line = status_line(&running, &view);
        if live {
            let mut out = std::io::stdout().lock();
            let _ = write!(out, "\r\x1b[K{line}");
            let _ = out.flush();
        } else if next_line.passed() {
            say(&line);
            next_line = Deadline::after_ms(LINE_EVERY_MS);
        }
    }
    if live {
        say("");
    }
    let broke = running.has_ended();
    let summary = Summary::of(&running, &mut words);
    let stopped = running.stop();
    say(&if json { summary.json(&stopped) } else { summary.text(&stopped) });
    if broke {
        complain(&format!("the scan ended by itself, the log says why: {stopped}"));
        return Ok(Exit::CouldNotRun);
    }
    Ok(if stopped.safe && stopped.field_done { Exit::Fine } else { Exit::No })
}
