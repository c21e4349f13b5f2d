//! The programs that a site file can name. A program that is not listed here does not exist for sites.

use flyball_io_map::document::Spanned;
use flyball_io_map::image::Wiring;
use flyball_programs::Run;
use flyball_programs::{battery, grid, modes, safety};
use serde::Deserialize;

macro_rules! programs {
    ($($name:ident = $($path:ident)::+),+ $(,)?) => {
        /// One entry under `programs`.
        #[derive(Debug, Deserialize)]
        #[serde(rename = "Program")]
        pub(crate) enum ProgramFile {
            $($name($($path)::+::Settings),)+
        }

        impl ProgramFile {
            /// Its kind, as the site file writes it.
            pub(crate) fn kind(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => stringify!($name),)+
                }
            }

            /// The name that the site file gives it.
            pub(crate) fn given_name(&self) -> Option<&Spanned<String>> {
                match self {
                    $(Self::$name(settings) => settings.name.as_ref(),)+
                }
            }

            /// Asks the wiring for its handles.
            pub(crate) fn wire(&self, site: &mut Wiring) -> Box<dyn Run> {
                match self {
                    $(Self::$name(settings) => $($path)::+::wire(settings, site),)+
                }
            }
        }
    };
}

programs! {
    EmergencyStop = safety::emergency_stop,
    BatteryLimits = battery::limits,
    SelfConsumption = grid::self_consumption,
    ExternalSetpoint = modes::external_setpoint,
    Hold = modes::hold,
    Permit = safety::permit,
}
