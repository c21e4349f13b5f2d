//! A stream cut anywhere gives the same answers, and every way of being slow ends at its deadline.

use super::*;
use proptest::prelude::*;

const IDLE_MS: u32 = 60_000;
const REQUEST: [u8; 12] = [0, 9, 0, 0, 0, 6, 1, 3, 0, 5, 0, 2];

fn client(now_ms: u64) -> Connection {
    Connection::new(IpAddr::from([192, 0, 2, 1]), IDLE_MS, now_ms * MS)
}

/// Answers with the transaction id and how long the request was.
fn serve(frame: Frame<'_>, _: IpAddr, reply: &mut Reply) -> bool {
    reply.clear();
    reply
        .extend_from_slice(&[frame.transaction()[0], frame.transaction()[1], frame.pdu().len().to_be_bytes()[7]])
        .unwrap();
    frame.unit() == 1
}

fn give(client: &mut Connection, mut bytes: &[u8], now_ms: u64) -> Vec<u8> {
    let mut answers = Vec::new();
    loop {
        let taken = client.spare().len().min(bytes.len());
        if taken > 0 {
            client.spare()[..taken].copy_from_slice(&bytes[..taken]);
            client.received(taken, now_ms * MS);
            bytes = &bytes[taken..];
        }
        client.turn(now_ms * MS, serve);
        answers.extend_from_slice(client.outgoing());
        client.delivered(client.outgoing().len(), now_ms * MS);
        if bytes.is_empty() && !client.has_request() || client.over(now_ms * MS).is_some() {
            return answers;
        }
        assert!(client.has_request() || client.listens(), "stuck with {} bytes", bytes.len());
    }
}

fn over(client: &Connection, at_ms: u64) -> Option<Over> {
    client.over(at_ms * MS)
}

#[test]
fn a_request_cut_at_every_byte_is_answered_once() {
    for cut in 0..=REQUEST.len() {
        let mut client = client(0);
        let mut answers = give(&mut client, &REQUEST[..cut], 0);
        answers.extend(give(&mut client, &REQUEST[cut..], 1));
        assert_eq!(answers, [0, 9, 5], "cut at {cut}");
    }
}

#[test]
fn a_hundred_requests_in_one_segment_are_answered_in_order_one_a_turn() {
    let stream: Vec<u8> = (0..100).flat_map(|tid| [&[0, tid][..], &REQUEST[2..]].concat()).collect();
    let mut client = client(0);
    let mut rest = &stream[..];
    for tid in 0..100 {
        let taken = client.spare().len().min(rest.len());
        client.spare()[..taken].copy_from_slice(&rest[..taken]);
        if taken > 0 {
            client.received(taken, 0);
        }
        rest = &rest[taken..];
        client.turn(0, serve);
        client.turn(0, |_, _, _| panic!("a second request before the first answer has left"));
        assert_eq!(client.outgoing(), [0, tid, 5]);
        assert!(client.spare().is_empty(), "nothing is read while an answer waits");
        client.delivered(1, 0);
        client.delivered(2, 0);
    }
    assert!(rest.is_empty() && !client.has_request());
}

#[test]
fn one_byte_a_second_ends_at_the_request_deadline() {
    let mut client = client(0);
    assert!(give(&mut client, &REQUEST[..1], 5_000).is_empty());
    assert_eq!(client.deadline_ns(), Some(6_000 * MS));
    assert!(give(&mut client, &REQUEST[1..2], 5_999).is_empty());
    assert_eq!((over(&client, 5_999), over(&client, 6_000)), (None, Some(Over::RequestTooSlow)));
}

#[test]
fn the_deadline_of_a_request_begins_anew_with_each_request_and_not_with_each_byte() {
    let mut client = client(0);
    for second in 1..50 {
        give(&mut client, &REQUEST[..6], second * 1_000);
        assert_eq!(give(&mut client, &REQUEST[6..], second * 1_000 + 999), [0, 9, 5]);
    }
    assert_eq!(over(&client, 50_000), None);
}

#[test]
fn a_client_that_asks_nothing_ends_at_the_idle_time() {
    let mut quiet = client(7);
    assert_eq!((over(&quiet, 60_006), over(&quiet, 60_007)), (None, Some(Over::Idle)));
    give(&mut quiet, &REQUEST, 60_000);
    assert_eq!((over(&quiet, 119_999), over(&quiet, 120_000)), (None, Some(Over::Idle)));
}

#[test]
fn a_client_that_does_not_take_its_answer_ends_and_is_not_read_meanwhile() {
    let mut deaf = client(0);
    deaf.spare()[..12].copy_from_slice(&REQUEST);
    deaf.received(12, 0);
    deaf.turn(0, serve);
    deaf.delivered(2, 4_000 * MS);
    assert!(deaf.spare().is_empty() && !deaf.has_request());
    assert_eq!((over(&deaf, 4_999), over(&deaf, 5_000)), (None, Some(Over::AnswerNotTaken)));
    deaf.delivered(1, 4_999 * MS);
    assert_eq!(over(&deaf, 5_000), None);
}

#[test]
fn a_client_that_has_said_all_still_gets_its_answers() {
    let mut client = client(0);
    client.spare()[..24].copy_from_slice(&[REQUEST, REQUEST].concat());
    client.received(24, 0);
    client.received(0, 0);
    for _ in 0..2 {
        assert_eq!(over(&client, 0), None);
        client.turn(0, serve);
        assert_eq!(over(&client, 0), None);
        client.delivered(3, 0);
    }
    assert_eq!(over(&client, 0), Some(Over::Closed));
}

#[test]
fn half_a_request_before_the_end_is_no_request() {
    let mut client = client(0);
    give(&mut client, &REQUEST[..11], 0);
    client.received(0, 0);
    assert_eq!((client.has_request(), over(&client, 0)), (false, Some(Over::Closed)));
}

#[test]
fn requests_before_broken_framing_are_answered_and_those_behind_it_are_not() {
    let mut client = client(0);
    let answers = give(&mut client, &[&REQUEST[..], b"GET / HTTP/1.1\r\n"].concat(), 0);
    assert_eq!(answers, [0, 9, 5]);
    assert_eq!(over(&client, 0), Some(Over::Broken(Broken::Protocol(0x5420))));
    assert!(give(&mut client, &REQUEST, 0).is_empty());
}

#[test]
fn a_request_of_another_unit_gets_silence_and_counts_as_a_sign_of_life() {
    let mut client = client(0);
    let other = [0, 9, 0, 0, 0, 6, 7, 3, 0, 5, 0, 2];
    assert!(give(&mut client, &other, 59_999).is_empty());
    assert_eq!(over(&client, 60_000), None);
    assert_eq!(give(&mut client, &REQUEST, 60_000), [0, 9, 5]);
}

#[test]
fn a_frame_of_260_bytes_fills_the_inbox_and_is_answered() {
    let mut client = client(0);
    let longest = [&[0, 9, 0, 0, 0, 254, 1][..], &[16; 253]].concat();
    assert_eq!(give(&mut client, &[&longest[..], &REQUEST].concat(), 0), [0, 9, 253, 0, 9, 5]);
}

proptest! {
    #[test]
    fn no_stream_panics_or_gets_it_stuck(segments in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..10)) {
        let mut client = client(0);
        for segment in &segments {
            give(&mut client, segment, 0);
        }
    }

    #[test]
    fn answers_do_not_depend_on_how_the_stream_is_cut(bodies in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..=253), 1..8), cut in 1usize..300) {
        let mut stream = Vec::new();
        for (tid, body) in (0u16..).zip(&bodies) {
            stream.extend(tid.to_be_bytes());
            stream.extend([0, 0, 0, u8::try_from(body.len() + 1).unwrap(), 1]);
            stream.extend(body);
        }
        let whole = give(&mut client(0), &stream, 0);
        let mut client = client(0);
        let pieces: Vec<u8> = stream.chunks(cut).flat_map(|piece| give(&mut client, piece, 0)).collect();
        prop_assert_eq!(pieces, whole);
    }
}
