//! The cabin's consumers: a base load with noise, and appliances that switch at seeded times.

use super::noise::Noise;

/// One appliance that is on and off by turns.
#[derive(Clone, Debug)]
pub struct Appliance {
    /// Power while on, W.
    pub power_w: f64,
    /// Shortest and longest time on, s.
    pub on_s: (f64, f64),
    /// Shortest and longest time off, s.
    pub off_s: (f64, f64),
}

/// What consumes.
#[derive(Clone, Debug)]
pub struct LoadParams {
    /// What is always on, W.
    pub base_w: f64,
    /// Standard deviation of the noise at each step, W.
    pub noise_w: f64,
    /// Reactive per active power (inductive), var/W.
    pub var_per_w: f64,
    /// Share of each phase, together 1.
    pub phase_shares: [f64; 3],
    /// The appliances.
    pub appliances: [Appliance; 4],
}

impl Default for LoadParams {
    fn default() -> Self {
        let appliance = |power_w, on_s, off_s| Appliance { power_w, on_s, off_s };
        Self {
            base_w: 180.0,
            noise_w: 6.0,
            var_per_w: 0.2,
            phase_shares: [0.5, 0.3, 0.2],
            appliances: [
                appliance(120.0, (600.0, 1200.0), (1500.0, 3000.0)), // refrigerator
                appliance(2000.0, (90.0, 240.0), (1800.0, 9000.0)),  // kettle
                appliance(750.0, (20.0, 120.0), (300.0, 2400.0)),    // water pump
                appliance(1500.0, (900.0, 2700.0), (3600.0, 14_400.0)), // oven
            ],
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Turn {
    on: bool,
    left_s: f64,
}

/// The load; consumption is positive.
#[derive(Clone, Debug)]
pub struct Load {
    params: LoadParams,
    noise: Noise,
    turns: [Turn; 4],
    fixed_w: Option<f64>,
    power_w: f64,
    energy_wh: f64,
}

impl Load {
    pub(crate) fn new(params: LoadParams, mut noise: Noise) -> Self {
        let mut turns = [Turn { on: false, left_s: 0.0 }; 4];
        for (turn, appliance) in turns.iter_mut().zip(&params.appliances) {
            turn.left_s = noise.between(0.0, appliance.off_s.1);
        }
        Self { power_w: params.base_w, params, noise, turns, fixed_w: None, energy_wh: 0.0 }
    }

    pub(crate) fn step(&mut self, dt_s: f64) {
        let mut power_w = self.params.base_w;
        for (turn, appliance) in self.turns.iter_mut().zip(&self.params.appliances) {
            turn.left_s -= dt_s;
            if turn.left_s <= 0.0 {
                turn.on = !turn.on;
                let (low, high) = if turn.on { appliance.on_s } else { appliance.off_s };
                turn.left_s = self.noise.between(low, high);
            }
            if turn.on {
                power_w += appliance.power_w;
            }
        }
        let noisy_w = self.fixed_w.unwrap_or(power_w) + self.noise.bell() * self.params.noise_w;
        self.power_w = if noisy_w > 0.0 { noisy_w } else { 0.0 };
        self.energy_wh += self.power_w * dt_s / 3600.0;
    }

    /// From now on this power, W, plus the noise; what is negative or not finite changes nothing.
    pub fn hold_w(&mut self, power_w: f64) {
        if power_w >= 0.0 && power_w.is_finite() {
            self.fixed_w = Some(power_w);
        }
    }

    /// Back to base load and appliances.
    pub fn release(&mut self) {
        self.fixed_w = None;
    }

    pub(crate) fn params(&self) -> &LoadParams {
        &self.params
    }

    pub(crate) fn power_w(&self) -> f64 {
        self.power_w
    }

    pub(crate) fn energy_wh(&self) -> f64 {
        self.energy_wh
    }
}
