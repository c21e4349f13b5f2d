//! Whether the device at the other end is the one the profile is about. Asked on every connect: addresses get mixed up,
//! and a device may be exchanged for another.

use crate::image::NoData;
use crate::modbus::{Codec, Request};

/// Something that must be true of the device.
#[derive(Clone, Debug)]
pub struct BoundIdentity {
    pub(super) request: Request<'static>,
    pub(super) expect: Expect,
}

#[derive(Clone, Debug)]
pub(super) enum Expect {
    Number { codec: Codec, range: (f64, f64) },
    Text(String),
}

/// It is another device.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum WrongDevice {
    /// A number outside its range.
    #[error("register {at:#06x} holds {found}, expected was {low} to {high}: another device, or another address")]
    Number {
        /// The register.
        at: u16,
        /// What it holds.
        found: f64,
        /// The least that was expected.
        low: f64,
        /// The most that was expected.
        high: f64,
    },
    /// No number at all.
    #[error("register {at:#06x} holds no number ({why}): another device, or another address")]
    NoNumber {
        /// The register.
        at: u16,
        /// Why.
        why: NoData,
    },
    /// Another text.
    #[error(
        "registers from {at:#06x} on hold {found:?}, expected was {expected:?}: another device, or another address"
    )]
    Text {
        /// The first register.
        at: u16,
        /// What they hold.
        found: String,
        /// What they should begin with.
        expected: String,
    },
}

impl BoundIdentity {
    /// What to ask the device for.
    #[must_use]
    pub fn request(&self) -> Request<'static> {
        self.request
    }

    /// Whether the answer is that of the right device.
    ///
    /// # Errors
    /// It is another one.
    pub fn check(&self, words: &[u16]) -> Result<(), WrongDevice> {
        let at = self.request.at();
        match &self.expect {
            Expect::Number { codec, range: (low, high) } => {
                let found = codec.decode(words).map_err(|why| WrongDevice::NoNumber { at, why })?;
                let right = *low <= found && found <= *high;
                if right { Ok(()) } else { Err(WrongDevice::Number { at, found, low: *low, high: *high }) }
            }
            Expect::Text(expected) => {
                let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_be_bytes()).take_while(|b| *b != 0).collect();
                let found = String::from_utf8_lossy(&bytes).trim_end().to_owned();
                let right = found.starts_with(expected);
                if right { Ok(()) } else { Err(WrongDevice::Text { at, found, expected: expected.clone() }) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modbus::{Area, Encoding};

    const REQUEST: Request<'static> = Request::Read { area: Area::Holding, at: 0x0B, count: 1 };

    #[test]
    fn a_device_with_another_number_is_another_device() {
        let expect = Expect::Number { codec: Codec::plain(Encoding::U16), range: (1744.0, 1763.0) };
        let identity = BoundIdentity { request: REQUEST, expect };
        assert_eq!([1743, 1744, 1763, 1764].map(|id| identity.check(&[id]).is_ok()), [false, true, true, false]);
        assert_eq!(
            identity.check(&[71]),
            Err(WrongDevice::Number { at: 0x0B, found: 71.0, low: 1744.0, high: 1763.0 })
        );
        assert!(matches!(identity.check(&[]), Err(WrongDevice::NoNumber { .. })));
    }

    #[test]
    fn a_text_is_compared_by_its_beginning() {
        let identity = BoundIdentity { request: REQUEST, expect: Expect::Text("AC".into()) };
        assert!(identity.check(&[0x4143, 0x4D45, 0, 0x5858]).is_ok());
        let found = "CA".to_owned();
        assert_eq!(identity.check(&[0x4341, 0]), Err(WrongDevice::Text { at: 0x0B, found, expected: "AC".into() }));
        assert!(identity.check(&[]).is_err());
    }
}
