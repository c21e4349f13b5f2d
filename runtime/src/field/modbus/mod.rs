//! Modbus devices: one poller per device, one connection per endpoint.

mod beat;
mod connect;
pub mod endpoint;
pub mod fault;
mod level;
mod life;
mod outcome;
pub mod poller;
mod proof;
mod pulse;
pub mod question;
mod reads;
mod schedule;
pub mod tcp;
mod turn;
mod want;
mod wear;
