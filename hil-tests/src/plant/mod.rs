//! The physics of a small site: a 48 V battery of 10 kWh behind a contactor and a 5 kW inverter, PV, a cabin's load,
//! and the grid.
//!
//! ```text
//!   battery ── contactor ── inverter ──┐ L1
//!                               PV ────┤ L2     grid = load - PV - inverter   (import positive)
//!                             load ────┤ L1..3
//!                             grid ────┘ (meter)
//! ```
//!
//! Everything is advanced by [`Plant::step`] and by nothing else. Only `+ - * /` and the square root are used, and all
//! noise is seeded, so that the same seed and the same calls give the same bits on x86-64 and on aarch64.

pub mod battery;
pub mod contactor;
pub mod grid;
pub mod inverter;
pub mod load;
pub mod meter;
pub mod panel;
pub mod protection;
pub mod pv;
pub mod set_point;
pub mod truth;

mod cells;
mod curve;
mod dead_time;
mod every;
mod noise;

use battery::{Battery, BatteryParams};
use contactor::{Contactor, ContactorParams};
use grid::{Grid, GridParams};
use inverter::{Inverter, InverterParams};
use load::{Load, LoadParams};
use meter::{Meter, Terminals};
use noise::Noise;
use panel::Panel;
use protection::Surroundings;
use pv::{Pv, PvParams};

/// Seconds of a day.
const DAY_S: f64 = 86_400.0;
/// The longest piece a step is taken in, s: the equations are stable, but coarse beyond it.
const PIECE_S_MAX: f64 = 1.0;
/// The longest step that is taken at all, s.
const STEP_S_MAX: f64 = 86_400.0;

/// All parts' parameters; the default is the 5 kW / 10 kWh cabin.
#[derive(Clone, Debug)]
pub struct PlantParams {
    /// Seed of all noise.
    pub seed: u64,
    /// Where the day begins, s after midnight.
    pub time_of_day_s: f64,
    /// The battery.
    pub battery: BatteryParams,
    /// The inverter.
    pub inverter: InverterParams,
    /// The PV roof.
    pub pv: PvParams,
    /// The load.
    pub load: LoadParams,
    /// The grid.
    pub grid: GridParams,
    /// The contactor.
    pub contactor: ContactorParams,
}

impl Default for PlantParams {
    fn default() -> Self {
        Self {
            seed: 1,
            time_of_day_s: 10.0 * 3600.0,
            battery: BatteryParams::default(),
            inverter: InverterParams::default(),
            pv: PvParams::default(),
            load: LoadParams::default(),
            grid: GridParams::default(),
            contactor: ContactorParams::default(),
        }
    }
}

/// The site. Its parts are open to scenarios through their methods; devices read them when they are asked.
#[derive(Clone, Debug)]
pub struct Plant {
    /// The battery and its BMS.
    pub battery: Battery,
    /// The inverter.
    pub inverter: Inverter,
    /// The PV roof.
    pub pv: Pv,
    /// The load.
    pub load: Load,
    /// The grid.
    pub grid: Grid,
    /// The DC contactor.
    pub contactor: Contactor,
    /// The control panel.
    pub panel: Panel,
    /// The meter's measuring part.
    pub meter: Meter,
    time_s: f64,
    time_of_day_s: f64,
    steps: u64,
}

impl Plant {
    /// A site at rest: contactor open, inverter in standby.
    #[must_use]
    pub fn new(params: PlantParams) -> Self {
        let PlantParams { seed, time_of_day_s, battery, inverter, pv, load, grid, contactor } = params;
        Self {
            battery: Battery::new(battery),
            inverter: Inverter::new(inverter),
            pv: Pv::new(pv, Noise::new(seed, 1)),
            load: Load::new(load, Noise::new(seed, 2)),
            grid: Grid::new(grid, Noise::new(seed, 3)),
            contactor: Contactor::new(contactor),
            panel: Panel::new(),
            meter: Meter::new(),
            time_s: 0.0,
            time_of_day_s,
            steps: 0,
        }
    }

    /// Advances the site by `dt_s` seconds, in pieces of one second at most. What is not a number, not positive or
    /// longer than a day changes nothing.
    pub fn step(&mut self, dt_s: f64) {
        if !(dt_s > 0.0 && dt_s <= STEP_S_MAX) {
            return;
        }
        let mut left_s = dt_s;
        while left_s > PIECE_S_MAX {
            self.piece(PIECE_S_MAX);
            left_s -= PIECE_S_MAX;
        }
        self.piece(left_s);
    }

    fn piece(&mut self, dt_s: f64) {
        self.time_s += dt_s;
        self.steps += 1;
        self.time_of_day_s += dt_s;
        if self.time_of_day_s >= DAY_S {
            self.time_of_day_s -= DAY_S;
        }
        self.panel.step(dt_s);
        self.contactor.step(dt_s, self.panel.coil(), self.battery.current_a());
        self.load.step(dt_s);
        self.pv.step(dt_s, self.time_of_day_s);
        self.grid.step(dt_s);
        let path_closed = self.contactor.is_closed();
        self.inverter.step(
            dt_s,
            Surroundings {
                dc_ready: path_closed && self.battery.is_online(),
                dc_v: self.battery.voltage_v(),
                grid_hz: self.grid.frequency_hz(),
                grid_v: self.grid.voltage_v()[0],
                ambient_c: self.battery.params().ambient_c,
            },
        );
        self.battery.step(dt_s, self.inverter.dc_w(), path_closed);
        self.balance(dt_s);
    }

    /// The bus keeps no energy: the grid takes or gives the rest. Inverter on L1, PV on L2, load on all three.
    fn balance(&mut self, dt_s: f64) {
        let load = self.load.params();
        let load_w = self.load.power_w();
        let [l1, l2, l3] = load.phase_shares;
        let power_w = [load_w * l1 - self.inverter.power_w(), load_w * l2 - self.pv.power_w(), load_w * l3];
        let load_var = load_w * load.var_per_w;
        let reactive_var = [load_var * l1, load_var * l2, load_var * l3];
        self.grid.supply(power_w);
        self.meter.step(
            dt_s,
            &Terminals {
                voltage_v: self.grid.voltage_v(),
                power_w: self.grid.power_phase_w(),
                reactive_var,
                frequency_hz: self.grid.frequency_hz(),
            },
        );
    }

    /// Plant time since the start, s.
    #[must_use]
    pub fn time_s(&self) -> f64 {
        self.time_s
    }

    /// Pieces taken since the start. It moves whenever anything may have moved.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }
}
