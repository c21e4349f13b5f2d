//! Emergency stop: the chain's state as the controller sees it. The stop itself is wired; this follows it, shows it and
//! refuses to go on.
//!
//! # Reads
//! `input`: true while the chain is healthy (normally closed, so a broken wire is a pressed button). `reset`: an edge from
//! false to true counts; a button that is held, or taped down, does not.
//! # Limits
//! `stops` to their safe values at once, `opens` to their safe values in the order of the site.
//! # Fires
//! `resets`, on the reset edge that frees the site, for two seconds.
//! # After a start
//! It begins latched, as if the button had just been pressed, unless `free_at_start` is true: nothing remembers over a
//! restart whether it was.
//! # When inputs are lost
//! Everything stops in that scan. A chain that was seen healthy and is lost latches like a pressed one, unless
//! `latch_when_lost` is false.

use crate::program::{Placed, Program, Run, Scan};
use flyball_io_map::document::Spanned;
use flyball_io_map::image::choice::Choice;
use flyball_io_map::image::output::Limit;
use flyball_io_map::image::pulse::Fire;
use flyball_io_map::image::{Flag, Point, Real, ScanTime, Unit, Wiring};
use serde::{Deserialize, Serialize};

/// What the site file says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Its name in messages, causes and lists. Default: that of the program, which then must be the only one of its kind.
    pub name: Option<Spanned<String>>,
    /// The chain: true is healthy.
    pub input: Spanned<String>,
    /// The reset button or command: its rising edge frees a latched stop once the chain is healthy.
    pub reset: Spanned<String>,
    /// Choice outputs that go safe.
    #[serde(default)]
    pub opens: Vec<Spanned<String>>,
    /// Real outputs, in W, that go safe.
    #[serde(default)]
    pub stops: Vec<Spanned<String>>,
    /// Pulses fired on reset.
    #[serde(default)]
    pub resets: Vec<Spanned<String>>,
    /// Whether a chain that is lost latches like a pressed one. Default true.
    pub latch_when_lost: Option<bool>,
    /// Whether the site may act after a start without a reset. Default false: a restart must not forgive a button that was
    /// pressed before it.
    pub free_at_start: Option<bool>,
}

/// Asks for the handles.
pub fn wire(settings: &Settings, site: &mut Wiring) -> Box<dyn Run> {
    if settings.opens.is_empty() && settings.stops.is_empty() {
        let message = "this emergency stop stops nothing".into();
        site.problem(settings.input.span.clone(), message, Some("name outputs under `opens` or `stops`".into()));
    }
    let program = EmergencyStop {
        chain: site.point(&settings.input, Unit::None),
        reset: site.point(&settings.reset, Unit::None),
        opens: settings.opens.iter().map(|name| site.limit_choice(name)).collect(),
        stops: settings.stops.iter().map(|name| site.limit(name, Unit::W)).collect(),
        resets: settings.resets.iter().map(|name| site.fire(name)).collect(),
        latch_when_lost: settings.latch_when_lost.unwrap_or(true),
        free_at_start: settings.free_at_start.unwrap_or(false),
    };
    Placed::boxed(1, program)
}

struct EmergencyStop {
    chain: Point<Flag>,
    reset: Point<Flag>,
    opens: Vec<Limit<Choice>>,
    stops: Vec<Limit<Real>>,
    resets: Vec<Fire>,
    latch_when_lost: bool,
    free_at_start: bool,
}

#[derive(Clone, Copy, Default, Serialize, Deserialize)]
struct State {
    started: bool,
    seen_healthy: bool,
    latched: bool,
    /// The reset input of the last scan; an edge needs a known false before.
    reset_was_released: bool,
    resets_fired: u64,
}

/// How long a reset pulse may wait for its device.
const RESET_EXPIRES_NS: u64 = 2_000_000_000;

impl Program for EmergencyStop {
    type State = State;

    fn scan(&self, state: &mut State, scan: &mut Scan<'_>) {
        if !state.started {
            (state.started, state.latched) = (true, !self.free_at_start);
        }
        let chain = scan.read(&self.chain);
        let healthy = chain == Ok(true);
        if chain == Ok(false) || (chain.is_err() && state.seen_healthy && self.latch_when_lost) {
            state.latched = true;
        }
        state.seen_healthy |= healthy;
        let reset = scan.read(&self.reset);
        let edge = reset == Ok(true) && state.reset_was_released;
        state.reset_was_released = reset == Ok(false);
        if edge && healthy && state.latched {
            state.latched = false;
            state.resets_fired += 1;
            let expires = ScanTime(scan.now().0 + RESET_EXPIRES_NS);
            self.resets.iter().for_each(|pulse| scan.fire(pulse, state.resets_fired, expires));
        }
        let free = healthy && !state.latched;
        for output in &self.stops {
            if free { scan.release(output) } else { scan.allow_nothing(output) }
        }
        for output in &self.opens {
            scan.allow(output, if free { u32::MAX } else { 0 });
        }
    }
}

#[cfg(test)]
mod tests;
