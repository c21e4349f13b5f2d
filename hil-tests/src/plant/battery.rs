//! The battery: its cells, and its own management (BMS).
//!
//! The BMS publishes current limits that narrow near full, near empty, in cold and in heat. It does not enforce them on
//! the inverter: whoever leaves them for longer than the trip delay is switched off. That is the oracle of a scenario:
//! a controller that is right never causes a trip.

use super::cells::{Cells, Overrun};
use super::curve::Curve;
use super::every::Every;

/// Share of the rated charge current over SoC.
const CHARGE_BY_SOC: Curve<3> = Curve([(0.90, 1.0), (0.98, 0.15), (1.0, 0.0)]);
/// Share of the rated discharge current over SoC. Nothing below 3 %, so that idle losses do not empty the cells.
const DISCHARGE_BY_SOC: Curve<2> = Curve([(0.03, 0.0), (0.10, 1.0)]);
/// Share of the rated charge current over cell temperature in °C: lithium plates when it is charged in frost.
const CHARGE_BY_C: Curve<4> = Curve([(0.0, 0.0), (10.0, 1.0), (45.0, 1.0), (55.0, 0.0)]);
/// Share of the rated discharge current over cell temperature in °C.
const DISCHARGE_BY_C: Curve<4> = Curve([(-20.0, 0.0), (-10.0, 1.0), (50.0, 1.0), (60.0, 0.0)]);

/// What the battery is made of.
#[derive(Clone, Debug)]
pub struct BatteryParams {
    /// Charge from empty to full, Ah.
    pub capacity_ah: f64,
    /// Cells in series.
    pub cells: f64,
    /// State of charge at the start, 0..1.
    pub soc_start: f64,
    /// Internal resistance of the whole pack, ohm.
    pub resistance_ohm: f64,
    /// Rated charge current, A (positive).
    pub charge_a_max: f64,
    /// Rated discharge current, A.
    pub discharge_a_max: f64,
    /// Current beyond the published limit that is never a reason to trip, A: the inverter's idle losses and ripple.
    pub overcurrent_margin_a: f64,
    /// How long the envelope may be left before the BMS trips, s.
    pub trip_delay_s: f64,
    /// Lowest cell voltage, V.
    pub cell_v_min: f64,
    /// Highest cell voltage, V.
    pub cell_v_max: f64,
    /// Heat capacity, J/K.
    pub heat_capacity_j_per_k: f64,
    /// Heat given off to the room, W/K.
    pub cooling_w_per_k: f64,
    /// Room temperature, °C.
    pub ambient_c: f64,
    /// Cell temperature at the start, °C.
    pub temp_start_c: f64,
    /// A controller's heartbeat that was seen once and then stands still for so long is reported as an event, s.
    pub heartbeat_timeout_s: f64,
}

impl Default for BatteryParams {
    fn default() -> Self {
        Self {
            capacity_ah: 200.0,
            cells: 16.0,
            soc_start: 0.55,
            resistance_ohm: 0.012,
            charge_a_max: 110.0,
            discharge_a_max: 125.0,
            overcurrent_margin_a: 5.0,
            trip_delay_s: 2.0,
            cell_v_min: 2.5,
            cell_v_max: 3.65,
            heat_capacity_j_per_k: 100_000.0,
            cooling_w_per_k: 8.0,
            ambient_c: 20.0,
            temp_start_c: 22.0,
            heartbeat_timeout_s: 5.0,
        }
    }
}

impl BatteryParams {
    /// Nameplate energy, Wh, at the nominal 3.2 V per LFP cell.
    #[must_use]
    pub fn nominal_wh(&self) -> f64 {
        self.capacity_ah * self.cells * 3.2
    }

    /// Nominal voltage, V.
    #[must_use]
    pub fn nominal_v(&self) -> f64 {
        self.cells * 3.2
    }
}

/// Why the BMS switched the battery off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatteryTrip {
    /// More charge current than the published limit allows.
    ChargeCurrent,
    /// More discharge current than the published limit allows.
    DischargeCurrent,
    /// A cell above its highest voltage, or charged beyond full.
    OverVoltage,
    /// A cell below its lowest voltage, or discharged beyond empty.
    UnderVoltage,
    /// Cells above 60 °C.
    OverTemperature,
    /// Cells below -20 °C.
    UnderTemperature,
}

/// The battery. Current and power are positive when it discharges.
#[derive(Clone, Debug)]
pub struct Battery {
    params: BatteryParams,
    cells: Cells,
    charge_a_max: f64,
    discharge_a_max: f64,
    outside_s: f64,
    trip: Option<BatteryTrip>,
    trips: u32,
    connect_wanted: bool,
    reset_asked: bool,
    reserve: (f64, f64),
    life: u16,
    each_second: Every,
    heartbeat: Option<u16>,
    heartbeat_left_s: f64,
}

impl Battery {
    pub(crate) fn new(params: BatteryParams) -> Self {
        let mut battery = Self {
            cells: Cells::new(&params),
            charge_a_max: 0.0,
            discharge_a_max: 0.0,
            outside_s: 0.0,
            trip: None,
            trips: 0,
            connect_wanted: true,
            reset_asked: false,
            reserve: (0.10, 0.95),
            life: 0,
            each_second: Every::new(1.0),
            heartbeat: None,
            heartbeat_left_s: 0.0,
            params,
        };
        battery.publish_limits();
        battery
    }

    /// One step: deliver `power_w` at the terminals (positive = discharge) if there is a closed path.
    pub(crate) fn step(&mut self, dt_s: f64, power_w: f64, path_closed: bool) {
        self.life = self.life.wrapping_add(self.each_second.passed(dt_s));
        self.heartbeat_left_s -= dt_s;
        if std::mem::take(&mut self.reset_asked) && self.outside().is_none() {
            self.trip = None;
        }
        let power_w = (path_closed && self.is_online()).then_some(power_w);
        match self.cells.step(dt_s, power_w, &self.params) {
            Some(Overrun::Empty) => self.trip_now(BatteryTrip::UnderVoltage),
            Some(Overrun::Full) => self.trip_now(BatteryTrip::OverVoltage),
            None => {}
        }
        self.publish_limits();
        self.watch(dt_s);
    }

    fn publish_limits(&mut self) {
        let charge = CHARGE_BY_SOC.at(self.cells.soc()) * CHARGE_BY_C.at(self.cells.temp_c());
        let discharge = DISCHARGE_BY_SOC.at(self.cells.soc()) * DISCHARGE_BY_C.at(self.cells.temp_c());
        let online = self.is_online();
        self.charge_a_max = if online { self.params.charge_a_max * charge } else { 0.0 };
        self.discharge_a_max = if online { self.params.discharge_a_max * discharge } else { 0.0 };
    }

    fn watch(&mut self, dt_s: f64) {
        match self.outside() {
            Some(reason) => {
                self.outside_s += dt_s;
                if self.outside_s > self.params.trip_delay_s {
                    self.trip_now(reason);
                }
            }
            None => self.outside_s = 0.0,
        }
    }

    /// How the envelope is left at the moment. One tenth above the limit is inside: a current is not steady.
    fn outside(&self) -> Option<BatteryTrip> {
        let (current_a, temp_c) = (self.cells.current_a(), self.cells.temp_c());
        let cell_v = self.cells.voltage_v() / self.params.cells;
        let margin_a = self.params.overcurrent_margin_a;
        if current_a > self.discharge_a_max * 1.1 + margin_a {
            Some(BatteryTrip::DischargeCurrent)
        } else if -current_a > self.charge_a_max * 1.1 + margin_a {
            Some(BatteryTrip::ChargeCurrent)
        } else if cell_v > self.params.cell_v_max {
            Some(BatteryTrip::OverVoltage)
        } else if cell_v < self.params.cell_v_min {
            Some(BatteryTrip::UnderVoltage)
        } else if temp_c > 60.0 {
            Some(BatteryTrip::OverTemperature)
        } else if temp_c < -20.0 {
            Some(BatteryTrip::UnderTemperature)
        } else {
            None
        }
    }

    fn trip_now(&mut self, reason: BatteryTrip) {
        if self.trip.is_none() {
            self.trip = Some(reason);
            self.trips += 1;
        }
    }

    /// Whether the BMS holds its own switch closed: told to connect, and not tripped.
    #[must_use]
    pub fn is_online(&self) -> bool {
        self.connect_wanted && self.trip.is_none()
    }

    /// Puts the state of charge (0..1) somewhere, for the start of a scenario.
    pub fn set_soc(&mut self, soc: f64) {
        if soc.is_finite() {
            self.cells.set_soc(soc, &self.params);
            self.publish_limits();
        }
    }

    /// Puts the cell temperature (°C) and the room's with it.
    pub fn set_temp_c(&mut self, temp_c: f64) {
        if temp_c.is_finite() {
            self.cells.set_temp_c(temp_c);
            self.params.ambient_c = temp_c;
            self.publish_limits();
        }
    }

    pub(crate) fn params(&self) -> &BatteryParams {
        &self.params
    }

    pub(crate) fn soc(&self) -> f64 {
        self.cells.soc()
    }

    pub(crate) fn temp_c(&self) -> f64 {
        self.cells.temp_c()
    }

    pub(crate) fn current_a(&self) -> f64 {
        self.cells.current_a()
    }

    pub(crate) fn voltage_v(&self) -> f64 {
        self.cells.voltage_v()
    }

    pub(crate) fn power_w(&self) -> f64 {
        self.cells.power_w()
    }

    /// Published limits, A: charge and discharge, both positive.
    pub(crate) fn limits_a(&self) -> (f64, f64) {
        (self.charge_a_max, self.discharge_a_max)
    }

    pub(crate) fn trip(&self) -> Option<BatteryTrip> {
        self.trip
    }

    pub(crate) fn trips(&self) -> u32 {
        self.trips
    }

    /// Energy at the terminals and lost inside since the start, Wh: discharged, charged, heat.
    pub(crate) fn energies_wh(&self) -> (f64, f64, f64) {
        self.cells.energies_wh()
    }

    pub(crate) fn connect(&mut self, wanted: bool) {
        self.connect_wanted = wanted;
    }

    pub(crate) fn connect_wanted(&self) -> bool {
        self.connect_wanted
    }

    /// Asks for a trip to be forgotten; it is at the next step, if the cause is gone.
    pub(crate) fn ask_reset(&mut self) {
        self.reset_asked = true;
    }

    pub(crate) fn reset_asked(&self) -> bool {
        self.reset_asked
    }

    pub(crate) fn life(&self) -> u16 {
        self.life
    }

    /// The reserve settings, 0..1: lowest, highest. The BMS stores them for others; it acts on its curves only.
    pub(crate) fn reserve(&self) -> (f64, f64) {
        self.reserve
    }

    pub(crate) fn set_reserve(&mut self, reserve: (f64, f64)) {
        self.reserve = reserve;
    }

    /// A controller's heartbeat register was written.
    pub(crate) fn take_heartbeat(&mut self, count: u16) {
        if self.heartbeat != Some(count) {
            self.heartbeat = Some(count);
            self.heartbeat_left_s = self.params.heartbeat_timeout_s;
        }
    }

    pub(crate) fn heartbeat(&self) -> u16 {
        self.heartbeat.unwrap_or(0)
    }

    /// Whether a heartbeat that was seen has stood still for too long.
    pub(crate) fn heartbeat_lost(&self) -> bool {
        self.heartbeat.is_some() && self.heartbeat_left_s <= 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn battery(soc: f64, temp_c: f64) -> Battery {
        Battery::new(BatteryParams {
            soc_start: soc,
            temp_start_c: temp_c,
            ambient_c: temp_c,
            ..BatteryParams::default()
        })
    }

    #[test]
    fn limits_narrow_near_full_near_empty_in_cold_and_in_heat() {
        for (soc, temp_c, charge_a, discharge_a) in [
            (0.5, 20.0, 110.0, 125.0),
            (0.94, 20.0, 63.25, 125.0),
            (1.0, 20.0, 0.0, 125.0),
            (0.065, 20.0, 110.0, 62.5),
            (0.03, 20.0, 110.0, 0.0),
            (0.5, 5.0, 55.0, 125.0),
            (0.5, -1.0, 0.0, 125.0),
            (0.5, -15.0, 0.0, 62.5),
            (0.5, 50.0, 55.0, 125.0),
            (0.5, 58.0, 0.0, 25.0),
        ] {
            let (charge, discharge) = battery(soc, temp_c).limits_a();
            let near = (charge - charge_a).abs() < 0.01 && (discharge - discharge_a).abs() < 0.01;
            assert!(near, "SoC {soc}, {temp_c} °C: {charge} A, {discharge} A");
        }
    }

    #[test]
    fn the_limit_may_be_used_and_leaving_it_for_longer_than_the_delay_trips() {
        for (power_w, seconds, trip) in [
            (6200.0, 60, None),
            (7500.0, 1, None),
            (7500.0, 3, Some(BatteryTrip::DischargeCurrent)),
            (-5500.0, 60, None),
            (-7500.0, 3, Some(BatteryTrip::ChargeCurrent)),
        ] {
            let mut battery = battery(0.5, 20.0);
            (0..seconds * 100).for_each(|_| battery.step(0.01, power_w, true));
            assert_eq!(battery.trip(), trip, "{power_w} W for {seconds} s");
            assert_eq!(battery.current_a().abs() < 1e-9, trip.is_some());
        }
    }

    #[test]
    fn discharging_an_empty_battery_trips_it_and_a_reset_brings_it_back() {
        let mut battery = battery(0.0001, 20.0);
        // Within the margin over a limit of 0, so that only the empty cells can be the reason.
        (0..200).for_each(|_| battery.step(0.1, 200.0, true));
        assert_eq!((battery.trip(), battery.trips()), (Some(BatteryTrip::UnderVoltage), 1));
        assert_eq!(battery.limits_a(), (0.0, 0.0), "a battery that is off allows nothing");
        battery.ask_reset();
        battery.step(0.1, 0.0, true);
        assert!(battery.trip().is_none() && battery.is_online());
    }

    #[test]
    fn an_open_path_or_a_disconnected_battery_carries_nothing() {
        let mut battery = battery(0.5, 20.0);
        battery.step(0.1, 3000.0, false);
        assert!(battery.current_a().abs() < 1e-9);
        battery.connect(false);
        battery.step(0.1, 3000.0, true);
        assert!(battery.current_a().abs() < 1e-9);
    }
}
