//! Battery limits: keep the power within what the battery allows right now.
//!
//! # Reads
//! The battery's current limits (A, ≥ 0) and voltage (V), and its state of charge (%).
//! # Limits
//! `power` (W, + discharges) to −charge current × voltage … discharge current × voltage. Charging tapers to nothing at
//! `soc_percent_max`, discharging at `soc_percent_min`: linear over `taper_percent`, so that the bound does not bounce.
//! # When inputs are lost
//! Any of them: nothing is allowed. A current or a voltage below 0 counts as 0.

use crate::program::{Placed, Program, Run, Scan};
use flyball_io_map::document::Spanned;
use flyball_io_map::image::output::Limit;
use flyball_io_map::image::{NoData, Point, Real, Unit, Wiring};
use flyball_io_map::real::{clamped, higher};
use serde::Deserialize;

/// What the site file says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Its name in messages, causes and lists. Default: that of the program, which then must be the only one of its kind.
    pub name: Option<Spanned<String>>,
    /// Its own period, ms, a multiple of the scan period. Default: every scan.
    pub every_ms: Option<Spanned<u32>>,
    /// Greatest charge current, A.
    pub charge_a_max: Spanned<String>,
    /// Greatest discharge current, A.
    pub discharge_a_max: Spanned<String>,
    /// Battery voltage, V.
    pub voltage: Spanned<String>,
    /// State of charge, %.
    pub soc: Spanned<String>,
    /// The output that is limited, W.
    pub power: Spanned<String>,
    /// At or below it nothing is discharged, %.
    pub soc_percent_min: Spanned<f64>,
    /// At or above it nothing is charged, %.
    pub soc_percent_max: Spanned<f64>,
    /// Width of the taper before either end, %, above 0.
    pub taper_percent: Spanned<f64>,
}

/// Asks for the handles.
pub fn wire(settings: &Settings, site: &mut Wiring) -> Box<dyn Run> {
    let (min, max, taper) = (&settings.soc_percent_min, &settings.soc_percent_max, &settings.taper_percent);
    let inside = |v: f64| (0.0..=100.0).contains(&v);
    for end in [min, max] {
        if !inside(end.value) {
            site.problem(
                end.span.clone(),
                format!("a state of charge of {} % does not exist", end.value),
                Some("0 to 100".into()),
            );
        }
    }
    if !(taper.value > 0.0 && taper.value.is_finite()) {
        site.problem(
            taper.span.clone(),
            format!("the taper of {} % must be above 0", taper.value),
            Some("5 is usual".into()),
        );
    } else if inside(min.value) && inside(max.value) && min.value + 2.0 * taper.value > max.value {
        let message =
            format!("between {} % and {} % there is no room for two tapers of {} %", min.value, max.value, taper.value);
        site.problem(max.span.clone(), message, Some("widen the range or narrow the taper".into()));
    }
    let program = BatteryLimits {
        charge_a_max: site.point(&settings.charge_a_max, Unit::A),
        discharge_a_max: site.point(&settings.discharge_a_max, Unit::A),
        voltage_v: site.point(&settings.voltage, Unit::V),
        soc_percent: site.point(&settings.soc, Unit::Percent),
        power: site.limit(&settings.power, Unit::W),
        soc_percent_min: min.value,
        soc_percent_max: max.value,
        taper_percent: taper.value,
    };
    Placed::boxed(site.every(settings.every_ms.as_ref()), program)
}

struct BatteryLimits {
    charge_a_max: Point<Real>,
    discharge_a_max: Point<Real>,
    voltage_v: Point<Real>,
    soc_percent: Point<Real>,
    power: Limit<Real>,
    soc_percent_min: f64,
    soc_percent_max: f64,
    taper_percent: f64,
}

impl BatteryLimits {
    /// What may be charged and discharged, W, both ≥ 0.
    fn allowed_w(&self, scan: &mut Scan<'_>) -> Result<(f64, f64), NoData> {
        // two wrong signs must not make a power
        let voltage_v = higher(scan.read(&self.voltage_v)?, 0.0);
        let charge_w = higher(scan.read(&self.charge_a_max)?, 0.0) * voltage_v;
        let discharge_w = higher(scan.read(&self.discharge_a_max)?, 0.0) * voltage_v;
        let soc = scan.read(&self.soc_percent)?;
        let charge = clamped((self.soc_percent_max - soc) / self.taper_percent, 0.0, 1.0);
        let discharge = clamped((soc - self.soc_percent_min) / self.taper_percent, 0.0, 1.0);
        Ok((charge_w * charge, discharge_w * discharge))
    }
}

impl Program for BatteryLimits {
    type State = ();

    fn scan(&self, (): &mut (), scan: &mut Scan<'_>) {
        let (charge_w, discharge_w) = self.allowed_w(scan).unwrap_or((0.0, 0.0));
        scan.limit(&self.power, -charge_w, discharge_w);
    }
}

#[cfg(test)]
mod tests;
