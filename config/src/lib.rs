//! The site file: from RON text to a checked [`Site`], or every reason why not, each with line, column and a proposal.
//!
//! Two types for every file: what was typed (private, read by serde) and what it means ([`Site`]), made only by
//! [`Site::check`]. The check also does the arithmetic of [`timing`]: an impossible site is refused before it starts.
//!
//! **Invariant: nothing is started here.** No socket, no thread, no clock. [`load`] reads files; everything else is a
//! function of its arguments.

#![forbid(unsafe_code)]

mod check;
mod file;
mod load;
mod programs;
mod report;
mod site;
mod system;
pub mod timing;

pub use check::{ARM, Beside, RESET};
pub use file::{Arm, Realtime};
pub use load::{LoadError, load};
pub use report::{Faulty, Report};
pub use site::{
    Built, CommandDef, Device, DeviceOutput, Endpoint, ModbusServer, Mqtt, Overrun, ScanSettings, Site, Skips, Writer,
};
pub use system::SystemPoints;
