//! Every row of what rmodbus 0.13 does wrong, and what is right; and that no PDU gets past the standard's limits.

use super::*;
use proptest::prelude::*;

/// A device of 200 registers and 64 coils that keeps what it is told.
struct Memory {
    words: [u16; 200],
    bits: [bool; 64],
    may_write: bool,
}

impl Default for Memory {
    fn default() -> Self {
        Self { words: std::array::from_fn(|i| u16::try_from(i).unwrap()), bits: [false; 64], may_write: true }
    }
}

impl Registers for Memory {
    fn may_write(&self) -> bool {
        self.may_write
    }

    fn read_words(&mut self, address: u16, out: &mut [u8]) -> Result<(), Refusal> {
        let at = usize::from(address);
        let words = self.words.get(at..at + out.len() / 2).ok_or(Refusal::Address)?;
        out.chunks_exact_mut(2).zip(words).for_each(|(o, w)| o.copy_from_slice(&w.to_be_bytes()));
        Ok(())
    }

    fn read_bits(&mut self, address: u16, count: u16, out: &mut [u8]) -> Result<(), Refusal> {
        let at = usize::from(address);
        let bits = self.bits.get(at..at + usize::from(count)).ok_or(Refusal::Address)?;
        bits.iter().enumerate().for_each(|(i, bit)| out[i / 8] |= u8::from(*bit) << (i % 8));
        Ok(())
    }

    fn write_words(&mut self, address: u16, data: &[u8]) -> Result<(), Refusal> {
        let at = usize::from(address);
        let words = self.words.get_mut(at..at + data.len() / 2).ok_or(Refusal::Address)?;
        words.iter_mut().zip(data.chunks_exact(2)).for_each(|(w, d)| *w = u16::from_be_bytes([d[0], d[1]]));
        Ok(())
    }

    fn write_bits(&mut self, address: u16, count: u16, data: &[u8]) -> Result<(), Refusal> {
        assert!(data.len() * 8 >= usize::from(count), "rmodbus hands over fewer bits than it announces");
        let at = usize::from(address);
        let bits = self.bits.get_mut(at..at + usize::from(count)).ok_or(Refusal::Address)?;
        bits.iter_mut().enumerate().for_each(|(i, bit)| *bit = data[i / 8] >> (i % 8) & 1 == 1);
        Ok(())
    }
}

fn adu(unit: u8, pdu: &[u8]) -> Vec<u8> {
    let mut adu = vec![0, 9, 0, 0];
    adu.extend(u16::try_from(pdu.len() + 1).unwrap().to_be_bytes());
    adu.push(unit);
    adu.extend(pdu);
    adu
}

/// The PDU of the answer; header and length of it are checked on the way.
fn asked(memory: &mut Memory, unit: u8, pdu: &[u8]) -> Vec<u8> {
    let request = adu(unit, pdu);
    let mut reply = Reply::new();
    answer(Frame::first(&request).unwrap().unwrap(), memory, &mut reply);
    let answered = Frame::first(&reply).unwrap().expect("an answer is one whole frame");
    assert_eq!(answered.adu().len(), reply.len(), "and nothing more");
    assert_eq!((answered.transaction(), answered.unit()), ([0, 9], unit));
    answered.pdu().to_vec()
}

fn write_of(registers: u8) -> Vec<u8> {
    let mut pdu = vec![16, 0, 0, 0, registers, registers.wrapping_mul(2)];
    pdu.extend((0..u16::from(registers)).flat_map(|i| (i + 7).to_be_bytes()));
    pdu
}

#[test]
fn each_malformed_request_gets_the_exception_of_the_standard_and_changes_nothing() {
    let oversized = [&[16, 0, 0, 0, 124, 248][..], &[0; 246]].concat();
    let rows: [(&str, &[u8], u8); 30] = [
        ("a byte count beyond the frame", &[16, 0, 0, 0, 4, 8, 1, 2], 3),
        ("a byte count of 255 and no data", &[16, 0, 0, 0, 1, 255], 3),
        ("coils with a byte count beyond the frame", &[15, 0, 0, 0, 16, 2, 255], 3),
        ("coils with a byte count above 248", &[15, 0, 0, 0, 8, 249, 255], 3),
        ("coils with a byte too few for their quantity", &[15, 0, 0, 0, 16, 1, 255], 3),
        ("a quantity of 4 with data for 1", &[16, 0, 0, 0, 4, 2, 1, 2], 3),
        ("data behind the last register", &[16, 0, 0, 0, 1, 2, 1, 2, 3], 3),
        ("a write of no registers", &[16, 0, 0, 0, 0, 0], 3),
        ("a write of no coils", &[15, 0, 0, 0, 0, 0], 3),
        ("a write of 124 registers", &oversized, 3),
        ("a write without its byte count", &[16, 0, 0, 0, 1], 3),
        ("a read of no registers", &[3, 0, 5, 0, 0], 3),
        ("a read of 126 registers", &[3, 0, 5, 0, 126], 3),
        ("a read of 65535 input registers", &[4, 0, 0, 255, 255], 3),
        ("a read of no coils", &[1, 0, 0, 0, 0], 3),
        ("a read of 2001 coils", &[1, 0, 0, 7, 209], 3),
        ("a read cut short", &[3, 0, 5, 0], 3),
        ("a read with a byte too many", &[3, 0, 5, 0, 1, 0], 3),
        ("a function code alone", &[3], 3),
        ("a single write cut short", &[6, 0, 1], 3),
        ("a coil that is neither on nor off", &[5, 0, 0, 0x12, 0x34], 3),
        ("an address that does not exist", &[3, 0, 200, 0, 1], 2),
        ("coils across the end", &[15, 0, 60, 0, 8, 1, 255], 2),
        ("function 0", &[0], 1),
        ("function 7, read exception status", &[7], 1),
        ("function 8, restart", &[8, 0, 1, 0, 0], 1),
        ("function 43, device identification", &[0x2B, 14, 1, 0], 1),
        ("function 0x42, force", &[0x42, 0, 0, 0, 1], 1),
        ("function 0x80", &[0x80, 0, 0, 0, 0], 1),
        ("function 0xFF", &[0xFF], 1),
    ];
    for (what, pdu, code) in rows {
        let mut memory = Memory::default();
        assert_eq!(asked(&mut memory, 1, pdu), [pdu[0] | 0x80, code], "{what}");
        assert!(memory.words == Memory::default().words && memory.bits == [false; 64], "{what} changed something");
    }
}

#[test]
fn what_is_legal_is_served_up_to_the_last_register() {
    let memory = &mut Memory::default();
    assert_eq!(asked(memory, 1, &[3, 0, 5, 0, 2]), [3, 4, 0, 5, 0, 6]);
    assert_eq!(asked(memory, 1, &[4, 0, 5, 0, 2]), [4, 4, 0, 5, 0, 6]);
    assert_eq!(asked(memory, 1, &[3, 0, 0, 0, 125]).len(), 252);
    for registers in [1, 121, 122, 123] {
        assert_eq!(asked(memory, 1, &write_of(registers)), [16, 0, 0, 0, registers]);
        assert_eq!(memory.words[usize::from(registers) - 1], u16::from(registers) + 6);
    }
    assert_eq!(asked(memory, 1, &[5, 0, 3, 0xFF, 0]), [5, 0, 3, 0xFF, 0]);
    assert_eq!(asked(memory, 1, &[1, 0, 0, 0, 8]), [1, 1, 0b1000]);
    assert_eq!(asked(memory, 1, &[2, 0, 0, 0, 8]), [2, 1, 0b1000]);
    assert_eq!(asked(memory, 1, &[15, 0, 0, 0, 3, 1, 0xFF]), [15, 0, 0, 0, 3], "padding bits are ignored");
    assert_eq!(asked(memory, 1, &[1, 0, 0, 0, 8]), [1, 1, 0b1111]);
    assert_eq!(asked(memory, 1, &[6, 0, 9, 1, 2]), [6, 0, 9, 1, 2]);
    assert_eq!(memory.words[9], 0x102);
}

#[test]
fn units_0_and_255_are_answered_like_any_other_and_not_as_broadcasts() {
    for unit in [0, 1, 255] {
        assert_eq!(asked(&mut Memory::default(), unit, &[3, 0, 5, 0, 1]), [3, 2, 0, 5]);
        assert_eq!(asked(&mut Memory::default(), unit, &[6, 0, 9, 1, 2]), [6, 0, 9, 1, 2]);
    }
}

#[test]
fn for_a_peer_that_may_not_write_the_write_functions_do_not_exist() {
    let mut memory = Memory { may_write: false, ..Memory::default() };
    for pdu in
        [&[5, 0, 0, 0xFF, 0][..], &[6, 0, 0, 0, 1], &[15, 0, 0, 0, 1, 1, 1], &write_of(2), &[16], &[5, 9, 9, 9, 9]]
    {
        assert_eq!(asked(&mut memory, 1, pdu), [pdu[0] | 0x80, 1], "{pdu:02x?}");
    }
    assert!(memory.words == Memory::default().words && memory.bits == [false; 64]);
}

#[test]
fn without_the_guard_a_hostile_frame_is_confirmed_or_worse() {
    let request = adu(1, &[16, 0, 0, 0, 4, 2, 1, 2]);
    let mut reply = Reply::new();
    let mut memory = Memory::default();
    through_rmodbus(Frame::first(&request).unwrap().unwrap(), &mut memory, &mut reply).unwrap();
    assert_eq!(reply[7..], [16, 0, 0, 0, 4], "rmodbus confirms four registers of which it was given one");
    let request = adu(1, &[3, 0, 0, 0, 0]);
    through_rmodbus(Frame::first(&request).unwrap().unwrap(), &mut memory, &mut reply).unwrap();
    assert_eq!(reply[7..], [3, 0], "and a read of nothing with nothing");
}

proptest! {
    #[test]
    fn no_pdu_panics_and_every_answer_is_whole(function in any::<u8>(), data in proptest::collection::vec(any::<u8>(), 0..=252)) {
        let pdu = [&[function][..], &data].concat();
        let answer = asked(&mut Memory::default(), 1, &pdu);
        prop_assert!(answer[0] & 0x7F == function & 0x7F);
    }

    #[test]
    fn only_a_write_whose_lengths_agree_writes(quantity in 0u16..300, bytes in any::<u8>(), data in proptest::collection::vec(1u8.., 0..=247)) {
        let [high, low] = quantity.to_be_bytes();
        let pdu = [&[16, 0, 0, high, low, bytes][..], &data].concat();
        let mut memory = Memory { words: [0; 200], ..Memory::default() };
        let confirmed = asked(&mut memory, 1, &pdu)[0] == 16;
        let needed = 2 * usize::from(quantity);
        let agree = (1..=123).contains(&quantity) && usize::from(bytes) == needed && data.len() == needed;
        prop_assert_eq!(confirmed, agree);
        prop_assert_eq!(memory.words.iter().filter(|w| **w != 0).count(), if agree { usize::from(quantity) } else { 0 });
    }
}
