//! Readings: what the scan knows of a point, or why it does not know it.

use crate::real;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Nanoseconds on the scan's own grid (tick × period). Monotonic; the only time that control sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ScanTime(pub u64);

impl ScanTime {
    /// Nanoseconds from `earlier` to `self`; 0 if `earlier` is later (a field thread may stamp a moment after the grid time).
    #[must_use]
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// A time on the grid in milliseconds.
    #[must_use]
    pub const fn from_ms(ms: u64) -> Self {
        Self(ms * 1_000_000)
    }
}

/// Why there is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoData {
    /// The device never gave this value since start.
    NeverRead,
    /// The device does not answer.
    DeviceSilent,
    /// The device answers this question with a Modbus exception (its code).
    Refused(u8),
    /// The last value is older than may be used.
    TooOld {
        /// Its age, ms.
        age_ms: u32,
        /// The greatest age that the point or the program accepts, ms.
        allowed_ms: u32,
    },
    /// The value, or the device's life counter, has stopped moving.
    Frozen,
    /// Outside the point's plausible range, or not a number.
    Implausible,
    /// The device says that it does not have this value (a not-implemented code).
    NotImplemented,
    /// The lease of the command ran out, or nobody has commanded since start.
    NoCommand,
    /// The program that computes this point is quarantined, or has not computed it.
    NotComputed,
}

impl NoData {
    /// A stable small number for registers and snapshots; 0 is never used (it means "good").
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::NeverRead => 1,
            Self::DeviceSilent => 2,
            Self::Refused(_) => 3,
            Self::TooOld { .. } => 4,
            Self::Frozen => 5,
            Self::Implausible => 6,
            Self::NotImplemented => 7,
            Self::NoCommand => 8,
            Self::NotComputed => 9,
        }
    }
}

impl fmt::Display for NoData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeverRead => f.write_str("never read"),
            Self::DeviceSilent => f.write_str("device silent"),
            Self::Refused(code) => write!(f, "refused by the device with Modbus exception {code}"),
            Self::TooOld { age_ms, allowed_ms } => write!(f, "{age_ms} ms old, {allowed_ms} ms allowed"),
            Self::Frozen => f.write_str("frozen"),
            Self::Implausible => f.write_str("implausible"),
            Self::NotImplemented => f.write_str("not implemented by the device"),
            Self::NoCommand => f.write_str("no command, or its lease ran out"),
            Self::NotComputed => f.write_str("not computed"),
        }
    }
}

/// What is known of a point. `taken` is when the device was asked, not when its answer came.
///
/// Flags are 0 and 1, codes are whole numbers; all are finite by construction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    value: Result<f64, NoData>,
    taken: ScanTime,
}

impl Reading {
    /// Before the first answer.
    pub const NEVER: Self = Self { value: Err(NoData::NeverRead), taken: ScanTime(0) };

    /// The border where raw numbers become readings: NaN and infinities stop here, −0 becomes 0.
    #[must_use]
    pub fn new(value: Result<f64, NoData>, taken: ScanTime) -> Self {
        let value = value.and_then(|v| real::finite(v).ok_or(NoData::Implausible));
        Self { value, taken }
    }

    /// When the device was asked.
    #[must_use]
    pub fn taken(&self) -> ScanTime {
        self.taken
    }

    /// The value if it may still be used at `now`. The only way to the number.
    ///
    /// # Errors
    /// The reason why there is no value, or [`NoData::TooOld`] with both ages.
    pub fn fresh(&self, now: ScanTime, age_max_ns: u64) -> Result<f64, NoData> {
        let value = self.value?;
        let age = now.since(self.taken);
        if age > age_max_ns {
            return Err(NoData::TooOld { age_ms: whole_ms(age), allowed_ms: whole_ms(age_max_ns) });
        }
        Ok(value)
    }

    /// The same reading without its value.
    #[must_use]
    pub fn lost(self, why: NoData) -> Self {
        Self { value: Err(why), ..self }
    }

    /// As two words for the exchange cells: the value's bits or the reason's details, and the time with the reason.
    #[must_use]
    pub fn to_words(self) -> [u64; 2] {
        // whole microseconds in 56 bits last for 2283 years, and leave a byte for the reason
        let taken_us = (self.taken.0 / 1_000) << 8;
        match self.value {
            Ok(v) => [v.to_bits(), taken_us],
            Err(why) => {
                let detail = match why {
                    NoData::TooOld { age_ms, allowed_ms } => u64::from(age_ms) << 32 | u64::from(allowed_ms),
                    NoData::Refused(code) => u64::from(code),
                    _ => 0,
                };
                [detail, taken_us | u64::from(why.code())]
            }
        }
    }

    /// The inverse of [`Reading::to_words`]; words that nobody wrote (all 0 bits but an unknown reason) are `NeverRead`.
    #[must_use]
    pub fn from_words(words: [u64; 2]) -> Self {
        let taken = ScanTime((words[1] >> 8) * 1_000);
        let [.., detail, code] = [words[0].to_be_bytes()[7], words[1].to_be_bytes()[7]];
        let why = match code {
            0 => return Self::new(Ok(f64::from_bits(words[0])), taken),
            2 => NoData::DeviceSilent,
            3 => NoData::Refused(detail),
            4 => NoData::TooOld { age_ms: high(words[0]), allowed_ms: high(words[0] << 32) },
            5 => NoData::Frozen,
            6 => NoData::Implausible,
            7 => NoData::NotImplemented,
            8 => NoData::NoCommand,
            9 => NoData::NotComputed,
            _ => NoData::NeverRead,
        };
        Self { value: Err(why), taken }
    }
}

fn high(word: u64) -> u32 {
    let b = word.to_be_bytes();
    u32::from_be_bytes([b[0], b[1], b[2], b[3]])
}

fn whole_ms(ns: u64) -> u32 {
    u32::try_from(ns / 1_000_000).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_reading_one_nanosecond_too_old_is_no_reading() {
        let r = Reading::new(Ok(5.0), ScanTime(100));
        assert!(r.fresh(ScanTime(200), 100).is_ok());
        assert!(r.fresh(ScanTime(201), 100).is_err());
    }

    #[test]
    fn what_is_not_a_number_is_implausible() {
        for v in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(Reading::new(Ok(v), ScanTime(0)).fresh(ScanTime(0), 0), Err(NoData::Implausible));
        }
    }

    proptest! {
        #[test]
        fn words_carry_a_reading_unchanged(bits in any::<u64>(), us in 0u64..1 << 50, why in 0usize..10, a in any::<u32>(), b in any::<u32>()) {
            let reasons = [NoData::NeverRead, NoData::DeviceSilent, NoData::Refused(b.to_be_bytes()[0]), NoData::TooOld { age_ms: a, allowed_ms: b },
                NoData::Frozen, NoData::Implausible, NoData::NotImplemented, NoData::NoCommand, NoData::NotComputed];
            let value = reasons.get(why).map_or(Ok(f64::from_bits(bits)), |r| Err(*r));
            let reading = Reading::new(value, ScanTime(us * 1_000));
            prop_assert_eq!(Reading::from_words(reading.to_words()), reading);
        }
    }
}
