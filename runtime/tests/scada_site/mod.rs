//! A small site for the tests of the SCADA server: its layout, snapshots made by hand, a command queue to look into, and
//! a line to a station without a socket.

#![allow(dead_code, unreachable_pub, reason = "several test binaries include it, each uses a part")]
#![allow(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

pub mod sockets;

use flyball_io_map::image::output::Rule;
use flyball_io_map::image::point::Source;
use flyball_io_map::image::wiring::{OutputDef, OutputKind};
use flyball_io_map::image::{
    NoData, Outputs, PointDef, Reading, ScanTime, Unit, ValueKind, Wiring, choice::ChoiceRule,
};
use flyball_runtime::scada::connection::{Connection, Over};
use flyball_runtime::scada::{Commands, Full, Grant, Published, Settings, Station, Writer};
use flyball_runtime::scan::command::{Ask, Command};
use flyball_runtime::scan::snapshot::{Header, Layout, SiteState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

/// The scan period of the site, ms.
pub const PERIOD_MS: u32 = 10;
/// The lease of its command points, ms.
pub const LEASE_MS: u32 = 10_000;

/// Points of the site, by index.
pub mod at {
    pub const METER_P: usize = 0;
    pub const SOC: usize = 1;
    pub const ESTOP: usize = 2;
    pub const PCS_STATE: usize = 3;
    pub const POWER: usize = 4;
    pub const REACTIVE: usize = 5;
    pub const RUN: usize = 6;
    pub const STOP: usize = 7;
    pub const MODE: usize = 8;
    pub const LOAD: usize = 9;
}

fn point(name: &str, kind: ValueKind, unit: Unit, source: Source, plausible: (f64, f64)) -> PointDef {
    let age_max_ms = if source == Source::Command { LEASE_MS } else { 500 };
    let names = [(0, "off".to_owned()), (1, "follow".to_owned()), (4, "test".to_owned())];
    let codes = if kind == ValueKind::Code { names.to_vec() } else { Vec::new() };
    PointDef { name: name.into(), kind, unit, source, plausible, age_max_ms, frozen_after_ms: None, codes }
}

pub fn points() -> Vec<PointDef> {
    use ValueKind::{Code, Flag, Real};
    vec![
        point("meter.p", Real, Unit::W, Source::Device(0), (-1e6, 1e6)),
        point("bms.soc", Real, Unit::Percent, Source::Device(1), (0.0, 100.0)),
        point("panel.estop", Flag, Unit::None, Source::Device(2), (0.0, 1.0)),
        point("pcs.state", Code, Unit::None, Source::Device(3), (0.0, 65_535.0)),
        point("scada.p", Real, Unit::W, Source::Command, (-5_000.0, 5_000.0)),
        point("scada.q", Real, Unit::Var, Source::Command, (-2_000.0, 2_000.0)),
        point("scada.run", Flag, Unit::None, Source::Command, (0.0, 1.0)),
        point("scada.stop", Flag, Unit::None, Source::Command, (0.0, 1.0)),
        point("scada.mode", Code, Unit::None, Source::Command, (0.0, 10.0)),
        point("load", Real, Unit::W, Source::Computed, (-1e6, 1e6)),
    ]
}

pub fn outputs() -> Vec<OutputDef> {
    let rule = Rule { safe: 0.0, range: (-5_000.0, 5_000.0), ramp_per_s: 1_000.0, ramp_out_per_s: 5_000.0 };
    let real =
        |name: &str, unit| OutputDef { name: name.into(), kind: OutputKind::Real { unit, rule }, members: vec![] };
    let choice = ChoiceRule { values: 2, safe: 0, dwell_ns: 0, safe_after: None };
    let values = vec!["open".into(), "closed".into()];
    vec![
        real("pcs.p", Unit::W),
        OutputDef {
            name: "panel.contactor".into(),
            kind: OutputKind::Choice { values, rule: choice },
            members: vec![],
        },
        real("pcs.q", Unit::Var),
        OutputDef { name: "pcs.reset".into(), kind: OutputKind::Pulse, members: vec![] },
    ]
}

/// The site with `points` instead of its own.
pub fn layout_of(points: Vec<PointDef>) -> (Arc<Layout>, Outputs) {
    let wiring = Wiring::new(points, outputs(), PERIOD_MS);
    let places = wiring.places().to_vec();
    let wired = wiring.finish().expect("nothing was wired");
    (Arc::new(Layout::new("test".into(), PERIOD_MS, wired.points, outputs(), places, vec![])), wired.outputs)
}

pub fn layout() -> Arc<Layout> {
    layout_of(points()).0
}

pub fn header(tick: u64) -> Header {
    Header {
        tick,
        scans: tick,
        state: SiteState::Armed,
        degraded: false,
        quarantined: 0,
        slots_skipped: 0,
        scan_ns: 0,
        late_ns: 0,
        wall_ns: 0,
        wall_trusted: false,
        commands_refused: 0,
    }
}

/// The words that a scan with this header and these readings publishes.
pub fn words(header: &Header, readings: &[Reading]) -> Vec<u64> {
    let (layout, outputs) = layout_of(points());
    let mut words = vec![0; layout.words()];
    Layout::write(header, readings, &outputs, |i, word| words[i] = word);
    words
}

/// Readings that were all taken at the scan of this tick: the values are the tick, commands are absent.
pub fn readings(tick: u64) -> Vec<Reading> {
    let taken = ScanTime::from_ms(tick * u64::from(PERIOD_MS));
    let value = |source| {
        if source == Source::Command { Err(NoData::NoCommand) } else { Ok(f64::from(u32::try_from(tick).unwrap())) }
    };
    points().iter().map(|p| Reading::new(value(p.source), taken)).collect()
}

/// What the scan has published.
#[derive(Clone, Default)]
pub struct Board(pub Arc<Mutex<Option<Vec<u64>>>>);

impl Board {
    pub fn publish(&self, words: Vec<u64>) {
        *self.0.lock().unwrap() = Some(words);
    }
}

impl Published for Board {
    fn read(&mut self, words: &mut [u64]) -> Option<u64> {
        let published = self.0.lock().unwrap();
        words.copy_from_slice(published.as_ref()?);
        Some(words[1])
    }
}

/// A command queue of some room.
#[derive(Clone)]
pub struct Queue(pub Arc<Mutex<(Vec<Command>, usize)>>);

impl Queue {
    pub fn of(room: usize) -> Self {
        Self(Arc::new(Mutex::new((Vec::new(), room))))
    }

    /// What was sent since the last look; the queue is empty then.
    pub fn taken(&self) -> Vec<Command> {
        std::mem::take(&mut self.0.lock().unwrap().0)
    }
}

impl Commands for Queue {
    fn send(&mut self, commands: &[Command]) -> Result<(), Full> {
        let (queue, room) = &mut *self.0.lock().unwrap();
        if queue.len() + commands.len() > *room {
            return Err(Full);
        }
        queue.extend_from_slice(commands);
        Ok(())
    }
}

pub const STRANGER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 99));
pub const DISPATCH: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
pub const BACKUP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

/// `dispatch` may command everything but the reactive power, `backup` the reactive power alone.
pub fn settings() -> Settings {
    let grant = |command: &u16| Grant { command: *command, priority: 5 };
    let writer = |name: &str, peer, commands: &[u16], heartbeat| Writer {
        peer,
        name: name.into(),
        commands: commands.iter().map(grant).collect(),
        writes_per_s: 1_000_000,
        heartbeat,
    };
    Settings {
        listen: "127.0.0.1:0".parse().unwrap(),
        units: vec![1],
        connections_max: 64,
        idle_ms: 60_000,
        readers: Vec::new(),
        writers: vec![writer("dispatch", DISPATCH, &[0, 2, 3, 4], true), writer("backup", BACKUP, &[1], true)],
    }
}

pub fn level(source: u16, point: u16, value: f64) -> Command {
    Command { source, priority: 5, ask: Ask::Level { point, value } }
}

pub fn renew(source: u16) -> Command {
    Command { source, priority: 0, ask: Ask::Renew }
}

/// The number that the test stations' first writer carries in its commands.
pub const FIRST_SOURCE: u16 = 40;

/// A station with one client, and no socket between them.
pub struct Line<P = Board> {
    pub station: Station<P, Queue>,
    pub connection: Connection,
    pub queue: Queue,
    pub now_ns: u64,
}

impl Line<Board> {
    /// A client at `peer`; the site has published its scan 7.
    pub fn from(peer: IpAddr) -> Self {
        Self::with(peer, &settings(), 10_000)
    }

    pub fn with(peer: IpAddr, settings: &Settings, room: usize) -> Self {
        let board = Board::default();
        board.publish(words(&header(7), &readings(7)));
        Self::over(board, peer, settings, room)
    }
}

impl<P: Published> Line<P> {
    pub fn over(published: P, peer: IpAddr, settings: &Settings, room: usize) -> Self {
        let queue = Queue::of(room);
        let station = Station::new(layout(), settings, published, queue.clone(), FIRST_SOURCE).unwrap();
        Self { station, connection: Connection::new(peer, settings.idle_ms, 0), queue, now_ns: 0 }
    }

    /// Another client comes in place of the present one.
    pub fn reconnect(&mut self, peer: IpAddr) {
        self.connection = Connection::new(peer, 60_000, self.now_ns);
    }

    /// Gives bytes to the connection as a socket would, takes turns until nothing is left to do, and collects the answers.
    pub fn give(&mut self, mut bytes: &[u8]) -> Vec<u8> {
        let mut answers = Vec::new();
        while self.over_why().is_none() {
            let taken = self.connection.spare().len().min(bytes.len());
            if taken > 0 {
                self.connection.spare()[..taken].copy_from_slice(&bytes[..taken]);
                self.connection.received(taken, self.now_ns);
                bytes = &bytes[taken..];
            }
            self.station.turn();
            let (station, now_ns) = (&mut self.station, self.now_ns);
            self.connection.turn(now_ns, |frame, peer, reply| station.serve(frame, peer, now_ns, reply));
            answers.extend_from_slice(self.connection.outgoing());
            self.connection.delivered(self.connection.outgoing().len(), now_ns);
            if bytes.is_empty() && !self.connection.has_request() {
                break;
            }
        }
        answers
    }

    pub fn over_why(&self) -> Option<Over> {
        self.connection.over(self.now_ns)
    }

    /// One request to unit 1; the PDU of its answer. The transaction id is seen to come back.
    pub fn ask(&mut self, pdu: &[u8]) -> Vec<u8> {
        let answer = self.give(&adu(0x1234, 1, pdu));
        assert_eq!(answer.get(..7), Some(&adu(0x1234, 1, &answer[7..])[..7]), "the header of the answer to {pdu:02x?}");
        answer[7..].to_vec()
    }

    /// The values of some holding registers.
    pub fn read(&mut self, address: u16, registers: u16) -> Vec<u16> {
        let answer = self.ask(&read(3, address, registers));
        assert_eq!((answer[0], u16::from(answer[1])), (3, 2 * registers), "read of {registers} from {address}");
        answer[2..].chunks_exact(2).map(|b| u16::from_be_bytes([b[0], b[1]])).collect()
    }

    /// A point, command or output value.
    pub fn single(&mut self, address: u16) -> f32 {
        let words = self.read(address, 2);
        f32::from_bits(u32::from(words[0]) << 16 | u32::from(words[1]))
    }
}

/// A whole frame.
pub fn adu(transaction: u16, unit: u8, pdu: &[u8]) -> Vec<u8> {
    let [length_high, length_low] = u16::try_from(pdu.len() + 1).unwrap().to_be_bytes();
    let [high, low] = transaction.to_be_bytes();
    [&[high, low, 0, 0, length_high, length_low, unit], pdu].concat()
}

/// A read request, or any other with a function, an address and a quantity or value.
pub fn read(function: u8, address: u16, quantity: u16) -> Vec<u8> {
    [&[function][..], &address.to_be_bytes(), &quantity.to_be_bytes()].concat()
}

/// A write of registers.
pub fn write(address: u16, registers: &[u16]) -> Vec<u8> {
    let count = u16::try_from(registers.len()).unwrap();
    let mut pdu =
        [&[16][..], &address.to_be_bytes(), &count.to_be_bytes(), &[u8::try_from(2 * count).unwrap()]].concat();
    pdu.extend(registers.iter().flat_map(|r| r.to_be_bytes()));
    pdu
}

/// A value as its two registers.
pub fn pair(value: f32) -> [u16; 2] {
    let [a, b, c, d] = value.to_be_bytes();
    [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])]
}
