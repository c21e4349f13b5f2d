//! From reals to whole numbers, in one place and without the C library, whose rounding need not be the same everywhere.

/// The nearest whole number, halves away from zero. What does not fit becomes the nearest end; NaN becomes 0.
#[expect(clippy::cast_possible_truncation, reason = "a float cast saturates, and that is what is wanted here")]
pub(crate) fn rounded(x: f64) -> i64 {
    (x + 0.5_f64.copysign(x)) as i64
}

/// The next whole number at or above `x`; NaN becomes 1.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "as above; x is a small count")]
pub(crate) fn rounded_up(x: f64) -> i64 {
    let below = x as i64;
    if below as f64 >= x { below } else { below.saturating_add(1) }
}

/// `x` kept between `low` and `high`; `low` wins when they contradict each other. Never panics, unlike `f64::clamp`.
pub(crate) fn within(x: f64, low: f64, high: f64) -> f64 {
    let x = if x > high { high } else { x };
    if x < low { low } else { x }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_go_away_from_zero_and_ends_saturate() {
        for (x, whole) in [(0.4, 0), (0.5, 1), (-0.5, -1), (-2.4, -2), (1e300, i64::MAX), (f64::NAN, 0)] {
            assert_eq!(rounded(x), whole, "{x}");
        }
        for (x, whole) in [(0.0, 0), (0.01, 1), (2.0, 2), (2.3, 3), (f64::NAN, 1)] {
            assert_eq!(rounded_up(x), whole, "{x}");
        }
    }

    #[test]
    fn contradicting_bounds_give_the_lower_one_instead_of_a_panic() {
        assert_eq!(within(5.0, 3.0, 1.0).to_bits(), 3.0_f64.to_bits());
    }
}
