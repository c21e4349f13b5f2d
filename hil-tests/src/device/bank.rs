//! A contiguous run of registers that knows, for each register, what a device's ailments make of it.

use super::Ailment;
use super::pdu::Pdu;
use super::registers::Exception;

/// What a register is besides its value.
#[derive(Clone, Copy, Debug)]
struct Nature {
    /// What it shows when the value is not implemented.
    absent: u16,
    /// Where its word stands when the order of words is turned round (its own place for short values and texts).
    mirror: u16,
    /// Whether it is a measured value.
    measured: bool,
}

/// Registers from `start` on.
#[derive(Clone, Debug)]
pub(crate) struct Bank {
    start: u16,
    words: Vec<u16>,
    natures: Vec<Nature>,
}

impl Bank {
    /// `len` registers of value 0.
    pub(crate) fn new(start: u16, len: u16) -> Self {
        let natures = (0..len).map(|mirror| Nature { absent: 0, mirror, measured: false }).collect();
        Self { start, words: vec![0; usize::from(len)], natures }
    }

    /// The value at `offset` has the words of `absent` while it is not implemented, which it now is.
    /// `numeric` values have an order of words, texts have none.
    pub(crate) fn define(&mut self, offset: u16, absent: &[u16], numeric: bool) {
        let from = usize::from(offset);
        let places = self.words.iter_mut().zip(&mut self.natures).skip(from).take(absent.len());
        let last = offset.saturating_add(u16::try_from(absent.len()).unwrap_or(u16::MAX)).saturating_sub(1);
        for ((word, nature), (place, absent)) in places.zip((offset..=last).zip(absent)) {
            *word = *absent;
            nature.absent = *absent;
            nature.mirror = if numeric { offset + (last - place) } else { place };
        }
    }

    /// Sets the words of a value that is not measured.
    pub(crate) fn set(&mut self, offset: u16, words: &[u16]) {
        let from = usize::from(offset);
        if let Some(places) = self.words.get_mut(from..from + words.len()) {
            places.copy_from_slice(words);
        }
    }

    /// Sets the words of a measured value.
    pub(crate) fn measure(&mut self, offset: u16, words: &[u16]) {
        self.set(offset, words);
        for nature in self.natures.iter_mut().skip(usize::from(offset)).take(words.len()) {
            nature.measured = true;
        }
    }

    /// Where `at` lies in this bank, if all of `count` registers do.
    pub(crate) fn place(&self, at: u16, count: u16) -> Option<u16> {
        let offset = at.checked_sub(self.start)?;
        (usize::from(offset) + usize::from(count) <= self.words.len()).then_some(offset)
    }

    /// Appends registers to an answer as the ailment shows them.
    pub(crate) fn show(&self, at: u16, count: u16, ailment: Ailment, out: &mut Pdu) -> Result<(), Exception> {
        let from = usize::from(self.place(at, count).ok_or(Exception::Address)?);
        let asked = from..from + usize::from(count);
        if !(ailment.not_implemented || ailment.words_rotated) {
            for word in self.words.get(asked).unwrap_or(&[]) {
                out.push_word(*word);
            }
            return Ok(());
        }
        for nature in self.natures.get(asked.clone()).unwrap_or(&[]).iter().zip(asked) {
            let (nature, own) = nature;
            let shown = if ailment.words_rotated { usize::from(nature.mirror) } else { own };
            out.push_word(self.shown(shown, ailment));
        }
        Ok(())
    }

    fn shown(&self, place: usize, ailment: Ailment) -> u16 {
        match (self.words.get(place), self.natures.get(place)) {
            (Some(_), Some(nature)) if ailment.not_implemented && nature.measured => nature.absent,
            (Some(word), _) => *word,
            (None, _) => 0,
        }
    }
}

/// High and low word of a 32-bit value.
pub(crate) fn split_u32(value: u32) -> [u16; 2] {
    let [a, b, c, d] = value.to_be_bytes();
    [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])]
}

/// The four words of a 64-bit value, high word first.
pub(crate) fn split_u64(value: u64) -> [u16; 4] {
    let [a, b, c, d, e, f, g, h] = value.to_be_bytes();
    [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]), u16::from_be_bytes([e, f]), u16::from_be_bytes([g, h])]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(bank: &Bank, ailment: Ailment) -> Vec<u8> {
        let mut out = Pdu::new();
        bank.show(100, 4, ailment, &mut out).unwrap();
        out.as_slice().to_vec()
    }

    #[test]
    fn words_turn_within_their_value_and_measured_values_vanish() {
        let mut bank = Bank::new(100, 4);
        bank.define(0, &[0xFFFF], true);
        bank.define(1, &[0x8000, 0], true);
        bank.set(0, &[7]);
        bank.measure(1, &[1, 2]);
        let well = Ailment::default();
        assert_eq!(shown(&bank, well), [0, 7, 0, 1, 0, 2, 0, 0]);
        assert_eq!(shown(&bank, Ailment { words_rotated: true, ..well }), [0, 7, 0, 2, 0, 1, 0, 0]);
        assert_eq!(shown(&bank, Ailment { not_implemented: true, ..well }), [0, 7, 0x80, 0, 0, 0, 0, 0]);
        assert_eq!(bank.place(101, 4), None, "one past the end");
        assert_eq!(bank.place(99, 1), None, "one before the start");
    }
}
