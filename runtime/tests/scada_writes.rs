//! Who may write what: the whole matrix of registers and functions, whole requests or nothing, rates, and heartbeats.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

mod scada_site;

use flyball_io_map::image::{Reading, ScanTime};
use flyball_runtime::scada::{Settings, Writer};
use flyball_runtime::scan::command::Command;
use scada_site::*;
use std::net::IpAddr;

const POWER: u16 = 1_000;
const RUN: u16 = 1_004;
const STOP: u16 = 1_006;
const MODE: u16 = 1_008;
const HEARTBEAT: u16 = 900;

/// Every function that writes, at this address.
fn writes(address: u16) -> [Vec<u8>; 7] {
    let [high, low] = address.to_be_bytes();
    [
        read(5, address, 0xFF00),
        read(5, address, 0),
        read(6, address, 1),
        vec![15, high, low, 0, 1, 1, 1],
        write(address, &[1]),
        write(address, &pair(1.0)),
        [&[22, high, low][..], &[0; 4]].concat(),
    ]
}

/// No register that can be read has changed, and nothing was commanded.
fn assert_untouched(line: &mut Line, what: &str) {
    assert_eq!(line.queue.taken(), [], "{what} commanded");
    line.reconnect(STRANGER);
    let fresh = &mut Line::from(STRANGER);
    for (address, registers) in [(0, 25), (900, 2), (1_000, 10), (2_000, 40), (10_000, 16), (18_000, 4), (20_000, 40)] {
        assert_eq!(
            line.read(address, registers),
            fresh.read(address, registers),
            "{what} changed a register from {address} on"
        );
    }
}

#[test]
fn a_stranger_writes_nothing_at_any_of_65_536_addresses_by_any_function() {
    let mut line = Line::from(STRANGER);
    for address in 0..=u16::MAX {
        for pdu in writes(address) {
            assert_eq!(line.ask(&pdu), [pdu[0] | 0x80, 1], "{pdu:02x?}");
        }
    }
    assert_untouched(&mut line, "a stranger");
}

#[test]
fn an_empty_list_of_writers_means_nobody_the_machine_itself_included() {
    let nobody = Settings { writers: Vec::new(), ..settings() };
    for peer in [DISPATCH, IpAddr::from([127, 0, 0, 1]), IpAddr::from([0; 4]), "::1".parse().unwrap()] {
        let mut line = Line::with(peer, &nobody, 100);
        for address in [0, HEARTBEAT, POWER, 6, 7, 20_000] {
            for pdu in writes(address) {
                assert_eq!(line.ask(&pdu), [pdu[0] | 0x80, 1], "{peer}: {pdu:02x?}");
            }
        }
        assert_eq!(line.queue.taken(), []);
    }
}

#[test]
fn a_writer_writes_what_it_was_given_and_nothing_else() {
    let mut line = Line::from(DISPATCH);
    let (mut accepted, mut halves) = (Vec::new(), Vec::new());
    for address in 0..=u16::MAX {
        for pdu in writes(address) {
            match line.ask(&pdu)[..] {
                [function, ..] if function == pdu[0] => accepted.push((pdu[0], address)),
                [_, 3] => halves.push((pdu[0], address)),
                [function, code] => assert!(function == pdu[0] | 0x80 && (code == 2 || pdu[0] == 22), "{pdu:02x?}"),
                ref other => panic!("{pdu:02x?}: {other:02x?}"),
            }
        }
    }
    let coils = [(5, 6), (5, 6), (15, 6), (5, 7), (5, 7), (15, 7)];
    let registers = [(6, HEARTBEAT), (16, HEARTBEAT), (16, POWER), (16, RUN), (16, STOP), (16, MODE)];
    assert_eq!(accepted, [&coils[..], &registers].concat());
    let own = [POWER, POWER + 1, RUN, RUN + 1, STOP, STOP + 1, MODE, MODE + 1];
    let mut expected: Vec<(u8, u16)> = own.iter().flat_map(|a| [(6, *a), (16, *a)]).collect();
    expected.extend([(16, RUN + 1), (16, STOP + 1)]);
    expected.sort_by_key(|(_, address)| *address);
    assert_eq!(halves, expected, "half of a value each");
}

#[test]
fn a_command_arrives_with_its_writer_and_its_value() {
    let mut line = Line::from(DISPATCH);
    assert_eq!(line.ask(&write(POWER, &pair(-4_999.5))), [16, 3, 232, 0, 2]);
    assert_eq!(line.ask(&write(MODE, &pair(4.0))), [16, 3, 240, 0, 2]);
    assert_eq!(line.ask(&read(5, 7, 0xFF00)), [5, 0, 7, 0xFF, 0]);
    assert_eq!(line.queue.taken(), [level(40, 0, -4_999.5), level(40, 4, 4.0), level(40, 3, 1.0)]);
    line.reconnect(BACKUP);
    assert_eq!(line.ask(&write(1_002, &pair(10.0)))[0], 16);
    assert_eq!(line.ask(&write(POWER, &pair(10.0))), [0x90, 2], "the power is another writer's");
    assert_eq!(line.ask(&read(5, 6, 0xFF00)), [0x85, 2], "and so is this coil");
    assert_eq!(line.queue.taken(), [level(41, 1, 10.0)]);
}

#[test]
fn a_writer_is_known_by_its_address_in_either_notation() {
    let mut line = Line::from("::ffff:192.0.2.1".parse().unwrap());
    assert_eq!(line.ask(&write(POWER, &pair(1.0)))[0], 16);
}

#[test]
fn one_bad_value_spoils_the_whole_request() {
    let three = |run: f32, stop: f32, mode: f32| [pair(run), pair(stop), pair(mode)].concat();
    let rows = [
        ("all good", three(1.0, 0.0, 4.0), 16, 3),
        ("the first out of range", three(2.0, 0.0, 4.0), 3, 0),
        ("the last a code that does not exist", three(1.0, 0.0, 5.0), 3, 0),
        ("the last not a number", three(1.0, 0.0, f32::NAN), 3, 0),
        ("the last infinite", three(1.0, 0.0, f32::INFINITY), 3, 0),
        ("a flag that is a half", three(1.0, 0.5, 4.0), 3, 0),
        ("half a value at the end", three(1.0, 0.0, 4.0)[..5].to_vec(), 3, 0),
    ];
    for (what, registers, answer, commands) in rows {
        let mut line = Line::from(DISPATCH);
        let answered = line.ask(&write(RUN, &registers));
        assert_eq!(if answered[0] == 16 { 16 } else { answered[1] }, answer, "{what}");
        assert_eq!(line.queue.taken().len(), commands, "{what}");
    }
    let mut line = Line::from(DISPATCH);
    assert_eq!(line.ask(&write(RUN, &[&three(1.0, 0.0, 4.0)[..], &[0, 0]].concat())), [0x90, 2], "a register too many");
    assert_eq!(
        line.ask(&write(POWER, &[pair(1.0), pair(1.0), pair(1.0)].concat())),
        [0x90, 2],
        "one in the middle is another's"
    );
    assert_eq!(line.ask(&[15, 0, 6, 0, 3, 1, 0b111]), [0x8F, 2], "the third coil is no flag");
    assert_untouched(&mut line, "a spoilt request");
}

#[test]
fn a_request_that_the_queue_cannot_take_whole_is_busy_and_takes_no_room() {
    let mut line = Line::with(DISPATCH, &settings(), 3);
    let both = write(RUN, &[pair(1.0), pair(1.0)].concat());
    assert_eq!(line.ask(&both)[0], 16);
    assert_eq!(line.ask(&both), [0x90, 6]);
    assert_eq!(line.ask(&[15, 0, 6, 0, 2, 1, 3]), [0x8F, 6]);
    assert_eq!(line.ask(&write(RUN, &pair(0.0)))[0], 16, "one still fits");
    assert_eq!(line.queue.taken(), [level(40, 2, 1.0), level(40, 3, 1.0), level(40, 2, 0.0)]);
}

#[test]
fn a_writer_has_its_writes_per_second_and_refused_ones_count() {
    let mut settings = settings();
    settings.writers[0].writes_per_s = 5;
    let mut line = Line::with(DISPATCH, &settings, 1_000);
    for _ in 0..4 {
        assert_eq!(line.ask(&write(POWER, &pair(1.0)))[0], 16);
    }
    assert_eq!(line.ask(&write(POWER, &pair(9e9))), [0x90, 3]);
    assert_eq!(line.ask(&write(POWER, &pair(1.0))), [0x90, 6]);
    assert_eq!(line.ask(&read(6, HEARTBEAT, 1)), [0x86, 6]);
    assert_eq!(line.ask(&read(3, 0, 1))[0], 3, "reads go on");
    line.reconnect(DISPATCH);
    assert_eq!(line.ask(&read(5, 6, 0)), [0x85, 6], "a new connection brings no new writes");
    line.now_ns += 199_999_999;
    assert_eq!(line.ask(&write(POWER, &pair(1.0))), [0x90, 6]);
    line.now_ns += 1;
    assert_eq!(line.ask(&write(POWER, &pair(1.0)))[0], 16);
    line.reconnect(BACKUP);
    assert_eq!(line.ask(&write(1_002, &pair(1.0)))[0], 16, "another writer has its own rate");
}

#[test]
fn a_heartbeat_that_changes_renews_the_leases_of_its_writer() {
    let mut line = Line::from(DISPATCH);
    let beat = |line: &mut Line, value: u16| -> Vec<Command> {
        assert_eq!(line.ask(&read(6, HEARTBEAT, value))[0], 6);
        line.queue.taken()
    };
    assert_eq!(beat(&mut line, 0), [], "it reads 0 before the first");
    assert_eq!(beat(&mut line, 1), [renew(40)]);
    assert_eq!(beat(&mut line, 1), [], "a counter that stands still is no sign of life");
    line.reconnect(DISPATCH);
    assert_eq!(beat(&mut line, 1), [], "nor after a reconnect");
    assert_eq!(beat(&mut line, 65_535), [renew(40)]);
    assert_eq!(beat(&mut line, 0), [renew(40)], "counters wrap");
    assert_eq!(line.ask(&write(HEARTBEAT, &[7])), [16, 3, 132, 0, 1]);
    assert_eq!(line.queue.taken(), [renew(40)]);
    assert_eq!(line.read(HEARTBEAT, 2), [7, 0]);
    assert_eq!(line.ask(&write(HEARTBEAT, &[8, 8])), [0x90, 2], "the next one is another writer's");
    assert_eq!((line.queue.taken(), line.read(HEARTBEAT, 1)), (vec![], vec![7]));
}

#[test]
fn a_heartbeat_that_found_the_queue_full_counts_when_it_is_repeated() {
    let mut line = Line::with(DISPATCH, &settings(), 0);
    assert_eq!(line.ask(&read(6, HEARTBEAT, 1)), [0x86, 6]);
    line.queue.0.lock().unwrap().1 = 1;
    assert_eq!(line.ask(&read(6, HEARTBEAT, 1))[0], 6);
    assert_eq!(line.queue.taken(), [renew(40)]);
}

#[test]
fn a_writer_without_a_heartbeat_has_no_such_register() {
    let mut settings = settings();
    settings.writers[0].heartbeat = false;
    let mut line = Line::with(DISPATCH, &settings, 10);
    assert_eq!(line.ask(&read(6, HEARTBEAT, 1)), [0x86, 2]);
    assert_eq!(line.ask(&read(3, HEARTBEAT, 1)), [0x83, 2]);
    assert_eq!(line.read(HEARTBEAT + 1, 1), [0]);
}

#[test]
fn a_written_value_is_read_back_once_a_scan_has_taken_it() {
    let board = Board::default();
    board.publish(words(&header(7), &readings(7)));
    let mut line = Line::over(board.clone(), DISPATCH, &settings(), 10);
    line.ask(&write(POWER, &pair(750.0)));
    assert!(line.single(POWER).is_nan(), "nothing from the network writes the image");
    let mut taken = readings(8);
    taken[at::POWER] = Reading::new(Ok(750.0), ScanTime::from_ms(80));
    board.publish(words(&header(8), &taken));
    assert_eq!(line.single(POWER).to_bits(), 750f32.to_bits());
    assert_eq!(line.read(2_001, 1), [100], "tenths of a second of its lease");
}

#[test]
fn two_servers_give_their_writers_different_numbers() {
    let writer =
        |n: u8| Writer { peer: IpAddr::from([192, 0, 2, n]), name: format!("w{n}"), ..settings().writers[0].clone() };
    let many = Settings { writers: (1..=64).map(writer).collect(), ..settings() };
    let mut line = Line::with(IpAddr::from([192, 0, 2, 64]), &many, 10);
    line.ask(&write(POWER, &pair(1.0)));
    assert_eq!(line.queue.taken(), [level(FIRST_SOURCE + 63, 0, 1.0)]);
}
