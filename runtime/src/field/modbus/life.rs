//! The device's sign of life: seen to move before anything is written, and not seen to go back.
//!
//! Whether it still moves later is judged by the scan, with the age that the site accepts.

use flyball_io_map::image::{Reading, ScanTime};
use flyball_io_map::modbus::Encoding;
use flyball_io_map::profile::Profile;

/// A counter may be ahead of one a millisecond by so many, for the jitter of answers.
const AHEAD: f64 = 1_000.0;

/// A life point and what was seen of it on this connection.
#[derive(Clone, Debug)]
pub(super) struct Life {
    /// The point, as an index.
    pub(super) point: usize,
    within_ns: u64,
    /// For a counter that only goes up: how many numbers it has.
    numbers: Option<f64>,
    /// Its value, and when it became that.
    last: Option<(f64, ScanTime)>,
    moved: bool,
}

impl Life {
    /// Of a profile that has one.
    pub(super) fn of(profile: &Profile) -> Option<Self> {
        let life = profile.life?;
        let numbers = match profile.points.get(life.point)?.register.codec.encoding {
            Encoding::U16 => Some(65_536.0),
            Encoding::U32 => Some(4_294_967_296.0),
            _ => None,
        };
        let within_ns = u64::from(life.within_ms) * 1_000_000;
        Some(Self {
            point: life.point,
            within_ns,
            numbers: numbers.filter(|_| life.counts_up),
            last: None,
            moved: false,
        })
    }

    /// A new connection: nothing was seen yet.
    pub(super) fn forget(&mut self) {
        (self.last, self.moved) = (None, false);
    }

    /// Whether it was seen to move.
    pub(super) fn has_moved(&self) -> bool {
        self.moved
    }

    /// The longest it may rest, ns.
    pub(super) fn within_ns(&self) -> u64 {
        self.within_ns
    }

    /// Takes note of a reading. True: the counter went back, the device has restarted.
    pub(super) fn note(&mut self, reading: Reading) -> bool {
        let Ok(value) = reading.fresh(reading.taken(), u64::MAX) else { return false };
        let Some((last, since)) = self.last.replace((value, reading.taken())) else { return false };
        if value.to_bits() == last.to_bits() {
            self.last = Some((last, since));
            return false;
        }
        self.moved = true;
        self.numbers.is_some_and(|numbers| {
            let ahead = if value > last { value - last } else { value - last + numbers };
            ahead > ms(reading.taken().since(since)) + AHEAD
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "2^53 ns are 104 days, and a difference of one in 2^53 decides nothing")]
fn ms(ns: u64) -> f64 {
    ns as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether each value (at 100 ms from the one before) looks like a restart.
    fn restarts(numbers: Option<f64>, values: &[f64]) -> Vec<bool> {
        let mut life = Life { point: 0, within_ns: 0, numbers, last: None, moved: false };
        let reading = |(n, v): (u64, &f64)| Reading::new(Ok(*v), ScanTime::from_ms(100 * n));
        (0..).zip(values).map(|next| life.note(reading(next))).collect()
    }

    #[test]
    fn a_counter_that_goes_back_is_a_restart_and_one_that_wraps_is_not() {
        assert_eq!(restarts(Some(65_536.0), &[700.0, 701.0, 3.0, 4.0]), [false, false, true, false]);
        assert_eq!(restarts(Some(65_536.0), &[65_534.0, 65_535.0, 0.0, 1.0]), [false; 4]);
        assert_eq!(restarts(Some(4_294_967_296.0), &[9e6, 9e6 + 1.0, 0.0]), [false, false, true]);
    }

    #[test]
    fn a_value_that_only_moves_may_go_anywhere() {
        assert_eq!(restarts(None, &[49.99, 50.01, 49.98, -1e6]), [false; 4]);
    }

    #[test]
    fn a_counter_that_rested_long_may_be_far_ahead() {
        let mut life = Life { point: 0, within_ns: 0, numbers: Some(65_536.0), last: None, moved: false };
        let note = |life: &mut Life, v: f64, s: u64| life.note(Reading::new(Ok(v), ScanTime::from_ms(1_000 * s)));
        assert!(!note(&mut life, 10.0, 0) && !life.has_moved());
        assert!((1..60).all(|s| !note(&mut life, 10.0, s)) && !life.has_moved());
        assert!(!note(&mut life, 30_000.0, 60) && life.has_moved());
    }
}
