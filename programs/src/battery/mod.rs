//! Batteries: what they allow.

pub mod limits;
