//! The storage inverter (PCS): it follows a power set-point with a dead time, a first-order lag and a slew limit, and
//! has limits, faults and two watchdogs of its own (see [`super::set_point`]).

use super::dead_time::DeadTime;
use super::every::Every;
use super::protection::{InverterFault, Protection, Surroundings};
use super::set_point::{Reversion, SetPoint};
use crate::rounding::within;

/// Below this power a stopping inverter opens its output, W.
const STOPPED_W: f64 = 20.0;

/// What the inverter is made of.
#[derive(Clone, Debug)]
pub struct InverterParams {
    /// Rated power, charging and discharging, W.
    pub power_w_max: f64,
    /// From a write to the first reaction, s.
    pub dead_time_s: f64,
    /// Time constant of the first-order lag, s.
    pub lag_s: f64,
    /// Fastest change of power, W/s.
    pub slew_w_per_s: f64,
    /// AC out per DC in when discharging, and DC out per AC in when charging, 0..1.
    pub efficiency: f64,
    /// Own consumption from the DC side while starting or running, W.
    pub idle_w: f64,
    /// From start to running, s.
    pub start_time_s: f64,
    /// Reversion time at the start, s; 0 = off. See [`super::set_point`].
    pub revert_after_s: f64,
    /// Power to revert to at the start, W.
    pub revert_w: f64,
    /// How long a heartbeat may stand still, s; 0 = never watched.
    pub heartbeat_timeout_s: f64,
    /// DC window, V.
    pub dc_v_min: f64,
    /// DC window, V.
    pub dc_v_max: f64,
    /// Heat-sink temperature at which it trips, °C.
    pub temp_c_max: f64,
    /// Heat-sink temperature over room per watt of loss, K/W.
    pub heat_k_per_w: f64,
    /// Time constant of the heat sink, s.
    pub heat_s: f64,
}

impl Default for InverterParams {
    fn default() -> Self {
        Self {
            power_w_max: 5000.0,
            dead_time_s: 0.15,
            lag_s: 0.25,
            slew_w_per_s: 10_000.0,
            efficiency: 0.96,
            idle_w: 25.0,
            start_time_s: 3.0,
            revert_after_s: 0.0,
            revert_w: 0.0,
            heartbeat_timeout_s: 5.0,
            dc_v_min: 40.0,
            dc_v_max: 60.0,
            temp_c_max: 90.0,
            heat_k_per_w: 0.15,
            heat_s: 300.0,
        }
    }
}

/// What the inverter is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InverterState {
    /// Told to stop.
    Off,
    /// Ready, output open: told to stand by, without DC, or without its controller's heartbeat.
    Standby,
    /// On the way to running; power is 0.
    Starting,
    /// Follows its set-point (0 W when none is enabled).
    Running,
    /// Tripped, until it is reset and the cause is gone.
    Fault,
}

/// What the operator or controller told it to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Be off.
    Stop,
    /// Run as soon as it can.
    Start,
    /// Be ready, but do not run.
    Standby,
}

/// Power limits that can be set, W, all positive; the rating is the bound of each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PowerSettings {
    pub(crate) both_w: f64,
    pub(crate) charge_w: f64,
    pub(crate) discharge_w: f64,
}

/// The inverter. Power is positive out to the AC bus (discharge).
#[derive(Clone, Debug)]
pub struct Inverter {
    /// What it is asked to do.
    pub set_point: SetPoint,
    params: InverterParams,
    state: InverterState,
    operation: Operation,
    protection: Protection,
    dc_ready: bool,
    settings: PowerSettings,
    start_left_s: f64,
    line: DeadTime,
    lagged_w: f64,
    power_w: f64,
    dc_w: f64,
    temp_c: f64,
    life: u32,
    each_second: Every,
    injected_wh: f64,
    absorbed_wh: f64,
    loss_wh: f64,
}

impl Inverter {
    pub(crate) fn new(params: InverterParams) -> Self {
        let rated_w = params.power_w_max;
        let reversion = Reversion { after_s: params.revert_after_s, power_w: params.revert_w, enabled: false };
        Self {
            set_point: SetPoint::new(reversion, params.heartbeat_timeout_s),
            state: InverterState::Standby,
            operation: Operation::Start,
            protection: Protection::default(),
            dc_ready: false,
            settings: PowerSettings { both_w: rated_w, charge_w: rated_w, discharge_w: rated_w },
            start_left_s: params.start_time_s,
            line: DeadTime::new(params.dead_time_s),
            lagged_w: 0.0,
            power_w: 0.0,
            dc_w: 0.0,
            temp_c: 20.0,
            life: 0,
            each_second: Every::new(1.0),
            injected_wh: 0.0,
            absorbed_wh: 0.0,
            loss_wh: 0.0,
            params,
        }
    }

    /// One step; afterwards [`Inverter::dc_w`] is what it draws from the battery.
    pub(crate) fn step(&mut self, dt_s: f64, around: Surroundings) {
        self.life = self.life.wrapping_add(u32::from(self.each_second.passed(dt_s)));
        self.dc_ready = around.dc_ready;
        self.set_point.step(dt_s);
        self.protection.step(&self.params, around, self.temp_c);
        let arrived_w = self.line.pass(dt_s, self.limited(self.set_point.asked_w()));
        self.advance_state(dt_s);
        self.follow(dt_s, arrived_w);
        self.count(dt_s, around.ambient_c);
    }

    fn advance_state(&mut self, dt_s: f64) {
        let may_run = self.operation == Operation::Start && !self.set_point.is_heartbeat_lost();
        let idle = if self.operation == Operation::Stop { InverterState::Off } else { InverterState::Standby };
        self.state = if self.protection.fault().is_some() {
            InverterState::Fault
        } else if !self.dc_ready {
            idle
        } else if may_run {
            match self.state {
                InverterState::Running => InverterState::Running,
                InverterState::Starting => {
                    self.start_left_s -= dt_s;
                    if self.start_left_s <= 1e-9 { InverterState::Running } else { InverterState::Starting }
                }
                InverterState::Off | InverterState::Standby | InverterState::Fault => {
                    self.start_left_s = self.params.start_time_s;
                    InverterState::Starting
                }
            }
        } else if self.state == InverterState::Running && self.power_w.abs() > STOPPED_W {
            InverterState::Running
        } else {
            idle
        };
    }

    fn follow(&mut self, dt_s: f64, arrived_w: f64) {
        if self.state != InverterState::Running {
            self.lagged_w = 0.0;
            self.power_w = 0.0;
            return;
        }
        let stopping = self.operation != Operation::Start || self.set_point.is_heartbeat_lost();
        let target_w = if stopping { 0.0 } else { arrived_w };
        // Backward Euler of the lag: stable for every step length, and free of an exponential.
        self.lagged_w += (target_w - self.lagged_w) * dt_s / (self.params.lag_s + dt_s);
        let reach_w = self.params.slew_w_per_s * dt_s;
        self.power_w += within(self.lagged_w - self.power_w, -reach_w, reach_w);
    }

    fn count(&mut self, dt_s: f64, ambient_c: f64) {
        let switching = matches!(self.state, InverterState::Starting | InverterState::Running);
        let idle_w = if switching { self.params.idle_w } else { 0.0 };
        let through_w = if self.power_w > 0.0 {
            self.power_w / self.params.efficiency
        } else {
            self.power_w * self.params.efficiency
        };
        self.dc_w = through_w + idle_w;
        let loss_w = self.dc_w - self.power_w;
        let hours = dt_s / 3600.0;
        self.loss_wh += loss_w * hours;
        if self.power_w > 0.0 {
            self.injected_wh += self.power_w * hours;
        } else {
            self.absorbed_wh -= self.power_w * hours;
        }
        let settled_c = ambient_c + loss_w * self.params.heat_k_per_w;
        self.temp_c += (settled_c - self.temp_c) * dt_s / (self.params.heat_s + dt_s);
    }

    /// What is obeyed of a set-point: never more than the settings allow.
    fn limited(&self, power_w: f64) -> f64 {
        let lowest = -self.settings.charge_w;
        let power_w = within(power_w, lowest, self.settings.discharge_w);
        within(power_w, -self.settings.both_w, self.settings.both_w)
    }

    /// Trips it, as a defect inside would.
    pub fn trip(&mut self) {
        self.protection.trip();
    }

    /// Start, stop or stand by.
    pub fn operate(&mut self, operation: Operation) {
        self.operation = operation;
    }

    /// Asks for the latched fault to be forgotten; it is at the next step, if the cause is gone.
    pub fn ask_reset(&mut self) {
        self.protection.ask_reset();
    }

    pub(crate) fn set_settings(&mut self, settings: PowerSettings) {
        self.settings = settings;
    }

    pub(crate) fn settings(&self) -> PowerSettings {
        self.settings
    }

    pub(crate) fn params(&self) -> &InverterParams {
        &self.params
    }

    pub(crate) fn state(&self) -> InverterState {
        self.state
    }

    pub(crate) fn fault(&self) -> Option<InverterFault> {
        self.protection.fault()
    }

    pub(crate) fn faults(&self) -> u32 {
        self.protection.faults()
    }

    pub(crate) fn reset_asked(&self) -> bool {
        self.protection.reset_asked()
    }

    pub(crate) fn dc_ready(&self) -> bool {
        self.dc_ready
    }

    /// AC power, W.
    pub(crate) fn power_w(&self) -> f64 {
        self.power_w
    }

    /// Power drawn from the DC side, W (positive = from the battery).
    pub(crate) fn dc_w(&self) -> f64 {
        self.dc_w
    }

    pub(crate) fn temp_c(&self) -> f64 {
        self.temp_c
    }

    pub(crate) fn life(&self) -> u32 {
        self.life
    }

    /// Since the start, Wh: injected into the bus, absorbed from it, lost.
    pub(crate) fn energies_wh(&self) -> (f64, f64, f64) {
        (self.injected_wh, self.absorbed_wh, self.loss_wh)
    }
}
