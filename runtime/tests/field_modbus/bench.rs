//! A poller and its scripted device in virtual time, with a scan that completes every 10 ms.

use super::device::{Device, value};
use flyball_io_map::image::pulse::Pending;
use flyball_io_map::image::{NoData, ScanTime};
use flyball_io_map::modbus::Pdu;
use flyball_io_map::profile::{Profile, WritableKind, load};
use flyball_runtime::field::block::{Head, OutputKind, OutputValue, Outputs, ToDevice};
use flyball_runtime::field::modbus::fault::LinkFault;
use flyball_runtime::field::modbus::poller::{Poller, Settings, Step};
use std::sync::Arc;

/// A storage inverter in a few registers. `{writables}` may be extended by a test.
pub(crate) const STORAGE: &str = r#"Profile(
    vendor: "Test", model: "storage", kind: Storage, sources: ["made for tests"], certainty: A, verified: Simulator,
    link: (read_max: 50, gap_max: 4, gap_min_ms: 2, timeout_ms: 200),
    identity: [Register(at: Holding(900), encoding: U16, expect: (7, 7), source: "900")],
    points: {
        "p": (at: Holding(0), encoding: I16, unit: W, plausible: (-5000, 5000), poll: Fast, age_max_ms: 500, source: "0"),
        "soc": (at: Holding(1), encoding: U16, unit: Percent, plausible: (0, 100), poll: Fast, age_max_ms: 500, source: "1"),
        "temperature": (at: Holding(20), encoding: I16, unit: DegC, plausible: (-50, 200), poll: Normal, age_max_ms: 5000, source: "20"),
        "p_limit": (at: Holding(40), encoding: U16, unit: W, plausible: (0, 5000), poll: Slow, age_max_ms: 60000, source: "40"),
    },
    writables: {
        "p_set": (kind: Real(unit: W, range: (-5000, 5000), safe: 0), at: Holding(60), encoding: I16,
            policy: (dead_band: 10, gap_min_ms: 100, refresh_ms: 1000), read_back: Within(ms: 300, tolerance: 0), source: "60"),
        "mode": (kind: Choice(values: [("off", 1), ("on", 3)], safe: "off"), at: Holding(62), encoding: U16,
            policy: (gap_min_ms: 0), read_back: Within(ms: 300, tolerance: 0), source: "62"),
        "reset": (kind: Pulse(1), at: Holding(64), encoding: U16, policy: (gap_min_ms: 0), read_back: Never("clears itself"), source: "64"),
        "reserve": (kind: Real(unit: Percent, range: (0, 100), safe: 20), at: Holding(66), encoding: U16,
            policy: (gap_min_ms: 0, flash_writes_per_day_max: 20), read_back: Within(ms: 300, tolerance: 0), source: "66"),
        "q_set": (kind: Real(unit: Var, range: (-5000, 5000), safe: 0), at: Holding(68), encoding: I16, together: "pq",
            policy: (gap_min_ms: 0), read_back: Within(ms: 300, tolerance: 0), source: "68"),
        "q_ramp": (kind: Real(unit: Var, range: (0, 5000), safe: 100), at: Holding(69), encoding: I16, together: "pq",
            policy: (gap_min_ms: 0), read_back: Within(ms: 300, tolerance: 0), source: "69"),
    },
    heartbeat: (at: Holding(80), encoding: U16, counter: (1, 3), every_ms: 200, source: "80"),
    watchdog: Device(timeout_ms: (1000, 60000), default_ms: 2000, kept_by: Heartbeat, effect: "stops", source: "82"),
    connect: [
        (at: Holding(84), encoding: U16, value: Value(5), source: "84: remote control"),
        (at: Holding(82), encoding: U16, value: WatchdogSeconds, source: "82: watchdog"),
    ],
    limits: ["p_limit"],
)"#;

pub(crate) const P: usize = 0;
pub(crate) const SOC: usize = 1;
pub(crate) const TEMPERATURE: usize = 2;
pub(crate) const ONLINE: usize = 4;
pub(crate) const P_SET: u16 = 60;
pub(crate) const MODE: u16 = 62;
pub(crate) const RESET: u16 = 64;
pub(crate) const RESERVE: u16 = 66;
pub(crate) const HEARTBEAT: u16 = 80;
pub(crate) const WATCHDOG: u16 = 82;
pub(crate) const REMOTE: u16 = 84;

/// The device of [`STORAGE`] in good health.
pub(crate) fn storage() -> Device {
    let mut device = Device::new();
    device
        .hold(0, &[1234, 55])
        .hold(20, &[31])
        .hold(40, &[4000])
        .hold(60, &[0; 10])
        .hold(HEARTBEAT, &[0; 5])
        .hold(900, &[7]);
    device
}

pub(crate) struct Bench {
    pub(crate) poller: Poller,
    pub(crate) device: Device,
    pub(crate) now_ms: u64,
    /// The scan completes every 10 ms while this is true.
    pub(crate) scanning: bool,
    pub(crate) head: Head,
    pub(crate) values: Vec<OutputValue>,
    to: ToDevice,
    words: Vec<u64>,
    /// The answer in flight: when, and what.
    flight: Option<(u64, Result<Vec<u8>, LinkFault>)>,
    /// Every change of `online`.
    pub(crate) online: Vec<(u64, bool)>,
}

impl Bench {
    /// [`STORAGE`] with these writables as outputs.
    pub(crate) fn new(outputs: &[&str]) -> Self {
        Self::of(STORAGE, storage(), outputs)
    }

    pub(crate) fn of(profile: &str, device: Device, outputs: &[&str]) -> Self {
        let profile = load(profile).unwrap_or_else(|problems| panic!("{problems:#?}"));
        let writables: Vec<usize> = outputs.iter().map(|name| profile.writable(name).unwrap()).collect();
        let kinds: Vec<OutputKind> = writables.iter().map(|w| kind(&profile, *w)).collect();
        let to = ToDevice::new(kinds.clone());
        let values = kinds.iter().map(|k| match k {
            OutputKind::Real => OutputValue::Real(0.0),
            OutputKind::Choice => OutputValue::Choice(0),
            OutputKind::Pulse => OutputValue::Pulse(None),
        });
        let settings =
            Settings { poll_ms: 100, watchdog_ms: None, outputs: writables, scan_period_ns: 10_000_000, seed: 7 };
        Self {
            poller: Poller::new(Arc::new(profile), &settings, ScanTime(0)),
            device,
            now_ms: 0,
            scanning: true,
            head: Head { scans: 0, drives: true, last: false },
            values: values.collect(),
            words: vec![0; to.words()],
            to,
            flight: None,
            online: Vec::new(),
        }
    }

    /// Runs for so many ms.
    pub(crate) fn run(&mut self, ms: u64) {
        for _ in 0..ms {
            self.step();
        }
    }

    /// Runs until a condition holds.
    pub(crate) fn run_until(&mut self, what: &str, mut condition: impl FnMut(&Self) -> bool) {
        for _ in 0..120_000 {
            if condition(self) {
                return;
            }
            self.step();
        }
        panic!("not within 120 s: {what}; fault {:?}\n{:#?}", self.poller.fault(), self.device.story());
    }

    pub(crate) fn run_until_online(&mut self) {
        self.run_until("online", |b| b.poller.is_online());
    }

    fn step(&mut self) {
        self.now_ms += 1;
        let now = ScanTime::from_ms(self.now_ms);
        if self.scanning && self.now_ms.is_multiple_of(10) {
            self.head.scans += 1;
            let (to, words, values) = (&self.to, &mut self.words, &self.values);
            to.write(self.head, |i| values[i], |i, word| words[i] = word);
        }
        if let Some((at, answer)) = self.flight.take_if(|(at, _)| *at <= self.now_ms) {
            assert!(at <= self.now_ms);
            self.poller.answered(now, answer.as_deref().map_err(|e| *e));
        }
        let outputs = if self.head.scans == 0 { Outputs::NONE } else { self.to.view(&self.words) };
        match self.poller.next(now, &outputs) {
            Step::Wait(until) => assert!(until > now, "nothing to do, and no time to wait"),
            Step::Send(request) => {
                assert!(self.flight.is_none(), "one request in flight");
                let mut pdu = Pdu::new();
                request.encode(&mut pdu).unwrap();
                let answer = self.device.answer(self.now_ms, pdu.as_bytes());
                let timeout_ms = self.poller.timeout_ns() / 1_000_000;
                self.flight = Some(match answer {
                    Some(pdu) if self.device.answer_ms < timeout_ms => (self.now_ms + self.device.answer_ms, Ok(pdu)),
                    _ => (self.now_ms + timeout_ms, Err(LinkFault::Timeout)),
                });
            }
        }
        let online = self.point_online();
        if self.online.last().map_or(online, |last| last.1 != online) {
            self.online.push((self.now_ms, online));
        }
    }

    /// The connection breaks, with whatever is in flight.
    pub(crate) fn disconnect(&mut self) {
        self.flight = None;
        self.poller.disconnected(ScanTime::from_ms(self.now_ms));
    }

    pub(crate) fn in_flight(&self) -> bool {
        self.flight.is_some()
    }

    /// Replaces the answer in flight.
    pub(crate) fn answer_with(&mut self, answer: Result<Vec<u8>, LinkFault>) {
        self.flight = Some((self.now_ms, answer));
    }

    pub(crate) fn set(&mut self, output: usize, value: f64) {
        self.values[output] = OutputValue::Real(value);
    }

    pub(crate) fn fire(&mut self, output: usize, id: u64, for_ms: u64) {
        let expires = ScanTime::from_ms(self.now_ms + for_ms);
        self.values[output] = OutputValue::Pulse(Some(Pending { id, expires }));
    }

    pub(crate) fn point_online(&self) -> bool {
        value(&self.poller, self.poller.words().layout().points() - 1) == Ok(1.0)
    }

    pub(crate) fn value(&self, point: usize) -> Result<f64, NoData> {
        value(&self.poller, point)
    }
}

fn kind(profile: &Profile, writable: usize) -> OutputKind {
    match profile.writables[writable].kind {
        WritableKind::Real { .. } => OutputKind::Real,
        WritableKind::Choice { .. } => OutputKind::Choice,
        WritableKind::Pulse { .. } => OutputKind::Pulse,
    }
}
