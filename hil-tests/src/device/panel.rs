//! The I/O module of the control panel. It is nobody's product; its map is the usual one of small modules.
//!
//! | table | address | what |
//! |---|---|---|
//! | discrete inputs | 0, 1, 2 | E-stop chain healthy, reset button pressed, contactor feedback |
//! | coils | 0 | contactor |
//! | holding registers | 0x0000 | communication watchdog, 100 ms each, 0 = off |
//! | holding registers | 0x0100 | identity, 0xF1B0, read only |
//! | input registers | 0 | life counter, one more each 100 ms |
//!
//! Bits have no code for "not implemented": of the ailments, `not_implemented` shows in the life counter only (0xFFFF),
//! and `words_rotated` nowhere, since no value is longer than one register.

use super::registers::{self, BitTable, Exception, Registers, WordTable};
use super::{Ailment, Answer, Device, Pdu};
use crate::plant::Plant;

/// Where the identity stands, and what it is.
const IDENTITY: (u16, u16) = (0x0100, 0xF1B0);

/// What the module shows.
#[derive(Clone, Copy, Debug, Default)]
struct View {
    inputs: [bool; 3],
    life: u16,
}

impl View {
    fn of(plant: &Plant) -> Self {
        let panel = &plant.panel;
        let inputs = [panel.is_estop_healthy(), panel.is_reset_pressed(), plant.contactor.is_closed()];
        Self { inputs, life: panel.life() }
    }
}

/// The I/O module.
#[derive(Clone, Debug)]
pub struct IoPanel {
    unit: u8,
    shown: View,
    ailment: Ailment,
}

impl IoPanel {
    /// A module with this unit id (1 to 247).
    #[must_use]
    pub fn new(unit: u8) -> Self {
        Self { unit, shown: View::default(), ailment: Ailment::default() }
    }

    fn refresh(&mut self, plant: &Plant) {
        if self.ailment.values_frozen {
            return;
        }
        let now = View::of(plant);
        let life = if self.ailment.life_frozen { self.shown.life } else { now.life };
        self.shown = View { life, ..now };
    }
}

/// The module while it answers.
struct Wired<'a> {
    module: &'a IoPanel,
    plant: &'a mut Plant,
}

impl Wired<'_> {
    fn holding(&self, at: u16) -> Option<u16> {
        match at {
            0 => Some(u16::try_from(self.plant.panel.watchdog_ms() / 100).unwrap_or(u16::MAX)),
            _ if at == IDENTITY.0 => Some(IDENTITY.1),
            _ => None,
        }
    }

    fn input(&self, at: u16) -> Option<u16> {
        match at {
            0 if self.module.ailment.not_implemented => Some(0xFFFF),
            0 => Some(self.module.shown.life),
            _ => None,
        }
    }
}

impl Registers for Wired<'_> {
    fn bit(&mut self, table: BitTable, at: u16) -> Result<bool, Exception> {
        match (table, at) {
            (BitTable::Inputs, _) => self.module.shown.inputs.get(usize::from(at)).copied().ok_or(Exception::Address),
            (BitTable::Coils, 0) => Ok(self.plant.panel.coil()),
            (BitTable::Coils, _) => Err(Exception::Address),
        }
    }

    fn words(&mut self, table: WordTable, at: u16, count: u16, out: &mut Pdu) -> Result<(), Exception> {
        for place in at..=at.saturating_add(count - 1) {
            let word = match table {
                WordTable::Holding => self.holding(place),
                WordTable::Input => self.input(place),
            };
            out.push_word(word.ok_or(Exception::Address)?);
        }
        Ok(())
    }

    fn set_bits(&mut self, at: u16, count: u16, bits: &[u8]) -> Result<(), Exception> {
        match (at, count, bits) {
            (0, 1, [byte, ..]) => {
                self.plant.panel.write_coil(byte & 1 == 1);
                Ok(())
            }
            _ => Err(Exception::Address),
        }
    }

    fn set_words(&mut self, at: u16, data: &[u8]) -> Result<(), Exception> {
        match (at, data) {
            (0, [high, low]) => {
                self.plant.panel.set_watchdog_ms(u32::from(u16::from_be_bytes([*high, *low])) * 100);
                Ok(())
            }
            _ => Err(Exception::Address),
        }
    }
}

impl Device for IoPanel {
    fn answer(&mut self, plant: &mut Plant, unit: u8, pdu: &[u8], out: &mut Pdu) -> Answer {
        if !self.serves(unit) {
            return Answer::Silence;
        }
        self.refresh(plant);
        registers::answer(pdu, &mut Wired { module: self, plant }, out);
        Answer::Reply
    }

    fn serves(&self, unit: u8) -> bool {
        unit == self.unit
    }

    fn suffer(&mut self, plant: &Plant, ailment: Ailment) {
        self.refresh(plant);
        self.ailment = ailment;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plant::PlantParams;
    use proptest::prelude::*;

    fn ask(module: &mut IoPanel, plant: &mut Plant, pdu: &[u8]) -> Vec<u8> {
        let mut out = Pdu::new();
        assert_eq!(module.answer(plant, 1, pdu, &mut out), Answer::Reply);
        out.as_slice().to_vec()
    }

    fn site() -> (IoPanel, Plant) {
        (IoPanel::new(1), Plant::new(PlantParams::default()))
    }

    #[test]
    fn inputs_show_chain_button_and_feedback() {
        let (mut module, mut plant) = site();
        let inputs = |module: &mut IoPanel, plant: &mut Plant| ask(module, plant, &[2, 0, 0, 0, 3])[2];
        assert_eq!(inputs(&mut module, &mut plant), 0b001);
        plant.panel.set_estop_healthy(false);
        plant.panel.set_reset_pressed(true);
        assert_eq!(inputs(&mut module, &mut plant), 0b010);
        assert_eq!(ask(&mut module, &mut plant, &[5, 0, 0, 0xFF, 0]), [5, 0, 0, 0xFF, 0]);
        assert_eq!(ask(&mut module, &mut plant, &[1, 0, 0, 0, 1]), [1, 1, 1]);
        assert_eq!(inputs(&mut module, &mut plant), 0b010, "the contacts take their time");
        (0..10).for_each(|_| plant.step(0.01));
        assert_eq!(inputs(&mut module, &mut plant), 0b110);
    }

    #[test]
    fn the_watchdog_drops_the_coil_and_only_a_write_closes_it_again() {
        let (mut module, mut plant) = site();
        assert_eq!(ask(&mut module, &mut plant, &[6, 0, 0, 0, 5]), [6, 0, 0, 0, 5]);
        ask(&mut module, &mut plant, &[15, 0, 0, 0, 1, 1, 1]);
        (0..50).for_each(|_| plant.step(0.01));
        assert_eq!(ask(&mut module, &mut plant, &[1, 0, 0, 0, 1]), [1, 1, 1]);
        plant.step(0.01);
        assert_eq!(ask(&mut module, &mut plant, &[1, 0, 0, 0, 1]), [1, 1, 0]);
        assert_eq!(plant.truth().panel_drops, 1);
        ask(&mut module, &mut plant, &[5, 0, 0, 0xFF, 0]);
        assert_eq!(ask(&mut module, &mut plant, &[1, 0, 0, 0, 1]), [1, 1, 1]);
    }

    #[test]
    fn identity_and_life_are_where_they_should_be() {
        let (mut module, mut plant) = site();
        assert_eq!(ask(&mut module, &mut plant, &[3, 1, 0, 0, 1]), [3, 2, 0xF1, 0xB0]);
        assert_eq!(ask(&mut module, &mut plant, &[6, 1, 0, 0, 1]), [0x86, 2]);
        plant.step(0.5);
        assert_eq!(ask(&mut module, &mut plant, &[4, 0, 0, 0, 1]), [4, 2, 0, 5]);
        assert_eq!(ask(&mut module, &mut plant, &[4, 0, 0, 0, 2]), [0x84, 2]);
        module.suffer(&plant, Ailment { life_frozen: true, ..Ailment::default() });
        plant.panel.set_estop_healthy(false);
        plant.step(0.5);
        assert_eq!(ask(&mut module, &mut plant, &[4, 0, 0, 0, 1]), [4, 2, 0, 5]);
        assert_eq!(ask(&mut module, &mut plant, &[2, 0, 0, 0, 1]), [2, 1, 0], "inputs go on");
    }

    #[test]
    fn a_frozen_module_hides_a_pressed_estop() {
        let (mut module, mut plant) = site();
        module.suffer(&plant, Ailment { values_frozen: true, ..Ailment::default() });
        plant.panel.set_estop_healthy(false);
        plant.step(1.0);
        assert_eq!(ask(&mut module, &mut plant, &[2, 0, 0, 0, 1]), [2, 1, 1]);
        assert_eq!(ask(&mut module, &mut plant, &[4, 0, 0, 0, 1]), [4, 2, 0, 0]);
    }

    proptest! {
        #[test]
        fn no_request_panics(pdu in proptest::collection::vec(any::<u8>(), 0..260)) {
            let (mut module, mut plant) = site();
            module.answer(&mut plant, 1, &pdu, &mut Pdu::new());
        }
    }
}
