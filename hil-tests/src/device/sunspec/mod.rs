//! A storage inverter with its battery behind a SunSpec map: models 1, 701, 702, 704, 713, 715, 802.
//!
//! Written from the model definitions (sunspec/models, commit 7abdf89) and the SunSpec Device Information Model
//! Specification. Function 3 reads, 6 and 16 write. Power is positive into the bus (701: injection, 802: discharge).
//!
//! What a controller has to know of it:
//! - 704 `WSet` is followed while `WSetEna` is 1; `WSetMod` is watts and nothing else. Each write of `WSet` restarts
//!   the reversion timer `WSetRvrtTms`; when it expires, `WSetRvrt` and `WSetEnaRvrt` become `WSet` and `WSetEna`.
//! - 715 `ControllerHb` is watched from its first change on: standing still for the configured time brings 0 W, `WSet`
//!   0 and standby, until it moves again.
//! - 802 `AChaMax` and `ADisChaMax` are the battery's present limits; leaving them trips the battery.
//! - 802 `CtrlHb` standing still is reported in `Evt1` (communication error), and nothing else happens.

mod encode;
mod layout;
mod refresh;
mod write;

use super::bank::Bank;
use super::registers::{self, Exception, Registers, WordTable};
use super::{Ailment, Answer, Device, Pdu};
use crate::plant::Plant;
use encode::{Scale, set, set_text};
use layout::{MAP_LEN, MODELS, m1, m701, m702, m704, m713, m715, m802};
use refresh::Showing;
use write::Writing;

/// Where the map begins; the three places a client looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Base {
    /// Register 0.
    Zero,
    /// Register 40000, the usual one.
    #[default]
    FortyThousand,
    /// Register 50000.
    FiftyThousand,
}

impl Base {
    /// The register.
    #[must_use]
    pub fn register(self) -> u16 {
        match self {
            Self::Zero => 0,
            Self::FortyThousand => 40_000,
            Self::FiftyThousand => 50_000,
        }
    }
}

/// How the device is set up.
#[derive(Clone, Copy, Debug)]
pub struct SunSpecSettings {
    /// Unit id, 1 to 247.
    pub unit: u8,
    /// Where the map begins.
    pub base: Base,
    /// Scale factor of all powers, 0 to 3 (with -1 a 5 kW device would not fit its 16 bits).
    pub power_exponent: i16,
    /// Scale factor of all per cents, -2 to 0.
    pub percent_exponent: i16,
}

impl Default for SunSpecSettings {
    fn default() -> Self {
        Self { unit: 1, base: Base::default(), power_exponent: 0, percent_exponent: -1 }
    }
}

/// The scale factors in use.
#[derive(Clone, Copy, Debug)]
struct Scales {
    power: Scale,
    percent: Scale,
    one: Scale,
    tenth: Scale,
    hundredth: Scale,
    thousandth: Scale,
    current: Scale,
    frequency: Scale,
}

/// Settings that stand in a register and nowhere in the plant.
#[derive(Clone, Copy, Debug)]
struct Chosen {
    operation: i64,
    inverter_state: i64,
}

/// The storage inverter.
#[derive(Clone, Debug)]
pub struct SunSpecStorage {
    unit: u8,
    base: u16,
    bank: Bank,
    scales: Scales,
    chosen: Chosen,
    ailment: Ailment,
    /// Plant step that each of [`MODELS`] shows.
    shown: [Option<u64>; MODELS.len()],
}

impl SunSpecStorage {
    /// The device over this plant, whose nameplate it shows.
    #[must_use]
    pub fn new(settings: SunSpecSettings, plant: &Plant) -> Self {
        let base = settings.base.register();
        let scales = Scales {
            power: Scale::new(settings.power_exponent.clamp(0, 3)),
            percent: Scale::new(settings.percent_exponent.clamp(-2, 0)),
            one: Scale::new(0),
            tenth: Scale::new(-1),
            hundredth: Scale::new(-2),
            thousandth: Scale::new(-3),
            current: Scale::new(-2),
            frequency: Scale::new(-3),
        };
        let mut device = Self {
            unit: settings.unit,
            base,
            bank: empty_map(base),
            scales,
            chosen: Chosen { operation: 1, inverter_state: 3 },
            ailment: Ailment::default(),
            shown: [None; MODELS.len()],
        };
        device.show_identity();
        device.show_scales();
        device.show_nameplate(plant);
        device.refresh(plant, 0, MAP_LEN);
        device
    }

    fn show_identity(&mut self) {
        set_text(&mut self.bank, m1::MN, "Flyball");
        set_text(&mut self.bank, m1::MD, "Cabin storage 5/10");
        set_text(&mut self.bank, m1::VR, env!("CARGO_PKG_VERSION"));
        set_text(&mut self.bank, m1::SN, "HIL-0001");
        set(&mut self.bank, m1::DA, i64::from(self.unit));
    }

    fn show_scales(&mut self) {
        let Scales { power, percent, one, tenth, hundredth, thousandth, current, frequency } = self.scales;
        for (point, scale) in [
            (m701::A_SF, current),
            (m701::V_SF, tenth),
            (m701::HZ_SF, frequency),
            (m701::W_SF, power),
            (m701::PF_SF, frequency),
            (m701::VA_SF, power),
            (m701::VAR_SF, power),
            (m701::TOT_WH_SF, one),
            (m701::TMP_SF, tenth),
            (m702::W_SF, power),
            (m702::VA_SF, power),
            (m702::V_SF, tenth),
            (m704::W_SET_SF, power),
            (m713::WH_SF, one),
            (m713::PCT_SF, percent),
            (m802::AH_RTG_SF, one),
            (m802::WH_RTG_SF, one),
            (m802::W_CHA_DIS_CHA_MAX_SF, power),
            (m802::SOC_SF, percent),
            (m802::SOH_SF, percent),
            (m802::V_SF, hundredth),
            (m802::CELL_V_SF, thousandth),
            (m802::A_SF, tenth),
            (m802::A_MAX_SF, tenth),
            (m802::W_SF, power),
        ] {
            set(&mut self.bank, point, scale.exponent());
        }
    }

    fn show_nameplate(&mut self, plant: &Plant) {
        let rated_w = plant.inverter.params().power_w_max;
        let battery = plant.battery.params();
        let Scales { power, percent, one, tenth, hundredth, .. } = self.scales;
        for (point, raw) in [
            (m701::AC_TYPE, 0),
            (m702::W_MAX_RTG, power.raw(rated_w)),
            (m702::VA_MAX_RTG, power.raw(rated_w)),
            (m702::W_CHA_RTE_MAX_RTG, power.raw(rated_w)),
            (m702::W_DIS_CHA_RTE_MAX_RTG, power.raw(rated_w)),
            (m702::V_NOM_RTG, tenth.raw(230.0)),
            (m702::CTRL_MODES, 1 << 1),
            (m704::W_SET_MOD, 1),
            (m713::WH_RTG, one.raw(battery.nominal_wh())),
            (m715::LOC_REM_CTL, 0),
            (m802::AH_RTG, one.raw(battery.capacity_ah)),
            (m802::WH_RTG, one.raw(battery.nominal_wh())),
            (m802::W_CHA_RTE_MAX, power.raw(battery.charge_a_max * battery.nominal_v())),
            (m802::W_DIS_CHA_RTE_MAX, power.raw(battery.discharge_a_max * battery.nominal_v())),
            (m802::SOC_MAX, percent.raw(100.0)),
            (m802::SOC_MIN, 0),
            (m802::LOC_REM_CTL, 0),
            (m802::TYP, 4),
            (m802::EVT2, 0),
            (m802::EVT_VND1, 0),
            (m802::EVT_VND2, 0),
            (m802::V_MAX, hundredth.raw(battery.cell_v_max * battery.cells)),
            (m802::V_MIN, hundredth.raw(battery.cell_v_min * battery.cells)),
        ] {
            set(&mut self.bank, point, raw);
        }
    }

    /// Brings the models that reach into `offset..offset + count` up to date, if the plant has moved since.
    fn refresh(&mut self, plant: &Plant, offset: u16, count: u16) {
        if self.ailment.values_frozen {
            return;
        }
        let now = Some(plant.steps());
        let Self { bank, scales, chosen, ailment, shown, .. } = self;
        for (model, shown) in MODELS.iter().zip(shown) {
            let apart = offset >= model.at + 2 + model.len || offset.saturating_add(count) <= model.at;
            if apart || *shown == now {
                continue;
            }
            *shown = now;
            Showing { bank, plant, scales, chosen, life_frozen: ailment.life_frozen }.model(model.id);
        }
    }
}

/// The map with its marker, model headers and end, and every point not implemented.
fn empty_map(base: u16) -> Bank {
    let mut bank = Bank::new(base, MAP_LEN);
    bank.set(0, &[0x5375, 0x6E53]);
    for model in &MODELS {
        bank.set(model.at, &[model.id, model.len]);
        let mut at = model.at + 2;
        for (times, kind) in model.kinds {
            for _ in 0..*times {
                if let Some(absent) = kind.absent() {
                    bank.define(at, absent, true);
                }
                at += kind.len();
            }
        }
    }
    bank.set(MAP_LEN - 2, &[0xFFFF, 0]);
    bank
}

/// The device while it answers.
struct Wired<'a> {
    device: &'a mut SunSpecStorage,
    plant: &'a mut Plant,
}

impl Registers for Wired<'_> {
    fn words(&mut self, table: WordTable, at: u16, count: u16, out: &mut Pdu) -> Result<(), Exception> {
        if table == WordTable::Input {
            return Err(Exception::Function);
        }
        let offset = self.device.bank.place(at, count).ok_or(Exception::Address)?;
        self.device.refresh(self.plant, offset, count);
        self.device.bank.show(at, count, self.device.ailment, out)
    }

    fn set_words(&mut self, at: u16, data: &[u8]) -> Result<(), Exception> {
        let offset = at.checked_sub(self.device.base).ok_or(Exception::Address)?;
        Writing {
            bank: &mut self.device.bank,
            plant: self.plant,
            scales: &self.device.scales,
            chosen: &mut self.device.chosen,
            rotated: self.device.ailment.words_rotated,
        }
        .take(offset, data)?;
        // The plant has not moved, but its settings have.
        self.device.shown = [None; MODELS.len()];
        Ok(())
    }
}

impl Device for SunSpecStorage {
    fn answer(&mut self, plant: &mut Plant, unit: u8, pdu: &[u8], out: &mut Pdu) -> Answer {
        if !self.serves(unit) {
            return Answer::Silence;
        }
        registers::answer(pdu, &mut Wired { device: self, plant }, out);
        Answer::Reply
    }

    fn serves(&self, unit: u8) -> bool {
        unit == self.unit
    }

    fn suffer(&mut self, plant: &Plant, ailment: Ailment) {
        self.refresh(plant, 0, MAP_LEN);
        self.ailment = ailment;
    }
}
