//! What is really so, for the oracle of a scenario. No device shows all of this, and a controller must not see it.

use super::Plant;
use super::battery::BatteryTrip;
use super::inverter::InverterState;
use super::protection::InverterFault;

/// The whole truth at one moment. Power is positive into the site's bus; consumption of the load is positive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Truth {
    /// Plant time since the start, s.
    pub time_s: f64,
    /// State of charge, 0..1.
    pub soc: f64,
    /// Battery terminals, V.
    pub battery_v: f64,
    /// Battery current, A, discharge positive.
    pub battery_a: f64,
    /// Battery terminal power, W, discharge positive.
    pub battery_dc_w: f64,
    /// Cell temperature, °C.
    pub battery_temp_c: f64,
    /// Published charge limit, A (positive).
    pub charge_a_max: f64,
    /// Published discharge limit, A.
    pub discharge_a_max: f64,
    /// The same at the present voltage, W.
    pub charge_w_max: f64,
    /// The same at the present voltage, W.
    pub discharge_w_max: f64,
    /// Why the BMS is off, if it is.
    pub battery_trip: Option<BatteryTrip>,
    /// BMS trips since the start.
    pub battery_trips: u32,
    /// AC power of the inverter, W, discharge positive.
    pub inverter_w: f64,
    /// What the inverter is doing.
    pub inverter_state: InverterState,
    /// Why it is tripped, if it is.
    pub inverter_fault: Option<InverterFault>,
    /// Inverter trips since the start.
    pub inverter_faults: u32,
    /// The set-point in force, W.
    pub set_point_w: f64,
    /// Whether the set-point is enabled.
    pub set_point_enabled: bool,
    /// How often the set-point reverted because nobody renewed it.
    pub reversions: u32,
    /// How often the controller's heartbeat was lost.
    pub heartbeat_losses: u32,
    /// Power at the connection point, W, import positive.
    pub grid_w: f64,
    /// Grid frequency, Hz.
    pub grid_hz: f64,
    /// Voltage of each phase, V.
    pub grid_v: [f64; 3],
    /// Consumption, W.
    pub load_w: f64,
    /// PV, W.
    pub pv_w: f64,
    /// The contacts of the DC contactor.
    pub contactor_closed: bool,
    /// The coil that drives it.
    pub contactor_coil: bool,
    /// Closings and openings.
    pub contactor_operations: u32,
    /// Openings under load.
    pub contactor_wear: u32,
    /// How often the panel's watchdog dropped the coil.
    pub panel_drops: u32,
    /// The E-stop chain.
    pub estop_healthy: bool,
    /// Energies since the start.
    pub energy: Energies,
}

/// Energies since the start, Wh, all positive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Energies {
    /// From the grid.
    pub imported_wh: f64,
    /// To the grid.
    pub exported_wh: f64,
    /// From PV.
    pub pv_wh: f64,
    /// To the load.
    pub load_wh: f64,
    /// From the inverter into the bus.
    pub injected_wh: f64,
    /// From the bus into the inverter.
    pub absorbed_wh: f64,
    /// Lost in the inverter.
    pub inverter_loss_wh: f64,
    /// Out of the battery's terminals.
    pub discharged_wh: f64,
    /// Into the battery's terminals.
    pub charged_wh: f64,
    /// Lost in the battery's resistance.
    pub battery_heat_wh: f64,
}

impl Plant {
    /// What is really so now.
    #[must_use]
    pub fn truth(&self) -> Truth {
        let (charge_a_max, discharge_a_max) = self.battery.limits_a();
        let battery_v = self.battery.voltage_v();
        Truth {
            time_s: self.time_s(),
            soc: self.battery.soc(),
            battery_v,
            battery_a: self.battery.current_a(),
            battery_dc_w: self.battery.power_w(),
            battery_temp_c: self.battery.temp_c(),
            charge_a_max,
            discharge_a_max,
            charge_w_max: charge_a_max * battery_v,
            discharge_w_max: discharge_a_max * battery_v,
            battery_trip: self.battery.trip(),
            battery_trips: self.battery.trips(),
            inverter_w: self.inverter.power_w(),
            inverter_state: self.inverter.state(),
            inverter_fault: self.inverter.fault(),
            inverter_faults: self.inverter.faults(),
            set_point_w: self.inverter.set_point.power_w(),
            set_point_enabled: self.inverter.set_point.is_enabled(),
            reversions: self.inverter.set_point.reversions(),
            heartbeat_losses: self.inverter.set_point.heartbeat_losses(),
            grid_w: self.grid.power_w(),
            grid_hz: self.grid.frequency_hz(),
            grid_v: self.grid.voltage_v(),
            load_w: self.load.power_w(),
            pv_w: self.pv.power_w(),
            contactor_closed: self.contactor.is_closed(),
            contactor_coil: self.panel.coil(),
            contactor_operations: self.contactor.operations(),
            contactor_wear: self.contactor.wear(),
            panel_drops: self.panel.drops(),
            estop_healthy: self.panel.is_estop_healthy(),
            energy: self.energies(),
        }
    }

    fn energies(&self) -> Energies {
        let (imported_wh, exported_wh) = self.meter.energies_wh();
        let (injected_wh, absorbed_wh, inverter_loss_wh) = self.inverter.energies_wh();
        let (discharged_wh, charged_wh, battery_heat_wh) = self.battery.energies_wh();
        Energies {
            imported_wh,
            exported_wh,
            pv_wh: self.pv.energy_wh(),
            load_wh: self.load.energy_wh(),
            injected_wh,
            absorbed_wh,
            inverter_loss_wh,
            discharged_wh,
            charged_wh,
            battery_heat_wh,
        }
    }
}
