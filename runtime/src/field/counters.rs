//! What happened with a device since start, in numbers: counted by its field thread, read by status pages.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// Counts of one device since start.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Counts {
            $($(#[$doc])* pub $name: u64,)+
        }

        /// The same, for other threads to read. Counts that are read together may be of different moments.
        #[derive(Debug, Default)]
        pub struct Counters {
            $($name: AtomicU64,)+
        }

        impl Counters {
            /// Publishes. Only the field thread calls this.
            pub fn store(&self, counts: &Counts) {
                $(self.$name.store(counts.$name, Ordering::Relaxed);)+
            }

            /// The counts as last published.
            #[must_use]
            pub fn load(&self) -> Counts {
                Counts { $($name: self.$name.load(Ordering::Relaxed),)+ }
            }
        }

        impl Counts {
            /// Names and counts, in a fixed order.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name),)+].into_iter()
            }
        }
    };
}

counters! {
    /// Requests sent.
    polls,
    /// Requests among them that write.
    writes,
    /// Answers that were the request's own, exceptions included.
    answers,
    /// Requests without an answer in time.
    timeouts,
    /// Answers after their time-out, which were dropped.
    late_answers,
    /// Answers that were not the request's own: another unit, function or length.
    bad_answers,
    /// Answers that were exceptions.
    exceptions,
    /// Connections lost.
    disconnects,
    /// Times that the connect sequence began.
    sequences,
    /// Times that the connect sequence was completed.
    connects,
    /// Writes that were acknowledged and not taken.
    writes_not_taken,
    /// Writes held back because the register's wear budget is used up.
    writes_held_back,
    /// Pulses that were acknowledged by the device.
    pulses_done,
    /// Pulses that it refused for good.
    pulses_refused,
    /// The code of the present fault (`field::modbus::fault::Fault::code`), 0 for none.
    fault,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_as_they_were_published() {
        let (counters, counts) = (Counters::default(), Counts { polls: 3, fault: 7, ..Counts::default() });
        assert_eq!(counters.load(), Counts::default());
        counters.store(&counts);
        assert_eq!(counters.load(), counts);
        assert!(counts.iter().any(|c| c == ("polls", 3)));
    }
}
