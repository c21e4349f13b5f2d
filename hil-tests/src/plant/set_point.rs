//! The set-point of the inverter, and the two watchdogs over whoever writes it. Neither ever holds the last value:
//!
//! - *reversion*: no set-point written for `revert_after_s` while it is enabled: the reversion values become the
//!   set-point. 0 switches it off, and off is how the device leaves the factory, as with most makers.
//! - *heartbeat*: a controller's counter that was seen once and then stands still for `heartbeat_timeout_s`: set-point
//!   0 and standby until the counter moves again; the set-point must then be written anew. A controller that never
//!   wrote the counter is not watched: this device, like real ones, runs on for ever with the last set-point.

/// What the set-point becomes when nobody renews it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reversion {
    /// Time without a write, s; 0 = never.
    pub(crate) after_s: f64,
    pub(crate) power_w: f64,
    pub(crate) enabled: bool,
}

/// The set-point, W, positive out to the bus (discharge).
#[derive(Clone, Debug)]
pub struct SetPoint {
    power_w: f64,
    enabled: bool,
    reversion: Reversion,
    revert_left_s: f64,
    reversions: u32,
    heartbeat: Option<u32>,
    heartbeat_timeout_s: f64,
    heartbeat_left_s: f64,
    heartbeat_lost: bool,
    heartbeat_losses: u32,
}

impl SetPoint {
    pub(crate) fn new(reversion: Reversion, heartbeat_timeout_s: f64) -> Self {
        Self {
            power_w: 0.0,
            enabled: false,
            revert_left_s: reversion.after_s,
            reversion,
            reversions: 0,
            heartbeat: None,
            heartbeat_timeout_s,
            heartbeat_left_s: 0.0,
            heartbeat_lost: false,
            heartbeat_losses: 0,
        }
    }

    pub(crate) fn step(&mut self, dt_s: f64) {
        if self.enabled && self.reversion.after_s > 0.0 && self.revert_left_s > 0.0 {
            self.revert_left_s -= dt_s;
            if self.revert_left_s <= 1e-9 {
                self.revert_left_s = 0.0;
                self.reversions += 1;
                self.power_w = self.reversion.power_w;
                self.enabled = self.reversion.enabled;
            }
        }
        if self.heartbeat.is_some() && !self.heartbeat_lost && self.heartbeat_timeout_s > 0.0 {
            self.heartbeat_left_s -= dt_s;
            if self.heartbeat_left_s <= 1e-9 {
                self.heartbeat_lost = true;
                self.heartbeat_losses += 1;
                self.power_w = 0.0;
            }
        }
    }

    /// A new set-point, W; what is not finite changes nothing. Restarts the reversion timer.
    pub fn write_w(&mut self, power_w: f64) {
        if power_w.is_finite() {
            self.power_w = power_w;
            self.revert_left_s = self.reversion.after_s;
        }
    }

    /// Enables or disables it; disabled is 0 W. Restarts the reversion timer.
    pub fn enable(&mut self, enabled: bool) {
        self.enabled = enabled;
        self.revert_left_s = self.reversion.after_s;
    }

    /// A controller's heartbeat counter was written; only a change counts.
    pub fn take_heartbeat(&mut self, count: u32) {
        if self.heartbeat != Some(count) {
            self.heartbeat = Some(count);
            self.heartbeat_left_s = self.heartbeat_timeout_s;
            self.heartbeat_lost = false;
        }
    }

    /// How long it stands without being written again, s (0 = for ever). Restarts the timer.
    pub fn set_revert_after_s(&mut self, after_s: f64) {
        if after_s >= 0.0 && after_s.is_finite() {
            self.reversion.after_s = after_s;
            self.revert_left_s = after_s;
        }
    }

    /// The set-point after reversion, W.
    pub fn set_revert_w(&mut self, power_w: f64) {
        if power_w.is_finite() {
            self.reversion.power_w = power_w;
        }
    }

    /// Whether it is enabled after reversion.
    pub fn set_revert_enabled(&mut self, enabled: bool) {
        self.reversion.enabled = enabled;
    }

    /// What stands in the register, W.
    pub(crate) fn power_w(&self) -> f64 {
        self.power_w
    }

    pub(crate) fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// What is asked of the inverter, W: 0 unless enabled.
    pub(crate) fn asked_w(&self) -> f64 {
        if self.enabled { self.power_w } else { 0.0 }
    }

    pub(crate) fn reversion(&self) -> Reversion {
        self.reversion
    }

    /// Seconds until reversion; 0 when it is off, has happened, or nothing is enabled.
    pub(crate) fn revert_left_s(&self) -> f64 {
        if self.enabled && self.reversion.after_s > 0.0 { self.revert_left_s } else { 0.0 }
    }

    pub(crate) fn reversions(&self) -> u32 {
        self.reversions
    }

    pub(crate) fn heartbeat(&self) -> u32 {
        self.heartbeat.unwrap_or(0)
    }

    pub(crate) fn is_heartbeat_lost(&self) -> bool {
        self.heartbeat_lost
    }

    pub(crate) fn heartbeat_losses(&self) -> u32 {
        self.heartbeat_losses
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set_point(after_s: f64, heartbeat_timeout_s: f64) -> SetPoint {
        let mut set_point = SetPoint::new(Reversion { after_s, power_w: -100.0, enabled: true }, heartbeat_timeout_s);
        set_point.enable(true);
        set_point.write_w(2000.0);
        set_point
    }

    fn run(set_point: &mut SetPoint, steps: usize) {
        (0..steps).for_each(|_| set_point.step(0.01));
    }

    #[test]
    fn a_set_point_that_is_not_renewed_reverts_on_time() {
        let mut set_point = set_point(2.0, 0.0);
        run(&mut set_point, 150);
        set_point.write_w(2000.0);
        run(&mut set_point, 199);
        assert!((set_point.asked_w() - 2000.0).abs() < 1e-9, "the write restarted the timer");
        run(&mut set_point, 1);
        assert!((set_point.asked_w() + 100.0).abs() < 1e-9 && set_point.reversions() == 1);
        run(&mut set_point, 1000);
        assert_eq!(set_point.reversions(), 1, "once is enough");
    }

    #[test]
    fn without_a_time_nothing_reverts() {
        let mut set_point = set_point(0.0, 0.0);
        run(&mut set_point, 100_000);
        assert!((set_point.asked_w() - 2000.0).abs() < 1e-9);
    }

    #[test]
    fn a_heartbeat_that_stands_still_ends_the_set_point_for_good() {
        let mut set_point = set_point(0.0, 5.0);
        set_point.take_heartbeat(7);
        run(&mut set_point, 400);
        set_point.take_heartbeat(7);
        run(&mut set_point, 99);
        assert!(!set_point.is_heartbeat_lost());
        run(&mut set_point, 1);
        assert!(set_point.is_heartbeat_lost(), "the same count again is no heartbeat");
        set_point.take_heartbeat(8);
        assert!(!set_point.is_heartbeat_lost());
        assert!(set_point.asked_w().abs() < 1e-9, "a returning heartbeat must not bring an old set-point back");
    }

    #[test]
    fn a_controller_that_never_beat_is_not_watched() {
        let mut set_point = set_point(0.0, 5.0);
        run(&mut set_point, 100_000);
        assert!(!set_point.is_heartbeat_lost());
    }
}
