//! The field thread over real sockets, against a server that can misbehave.

use super::bench::{P, P_SET, STORAGE, storage};
use super::device::{Device, Ill};
use flyball_io_map::image::{NoData, Reading};
use flyball_io_map::profile::load;
use flyball_runtime::clock::{Deadline, monotonic_ns, until};
use flyball_runtime::exchange::latest::{Reader, Writer, latest};
use flyball_runtime::field::block::{FromDevice, Head, OutputKind, OutputValue, ToDevice};
use flyball_runtime::field::modbus::poller::Settings;
use flyball_runtime::field::modbus::tcp::{DeviceEnd, DeviceSetup, Endpoint, start};
use nix::sys::socket::{setsockopt, sockopt};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, spawn};
use std::time::Duration;

/// How the server treats its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Whole frames.
    Whole,
    /// A byte at a time.
    Bytes,
    /// Each answer in one piece with a second, late one in front of it.
    WithALateOne,
    /// Half an answer, then a reset.
    HalfThenReset,
    /// It accepts, reads, and says nothing.
    Nothing,
}

struct Shared {
    device: Mutex<Device>,
    way: Mutex<Way>,
    accepted: AtomicUsize,
    stop: AtomicBool,
}

struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn start(way: Way) -> Self {
        Self::listen(TcpListener::bind("127.0.0.1:0").unwrap(), way)
    }

    fn listen(listener: TcpListener, way: Way) -> Self {
        let address = listener.local_addr().unwrap();
        let device = Mutex::new(storage());
        let (way, accepted, stop) = (Mutex::new(way), AtomicUsize::new(0), AtomicBool::new(false));
        let shared = Arc::new(Shared { device, way, accepted, stop });
        let own = Arc::clone(&shared);
        let thread = spawn(move || {
            let mut connections = Vec::new();
            for stream in listener.incoming() {
                if own.stop.load(Ordering::SeqCst) {
                    break;
                }
                own.accepted.fetch_add(1, Ordering::SeqCst);
                let shared = Arc::clone(&own);
                connections.push(spawn(move || shared.serve(stream.unwrap())));
            }
            connections.into_iter().for_each(|c| c.join().unwrap());
        });
        Self { address, shared, thread: Some(thread) }
    }

    fn treat(&self, way: Way) {
        *self.shared.way.lock().unwrap() = way;
    }

    fn device(&self) -> std::sync::MutexGuard<'_, Device> {
        self.shared.device.lock().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address); // wakes the listener
        self.thread.take().unwrap().join().unwrap();
    }
}

impl Shared {
    fn serve(&self, mut stream: TcpStream) {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let mut bytes = Vec::new();
        let mut some = [0; 300];
        while !self.stop.load(Ordering::SeqCst) {
            match stream.read(&mut some) {
                Ok(0) => return,
                Ok(count) => bytes.extend_from_slice(&some[..count]),
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
                Err(_) => return,
            }
            while bytes.len() > 6 && bytes.len() >= 6 + usize::from(bytes[5]) {
                let frame: Vec<u8> = bytes.drain(..6 + usize::from(bytes[5])).collect();
                if !self.answer(&mut stream, &frame) {
                    return;
                }
            }
        }
    }

    /// False: the connection is over.
    fn answer(&self, stream: &mut TcpStream, frame: &[u8]) -> bool {
        let Some(pdu) = self.device.lock().unwrap().answer(0, &frame[7..]) else { return true };
        let length = u8::try_from(pdu.len() + 1).unwrap();
        let answer = [&frame[..5], &[length, frame[6]], &pdu[..]].concat();
        let way = *self.way.lock().unwrap();
        match way {
            Way::Nothing => true,
            Way::Whole => stream.write_all(&answer).is_ok(),
            Way::Bytes => answer.iter().all(|byte| stream.write_all(&[*byte]).is_ok()),
            Way::WithALateOne => {
                let mut late = answer.clone();
                late[0] ^= 0x55;
                late.extend_from_slice(&answer);
                stream.write_all(&late).is_ok()
            }
            Way::HalfThenReset => {
                let _ = stream.write_all(&answer[..answer.len() / 2]);
                setsockopt(stream, sockopt::Linger, &nix::libc::linger { l_onoff: 1, l_linger: 0 }).unwrap();
                false
            }
        }
    }
}

/// The scan's side of one device.
struct Scan {
    reader: Reader,
    from: FromDevice,
    writer: Writer,
    to: ToDevice,
    head: Head,
    p_set: f64,
    endpoint: Option<Endpoint>,
}

impl Scan {
    fn start(address: SocketAddr) -> Self {
        let profile = load(STORAGE).unwrap();
        let from = FromDevice::new(profile.points.len(), 0);
        let to = ToDevice::new(vec![OutputKind::Real]);
        let (field_writer, reader) = latest(from.words());
        let (writer, field_reader) = latest(to.words());
        let outputs = vec![profile.writable("p_set").unwrap()];
        let settings = Settings { poll_ms: 20, watchdog_ms: None, outputs, scan_period_ns: 10_000_000, seed: 7 };
        let end = DeviceEnd { writer: field_writer, reader: field_reader, to: to.clone() };
        let setup = DeviceSetup { name: "pcs".into(), unit: 1, profile: Arc::new(profile), settings, end };
        let endpoint = start(0, address, vec![setup], monotonic_ns()).unwrap();
        let head = Head { scans: 0, drives: true, last: false };
        Self { reader, from, writer, to, head, p_set: 0.0, endpoint: Some(endpoint) }
    }

    fn give(&mut self) {
        self.head.scans += 1;
        let mut block = self.writer.begin();
        self.to.write(self.head, |_| OutputValue::Real(self.p_set), |i, word| block.set(i, word));
        block.end();
    }

    /// Scans until a condition holds, at most 20 s.
    fn until(&mut self, what: &str, mut condition: impl FnMut(&Self) -> bool) {
        let held = until(Deadline::after_ms(20_000), || {
            self.give();
            self.reader.fetch();
            condition(self)
        });
        assert!(held, "not within 20 s: {what}");
    }

    fn reading(&self, point: usize) -> Reading {
        self.from.reading(point, |i| self.reader.word(i))
    }

    fn value(&self, point: usize) -> Result<f64, NoData> {
        let reading = self.reading(point);
        reading.fresh(reading.taken(), u64::MAX)
    }

    fn is_online(&self) -> bool {
        self.value(self.from.points() - 1) == Ok(1.0)
    }

    fn counts(&self) -> flyball_runtime::field::counters::Counts {
        self.endpoint.as_ref().unwrap().counters()[0].1.load()
    }

    fn stop(&mut self) -> bool {
        self.endpoint.take().unwrap().stop(Deadline::after_ms(10_000))
    }
}

#[test]
fn a_device_comes_online_follows_its_set_point_and_is_left_safe() {
    let server = Server::start(Way::Whole);
    let mut scan = Scan::start(server.address);
    scan.until("online", Scan::is_online);
    assert_eq!(scan.value(P), Ok(1234.0));
    scan.p_set = -750.0;
    scan.until("the set-point", |_| server.device().get(P_SET).cast_signed() == -750);
    assert_eq!(scan.counts().connects, 1);
    scan.p_set = 0.0;
    scan.head = Head { drives: false, last: true, ..scan.head };
    scan.give();
    assert!(scan.stop(), "the last block was written, and the thread has ended");
    assert_eq!(server.device().get(P_SET), 0);
}

#[test]
fn answers_may_come_a_byte_at_a_time_or_with_a_late_one_in_one_piece() {
    for way in [Way::Bytes, Way::WithALateOne] {
        let server = Server::start(way);
        let mut scan = Scan::start(server.address);
        scan.until("online", Scan::is_online);
        let first = scan.reading(P).taken();
        scan.until("ten polls", |s| s.reading(P).taken().since(first) > 200_000_000);
        assert_eq!((scan.value(P), scan.counts().bad_answers), (Ok(1234.0), 0), "{way:?}");
        assert_eq!(server.shared.accepted.load(Ordering::SeqCst), 1, "{way:?}: the connection is in order");
    }
}

#[test]
fn half_an_answer_and_a_reset_give_no_value_and_a_new_connection() {
    let server = Server::start(Way::Whole);
    let mut scan = Scan::start(server.address);
    scan.until("online", Scan::is_online);
    server.treat(Way::HalfThenReset);
    server.device().hold(0, &[4_321]);
    scan.until("offline", |s| !s.is_online());
    scan.until("another try", |_| server.shared.accepted.load(Ordering::SeqCst) >= 2);
    assert_ne!(scan.value(P), Ok(4321.0));
    server.treat(Way::Whole);
    scan.until("online again, with the new value", |s| s.is_online() && s.value(P) == Ok(4321.0));
    assert!(scan.counts().disconnects >= 1);
}

#[test]
fn a_peer_that_says_nothing_is_silent_and_its_connection_is_left() {
    let server = Server::start(Way::Whole);
    let mut scan = Scan::start(server.address);
    scan.until("online", Scan::is_online);
    server.treat(Way::Nothing);
    scan.until("silence", |s| s.value(P) == Err(NoData::DeviceSilent) && !s.is_online());
    scan.until("a new connection", |_| server.shared.accepted.load(Ordering::SeqCst) >= 2);
    assert!(scan.counts().timeouts >= 3);
    server.treat(Way::Whole);
    scan.until("online again", Scan::is_online);
}

#[test]
fn a_device_that_nobody_listens_for_is_silent_until_somebody_does() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut scan = Scan::start(address);
    scan.until("silence", |s| s.value(P) == Err(NoData::DeviceSilent));
    let server = Server::listen(TcpListener::bind(address).unwrap(), Way::Whole);
    scan.until("online", Scan::is_online);
    assert_eq!(server.shared.accepted.load(Ordering::SeqCst), 1);
}

#[test]
fn a_thread_that_cannot_write_its_last_block_ends_all_the_same_and_says_so() {
    let server = Server::start(Way::Whole);
    let mut scan = Scan::start(server.address);
    scan.until("online", Scan::is_online);
    server.device().ill = Ill::Silent;
    scan.head.last = true;
    scan.give();
    assert!(!scan.stop());
    let server = Server::start(Way::Whole);
    let mut scan = Scan::start(server.address);
    scan.until("online", Scan::is_online);
    assert!(!scan.stop(), "without a last block there is nothing that could be known to be written");
}

#[test]
fn a_peer_that_talks_without_end_holds_nobody_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let own = Arc::clone(&stop);
    let thread = spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let late = [9, 9, 0, 0, 0, 3, 1, 0x83, 2].repeat(100);
        while !own.load(Ordering::SeqCst) && stream.write_all(&late).is_ok() {}
    });
    let mut scan = Scan::start(address);
    scan.until("silence", |s| s.value(P) == Err(NoData::DeviceSilent));
    assert!(!scan.stop(), "it ends in time, with nothing written");
    stop.store(true, Ordering::SeqCst);
    thread.join().unwrap();
}
