//! The units of the house. A profile converts into them; nothing behind the profile converts again.

use serde::Deserialize;
use std::fmt;

/// Unit of a point or output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub enum Unit {
    /// Active power, watts; positive into the site's bus.
    W,
    /// Reactive power, volt-amperes reactive; positive is injected.
    Var,
    /// Apparent power, volt-amperes.
    Va,
    /// Energy, watt-hours.
    Wh,
    /// Voltage, volts.
    V,
    /// Current, amperes; positive is discharge.
    A,
    /// Frequency, hertz.
    Hz,
    /// Temperature, degrees Celsius.
    DegC,
    /// Per cent, 0 to 100.
    Percent,
    /// Time, seconds.
    S,
    /// A plain number: counters, codes, flags, power factors.
    None,
}

impl Unit {
    /// How the unit is written on registers lists, pages and messages.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        match self {
            Self::W => "W",
            Self::Var => "var",
            Self::Va => "VA",
            Self::Wh => "Wh",
            Self::V => "V",
            Self::A => "A",
            Self::Hz => "Hz",
            Self::DegC => "°C",
            Self::Percent => "%",
            Self::S => "s",
            Self::None => "",
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::None { "no unit" } else { self.symbol() })
    }
}
