//! Hold: demand one value of a choice output, always. Limits and the site's arming decide when it acts.
//!
//! # Demands
//! `output` at `rank`: the value, in every scan. It reads nothing, so it loses nothing.

use crate::program::{Placed, Program, Run, Scan};
use flyball_io_map::document::Spanned;
use flyball_io_map::image::Wiring;
use flyball_io_map::image::choice::Choice;
use flyball_io_map::image::output::Demand;
use serde::Deserialize;

/// What the site file says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Its name in messages, causes and lists. Default: that of the program, which then must be the only one of its kind.
    pub name: Option<Spanned<String>>,
    /// The choice output.
    pub output: Spanned<String>,
    /// One of its values.
    pub value: Spanned<String>,
    /// Rank of the demand.
    #[serde(default)]
    pub rank: u8,
}

/// Asks for the handle.
pub fn wire(settings: &Settings, site: &mut Wiring) -> Box<dyn Run> {
    let value = site.choice_value(&settings.output, &settings.value);
    Placed::boxed(1, Hold { output: site.demand_choice(&settings.output, settings.rank), value })
}

struct Hold {
    output: Demand<Choice>,
    value: u8,
}

impl Program for Hold {
    type State = ();

    fn scan(&self, (): &mut (), scan: &mut Scan<'_>) {
        scan.demand(&self.output, self.value);
    }
}

#[cfg(test)]
mod tests;
