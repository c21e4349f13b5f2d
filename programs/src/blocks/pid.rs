//! PID that starts every step from what was applied, so that limits, ramps and a change of program cannot wind it up.
//!
//! The incremental form: u = applied + Kp·(e − e₁) + Kp/Ti·dt·e + Kp·Td/dt·(e − 2e₁ + e₂)
//! (Åström and Hägglund, *Advanced PID Control*, 2006, on incremental algorithms and windup).
//! One step per fresh sample; the first step after a pause has no difference to act on and uses the integral part only.

use serde::{Deserialize, Serialize};

/// Tuning.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tuning {
    /// Gain, output unit per error unit.
    pub kp: f64,
    /// Integral time, s, above 0.
    pub ti_s: f64,
    /// Derivative time, s, 0 for none.
    pub td_s: f64,
}

/// The errors of the last two steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    last: Option<f64>,
    before: Option<f64>,
}

impl Tuning {
    /// The next output. `applied`: what went out last; `error`: set-point minus actual, or its negative, as the sign of `kp`
    /// has it; `dt_s`: time between the two samples, above 0.
    pub fn step(&self, state: &mut State, applied: f64, error: f64, dt_s: f64) -> f64 {
        let last = state.last.unwrap_or(error);
        let before = state.before.unwrap_or(last);
        *state = State { last: Some(error), before: Some(last) };
        let proportional = error - last;
        let integral = error * dt_s / self.ti_s;
        let derivative = if dt_s > 0.0 { (error - 2.0 * last + before) * self.td_s / dt_s } else { 0.0 };
        applied + self.kp * (proportional + integral + derivative)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PI: Tuning = Tuning { kp: 0.5, ti_s: 1.0, td_s: 0.0 };

    #[test]
    fn the_first_step_starts_from_what_was_applied() {
        assert!((PI.step(&mut State::default(), 800.0, 100.0, 0.1) - 805.0).abs() < 1e-9);
    }

    #[test]
    fn a_limit_that_held_for_an_hour_leaves_no_windup() {
        let mut state = State::default();
        for _ in 0..36_000 {
            assert!(PI.step(&mut state, 1_000.0, 500.0, 0.1) > 1_000.0);
        }
        let released = PI.step(&mut state, 1_000.0, -500.0, 0.1);
        assert!(released < 1_000.0, "it turns at once: {released}");
    }

    #[test]
    fn the_loop_closes_on_an_integrating_meter() {
        let (mut state, mut applied) = (State::default(), 0.0);
        for _ in 0..400 {
            applied = PI.step(&mut state, applied, 3_000.0 - applied, 0.1);
        }
        assert!((applied - 3_000.0).abs() < 1.0, "{applied}");
    }

    #[test]
    fn the_derivative_acts_on_a_change_of_slope_only() {
        let pid = Tuning { kp: 1.0, ti_s: 1e12, td_s: 0.2 };
        let mut state = State::default();
        let _ = pid.step(&mut state, 0.0, 0.0, 0.1);
        let _ = pid.step(&mut state, 0.0, 10.0, 0.1);
        let steady_slope = pid.step(&mut state, 0.0, 20.0, 0.1);
        assert!((steady_slope - 10.0).abs() < 1e-6, "{steady_slope}");
    }
}
