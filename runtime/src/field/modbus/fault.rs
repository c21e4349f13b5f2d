//! Why a device is not online, or not doing what it is told.

use flyball_io_map::image::NoData;
use flyball_io_map::modbus::ReplyError;
use flyball_io_map::modbus::sunspec::DiscoveryError;
use flyball_io_map::modbus::{EncodeError, Exception, FramingError};
use flyball_io_map::profile::{BindError, NotTaken, WrongDevice};

/// Why a request has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkFault {
    /// None within the time-out.
    #[error("no answer in time")]
    Timeout,
    /// The connection is gone.
    #[error("the connection is gone")]
    Disconnected,
    /// What came is not Modbus TCP; the connection was dropped.
    #[error(transparent)]
    Framing(FramingError),
    /// Another unit answers.
    #[error("unit {got} answers where unit {asked} was asked: the gateway confuses its devices")]
    WrongUnit {
        /// The unit that was asked.
        asked: u8,
        /// The unit that answers.
        got: u8,
    },
}

/// What is wrong with a device.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Fault {
    /// Nothing was heard for too long.
    #[error("silent: check its power, its address, its unit id and the network")]
    Silent,
    /// The connection failed.
    #[error(transparent)]
    Link(LinkFault),
    /// Three answers in a row were not those to the question.
    #[error("answers what it was not asked: {0}")]
    BadAnswer(ReplyError),
    /// It is not the SunSpec device that is needed.
    #[error(transparent)]
    Discovery(DiscoveryError),
    /// The profile does not fit it.
    #[error(transparent)]
    Bind(BindError),
    /// It is another device.
    #[error(transparent)]
    WrongDevice(WrongDevice),
    /// It refuses something that cannot be done without.
    #[error("refuses register {at:#06x}: {exception}")]
    Refused {
        /// The first register.
        at: u16,
        /// Its answer.
        exception: Exception,
    },
    /// A write was acknowledged and not taken.
    #[error(transparent)]
    NotTaken(NotTaken),
    /// What the connect sequence wrote is not there any more: it restarted, or somebody else writes to it.
    #[error("has lost a setting, as after a restart, or by another master: {0}")]
    SettingLost(NotTaken),
    /// It restarted: a counter that only goes up went back.
    #[error("has restarted: `{point}` went back")]
    Restarted {
        /// The counter.
        point: String,
    },
    /// Its sign of life does not move.
    #[error("answers, but its sign of life `{point}` does not move: it hangs")]
    LifeStill {
        /// The point.
        point: String,
    },
    /// A limit without which no set-point may be written.
    #[error("its limit `{point}` is not known: {why}")]
    LimitMissing {
        /// The point.
        point: String,
        /// Why.
        why: NoData,
    },
    /// A scale factor changed, so that values read before may be wrong by powers of ten.
    #[error("the scale factor in register {at:#06x} has changed")]
    ScaleChanged {
        /// Its register.
        at: u16,
    },
    /// What it should do cannot be said in its registers.
    #[error("{what}: {error}")]
    CannotWrite {
        /// The writable's name, or which connect write.
        what: String,
        /// Why not.
        error: EncodeError,
    },
    /// A register in flash memory was written as often as it stands.
    #[error("register {at:#06x} lies in flash memory and had its writes of the day: have it written less often")]
    WornOut {
        /// The first register.
        at: u16,
    },
}

impl Fault {
    /// A stable small number for status words; 0 is never used (it means "none").
    #[must_use]
    pub fn code(&self) -> u64 {
        match self {
            Self::Silent => 1,
            Self::Link(_) => 2,
            Self::BadAnswer(_) => 3,
            Self::Discovery(_) => 4,
            Self::Bind(_) => 5,
            Self::WrongDevice(_) => 6,
            Self::Refused { .. } => 7,
            Self::NotTaken(_) => 8,
            Self::SettingLost(_) => 9,
            Self::Restarted { .. } => 10,
            Self::LimitMissing { .. } => 11,
            Self::ScaleChanged { .. } => 12,
            Self::CannotWrite { .. } => 13,
            Self::WornOut { .. } => 14,
            Self::LifeStill { .. } => 15,
        }
    }

    /// The word for a code, for pages that have only the number.
    #[must_use]
    pub fn name(code: u64) -> &'static str {
        match code {
            0 => "none",
            1 => "silent",
            2 => "connection lost",
            3 => "answers what it was not asked",
            4 => "not the SunSpec device needed",
            5 => "profile does not fit",
            6 => "another device",
            7 => "refuses",
            8 => "write not taken",
            9 => "setting lost",
            10 => "restarted",
            11 => "limit not known",
            12 => "scale factor changed",
            13 => "cannot be written",
            14 => "wear budget used up",
            15 => "no sign of life",
            _ => "unknown",
        }
    }
}
