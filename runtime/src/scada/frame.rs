//! Modbus TCP framing of requests: a header of seven bytes (transaction, protocol 0, length, unit), then the PDU.
//!
//! A stream that breaks these rules has no way back, and its connection is dropped without an answer.
//!
//! Source: Modbus messaging on TCP/IP implementation guide V1.0b.

/// The longest frame: 7 bytes of header and a PDU of 253.
pub const ADU_MAX: usize = 260;

const HEADER: usize = 7;
/// The length field counts the unit id and the PDU, which is a function code at least.
const LENGTHS: std::ops::RangeInclusive<u16> = 2..=254;

/// One whole frame, its header checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    adu: &'a [u8],
}

/// The stream is not Modbus TCP, or out of step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The protocol id is not 0.
    #[error("protocol id {0:#06x} where 0 belongs: the peer does not speak Modbus TCP")]
    Protocol(u16),
    /// No PDU is so long.
    #[error("frame length {0} where 2 to 254 belong: the peer's stream is out of step")]
    Length(u16),
}

impl<'a> Frame<'a> {
    /// The frame that `bytes` begin with; `None` while it is not whole.
    ///
    /// # Errors
    /// The header is broken, as soon as the bytes that show it are there.
    pub fn first(bytes: &'a [u8]) -> Result<Option<Self>, Broken> {
        if let [_, _, high, low, ..] = *bytes
            && (high, low) != (0, 0)
        {
            return Err(Broken::Protocol(u16::from_be_bytes([high, low])));
        }
        let [_, _, _, _, high, low, ..] = *bytes else {
            return Ok(None);
        };
        let length = u16::from_be_bytes([high, low]);
        if !LENGTHS.contains(&length) {
            return Err(Broken::Length(length));
        }
        Ok(bytes.get(..HEADER - 1 + usize::from(length)).map(|adu| Self { adu }))
    }

    /// All of it, 8 to [`ADU_MAX`] bytes.
    #[must_use]
    pub fn adu(&self) -> &'a [u8] {
        self.adu
    }

    /// The transaction id, which the answer repeats.
    #[must_use]
    pub fn transaction(&self) -> [u8; 2] {
        [self.adu[0], self.adu[1]]
    }

    /// The unit id.
    #[must_use]
    pub fn unit(&self) -> u8 {
        self.adu[HEADER - 1]
    }

    /// The function code.
    #[must_use]
    pub fn function(&self) -> u8 {
        self.adu[HEADER]
    }

    /// Function code and data, 1 to 253 bytes.
    #[must_use]
    pub fn pdu(&self) -> &'a [u8] {
        &self.adu[HEADER..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_field_is_either_a_frame_or_a_broken_stream() {
        let mut bytes = vec![0; usize::from(u16::MAX) + 7];
        for length in 0..=u16::MAX {
            bytes[4..6].copy_from_slice(&length.to_be_bytes());
            match Frame::first(&bytes) {
                Ok(Some(frame)) => {
                    assert!((2..=254).contains(&length) && frame.adu().len() == 6 + usize::from(length), "{length}");
                    assert_eq!(frame.pdu().len(), usize::from(length) - 1);
                }
                other => assert_eq!(other, Err(Broken::Length(length))),
            }
        }
    }

    #[test]
    fn a_foreign_protocol_is_seen_at_its_fourth_byte() {
        assert_eq!(Frame::first(b"GET"), Ok(None));
        assert_eq!(Frame::first(b"GET "), Err(Broken::Protocol(0x5420)));
    }

    #[test]
    fn half_a_frame_is_no_frame() {
        let whole = [0, 9, 0, 0, 0, 6, 1, 3, 0, 5, 0, 2];
        for end in 0..whole.len() {
            assert_eq!(Frame::first(&whole[..end]), Ok(None), "{end} bytes");
        }
        let frame = Frame::first(&whole).unwrap().unwrap();
        assert_eq!(
            (frame.transaction(), frame.unit(), frame.function(), frame.pdu()),
            ([0, 9], 1, 3, &[3, 0, 5, 0, 2][..])
        );
    }
}
