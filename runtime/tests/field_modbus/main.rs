//! Modbus devices, in virtual time against a scripted device, and over real sockets.
#![expect(clippy::unwrap_used, reason = "a test may panic, and its place says enough")]

mod bench;
mod chaos;
mod device;
mod endpoint;
mod faults;
mod polling;
mod sequence;
mod sockets;
mod writing;
