//! Modbus devices, in virtual time against a scripted device, and over real sockets.

mod bench;
mod device;
mod endpoint;
mod faults;
mod polling;
mod sequence;
mod sockets;
mod writing;
