//! The machine around the scan: the pure controller, the real-time thread, field threads and everything north.

#![forbid(unsafe_code)]

// Under `--cfg loom` only the exchange is built: see its module documentation.
#[cfg(not(loom))]
pub mod assembly;
#[cfg(not(loom))]
pub mod clock;
pub mod exchange;
#[cfg(not(loom))]
pub mod field;
#[cfg(not(loom))]
pub mod rt;
#[cfg(not(loom))]
pub mod scada;
#[cfg(not(loom))]
pub mod scan;
#[cfg(not(loom))]
pub mod site;
#[cfg(not(loom))]
pub mod telemetry;
