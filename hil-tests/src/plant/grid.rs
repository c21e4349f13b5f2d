//! The grid behind the connection point: a frequency that wanders about 50 Hz, and a voltage that sinks under load.
//!
//! The wander is a random walk that is drawn back (Ornstein-Uhlenbeck, in its discrete form without an exponential).
//! With the defaults its standard deviation is about 16 mHz, close to that of the Continental European grid.

use super::noise::Noise;
use crate::rounding::within;

/// What the grid is like.
#[derive(Clone, Debug)]
pub struct GridParams {
    /// Frequency about which it wanders, Hz.
    pub frequency_hz: f64,
    /// Strength of the wander, Hz per root second.
    pub wander_hz_per_root_s: f64,
    /// How slowly it is drawn back, s.
    pub return_s: f64,
    /// Noise of each measurement, Hz (standard deviation).
    pub noise_hz: f64,
    /// Voltage of each phase without load, V.
    pub voltage_v: f64,
    /// Noise of the voltage, V (standard deviation).
    pub noise_v: f64,
    /// Resistance of each phase of the line, ohm.
    pub line_ohm: f64,
}

impl Default for GridParams {
    fn default() -> Self {
        Self {
            frequency_hz: 50.0,
            wander_hz_per_root_s: 0.003,
            return_s: 60.0,
            noise_hz: 0.001,
            voltage_v: 230.0,
            noise_v: 0.2,
            line_ohm: 0.25,
        }
    }
}

/// The grid. Power is positive when the site imports.
#[derive(Clone, Debug)]
pub struct Grid {
    params: GridParams,
    noise: Noise,
    walk_hz: f64,
    offset_hz: f64,
    frequency_hz: f64,
    voltage_v: [f64; 3],
    power_w: f64,
    power_phase_w: [f64; 3],
}

impl Grid {
    pub(crate) fn new(params: GridParams, noise: Noise) -> Self {
        Self {
            frequency_hz: params.frequency_hz,
            voltage_v: [params.voltage_v; 3],
            params,
            noise,
            walk_hz: 0.0,
            offset_hz: 0.0,
            power_w: 0.0,
            power_phase_w: [0.0; 3],
        }
    }

    /// Advances the frequency, which does not depend on the site.
    pub(crate) fn step(&mut self, dt_s: f64) {
        let kick = self.params.wander_hz_per_root_s * dt_s.sqrt() * self.noise.bell();
        self.walk_hz += kick - self.walk_hz * dt_s / (self.params.return_s + dt_s);
        let noise_hz = self.params.noise_hz * self.noise.bell();
        self.frequency_hz = self.params.frequency_hz + self.walk_hz + self.offset_hz + noise_hz;
    }

    /// Takes what the site draws per phase (import positive) and lets the voltages sink or rise with it.
    pub(crate) fn supply(&mut self, power_phase_w: [f64; 3]) {
        let noise_v = self.params.noise_v * self.noise.bell();
        for (voltage_v, power_w) in self.voltage_v.iter_mut().zip(power_phase_w) {
            let drop_v = power_w / self.params.voltage_v * self.params.line_ohm;
            *voltage_v = self.params.voltage_v - drop_v + noise_v;
        }
        self.power_phase_w = power_phase_w;
        self.power_w = power_phase_w[0] + power_phase_w[1] + power_phase_w[2];
    }

    /// Moves the frequency away from where it wanders, Hz (bounded to ±5 Hz), for the events of a scenario.
    pub fn set_offset_hz(&mut self, offset_hz: f64) {
        if offset_hz.is_finite() {
            self.offset_hz = within(offset_hz, -5.0, 5.0);
        }
    }

    pub(crate) fn frequency_hz(&self) -> f64 {
        self.frequency_hz
    }

    pub(crate) fn voltage_v(&self) -> [f64; 3] {
        self.voltage_v
    }

    pub(crate) fn power_w(&self) -> f64 {
        self.power_w
    }

    pub(crate) fn power_phase_w(&self) -> [f64; 3] {
        self.power_phase_w
    }
}
