//! One value's place and form.

use super::super::at::At;
use super::super::spec::Register;
use super::Check;
use crate::document::Spanned;
use crate::modbus::register::Scale;
use crate::modbus::{Absent, Codec, Encoding, ScaleFactor, WordOrder};

/// What is typed of a register, wherever it is.
pub(super) struct Typed<'a> {
    pub(super) at: &'a Spanned<At>,
    pub(super) encoding: &'a Spanned<Encoding>,
    pub(super) word_order: Option<WordOrder>,
    pub(super) scale: Option<&'a Spanned<(u32, u32)>>,
    pub(super) scale_factor: Option<&'a Spanned<At>>,
    pub(super) raw_offset: Option<&'a Spanned<i32>>,
    pub(super) sign: Option<&'a Spanned<i8>>,
    pub(super) not_implemented: Option<&'a Spanned<Vec<u64>>>,
}

impl<'a> Typed<'a> {
    pub(super) fn plain(at: &'a Spanned<At>, encoding: &'a Spanned<Encoding>) -> Self {
        Self {
            at,
            encoding,
            word_order: None,
            scale: None,
            scale_factor: None,
            raw_offset: None,
            sign: None,
            not_implemented: None,
        }
    }
}

impl Check<'_> {
    pub(super) fn register(&mut self, typed: &Typed<'_>) -> Register {
        let (at, encoding) = (typed.at.value, typed.encoding.value);
        self.address(typed.at, encoding.len());
        self.encoding(typed);
        self.number_only(typed);
        let order = match at {
            At::SunSpec(..) => typed.word_order.unwrap_or_default(),
            _ => typed.word_order.unwrap_or(self.file.link.word_order),
        };
        if typed.word_order.is_some() && encoding.len() == 1 {
            self.refuse(&typed.encoding.span, "one register has no word order", "leave `word_order` out");
        }
        if let Some(factor) = typed.scale_factor {
            self.address(factor, 1);
            if factor.value.area().is_bits() {
                self.refuse(&factor.span, "a scale factor is a register", "use `Holding`, `Input` or `SunSpec`");
            }
        }
        let codec = Codec { encoding, order, scale: self.scale(typed), absent: self.absent(typed) };
        Register { at, codec, factor: typed.scale_factor.map(|f| f.value) }
    }

    /// That `len` addresses from here on exist.
    pub(super) fn address(&mut self, at: &Spanned<At>, len: u16) {
        if u32::from(at.value.offset()) + u32::from(len) > 0x1_0000 {
            let message = format!("{len} registers from {} on end beyond 65535", at.value);
            self.refuse(&at.span, message, "addresses are those of the wire, 0 to 65535");
        }
        let At::SunSpec(model, offset) = at.value else { return };
        if self.file.sunspec.is_none() {
            let help = "add `sunspec: (bases: [40000, 0, 50000], models: [..])` to the profile";
            self.refuse(&at.span, "a SunSpec address in a profile that does not look for models", help);
        }
        if offset < 2 || model == 0 || model == u16::MAX {
            let help = "offsets count from the model's id register: the first point is at 2";
            self.refuse(&at.span, format!("{} is no point", at.value), help);
        }
    }

    fn encoding(&mut self, typed: &Typed<'_>) {
        let wrong = match typed.encoding.value {
            Encoding::Bit(n) if n > 15 => Some("a register has bits 0 to 15"),
            Encoding::Bit32(n) if n > 31 => Some("two registers have bits 0 to 31"),
            Encoding::Bits(from, len) if len == 0 || u16::from(from) + u16::from(len) > 16 => {
                Some("Bits(from, how many) must stay within bits 0 to 15")
            }
            Encoding::Any(0) | Encoding::Any32(0) => Some("a mask of 0 is never true"),
            encoding if typed.at.value.area().is_bits() && encoding != Encoding::Bool => {
                Some("a coil or discrete input is a `Bool`")
            }
            _ => None,
        };
        if let Some(help) = wrong {
            self.refuse(&typed.encoding.span, format!("{:?} does not fit here", typed.encoding.value), help);
        }
    }

    /// Flags and codes are what they are.
    fn number_only(&mut self, typed: &Typed<'_>) {
        if typed.encoding.value.is_number() {
            return;
        }
        let given = [
            typed.scale.map(|s| ("scale", &s.span)),
            typed.scale_factor.map(|s| ("scale_factor", &s.span)),
            typed.raw_offset.map(|s| ("raw_offset", &s.span)),
            typed.sign.map(|s| ("sign", &s.span)),
        ];
        for (key, span) in given.into_iter().flatten() {
            let message = format!("{:?} has no `{key}`", typed.encoding.value);
            self.refuse(span, message, format!("leave `{key}` out, or use an encoding that is a number"));
        }
    }

    fn scale(&mut self, typed: &Typed<'_>) -> Scale {
        let mut scale = Scale::ONE;
        if let Some(fraction) = typed.scale {
            let (numerator, denominator) = fraction.value;
            if ![numerator, denominator].iter().all(|n| (1..=1_000_000).contains(n)) {
                let message = format!("the scale is {numerator} over {denominator}");
                self.refuse(&fraction.span, message, "both numbers must lie within 1 and 1000000: (1, 10) is 0.1");
            }
            (scale.numerator, scale.denominator) = (f64::from(numerator), f64::from(denominator));
        }
        if let Some(offset) = typed.raw_offset {
            scale.offset = f64::from(offset.value);
        }
        if let Some(sign) = typed.sign {
            if ![1, -1].contains(&sign.value) {
                let help = "1, or -1 where the device's positive is the house's negative";
                self.refuse(&sign.span, format!("the sign is {}", sign.value), help);
            }
            scale.inverted = sign.value < 0;
        }
        scale
    }

    fn absent(&mut self, typed: &Typed<'_>) -> Absent {
        let Some(codes) = typed.not_implemented else {
            let bit = typed.at.value.area().is_bits();
            return if typed.at.value.model().is_some() && !bit { Absent::SunSpec } else { Absent::Never };
        };
        let bits = 16 * u32::from(typed.encoding.value.len());
        let most = u64::MAX >> (64 - bits);
        if let Some(code) = codes.value.iter().find(|code| **code > most) {
            let message = format!("{code:#x} has more than the {bits} bits of this value");
            self.refuse(&codes.span, message, "write the raw pattern, as it stands in the registers");
        }
        if codes.value.is_empty() { Absent::Never } else { Absent::Codes(codes.value.clone().into()) }
    }

    /// That a number can be written; where a scale factor decides, that shows only on the device.
    pub(super) fn writable_number(
        &mut self,
        register: &Register,
        value: f64,
        what: &str,
        span: &std::ops::Range<usize>,
    ) {
        let encoded = register.codec.encode_by(value, ScaleFactor::ONE);
        if let (None, Err(e)) = (register.factor, encoded) {
            self.refuse(span, format!("{what} cannot be written: {e}"), "check the encoding and the scale");
        }
    }
}
