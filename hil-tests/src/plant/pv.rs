//! The PV roof: a clear day's arc, times clouds that come and go in straight lines.

use super::noise::Noise;
use crate::rounding::within;

/// What the PV roof is made of.
#[derive(Clone, Debug)]
pub struct PvParams {
    /// Power at noon under a clear sky, W.
    pub peak_w: f64,
    /// Sunrise, s after midnight.
    pub sunrise_s: f64,
    /// Sunset, s after midnight.
    pub sunset_s: f64,
    /// What the thickest cloud leaves, 0..1.
    pub cloud_share_min: f64,
    /// How fast a cloud's edge passes, share per second.
    pub cloud_share_per_s: f64,
    /// Longest time a sky stays the same, s.
    pub cloud_s_max: f64,
}

impl Default for PvParams {
    fn default() -> Self {
        Self {
            peak_w: 3200.0,
            sunrise_s: 6.0 * 3600.0,
            sunset_s: 20.0 * 3600.0,
            cloud_share_min: 0.25,
            cloud_share_per_s: 0.05,
            cloud_s_max: 180.0,
        }
    }
}

/// The PV roof; its power is positive.
#[derive(Clone, Debug)]
pub struct Pv {
    params: PvParams,
    noise: Noise,
    fixed_w: Option<f64>,
    sky: f64,
    next_sky: f64,
    left_s: f64,
    power_w: f64,
    energy_wh: f64,
}

impl Pv {
    pub(crate) fn new(params: PvParams, noise: Noise) -> Self {
        Self { params, noise, fixed_w: None, sky: 1.0, next_sky: 1.0, left_s: 0.0, power_w: 0.0, energy_wh: 0.0 }
    }

    pub(crate) fn step(&mut self, dt_s: f64, time_of_day_s: f64) {
        self.left_s -= dt_s;
        if self.left_s <= 0.0 {
            self.left_s = self.noise.between(5.0, self.params.cloud_s_max);
            self.next_sky = self.noise.between(self.params.cloud_share_min, 1.0);
        }
        let reach = self.params.cloud_share_per_s * dt_s;
        self.sky += within(self.next_sky - self.sky, -reach, reach);
        self.power_w = match self.fixed_w {
            Some(power_w) => power_w,
            None => self.clear_w(time_of_day_s) * self.sky,
        };
        self.energy_wh += self.power_w * dt_s / 3600.0;
    }

    /// A parabola, squared for the flat mornings and evenings.
    fn clear_w(&self, time_of_day_s: f64) -> f64 {
        let share = (time_of_day_s - self.params.sunrise_s) / (self.params.sunset_s - self.params.sunrise_s);
        if share > 0.0 && share < 1.0 {
            let arc = 4.0 * share * (1.0 - share);
            self.params.peak_w * arc * arc
        } else {
            0.0
        }
    }

    /// From now on exactly this power, W; what is negative or not finite changes nothing.
    pub fn hold_w(&mut self, power_w: f64) {
        if power_w >= 0.0 && power_w.is_finite() {
            self.fixed_w = Some(power_w);
        }
    }

    /// Back to sun and clouds.
    pub fn release(&mut self) {
        self.fixed_w = None;
    }

    pub(crate) fn power_w(&self) -> f64 {
        self.power_w
    }

    pub(crate) fn energy_wh(&self) -> f64 {
        self.energy_wh
    }
}
