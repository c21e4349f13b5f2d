//! Modbus devices: one [`poller::Poller`] per device, one [`endpoint::Endpoint`] per connection, one thread ([`tcp`]) per
//! endpoint. Only the thread has a socket and a clock; everything else is told the time and handed what came.
//!
//! | file | idea |
//! |---|---|
//! | [`poller`], `turn`, `outcome` | one device: what it is asked next, and what an answer leads to |
//! | `connect`, `life`, `proof` | what must be true of a device before anything is written, and how a write is proven |
//! | `reads`, `schedule` | what is read when, and what a refusal leads to |
//! | `want`, `level`, `pulse`, `beat`, `wear` | what is written when: set-points, one-shot actions, the heartbeat, flash memory |
//! | [`question`], [`fault`] | a request kept until it is answered; what can be wrong with a device |
//! | [`endpoint`] | several devices take turns on one connection |
//! | [`tcp`], `socket` | the thread |

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
mod socket;
pub mod tcp;
mod turn;
mod want;
mod wear;
