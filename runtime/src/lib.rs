//! The machine around the scan: the pure controller, the real-time thread, field threads and everything north.

pub mod scan;
