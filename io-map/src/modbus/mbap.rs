//! Modbus TCP framing: a header of seven bytes (transaction, protocol 0, length, unit) before each PDU.
//!
//! A byte stream has no frames of its own: an answer may come a byte at a time, or two answers in one segment.
//! [`Client::take`] puts frames together in a buffer of 260 bytes and matches them to what was asked. A stream whose
//! framing is broken has no way back: the connection must be dropped.
//!
//! **One request is in flight per connection**, since many small devices accept no more.
//!
//! Source: Modbus messaging on TCP/IP implementation guide V1.0b.

use super::pdu::{PDU_MAX, Pdu, Request, RequestError};

const HEADER: usize = 7;
/// The longest frame, bytes.
pub const ADU_MAX: usize = HEADER + PDU_MAX;

/// A frame ready to be sent.
#[derive(Clone, Debug)]
pub struct Adu {
    bytes: [u8; ADU_MAX],
    len: usize,
}

impl Adu {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: [0; ADU_MAX], len: 0 }
    }

    /// What is in it.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Puts `pdu` behind its header, whatever was in there.
    pub fn frame(&mut self, transaction: u16, unit: u8, pdu: &Pdu) {
        let pdu = pdu.as_bytes();
        let length = u16::try_from(pdu.len() + 1).expect("a PDU has at most 253 bytes");
        self.bytes[..2].copy_from_slice(&transaction.to_be_bytes());
        self.bytes[2..4].copy_from_slice(&[0, 0]);
        self.bytes[4..6].copy_from_slice(&length.to_be_bytes());
        self.bytes[6] = unit;
        self.len = HEADER + pdu.len();
        self.bytes[HEADER..self.len].copy_from_slice(pdu);
    }
}

impl Default for Adu {
    fn default() -> Self {
        Self::new()
    }
}

/// One whole frame as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The transaction id.
    pub transaction: u16,
    /// The unit id.
    pub unit: u8,
    /// Function and data, 1 to 253 bytes.
    pub pdu: &'a [u8],
}

/// The stream is not Modbus TCP (any more): drop the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// The protocol id is not 0.
    #[error("protocol id {0:#06x} where 0 belongs: the other side speaks no Modbus TCP, drop the connection")]
    Protocol(u16),
    /// The length is below 2 (unit and function) or above 254 (unit and 253 bytes).
    #[error("frame length {0} where 2 to 254 belong: the stream is out of step, drop the connection")]
    Length(u16),
}

/// Puts frames together from a byte stream. Holds at most one frame.
#[derive(Clone, Debug)]
pub struct Assembler {
    bytes: [u8; ADU_MAX],
    len: usize,
    whole: bool,
}

impl Assembler {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: [0; ADU_MAX], len: 0, whole: false }
    }

    /// Takes from the front of `input` what belongs to the next frame, and gives the frame once it is whole. Call again
    /// until `input` is empty.
    ///
    /// # Errors
    /// The stream is broken, at the first byte that shows it. It stays broken.
    pub fn take(&mut self, input: &mut &[u8]) -> Result<Option<Frame<'_>>, FramingError> {
        if self.whole {
            (self.len, self.whole) = (0, false);
        }
        loop {
            let needed = self.needed()?;
            if self.len == needed {
                break;
            }
            let Some((byte, rest)) = input.split_first() else {
                return Ok(None);
            };
            self.bytes[self.len] = *byte;
            self.len += 1;
            *input = rest;
        }
        self.whole = true;
        let [t0, t1, _, _, _, _, unit, ..] = self.bytes;
        Ok(Some(Frame { transaction: u16::from_be_bytes([t0, t1]), unit, pdu: &self.bytes[HEADER..self.len] }))
    }

    /// How long the frame is, as far as its bytes so far say; at least one more than there are if the length is not known.
    fn needed(&self) -> Result<usize, FramingError> {
        let [_, _, p0, p1, l0, l1, ..] = self.bytes;
        let (protocol, length) = (u16::from_be_bytes([p0, p1]), u16::from_be_bytes([l0, l1]));
        if self.len >= 4 && protocol != 0 {
            return Err(FramingError::Protocol(protocol));
        }
        if self.len < 6 {
            return Ok(HEADER);
        }
        if !(2..=254).contains(&length) {
            return Err(FramingError::Length(length));
        }
        Ok(HEADER - 1 + usize::from(length))
    }
}

impl Default for Assembler {
    fn default() -> Self {
        Self::new()
    }
}

/// What came from the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrived<'a> {
    /// The answer to the request in flight, which is thereby over. [`Request::check_reply`] tells whether it fits.
    Answer(&'a [u8]),
    /// An answer to an earlier request, after its time-out. It is dropped; the connection is in order.
    Late {
        /// Its transaction id.
        transaction: u16,
    },
    /// Our transaction, but another unit: a gateway confuses its devices. The request is over without an answer.
    WrongUnit {
        /// The unit that was asked.
        asked: u8,
        /// The unit that answers.
        got: u8,
    },
}

/// One end of one connection: numbers requests and matches answers. A new connection needs a new one.
#[derive(Clone, Debug, Default)]
pub struct Client {
    assembler: Assembler,
    transaction: u16,
    in_flight: Option<u8>,
    pdu: Pdu,
}

impl Client {
    /// For a new connection.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a request into `out` under a fresh transaction id. An earlier request that is still in flight is given up.
    ///
    /// # Errors
    /// The request is impossible; `out` is then not to be sent.
    pub fn ask(&mut self, unit: u8, request: &Request<'_>, out: &mut Adu) -> Result<(), RequestError> {
        request.encode(&mut self.pdu)?;
        self.transaction = self.transaction.wrapping_add(1);
        self.in_flight = Some(unit);
        out.frame(self.transaction, unit, &self.pdu);
        Ok(())
    }

    /// After a time-out: whatever comes for that request now is late.
    pub fn give_up(&mut self) {
        self.in_flight = None;
    }

    /// Whether an answer is awaited.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.in_flight.is_some()
    }

    /// Takes bytes off the front of `input`, up to the end of one frame. Call again until `input` is empty.
    ///
    /// # Errors
    /// The stream is broken: drop the connection.
    pub fn take(&mut self, input: &mut &[u8]) -> Result<Option<Arrived<'_>>, FramingError> {
        let Some(frame) = self.assembler.take(input)? else {
            return Ok(None);
        };
        let Some(asked) = self.in_flight.filter(|_| frame.transaction == self.transaction) else {
            return Ok(Some(Arrived::Late { transaction: frame.transaction }));
        };
        self.in_flight = None;
        if frame.unit != asked {
            return Ok(Some(Arrived::WrongUnit { asked, got: frame.unit }));
        }
        Ok(Some(Arrived::Answer(frame.pdu)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::pdu::Area;
    use super::*;
    use proptest::prelude::*;

    fn frame(transaction: u16, unit: u8, pdu: &[u8]) -> Vec<u8> {
        let mut bytes = transaction.to_be_bytes().to_vec();
        bytes.extend([0, 0]);
        bytes.extend(u16::try_from(pdu.len() + 1).expect("short").to_be_bytes());
        bytes.push(unit);
        bytes.extend(pdu);
        bytes
    }

    /// Everything an assembler makes of these segments.
    fn assembled(segments: &[&[u8]]) -> Result<Vec<(u16, u8, Vec<u8>)>, FramingError> {
        let (mut assembler, mut frames) = (Assembler::new(), Vec::new());
        for segment in segments {
            let mut input = *segment;
            while let Some(f) = assembler.take(&mut input)? {
                frames.push((f.transaction, f.unit, f.pdu.to_vec()));
            }
        }
        Ok(frames)
    }

    fn asked(client: &mut Client, unit: u8) -> Adu {
        let mut out = Adu::new();
        client.ask(unit, &Request::Read { area: Area::Holding, at: 0, count: 1 }, &mut out).expect("a legal request");
        out
    }

    #[test]
    fn a_request_is_the_bytes_of_the_guide() {
        let mut client = Client::new();
        let mut out = Adu::new();
        client.ask(255, &Request::Read { area: Area::Holding, at: 5, count: 1 }, &mut out).expect("legal");
        assert_eq!(out.as_bytes(), [0, 1, 0, 0, 0, 6, 255, 3, 0, 5, 0, 1]);
    }

    #[test]
    fn two_frames_come_whole_wherever_the_stream_is_cut() {
        let (a, b) = (frame(7, 1, &[3, 4, 0, 1, 0, 2]), frame(8, 2, &[0x83, 2]));
        let stream: Vec<u8> = a.iter().chain(&b).copied().collect();
        let expected = Ok(vec![(7, 1, vec![3, 4, 0, 1, 0, 2]), (8, 2, vec![0x83, 2])]);
        for first in 0..=stream.len() {
            for second in first..=stream.len() {
                let segments = [&stream[..first], &stream[first..second], &stream[second..]];
                assert_eq!(assembled(&segments), expected, "cut at {first} and {second}");
            }
        }
        let single: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(assembled(&single), expected);
    }

    #[test]
    fn half_a_frame_is_no_frame() {
        let stream = frame(7, 1, &[3, 2, 0, 1]);
        for end in 0..stream.len() {
            assert_eq!(assembled(&[&stream[..end]]), Ok(vec![]), "after {end} bytes");
        }
    }

    #[test]
    fn a_foreign_protocol_is_seen_at_its_fourth_byte_and_stays() {
        let mut assembler = Assembler::new();
        assert_eq!(assembler.take(&mut b"HTTP".as_slice()), Err(FramingError::Protocol(0x5450)));
        let good = frame(1, 1, &[3, 2, 0, 1]);
        assert!(assembler.take(&mut good.as_slice()).is_err(), "a broken stream has no way back");
    }

    #[test]
    fn an_impossible_length_breaks_the_stream() {
        for length in (0..2).chain(255..=u16::MAX) {
            let [high, low] = length.to_be_bytes();
            assert_eq!(assembled(&[&[0, 1, 0, 0, high, low]]), Err(FramingError::Length(length)));
        }
        for length in 2u8..=254 {
            let pdu = vec![3; usize::from(length) - 1];
            assert_eq!(assembled(&[&frame(1, 1, &pdu)]), Ok(vec![(1, 1, pdu)]));
        }
    }

    #[test]
    fn a_late_answer_is_reported_and_the_next_one_counts() {
        let mut client = Client::new();
        asked(&mut client, 1);
        client.give_up();
        asked(&mut client, 1);
        let (late, own) = (frame(1, 1, &[3, 2, 0, 1]), frame(2, 1, &[3, 2, 0, 2]));
        assert_eq!(client.take(&mut late.as_slice()), Ok(Some(Arrived::Late { transaction: 1 })));
        assert!(client.is_waiting());
        assert_eq!(client.take(&mut own.as_slice()), Ok(Some(Arrived::Answer(&[3, 2, 0, 2]))));
        assert!(!client.is_waiting());
        assert_eq!(client.take(&mut own.as_slice()), Ok(Some(Arrived::Late { transaction: 2 })), "a doubled answer");
    }

    #[test]
    fn an_answer_after_giving_up_is_late_even_if_nothing_new_was_asked() {
        let mut client = Client::new();
        asked(&mut client, 1);
        client.give_up();
        let late = frame(1, 1, &[3, 2, 0, 1]);
        assert_eq!(client.take(&mut late.as_slice()), Ok(Some(Arrived::Late { transaction: 1 })));
    }

    #[test]
    fn an_answer_of_another_unit_is_none() {
        let mut client = Client::new();
        asked(&mut client, 3);
        let other = frame(1, 4, &[3, 2, 0, 1]);
        assert_eq!(client.take(&mut other.as_slice()), Ok(Some(Arrived::WrongUnit { asked: 3, got: 4 })));
        assert!(!client.is_waiting());
    }

    #[test]
    fn transaction_ids_wrap() {
        let mut client = Client { transaction: u16::MAX, ..Client::new() };
        assert_eq!(asked(&mut client, 1).as_bytes()[..2], [0, 0]);
    }

    proptest! {
        #[test]
        fn no_stream_makes_it_panic(segments in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..400), 0..8)) {
            let segments: Vec<&[u8]> = segments.iter().map(Vec::as_slice).collect();
            let _ = assembled(&segments);
        }

        #[test]
        fn frames_come_whole_however_they_are_cut(
            frames in proptest::collection::vec((any::<u16>(), any::<u8>(), proptest::collection::vec(any::<u8>(), 1..=253)), 1..6),
            cut in 1usize..300,
        ) {
            let stream: Vec<u8> = frames.iter().flat_map(|(t, u, pdu)| frame(*t, *u, pdu)).collect();
            let segments: Vec<&[u8]> = stream.chunks(cut).collect();
            prop_assert_eq!(assembled(&segments), Ok(frames));
        }
    }
}
