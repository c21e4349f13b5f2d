//! Devices as they are on the wire: what stands in a Modbus PDU, without sockets and without a clock.
//!
//! A device is asked with [`Device::answer`], which costs no allocation and well under a microsecond. Registers are
//! brought up to date when they are asked for, and only those.

pub mod em540;
pub mod panel;
pub mod sunspec;

mod bank;
mod pdu;
mod registers;

pub use pdu::{PDU_MAX, Pdu};

use crate::plant::Plant;

/// Whether a device says anything at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// An answer, maybe an exception, is in the buffer.
    Reply,
    /// Nothing comes back: another unit was meant.
    Silence,
}

/// How a device's registers are ill; see [`crate::fault::Fault`] for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ailment {
    /// Measured values and life counters stand still.
    pub values_frozen: bool,
    /// Life counters stand still.
    pub life_frozen: bool,
    /// Measured values read as "not implemented".
    pub not_implemented: bool,
    /// The words of values that are longer than one register are in the opposite order.
    pub words_rotated: bool,
}

/// A Modbus device over the plant.
pub trait Device: Send {
    /// Answers one request into `out`. Whatever stands in `pdu`, it does not panic.
    fn answer(&mut self, plant: &mut Plant, unit: u8, pdu: &[u8], out: &mut Pdu) -> Answer;

    /// Whether this unit is served here.
    fn serves(&self, unit: u8) -> bool;

    /// The ailment changed. A device that freezes does so with the values of this moment.
    fn suffer(&mut self, plant: &Plant, ailment: Ailment);
}
