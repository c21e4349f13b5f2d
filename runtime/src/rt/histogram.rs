//! Durations counted by powers of two, and the worst one with its tick.
//!
//! Written by one thread, read by any, without locks: the counts a reader gets may belong to neighbouring scans.

use std::sync::atomic::{AtomicU64, Ordering};

/// How many buckets: bucket 0 counts 0 ns, bucket `b` counts `2^(b-1) .. 2^b` ns, the last one all that is longer.
pub const BUCKETS: usize = 64;

/// The counts. About 0.5 KiB, fixed.
#[derive(Debug)]
pub struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    worst_ns: AtomicU64,
    worst_tick: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Self {
        let buckets = [const { AtomicU64::new(0) }; BUCKETS];
        Self { buckets, worst_ns: AtomicU64::new(0), worst_tick: AtomicU64::new(0) }
    }
}

/// A copy of the counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    /// How many durations fell into each bucket: see [`BUCKETS`].
    pub buckets: [u64; BUCKETS],
    /// The longest duration, ns.
    pub worst_ns: u64,
    /// The tick at which it was first measured: what to look for in the recording.
    pub worst_tick: u64,
}

impl Histogram {
    /// Counts `duration_ns`, measured at `tick`. For one thread: a second one writing would lose counts.
    pub fn record(&self, duration_ns: u64, tick: u64) {
        if let Some(bucket) = self.buckets.get(bucket_of(duration_ns)) {
            bucket.store(bucket.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        }
        if duration_ns > self.worst_ns.load(Ordering::Relaxed) {
            self.worst_ns.store(duration_ns, Ordering::Relaxed);
            self.worst_tick.store(tick, Ordering::Relaxed);
        }
    }

    /// The counts so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            buckets: std::array::from_fn(|index| self.buckets[index].load(Ordering::Relaxed)),
            worst_ns: self.worst_ns.load(Ordering::Relaxed),
            worst_tick: self.worst_tick.load(Ordering::Relaxed),
        }
    }
}

impl Counts {
    /// How many durations were counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.buckets.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// A bound in ns that at least `per_million` of a million durations do not exceed (so 999 000 is the 99.9th
    /// percentile), to the next power of two or the worst one measured; 0 if none was counted.
    #[must_use]
    pub fn at_most_ns(&self, per_million: u32) -> u64 {
        let wanted = u128::from(self.total()) * u128::from(per_million.min(1_000_000));
        let mut seen = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            seen += u128::from(*count) * 1_000_000;
            if seen >= wanted {
                return self.worst_ns.min(end_of(index));
            }
        }
        self.worst_ns
    }
}

fn bucket_of(duration_ns: u64) -> usize {
    let significant_bits = u64::BITS - duration_ns.leading_zeros();
    usize::try_from(significant_bits).unwrap_or(BUCKETS).min(BUCKETS - 1)
}

/// The longest duration that falls into a bucket, ns.
fn end_of(bucket: usize) -> u64 {
    match u32::try_from(bucket) {
        Ok(bits) if bucket < BUCKETS - 1 => (1 << bits) - 1,
        _ => u64::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_empty_histogram_knows_no_duration() {
        let counts = Histogram::default().counts();
        assert_eq!((counts.total(), counts.worst_ns, counts.at_most_ns(1_000_000)), (0, 0, 0));
    }

    #[test]
    fn buckets_end_at_powers_of_two() {
        for (duration_ns, bucket) in
            [(0, 0), (1, 1), (2, 2), (3, 2), (4, 3), (1_023, 10), (1_024, 11), (1 << 62, 63), (u64::MAX, 63)]
        {
            assert_eq!(bucket_of(duration_ns), bucket, "{duration_ns} ns");
            assert!(duration_ns <= end_of(bucket));
        }
    }

    #[test]
    fn the_worst_one_is_kept_with_its_tick() {
        let histogram = Histogram::default();
        for (tick, duration_ns) in [(1, 10), (2, 900), (3, 30), (4, 900)] {
            histogram.record(duration_ns, tick);
        }
        let counts = histogram.counts();
        assert_eq!((counts.total(), counts.worst_ns, counts.worst_tick), (4, 900, 2));
        assert_eq!(counts.at_most_ns(500_000), 31);
        assert_eq!(counts.at_most_ns(1_000_000), 900);
    }

    proptest! {
        #[test]
        fn the_bound_holds_for_at_least_the_share_asked_for(
            durations_ns in prop::collection::vec(any::<u64>(), 1..100),
            per_million in 0..=1_000_000u32,
        ) {
            let histogram = Histogram::default();
            for duration_ns in &durations_ns {
                histogram.record(*duration_ns, 0);
            }
            let counts = histogram.counts();
            let bound_ns = counts.at_most_ns(per_million);
            let within = durations_ns.iter().filter(|duration_ns| **duration_ns <= bound_ns).count();
            prop_assert!(within * 1_000_000 >= durations_ns.len() * usize::try_from(per_million).unwrap());
            prop_assert_eq!(counts.total(), u64::try_from(durations_ns.len()).unwrap());
        }
    }
}
