//! What the meter at the connection point knows: energies counted at every step, and a sample of everything else each
//! 100 ms, which is what a good meter refreshes.

use super::every::Every;
use crate::rounding::rounded;

/// One sample, 100 ms old at most. Power is positive for import.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MeterSample {
    /// How many samples there were before this one.
    pub number: u64,
    /// Line to neutral, V.
    pub voltage_v: [f64; 3],
    /// Amount of each phase's current, A.
    pub current_a: [f64; 3],
    /// Active power per phase, W.
    pub power_w: [f64; 3],
    /// Reactive power per phase, var.
    pub reactive_var: [f64; 3],
    /// Frequency, mHz. Two samples in a row are never equal: the last digit of a real meter does not rest either.
    pub frequency_mhz: i64,
    /// Imported since the start, Wh.
    pub imported_wh: f64,
    /// Exported since the start, Wh.
    pub exported_wh: f64,
    /// Imported since the start per phase, Wh.
    pub imported_phase_wh: [f64; 3],
}

/// What the meter is wired to in one step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terminals {
    pub(crate) voltage_v: [f64; 3],
    pub(crate) power_w: [f64; 3],
    pub(crate) reactive_var: [f64; 3],
    pub(crate) frequency_hz: f64,
}

/// The meter's measuring part.
#[derive(Clone, Debug)]
pub struct Meter {
    each_refresh: Every,
    sample: MeterSample,
    imported_wh: f64,
    exported_wh: f64,
    imported_phase_wh: [f64; 3],
}

impl Meter {
    pub(crate) fn new() -> Self {
        Self {
            each_refresh: Every::new(0.1),
            sample: MeterSample { frequency_mhz: 50_000, voltage_v: [230.0; 3], ..MeterSample::default() },
            imported_wh: 0.0,
            exported_wh: 0.0,
            imported_phase_wh: [0.0; 3],
        }
    }

    pub(crate) fn step(&mut self, dt_s: f64, at: &Terminals) {
        let hours = dt_s / 3600.0;
        let total_wh = (at.power_w[0] + at.power_w[1] + at.power_w[2]) * hours;
        if total_wh > 0.0 {
            self.imported_wh += total_wh;
        } else {
            self.exported_wh -= total_wh;
        }
        for (energy_wh, power_w) in self.imported_phase_wh.iter_mut().zip(at.power_w) {
            if power_w > 0.0 {
                *energy_wh += power_w * hours;
            }
        }
        if self.each_refresh.passed(dt_s) > 0 {
            self.take(at);
        }
    }

    fn take(&mut self, at: &Terminals) {
        let shown_mhz = rounded(at.frequency_hz * 1000.0);
        let frequency_mhz = if shown_mhz == self.sample.frequency_mhz { shown_mhz + 1 } else { shown_mhz };
        let mut current_a = [0.0; 3];
        for (phase, current_a) in current_a.iter_mut().enumerate() {
            let (p, q) = (at.power_w[phase], at.reactive_var[phase]);
            *current_a = (p * p + q * q).sqrt() / at.voltage_v[phase];
        }
        self.sample = MeterSample {
            number: self.sample.number + 1,
            voltage_v: at.voltage_v,
            current_a,
            power_w: at.power_w,
            reactive_var: at.reactive_var,
            frequency_mhz,
            imported_wh: self.imported_wh,
            exported_wh: self.exported_wh,
            imported_phase_wh: self.imported_phase_wh,
        };
    }

    /// The newest sample.
    #[must_use]
    pub fn sample(&self) -> &MeterSample {
        &self.sample
    }

    pub(crate) fn energies_wh(&self) -> (f64, f64) {
        (self.imported_wh, self.exported_wh)
    }
}
