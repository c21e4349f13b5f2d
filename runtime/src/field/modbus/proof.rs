//! Proving a write: the register is read until it shows what was written, or the time for that is over.

use flyball_io_map::image::ScanTime;

/// Between two looks at a register that does not show it yet, ns: a device that takes the time of its control cycle to
/// show a set-point (20 to 100 ms) is asked a few times and not a few hundred times.
const LOOK_AGAIN_NS: u64 = 50_000_000;

/// A write that is not proven yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Proof {
    /// When to look next.
    pub(super) look: ScanTime,
    until: ScanTime,
}

impl Proof {
    /// Of a write that was sent at `sent`: looked for at once, until `within_ms` have passed.
    pub(super) fn new(sent: ScanTime, within_ms: u32) -> Self {
        Self { look: sent, until: end(sent, within_ms) }
    }

    /// Another write went out at `sent` before this one was shown: it is looked for at once, and the time still counts
    /// from the first that was not shown.
    pub(super) fn superseded(&mut self, sent: ScanTime) {
        self.look = sent;
    }

    /// All but the last write, sent at `sent`, was shown: the time counts from there.
    pub(super) fn all_but_last(&mut self, sent: ScanTime, within_ms: u32) {
        self.until = end(sent, within_ms);
    }

    /// The device did not show it at `now`: whether to look again.
    pub(super) fn again(&mut self, now: ScanTime) -> bool {
        self.look = ScanTime(now.0.saturating_add(LOOK_AGAIN_NS)).min(self.until.max(now));
        now < self.until
    }
}

fn end(sent: ScanTime, within_ms: u32) -> ScanTime {
    ScanTime(sent.0.saturating_add(u64::from(within_ms) * 1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(mut proof: Proof) -> Vec<ScanTime> {
        let mut looks = vec![proof.look];
        while proof.again(proof.look) {
            looks.push(proof.look);
        }
        looks
    }

    #[test]
    fn it_is_looked_for_until_its_time_is_over_and_once_more_at_the_end() {
        let proof = Proof::new(ScanTime::from_ms(1_000), 120);
        assert_eq!(looks(proof), [1_000, 1_050, 1_100, 1_120].map(ScanTime::from_ms));
    }

    #[test]
    fn a_further_write_gives_no_more_time_unless_the_one_before_it_was_shown() {
        let mut proof = Proof::new(ScanTime::from_ms(1_000), 120);
        proof.superseded(ScanTime::from_ms(1_110));
        assert_eq!(looks(proof), [1_110, 1_120].map(ScanTime::from_ms));
        proof.all_but_last(ScanTime::from_ms(1_110), 120);
        assert_eq!(looks(proof).last(), Some(&ScanTime::from_ms(1_230)));
    }
}
