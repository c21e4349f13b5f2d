//! External set-point: what SCADA, or another commander, wants, for as long as its lease lasts.
//!
//! # Reads
//! `command`, a command point (W): fresh while its lease is renewed.
//! # Demands
//! `power` at `rank`: place it above the program that should take over when the lease ends.
//! # When inputs are lost
//! No demand: the next lower rank takes over, or the output ramps out.

use crate::program::{Placed, Program, Run, Scan};
use flyball_io_map::document::Spanned;
use flyball_io_map::image::output::Demand;
use flyball_io_map::image::{Point, Real, Unit, Wiring};
use serde::Deserialize;

/// What the site file says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Its name in messages, causes and lists. Default: that of the program, which then must be the only one of its kind.
    pub name: Option<Spanned<String>>,
    /// Its own period, ms, a multiple of the scan period. Default: every scan.
    pub every_ms: Option<Spanned<u32>>,
    /// The command, W.
    pub command: Spanned<String>,
    /// The output that is demanded, W.
    pub power: Spanned<String>,
    /// Rank of the demand: above 0 to go before programs that say nothing of their rank.
    pub rank: u8,
}

/// Asks for the handles.
pub fn wire(settings: &Settings, site: &mut Wiring) -> Box<dyn Run> {
    let program = ExternalSetpoint {
        command: site.point(&settings.command, Unit::W),
        power: site.demand(&settings.power, Unit::W, settings.rank),
    };
    Placed::boxed(site.every(settings.every_ms.as_ref()), program)
}

struct ExternalSetpoint {
    command: Point<Real>,
    power: Demand<Real>,
}

impl Program for ExternalSetpoint {
    type State = ();

    fn scan(&self, (): &mut (), scan: &mut Scan<'_>) {
        let commanded_w = scan.read(&self.command).ok();
        scan.demand(&self.power, commanded_w);
    }
}

#[cfg(test)]
mod tests;
