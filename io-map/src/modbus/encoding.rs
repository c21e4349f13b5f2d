//! How a number lies in registers: its width, its kind, and the order of its words.
//!
//! A register by itself is always big-endian, as the standard says; the word order concerns values of several registers.
//! The letters name bytes, `A` being the most significant: `ABCD` is plain big-endian, `CDAB` the low word first.

use serde::Deserialize;

/// How the content of registers (or of one bit) is to be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Encoding {
    /// Unsigned, one register.
    U16,
    /// Signed (two's complement), one register.
    I16,
    /// Unsigned, two registers.
    U32,
    /// Signed, two registers.
    I32,
    /// Unsigned, four registers. Beyond 2^53 the last digits are lost.
    U64,
    /// Signed, four registers. Beyond ±2^53 the last digits are lost.
    I64,
    /// IEEE 754 single, two registers.
    F32,
    /// IEEE 754 double, four registers.
    F64,
    /// A coil or discrete input, or a register that is 0 or 1.
    Bool,
    /// One register with one of a list of codes.
    Enum,
    /// Bit 0 to 15 of a register.
    Bit(u8),
    /// Bit 0 to 31 of two registers.
    Bit32(u8),
    /// Bits of a register: from which bit on, how many.
    Bits(u8, u8),
    /// True if any bit of a register under this mask is set.
    Any(u16),
    /// True if any bit of two registers under this mask is set.
    Any32(u32),
}

impl Encoding {
    /// How many registers (or bits, for coils) it takes.
    #[must_use]
    pub const fn len(self) -> u16 {
        match self {
            Self::U16 | Self::I16 | Self::Bool | Self::Enum | Self::Bit(_) | Self::Bits(..) | Self::Any(_) => 1,
            Self::U32 | Self::I32 | Self::F32 | Self::Bit32(_) | Self::Any32(_) => 2,
            Self::U64 | Self::I64 | Self::F64 => 4,
        }
    }

    /// Never: every encoding takes at least one register.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        false
    }

    /// Whether it is true or false.
    #[must_use]
    pub const fn is_flag(self) -> bool {
        matches!(self, Self::Bool | Self::Bit(_) | Self::Bit32(_) | Self::Any(_) | Self::Any32(_))
    }

    /// Whether it picks bits out of registers that hold other things too. Such a value cannot be written.
    #[must_use]
    pub const fn is_part(self) -> bool {
        matches!(self, Self::Bit(_) | Self::Bit32(_) | Self::Bits(..) | Self::Any(_) | Self::Any32(_))
    }

    /// Whether it is a quantity that may be scaled.
    #[must_use]
    pub const fn is_number(self) -> bool {
        matches!(self, Self::Bits(..)) || !(self.is_part() || matches!(self, Self::Bool | Self::Enum))
    }

    /// What SunSpec devices write if they do not have the value. For floats any NaN counts, whatever its bits.
    #[must_use]
    pub const fn sunspec_absent(self) -> u64 {
        match self {
            Self::I16 => 0x8000,
            Self::I32 => 0x8000_0000,
            Self::I64 => 0x8000_0000_0000_0000,
            Self::F32 => 0x7FC0_0000,
            Self::F64 => 0x7FF8_0000_0000_0000,
            Self::U32 | Self::Bit32(_) | Self::Any32(_) => 0xFFFF_FFFF,
            Self::U64 => u64::MAX,
            Self::U16 | Self::Bool | Self::Enum | Self::Bit(_) | Self::Bits(..) | Self::Any(_) => 0xFFFF,
        }
    }
}

/// In which order the bytes of a value stand that takes several registers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum WordOrder {
    /// High word first, big-endian throughout. The standard, and SunSpec.
    #[default]
    #[serde(rename = "ABCD")]
    Abcd,
    /// Low word first.
    #[serde(rename = "CDAB")]
    Cdab,
    /// High word first, the bytes of each word swapped.
    #[serde(rename = "BADC")]
    Badc,
    /// Low word first, the bytes of each word swapped: little-endian throughout.
    #[serde(rename = "DCBA")]
    Dcba,
}

impl WordOrder {
    const fn low_word_first(self) -> bool {
        matches!(self, Self::Cdab | Self::Dcba)
    }

    const fn bytes_swapped(self) -> bool {
        matches!(self, Self::Badc | Self::Dcba)
    }

    /// The bits of a value of 1 to 4 registers, right-aligned.
    #[must_use]
    pub fn pattern(self, words: &[u16]) -> u64 {
        if let [word] = words {
            return u64::from(*word);
        }
        let shift_in = |bits: u64, word: &u16| {
            let word = if self.bytes_swapped() { word.swap_bytes() } else { *word };
            bits << 16 | u64::from(word)
        };
        if self.low_word_first() { words.iter().rev().fold(0, shift_in) } else { words.iter().fold(0, shift_in) }
    }

    /// The inverse of [`WordOrder::pattern`] for a value of `len` registers (1 to 4).
    #[must_use]
    pub fn words(self, pattern: u64, len: u16) -> Words {
        let len = usize::from(len).clamp(1, 4);
        let bytes = pattern.to_be_bytes();
        let mut words = [0; 4];
        for (word, pair) in words.iter_mut().zip(bytes[8 - 2 * len..].chunks_exact(2)) {
            *word = u16::from_be_bytes([pair[0], pair[1]]);
        }
        let used = &mut words[..len];
        if len > 1 && self.low_word_first() {
            used.reverse();
        }
        if len > 1 && self.bytes_swapped() {
            used.iter_mut().for_each(|w| *w = w.swap_bytes());
        }
        Words { words, len }
    }
}

/// One to four registers, as they go on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words {
    words: [u16; 4],
    len: usize,
}

impl Words {
    /// The registers.
    #[must_use]
    pub fn as_slice(&self) -> &[u16] {
        &self.words[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ORDERS: [WordOrder; 4] = [WordOrder::Abcd, WordOrder::Cdab, WordOrder::Badc, WordOrder::Dcba];

    #[test]
    fn the_letters_name_the_bytes() {
        let value = 0x0A0B_0C0D;
        let words = ORDERS.map(|o| o.words(value, 2).as_slice().to_vec());
        assert_eq!(words, [[0x0A0B, 0x0C0D], [0x0C0D, 0x0A0B], [0x0B0A, 0x0D0C], [0x0D0C, 0x0B0A]]);
        let long = 0x0102_0304_0506_0708;
        assert_eq!(WordOrder::Cdab.words(long, 4).as_slice(), [0x0708, 0x0506, 0x0304, 0x0102]);
        assert_eq!(WordOrder::Dcba.words(long, 4).as_slice(), [0x0807, 0x0605, 0x0403, 0x0201]);
    }

    #[test]
    fn one_register_has_no_order() {
        for order in ORDERS {
            assert_eq!((order.pattern(&[0x0102]), order.words(0x0102, 1).as_slice()), (0x0102, [0x0102].as_slice()));
        }
    }

    proptest! {
        #[test]
        fn every_order_is_its_own_inverse(words in proptest::collection::vec(any::<u16>(), 1..=4)) {
            for order in ORDERS {
                let len = u16::try_from(words.len()).expect("at most 4");
                let back = order.words(order.pattern(&words), len);
                prop_assert_eq!(back.as_slice(), words.as_slice());
            }
        }
    }
}
