//! The scan: a function from (tick, inputs) to outputs, and what is published of it.
//!
//! [`controller`] is pure: it reads no clock, no socket and no file, takes no lock, allocates nothing after it was built,
//! and gives the same bits for the same inputs on every machine. The real-time thread, the simulator and the tests call
//! the very same function.

pub mod command;
pub mod controller;
pub mod inputs;
pub mod latch;
pub mod overrun;
pub mod shell;
pub mod snapshot;
