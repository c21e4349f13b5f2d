//! A running server and clients for it.

use super::*;
use flyball_runtime::clock::{Clock, MonotonicClock};
use flyball_runtime::scada::server::Counts;
use flyball_runtime::scada::{Ports, Server};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long a test waits for what must come.
pub const SOON: Duration = Duration::from_secs(10);

/// A running server, what it shows and what it was told.
pub struct Site {
    pub server: Server,
    pub board: Board,
    pub queue: Queue,
}

/// Starts a server that shows scan 7.
pub fn start_with(settings: &Settings, clock: impl Clock + Send + 'static) -> Site {
    let board = Board::default();
    board.publish(words(&header(7), &readings(7)));
    let queue = Queue::of(1_000);
    let ports = Ports { published: board.clone(), commands: queue.clone(), clock, first_source: FIRST_SOURCE };
    let server = Server::start(layout(), settings, ports).unwrap();
    Site { server, board, queue }
}

/// The same by the real clock.
pub fn start(settings: &Settings) -> Site {
    start_with(settings, MonotonicClock)
}

/// `dispatch` on this machine.
pub fn local_settings() -> Settings {
    let writer = Writer { peer: IpAddr::from([127, 0, 0, 1]), ..settings().writers[0].clone() };
    Settings { writers: vec![writer], ..settings() }
}

/// Connects from 127.0.0.1.
pub fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&to, SOON).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.set_write_timeout(Some(SOON)).unwrap();
    stream
}

/// Connects from 127.0.0.`host`.
pub fn connect_from(host: u8, to: SocketAddr) -> TcpStream {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect, socket};
    use std::os::fd::AsRawFd;
    let socket = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
    bind(socket.as_raw_fd(), &SockaddrIn::new(127, 0, 0, host, 0)).unwrap();
    let SocketAddr::V4(to) = to else { panic!("an IPv4 address") };
    connect(socket.as_raw_fd(), &SockaddrIn::from(to)).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream
}

/// One request and the PDU of its answer.
pub fn ask(stream: &mut TcpStream, pdu: &[u8]) -> Vec<u8> {
    stream.write_all(&adu(77, 1, pdu)).unwrap();
    answer(stream)
}

/// The PDU of the next answer.
pub fn answer(stream: &mut TcpStream) -> Vec<u8> {
    let mut header = [0; 7];
    stream.read_exact(&mut header).unwrap();
    let mut pdu = vec![0; usize::from(u16::from_be_bytes([header[4], header[5]])) - 1];
    stream.read_exact(&mut pdu).unwrap();
    pdu
}

/// Waits until the other side has closed.
pub fn closed(mut stream: TcpStream) -> bool {
    match stream.read(&mut [0; 300]) {
        Ok(0) => true,
        Ok(_) => false,
        Err(e) => e.kind() == ErrorKind::ConnectionReset,
    }
}

/// Asks for the counts over and over, one request each, until they are as wanted.
pub fn eventually(site: &Site, probe: &mut TcpStream, wanted: impl Fn(&Counts) -> bool) -> Counts {
    for _ in 0..100_000 {
        assert_eq!(ask(probe, &read(3, 0, 1)), [3, 2, 0, 1]);
        let counts = site.server.counts();
        if wanted(&counts) {
            return counts;
        }
    }
    panic!("the server never came to it: {:?}", site.server.counts());
}
