//! The control panel: E-stop chain, reset button, and the output that drives the contactor's coil.
//!
//! The E-stop chain is normally closed: true is healthy, and a broken wire looks like a pressed button. It does not cut
//! the coil by itself here, because what is to be tested is the controller; a real site cuts the coil's supply in the
//! wire as well.
//!
//! The output has a communication watchdog: set to a time-out, it drops the coil when no write of the coil came in
//! time, and only a new write closes it again.

use super::every::Every;

/// The panel.
#[derive(Clone, Debug)]
pub struct Panel {
    estop_healthy: bool,
    reset_pressed: bool,
    coil: bool,
    watchdog_ms: u32,
    since_write_s: f64,
    drops: u32,
    life: u16,
    each_tenth: Every,
}

impl Panel {
    pub(crate) fn new() -> Self {
        Self {
            estop_healthy: true,
            reset_pressed: false,
            coil: false,
            watchdog_ms: 0,
            since_write_s: 0.0,
            drops: 0,
            life: 0,
            each_tenth: Every::new(0.1),
        }
    }

    pub(crate) fn step(&mut self, dt_s: f64) {
        self.life = self.life.wrapping_add(self.each_tenth.passed(dt_s));
        self.since_write_s += dt_s;
        let expired = self.watchdog_ms > 0 && self.since_write_s * 1000.0 > f64::from(self.watchdog_ms) + 1e-6;
        if expired && self.coil {
            self.coil = false;
            self.drops += 1;
        }
    }

    /// Pushes the E-stop in (false) or turns it out again (true).
    pub fn set_estop_healthy(&mut self, healthy: bool) {
        self.estop_healthy = healthy;
    }

    /// Presses the reset button, or lets it go.
    pub fn set_reset_pressed(&mut self, pressed: bool) {
        self.reset_pressed = pressed;
    }

    /// Drives the coil, and restarts the watchdog.
    pub fn write_coil(&mut self, on: bool) {
        self.coil = on;
        self.since_write_s = 0.0;
    }

    /// Time-out of the communication watchdog, ms; 0 = off. Restarts it.
    pub fn set_watchdog_ms(&mut self, watchdog_ms: u32) {
        self.watchdog_ms = watchdog_ms;
        self.since_write_s = 0.0;
    }

    pub(crate) fn is_estop_healthy(&self) -> bool {
        self.estop_healthy
    }

    pub(crate) fn is_reset_pressed(&self) -> bool {
        self.reset_pressed
    }

    pub(crate) fn coil(&self) -> bool {
        self.coil
    }

    pub(crate) fn watchdog_ms(&self) -> u32 {
        self.watchdog_ms
    }

    /// How often the watchdog dropped the coil.
    pub(crate) fn drops(&self) -> u32 {
        self.drops
    }

    pub(crate) fn life(&self) -> u16 {
        self.life
    }
}
