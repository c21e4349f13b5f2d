//! From registers to numbers in the house's units and signs, and back.
//!
//! ```text
//! value = sign · (raw + offset) · numerator / denominator · 10^factor
//! raw   = nearest whole number of the inverse
//! ```
//!
//! Scales are fractions and negative factors divide, so that 2350 with a factor of −2 is exactly 23.5.
//! What the device marks as not implemented is [`NoData::NotImplemented`]; what is not a number is
//! [`NoData::Implausible`]. Ranges of plausibility are not known here: they belong to the point.

use super::encoding::{Encoding, WordOrder, Words};
use crate::image::NoData;

/// A SunSpec scale factor: the value is the raw number times ten to this power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScaleFactor(u8);

const POWERS: [f64; 11] = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10];

impl ScaleFactor {
    /// Ten to the power of 0.
    pub const ONE: Self = Self(10);

    /// From the register that holds it, −10 to 10.
    ///
    /// # Errors
    /// [`NoData::NotImplemented`] for 0x8000, [`NoData::Implausible`] for other powers than SunSpec allows.
    pub fn from_word(word: u16) -> Result<Self, NoData> {
        match word.cast_signed() {
            i16::MIN => Err(NoData::NotImplemented),
            power => u8::try_from(i32::from(power) + 10).ok().filter(|p| *p <= 20).map(Self).ok_or(NoData::Implausible),
        }
    }

    /// What to multiply with and what to divide by: one of them is 1, both are exact.
    fn parts(self) -> (f64, f64) {
        match self.0.checked_sub(10) {
            Some(up) => (POWERS[usize::from(up)], 1.0),
            None => (1.0, POWERS[usize::from(10 - self.0)]),
        }
    }
}

/// Which raw patterns mean that the device does not have the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Absent {
    /// None: every pattern is a value.
    Never,
    /// SunSpec's pattern of the encoding ([`Encoding::sunspec_absent`]); for floats any NaN.
    SunSpec,
    /// These, right-aligned.
    Codes(Box<[u64]>),
}

/// From raw to the house's unit and sign.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// Whether the device's positive is the house's negative.
    pub inverted: bool,
    /// Added to the raw number first.
    pub offset: f64,
    /// Numerator of the fraction, above 0.
    pub numerator: f64,
    /// Denominator of the fraction, above 0.
    pub denominator: f64,
}

impl Scale {
    /// The raw number itself.
    pub const ONE: Self = Self { inverted: false, offset: 0.0, numerator: 1.0, denominator: 1.0 };

    fn apply(&self, raw: f64, factor: ScaleFactor) -> f64 {
        let (times, by) = factor.parts();
        let value = (raw + self.offset) * (self.numerator * times) / (self.denominator * by);
        if self.inverted { -value } else { value }
    }

    fn invert(&self, value: f64, factor: ScaleFactor) -> f64 {
        let (times, by) = factor.parts();
        let value = if self.inverted { -value } else { value };
        value * (self.denominator * by) / (self.numerator * times) - self.offset
    }
}

/// Why a value cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum EncodeError {
    /// NaN or infinite.
    #[error("{0} is not a number that can be written")]
    NotANumber(f64),
    /// The register cannot hold it.
    #[error("{value} does not fit the register, which holds {low} to {high} in this unit: narrow the output's range")]
    OutOfRange {
        /// What was to be written, in the house's unit.
        value: f64,
        /// The least that fits, in the house's unit.
        low: f64,
        /// The most that fits.
        high: f64,
    },
    /// Written, it would mean that there is no value.
    #[error("{value} would be written as {raw:#x}, which means `not implemented` to this device")]
    Reserved {
        /// What was to be written, in the house's unit.
        value: f64,
        /// The raw pattern.
        raw: u64,
    },
    /// Flags and codes are whole numbers.
    #[error("{0} is not a whole number, and this register holds a code")]
    NotWhole(f64),
    /// Bits of a register that holds other things too.
    #[error("this encoding picks bits out of a register and cannot be written")]
    PartOfARegister,
    /// The register's scale factor has not been read since the connection was made, or is not a valid one.
    #[error("the scale factor of this register is not known: {0}")]
    NoScale(NoData),
}

/// How one value lies in its registers.
#[derive(Clone, Debug, PartialEq)]
pub struct Codec {
    /// Width and kind.
    pub encoding: Encoding,
    /// Order of the words.
    pub order: WordOrder,
    /// Fraction, offset and sign.
    pub scale: Scale,
    /// What means that there is no value.
    pub absent: Absent,
}

impl Codec {
    /// A raw big-endian value without scale.
    #[must_use]
    pub fn plain(encoding: Encoding) -> Self {
        Self { encoding, order: WordOrder::Abcd, scale: Scale::ONE, absent: Absent::Never }
    }

    /// The value in these registers.
    ///
    /// # Errors
    /// The device does not have it, or it is not a number.
    pub fn decode(&self, words: &[u16]) -> Result<f64, NoData> {
        self.decode_by(words, ScaleFactor::ONE)
    }

    /// The value in these registers, times ten to the power of `factor`. Flags and codes have no scale.
    ///
    /// # Errors
    /// The device does not have it, it is not a number, or `words` are not as many as the encoding takes.
    pub fn decode_by(&self, words: &[u16], factor: ScaleFactor) -> Result<f64, NoData> {
        if words.len() != usize::from(self.encoding.len()) {
            return Err(NoData::Implausible);
        }
        let bits = self.order.pattern(words);
        if self.is_absent(bits) {
            return Err(NoData::NotImplemented);
        }
        let raw = match self.encoding {
            Encoding::Bool if bits > 1 => return Err(NoData::Implausible),
            Encoding::Bool | Encoding::Enum => return Ok(whole(bits)),
            Encoding::Bit(n) | Encoding::Bit32(n) => return Ok(whole(bits.checked_shr(n.into()).unwrap_or(0) & 1)),
            Encoding::Any(mask) => return Ok(flag(bits & u64::from(mask) != 0)),
            Encoding::Any32(mask) => return Ok(flag(bits & u64::from(mask) != 0)),
            Encoding::Bits(from, len) => {
                whole(bits.checked_shr(from.into()).unwrap_or(0) & !(u64::MAX.checked_shl(len.into()).unwrap_or(0)))
            }
            Encoding::U16 | Encoding::U32 | Encoding::U64 => whole(bits),
            Encoding::I16 => signed(bits << 48, 48),
            Encoding::I32 => signed(bits << 32, 32),
            Encoding::I64 => signed(bits, 0),
            Encoding::F32 => f64::from(f32::from_bits(low_half(bits))),
            Encoding::F64 => f64::from_bits(bits),
        };
        let value = self.scale.apply(raw, factor);
        if value.is_finite() { Ok(value + 0.0) } else { Err(NoData::Implausible) }
    }

    fn is_absent(&self, bits: u64) -> bool {
        match &self.absent {
            Absent::Never => false,
            Absent::SunSpec => match self.encoding {
                Encoding::F32 => f32::from_bits(low_half(bits)).is_nan(),
                Encoding::F64 => f64::from_bits(bits).is_nan(),
                encoding => bits == encoding.sunspec_absent(),
            },
            Absent::Codes(codes) => codes.contains(&bits),
        }
    }

    /// The registers that hold `value`.
    ///
    /// # Errors
    /// It is not a number, does not fit, or would mean that there is no value.
    pub fn encode(&self, value: f64) -> Result<Words, EncodeError> {
        self.encode_by(value, ScaleFactor::ONE)
    }

    /// The registers that hold `value` as a number times ten to the power of `factor`.
    ///
    /// # Errors
    /// As [`Codec::encode`].
    pub fn encode_by(&self, value: f64, factor: ScaleFactor) -> Result<Words, EncodeError> {
        if !value.is_finite() {
            return Err(EncodeError::NotANumber(value));
        }
        let bits = match self.encoding {
            Encoding::Bool => self.code(value, 1.0)?,
            Encoding::Enum => self.code(value, 65_535.0)?,
            Encoding::F32 => u64::from(self.single(value, factor)?.to_bits()),
            Encoding::F64 => self.double(value, factor)?.to_bits(),
            encoding => self.integer(value, factor, range(encoding).ok_or(EncodeError::PartOfARegister)?)?,
        };
        if self.is_absent(bits) {
            return Err(EncodeError::Reserved { value, raw: bits });
        }
        Ok(self.order.words(bits, self.encoding.len()))
    }

    fn code(&self, value: f64, high: f64) -> Result<u64, EncodeError> {
        if value.fract().abs() > 0.0 {
            return Err(EncodeError::NotWhole(value));
        }
        if !(0.0..=high).contains(&value) {
            return Err(EncodeError::OutOfRange { value, low: 0.0, high });
        }
        Ok(bits_of(value))
    }

    fn integer(&self, value: f64, factor: ScaleFactor, (low, high): (f64, f64)) -> Result<u64, EncodeError> {
        let raw = self.scale.invert(value, factor).round();
        if raw >= low && raw <= high { Ok(bits_of(raw)) } else { Err(self.out_of_range(value, factor, (low, high))) }
            .map(|bits| bits & (u64::MAX >> (64 - 16 * u32::from(self.encoding.len()))))
    }

    fn single(&self, value: f64, factor: ScaleFactor) -> Result<f32, EncodeError> {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "rounds to the nearest single; what does not fit is infinite"
        )]
        let raw = (self.scale.invert(value, factor) + 0.0) as f32;
        let range = (f64::from(f32::MIN), f64::from(f32::MAX));
        if raw.is_finite() { Ok(raw) } else { Err(self.out_of_range(value, factor, range)) }
    }

    fn double(&self, value: f64, factor: ScaleFactor) -> Result<f64, EncodeError> {
        let raw = self.scale.invert(value, factor) + 0.0;
        if raw.is_finite() { Ok(raw) } else { Err(self.out_of_range(value, factor, (f64::MIN, f64::MAX))) }
    }

    fn out_of_range(&self, value: f64, factor: ScaleFactor, (low, high): (f64, f64)) -> EncodeError {
        let (a, b) = (self.scale.apply(low, factor), self.scale.apply(high, factor));
        let (low, high) = if a < b { (a, b) } else { (b, a) };
        EncodeError::OutOfRange { value, low, high }
    }
}

/// The whole numbers that an encoding holds; for the widest, those that a double holds without a gap at the end.
fn range(encoding: Encoding) -> Option<(f64, f64)> {
    match encoding {
        Encoding::U16 => Some((0.0, f64::from(u16::MAX))),
        Encoding::I16 => Some((f64::from(i16::MIN), f64::from(i16::MAX))),
        Encoding::U32 => Some((0.0, f64::from(u32::MAX))),
        Encoding::I32 => Some((f64::from(i32::MIN), f64::from(i32::MAX))),
        // the greatest doubles below 2^64 and 2^63
        Encoding::U64 => Some((0.0, 18_446_744_073_709_549_568.0)),
        Encoding::I64 => Some((-9_223_372_036_854_775_808.0, 9_223_372_036_854_774_784.0)),
        _ => None,
    }
}

/// The two's complement of a whole number that [`range`] was asked about.
fn bits_of(raw: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, reason = "a whole number between -2^63 and 2^64")]
    let raw = raw as i128;
    let bytes = raw.to_be_bytes();
    u64::from_be_bytes(bytes[8..].try_into().expect("half of 16 bytes are 8"))
}

fn whole(bits: u64) -> f64 {
    bits as f64
}

/// A two's complement number that was shifted up to the sign bit, shifted down again.
fn signed(shifted: u64, by: u32) -> f64 {
    (shifted.cast_signed() >> by) as f64
}

fn flag(on: bool) -> f64 {
    f64::from(u8::from(on))
}

fn low_half(bits: u64) -> u32 {
    let [_, _, _, _, a, b, c, d] = bits.to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn codec(encoding: Encoding) -> Codec {
        Codec::plain(encoding)
    }

    fn sunspec(encoding: Encoding) -> Codec {
        Codec { absent: Absent::SunSpec, ..codec(encoding) }
    }

    fn factor(power: i16) -> ScaleFactor {
        ScaleFactor::from_word(power.cast_unsigned()).expect("-10 to 10")
    }

    fn bits(value: Result<f64, NoData>) -> Result<u64, NoData> {
        value.map(f64::to_bits)
    }

    #[test]
    fn published_vectors_decode() {
        let low_first = Codec { order: WordOrder::Cdab, ..codec(Encoding::F32) };
        assert_eq!(bits(codec(Encoding::F32).decode(&[0x4248, 0])), Ok(50.0f64.to_bits()));
        assert_eq!(bits(low_first.decode(&[0, 0x4248])), Ok(50.0f64.to_bits()));
        assert_eq!(bits(codec(Encoding::I32).decode(&[0xFFFF, 0xEC78])), Ok((-5000.0f64).to_bits()));
        let low_first = Codec { order: WordOrder::Cdab, ..codec(Encoding::I32) };
        assert_eq!(bits(low_first.decode(&[0xEC78, 0xFFFF])), Ok((-5000.0f64).to_bits()));
        assert_eq!(bits(sunspec(Encoding::I16).decode_by(&[0xFF38], factor(-1))), Ok((-20.0f64).to_bits()));
        assert_eq!(sunspec(Encoding::U16).decode(&[0xFFFF]), Err(NoData::NotImplemented));
        assert_eq!(sunspec(Encoding::F32).decode(&[0x7FC0, 0]), Err(NoData::NotImplemented));
    }

    #[test]
    fn negative_factors_divide_so_that_23_5_is_exact() {
        let value = codec(Encoding::U16).decode_by(&[2350], factor(-2));
        assert_eq!(bits(value), Ok(23.5f64.to_bits()));
        for power in 0u8..=10 {
            let exact = format!("1e-{power}").parse::<f64>().expect("a number");
            assert_eq!(bits(codec(Encoding::U16).decode_by(&[1], factor(-i16::from(power)))), Ok(exact.to_bits()));
            let exact = format!("1e{power}").parse::<f64>().expect("a number");
            assert_eq!(bits(codec(Encoding::U16).decode_by(&[1], factor(i16::from(power)))), Ok(exact.to_bits()));
        }
    }

    #[test]
    fn only_powers_from_minus_ten_to_ten_are_scale_factors() {
        for word in 0..=u16::MAX {
            let expected = match word.cast_signed() {
                i16::MIN => Err(NoData::NotImplemented),
                -10..=10 => Ok(()),
                _ => Err(NoData::Implausible),
            };
            assert_eq!(ScaleFactor::from_word(word).map(|_| ()), expected, "{word:#06x}");
        }
    }

    #[test]
    fn every_top_word_of_a_single_is_a_finite_value_or_none() {
        for top in 0..=u16::MAX {
            for low in [0, 1, 0xFFFF] {
                let raw = f32::from_bits(u32::from(top) << 16 | u32::from(low));
                let plain = codec(Encoding::F32).decode(&[top, low]);
                let strict = sunspec(Encoding::F32).decode(&[top, low]);
                if raw.is_finite() {
                    assert_eq!(bits(plain), Ok((f64::from(raw) + 0.0).to_bits()));
                } else {
                    assert_eq!(plain, Err(NoData::Implausible));
                }
                assert_eq!(strict, if raw.is_nan() { Err(NoData::NotImplemented) } else { plain });
            }
        }
    }

    #[test]
    fn minus_zero_becomes_zero_both_ways() {
        assert_eq!(bits(codec(Encoding::F32).decode(&[0x8000, 0])), Ok(0));
        let mut inverted = codec(Encoding::F32);
        inverted.scale.inverted = true;
        assert_eq!(inverted.encode(0.0).map(|w| w.as_slice().to_vec()), Ok(vec![0, 0]));
        assert_eq!(bits(inverted.decode(&[0, 0])), Ok(0));
    }

    #[test]
    fn every_sunspec_marker_is_no_value_and_its_neighbour_is() {
        use Encoding::{Bool, Enum, F64, I16, I32, I64, U16, U32, U64};
        for encoding in [U16, I16, U32, I32, U64, I64, Enum] {
            let marker = WordOrder::Abcd.words(encoding.sunspec_absent(), encoding.len());
            let next = WordOrder::Abcd.words(encoding.sunspec_absent() ^ 1, encoding.len());
            assert_eq!(sunspec(encoding).decode(marker.as_slice()), Err(NoData::NotImplemented), "{encoding:?}");
            assert!(sunspec(encoding).decode(next.as_slice()).is_ok(), "{encoding:?}");
            assert!(codec(encoding).decode(marker.as_slice()).is_ok(), "{encoding:?}");
        }
        assert_eq!(sunspec(Bool).decode(&[0xFFFF]), Err(NoData::NotImplemented));
        assert_eq!(sunspec(F64).decode(&[0x7FF8, 0, 0, 0]), Err(NoData::NotImplemented));
        let listed = Codec { absent: Absent::Codes([0x7FFF, 0].into()), ..codec(I16) };
        assert_eq!([0x7FFF, 0, 1].map(|w| listed.decode(&[w]).is_ok()), [false, false, true]);
    }

    #[test]
    fn bits_come_out_of_their_places() {
        let words = [0b1000_0000_0001_0010];
        let bit = |n| codec(Encoding::Bit(n)).decode(&words).map(f64::to_bits) == Ok(1.0f64.to_bits());
        assert_eq!((0..16).filter(|n| bit(*n)).collect::<Vec<_>>(), [1, 4, 15]);
        assert_eq!(bits(codec(Encoding::Bits(4, 12)).decode(&words)), Ok(f64::from(0x801).to_bits()));
        assert_eq!(bits(codec(Encoding::Bits(0, 16)).decode(&words)), Ok(f64::from(0x8012).to_bits()));
        assert_eq!(bits(codec(Encoding::Bit32(20)).decode(&[0x10, 0])), Ok(1.0f64.to_bits()));
        assert_eq!(bits(codec(Encoding::Any(0x00FF)).decode(&[0x0100])), Ok(0));
        assert_eq!(bits(codec(Encoding::Any32(0x0001_0000)).decode(&[1, 0])), Ok(1.0f64.to_bits()));
        assert_eq!(codec(Encoding::Bool).decode(&[2]), Err(NoData::Implausible));
    }

    #[test]
    fn the_wrong_number_of_registers_is_no_value() {
        assert_eq!(codec(Encoding::I32).decode(&[1]), Err(NoData::Implausible));
        assert_eq!(codec(Encoding::U16).decode(&[]), Err(NoData::Implausible));
        assert_eq!(codec(Encoding::U16).decode(&[1, 2, 3, 4, 5]), Err(NoData::Implausible));
    }

    #[test]
    fn what_cannot_be_written_is_refused_with_its_reason() {
        let tenths = Codec { scale: Scale { denominator: 10.0, ..Scale::ONE }, ..sunspec(Encoding::I16) };
        assert_eq!(tenths.encode(-3276.8), Err(EncodeError::Reserved { value: -3276.8, raw: 0x8000 }));
        let (low, high) = (-3276.8, 3276.7);
        assert_eq!(tenths.encode(3276.8), Err(EncodeError::OutOfRange { value: 3276.8, low, high }));
        assert_eq!(tenths.encode(1e300), Err(EncodeError::OutOfRange { value: 1e300, low, high }));
        assert!(matches!(tenths.encode(f64::NAN), Err(EncodeError::NotANumber(_))));
        assert!(matches!(tenths.encode(f64::NEG_INFINITY), Err(EncodeError::NotANumber(_))));
        assert!(matches!(codec(Encoding::F32).encode(1e39), Err(EncodeError::OutOfRange { .. })));
        assert_eq!(codec(Encoding::Enum).encode(0.5), Err(EncodeError::NotWhole(0.5)));
        assert!(matches!(codec(Encoding::Bool).encode(2.0), Err(EncodeError::OutOfRange { .. })));
        for part in [Encoding::Bit(0), Encoding::Bit32(0), Encoding::Bits(0, 4), Encoding::Any(1), Encoding::Any32(1)] {
            assert_eq!(codec(part).encode(1.0), Err(EncodeError::PartOfARegister));
        }
    }

    #[test]
    fn writing_rounds_to_the_nearest() {
        let tens = Codec { scale: Scale { numerator: 10.0, ..Scale::ONE }, ..codec(Encoding::I16) };
        assert_eq!(tens.encode(14.9).map(|w| w.as_slice()[0]), Ok(1));
        assert_eq!(tens.encode(-15.1).map(|w| w.as_slice()[0].cast_signed()), Ok(-2));
    }

    #[test]
    fn the_ends_of_the_widest_integers_do_not_wrap() {
        let u64s = codec(Encoding::U64);
        assert!(u64s.encode(18_446_744_073_709_551_616.0).is_err());
        assert!(u64s.encode(-1.0).is_err());
        let top = u64s.encode(18_446_744_073_709_549_568.0).expect("the last double below 2^64");
        assert_eq!(top.as_slice(), [0xFFFF, 0xFFFF, 0xFFFF, 0xF800]);
        let i64s = codec(Encoding::I64);
        assert!(i64s.encode(9_223_372_036_854_775_808.0).is_err());
        let bottom = i64s.encode(-9_223_372_036_854_775_808.0).expect("the least of all");
        assert_eq!(bottom.as_slice(), [0x8000, 0, 0, 0]);
    }

    fn any_scale() -> impl Strategy<Value = Scale> {
        let fraction = (any::<bool>(), -30_000i32..30_000, 1u32..1_000, 1u32..1_000_000);
        fraction.prop_map(|(inverted, offset, numerator, denominator)| Scale {
            inverted,
            offset: f64::from(offset),
            numerator: f64::from(numerator),
            denominator: f64::from(denominator),
        })
    }

    fn any_order() -> impl Strategy<Value = WordOrder> {
        prop::sample::select(vec![WordOrder::Abcd, WordOrder::Cdab, WordOrder::Badc, WordOrder::Dcba])
    }

    proptest! {
        #[test]
        fn registers_survive_the_way_there_and_back(
            which in 0usize..6, words in any::<[u16; 4]>(), order in any_order(), scale in any_scale(), power in -10i16..=10,
        ) {
            use Encoding::{I16, I32, I64, U16, U32, U64};
            let encoding = [U16, I16, U32, I32, U64, I64][which];
            let codec = Codec { encoding, order, scale, absent: Absent::Never };
            let mut words = words[..usize::from(encoding.len())].to_vec();
            if let [a, _, _, d] = words.as_mut_slice() {
                // keep the widest within what a double counts without gaps, with a margin for the scale's rounding
                (*a, *d) = (0, 0);
                words = order.words(order.pattern(&words) >> 16 & 0xFFFF_FFFF_FFFF, 4).as_slice().to_vec();
            }
            let value = codec.decode_by(&words, factor(power)).expect("a whole number");
            let back = codec.encode_by(value, factor(power)).expect("it came from there");
            prop_assert_eq!(back.as_slice(), words.as_slice());
        }

        #[test]
        fn floats_survive_unscaled(bits32 in any::<u32>(), bits64 in any::<u64>(), order in any_order()) {
            for (encoding, bits) in [(Encoding::F32, u64::from(bits32)), (Encoding::F64, bits64)] {
                let codec = Codec { order, ..codec(encoding) };
                let words = order.words(bits, encoding.len());
                if let Ok(value) = codec.decode(words.as_slice()) {
                    let back = codec.encode(value).expect("it came from there");
                    prop_assert_eq!(codec.decode(back.as_slice()).map(f64::to_bits), Ok(value.to_bits()));
                }
            }
        }

        #[test]
        fn what_was_written_reads_back_within_half_a_count(value in -1e6f64..1e6, scale in any_scale(), power in -3i16..=3) {
            let codec = Codec { scale, ..sunspec(Encoding::I32) };
            let (one, zero) = (codec.decode_by(&[0, 1], factor(power)), codec.decode_by(&[0, 0], factor(power)));
            let count = (one.expect("1") - zero.expect("0")).abs();
            if let Ok(words) = codec.encode_by(value, factor(power)) {
                let read = codec.decode_by(words.as_slice(), factor(power)).expect("not reserved");
                prop_assert!((read - value).abs() <= count / 2.0 * (1.0 + 1e-9) + 1e-9, "{read} for {value}");
            }
        }

        #[test]
        fn nothing_makes_it_panic(words in proptest::collection::vec(any::<u16>(), 0..6), a in any::<u8>(), b in any::<u8>(), value in any::<f64>(), power in -10i16..=10) {
            use Encoding::{Any, Any32, Bit, Bit32, Bits, Bool, Enum, F32, F64, I16, I32, I64, U16, U32, U64};
            for encoding in [U16, I16, U32, I32, U64, I64, F32, F64, Bool, Enum, Bit(a), Bit32(a), Bits(a, b), Any(1), Any32(1)] {
                if let Ok(v) = sunspec(encoding).decode_by(&words, factor(power)) {
                    prop_assert!(v.is_finite());
                }
                let _ = sunspec(encoding).encode_by(value, factor(power));
            }
        }
    }
}
