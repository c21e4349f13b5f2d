//! Carlo Gavazzi EM540, three-phase meter at the connection point. Power is positive for import.
//!
//! Facts (EM/ET300 and EM500 series communication protocols; cross-checked with OpenEMS, mbmd and Victron's driver):
//! functions 3 and 4 read the same registers, 50 words at most in one request; 32-bit values have their *low* word
//! first; everything is refreshed each 100 ms; the frequency is there twice, as 0.1 Hz in 0x33 and as 1 mHz in 0x053C.
//! Register 0x0B is the second half of V L3-L1, but a request for exactly that one register is answered with the
//! device's identification code. A value that cannot be shown reads 0x7FFF or 0x7FFF FFFF. It is never written.
//!
//! It has no life counter: that its mHz never rest is its sign of life, and what `life_frozen` stops.

use super::bank::{Bank, split_u32};
use super::registers::{self, Exception, Registers, WordTable};
use super::{Ailment, Answer, Device, Pdu};
use crate::plant::Plant;
use crate::plant::meter::MeterSample;
use crate::rounding::rounded;

/// Most registers of one request.
const WORDS_MAX: u16 = 50;
/// Register that identifies the device when it is asked for alone.
const IDENTITY: u16 = 0x000B;
/// Identification code of an EM540 (the EM5xx are 1744 to 1763).
const EM540: u16 = 1744;
/// Line to line per line to neutral.
const ROOT_3: f64 = 1.732_050_807_568_877_2;

/// The meter.
#[derive(Clone, Debug)]
pub struct Em540 {
    unit: u8,
    measured: Bank,
    fine_frequency: Bank,
    settings: [Bank; 3],
    shown: Option<u64>,
    ailment: Ailment,
}

impl Em540 {
    /// A meter with this unit id (1 to 247).
    #[must_use]
    pub fn new(unit: u8) -> Self {
        let mut measured = Bank::new(0x0000, 0x66);
        for offset in (0x00..0x2E).chain(0x34..0x66).step_by(2) {
            measured.define(offset, &[0xFFFF, 0x7FFF], true);
            measured.set(offset, &[0, 0]);
        }
        for offset in 0x2E..0x34 {
            measured.define(offset, &[0x7FFF], true);
            measured.set(offset, &[0]);
        }
        let mut fine_frequency = Bank::new(0x053C, 2);
        fine_frequency.define(0, &[0xFFFF, 0x7FFF], true);
        // System 3P+N; measurement mode B (both directions); address, 9600 baud, no parity, one stop bit.
        let mut settings = [Bank::new(0x1002, 1), Bank::new(0x1103, 1), Bank::new(0x2000, 4)];
        settings[1].set(0, &[1]);
        settings[2].set(0, &[u16::from(unit), 1, 1, 0]);
        Self { unit, measured, fine_frequency, settings, shown: None, ailment: Ailment::default() }
    }

    /// Shows a sample; nothing to do when it is the one that stands there.
    fn refresh(&mut self, sample: &MeterSample) {
        if self.ailment.values_frozen || self.shown == Some(sample.number) {
            return;
        }
        self.shown = Some(sample.number);
        self.show_phases(sample);
        self.show_totals(sample);
        if !self.ailment.life_frozen {
            self.measured.measure(0x33, &[i16_words(sample.frequency_mhz / 100)]);
            self.fine_frequency.measure(0, &i32_words(sample.frequency_mhz));
        }
    }

    fn show_phases(&mut self, sample: &MeterSample) {
        for (phase, at) in (0_u16..).step_by(2).take(3).enumerate() {
            let (v, a) = (sample.voltage_v[phase], sample.current_a[phase]);
            let (p, q) = (sample.power_w[phase], sample.reactive_var[phase]);
            let s = v * a;
            self.long(at, v * 10.0);
            // Close enough for angles of exactly 120°: the mean of both phases, times the root of 3.
            self.long(0x06 + at, (v + sample.voltage_v[(phase + 1) % 3]) * 0.5 * ROOT_3 * 10.0);
            self.long(0x0C + at, a * 1000.0);
            self.long(0x12 + at, p * 10.0);
            self.long(0x18 + at, s * 10.0);
            self.long(0x1E + at, q * 10.0);
            self.short(0x2E + at / 2, power_factor(p, s) * 1000.0);
            self.long(0x40 + at, sample.imported_phase_wh[phase] / 100.0);
        }
    }

    fn show_totals(&mut self, sample: &MeterSample) {
        let sum = |of: &[f64; 3]| of[0] + of[1] + of[2];
        let (p, q) = (sum(&sample.power_w), sum(&sample.reactive_var));
        let s = (p * p + q * q).sqrt();
        let mean_v = sum(&sample.voltage_v) / 3.0;
        self.long(0x24, mean_v * 10.0);
        self.long(0x26, mean_v * ROOT_3 * 10.0);
        self.long(0x28, p * 10.0);
        self.long(0x2A, s * 10.0);
        self.long(0x2C, q * 10.0);
        self.short(0x31, power_factor(p, s) * 1000.0);
        self.measured.measure(0x32, &[0]);
        self.long(0x34, sample.imported_wh / 100.0);
        self.long(0x4E, sample.exported_wh / 100.0);
    }

    fn long(&mut self, at: u16, value: f64) {
        self.measured.measure(at, &i32_words(rounded(value)));
    }

    fn short(&mut self, at: u16, value: f64) {
        self.measured.measure(at, &[i16_words(rounded(value))]);
    }
}

/// Active per apparent power; 1 when nothing flows.
fn power_factor(p: f64, s: f64) -> f64 {
    if s > 0.0 { p / s } else { 1.0 }
}

/// A 32-bit value in the meter's order, low word first; what does not fit is the overflow mark.
fn i32_words(value: i64) -> [u16; 2] {
    let value = i32::try_from(value).unwrap_or(i32::MAX);
    let [high, low] = split_u32(u32::from_be_bytes(value.to_be_bytes()));
    [low, high]
}

/// A 16-bit value; what does not fit is the overflow mark.
fn i16_words(value: i64) -> u16 {
    u16::from_be_bytes(i16::try_from(value).unwrap_or(i16::MAX).to_be_bytes())
}

impl Registers for Em540 {
    fn words(&mut self, _table: WordTable, at: u16, count: u16, out: &mut Pdu) -> Result<(), Exception> {
        if count > WORDS_MAX {
            return Err(Exception::Value);
        }
        if at == IDENTITY && count == 1 {
            out.push_word(EM540);
            return Ok(());
        }
        let banks = [&self.measured, &self.fine_frequency].into_iter().chain(&self.settings);
        for bank in banks {
            if bank.place(at, count).is_some() {
                return bank.show(at, count, self.ailment, out);
            }
        }
        Err(Exception::Address)
    }
}

impl Device for Em540 {
    fn answer(&mut self, plant: &mut Plant, unit: u8, pdu: &[u8], out: &mut Pdu) -> Answer {
        if !self.serves(unit) {
            return Answer::Silence;
        }
        self.refresh(plant.meter.sample());
        registers::answer(pdu, self, out);
        Answer::Reply
    }

    fn serves(&self, unit: u8) -> bool {
        unit == self.unit
    }

    fn suffer(&mut self, plant: &Plant, ailment: Ailment) {
        self.refresh(plant.meter.sample());
        self.ailment = ailment;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plant::PlantParams;
    use proptest::prelude::*;

    fn ask(meter: &mut Em540, plant: &mut Plant, pdu: &[u8]) -> Vec<u8> {
        let mut out = Pdu::new();
        assert_eq!(meter.answer(plant, 1, pdu, &mut out), Answer::Reply);
        out.as_slice().to_vec()
    }

    fn s32_low_first(reply: &[u8]) -> i32 {
        i32::from_be_bytes([reply[4], reply[5], reply[2], reply[3]])
    }

    fn site(load_w: f64, pv_w: f64) -> (Em540, Plant) {
        let mut plant = Plant::new(PlantParams::default());
        plant.load.hold_w(load_w);
        plant.pv.hold_w(pv_w);
        plant.step(0.1);
        (Em540::new(1), plant)
    }

    #[test]
    fn s32_values_have_the_low_word_first() {
        // -5000 is EC78 FFFF with the low word first.
        assert_eq!(i32_words(-5000), [0xEC78, 0xFFFF]);
        assert_eq!(i32_words(i64::MAX), [0xFFFF, 0x7FFF]);
        let (mut meter, mut plant) = site(1500.0, 0.0);
        let total = s32_low_first(&ask(&mut meter, &mut plant, &[3, 0, 0x28, 0, 2]));
        assert!((f64::from(total) / 10.0 - plant.truth().grid_w).abs() < 0.06, "{total}");
    }

    #[test]
    fn export_is_negative_and_the_phases_add_up() {
        let (mut meter, mut plant) = site(100.0, 3000.0);
        let power = |meter: &mut Em540, plant: &mut Plant, at| s32_low_first(&ask(meter, plant, &[4, 0, at, 0, 2]));
        let total = power(&mut meter, &mut plant, 0x28);
        let phases: i32 = [0x12, 0x14, 0x16].map(|at| power(&mut meter, &mut plant, at)).iter().sum();
        assert!(total < -28_000 && (total - phases).abs() <= 2, "{total} {phases}");
    }

    #[test]
    fn functions_three_and_four_read_the_same() {
        let (mut meter, mut plant) = site(800.0, 0.0);
        let holding = ask(&mut meter, &mut plant, &[3, 0, 0, 0, 50]);
        let input = ask(&mut meter, &mut plant, &[4, 0, 0, 0, 50]);
        assert_eq!(holding[1..], input[1..]);
    }

    #[test]
    fn the_identity_is_seen_only_when_it_is_asked_for_alone() {
        let (mut meter, mut plant) = site(800.0, 0.0);
        assert_eq!(ask(&mut meter, &mut plant, &[3, 0, 0x0B, 0, 1]), [3, 2, 0x06, 0xD0]);
        let two = ask(&mut meter, &mut plant, &[3, 0, 0x0B, 0, 2]);
        assert_eq!(two[1..4], [4, 0, 0], "high word of V L3-L1, then the current");
        let line = s32_low_first(&ask(&mut meter, &mut plant, &[3, 0, 0x0A, 0, 2]));
        assert!((3900..4050).contains(&line), "V L3-L1 is {line} dV");
    }

    #[test]
    fn more_than_fifty_words_and_holes_are_refused() {
        let (mut meter, mut plant) = site(800.0, 0.0);
        assert_eq!(ask(&mut meter, &mut plant, &[3, 0, 0, 0, 51]), [0x83, 3]);
        assert_eq!(ask(&mut meter, &mut plant, &[3, 0, 0x65, 0, 2]), [0x83, 2]);
        assert_eq!(ask(&mut meter, &mut plant, &[6, 0, 0, 0, 2]), [0x86, 1]);
    }

    #[test]
    fn the_fine_frequency_moves_with_every_refresh_and_only_then() {
        let (mut meter, mut plant) = site(800.0, 0.0);
        let mut last = 0;
        for _ in 0..1000 {
            let now = s32_low_first(&ask(&mut meter, &mut plant, &[3, 0x05, 0x3C, 0, 2]));
            assert_ne!(now, last);
            assert!((49_500..50_500).contains(&now), "{now}");
            plant.step(0.05);
            assert_eq!(s32_low_first(&ask(&mut meter, &mut plant, &[3, 0x05, 0x3C, 0, 2])), now, "refreshed too soon");
            plant.step(0.05);
            last = now;
        }
    }

    #[test]
    fn what_cannot_be_measured_shows_the_overflow_marks() {
        let (mut meter, mut plant) = site(800.0, 0.0);
        meter.suffer(&plant, Ailment { not_implemented: true, ..Ailment::default() });
        assert_eq!(ask(&mut meter, &mut plant, &[3, 0, 0x28, 0, 2]), [3, 4, 0xFF, 0xFF, 0x7F, 0xFF]);
        assert_eq!(ask(&mut meter, &mut plant, &[3, 0, 0x33, 0, 1]), [3, 2, 0x7F, 0xFF]);
    }

    #[test]
    fn a_meter_that_lost_its_life_keeps_measuring_power() {
        let (mut meter, mut plant) = site(800.0, 0.0);
        let frequency = ask(&mut meter, &mut plant, &[3, 0x05, 0x3C, 0, 2]);
        let power = ask(&mut meter, &mut plant, &[3, 0, 0x28, 0, 2]);
        meter.suffer(&plant, Ailment { life_frozen: true, ..Ailment::default() });
        plant.load.hold_w(2000.0);
        plant.step(1.0);
        assert_eq!(ask(&mut meter, &mut plant, &[3, 0x05, 0x3C, 0, 2]), frequency);
        assert_ne!(ask(&mut meter, &mut plant, &[3, 0, 0x28, 0, 2]), power);
    }

    proptest! {
        #[test]
        fn no_request_panics(unit: u8, pdu in proptest::collection::vec(any::<u8>(), 0..260)) {
            let (mut meter, mut plant) = site(800.0, 0.0);
            let mut out = Pdu::new();
            let answer = meter.answer(&mut plant, unit, &pdu, &mut out);
            prop_assert_eq!(answer == Answer::Silence, unit != 1);
        }
    }
}
