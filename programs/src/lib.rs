//! Control: what the site does with what it knows. One idea per file; [`program`] says what a program is and may do.
//!
//! A program knows points and outputs by their handles and nothing else: no device, no bus, no clock, no I/O. It gets its
//! handles from the wiring when the site is loaded, speaks once a scan, and is forgotten before it speaks again.
//!
//! **Invariant: no I/O, no clock, no allocation in a scan.**

#![forbid(unsafe_code)]

pub mod battery;
#[cfg(test)]
mod bench;
pub mod blocks;
pub mod grid;
pub mod modes;
pub mod program;
pub mod safety;

pub use program::{Placed, Program, Run, Scan};
