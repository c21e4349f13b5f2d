//! Against brokers that lie, babble, stall or hang up: the client never panics, never stops trying, and works with the
//! next broker that behaves.

use crate::site::{settings, start};
use flyball_runtime::clock::{Deadline, until};
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{JoinHandle, spawn};
use std::time::Duration;

/// CONNACK: accepted, no session, no properties.
const CONNACK: &[u8] = &[0x20, 3, 0, 0, 0];

/// What a hostile broker does with one connection, in words and bytes. Then it waits for the client to hang up.
const ATTACKS: &[(&str, &[u8])] = &[
    ("hangs up at once", HANG_UP),
    ("never says a word", &[]),
    ("speaks HTTP", b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    ("sends zeros", &[0; 64]),
    ("sends ones", &[0xFF; 64]),
    ("a length that never ends", &[0x20, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]),
    ("the greatest length", &[0x20, 0xFF, 0xFF, 0xFF, 0x7F, 0, 0]),
    ("a CONNACK that is too short", &[0x20, 1, 0]),
    ("a CONNACK with properties longer than itself", &[0x20, 4, 0, 0, 0x7F, 0]),
    ("a CONNACK that refuses", &[0x20, 3, 0, 0x87, 0]),
    ("a CONNACK with a reason that does not exist", &[0x20, 3, 0, 0x42, 0]),
    ("a CONNACK for a session that nobody asked for", &[0x20, 3, 1, 0, 0]),
    ("a CONNACK with another client id", &[0x20, 8, 0, 0, 5, 0x12, 0, 2, b'x', b'y']),
    ("a PUBLISH before the CONNACK", &[0x30, 4, 0, 1, b't', 0]),
    ("a DISCONNECT before the CONNACK", &[0xE0, 2, 0x8E, 0]),
    ("an AUTH that nobody began", &[0xF0, 2, 0x18, 0]),
];

/// And what it does after it has said CONNACK.
const LATER_ATTACKS: &[(&str, &[u8])] = &[
    ("nothing more", &[]),
    ("a second CONNACK", CONNACK),
    ("a topic longer than its packet", &[0x30, 7, 0xFF, 0xFF, 0, 0, 0, 0, 0]),
    ("a topic that is no text", &[0x30, 5, 0, 2, 0xC3, 0x28, 0]),
    ("quality of service 3", &[0x36, 7, 0, 1, b't', 0, 1, 0, 0]),
    ("quality of service 2, never completed", &[0x34, 6, 0, 1, b't', 0, 1, 0]),
    ("a retained command", &[0x31, 6, 0, 1, b't', 0, b'o', b'n']),
    ("an acknowledgement for nothing", &[0x40, 2, 0xAB, 0xCD]),
    ("an acknowledgement for number 0", &[0x40, 2, 0, 0]),
    ("an acknowledgement with a reason that does not exist", &[0x40, 3, 0, 1, 0x42]),
    ("a PUBREC for what was sent once only", &[0x50, 2, 0, 1]),
    ("a PUBREL for nothing", &[0x62, 2, 0, 9]),
    ("a SUBACK for nothing", &[0x90, 4, 0, 1, 0, 0]),
    ("an UNSUBACK for nothing", &[0xB0, 4, 0, 1, 0, 0]),
    ("a PINGRESP that nobody asked for", &[0xD0, 0]),
    ("a PINGRESP with a body", &[0xD0, 2, 1, 2]),
    ("a CONNECT", &[0x10, 4, 0, 0, 0, 0]),
    ("a packet type that does not exist", &[0x00, 0]),
    ("session taken over", &[0xE0, 2, 0x8E, 0]),
    ("a DISCONNECT with a reason that does not exist", &[0xE0, 2, 0x42, 0]),
    ("the greatest length", &[0x30, 0xFF, 0xFF, 0xFF, 0x7F]),
];

const HANG_UP: &[u8] = b"(hangs up)";
/// Does all that it should, and answers pings that nobody sent.
const BABBLE: &[u8] = b"(babbles)";

/// A hostile broker: plays its attacks one connection after the other, then behaves.
struct Hostile {
    port: u16,
    played: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Hostile {
    fn start(attacks: Vec<Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let (played, over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, ends) = (Arc::clone(&played), Arc::clone(&over));
        let thread = spawn(move || {
            let mut attacks = attacks.into_iter();
            for stream in listener.incoming().flatten() {
                if ends.load(Ordering::SeqCst) {
                    return;
                }
                match attacks.next() {
                    Some(attack) if attack == BABBLE => behave(stream, &[0xD0, 0]),
                    Some(attack) => attack_with(stream, &attack),
                    None => behave(stream, &[]),
                }
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { port, played, over, thread: Some(thread) }
    }

    fn played(&self) -> usize {
        self.played.load(Ordering::SeqCst)
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn attack_with(mut stream: TcpStream, attack: &[u8]) {
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time-out above 0 is one");
    stream.set_write_timeout(Some(Duration::from_secs(20))).expect("a time-out above 0 is one");
    if attack == HANG_UP || stream.write_all(attack).is_err() {
        return;
    }
    // the client is the one to go; what it says is of no interest
    let mut buffer = [0; 1024];
    loop {
        match stream.read(&mut buffer) {
            Ok(1..) => {}
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("the client stays with a broker that says {attack:02X?}")
            }
            _ => return,
        }
    }
}

/// Accepts whoever comes and acknowledges what it is sent, each time with `more`.
fn behave(mut stream: TcpStream, more: &[u8]) {
    while let Some((kind, body)) = packet(&mut stream) {
        let answer = match kind >> 4 {
            1 => CONNACK.to_vec(),
            3 => {
                let at = 2 + usize::from(u16::from_be_bytes([body[0], body[1]]));
                vec![0x40, 2, body[at], body[at + 1]]
            }
            12 => vec![0xD0, 0],
            _ => return,
        };
        if stream.write_all(&[&answer, more].concat()).is_err() {
            return;
        }
    }
}

fn packet(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let mut byte = || {
        let mut one = [0];
        stream.read_exact(&mut one).ok().map(|()| one[0])
    };
    let kind = byte()?;
    let mut length = 0;
    for shift in [0, 7, 14, 21] {
        let b = byte()?;
        length |= usize::from(b & 0x7F) << shift;
        if b & 0x80 == 0 {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some((kind, body))
}

/// Counts panics on the client's thread; a task that panics there is caught and would go unnoticed.
fn count_panics() -> &'static AtomicUsize {
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    static HOOKED: AtomicBool = AtomicBool::new(false);
    if !HOOKED.swap(true, Ordering::SeqCst) {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if std::thread::current().name().is_some_and(|name| name.starts_with("mqtt")) {
                PANICS.fetch_add(1, Ordering::SeqCst);
            }
            before(info);
        }));
    }
    &PANICS
}

fn survives(attacks: Vec<Vec<u8>>) {
    let panics = count_panics();
    let count = attacks.len();
    let broker = Hostile::start(attacks);
    let telemetry = start(settings(broker.port, 100, 20));
    let through = until(Deadline::after_ms(60_000), || broker.played() >= count);
    assert!(through, "stuck after {} of {count} connections: {:?}", broker.played(), telemetry.status());
    let works = until(Deadline::after_ms(20_000), || telemetry.status().delivery.published >= 10);
    assert!(works, "a good broker came at last: {:?}", telemetry.status());
    assert!(telemetry.status().delivery.queued <= 20);
    assert!(telemetry.stop(), "in time");
    assert_eq!(panics.load(Ordering::SeqCst), 0, "panics on the client's thread");
}

#[test]
fn every_known_attack_ends_one_connection_and_nothing_else() {
    let first = ATTACKS.iter().map(|(_, bytes)| bytes.to_vec());
    let later = LATER_ATTACKS.iter().map(|(_, bytes)| [CONNACK, bytes].concat());
    survives(first.chain(later).collect());
}

#[test]
fn random_bytes_end_one_connection_each_and_nothing_else() {
    let mut chance = fastrand::Rng::with_seed(7);
    let mut attack = |after: &[u8], length: usize| {
        let mut bytes = after.to_vec();
        bytes.extend(std::iter::repeat_with(|| chance.u8(..)).take(length));
        bytes
    };
    // long enough that no client could take it for a broker that is slow to speak
    survives((0..150).map(|i| attack(if i % 2 == 0 { &[] } else { CONNACK }, 5_000)).collect());
}

#[test]
fn floods_of_valid_packets_end_the_connection() {
    let flood = |packet: &[u8]| [CONNACK, &packet.repeat(20_000)].concat();
    let publish = &[0x30, 4, 0, 1, b't', 0];
    survives(vec![flood(&[0xD0, 0]), flood(publish), flood(CONNACK), flood(&[0x40, 2, 0, 1]), BABBLE.to_vec()]);
}

#[test]
fn a_keep_alive_that_a_broker_switches_off_or_stretches_does_not_hide_its_death() {
    // CONNACK with server keep-alive 0, then 65535, then silence
    let with = |s: [u8; 2]| vec![0x20, 6, 0, 0, 3, 0x13, s[0], s[1]];
    survives(vec![with([0, 0]), with([0xFF, 0xFF])]);
}

#[test]
fn a_stop_does_not_wait_for_a_broker_that_never_answers() {
    let broker = Hostile::start(vec![Vec::new()]);
    let telemetry = start(settings(broker.port, 100, 20));
    assert!(telemetry.stop());
    // and none was there at all
    assert!(start(settings(crate::mosquitto::free_port(), 100, 20)).stop());
}
