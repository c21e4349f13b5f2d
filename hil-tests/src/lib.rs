//! A small battery site that exists only in memory, and the devices through which a controller sees it.
//!
//! - [`plant`] is the physics: battery, inverter, PV, load, grid, contactor and panel, advanced by `step(dt_s)`. It is
//!   pure: no clock, no thread, and the same bits for the same seed on every machine.
//! - [`device`] is what is on the wire: a meter, a storage inverter and an I/O module at Modbus PDU level, written from
//!   the makers' register facts. It imports no profile and nothing of the controller, so that a profile that is proven
//!   here is proven against something else than itself.
//! - [`fault`] makes a device ill while it runs: silent, slow, frozen, refusing.
//! - [`world`] holds plant and devices together; [`cabin`] is the site of the demonstration.
//! - [`server`] puts a device on a real TCP port. [`clock`] is the one file that reads a clock.
//!
//! Power is positive into the site's bus: grid import, discharge and PV are positive; a load's consumption is positive.

#![forbid(unsafe_code)]

pub mod cabin;
pub mod clock;
pub mod device;
pub mod fault;
pub mod oracle;
pub mod plant;
pub mod reference;
pub mod server;
pub mod virtual_site;
pub mod world;

mod frame;
mod rounding;
