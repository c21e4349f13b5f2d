//! Permit: an output may leave its safe value only while a device says that it is in one of the listed states.
//!
//! An inverter that is still starting cannot follow its set-point. Without a permit a control loop would go on asking for
//! more, and the inverter would begin with all of it at once.
//!
//! # Reads
//! `state`, a code.
//! # Limits
//! `power` (W) to its safe value unless the state is one of `permits`.
//! # When inputs are lost
//! Nothing is permitted.

use crate::program::{Placed, Program, Run, Scan};
use flyball_io_map::document::Spanned;
use flyball_io_map::image::output::Limit;
use flyball_io_map::image::{Code, Point, Real, Unit, Wiring};
use serde::Deserialize;

/// What the site file says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Its name in messages, causes and lists. Default: that of the program, which then must be the only one of its kind.
    pub name: Option<Spanned<String>>,
    /// The point that says what the device does.
    pub state: Spanned<String>,
    /// The states in which it can follow.
    pub permits: Spanned<Vec<Spanned<String>>>,
    /// The output that is limited, W.
    pub power: Spanned<String>,
}

/// Asks for the handles.
pub fn wire(settings: &Settings, site: &mut Wiring) -> Box<dyn Run> {
    if settings.permits.value.is_empty() {
        let help = Some("list the states in which the device can follow, like \"running\"".into());
        site.problem(settings.permits.span.clone(), "a permit without states permits nothing".into(), help);
    }
    let program = Permit {
        state: site.point(&settings.state, Unit::None),
        permits: settings.permits.value.iter().map(|name| site.code_value(&settings.state, name)).collect(),
        power: site.limit(&settings.power, Unit::W),
    };
    Placed::boxed(1, program)
}

struct Permit {
    state: Point<Code>,
    permits: Vec<u16>,
    power: Limit<Real>,
}

impl Program for Permit {
    type State = ();

    fn scan(&self, (): &mut (), scan: &mut Scan<'_>) {
        let permitted = scan.read(&self.state).is_ok_and(|state| self.permits.contains(&state));
        if permitted { scan.release(&self.power) } else { scan.allow_nothing(&self.power) }
    }
}

#[cfg(test)]
mod tests;
