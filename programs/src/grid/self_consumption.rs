//! Self consumption: hold the power at the grid connection at a target, usually 0, with the battery.
//!
//! # Reads
//! `grid` (W, import positive): no older than `grid_age_ms_max`.
//! # Demands
//! `power` (W, discharge positive): a PID on the meter's error, one step per fresh sample, that starts from what was
//! applied. What grid services added is taken out of the meter's value first, so that a frequency response is not
//! regulated away. Inside `dead_band_w` around the target the battery rests where it is.
//! # When inputs are lost
//! No demand: the battery ramps out. It never repeats its last value beyond the meter's age.

use crate::blocks::pid;
use crate::program::{Placed, Program, Run, Scan};
use flyball_io_map::document::Spanned;
use flyball_io_map::image::output::{Demand, Observe};
use flyball_io_map::image::{Point, Real, ScanTime, Unit, Wiring};
use serde::{Deserialize, Serialize};

/// What the site file says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Its name in messages, causes and lists. Default: that of the program, which then must be the only one of its kind.
    pub name: Option<Spanned<String>>,
    /// Its own period, ms, a multiple of the scan period. Default: every scan.
    pub every_ms: Option<Spanned<u32>>,
    /// Power at the grid connection, W.
    pub grid: Spanned<String>,
    /// No older than this, ms. Default: the point's own greatest age.
    pub grid_age_ms_max: Option<u32>,
    /// The output that is demanded, W.
    pub power: Spanned<String>,
    /// Rank of the demand.
    #[serde(default)]
    pub rank: u8,
    /// What the meter should show, W.
    pub target_w: f64,
    /// Errors up to this count as none, W, ≥ 0.
    pub dead_band_w: Spanned<f64>,
    /// Gain, W per W, above 0.
    pub kp: Spanned<f64>,
    /// Integral time, s, above 0.
    pub ti_s: Spanned<f64>,
    /// Derivative time, s, ≥ 0. Default 0.
    pub td_s: Option<Spanned<f64>>,
}

/// Asks for the handles.
pub fn wire(settings: &Settings, site: &mut Wiring) -> Box<dyn Run> {
    for (value, name) in [(&settings.kp, "kp"), (&settings.ti_s, "ti_s")] {
        if !(value.value > 0.0 && value.value.is_finite()) {
            site.problem(value.span.clone(), format!("`{name}` is {}, but must be above 0", value.value), None);
        }
    }
    for (value, name) in [(Some(&settings.dead_band_w), "dead_band_w"), (settings.td_s.as_ref(), "td_s")] {
        if let Some(value) = value.filter(|v| !(v.value >= 0.0 && v.value.is_finite())) {
            site.problem(value.span.clone(), format!("`{name}` is {}, but must be 0 or above", value.value), None);
        }
    }
    if !settings.target_w.is_finite() {
        let message = format!("`target_w` is {}, but must be a number", settings.target_w);
        site.problem(settings.grid.span.clone(), message, None);
    }
    let program = SelfConsumption {
        grid: site.point_within(&settings.grid, Unit::W, settings.grid_age_ms_max),
        power: site.demand(&settings.power, Unit::W, settings.rank),
        applied: site.observe(&settings.power, Unit::W),
        target_w: settings.target_w,
        dead_band_w: settings.dead_band_w.value,
        pid: pid::Tuning {
            kp: settings.kp.value,
            ti_s: settings.ti_s.value,
            td_s: settings.td_s.as_ref().map_or(0.0, |td| td.value),
        },
    };
    Placed::boxed(site.every(settings.every_ms.as_ref()), program)
}

struct SelfConsumption {
    grid: Point<Real>,
    power: Demand<Real>,
    applied: Observe<Real>,
    target_w: f64,
    dead_band_w: f64,
    pid: pid::Tuning,
}

#[derive(Clone, Copy, Default, Serialize, Deserialize)]
struct State {
    pid: pid::State,
    /// The sample that was last acted on, and what was demanded for it.
    acted: Option<(ScanTime, f64)>,
}

impl Program for SelfConsumption {
    type State = State;

    fn scan(&self, state: &mut State, scan: &mut Scan<'_>) {
        let Ok(grid_w) = scan.read(&self.grid) else {
            *state = State::default();
            return;
        };
        let taken = scan.taken(&self.grid);
        if state.acted.is_some_and(|(acted, _)| taken.since(acted) > self.grid.age_max_ns()) {
            // it did not run for longer than a sample may be used: what it remembers is of another time
            *state = State::default();
        }
        let demand_w = match state.acted {
            Some((acted, demand_w)) if acted == taken => demand_w,
            before => {
                let applied = scan.applied(&self.applied);
                let error_w = grid_w + applied.added - self.target_w;
                let dt_s = before.map_or(scan.elapsed_s(), |(acted, _)| seconds(taken.since(acted)));
                // the step is made in any case: the errors it remembers must not jump at the edge of the band
                let stepped_w = self.pid.step(&mut state.pid, applied.base, error_w, dt_s);
                if error_w.abs() <= self.dead_band_w { applied.base } else { stepped_w }
            }
        };
        state.acted = Some((taken, demand_w));
        scan.demand(&self.power, demand_w);
    }
}

/// Nanoseconds as seconds: exact below 2^53 ns, which is 104 days between two samples.
#[expect(clippy::cast_precision_loss, reason = "the span between two samples is far below 2^53 ns")]
fn seconds(ns: u64) -> f64 {
    ns as f64 * 1e-9
}

#[cfg(test)]
mod tests;
