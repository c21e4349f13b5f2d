//! South of the scan: the threads that speak with devices, one folder per bus.
//!
//! A field thread takes what the scan wants of its devices from one exchange cell each, and publishes what it reads into
//! another ([`block`]). It never shares a lock with the scan, and the scan never waits for it.

pub mod backoff;
pub mod block;
pub mod counters;
pub mod modbus;
