//! Pulse outputs: one-shot actions (reset, start) with an id and an expiry. A pulse is executed once, acknowledged, and
//! never repeated by a reconnect: the highest id that was ever asked for is kept, and only a higher one acts.

use super::reading::ScanTime;

/// Kind of an output that acts once.
pub enum Pulse {}

/// May ask for the pulse. The wiring allows one holder per output.
pub struct Fire {
    pub(super) output: u16,
}

/// What goes to the device: the id to execute, until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Above every id that was asked for before.
    pub id: u64,
    /// From this time on it must not be executed any more.
    pub expires: ScanTime,
}

/// One pulse output.
#[derive(Clone, Debug, Default)]
pub struct PulseSlot {
    highest: u64,
    pending: Option<Pending>,
    expired: u64,
}

impl PulseSlot {
    /// Asks for a pulse. An id that is not above all earlier ones does nothing.
    pub(super) fn fire(&mut self, id: u64, expires: ScanTime) {
        if id > self.highest {
            self.highest = id;
            self.pending = Some(Pending { id, expires });
        }
    }

    /// What is still to be executed in this scan. `done` is the highest id that the device has acknowledged.
    pub(super) fn resolve(&mut self, now: ScanTime, done: u64) -> Option<Pending> {
        if self.pending.is_some_and(|p| p.id <= done) {
            self.pending = None;
        }
        if self.pending.is_some_and(|p| p.expires <= now) {
            self.pending = None;
            self.expired += 1;
        }
        self.pending
    }

    /// What was sent to the device in the last scan.
    #[must_use]
    pub fn pending(&self) -> Option<Pending> {
        self.pending
    }

    /// How many pulses ran out of time unacknowledged.
    #[must_use]
    pub fn expired(&self) -> u64 {
        self.expired
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_pulse_goes_out_until_it_is_acknowledged_and_never_again() {
        let mut slot = PulseSlot::default();
        slot.fire(1, ScanTime(100));
        assert_eq!(slot.resolve(ScanTime(0), 0).map(|p| p.id), Some(1));
        assert_eq!(slot.resolve(ScanTime(10), 1), None);
        slot.fire(1, ScanTime(200));
        assert_eq!(slot.resolve(ScanTime(20), 1), None, "the same id again is the same pulse");
        slot.fire(2, ScanTime(200));
        assert_eq!(slot.resolve(ScanTime(30), 1).map(|p| p.id), Some(2));
    }

    proptest! {
        /// An id goes out in one unbroken run of scans, never once it is done or has expired, and ids only rise.
        #[test]
        fn whatever_is_asked_no_pulse_goes_out_twice(
            steps in proptest::collection::vec((proptest::collection::vec((1u64..8, 0u64..60), 0..3), 0u64..9, 0u64..20), 1..40),
        ) {
            let (mut slot, mut now, mut done, mut sent, mut over) = (PulseSlot::default(), 0, 0, 0, 0);
            let mut expiries = std::collections::HashMap::new();
            for (asks, acknowledged, ns) in steps {
                now += ns;
                done = done.max(acknowledged.min(sent));
                for (id, lasts) in asks {
                    slot.fire(id, ScanTime(now + lasts));
                    expiries.entry(id).or_insert(now + lasts);
                }
                let out = slot.resolve(ScanTime(now), done).map_or(0, |p| p.id);
                if out != sent {
                    over = over.max(sent);
                }
                prop_assert!(out == 0 || out > over && out > done, "{} goes out again: {} is over, {} done", out, over, done);
                prop_assert!(out == 0 || now < expiries[&out], "{} goes out after it has expired", out);
                sent = if out == 0 { sent } else { out };
                if out == 0 {
                    over = over.max(sent);
                }
            }
        }
    }

    #[test]
    fn a_pulse_that_nobody_acknowledged_expires() {
        let mut slot = PulseSlot::default();
        slot.fire(1, ScanTime(100));
        assert!(slot.resolve(ScanTime(99), 0).is_some());
        assert!(slot.resolve(ScanTime(100), 0).is_none());
        assert_eq!(slot.expired(), 1);
    }
}
