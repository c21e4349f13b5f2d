//! From a master's register to the point that programs read, and back: commands, leases and heartbeats through the real
//! controller.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

mod scada_site;

use flyball_io_map::image::{NoData, Wiring};
use flyball_runtime::scan::command::Command;
use flyball_runtime::scan::controller::{Arm, Controller, Settings};
use flyball_runtime::scan::inputs::Inputs;
use flyball_runtime::scan::overrun::{Contract, Threshold};
use flyball_runtime::scan::snapshot::{Header, Layout};
use scada_site::*;

const POWER: u16 = 1_000;
const LEASE_LEFT: u16 = 2_001;
const HEARTBEAT: u16 = 900;

/// A controller whose snapshots the line shows, and which takes the line's commands.
struct Plant {
    controller: Controller,
    inputs: Inputs,
    layout: std::sync::Arc<Layout>,
    board: Board,
    tick: u64,
}

impl Plant {
    fn new() -> (Self, Line) {
        let never = Threshold { count: 10, within: 100 };
        let contract = Contract { degrade: never, trip: never };
        let period_ns = u64::from(PERIOD_MS) * 1_000_000;
        let settings =
            Settings { period_ns, overrun: contract, shed: vec![], arm: Arm::Auto, reset: None, lives: vec![] };
        let wired = Wiring::new(points(), outputs(), PERIOD_MS).finish().unwrap();
        let board = Board::default();
        let line = Line::over(board.clone(), DISPATCH, &scada_site::settings(), 64);
        let inputs = Inputs::new(at::POWER, 1);
        let plant =
            Self { controller: Controller::new(settings, wired, vec![]), inputs, layout: layout(), board, tick: 0 };
        (plant, line)
    }

    /// Scans with what the line has commanded until `ms` have passed, and publishes the last scan.
    fn run(&mut self, line: &mut Line, ms: u64) {
        for _ in 0..ms / u64::from(PERIOD_MS) {
            self.tick += 1;
            self.inputs.commands.clear();
            let commands: Vec<Command> = line.queue.taken();
            self.inputs.commands.extend_from_slice(&commands).unwrap();
            self.controller.scan(self.tick, &self.inputs);
        }
        let header = Header { commands_refused: self.controller.commands_refused(), ..header(self.tick) };
        let mut words = vec![0; self.layout.words()];
        Layout::write(&header, self.controller.readings(), self.controller.outputs(), |i, word| words[i] = word);
        self.board.publish(words);
    }
}

#[test]
fn a_command_stands_for_its_lease_and_no_longer() {
    let (mut plant, mut line) = Plant::new();
    plant.run(&mut line, 10);
    assert_eq!(line.read(LEASE_LEFT - 1, 2), [u16::from(NoData::NoCommand.code()), 0]);
    line.ask(&write(POWER, &pair(2_500.0)));
    plant.run(&mut line, 10);
    assert_eq!(line.single(POWER).to_bits(), 2_500f32.to_bits());
    assert_eq!(line.read(LEASE_LEFT, 1), [100]);
    plant.run(&mut line, 10_000);
    assert_eq!(
        (line.single(POWER).to_bits(), line.read(LEASE_LEFT, 1)),
        (2_500f32.to_bits(), vec![0]),
        "its very last moment"
    );
    plant.run(&mut line, 10);
    assert!(line.single(POWER).is_nan());
    assert_eq!(line.read(LEASE_LEFT - 1, 2), [u16::from(NoData::NoCommand.code()), 0]);
}

#[test]
fn a_heartbeat_that_moves_keeps_the_command_and_one_that_stands_still_does_not() {
    let (mut plant, mut line) = Plant::new();
    line.ask(&write(POWER, &pair(-100.0)));
    for beat in 1..=10 {
        plant.run(&mut line, 9_000);
        assert_eq!(line.single(POWER).to_bits(), (-100f32).to_bits(), "before beat {beat}");
        line.ask(&read(6, HEARTBEAT, beat));
    }
    plant.run(&mut line, 9_000);
    line.ask(&read(6, HEARTBEAT, 10));
    plant.run(&mut line, 2_000);
    assert!(line.single(POWER).is_nan(), "the same value again is no beat");
    line.ask(&read(6, HEARTBEAT, 11));
    plant.run(&mut line, 10);
    assert!(line.single(POWER).is_nan(), "a lease that ran out must be taken again");
}

#[test]
fn another_writers_heartbeat_keeps_nothing_alive() {
    let (mut plant, mut line) = Plant::new();
    line.ask(&write(POWER, &pair(1.0)));
    plant.run(&mut line, 9_000);
    line.reconnect(BACKUP);
    assert_eq!(line.ask(&read(6, HEARTBEAT + 1, 1))[0], 6);
    plant.run(&mut line, 2_000);
    assert!(line.single(POWER).is_nan());
}

#[test]
fn all_commands_of_one_request_stand_in_the_same_scan() {
    let (mut plant, mut line) = Plant::new();
    line.ask(&write(1_004, &[pair(1.0), pair(1.0), pair(4.0)].concat()));
    plant.run(&mut line, 10);
    assert_eq!(line.read(1_004, 6), [pair(1.0), pair(1.0), pair(4.0)].concat());
    assert_eq!(line.ask(&read(1, 6, 2)), [1, 1, 0b11]);
}
