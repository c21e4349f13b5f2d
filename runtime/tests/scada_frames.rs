//! Hostile and clumsy frames, without a socket: what each is answered, and that none panics, stays stuck or commands.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

mod scada_site;

use flyball_runtime::scada::connection::Over;
use flyball_runtime::scada::frame::Broken;
use flyball_runtime::scan::command::{Ask, Command};
use proptest::prelude::*;
use scada_site::*;

/// What comes of some bytes.
#[derive(Clone, Debug, PartialEq)]
enum Outcome {
    /// The PDUs of the answers, in order; the connection lives.
    Answers(Vec<Vec<u8>>),
    /// Answers, then the connection is over.
    Dropped(Vec<Vec<u8>>, Over),
}

fn exception(function: u8, code: u8) -> Outcome {
    Outcome::Answers(vec![vec![function | 0x80, code]])
}

fn silence() -> Outcome {
    Outcome::Answers(vec![])
}

fn dropped(broken: Broken) -> Outcome {
    Outcome::Dropped(vec![], broken.into())
}

fn too_slow() -> Outcome {
    Outcome::Dropped(vec![], Over::RequestTooSlow)
}

/// Splits a stream of answers, which must hold whole frames only.
fn answers(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut pdus = Vec::new();
    while !bytes.is_empty() {
        let end = 6 + usize::from(u16::from_be_bytes([bytes[4], bytes[5]]));
        pdus.push(bytes[7..end].to_vec());
        bytes = &bytes[end..];
    }
    pdus
}

/// Gives pieces to a line and then lets the request deadline pass.
fn outcome(line: &mut Line, pieces: &[&[u8]]) -> Outcome {
    let stream: Vec<u8> = pieces.iter().flat_map(|piece| line.give(piece)).collect();
    line.now_ns += 1_000_000_000;
    match line.over_why() {
        None => Outcome::Answers(answers(&stream)),
        Some(over) => Outcome::Dropped(answers(&stream), over),
    }
}

fn with_length(mut frame: Vec<u8>, length: u16) -> Vec<u8> {
    frame[4..6].copy_from_slice(&length.to_be_bytes());
    frame
}

/// Name, bytes, and what comes of them for a peer that may write the power command at 1000.
type Row = (String, Vec<u8>, Outcome);

fn row(name: impl Into<String>, bytes: Vec<u8>, outcome: Outcome) -> Row {
    (name.into(), bytes, outcome)
}

fn corpus() -> Vec<Row> {
    [framing(), functions(), quantities(), writes(), streams()].concat()
}

/// A good request and its answer.
fn one() -> Vec<u8> {
    adu(9, 1, &read(3, 0, 1))
}

fn version() -> Vec<u8> {
    vec![3, 2, 0, 1]
}

fn framing() -> Vec<Row> {
    let mut rows = vec![
        row("header length 2: a function code alone", adu(9, 1, &[3]), exception(3, 3)),
        row("protocol id 1", [&[0, 9, 0, 1], &one()[4..]].concat(), dropped(Broken::Protocol(1))),
        row("protocol id 0x5420, a web browser", b"GET / HTTP/1.1\r\n\r\n".to_vec(), dropped(Broken::Protocol(0x5420))),
        row(
            "header length one less than the body",
            with_length(one(), 5),
            Outcome::Dropped(vec![vec![0x83, 3]], Over::RequestTooSlow),
        ),
        row("header length one more than the body", with_length(one(), 7), too_slow()),
        row("a header and no more", one()[..7].to_vec(), too_slow()),
        row("one byte", vec![0], too_slow()),
    ];
    for length in [0, 1, 255, 256, 65_535] {
        rows.push(row(format!("header length {length}"), with_length(one(), length), dropped(Broken::Length(length))));
    }
    for length in [252, 253] {
        rows.push(row(format!("a read in a PDU of {length} bytes"), adu(9, 1, &vec![3; length]), exception(3, 3)));
    }
    rows
}

fn functions() -> Vec<Row> {
    let read_write = [&[23, 0, 0, 0, 125, 3, 232, 0, 121, 242][..], &[0; 242]].concat();
    let mut rows = vec![
        row("function 8, restart communications", adu(9, 1, &[8, 0, 1, 0xFF, 0]), exception(8, 1)),
        row("function 8, listen only", adu(9, 1, &[8, 0, 4, 0, 0]), exception(8, 1)),
        row("function 22, mask write", adu(9, 1, &[22, 3, 232, 0, 0, 0xFF, 0xFF]), exception(22, 1)),
        row("function 23, read 125 and write 121", adu(9, 1, &read_write), exception(23, 1)),
        row("function 43, identification with more to follow", adu(9, 1, &[43, 14, 4, 0xFF]), exception(43, 1)),
    ];
    for function in
        [0, 7, 8, 11, 12, 17, 20, 21, 22, 23, 24, 43, 0x41, 0x42, 0x43, 0x44, 0x45, 90, 100, 127, 128, 131, 144, 255]
    {
        rows.push(row(format!("function {function} alone"), adu(9, 1, &[function]), exception(function, 1)));
        rows.push(row(
            format!("function {function} like a read"),
            adu(9, 1, &read(function, 0, 1)),
            exception(function, 1),
        ));
    }
    rows
}

fn quantities() -> Vec<Row> {
    let mut rows = Vec::new();
    for function in 1..=4 {
        let most = if function < 3 { 2_000 } else { 125 };
        let mut refused = |what: &str, pdu: &[u8], code| {
            rows.push(row(format!("function {function}, {what}"), adu(9, 1, pdu), exception(function, code)));
        };
        refused("quantity 0", &read(function, 0, 0), 3);
        refused("one more than can be", &read(function, 0, most + 1), 3);
        refused("quantity 65535", &read(function, 0, 65_535), 3);
        refused("across the end of the address space", &read(function, 65_535, 2), 2);
        refused("most at once where not all exists", &read(function, 9, most), 2);
        refused("a byte short", &read(function, 0, 1)[..4], 3);
    }
    rows
}

fn writes() -> Vec<Row> {
    let too_many_registers = [&[16, 3, 232, 0, 124, 248][..], &[0; 246]].concat();
    let too_many_coils = [&[15, 0, 0, 7, 177, 247][..], &[0; 247]].concat();
    let refused = |what: &str, pdu: &[u8], code| row(what, adu(9, 1, pdu), exception(pdu[0], code));
    vec![
        refused("coil value 0x1234", &read(5, 6, 0x1234), 3),
        refused("coil value 0x00FF", &read(5, 6, 0x00FF), 3),
        refused("byte count 2 for two registers", &[16, 3, 232, 0, 2, 2, 0x44, 0x7A, 0, 0], 3),
        refused("byte count 4 with two bytes", &[16, 3, 232, 0, 2, 4, 0x44, 0x7A], 3),
        refused("byte count 255", &[16, 3, 232, 0, 2, 255, 0x44, 0x7A, 0, 0], 3),
        refused("a write of no registers", &[16, 3, 232, 0, 0, 0], 3),
        refused("a write of 123 registers, of which 10 exist", &write(1_000, &[0; 123]), 2),
        refused("a write of 124 registers", &too_many_registers, 3),
        refused("1969 coils", &too_many_coils, 3),
        refused("a write across the end of the address space", &write(65_535, &[0, 0]), 2),
        refused("coils across the end of the address space", &[15, 255, 255, 0, 2, 1, 0], 2),
        row("a write to a unit that is not configured", adu(9, 247, &write(1_000, &pair(1.0))), silence()),
    ]
}

fn streams() -> Vec<Row> {
    let noise = [one(), vec![0xFF; 300]].concat();
    vec![
        row("unit 0", adu(9, 0, &read(3, 0, 1)), Outcome::Answers(vec![version()])),
        row("unit 255", adu(9, 255, &read(3, 0, 1)), Outcome::Answers(vec![version()])),
        row("a unit that is not configured", adu(9, 2, &read(3, 0, 1)), silence()),
        row("the same transaction id twice", [one(), one()].concat(), Outcome::Answers(vec![version(); 2])),
        row("a hundred requests in one segment", one().repeat(100), Outcome::Answers(vec![version(); 100])),
        row(
            "a request between two for others",
            [adu(1, 2, &[3]), one(), adu(1, 2, &[3])].concat(),
            Outcome::Answers(vec![version()]),
        ),
        row("a request, then noise", noise, Outcome::Dropped(vec![version()], Over::Broken(Broken::Protocol(0xFFFF)))),
    ]
}

#[test]
fn every_nasty_input_gets_its_answer_and_commands_nothing() {
    for (name, bytes, expected) in corpus() {
        let mut line = Line::from(DISPATCH);
        assert_eq!(outcome(&mut line, &[&bytes]), expected, "{name}");
        assert_eq!(line.queue.taken(), [], "{name} commanded something");
    }
}

#[test]
fn every_nasty_input_cut_at_every_byte_comes_to_the_same() {
    for (name, bytes, expected) in corpus() {
        for cut in 0..bytes.len().min(300) {
            let mut line = Line::from(DISPATCH);
            assert_eq!(outcome(&mut line, &[&bytes[..cut], &bytes[cut..]]), expected, "{name}, cut at {cut}");
            assert_eq!(line.queue.taken(), [], "{name}, cut at {cut}, commanded something");
        }
    }
}

#[test]
fn coils_with_padding_bits_set_are_written_without_them() {
    let mut line = Line::from(DISPATCH);
    let padded = [15, 0, 6, 0, 1, 1, 0b1111_1111];
    assert_eq!(line.ask(&padded), [15, 0, 6, 0, 1]);
    assert_eq!(line.queue.taken(), [level(FIRST_SOURCE, 2, 1.0)]);
}

#[test]
fn a_client_that_sends_a_byte_a_second_is_over_after_one() {
    let mut line = Line::from(STRANGER);
    let request = adu(9, 1, &read(3, 0, 1));
    line.give(&request[..1]);
    line.now_ns += 999_999_999;
    assert_eq!(line.over_why(), None);
    line.now_ns += 1;
    assert_eq!(line.over_why(), Some(Over::RequestTooSlow));
    assert!(line.give(&request[1..]).is_empty());
}

#[test]
fn a_write_with_any_length_field_wrong_writes_nothing() {
    let right = adu(9, 1, &write(1_000, &pair(1_000.0)));
    let mut line = Line::from(DISPATCH);
    let mut tried = |bytes: &[u8], right: bool, what: &str| {
        line.reconnect(DISPATCH);
        line.give(bytes);
        let expected: &[Command] = if right { &[level(FIRST_SOURCE, 0, 1_000.0)] } else { &[] };
        assert_eq!(line.queue.taken(), expected, "{what}");
    };
    for length in 0..=u16::MAX {
        let padded = [with_length(right.clone(), length), vec![0; 300]].concat();
        tried(&padded, length == 11, &format!("header length {length}"));
    }
    for quantity in 0..=u16::MAX {
        let mut bytes = right.clone();
        bytes[10..12].copy_from_slice(&quantity.to_be_bytes());
        tried(&bytes, quantity == 2, &format!("quantity {quantity}"));
    }
    for count in 0..=u8::MAX {
        let mut bytes = right.clone();
        bytes[12] = count;
        tried(&bytes, count == 4, &format!("byte count {count}"));
    }
    for end in 0..right.len() {
        tried(&right[..end], false, &format!("the first {end} bytes"));
    }
}

/// Whole frames with a plausible start, so that random bytes come further than the header.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let function = prop_oneof![any::<u8>(), prop::sample::select(vec![1u8, 2, 3, 4, 5, 6, 15, 16])];
    let address = prop_oneof![any::<u16>(), 0u16..30, 895u16..1_012];
    let pdu = (function, address, proptest::collection::vec(any::<u8>(), 0..60));
    (pdu, any::<u16>(), 0u8..3).prop_map(|((function, address, rest), tid, unit)| {
        adu(tid, unit, &[&[function][..], &address.to_be_bytes(), &rest].concat())
    })
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let noise = proptest::collection::vec(any::<u8>(), 0..40);
    let piece = prop_oneof![4 => frames(), 1 => noise];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_bytes_of_a_stranger_panic_or_command(stream in stream(), cut in 1usize..300) {
        let mut line = Line::from(STRANGER);
        for piece in stream.chunks(cut) {
            let _ = answers(&line.give(piece));
        }
        prop_assert_eq!(line.queue.taken(), []);
    }

    #[test]
    fn whatever_a_writer_sends_only_its_own_commands_within_their_ranges_come_of_it(stream in stream()) {
        let mut line = Line::from(DISPATCH);
        line.give(&stream);
        for command in line.queue.taken() {
            prop_assert_eq!(command.source, FIRST_SOURCE);
            if let Ask::Level { point, value } = command.ask {
                let (low, high) = points().into_iter().filter(|p| p.name.starts_with("scada")).nth(usize::from(point)).unwrap().plausible;
                prop_assert!(point != 1 && low <= value && value <= high, "{command:?}");
            }
        }
    }
}
