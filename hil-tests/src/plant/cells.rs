//! The cells behind the BMS, after the usual equivalent circuit: a voltage source over state of charge behind one
//! resistance, one lump of heat, and charge counting. The oracle's energy balance rests on this file: what leaves the
//! terminals plus the heat is what the source gave.

use super::battery::BatteryParams;
use super::curve::Curve;
use crate::rounding::within;

/// Rest voltage of one LFP cell over SoC, in V over 0..1; the usual shape: flat in the middle, steep at both ends.
const CELL_V: Curve<9> = Curve([
    (0.0, 2.80),
    (0.05, 3.05),
    (0.10, 3.18),
    (0.20, 3.24),
    (0.40, 3.285),
    (0.60, 3.305),
    (0.80, 3.33),
    (0.95, 3.355),
    (1.0, 3.45),
]);

/// An attempt to go beyond what the cells hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overrun {
    Empty,
    Full,
}

/// The cells. Current is positive when they discharge.
#[derive(Clone, Debug)]
pub(crate) struct Cells {
    soc: f64,
    temp_c: f64,
    current_a: f64,
    voltage_v: f64,
    discharged_wh: f64,
    charged_wh: f64,
    heat_wh: f64,
}

impl Cells {
    pub(crate) fn new(params: &BatteryParams) -> Self {
        let soc = within(params.soc_start, 0.0, 1.0);
        Self {
            soc,
            temp_c: params.temp_start_c,
            current_a: 0.0,
            voltage_v: rest_v(soc, params),
            discharged_wh: 0.0,
            charged_wh: 0.0,
            heat_wh: 0.0,
        }
    }

    /// One step in which the terminals give `power_w` (negative: take it), or nothing without a path.
    pub(crate) fn step(&mut self, dt_s: f64, power_w: Option<f64>, params: &BatteryParams) -> Option<Overrun> {
        let open_v = rest_v(self.soc, params);
        self.current_a = power_w.map_or(0.0, |power_w| current_for(power_w, open_v, params.resistance_ohm));
        self.voltage_v = open_v - self.current_a * params.resistance_ohm;
        let hours = dt_s / 3600.0;
        let terminal_wh = self.power_w() * hours;
        if terminal_wh > 0.0 {
            self.discharged_wh += terminal_wh;
        } else {
            self.charged_wh -= terminal_wh;
        }
        let heat_w = self.current_a * self.current_a * params.resistance_ohm;
        self.heat_wh += heat_w * hours;
        let given_off_w = (self.temp_c - params.ambient_c) * params.cooling_w_per_k;
        self.temp_c += (heat_w - given_off_w) * dt_s / params.heat_capacity_j_per_k;
        let soc = self.soc - self.current_a * hours / params.capacity_ah;
        self.soc = within(soc, 0.0, 1.0);
        if soc < 0.0 {
            Some(Overrun::Empty)
        } else if soc > 1.0 {
            Some(Overrun::Full)
        } else {
            None
        }
    }

    /// Puts the state of charge (0..1) somewhere, at rest.
    pub(crate) fn set_soc(&mut self, soc: f64, params: &BatteryParams) {
        self.soc = within(soc, 0.0, 1.0);
        self.voltage_v = rest_v(self.soc, params);
    }

    pub(crate) fn set_temp_c(&mut self, temp_c: f64) {
        self.temp_c = temp_c;
    }

    pub(crate) fn soc(&self) -> f64 {
        self.soc
    }

    pub(crate) fn temp_c(&self) -> f64 {
        self.temp_c
    }

    pub(crate) fn current_a(&self) -> f64 {
        self.current_a
    }

    pub(crate) fn voltage_v(&self) -> f64 {
        self.voltage_v
    }

    pub(crate) fn power_w(&self) -> f64 {
        self.voltage_v * self.current_a
    }

    /// Since the start, Wh: out of the terminals, into them, lost as heat.
    pub(crate) fn energies_wh(&self) -> (f64, f64, f64) {
        (self.discharged_wh, self.charged_wh, self.heat_wh)
    }
}

fn rest_v(soc: f64, params: &BatteryParams) -> f64 {
    CELL_V.at(soc) * params.cells
}

/// The current that gives `power_w` at the terminals: P = (U0 - R I) I, the smaller root. More than the circuit can
/// ever give yields the current of its greatest power.
fn current_for(power_w: f64, open_v: f64, resistance_ohm: f64) -> f64 {
    let under = open_v * open_v - 4.0 * resistance_ohm * power_w;
    let root = if under > 0.0 { under.sqrt() } else { 0.0 };
    (open_v - root) / (2.0 * resistance_ohm)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Energy that the source gives between two states of charge: its voltage over charge, piece by piece.
    fn source_wh(from: f64, to: f64, params: &BatteryParams) -> f64 {
        let pieces = 100_000;
        let width = (from - to) / f64::from(pieces);
        (0..pieces).map(|n| rest_v(to + (f64::from(n) + 0.5) * width, params) * width * params.capacity_ah).sum()
    }

    #[test]
    fn what_leaves_the_terminals_plus_the_heat_is_what_the_source_gave() {
        for power_w in [500.0, 5000.0, -4000.0] {
            let params =
                BatteryParams { soc_start: if power_w > 0.0 { 0.95 } else { 0.2 }, ..BatteryParams::default() };
            let mut cells = Cells::new(&params);
            for _ in 0..100 * 3600 {
                assert_eq!(cells.step(0.01, Some(power_w), &params), None);
            }
            let (discharged, charged, heat) = cells.energies_wh();
            let source = source_wh(params.soc_start, cells.soc(), &params);
            let balance = discharged - charged + heat - source;
            assert!(balance.abs() < 0.001 * source.abs(), "{power_w} W: {balance} of {source} Wh");
        }
    }

    #[test]
    fn the_state_of_charge_stays_within_its_bounds_and_says_so() {
        for (power_w, soc, overrun) in [(3000.0, 0.0001, Overrun::Empty), (-3000.0, 0.9999, Overrun::Full)] {
            let params = BatteryParams { soc_start: soc, ..BatteryParams::default() };
            let mut cells = Cells::new(&params);
            let mut told = None;
            for _ in 0..1000 {
                told = told.or(cells.step(0.1, Some(power_w), &params));
                assert!((0.0..=1.0).contains(&cells.soc()));
            }
            assert_eq!(told, Some(overrun));
        }
    }

    #[test]
    fn the_power_asked_for_is_the_power_at_the_terminals() {
        let params = BatteryParams::default();
        let mut cells = Cells::new(&params);
        for power_w in [-6000.0, -1.0, 0.0, 1.0, 6000.0] {
            cells.step(0.01, Some(power_w), &params);
            assert!((cells.power_w() - power_w).abs() < 1e-6, "{power_w}: {}", cells.power_w());
        }
        cells.step(0.01, Some(1e9), &params);
        assert!(cells.power_w().is_finite() && cells.power_w() > 0.0);
    }

    #[test]
    fn heat_settles_where_cooling_gives_it_off() {
        let params = BatteryParams::default();
        let mut cells = Cells::new(&params);
        for n in 0..400_000 {
            let power_w = if n / 3600 % 2 == 0 { 4000.0 } else { -4000.0 };
            cells.step(1.0, Some(power_w), &params);
        }
        // 80 A through 12 mOhm are about 75 W; 8 W/K give off that at 9.4 K above the room.
        assert!((cells.temp_c() - 29.4).abs() < 1.0, "{} °C", cells.temp_c());
    }
}
