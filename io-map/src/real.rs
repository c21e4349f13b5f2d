//! Arithmetic on reals that the scan may use: + − × ÷ √ and comparisons only, so that the bits agree on every machine.
//!
//! `f64::min` and `f64::max` skip NaN and are linted out: a value that is missing must not vanish in a minimum.

/// The lower of two finite numbers. With a NaN on either side the result is `b`.
#[must_use]
pub fn lower(a: f64, b: f64) -> f64 {
    if a < b { a } else { b }
}

/// The higher of two finite numbers. With a NaN on either side the result is `b`.
#[must_use]
pub fn higher(a: f64, b: f64) -> f64 {
    if a > b { a } else { b }
}

/// `v` kept within `low..=high`. Never panics; what is not a number becomes `low`.
#[must_use]
pub fn clamped(v: f64, low: f64, high: f64) -> f64 {
    let v = if v > low { v } else { low };
    if v < high { v } else { high }
}

/// One step from `from` towards `to`, at most `step` long (`step` ≥ 0); arrives exactly.
#[must_use]
pub fn approach(from: f64, to: f64, step: f64) -> f64 {
    let way = to - from;
    if way.abs() > step { from + if way > 0.0 { step } else { -step } } else { to }
}

/// `v` if it is finite, with −0 made 0: the form in which every real enters the image.
#[must_use]
pub fn finite(v: f64) -> Option<f64> {
    v.is_finite().then_some(v + 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_step_arrives_exactly() {
        assert_eq!(approach(0.0, 1.0, 2.0).to_bits(), 1.0f64.to_bits());
        assert_eq!(approach(0.0, 1.0, 0.25).to_bits(), 0.25f64.to_bits());
        assert_eq!(approach(1.0, 0.0, 0.25).to_bits(), 0.75f64.to_bits());
    }

    #[test]
    fn minus_zero_becomes_zero_and_nan_does_not_pass() {
        assert_eq!(finite(-0.0).map(f64::to_bits), Some(0));
        assert!(finite(f64::NAN).is_none() && finite(f64::INFINITY).is_none());
    }

    proptest! {
        #[test]
        fn clamped_is_inside_whatever_comes(v in any::<f64>(), a in -1e9..1e9, w in 0.0..1e9) {
            let c = clamped(v, a, a + w);
            prop_assert!(a <= c && c <= a + w);
        }
    }
}
