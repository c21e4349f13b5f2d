//! What the controller knows of the plant and what it may say about it.
//!
//! Two halves. The *image* half ([`image`]) is what control sees: points with readings, outputs with statements.
//! The *device* half ([`modbus`], [`profile`]) is how bytes become values: register codecs, block planning and device
//! profiles as data. `programs` uses the image half only. [`document`] reads RON with places, for profiles and site files.
//!
//! **Invariant: no socket, no clock, no control.** Nothing in this crate performs I/O or reads time.

#![forbid(unsafe_code)]

pub mod document;
pub mod image;
pub mod modbus;
pub mod profile;
pub mod real;
