//! The inverter's own protection: it trips on what it finds at its terminals, and stays tripped until it is reset and
//! the cause is gone. Its windows of frequency and voltage are wide and act at once, like the last stage of a real
//! device.

use super::inverter::InverterParams;

/// Why the inverter tripped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InverterFault {
    /// DC voltage above its window.
    DcOverVoltage,
    /// DC voltage below its window while connected.
    DcUnderVoltage,
    /// Grid frequency above 51.5 Hz.
    OverFrequency,
    /// Grid frequency below 47.5 Hz.
    UnderFrequency,
    /// Grid voltage above 264.5 V (1.15 of nominal).
    AcOverVoltage,
    /// Grid voltage below 184 V (0.8 of nominal).
    AcUnderVoltage,
    /// Heat sink too hot.
    OverTemperature,
    /// Made by a scenario, as a defect inside would be.
    External,
}

/// What the inverter finds at its terminals in one step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surroundings {
    /// The DC path is closed up to a battery that is switched on.
    pub(crate) dc_ready: bool,
    pub(crate) dc_v: f64,
    pub(crate) grid_hz: f64,
    pub(crate) grid_v: f64,
    pub(crate) ambient_c: f64,
}

/// The latched fault.
#[derive(Clone, Debug, Default)]
pub(crate) struct Protection {
    fault: Option<InverterFault>,
    external: bool,
    reset_asked: bool,
    faults: u32,
}

impl Protection {
    pub(crate) fn step(&mut self, params: &InverterParams, around: Surroundings, temp_c: f64) {
        if std::mem::take(&mut self.reset_asked) {
            self.external = false;
            self.fault = None;
            if let Some(cause) = self.cause(params, around, temp_c) {
                // Still there: the same trip goes on, and is not counted again.
                self.fault = Some(cause);
            }
        } else if self.fault.is_none() {
            self.fault = self.cause(params, around, temp_c);
            self.faults += u32::from(self.fault.is_some());
        }
    }

    fn cause(&self, params: &InverterParams, around: Surroundings, temp_c: f64) -> Option<InverterFault> {
        let causes = [
            (self.external, InverterFault::External),
            (around.dc_ready && around.dc_v > params.dc_v_max, InverterFault::DcOverVoltage),
            (around.dc_ready && around.dc_v < params.dc_v_min, InverterFault::DcUnderVoltage),
            (around.grid_hz > 51.5, InverterFault::OverFrequency),
            (around.grid_hz < 47.5, InverterFault::UnderFrequency),
            (around.grid_v > 264.5, InverterFault::AcOverVoltage),
            (around.grid_v < 184.0, InverterFault::AcUnderVoltage),
            (temp_c > params.temp_c_max, InverterFault::OverTemperature),
        ];
        causes.into_iter().find(|(there, _)| *there).map(|(_, cause)| cause)
    }

    pub(crate) fn trip(&mut self) {
        self.external = true;
    }

    pub(crate) fn ask_reset(&mut self) {
        self.reset_asked = true;
    }

    pub(crate) fn reset_asked(&self) -> bool {
        self.reset_asked
    }

    pub(crate) fn fault(&self) -> Option<InverterFault> {
        self.fault
    }

    pub(crate) fn faults(&self) -> u32 {
        self.faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WELL: Surroundings =
        Surroundings { dc_ready: true, dc_v: 52.0, grid_hz: 50.0, grid_v: 230.0, ambient_c: 20.0 };

    fn fault(around: Surroundings, temp_c: f64) -> Option<InverterFault> {
        let mut protection = Protection::default();
        protection.step(&InverterParams::default(), around, temp_c);
        protection.fault()
    }

    #[test]
    fn each_cause_has_its_own_fault() {
        assert_eq!(fault(WELL, 40.0), None);
        assert_eq!(fault(Surroundings { dc_v: 61.0, ..WELL }, 40.0), Some(InverterFault::DcOverVoltage));
        assert_eq!(fault(Surroundings { dc_v: 39.0, ..WELL }, 40.0), Some(InverterFault::DcUnderVoltage));
        assert_eq!(fault(Surroundings { dc_v: 0.0, dc_ready: false, ..WELL }, 40.0), None);
        assert_eq!(fault(Surroundings { grid_hz: 51.6, ..WELL }, 40.0), Some(InverterFault::OverFrequency));
        assert_eq!(fault(Surroundings { grid_hz: 47.4, ..WELL }, 40.0), Some(InverterFault::UnderFrequency));
        assert_eq!(fault(Surroundings { grid_v: 265.0, ..WELL }, 40.0), Some(InverterFault::AcOverVoltage));
        assert_eq!(fault(Surroundings { grid_v: 183.0, ..WELL }, 40.0), Some(InverterFault::AcUnderVoltage));
        assert_eq!(fault(WELL, 91.0), Some(InverterFault::OverTemperature));
    }

    #[test]
    fn a_trip_stays_until_it_is_reset_and_its_cause_is_gone() {
        let params = InverterParams::default();
        let mut protection = Protection::default();
        let fast = Surroundings { grid_hz: 52.0, ..WELL };
        protection.step(&params, fast, 40.0);
        protection.step(&params, WELL, 40.0);
        assert!(protection.fault().is_some(), "latched");
        protection.ask_reset();
        protection.step(&params, fast, 40.0);
        assert!(protection.fault().is_some(), "the cause is still there");
        protection.ask_reset();
        protection.step(&params, WELL, 40.0);
        assert_eq!((protection.fault(), protection.faults()), (None, 1));
    }
}
