//! The register map: which address shows what of a snapshot.
//!
//! It follows from the site's layout alone. Areas have fixed places and sizes, so a new point moves later points, but
//! never an output or a command. Holding registers (function 3) and input registers (function 4) show the same map.
//! Values of several registers have their high word first.
//!
//! | registers | each | what |
//! |---|---|---|
//! | 0 to 24 | 1 | header: map version, heartbeat, scan counters, state of the site, sizes of the areas |
//! | 900 to 963 | 1 | heartbeats of the writers, writable: a changed value renews the writer's leases |
//! | 1000 to 1999 | 2 | command values, f32, writable in whole values only; read: the command in force, or not a number |
//! | 2000 to 5999 | 8 | command states: quality, lease left, lease, lowest and highest value |
//! | 10000 to 17999 | 8 | real outputs: what went out, base, cause, by which program, what services added |
//! | 18000 to 18999 | 4 | choice outputs: value, cause, by which program, number of values |
//! | 19000 to 19999 | 4 | pulse outputs: the id that waits for execution |
//! | 20000 to 59999 | 4 | points: value f32 (quiet NaN if there is none), quality (0 good, else why not), age |
//!
//! | coils and discrete inputs | what |
//! |---|---|
//! | 0 to 9999 | the point of this number is a flag, known, and true; writable where it is a command |
//! | 10000 to 19999 | the point of this number less 10000 is a flag and known |
//!
//! A flag that is not known reads 0, so a master that acts on a 0 must read the second area too.
//!
//! An address behind the last point, output, command or writer of its area does not exist (exception 2).

mod describe;
mod show;

pub use describe::{Access, Entry, RegisterType};

use super::settings::Writer;
use crate::scan::snapshot::Layout;
use flyball_io_map::image::ValueKind;
use flyball_io_map::image::point::Source;
use flyball_io_map::image::wiring::OutputAt;
use std::sync::Arc;

/// Raised when an address of the map changes its meaning.
pub const MAP_VERSION: u16 = 1;

/// A part of the map in which every record has the same shape.
#[derive(Clone, Copy, Debug)]
struct Area {
    start: u16,
    /// Registers (or bits) of one record.
    stride: u16,
    /// How many records fit.
    room: u16,
}

const HEADER: Area = Area { start: 0, stride: show::HEADER_WORDS, room: 1 };
const HEARTBEATS: Area = Area { start: 900, stride: 1, room: 64 };
const COMMAND_VALUES: Area = Area { start: 1_000, stride: 2, room: 500 };
const COMMAND_STATES: Area = Area { start: 2_000, stride: 8, room: 500 };
const REALS: Area = Area { start: 10_000, stride: 8, room: 1_000 };
const CHOICES: Area = Area { start: 18_000, stride: 4, room: 250 };
const PULSES: Area = Area { start: 19_000, stride: 4, room: 250 };
const POINTS: Area = Area { start: 20_000, stride: 4, room: 10_000 };

const FLAG_TRUE: Area = Area { start: 0, stride: 1, room: POINTS.room };
const FLAG_KNOWN: Area = Area { start: 10_000, stride: 1, room: POINTS.room };

impl Area {
    /// The record and the place in it, if there are `records` of them.
    fn find(self, address: u16, records: usize) -> Option<(usize, usize)> {
        let within = address.checked_sub(self.start)?;
        let record = usize::from(within / self.stride);
        (record < records).then(|| (record, usize::from(within % self.stride)))
    }

    /// The first address of a record.
    fn address(self, record: usize) -> u16 {
        self.start + u16::try_from(record).expect("the map has room for fewer than 65 536 records") * self.stride
    }
}

/// What stands at an address, and which register of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Header(usize),
    Heartbeat { writer: usize },
    CommandValue { command: usize, word: usize },
    CommandState { command: usize, word: usize },
    Real { slot: usize, word: usize },
    Choice { slot: usize, word: usize },
    Pulse { slot: usize, word: usize },
    Point { point: usize, word: usize },
}

/// A site that does not fit the map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the site has {has} {what}, the register map of the SCADA server has room for {room}: define fewer, or run the site without `modbus_server`"
)]
pub struct MapError {
    /// Points, command points, and so on.
    pub what: &'static str,
    /// How many the site has.
    pub has: usize,
    /// How many the map has room for.
    pub room: usize,
}

/// The map of one site. Made once at start.
#[derive(Clone, Debug)]
pub struct RegisterMap {
    layout: Arc<Layout>,
    writers: Vec<Writer>,
    /// Points of the command points, by their index among them.
    commands: Vec<usize>,
    /// Output definitions of the real, choice and pulse outputs, by their place among their kind.
    reals: Vec<usize>,
    choices: Vec<usize>,
    pulses: Vec<usize>,
}

impl RegisterMap {
    /// The map of a site with these writers.
    ///
    /// # Errors
    /// The site is too large for it.
    pub fn new(layout: Arc<Layout>, writers: &[Writer]) -> Result<Self, MapError> {
        let outputs = |kind: fn(&OutputAt) -> bool| -> Vec<usize> {
            layout.at.iter().enumerate().filter(|(_, at)| kind(at)).map(|(def, _)| def).collect()
        };
        let commands = layout.points.iter().enumerate().filter(|(_, p)| p.source == Source::Command).map(|(i, _)| i);
        let map = Self {
            commands: commands.collect(),
            reals: outputs(|at| matches!(at, OutputAt::Real(_))),
            choices: outputs(|at| matches!(at, OutputAt::Choice(_))),
            pulses: outputs(|at| matches!(at, OutputAt::Pulse(_))),
            writers: writers.to_vec(),
            layout,
        };
        for (what, has, area) in [
            ("points", map.layout.points.len(), POINTS),
            ("command points", map.commands.len(), COMMAND_VALUES),
            ("real outputs", map.reals.len(), REALS),
            ("choice outputs", map.choices.len(), CHOICES),
            ("pulse outputs", map.pulses.len(), PULSES),
            ("writers", map.writers.len(), HEARTBEATS),
        ] {
            let room = usize::from(area.room);
            if has > room {
                return Err(MapError { what, has, room });
            }
        }
        Ok(map)
    }

    /// The layout it is made from.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// How many command points the site has.
    #[must_use]
    pub fn commands(&self) -> usize {
        self.commands.len()
    }

    /// The register where the value of a point, or what went out of an output, begins.
    #[must_use]
    pub fn address_of(&self, name: &str) -> Option<u16> {
        if let Some(point) = self.layout.points.iter().position(|p| p.name == name) {
            return Some(POINTS.address(point));
        }
        let def = self.layout.outputs.iter().position(|d| d.name == name)?;
        Some(match self.layout.at[def] {
            OutputAt::Real(slot) => REALS.address(slot),
            OutputAt::Choice(slot) => CHOICES.address(slot),
            OutputAt::Pulse(slot) => PULSES.address(slot),
        })
    }

    /// The register where the value of a command point is written.
    #[must_use]
    pub fn command_address_of(&self, name: &str) -> Option<u16> {
        let command = self.commands.iter().position(|point| self.layout.points[*point].name == name)?;
        Some(COMMAND_VALUES.address(command))
    }

    /// The heartbeat register of a writer.
    #[must_use]
    pub fn heartbeat_address_of(&self, writer: &str) -> Option<u16> {
        let writer = self.writers.iter().position(|w| w.name == writer && w.heartbeat)?;
        Some(HEARTBEATS.address(writer))
    }

    /// What stands at a register.
    pub(super) fn place(&self, address: u16) -> Option<Place> {
        if let Some((_, word)) = HEADER.find(address, 1) {
            return Some(Place::Header(word));
        }
        if let Some((writer, _)) = HEARTBEATS.find(address, self.writers.len()) {
            return self.writers[writer].heartbeat.then_some(Place::Heartbeat { writer });
        }
        if let Some((command, word)) = COMMAND_VALUES.find(address, self.commands.len()) {
            return Some(Place::CommandValue { command, word });
        }
        if let Some((command, word)) = COMMAND_STATES.find(address, self.commands.len()) {
            return Some(Place::CommandState { command, word });
        }
        if let Some((slot, word)) = REALS.find(address, self.reals.len()) {
            return Some(Place::Real { slot, word });
        }
        if let Some((slot, word)) = CHOICES.find(address, self.choices.len()) {
            return Some(Place::Choice { slot, word });
        }
        if let Some((slot, word)) = PULSES.find(address, self.pulses.len()) {
            return Some(Place::Pulse { slot, word });
        }
        POINTS.find(address, self.layout.points.len()).map(|(point, word)| Place::Point { point, word })
    }

    /// The command point, by its index among them, that a coil writes to.
    pub(super) fn command_of_coil(&self, address: u16) -> Option<usize> {
        let (point, _) = FLAG_TRUE.find(address, self.layout.points.len())?;
        let flag = self.layout.points[point].kind == ValueKind::Flag;
        self.commands.binary_search(&point).ok().filter(|_| flag)
    }

    /// The point of a command point.
    pub(super) fn point_of(&self, command: usize) -> &flyball_io_map::image::PointDef {
        &self.layout.points[self.commands[command]]
    }
}
