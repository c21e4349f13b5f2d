//! What crosses between the scan thread and everybody else, without a lock and without `unsafe`.
//!
//! | from | to | cell | who may wait |
//! |---|---|---|---|
//! | a field thread | the scan | [`latest`]: the newest block of one device | nobody |
//! | the scan | any number of readers | [`snapshot`]: one scan, whole | the readers, a bounded number of tries |
//! | a client | the scan | [`queue`]: commands, in order, bounded | nobody; a full queue refuses and counts |
//!
//! The two cells differ on purpose. Were the field side a [`snapshot`], a field thread that is preempted in the middle
//! of writing by the scan thread on the same CPU would leave the scan retrying for ever. Were it a channel of the usual
//! kind, the same preemption would make the scan spin on a half-sent message. All words are atomics, so a race can give
//! an old word but never undefined behaviour; that words belong together is the protocol's work and is proved with loom:
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p flyball-runtime --release --lib --target-dir target/loom exchange`

pub mod latest;
#[cfg(not(loom))]
pub mod queue;
pub mod snapshot;

/// The same names from the standard library or from loom's model of it.
mod sync {
    #[cfg(loom)]
    pub(super) use loom::{
        hint::spin_loop,
        sync::{
            Arc,
            atomic::{AtomicU8, AtomicU64, Ordering, fence},
        },
        thread::yield_now,
    };
    #[cfg(not(loom))]
    pub(super) use std::{
        hint::spin_loop,
        sync::{
            Arc,
            atomic::{AtomicU8, AtomicU64, Ordering, fence},
        },
        thread::yield_now,
    };

    /// `count` words of zero.
    pub(super) fn zeroed(count: usize) -> Box<[AtomicU64]> {
        (0..count).map(|_| AtomicU64::new(0)).collect()
    }
}
