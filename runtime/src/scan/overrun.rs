//! The overrun contract: after k skipped slots within the last n the site degrades, after more it trips.
//!
//! Pure: it sees only how the tick jumped. A window is a ring of bits, one a slot.

/// `count` skipped slots within the last `within` slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threshold {
    /// From so many skipped slots on, ≥ 1.
    pub count: u32,
    /// Among so many slots, `count` to [`WITHIN_MAX`].
    pub within: u32,
}

/// What the site file declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contract {
    /// An alarm is raised and named programs are shed; it ends when the window is clean again.
    pub degrade: Threshold,
    /// The site goes safe until reset.
    pub trip: Threshold,
}

/// The longest window, slots.
pub const WITHIN_MAX: u32 = 1_024;
const WORDS: usize = (WITHIN_MAX / 64) as usize;

/// What the contract says now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Within the contract.
    Kept,
    /// Named programs are shed.
    Degrade,
    /// Go safe.
    Trip,
}

/// The last slots, as seen by a [`Contract`].
#[derive(Clone, Debug)]
pub struct Overrun {
    contract: Contract,
    /// Bit i of the ring: slot i (mod [`WITHIN_MAX`]) was skipped.
    skipped: [u64; WORDS],
    slot: u64,
    degraded: bool,
    degrade_count: u32,
    trip_count: u32,
}

impl Overrun {
    /// A clean window.
    ///
    /// # Panics
    /// If a threshold is 0, above its window, or the window above [`WITHIN_MAX`]; the site's checker refuses this first.
    #[must_use]
    pub fn new(contract: Contract) -> Self {
        for t in [contract.degrade, contract.trip] {
            assert!(
                t.count >= 1 && t.count <= t.within && t.within <= WITHIN_MAX,
                "1 ≤ count ≤ within ≤ {WITHIN_MAX}: {t:?}"
            );
        }
        Self { contract, skipped: [0; WORDS], slot: 0, degraded: false, degrade_count: 0, trip_count: 0 }
    }

    /// The next scan came after `skipped` slots without one.
    pub fn scan(&mut self, skipped: u64) -> Verdict {
        // a window's worth of skipped slots says all there is to say
        for _ in 0..skipped.min(u64::from(WITHIN_MAX)) {
            self.push(true);
        }
        self.push(false);
        // once degraded, until the window is clean: programs are not shed and taken up again at every other scan
        let within = if self.degraded { 1 } else { self.contract.degrade.count };
        self.degraded = self.degrade_count >= within;
        if self.trip_count >= self.contract.trip.count {
            Verdict::Trip
        } else if self.degraded {
            Verdict::Degrade
        } else {
            Verdict::Kept
        }
    }

    /// After a reset: a clean window.
    pub fn forgive(&mut self) {
        *self = Self::new(self.contract);
    }

    fn push(&mut self, skipped: bool) {
        self.degrade_count -= self.leaving(self.contract.degrade.within);
        self.trip_count -= self.leaving(self.contract.trip.within);
        let (word, bit) = place(self.slot);
        self.skipped[word] = self.skipped[word] & !(1 << bit) | u64::from(skipped) << bit;
        self.degrade_count += u32::from(skipped);
        self.trip_count += u32::from(skipped);
        self.slot += 1;
    }

    /// 1 if the slot that falls out of a window of `within` slots was a skipped one.
    fn leaving(&self, within: u32) -> u32 {
        if self.slot < u64::from(within) {
            return 0;
        }
        let (word, bit) = place(self.slot - u64::from(within));
        u32::from(self.skipped[word] >> bit & 1 == 1)
    }
}

fn place(slot: u64) -> (usize, u32) {
    let [low, high, ..] = slot.to_le_bytes();
    let in_ring = u16::from_le_bytes([low, high]) % 1_024;
    (usize::from(in_ring / 64), u32::from(in_ring % 64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn contract() -> Contract {
        Contract { degrade: Threshold { count: 3, within: 10 }, trip: Threshold { count: 10, within: 100 } }
    }

    #[test]
    fn three_skipped_slots_of_ten_degrade_until_the_window_is_clean() {
        let mut overrun = Overrun::new(contract());
        assert_eq!(overrun.scan(0), Verdict::Kept);
        assert_eq!(overrun.scan(2), Verdict::Kept);
        assert_eq!(overrun.scan(1), Verdict::Degrade);
        let clean = (0..12).map(|_| overrun.scan(0)).position(|v| v == Verdict::Kept);
        assert_eq!(clean, Some(8), "the ninth scan: the last skipped slot leaves the window of ten");
    }

    #[test]
    fn ten_skipped_slots_of_a_hundred_trip() {
        let mut overrun = Overrun::new(contract());
        assert_eq!(overrun.scan(9), Verdict::Degrade);
        assert_eq!(overrun.scan(1), Verdict::Trip);
        overrun.forgive();
        assert_eq!(overrun.scan(0), Verdict::Kept);
    }

    #[test]
    fn a_suspend_of_days_is_one_trip_and_not_an_endless_loop() {
        assert_eq!(Overrun::new(contract()).scan(u64::MAX), Verdict::Trip);
    }

    proptest! {
        #[test]
        fn the_counts_are_those_of_the_plain_list(jumps in proptest::collection::vec(0u64..20, 1..300), n in 1u32..1_024, k in 1u32..30) {
            let degrade = Threshold { count: k.min(n), within: n };
            let mut overrun = Overrun::new(Contract { degrade, trip: Threshold { count: 1_024, within: 1_024 } });
            let (mut list, mut degraded) = (Vec::new(), false);
            for skipped in jumps {
                list.extend(std::iter::repeat_n(true, usize::try_from(skipped).unwrap()).chain([false]));
                let count = list.iter().rev().take(n as usize).filter(|s| **s).count();
                degraded = count >= degrade.count as usize || degraded && count > 0;
                let verdict = overrun.scan(skipped);
                prop_assert_eq!(verdict == Verdict::Degrade, degraded && verdict != Verdict::Trip);
            }
        }
    }
}
