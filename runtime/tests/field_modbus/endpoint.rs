//! Several devices on one connection, and what becomes of broken, late and foreign answers.

use super::bench::{P, STORAGE, storage};
use super::device::{Device, Ill, value};
use flyball_io_map::image::{NoData, ScanTime};
use flyball_io_map::profile::load;
use flyball_runtime::field::block::Outputs;
use flyball_runtime::field::modbus::endpoint::{Do, Endpoint, Member};
use flyball_runtime::field::modbus::fault::{Fault, LinkFault};
use flyball_runtime::field::modbus::poller::{Poller, Settings};
use std::collections::VecDeque;
use std::sync::Arc;

/// An endpoint and its peer in virtual time.
struct Line {
    endpoint: Endpoint,
    devices: Vec<Device>,
    now_ms: u64,
    accepts: bool,
    /// Bytes on their way, and when they arrive.
    coming: VecDeque<(u64, Vec<u8>)>,
    sent: Vec<(u64, u8)>,
    connects: Vec<u64>,
    closes: usize,
}

fn poller(seed: u64) -> Poller {
    let settings = Settings { poll_ms: 100, watchdog_ms: None, outputs: vec![], scan_period_ns: 10_000_000, seed };
    Poller::new(Arc::new(load(STORAGE).unwrap()), &settings, ScanTime(0))
}

impl Line {
    /// Units 1, 2, … on one connection.
    fn new(count: u8) -> Self {
        let member = |i: u8| Member { unit: i + 1, poller: poller(u64::from(i)) };
        Self {
            endpoint: Endpoint::new((0..count).map(member).collect(), 9, ScanTime(0)),
            devices: (0..count).map(|_| storage()).collect(),
            now_ms: 0,
            accepts: true,
            coming: VecDeque::new(),
            sent: vec![],
            connects: vec![],
            closes: 0,
        }
    }

    fn run(&mut self, ms: u64) {
        for _ in 0..ms {
            self.now_ms += 1;
            let now = ScanTime::from_ms(self.now_ms);
            while let Some((_, bytes)) = self.coming.pop_front_if(|(at, _)| *at <= self.now_ms) {
                self.endpoint.received(now, &bytes);
            }
            for _ in 0..4 {
                match self.endpoint.next(now, |_| Outputs::NONE) {
                    Do::Wait(until) => {
                        assert!(until > now, "nothing to do and no time to wait");
                        break;
                    }
                    Do::Close => {
                        self.closes += 1;
                        self.coming.clear();
                    }
                    Do::Connect => {
                        self.connects.push(self.now_ms);
                        if self.accepts { self.endpoint.connected() } else { self.endpoint.connect_failed(now) }
                    }
                    Do::Send(bytes) => {
                        let bytes = bytes.to_vec();
                        self.arrive(&bytes);
                    }
                }
            }
        }
    }

    /// The peer gets a request.
    fn arrive(&mut self, adu: &[u8]) {
        let unit = adu[6];
        self.sent.push((self.now_ms, unit));
        let device = &mut self.devices[usize::from(unit) - 1];
        if let Some(pdu) = device.answer(self.now_ms, &adu[7..]) {
            let at = self.now_ms + device.answer_ms;
            self.coming.push_back((at, frame(&adu[..2], unit, &pdu)));
        }
    }

    fn poller(&self, device: usize) -> &Poller {
        self.endpoint.pollers().nth(device).unwrap()
    }

    fn close(&mut self) {
        self.coming.clear();
        self.endpoint.closed(ScanTime::from_ms(self.now_ms));
    }
}

fn frame(transaction: &[u8], unit: u8, pdu: &[u8]) -> Vec<u8> {
    let length = u16::try_from(pdu.len() + 1).unwrap().to_be_bytes();
    [transaction, &[0, 0], &length, &[unit], pdu].concat()
}

#[test]
fn devices_on_one_connection_take_turns() {
    let mut line = Line::new(3);
    line.devices.iter_mut().for_each(|d| d.answer_ms = 20);
    line.run(10_000);
    assert_eq!(line.connects.len(), 1);
    for device in 0..3 {
        assert!(line.poller(device).is_online());
        let reads = line.devices[device].reads(0);
        let longest = reads.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
        assert!(longest <= 200 && reads.len() >= 95, "{longest} ms, {} reads", reads.len());
    }
}

#[test]
fn a_silent_device_costs_its_neighbour_one_time_out_per_attempt_and_attempts_have_pauses() {
    let mut line = Line::new(2);
    line.run(1_000);
    line.devices[1].ill = Ill::Silent;
    let t = line.now_ms;
    line.run(60_000);
    assert_eq!(value(line.poller(1), P), Err(NoData::DeviceSilent));
    assert!(line.poller(0).is_online() && line.connects.len() == 1, "the connection is in order");
    let reads: Vec<u64> = line.devices[0].reads(0).into_iter().filter(|ms| *ms > t).collect();
    let longest = reads.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    assert!(longest <= 200 + 100 + 20, "the time-out, and a poll: {longest} ms");
    let late = reads.windows(2).filter(|pair| pair[1] - pair[0] > 150).count();
    assert!(late <= 20, "{late} late reads in a minute");
}

#[test]
fn a_late_answer_is_dropped_counted_and_never_taken_for_the_next() {
    let mut line = Line::new(2);
    line.run(1_000);
    let before = (line.poller(0).counts(), line.poller(1).counts());
    line.devices[0].answer_ms = 230; // the time-out is 200
    line.devices[0].hold(0, &[4_321]);
    line.run(240);
    line.devices[0].answer_ms = 3;
    line.run(20);
    assert_eq!(line.poller(0).counts().late_answers - before.0.late_answers, 1);
    assert_eq!(line.poller(1).counts().late_answers, before.1.late_answers);
    line.run(2_000);
    assert_eq!(line.connects.len(), 1, "the connection is usable at once");
    assert_eq!((value(line.poller(0), P), value(line.poller(1), P)), (Ok(4321.0), Ok(1234.0)));
}

#[test]
fn an_answer_with_any_other_transaction_id_is_no_answer() {
    for other in [0, 1, 0x1234, u16::MAX] {
        let mut line = Line::new(1);
        line.run(1_000);
        let before = value(line.poller(0), P);
        line.devices[0].ill = Ill::Silent;
        line.run(150);
        let reading = line.poller(0).words().reading(P);
        // the right unit, function and length; the wrong id
        line.coming.push_back((0, frame(&other.to_be_bytes(), 1, &[3, 4, 0x7F, 0, 0, 1])));
        line.run(1);
        assert_eq!((value(line.poller(0), P), line.poller(0).words().reading(P)), (before, reading), "id {other}");
    }
}

#[test]
fn an_answer_of_another_unit_is_no_answer() {
    let mut line = Line::new(1);
    line.run(1_000);
    let before = line.poller(0).words().reading(P);
    line.devices[0].ill = Ill::Silent;
    let sent = line.sent.len();
    while line.sent.len() == sent {
        line.run(1);
    }
    // no way to see the id from here, so every one is tried
    for id in 0..200_u16 {
        line.coming.push_back((0, frame(&id.to_be_bytes(), 2, &[3, 4, 0x7F, 0, 0, 1])));
    }
    line.run(1);
    assert_eq!(line.poller(0).counts().bad_answers, 1);
    assert_eq!(line.poller(0).words().reading(P), before);
}

#[test]
fn a_stream_that_is_not_modbus_ends_the_connection() {
    let mut line = Line::new(2);
    line.run(1_000);
    line.coming.push_back((0, b"HTTP/1.1 400 Bad Request\r\n".to_vec()));
    line.run(1);
    assert_eq!(line.closes, 1);
    for device in 0..2 {
        assert!(!line.poller(device).is_online());
        let fault = line.poller(device).fault();
        assert!(matches!(fault, Some(Fault::Link(LinkFault::Framing(_) | LinkFault::Disconnected))), "{fault:?}");
    }
    let t = line.now_ms;
    line.run(5_000);
    assert!(line.connects[1] >= t + 1_000 - 1, "{:?}", line.connects);
    assert!(line.poller(0).is_online() && line.poller(1).is_online());
}

#[test]
fn a_peer_that_says_nothing_at_all_is_left_and_a_new_connection_is_made() {
    let mut line = Line::new(2);
    line.run(1_000);
    line.devices.iter_mut().for_each(|d| d.ill = Ill::Silent);
    line.run(1_500);
    assert!(line.closes >= 1, "a half-open connection shows only by silence");
    line.devices.iter_mut().for_each(|d| d.ill = Ill::No);
    line.run(8_000);
    assert!(line.poller(0).is_online() && line.poller(1).is_online());
}

#[test]
fn connections_are_tried_a_second_apart_at_least_and_five_at_most() {
    let mut line = Line::new(1);
    line.accepts = false;
    line.run(60_000);
    let gaps: Vec<u64> = line.connects.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps[0] >= 1_000 && gaps[2] >= 3_900 && gaps.iter().all(|gap| *gap <= 5_001), "{gaps:?}");
    assert_eq!(value(line.poller(0), P), Err(NoData::DeviceSilent));
    line.accepts = true;
    line.run(5_500);
    assert!(line.poller(0).is_online());
    assert_eq!(value(line.poller(0), P), Ok(1234.0));
}

#[test]
fn a_peer_that_accepts_and_closes_at_once_is_not_hammered() {
    let mut line = Line::new(1);
    let mut before = 0;
    for _ in 0..60_000 {
        line.run(1);
        if line.connects.len() > before {
            before = line.connects.len();
            line.close();
        }
    }
    assert!((12..=25).contains(&line.connects.len()), "{:?}", line.connects);
}

#[test]
fn a_connect_that_never_ends_is_given_up() {
    let mut line = Line::new(1);
    let connect =
        |line: &mut Line, ms: u64| line.endpoint.next(ScanTime::from_ms(ms), |_| Outputs::NONE) == Do::Connect;
    assert!(connect(&mut line, 0));
    assert!(!connect(&mut line, 3_999));
    assert_eq!(line.endpoint.next(ScanTime::from_ms(4_000), |_| Outputs::NONE), Do::Close);
    assert!(!connect(&mut line, 4_999) && connect(&mut line, 5_300));
}

#[test]
fn the_answer_comes_whole_wherever_the_stream_is_cut() {
    for cut in 0..13 {
        let mut line = Line::new(1);
        for _ in 0..1_500 {
            line.run(1);
            if let Some((at, bytes)) = line.coming.pop_back() {
                let (a, b) = bytes.split_at(cut.min(bytes.len()));
                line.coming.push_back((at, a.to_vec()));
                line.coming.push_back((at + 2, b.to_vec()));
                line.run(6);
            }
        }
        assert_eq!(value(line.poller(0), P), Ok(1234.0), "cut at {cut}");
        assert_eq!((line.connects.len(), line.poller(0).counts().timeouts), (1, 0), "cut at {cut}");
    }
}

#[test]
fn half_an_answer_is_no_value() {
    for cut in 0..13 {
        let mut line = Line::new(1);
        line.run(1_000);
        let before = line.poller(0).words().reading(P);
        line.devices[0].hold(0, &[4_321]);
        while line.coming.is_empty() {
            line.run(1);
        }
        let (_, bytes) = line.coming.pop_front().unwrap();
        let sent = line.now_ms;
        line.coming.push_back((line.now_ms, bytes[..cut.min(bytes.len() - 1)].to_vec()));
        line.devices[0].ill = Ill::Silent;
        line.run(150);
        assert!(line.poller(0).words().reading(P).taken() < ScanTime::from_ms(sent), "cut at {cut}");
        line.close();
        assert_eq!(line.poller(0).words().reading(P), before, "cut at {cut}");
    }
}
