//! Modbus exceptions: how a device refuses, and what to do about it.
//!
//! Source: Modbus application protocol V1.1b3, section 7; code 7 is from older devices.

/// Why a device refuses a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Exception {
    /// 1: it does not know the function.
    #[error("exception 1, illegal function: the device does not know this kind of request, correct the profile")]
    IllegalFunction,
    /// 2: it does not have all of these addresses.
    #[error("exception 2, illegal data address: not all of these addresses exist, correct the profile")]
    IllegalAddress,
    /// 3: it does not take this value or quantity.
    #[error("exception 3, illegal data value: out of the device's range, or too many addresses at once")]
    IllegalValue,
    /// 4: it failed while doing it.
    #[error("exception 4, device failure")]
    DeviceFailure,
    /// 5: it accepted, and will take long.
    #[error("exception 5, acknowledge: accepted, the device needs time")]
    Acknowledge,
    /// 6: it is busy.
    #[error("exception 6, busy")]
    Busy,
    /// 7: it will not (devices of old standing).
    #[error("exception 7, negative acknowledge: the device will not do this")]
    NegativeAcknowledge,
    /// 8: its memory is damaged.
    #[error("exception 8, memory parity error")]
    MemoryParity,
    /// 10: the gateway has no way to this unit.
    #[error("exception 10, gateway path unavailable: the gateway does not serve this unit id")]
    GatewayPath,
    /// 11: the device behind the gateway is silent.
    #[error("exception 11, gateway target silent: the device behind the gateway does not answer")]
    GatewayTarget,
    /// Any other code.
    #[error("exception {0}, which the standard does not define")]
    Other(u8),
}

/// What to do about an exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// It will never be otherwise: stop asking for this block and show it.
    Permanent,
    /// We asked for something out of range: raise an alarm, and never repeat it with the same value.
    OurBug,
    /// It may pass: wait, then ask again.
    Transient,
    /// It is being done: do not repeat the write, look later.
    Accepted,
    /// This unit is not there, the connection to the gateway is fine: treat it as a silent device and back off.
    Gateway,
}

impl Exception {
    /// From the code on the wire.
    #[must_use]
    pub fn from_code(code: u8) -> Self {
        match code {
            1 => Self::IllegalFunction,
            2 => Self::IllegalAddress,
            3 => Self::IllegalValue,
            4 => Self::DeviceFailure,
            5 => Self::Acknowledge,
            6 => Self::Busy,
            7 => Self::NegativeAcknowledge,
            8 => Self::MemoryParity,
            10 => Self::GatewayPath,
            11 => Self::GatewayTarget,
            other => Self::Other(other),
        }
    }

    /// The code on the wire.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::IllegalFunction => 1,
            Self::IllegalAddress => 2,
            Self::IllegalValue => 3,
            Self::DeviceFailure => 4,
            Self::Acknowledge => 5,
            Self::Busy => 6,
            Self::NegativeAcknowledge => 7,
            Self::MemoryParity => 8,
            Self::GatewayPath => 10,
            Self::GatewayTarget => 11,
            Self::Other(code) => code,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn reaction(self) -> Reaction {
        match self {
            Self::IllegalFunction | Self::IllegalAddress => Reaction::Permanent,
            Self::IllegalValue | Self::NegativeAcknowledge => Reaction::OurBug,
            Self::Acknowledge => Reaction::Accepted,
            Self::GatewayPath | Self::GatewayTarget => Reaction::Gateway,
            Self::DeviceFailure | Self::Busy | Self::MemoryParity | Self::Other(_) => Reaction::Transient,
        }
    }
}
