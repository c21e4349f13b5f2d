//! Modbus TCP frames out of a byte stream that cuts and joins them as it likes (MODBUS Messaging on TCP/IP 1.0b,
//! 3.1.3).

use crate::device::{PDU_MAX, Pdu};

/// Transaction id, protocol id, length, unit id.
pub(crate) const HEADER: usize = 7;
/// Most bytes of a frame.
pub(crate) const FRAME_MAX: usize = HEADER + PDU_MAX;

/// One frame.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) transaction: [u8; 2],
    pub(crate) unit: u8,
    pub(crate) pdu: Pdu,
}

/// The stream is not Modbus TCP (protocol id not 0, or a length no frame has): it cannot be understood any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotModbus;

/// Bytes that have come and are not used yet.
#[derive(Debug)]
pub(crate) struct Stream {
    bytes: [u8; 2 * FRAME_MAX],
    len: usize,
}

impl Stream {
    pub(crate) fn new() -> Self {
        Self { bytes: [0; 2 * FRAME_MAX], len: 0 }
    }

    /// Room for more bytes. It is never empty after [`Stream::next`] has answered `None`.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        &mut self.bytes[self.len..]
    }

    /// So many bytes were put into the room.
    pub(crate) fn filled(&mut self, count: usize) {
        self.len = self.bytes.len().min(self.len + count);
    }

    /// The next whole frame, if there is one.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>, NotModbus> {
        let [t0, t1, p0, p1, l0, l1, unit, ..] = self.bytes;
        if self.len < HEADER {
            return Ok(None);
        }
        // The length counts the unit id and a PDU of at least a function code.
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        if [p0, p1] != [0, 0] || !(2..=1 + PDU_MAX).contains(&length) {
            return Err(NotModbus);
        }
        let end = HEADER - 1 + length;
        let Some(frame) = self.bytes.get(..self.len).and_then(|bytes| bytes.get(HEADER..end)) else {
            return Ok(None);
        };
        let pdu = Pdu::from_slice(frame).ok_or(NotModbus)?;
        self.bytes.copy_within(end..self.len, 0);
        self.len -= end;
        Ok(Some(Frame { transaction: [t0, t1], unit, pdu }))
    }
}

/// The bytes of a frame, and how many they are.
pub(crate) fn encode(frame: &Frame) -> ([u8; FRAME_MAX], usize) {
    let pdu = frame.pdu.as_slice();
    let mut bytes = [0; FRAME_MAX];
    let length = u16::try_from(pdu.len() + 1).unwrap_or(0).to_be_bytes();
    let [t0, t1] = frame.transaction;
    bytes[..HEADER].copy_from_slice(&[t0, t1, 0, 0, length[0], length[1], frame.unit]);
    bytes[HEADER..HEADER + pdu.len()].copy_from_slice(pdu);
    (bytes, HEADER + pdu.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Feeds `bytes` in pieces of these lengths, and says what came out.
    fn feed(bytes: &[u8], pieces: &[usize]) -> Result<Vec<(u8, Vec<u8>)>, NotModbus> {
        let mut stream = Stream::new();
        let mut frames = Vec::new();
        let mut lengths = pieces.iter().cycle();
        let mut rest = bytes;
        while !rest.is_empty() {
            let room = stream.room();
            let count = rest.len().min(room.len()).min(*lengths.next().unwrap());
            assert!(count > 0, "no room in a stream without a whole frame");
            room[..count].copy_from_slice(&rest[..count]);
            stream.filled(count);
            rest = &rest[count..];
            while let Some(frame) = stream.next()? {
                frames.push((frame.unit, frame.pdu.as_slice().to_vec()));
            }
        }
        Ok(frames)
    }

    fn frame(transaction: u16, unit: u8, pdu: &[u8]) -> Vec<u8> {
        let pdu = Pdu::from_slice(pdu).unwrap();
        let (bytes, len) = encode(&Frame { transaction: transaction.to_be_bytes(), unit, pdu });
        bytes[..len].to_vec()
    }

    #[test]
    fn a_stream_that_is_not_modbus_is_given_up() {
        for bytes in [[0, 1, 0, 1, 0, 6, 1], [0, 1, 0, 0, 0, 1, 1], [0, 1, 0, 0, 0, 255, 1], [0, 1, 0, 0, 0, 0, 1]] {
            assert_eq!(feed(&bytes, &[7]).unwrap_err(), NotModbus, "{bytes:02x?}");
        }
    }

    proptest! {
        #[test]
        fn cutting_and_joining_changes_no_frame(
            pdus in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..=PDU_MAX), 1..8),
            pieces in proptest::collection::vec(1_usize..600, 1..20),
        ) {
            let sent: Vec<_> = pdus.iter().zip(1_u8..).map(|(pdu, unit)| (unit, pdu.clone())).collect();
            let bytes: Vec<u8> = sent.iter().flat_map(|(unit, pdu)| frame(7, *unit, pdu)).collect();
            prop_assert_eq!(feed(&bytes, &pieces).unwrap(), sent);
        }

        #[test]
        fn no_bytes_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..2000),
            pieces in proptest::collection::vec(1_usize..600, 1..20),
        ) {
            let _ = feed(&bytes, &pieces);
        }
    }
}
