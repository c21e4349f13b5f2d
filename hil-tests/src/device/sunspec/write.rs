//! From a write request to the plant: first the whole request is checked, then all of it is done.
//!
//! What is read-only, or not implemented, is refused with exception 2; half of a 32-bit value, and a value the device
//! does not take, with exception 3. After an accepted write a read gives the value written. The two alarm resets are
//! the exception the models make themselves: they fall back to 0 once the reset was tried.

use super::encode::{decode, set};
use super::layout::{Point, m702, m704, m715, m802};
use super::{Chosen, Scales};
use crate::device::bank::Bank;
use crate::device::registers::Exception;
use crate::plant::Plant;
use crate::plant::inverter::{Operation, PowerSettings};

/// What may be written.
#[derive(Clone, Copy, Debug)]
enum Target {
    PowerBoth,
    PowerCharge,
    PowerDischarge,
    SetPointEnable,
    SetPointMode,
    SetPoint,
    RevertPower,
    RevertEnable,
    RevertAfter,
    Heartbeat,
    AlarmReset,
    Operation,
    ReserveMax,
    ReserveMin,
    BatteryHeartbeat,
    BatteryReset,
    BatteryConnect,
    BatteryInverterState,
}

const TARGETS: [(Point, Target); 18] = [
    (m702::W_MAX, Target::PowerBoth),
    (m702::W_CHA_RTE_MAX, Target::PowerCharge),
    (m702::W_DIS_CHA_RTE_MAX, Target::PowerDischarge),
    (m704::W_SET_ENA, Target::SetPointEnable),
    (m704::W_SET_MOD, Target::SetPointMode),
    (m704::W_SET, Target::SetPoint),
    (m704::W_SET_RVRT, Target::RevertPower),
    (m704::W_SET_ENA_RVRT, Target::RevertEnable),
    (m704::W_SET_RVRT_TMS, Target::RevertAfter),
    (m715::CONTROLLER_HB, Target::Heartbeat),
    (m715::ALARM_RESET, Target::AlarmReset),
    (m715::OP_CTL, Target::Operation),
    (m802::SOC_RSV_MAX, Target::ReserveMax),
    (m802::SOC_RSV_MIN, Target::ReserveMin),
    (m802::CTRL_HB, Target::BatteryHeartbeat),
    (m802::ALM_RST, Target::BatteryReset),
    (m802::SET_OP, Target::BatteryConnect),
    (m802::SET_INV_STATE, Target::BatteryInverterState),
];

/// What a write works with.
pub(super) struct Writing<'a> {
    pub(super) bank: &'a mut Bank,
    pub(super) plant: &'a mut Plant,
    pub(super) scales: &'a Scales,
    pub(super) chosen: &'a mut Chosen,
    pub(super) rotated: bool,
}

impl Writing<'_> {
    /// Takes the registers in `data` from `offset` on (counted from the map's base): all of them or none.
    pub(super) fn take(&mut self, offset: u16, data: &[u8]) -> Result<(), Exception> {
        self.walk(
            offset,
            data,
            |writing, _, target, raw| {
                if writing.accepts(target, raw) { Ok(()) } else { Err(Exception::Value) }
            },
        )?;
        self.walk(offset, data, |writing, point, target, raw| {
            // Also where a frozen device does not refresh, a setting reads as it was written.
            set(writing.bank, point, raw);
            writing.apply(target, raw);
            Ok(())
        })
    }

    fn walk(
        &mut self,
        offset: u16,
        data: &[u8],
        mut visit: impl FnMut(&mut Self, Point, Target, i64) -> Result<(), Exception>,
    ) -> Result<(), Exception> {
        let (mut at, mut rest) = (offset, data);
        while !rest.is_empty() {
            let (point, target) = find(at)?;
            let (value, behind) = rest.split_at_checked(2 * usize::from(point.kind.len())).ok_or(Exception::Value)?;
            let raw = decode(point.kind, value, self.rotated).ok_or(Exception::Value)?;
            visit(self, point, target, raw)?;
            at += point.kind.len();
            rest = behind;
        }
        Ok(())
    }

    fn accepts(&self, target: Target, raw: i64) -> bool {
        let rated = self.scales.power.raw(self.plant.inverter.params().power_w_max);
        match target {
            Target::PowerBoth | Target::PowerCharge | Target::PowerDischarge => (0..=rated).contains(&raw),
            Target::SetPoint | Target::RevertPower => (-rated..=rated).contains(&raw),
            Target::SetPointEnable | Target::RevertEnable | Target::AlarmReset | Target::BatteryReset => {
                (0..=1).contains(&raw)
            }
            // Watts only: per cent of WMax is not offered.
            Target::SetPointMode => raw == 1,
            // All ones is the code of "not implemented".
            Target::RevertAfter | Target::Heartbeat => raw < i64::from(u32::MAX),
            Target::BatteryHeartbeat => raw < i64::from(u16::MAX),
            Target::Operation => (0..=3).contains(&raw),
            Target::ReserveMax | Target::ReserveMin => (0..=self.scales.percent.raw(100.0)).contains(&raw),
            Target::BatteryConnect => (1..=2).contains(&raw),
            Target::BatteryInverterState => (1..=3).contains(&raw),
        }
    }

    fn apply(&mut self, target: Target, raw: i64) {
        let power_w = self.scales.power.value(raw);
        let inverter = &mut self.plant.inverter;
        let battery = &mut self.plant.battery;
        let settings = inverter.settings();
        let (reserve_min, reserve_max) = battery.reserve();
        let share = self.scales.percent.value(raw) / 100.0;
        match target {
            Target::PowerBoth => inverter.set_settings(PowerSettings { both_w: power_w, ..settings }),
            Target::PowerCharge => inverter.set_settings(PowerSettings { charge_w: power_w, ..settings }),
            Target::PowerDischarge => inverter.set_settings(PowerSettings { discharge_w: power_w, ..settings }),
            Target::SetPointEnable => inverter.set_point.enable(raw == 1),
            Target::SetPointMode => {}
            Target::SetPoint => inverter.set_point.write_w(power_w),
            Target::RevertPower => inverter.set_point.set_revert_w(power_w),
            Target::RevertEnable => inverter.set_point.set_revert_enabled(raw == 1),
            Target::RevertAfter => inverter.set_point.set_revert_after_s(u32::try_from(raw).map_or(0.0, f64::from)),
            Target::Heartbeat => inverter.set_point.take_heartbeat(u32::try_from(raw).unwrap_or(0)),
            Target::AlarmReset if raw == 1 => inverter.ask_reset(),
            Target::BatteryReset if raw == 1 => battery.ask_reset(),
            Target::AlarmReset | Target::BatteryReset => {}
            Target::Operation => {
                self.chosen.operation = raw;
                inverter.operate(match raw {
                    0 => Operation::Stop,
                    2 => Operation::Standby,
                    _ => Operation::Start,
                });
            }
            Target::ReserveMax => battery.set_reserve((reserve_min, share)),
            Target::ReserveMin => battery.set_reserve((share, reserve_max)),
            Target::BatteryHeartbeat => battery.take_heartbeat(u16::try_from(raw).unwrap_or(0)),
            Target::BatteryConnect => battery.connect(raw == 1),
            Target::BatteryInverterState => self.chosen.inverter_state = raw,
        }
    }
}

/// The writable point that begins at `at`.
fn find(at: u16) -> Result<(Point, Target), Exception> {
    for (point, target) in TARGETS {
        if at == point.at {
            return Ok((point, target));
        }
        if at > point.at && at < point.at + point.kind.len() {
            return Err(Exception::Value);
        }
    }
    Err(Exception::Address)
}
