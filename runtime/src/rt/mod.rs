//! The real-time thread: when scans are due, what runs them, and what it needs of the machine.
//!
//! | file | idea |
//! |---|---|
//! | [`grid`] | when scans are due: an absolute grid, late slots are skipped and counted |
//! | [`run`] | the loop: wait, scan, count; a panic hands the cycle over to its safe state |
//! | [`thread`] | starts a real-time thread with its priority, CPUs, locked memory and touched stack |
//! | [`report`] | what real time needs of the machine, what of it is there, what to do about the rest |
//! | [`settings`] | what such a thread is to be, and why it may not be |
//! | [`side`] | starts every other thread, so that it inherits nothing |
//! | [`panics`] | keeps what a panic on a real-time thread said, instead of printing it |
//! | [`histogram`] | durations by powers of two, the worst one with its tick |

pub mod grid;
pub mod histogram;
pub mod panics;
mod prefault;
mod prerequisites;
pub mod report;
pub mod run;
pub mod settings;
pub mod side;
mod system;
pub mod thread;
