//! How long to leave something alone that has failed: doubling, capped, with jitter, so that devices that went down
//! together are not all asked again at the same moment.

use fastrand::Rng;

/// The first pause after a fault of a device, ns: long enough that a device that is busy booting is not pressed, short
/// enough that one lost answer costs less than the usual age of a point.
pub const DEVICE_FIRST_NS: u64 = 500_000_000;
/// The first pause before a new connection, ns. Many devices hold a dead connection for a while and refuse the next.
pub const CONNECTION_FIRST_NS: u64 = 1_000_000_000;
/// No pause is longer, ns: a device for control must be back soon after it could be.
pub const CAP_NS: u64 = 5_000_000_000;

/// Successive pauses: `first`, doubled each time, each longer by a random part of up to a quarter, none above [`CAP_NS`].
#[derive(Clone, Debug)]
pub struct Backoff {
    first_ns: u64,
    next_ns: u64,
    rng: Rng,
}

impl Backoff {
    /// The same seed gives the same pauses.
    #[must_use]
    pub fn new(first_ns: u64, seed: u64) -> Self {
        Self { first_ns, next_ns: first_ns, rng: Rng::with_seed(seed) }
    }

    /// The pause after one more fault, ns.
    pub fn fault(&mut self) -> u64 {
        let base = self.next_ns;
        self.next_ns = (base * 2).min(CAP_NS);
        (base + self.rng.u64(0..=base / 4)).min(CAP_NS)
    }

    /// It works again: the next pause is the first one.
    pub fn success(&mut self) {
        self.next_ns = self.first_ns;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_cap_and_begin_anew_after_a_success() {
        for seed in 0..100 {
            let mut backoff = Backoff::new(DEVICE_FIRST_NS, seed);
            for base in [0.5, 1.0, 2.0, 4.0, 5.0, 5.0, 5.0] {
                let pause_s = std::time::Duration::from_nanos(backoff.fault()).as_secs_f64();
                assert!((base..=base * 1.25).contains(&pause_s) && pause_s <= 5.0, "{pause_s} s after {base} s");
            }
            backoff.success();
            assert!(backoff.fault() <= DEVICE_FIRST_NS * 5 / 4);
        }
    }

    #[test]
    fn a_seed_repeats_and_another_differs() {
        let pauses = |seed| {
            let mut backoff = Backoff::new(CONNECTION_FIRST_NS, seed);
            [(); 8].map(|()| backoff.fault())
        };
        assert_eq!(pauses(7), pauses(7));
        assert_ne!(pauses(7), pauses(8));
    }
}
