//! From the plant to the registers, one function per model that moves.

use super::encode::{Scale, measure, set};
use super::layout::{Point, m701, m702, m704, m713, m715, m802};
use super::{Chosen, Scales};
use crate::device::bank::Bank;
use crate::plant::Plant;
use crate::plant::battery::BatteryTrip;
use crate::plant::inverter::InverterState;
use crate::plant::protection::InverterFault;
use crate::rounding::rounded_up;

/// What a refresh works with.
pub(super) struct Showing<'a> {
    pub(super) bank: &'a mut Bank,
    pub(super) plant: &'a Plant,
    pub(super) scales: &'a Scales,
    pub(super) chosen: &'a Chosen,
    pub(super) life_frozen: bool,
}

impl Showing<'_> {
    /// Shows everything that moves in the model of this id; the common model does not.
    pub(super) fn model(&mut self, id: u16) {
        match id {
            701 => self.m701(),
            702 => self.m702(),
            704 => self.m704(),
            713 => self.m713(),
            715 => self.m715(),
            802 => self.m802(),
            _ => {}
        }
    }

    fn value(&mut self, point: Point, value: f64, scale: Scale) {
        measure(self.bank, point, scale.raw(value));
    }

    fn state(&mut self, point: Point, raw: i64) {
        measure(self.bank, point, raw);
    }

    fn setting(&mut self, point: Point, raw: i64) {
        set(self.bank, point, raw);
    }

    fn life(&mut self, point: Point, count: u32) {
        if !self.life_frozen {
            set(self.bank, point, i64::from(count));
        }
    }

    fn m701(&mut self) {
        let inverter = &self.plant.inverter;
        let (w, v) = (inverter.power_w(), self.plant.grid.voltage_v()[0]);
        let (injected_wh, absorbed_wh, _) = inverter.energies_wh();
        let (temp_c, state) = (inverter.temp_c(), inverter.state());
        let running = state == InverterState::Running;
        let Scales { power, tenth, current, frequency, one, .. } = *self.scales;
        self.state(m701::ST, i64::from(running || state == InverterState::Starting));
        self.state(m701::INV_ST, inverter_state(state));
        self.state(m701::CONN_ST, i64::from(running));
        self.state(m701::ALRM, inverter_alarms(self.plant));
        self.state(m701::DER_MODE, 1);
        for (point, value, scale) in [
            (m701::W, w, power),
            (m701::WL1, w, power),
            (m701::VA, w.abs(), power),
            (m701::VAL1, w.abs(), power),
            (m701::VAR, 0.0, power),
            (m701::VARL1, 0.0, power),
            (m701::A, w / v, current),
            (m701::AL1, w / v, current),
            (m701::LNV, v, tenth),
            (m701::VL1, v, tenth),
            (m701::HZ, self.plant.grid.frequency_hz(), frequency),
            (m701::PF, 1.0, frequency),
            (m701::TOT_WH_INJ, injected_wh, one),
            (m701::TOT_WH_ABS, absorbed_wh, one),
            (m701::TMP_CAB, self.plant.battery.params().ambient_c, tenth),
            (m701::TMP_SNK, temp_c, tenth),
        ] {
            self.value(point, value, scale);
        }
    }

    fn m702(&mut self) {
        let settings = self.plant.inverter.settings();
        let power = self.scales.power;
        self.setting(m702::W_MAX, power.raw(settings.both_w));
        self.setting(m702::W_CHA_RTE_MAX, power.raw(settings.charge_w));
        self.setting(m702::W_DIS_CHA_RTE_MAX, power.raw(settings.discharge_w));
    }

    fn m704(&mut self) {
        let set_point = &self.plant.inverter.set_point;
        let (reversion, left_s) = (set_point.reversion(), set_point.revert_left_s());
        let (power, one) = (self.scales.power, self.scales.one);
        self.setting(m704::W_SET_ENA, i64::from(set_point.is_enabled()));
        self.setting(m704::W_SET, power.raw(set_point.power_w()));
        self.setting(m704::W_SET_RVRT, power.raw(reversion.power_w));
        self.setting(m704::W_SET_ENA_RVRT, i64::from(reversion.enabled));
        self.setting(m704::W_SET_RVRT_TMS, one.raw(reversion.after_s));
        // A nanosecond of grace, so that ten steps of 0.1 s are a second.
        self.setting(m704::W_SET_RVRT_REM, rounded_up(left_s - 1e-9));
    }

    fn m713(&mut self) {
        let battery = &self.plant.battery;
        let rated_wh = battery.params().nominal_wh();
        let soc = battery.soc();
        let state = match (battery.trip(), battery.limits_a()) {
            (Some(_), _) => 2,
            (None, (charge_a, discharge_a)) if charge_a <= 0.0 || discharge_a <= 0.0 => 1,
            (None, _) => 0,
        };
        let (one, percent) = (self.scales.one, self.scales.percent);
        self.value(m713::WH_AVAIL, rated_wh * soc, one);
        self.value(m713::SOC, soc * 100.0, percent);
        self.value(m713::SOH, 100.0, percent);
        self.state(m713::STA, state);
    }

    fn m715(&mut self) {
        let inverter = &self.plant.inverter;
        self.life(m715::DER_HB, inverter.life());
        self.setting(m715::CONTROLLER_HB, i64::from(inverter.set_point.heartbeat()));
        self.setting(m715::ALARM_RESET, i64::from(inverter.reset_asked()));
        self.setting(m715::OP_CTL, self.chosen.operation);
    }

    fn m802(&mut self) {
        let battery = &self.plant.battery;
        let (voltage_v, current_a) = (battery.voltage_v(), battery.current_a());
        let (charge_a, discharge_a) = battery.limits_a();
        let (reserve_min, reserve_max) = battery.reserve();
        let cell_v = voltage_v / battery.params().cells;
        let Scales { power, percent, tenth, hundredth, thousandth, .. } = *self.scales;
        self.setting(m802::SOC_RSV_MAX, percent.raw(reserve_max * 100.0));
        self.setting(m802::SOC_RSV_MIN, percent.raw(reserve_min * 100.0));
        self.setting(m802::CTRL_HB, i64::from(battery.heartbeat()));
        self.setting(m802::ALM_RST, i64::from(battery.reset_asked()));
        self.setting(m802::SET_OP, if battery.connect_wanted() { 1 } else { 2 });
        self.setting(m802::SET_INV_STATE, self.chosen.inverter_state);
        self.life(m802::HB, u32::from(battery.life()));
        self.state(m802::CHA_ST, charge_state(current_a));
        self.state(m802::STATE, battery_state(self.plant));
        self.state(m802::EVT1, battery_events(self.plant));
        for (point, value, scale) in [
            (m802::SOC, battery.soc() * 100.0, percent),
            (m802::SOH, 100.0, percent),
            (m802::V, voltage_v, hundredth),
            (m802::CELL_V_MAX, cell_v, thousandth),
            (m802::CELL_V_MIN, cell_v, thousandth),
            (m802::CELL_V_AVG, cell_v, thousandth),
            (m802::A, current_a, tenth),
            (m802::A_CHA_MAX, charge_a, tenth),
            (m802::A_DIS_CHA_MAX, discharge_a, tenth),
            (m802::W, battery.power_w(), power),
        ] {
            self.value(point, value, scale);
        }
    }
}

fn inverter_state(state: InverterState) -> i64 {
    match state {
        InverterState::Off => 0,
        InverterState::Starting => 2,
        InverterState::Running => 3,
        InverterState::Fault => 6,
        InverterState::Standby => 7,
    }
}

/// Alarm bits of model 701.
fn inverter_alarms(plant: &Plant) -> i64 {
    let inverter = &plant.inverter;
    let fault = match inverter.fault() {
        None => 0,
        Some(InverterFault::DcOverVoltage) => 1 << 1,
        Some(InverterFault::DcUnderVoltage) => 1 << 3,
        Some(InverterFault::OverTemperature) => 1 << 7,
        Some(InverterFault::OverFrequency) => 1 << 8,
        Some(InverterFault::UnderFrequency) => 1 << 9,
        Some(InverterFault::AcOverVoltage) => 1 << 10,
        Some(InverterFault::AcUnderVoltage) => 1 << 11,
        Some(InverterFault::External) => 1 << 15,
    };
    let no_dc = i64::from(!inverter.dc_ready()) << 3;
    let no_controller = i64::from(inverter.set_point.is_heartbeat_lost()) << 16;
    fault | no_dc | no_controller
}

fn charge_state(current_a: f64) -> i64 {
    if current_a > 0.5 {
        3
    } else if current_a < -0.5 {
        4
    } else {
        6
    }
}

fn battery_state(plant: &Plant) -> i64 {
    let battery = &plant.battery;
    let (charge_a, discharge_a) = battery.limits_a();
    if battery.trip().is_some() {
        99
    } else if !battery.connect_wanted() {
        1
    } else if charge_a <= 0.0 || discharge_a <= 0.0 {
        5
    } else if plant.contactor.is_closed() {
        3
    } else {
        4
    }
}

/// Event bits of model 802.
fn battery_events(plant: &Plant) -> i64 {
    let battery = &plant.battery;
    let trip = match battery.trip() {
        None => 0,
        Some(BatteryTrip::OverTemperature) => 1 << 1,
        Some(BatteryTrip::UnderTemperature) => 1 << 3,
        Some(BatteryTrip::ChargeCurrent) => 1 << 5,
        Some(BatteryTrip::DischargeCurrent) => 1 << 7,
        Some(BatteryTrip::OverVoltage) => 1 << 9,
        Some(BatteryTrip::UnderVoltage) => 1 << 11,
    };
    trip | i64::from(battery.heartbeat_lost())
}
