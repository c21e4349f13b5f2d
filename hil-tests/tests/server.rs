//! The devices over real sockets: framing, bounds, and what every fault does to a client.
//!
//! Nothing here sleeps: a client waits for bytes with a deadline, and a service reports each request it was asked.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use flyball_hil::cabin::CabinWorld;
use flyball_hil::clock::Stopwatch;
use flyball_hil::device::Pdu;
use flyball_hil::fault::{Fault, Faults, Outcome};
use flyball_hil::server::{Server, Service};
use flyball_hil::world::Port;
use proptest::prelude::*;

/// Longer than anything here takes on the slowest machine; only a failing test waits for it.
const DEADLINE: Duration = Duration::from_secs(10);
/// Reads the meter's total power.
const TOTAL_POWER: &[u8] = &[3, 0, 0x28, 0, 2];
/// Reads the meter's frequency in mHz.
const FREQUENCY: &[u8] = &[3, 0x05, 0x3C, 0, 2];

struct Client(TcpStream);

impl Client {
    fn new(addr: SocketAddr) -> Self {
        let socket = TcpStream::connect(addr).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        socket.set_nodelay(true).unwrap();
        Self(socket)
    }

    fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    /// The next answer: transaction id and PDU.
    fn receive(&mut self) -> (u16, Vec<u8>) {
        let mut header = [0; 7];
        self.0.read_exact(&mut header).unwrap();
        let mut pdu = vec![0; usize::from(u16::from_be_bytes([header[4], header[5]])) - 1];
        self.0.read_exact(&mut pdu).unwrap();
        assert_eq!((header[2], header[3], header[6]), (0, 0, 1));
        (u16::from_be_bytes([header[0], header[1]]), pdu)
    }

    fn ask(&mut self, pdu: &[u8]) -> Vec<u8> {
        self.send(&frame(0x1234, 1, pdu));
        let (transaction, reply) = self.receive();
        assert_eq!(transaction, 0x1234);
        reply
    }

    /// Waits until the other side has closed the connection.
    fn is_closed(&mut self) -> bool {
        match self.0.read(&mut [0; 1]) {
            Ok(count) => count == 0,
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        }
    }
}

fn frame(transaction: u16, unit: u8, pdu: &[u8]) -> Vec<u8> {
    let length = u16::try_from(pdu.len() + 1).unwrap().to_be_bytes();
    let [t0, t1] = transaction.to_be_bytes();
    [&[t0, t1, 0, 0, length[0], length[1], unit], pdu].concat()
}

fn serve(port: &Port) -> Server {
    Server::start("127.0.0.1:0", port.clone(), port.faults().clone()).unwrap()
}

/// A device that reports the outcome of every request, so that a test knows when one was lost.
struct Reporting {
    port: Port,
    outcomes: Sender<Outcome>,
}

impl Service for Reporting {
    fn answer(&mut self, unit: u8, pdu: &[u8], out: &mut Pdu) -> Outcome {
        let outcome = self.port.answer(unit, pdu, out);
        self.outcomes.send(outcome).unwrap();
        outcome
    }
}

fn serve_reporting(port: &Port) -> (Server, Receiver<Outcome>) {
    let (outcomes, reports) = channel();
    let service = Reporting { port: port.clone(), outcomes };
    (Server::start("127.0.0.1:0", service, port.faults().clone()).unwrap(), reports)
}

#[test]
fn a_frame_that_comes_byte_by_byte_is_answered() {
    let cabin = CabinWorld::new(1);
    let server = serve(cabin.meter());
    let mut client = Client::new(server.addr());
    for byte in frame(0xBEEF, 1, TOTAL_POWER) {
        client.send(&[byte]);
    }
    let (transaction, reply) = client.receive();
    assert_eq!((transaction, reply.len()), (0xBEEF, 6));
}

#[test]
fn frames_that_come_together_are_answered_one_by_one_in_order() {
    let cabin = CabinWorld::new(1);
    let server = serve(cabin.meter());
    let mut client = Client::new(server.addr());
    // Far more than the answers that may wait, and with a cut at the end of the first write.
    let all: Vec<u8> = (0..300).flat_map(|transaction| frame(transaction, 1, TOTAL_POWER)).collect();
    let (first, second) = all.split_at(all.len() - 5);
    client.send(first);
    for transaction in 0..299 {
        assert_eq!(client.receive().0, transaction);
    }
    client.send(second);
    assert_eq!(client.receive().0, 299);
}

#[test]
fn another_units_request_is_not_answered() {
    let cabin = CabinWorld::new(1);
    let server = serve(cabin.meter());
    let mut client = Client::new(server.addr());
    client.send(&[frame(1, 2, TOTAL_POWER), frame(2, 0, TOTAL_POWER), frame(3, 1, TOTAL_POWER)].concat());
    assert_eq!(client.receive().0, 3);
}

#[test]
fn a_stream_that_is_not_modbus_is_closed() {
    let cabin = CabinWorld::new(1);
    let server = serve(cabin.meter());
    for nonsense in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0, 1, 0, 0, 0, 1, 1], &[0, 1, 0, 0, 1, 0, 1]] {
        let mut client = Client::new(server.addr());
        client.send(nonsense);
        assert!(client.is_closed(), "{nonsense:02x?}");
    }
}

#[test]
fn the_ninth_connection_is_closed_and_a_place_that_is_free_again_is_given_away() {
    let cabin = CabinWorld::new(1);
    let server = serve(cabin.meter());
    let mut clients: Vec<Client> = (0..8).map(|_| Client::new(server.addr())).collect();
    for client in &mut clients {
        client.ask(TOTAL_POWER);
    }
    assert!(Client::new(server.addr()).is_closed());
    clients.pop();
    let clock = Stopwatch::start();
    // The server sees the closed connection in its own time; until then it refuses.
    while clock.elapsed() < DEADLINE {
        let mut client = Client::new(server.addr());
        // A refused connection may already be gone when it is written to.
        let sent = client.0.write_all(&frame(7, 1, TOTAL_POWER));
        if sent.is_ok() && client.0.read_exact(&mut [0; 13]).is_ok() {
            return;
        }
    }
    panic!("no place became free");
}

#[test]
fn dropping_the_server_closes_its_connections() {
    let cabin = CabinWorld::new(1);
    let server = serve(cabin.meter());
    let mut client = Client::new(server.addr());
    client.ask(TOTAL_POWER);
    drop(server);
    assert!(client.is_closed());
}

#[test]
fn three_devices_share_one_plant() {
    let cabin = CabinWorld::new(1);
    let (pcs, panel) = (serve(cabin.pcs()), serve(cabin.panel()));
    let (mut pcs, mut panel) = (Client::new(pcs.addr()), Client::new(panel.addr()));
    assert_eq!(panel.ask(&[5, 0, 0, 0xFF, 0]), [5, 0, 0, 0xFF, 0]);
    cabin.step(0.1);
    assert_eq!(panel.ask(&[2, 0, 2, 0, 1]), [2, 1, 1], "contactor feedback");
    assert_eq!(pcs.ask(&[3, 0x9C, 0x8A, 0, 1]), [3, 2, 0, 2], "the inverter is starting");
}

#[test]
fn in_real_time_the_plant_moves_by_itself() {
    let cabin = CabinWorld::new(1);
    let server = serve(cabin.meter());
    let moving = cabin.world().start_real_time(10).unwrap();
    let mut client = Client::new(server.addr());
    let clock = Stopwatch::start();
    let first = client.ask(FREQUENCY);
    while client.ask(FREQUENCY) == first {
        assert!(clock.elapsed() < DEADLINE, "the plant stands still");
    }
    while cabin.truth().time_s < 0.5 {
        assert!(clock.elapsed() < DEADLINE, "the plant is far too slow");
        client.ask(TOTAL_POWER);
    }
    assert!(clock.elapsed() > Duration::from_millis(400), "the plant is far too fast");
    drop(moving);
    let stopped_s = cabin.truth().time_s;
    client.ask(FREQUENCY);
    assert!((cabin.truth().time_s - stopped_s).abs() < 1e-9);
}

#[test]
fn a_silent_device_loses_requests_and_keeps_its_connection() {
    let cabin = CabinWorld::new(1);
    let (server, outcomes) = serve_reporting(cabin.meter());
    let mut client = Client::new(server.addr());
    cabin.cut_meter();
    client.send(&frame(1, 1, TOTAL_POWER));
    assert_eq!(outcomes.recv_timeout(DEADLINE), Ok(Outcome::Silence));
    cabin.mend_meter();
    client.send(&frame(2, 1, TOTAL_POWER));
    assert_eq!(client.receive().0, 2, "the lost request was never answered");
}

#[test]
fn a_half_open_device_takes_connections_and_says_nothing() {
    let cabin = CabinWorld::new(1);
    let (server, outcomes) = serve_reporting(cabin.meter());
    let mut old = Client::new(server.addr());
    old.ask(TOTAL_POWER);
    assert_eq!(outcomes.recv_timeout(DEADLINE), Ok(Outcome::Reply { after_ms: 0 }));
    cabin.meter().faults().set(Fault::HalfOpen);
    let mut new = Client::new(server.addr());
    for client in [&mut old, &mut new] {
        client.send(&frame(1, 1, TOTAL_POWER));
        assert_eq!(outcomes.recv_timeout(DEADLINE), Ok(Outcome::Silence));
    }
    cabin.meter().faults().clear(Fault::HalfOpen);
    for client in [&mut old, &mut new] {
        client.send(&frame(2, 1, TOTAL_POWER));
        assert_eq!(client.receive().0, 2, "nothing was closed and nothing was answered late");
    }
}

#[test]
fn a_refusing_device_closes_what_is_open_and_what_comes() {
    let cabin = CabinWorld::new(1);
    let server = serve(cabin.meter());
    let mut old = Client::new(server.addr());
    old.ask(TOTAL_POWER);
    cabin.meter().faults().set(Fault::Refuse);
    assert!(old.is_closed());
    assert!(Client::new(server.addr()).is_closed());
    cabin.meter().faults().clear(Fault::Refuse);
    assert_eq!(Client::new(server.addr()).ask(TOTAL_POWER).len(), 6);
}

#[test]
fn a_slow_device_answers_late_in_order_and_not_at_the_cost_of_others() {
    let cabin = CabinWorld::new(1);
    let (server, outcomes) = serve_reporting(cabin.meter());
    let (mut slow, mut quick) = (Client::new(server.addr()), Client::new(server.addr()));
    cabin.meter().faults().set(Fault::Slow { ms: 800 });
    let clock = Stopwatch::start();
    slow.send(&frame(1, 1, TOTAL_POWER));
    assert_eq!(outcomes.recv_timeout(DEADLINE), Ok(Outcome::Reply { after_ms: 800 }));
    cabin.meter().faults().clear_all();
    slow.send(&frame(2, 1, TOTAL_POWER));
    quick.ask(TOTAL_POWER);
    // Nothing may have come on the slow connection when the quick one has its answer.
    slow.0.set_nonblocking(true).unwrap();
    assert_eq!(slow.0.peek(&mut [0; 1]).map_err(|error| error.kind()), Err(ErrorKind::WouldBlock));
    slow.0.set_nonblocking(false).unwrap();
    assert_eq!((slow.receive().0, slow.receive().0), (1, 2));
    assert!(clock.elapsed() >= Duration::from_millis(800));
}

#[test]
fn more_slow_answers_than_may_wait_all_arrive() {
    let cabin = CabinWorld::new(1);
    let server = serve(cabin.meter());
    cabin.meter().faults().set(Fault::Slow { ms: 5 });
    let mut client = Client::new(server.addr());
    let all: Vec<u8> = (0..100).flat_map(|transaction| frame(transaction, 1, TOTAL_POWER)).collect();
    client.send(&all);
    for transaction in 0..100 {
        assert_eq!(client.receive().0, transaction);
    }
}

#[test]
fn a_frozen_meter_answers_the_same_for_ever() {
    let cabin = CabinWorld::new(1);
    let server = serve(cabin.meter());
    let mut client = Client::new(server.addr());
    cabin.step(0.1);
    cabin.meter().faults().set(Fault::Frozen);
    let (power, frequency) = (client.ask(TOTAL_POWER), client.ask(FREQUENCY));
    cabin.set_load_w(Some(4000.0));
    for _ in 0..50 {
        cabin.step(0.1);
        assert_eq!((client.ask(TOTAL_POWER), client.ask(FREQUENCY)), (power.clone(), frequency.clone()));
    }
    cabin.meter().faults().clear(Fault::Frozen);
    assert!(client.ask(TOTAL_POWER) != power && client.ask(FREQUENCY) != frequency);
}

#[test]
fn a_panel_that_lost_its_life_still_shows_its_inputs() {
    let cabin = CabinWorld::new(1);
    let server = serve(cabin.panel());
    let mut client = Client::new(server.addr());
    cabin.step(1.0);
    cabin.panel().faults().set(Fault::LifeFrozen);
    let life = client.ask(&[4, 0, 0, 0, 1]);
    cabin.step(1.0);
    cabin.press_estop();
    assert_eq!(client.ask(&[4, 0, 0, 0, 1]), life);
    assert_eq!(client.ask(&[2, 0, 0, 0, 1]), [2, 1, 0]);
}

#[test]
fn registers_that_are_not_implemented_show_their_codes() {
    let cabin = CabinWorld::new(1);
    let (meter, pcs) = (serve(cabin.meter()), serve(cabin.pcs()));
    cabin.meter().faults().set(Fault::NotImplemented);
    cabin.pcs().faults().set(Fault::NotImplemented);
    assert_eq!(Client::new(meter.addr()).ask(TOTAL_POWER), [3, 4, 0xFF, 0xFF, 0x7F, 0xFF]);
    assert_eq!(Client::new(pcs.addr()).ask(&[3, 0x9C, 0x90, 0, 1]), [3, 2, 0x80, 0], "701 W");
}

#[test]
fn a_device_that_ignores_writes_acknowledges_them() {
    let cabin = CabinWorld::new(1);
    let server = serve(cabin.panel());
    let mut client = Client::new(server.addr());
    cabin.panel().faults().set(Fault::WriteIgnored);
    assert_eq!(client.ask(&[5, 0, 0, 0xFF, 0]), [5, 0, 0, 0xFF, 0]);
    assert_eq!(client.ask(&[6, 0, 0, 0, 9]), [6, 0, 0, 0, 9]);
    assert_eq!(client.ask(&[1, 0, 0, 0, 1]), [1, 1, 0]);
    assert_eq!(client.ask(&[3, 0, 0, 0, 1]), [3, 2, 0, 0]);
    assert!(!cabin.truth().contactor_coil);
    cabin.panel().faults().clear(Fault::WriteIgnored);
    client.ask(&[5, 0, 0, 0xFF, 0]);
    assert!(cabin.truth().contactor_coil);
}

#[test]
fn a_device_with_an_exception_refuses_everything_with_it() {
    let cabin = CabinWorld::new(1);
    let server = serve(cabin.panel());
    let mut client = Client::new(server.addr());
    cabin.panel().faults().set(Fault::Exception(6));
    assert_eq!(client.ask(&[5, 0, 0, 0xFF, 0]), [0x85, 6]);
    assert_eq!(client.ask(&[2, 0, 0, 0, 1]), [0x82, 6]);
    assert!(!cabin.truth().contactor_coil);
}

#[test]
fn a_rotated_meter_has_its_high_word_first() {
    let cabin = CabinWorld::new(1);
    let server = serve(cabin.meter());
    let mut client = Client::new(server.addr());
    cabin.step(0.1);
    let well = client.ask(FREQUENCY);
    let short = client.ask(&[3, 0, 0x33, 0, 1]);
    cabin.meter().faults().set(Fault::Rotated);
    let rotated = client.ask(FREQUENCY);
    assert_eq!((&well[2..4], &well[4..6]), (&rotated[4..6], &rotated[2..4]));
    let millihertz = i32::from_be_bytes(rotated[2..6].try_into().unwrap());
    assert!((49_500..50_500).contains(&millihertz), "{millihertz}");
    assert_eq!(client.ask(&[3, 0, 0x33, 0, 1]), short);
}

#[test]
fn a_slow_answer_in_virtual_time_says_how_late_it_is() {
    let cabin = CabinWorld::new(1);
    let faults: &Faults = cabin.meter().faults();
    let mut out = Pdu::new();
    for (fault, outcome) in [
        (Fault::Slow { ms: 250 }, Outcome::Reply { after_ms: 250 }),
        (Fault::HalfOpen, Outcome::Silence),
        (Fault::Refuse, Outcome::Refused),
    ] {
        faults.clear_all();
        faults.set(fault);
        assert_eq!(cabin.meter().answer(1, TOTAL_POWER, &mut out), outcome, "{fault:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_stream_of_bytes_harms_the_server(streams in proptest::collection::vec(
        proptest::collection::vec(any::<u8>(), 1..700), 1..6)) {
        let cabin = CabinWorld::new(1);
        let server = serve(cabin.meter());
        for stream in streams {
            let mut client = Client::new(server.addr());
            // The server may close at any byte.
            let _ = client.0.write_all(&stream);
        }
        let mut client = Client::new(server.addr());
        prop_assert_eq!(client.ask(TOTAL_POWER).len(), 6);
    }
}
