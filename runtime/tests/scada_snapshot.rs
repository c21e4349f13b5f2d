//! All registers of one answer come from one scan.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

mod scada_site;

use flyball_runtime::scada::Published;
use scada_site::*;

/// A new scan is published between any two reads; its number stands in every value.
struct EverNewer {
    tick: u64,
    /// How many words of a snapshot are already those of the next scan: none, in an honest cell.
    torn_words: usize,
    /// How many reads meet a cell that is being written, before one succeeds.
    contended: usize,
}

impl EverNewer {
    fn new(torn_words: usize, contended: usize) -> Self {
        Self { tick: 0, torn_words, contended }
    }
}

impl Published for EverNewer {
    fn read(&mut self, out: &mut [u64]) -> Option<u64> {
        self.tick += 1;
        let [this, next] = [self.tick, self.tick + 1].map(|tick| words(&header(tick), &readings(tick)));
        out.copy_from_slice(&this);
        let whole = this.len() - self.torn_words;
        out[whole..].copy_from_slice(&next[whole..]);
        if self.contended > 0 {
            self.contended -= 1;
            out.fill(u64::MAX);
            return None;
        }
        Some(self.tick)
    }
}

/// The values of all device points, and the scan counter of the header if it is given, are those of one scan.
fn belong_to_one_scan(points: &[u16]) -> bool {
    let values: Vec<u32> = points.chunks_exact(4).map(|p| u32::from(p[0]) << 16 | u32::from(p[1])).collect();
    let of_devices = [0, 1, 2, 3, 9].map(|point| values[point]);
    of_devices.windows(2).all(|pair| pair[0] == pair[1])
}

#[test]
fn an_answer_belongs_to_one_scan_while_scans_go_on() {
    let mut line = Line::over(EverNewer::new(0, 0), STRANGER, &settings(), 1);
    for _ in 0..100 {
        assert!(belong_to_one_scan(&line.read(20_000, 40)));
    }
    assert!(line.read(1, 1) < line.read(1, 1), "and the next answer to a later one");
}

#[test]
fn the_check_sees_registers_that_were_read_in_two_answers() {
    let mut line = Line::over(EverNewer::new(0, 0), STRANGER, &settings(), 1);
    let torn = [line.read(20_000, 8), line.read(20_008, 32)].concat();
    assert!(!belong_to_one_scan(&torn));
}

#[test]
fn the_check_sees_a_cell_that_tears() {
    let outputs = 4 + 4 + 1 + 1;
    for torn in [outputs + 2, outputs + 16] {
        let mut line = Line::over(EverNewer::new(torn, 0), STRANGER, &settings(), 1);
        assert!(!belong_to_one_scan(&line.read(20_000, 40)), "{torn} words of the next scan");
    }
}

#[test]
fn a_cell_that_is_being_written_is_busy_and_the_next_request_tries_again() {
    let mut line = Line::over(EverNewer::new(0, 1), STRANGER, &settings(), 1);
    assert_eq!(line.ask(&read(3, 20_000, 40)), [0x83, 6]);
    assert!(belong_to_one_scan(&line.read(20_000, 40)));
}

#[test]
fn the_runtimes_own_cell_serves_whole_scans_to_a_reader_beside_a_busy_writer() {
    const SCANS: u64 = 5_000;
    let (mut writer, reader) = flyball_runtime::exchange::snapshot::snapshot(layout().words());
    writer.publish(&words(&header(1), &readings(1)));
    let mut line = Line::over(reader, STRANGER, &settings(), 1);
    std::thread::scope(|scope| {
        scope.spawn(move || (1..=SCANS).for_each(|tick| writer.publish(&words(&header(tick), &readings(tick)))));
        let last = pair(f32::from(u16::try_from(SCANS).unwrap()));
        loop {
            let answer = line.ask(&read(3, 20_000, 40));
            if answer[0] != 3 {
                continue; // busy: the writer was in the way too often
            }
            let registers: Vec<u16> = answer[2..].chunks_exact(2).map(|b| u16::from_be_bytes([b[0], b[1]])).collect();
            assert!(belong_to_one_scan(&registers));
            if registers[..2] == last {
                break;
            }
        }
    });
}

#[test]
fn requests_of_one_turn_share_a_snapshot_and_the_next_turn_takes_a_new_one() {
    let mut line = Line::over(EverNewer::new(0, 0), STRANGER, &settings(), 1);
    let heartbeat = |line: &mut Line<EverNewer>| {
        let request = adu(1, 1, &read(3, 1, 1));
        let frame = flyball_runtime::scada::frame::Frame::first(&request).unwrap().unwrap();
        let mut reply = flyball_runtime::scada::guard::Reply::new();
        assert!(line.station.serve(frame, STRANGER, 0, &mut reply));
        reply.to_vec()
    };
    line.station.turn();
    let first = heartbeat(&mut line);
    assert_eq!(first, heartbeat(&mut line));
    line.station.turn();
    assert_ne!(first, heartbeat(&mut line));
}
