//! How long to wait before the next attempt to connect: doubling pauses with jitter, so that the controllers of a region
//! do not come back to their broker in step.

use std::time::Duration;

/// The pauses between attempts. Each lies between half its step and its step; steps double up to the longest.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    steady: Duration,
    step: Duration,
    chance: fastrand::Rng,
}

impl Backoff {
    /// From a first step to a longest; a connection that lasted `steady` makes the steps begin anew. One that the broker
    /// accepts and drops at once does not, so that last wills never come in a storm.
    #[must_use]
    pub fn new(first: Duration, longest: Duration, steady: Duration, seed: u64) -> Self {
        Self { first, longest, steady, step: first, chance: fastrand::Rng::with_seed(seed) }
    }

    /// The pause after an attempt that failed, or a connection that ended after `lasted`.
    pub fn pause(&mut self, lasted: Duration) -> Duration {
        if lasted >= self.steady {
            self.step = self.first;
        }
        let half = self.step / 2;
        self.step = self.step.saturating_mul(2).min(self.longest);
        half + half.mul_f64(self.chance.f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn backoff(seed: u64) -> Backoff {
        Backoff::new(SECOND, 30 * SECOND, 10 * SECOND, seed)
    }

    proptest! {
        #[test]
        fn pauses_double_up_to_the_longest_and_stay_within_their_step(seed in any::<u64>()) {
            let mut backoff = backoff(seed);
            for step in [1, 2, 4, 8, 16, 30, 30, 30] {
                let pause = backoff.pause(Duration::ZERO);
                prop_assert!(pause >= SECOND * step / 2 && pause <= SECOND * step, "{pause:?} at step {step}");
            }
        }
    }

    #[test]
    fn only_a_steady_connection_makes_pauses_short_again() {
        let mut backoff = backoff(7);
        for _ in 0..10 {
            backoff.pause(Duration::ZERO);
        }
        assert!(backoff.pause(9 * SECOND) >= 15 * SECOND, "accepted and dropped at once: no storm");
        assert!(backoff.pause(10 * SECOND) <= SECOND);
    }

    #[test]
    fn two_controllers_do_not_come_back_in_step() {
        assert_ne!(backoff(1).pause(Duration::ZERO), backoff(2).pause(Duration::ZERO));
    }
}
