//! From numbers to the words of a point, and back.

use super::layout::{Kind, Point};
use crate::device::bank::{Bank, split_u32, split_u64};
use crate::rounding::rounded;

/// Powers of ten that scale factors of this device mean, -3 to 3.
const POWERS: [f64; 7] = [1000.0, 100.0, 10.0, 1.0, 0.1, 0.01, 0.001];

/// A scale factor: the value is the raw number times ten to this power.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    exponent: i16,
    per_unit: f64,
}

impl Scale {
    /// The scale 10^`exponent`, bounded to -3..3.
    pub(crate) fn new(exponent: i16) -> Self {
        let exponent = exponent.clamp(-3, 3);
        let place = usize::try_from(exponent + 3).unwrap_or(3);
        Self { exponent, per_unit: POWERS.get(place).copied().unwrap_or(1.0) }
    }

    /// The raw number of a value.
    pub(crate) fn raw(self, value: f64) -> i64 {
        rounded(value * self.per_unit)
    }

    /// The value of a raw number that came out of at most 32 bits.
    pub(crate) fn value(self, raw: i64) -> f64 {
        i32::try_from(raw).map_or(0.0, f64::from) / self.per_unit
    }

    /// As a register.
    pub(crate) fn exponent(self) -> i64 {
        i64::from(self.exponent)
    }
}

/// The words of `raw` as this kind, at the nearer end of its range when it does not fit. Never a "not implemented"
/// code.
fn words(kind: Kind, raw: i64) -> ([u16; 4], usize) {
    match kind {
        Kind::I16 | Kind::Scale | Kind::Pad => {
            let value = i16::try_from(raw.clamp(-32_767, 32_767)).unwrap_or(0);
            ([u16::from_be_bytes(value.to_be_bytes()), 0, 0, 0], 1)
        }
        Kind::U16 | Kind::Enum16 | Kind::Bits16 => ([u16::try_from(raw.clamp(0, 0xFFFE)).unwrap_or(0), 0, 0, 0], 1),
        Kind::I32 => {
            let value = i32::try_from(raw.clamp(-0x7FFF_FFFF, 0x7FFF_FFFF)).unwrap_or(0);
            let [high, low] = split_u32(u32::from_be_bytes(value.to_be_bytes()));
            ([high, low, 0, 0], 2)
        }
        Kind::U32 | Kind::Bits32 => {
            let [high, low] = split_u32(u32::try_from(raw.clamp(0, 0xFFFF_FFFE)).unwrap_or(0));
            ([high, low, 0, 0], 2)
        }
        Kind::U64 => (split_u64(u64::try_from(raw).unwrap_or(0)), 4),
        Kind::Text(_) => ([0; 4], 0),
    }
}

/// The raw number in the bytes of a write; `rotated` when the words come in the opposite order. `None` for kinds that
/// are never written, and for another length than the kind's.
pub(crate) fn decode(kind: Kind, data: &[u8], rotated: bool) -> Option<i64> {
    match (kind, data) {
        (Kind::I16, [a, b]) => Some(i64::from(i16::from_be_bytes([*a, *b]))),
        (Kind::U16 | Kind::Enum16, [a, b]) => Some(i64::from(u16::from_be_bytes([*a, *b]))),
        (Kind::I32, [a, b, c, d]) if rotated => Some(i64::from(i32::from_be_bytes([*c, *d, *a, *b]))),
        (Kind::I32, [a, b, c, d]) => Some(i64::from(i32::from_be_bytes([*a, *b, *c, *d]))),
        (Kind::U32, [a, b, c, d]) if rotated => Some(i64::from(u32::from_be_bytes([*c, *d, *a, *b]))),
        (Kind::U32, [a, b, c, d]) => Some(i64::from(u32::from_be_bytes([*a, *b, *c, *d]))),
        _ => None,
    }
}

/// Puts a measured value.
pub(crate) fn measure(bank: &mut Bank, point: Point, raw: i64) {
    let (words, len) = words(point.kind, raw);
    bank.measure(point.at, words.get(..len).unwrap_or(&[]));
}

/// Puts a value that is not measured: nameplate, setting, life counter.
pub(crate) fn set(bank: &mut Bank, point: Point, raw: i64) {
    let (words, len) = words(point.kind, raw);
    bank.set(point.at, words.get(..len).unwrap_or(&[]));
}

/// Puts a text, cut to the point's length.
pub(crate) fn set_text(bank: &mut Bank, point: Point, text: &str) {
    let bytes = text.as_bytes();
    for (at, pair) in (point.at..point.at + point.kind.len()).zip(bytes.chunks(2)) {
        let word = u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]);
        bank.set(at, &[word]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stop_at_the_ends_of_their_type_and_never_become_a_code() {
        let cases = [
            (Kind::I16, -40_000, [0x8001, 0]),
            (Kind::I16, -5000, [0xEC78, 0]),
            (Kind::U16, 70_000, [0xFFFE, 0]),
            (Kind::U16, -1, [0, 0]),
            (Kind::I32, i64::MIN, [0x8000, 1]),
            (Kind::I32, -5000, [0xFFFF, 0xEC78]),
            (Kind::U32, i64::MAX, [0xFFFF, 0xFFFE]),
        ];
        for (kind, raw, expected) in cases {
            assert_eq!(words(kind, raw).0[..2], expected, "{kind:?} {raw}");
        }
    }

    #[test]
    fn a_scale_of_minus_one_makes_minus_200_of_minus_20() {
        // int16 raw 0xFF38 with scale factor -1 is -20.0.
        let scale = Scale::new(-1);
        assert_eq!(scale.raw(-20.0), -200);
        assert_eq!(words(Kind::I16, -200).0[0], 0xFF38);
        assert!((scale.value(-200) + 20.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_written_comes_back_for_every_scale() {
        for exponent in -3..=3 {
            let scale = Scale::new(exponent);
            for raw in [-5000, -1, 0, 1, 7, 123, 4999] {
                assert_eq!(scale.raw(scale.value(raw)), raw, "10^{exponent}");
            }
        }
    }
}
