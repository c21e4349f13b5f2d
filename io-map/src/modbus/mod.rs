//! Modbus without a socket: what goes out as bytes, and what makes an answer the answer to what was asked.
//!
//! [`pdu`] requests, [`reply`] their answers, [`exception`] how a device refuses, [`mbap`] the framing of Modbus TCP,
//! [`encoding`] and [`register`] from registers to numbers and back, [`plan`] which registers are read together,
//! [`sunspec`] finding a SunSpec device's models.
//!
//! **Invariant: nothing here waits, allocates per frame, or trusts a byte.** Whatever the other side sends is either the
//! answer that was asked for, a late one, or a typed error.
//!
//! Addresses are those of the wire: 0 to 65535 as they stand in the request, never 40001-style numbers.

pub mod encoding;
pub mod exception;
pub mod mbap;
pub mod pdu;
pub mod plan;
pub mod register;
pub mod reply;
pub mod sunspec;

pub use encoding::{Encoding, WordOrder, Words};
pub use exception::{Exception, Reaction};
pub use mbap::{Adu, Arrived, Client, FramingError};
pub use pdu::{Area, Pdu, Request, RequestError};
pub use plan::{Block, Poll};
pub use register::{Absent, Codec, EncodeError, ScaleFactor};
pub use reply::{Reply, ReplyError, Values};
pub use sunspec::{Discovery, DiscoveryError, Model, ModelTable};
