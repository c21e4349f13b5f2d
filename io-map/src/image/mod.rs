//! The process image: points with their readings, outputs with what is said about them, and the wiring that hands out
//! the handles through which programs reach both.
//!
//! **Invariant: handles are capabilities.** Only [`wiring::Wiring`] makes them, and making one is the check.

pub mod choice;
pub mod group;
pub mod output;
pub mod outputs;
pub mod point;
pub mod pulse;
pub mod reading;
pub mod unit;
pub mod wiring;

pub use choice::Choice;
pub use output::{Applied, By, Cause};
pub use outputs::Outputs;
pub use point::{Code, Computed, Flag, Kind, Point, PointDef, Real, ValueKind};
pub use pulse::Pulse;
pub use reading::{NoData, Reading, ScanTime};
pub use unit::Unit;
pub use wiring::Wiring;
