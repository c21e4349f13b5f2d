//! Numbers: within what makes sense, the lower end first.

use crate::report::Problems;
use flyball_io_map::document::Spanned;
use std::fmt::Display;
use std::ops::RangeInclusive;

/// A number, if it lies within what makes sense; else the nearest end, with a problem.
pub(crate) fn within<T>(problems: &mut Problems, key: &str, given: &Spanned<T>, sense: RangeInclusive<T>) -> T
where
    T: PartialOrd + Display + Copy,
{
    let (low, high) = (*sense.start(), *sense.end());
    if sense.contains(&given.value) {
        return given.value;
    }
    problems.senseless = true;
    let message = format!("`{key}` is {}, which makes no sense", given.value);
    let help = if low < high { format!("{low} to {high} would") } else { format!("only {low} would") };
    problems.say_help(&given.span, message, help);
    if given.value < low { low } else { high }
}

/// A range with its lower end first and some width.
pub(crate) fn range(problems: &mut Problems, key: &str, given: &Spanned<(f64, f64)>) -> Option<(f64, f64)> {
    let (low, high) = given.value;
    if low < high {
        return Some(given.value);
    }
    let message = format!("`{key}` goes from {low} to {high}: the lower end comes first and is below the higher");
    let help = if low > high { format!("({high}, {low})") } else { "a range has some width".to_owned() };
    problems.say_help(&given.span, message, help);
    None
}

/// A range that lies within a wider one.
pub(crate) fn narrower(
    problems: &mut Problems,
    key: &str,
    given: &Spanned<(f64, f64)>,
    wide: (f64, f64),
    whose: &str,
) -> (f64, f64) {
    let Some((low, high)) = range(problems, key, given) else { return wide };
    if low < wide.0 || high > wide.1 {
        let message = format!("`{key}` from {low} to {high} is wider than {whose}, {} to {}", wide.0, wide.1);
        problems.say_help(&given.span, message, "a site can only narrow it");
        return wide;
    }
    (low, high)
}

/// The longest that an output may take to ramp out, s: a loss must not go on for longer than people expect.
const RAMP_OUT_S_MAX: f64 = 60.0;

/// That an output gets from either end of its range to safe in time.
pub(crate) fn ramps_out(problems: &mut Problems, given: &Spanned<f64>, range: (f64, f64), safe: f64) {
    let (down, up) = (safe - range.0, range.1 - safe);
    let way = if down > up { down } else { up };
    let takes_s = way / given.value;
    if given.value > 0.0 && takes_s > RAMP_OUT_S_MAX {
        let message = format!("at {} per s it takes {takes_s:.0} s from the end of the range to safe", given.value);
        let help = format!("at most {RAMP_OUT_S_MAX} s: {} per s or more", (way / RAMP_OUT_S_MAX).ceil());
        problems.say_help(&given.span, message, help);
    }
}

/// Stands in for a rate that was refused: so fast that nothing else is wrong because of it.
pub(crate) const RATE_STAND_IN: f64 = 1e12;

/// A rate above 0 per second.
pub(crate) fn rate(problems: &mut Problems, key: &str, given: &Spanned<f64>) -> f64 {
    if given.value > 0.0 {
        return given.value;
    }
    problems.say_help(
        &given.span,
        format!("`{key}` is {}, but must be above 0", given.value),
        "in the output's unit per second",
    );
    RATE_STAND_IN
}
