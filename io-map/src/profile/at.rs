//! Where a value lies on a device.

use crate::modbus::Area;
use serde::Deserialize;
use std::fmt;

/// The address of a register or bit, as it stands on the wire (0 to 65535), or relative to a SunSpec model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
pub enum At {
    /// A coil.
    Coil(u16),
    /// A discrete input.
    Discrete(u16),
    /// A holding register.
    Holding(u16),
    /// An input register.
    Input(u16),
    /// A holding register of the first SunSpec model with this id, counted from the model's own id register: the id is at
    /// 0, the length at 1, the first point at 2.
    SunSpec(u16, u16),
}

impl At {
    /// Which address space.
    #[must_use]
    pub const fn area(self) -> Area {
        match self {
            Self::Coil(_) => Area::Coil,
            Self::Discrete(_) => Area::Discrete,
            Self::Holding(_) | Self::SunSpec(..) => Area::Holding,
            Self::Input(_) => Area::Input,
        }
    }

    /// The SunSpec model it belongs to.
    #[must_use]
    pub const fn model(self) -> Option<u16> {
        match self {
            Self::SunSpec(model, _) => Some(model),
            _ => None,
        }
    }

    /// The address, or the offset in its model.
    #[must_use]
    pub const fn offset(self) -> u16 {
        match self {
            Self::Coil(at) | Self::Discrete(at) | Self::Holding(at) | Self::Input(at) | Self::SunSpec(_, at) => at,
        }
    }

    /// Whether two values of these lengths share an address.
    #[must_use]
    pub fn overlaps(self, len: u16, other: Self, other_len: u16) -> bool {
        let (a, b) = (u32::from(self.offset()), u32::from(other.offset()));
        (self.area(), self.model()) == (other.area(), other.model())
            && a < b + u32::from(other_len)
            && b < a + u32::from(len)
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SunSpec(model, offset) => write!(f, "SunSpec model {model} offset {offset}"),
            _ => write!(f, "{} {:#06x}", self.area(), self.offset()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_overlap_only_in_one_area_and_model() {
        assert!(At::Holding(4).overlaps(2, At::Holding(5), 1));
        assert!(!At::Holding(4).overlaps(2, At::Holding(6), 1));
        assert!(!At::Holding(4).overlaps(2, At::Input(4), 2));
        assert!(!At::SunSpec(701, 4).overlaps(2, At::SunSpec(702, 4), 2));
        assert!(!At::SunSpec(701, 4).overlaps(2, At::Holding(4), 2));
        assert!(At::Holding(65_535).overlaps(4, At::Holding(65_535), 1));
    }
}
