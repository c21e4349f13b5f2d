//! The register list for people and for the tools that print it.

use super::{
    CHOICES, COMMAND_STATES, COMMAND_VALUES, FLAG_KNOWN, FLAG_TRUE, HEADER, HEARTBEATS, POINTS, PULSES, REALS,
    RegisterMap,
};
use crate::scada::settings::Writer;
use flyball_io_map::image::ValueKind;
use flyball_io_map::image::wiring::OutputKind;
use std::fmt;

/// One value of the map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its first holding and input register, counted from 0 as on the wire.
    pub address: u16,
    /// How many registers it takes.
    pub registers: u16,
    /// What it is of, and what of it.
    pub name: String,
    /// How it lies in its registers.
    pub kind: RegisterType,
    /// Unit symbol, empty if there is none.
    pub unit: &'static str,
    /// Whether it can be written.
    pub access: Access,
    /// What else there is to know.
    pub note: String,
}

/// How a value lies in registers: high word first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegisterType {
    /// Unsigned, one register.
    U16,
    /// Unsigned, two registers.
    U32,
    /// Unsigned, four registers.
    U64,
    /// IEEE 754 single, two registers.
    F32,
}

impl RegisterType {
    /// How many registers it takes.
    #[must_use]
    pub fn registers(self) -> u16 {
        match self {
            Self::U16 => 1,
            Self::U32 | Self::F32 => 2,
            Self::U64 => 4,
        }
    }
}

impl fmt::Display for RegisterType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::U16 => "u16",
            Self::U32 => "u32",
            Self::U64 => "u64",
            Self::F32 => "f32",
        })
    }
}

/// Whether anybody may write a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nobody.
    Read,
    /// The writers in the entry's note.
    Write,
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Read => "r",
            Self::Write => "rw",
        })
    }
}

/// One value of a record: (what, type, unit or `None` for that of the point or output, note), in the order of registers.
type Item = (&'static str, RegisterType, Option<&'static str>, &'static str);

use RegisterType::{F32, U16, U32, U64};

const HEADER_ITEMS: [Item; 19] = [
    ("map version", U16, Some(""), "changes when an address changes its meaning"),
    ("heartbeat", U16, Some(""), "moves with every scan; if it stands still, so does control"),
    ("scans", U32, Some(""), "since start, wraps"),
    ("site state", U16, Some(""), "0 disarmed, 1 armed, 2 tripped, 3 stopping"),
    ("degraded", U16, Some(""), "1: skipped slots have shed the programs named for that"),
    ("slots skipped", U32, Some(""), "since start, wraps"),
    ("scan time", U32, Some("µs"), "of the last scan"),
    ("lateness", U32, Some("µs"), "of the last wake-up"),
    (
        "commands refused",
        U32,
        Some(""),
        "by the scan since start, wraps: out of range, or another source holds the point",
    ),
    ("programs in quarantine", U16, Some(""), "after a panic"),
    ("wall clock trusted", U16, Some(""), "1: yes"),
    ("wall clock", U32, Some("s"), "since 1970, 0 if unknown"),
    ("scan period", U16, Some("ms"), ""),
    ("points", U16, Some(""), "how many there are"),
    ("real outputs", U16, Some(""), "how many there are"),
    ("choice outputs", U16, Some(""), "how many there are"),
    ("pulse outputs", U16, Some(""), "how many there are"),
    ("command points", U16, Some(""), "how many there are"),
    ("writers", U16, Some(""), "how many there are"),
];

const COMMAND_STATE_ITEMS: [Item; 5] = [
    ("command quality", U16, Some(""), "0: in force; 8: no command, or its lease ran out"),
    ("lease left", U16, Some("0.1 s"), "0: none"),
    ("lease", U32, Some("ms"), ""),
    ("lowest command", F32, None, ""),
    ("highest command", F32, None, ""),
];

const REAL_ITEMS: [Item; 5] = [
    ("", F32, None, "what went out"),
    ("base", F32, None, "the demand's part"),
    ("cause", U16, Some(""), CAUSES),
    ("by", U16, Some(""), "number of the program that the cause names, 255: none"),
    ("added", F32, None, "what grid services added"),
];

const CHOICE_ITEMS: [Item; 4] = [
    ("", U16, Some(""), ""),
    ("cause", U16, Some(""), CAUSES),
    ("by", U16, Some(""), "number of the program that the cause names, 255: none"),
    ("values", U16, Some(""), "how many there are"),
];

const PULSE_ITEMS: [Item; 1] = [("", U64, Some(""), "id that waits for execution, 0: none")];

const POINT_ITEMS: [Item; 3] = [
    ("", F32, None, "not a number if there is no value"),
    (
        "quality",
        U16,
        Some(""),
        "0 good, 1 never read, 2 device silent, 3 refused by the device, 4 too old, 5 frozen, 6 implausible, \
         7 not implemented, 8 no command, 9 not computed",
    ),
    ("age", U16, Some("ms"), "at the scan, since the device was asked; 65535: that or more"),
];

const CAUSES: &str = "0 no demand, 1 demand, 2 ramp, 3 limit, 4 reserved room, 5 range, 6 members, 7 share, 8 dwell, \
                      9 order, 10 disarmed, 11 tripped, 12 stopping, 13 device offline";

impl RegisterMap {
    /// Every value of the map, in the order of addresses.
    #[must_use]
    pub fn describe(&self) -> Vec<Entry> {
        let mut list = Vec::new();
        record(&mut list, HEADER.start, "", "", &HEADER_ITEMS, "");
        self.describe_writable(&mut list);
        self.describe_outputs(&mut list);
        for (i, point) in self.layout.points.iter().enumerate() {
            record(&mut list, POINTS.address(i), &point.name, point.unit.symbol(), &POINT_ITEMS, &self.point_note(i));
        }
        list
    }

    fn describe_writable(&self, list: &mut Vec<Entry>) {
        for (i, writer) in self.writers.iter().enumerate().filter(|(_, w)| w.heartbeat) {
            let note = format!("written by {}: a changed value renews its leases", writer.name);
            let name = format!("{} heartbeat", writer.name);
            let address = HEARTBEATS.address(i);
            list.push(Entry { address, registers: 1, name, kind: U16, unit: "", access: Access::Write, note });
        }
        for command in 0..self.commands.len() {
            let point = self.point_of(command);
            let may = |w: &&Writer| w.commands.iter().any(|grant| usize::from(grant.command) == command);
            let names: Vec<&str> = self.writers.iter().filter(may).map(|w| w.name.as_str()).collect();
            let (access, by) = match names.as_slice() {
                [] => (Access::Read, "nobody may write it".into()),
                names => (Access::Write, format!("written by {}, both registers in one request", names.join(", "))),
            };
            list.push(Entry {
                address: COMMAND_VALUES.address(command),
                registers: F32.registers(),
                name: format!("{} command", point.name),
                kind: F32,
                unit: point.unit.symbol(),
                access,
                note: format!("{by}; reads the command in force, not a number if there is none"),
            });
        }
        for command in 0..self.commands.len() {
            let point = self.point_of(command);
            let address = COMMAND_STATES.address(command);
            record(list, address, &point.name, point.unit.symbol(), &COMMAND_STATE_ITEMS, "");
        }
    }

    fn describe_outputs(&self, list: &mut Vec<Entry>) {
        let outputs = &self.layout.outputs;
        for (slot, def) in self.reals.iter().enumerate() {
            let OutputKind::Real { unit, .. } = &outputs[*def].kind else { continue };
            record(list, REALS.address(slot), &outputs[*def].name, unit.symbol(), &REAL_ITEMS, "");
        }
        for (slot, def) in self.choices.iter().enumerate() {
            let OutputKind::Choice { values, .. } = &outputs[*def].kind else { continue };
            let names: Vec<String> = values.iter().enumerate().map(|(i, name)| format!("{i} {name}")).collect();
            record(list, CHOICES.address(slot), &outputs[*def].name, "", &CHOICE_ITEMS, &names.join(", "));
        }
        for (slot, def) in self.pulses.iter().enumerate() {
            record(list, PULSES.address(slot), &outputs[*def].name, "", &PULSE_ITEMS, "");
        }
    }

    fn point_note(&self, i: usize) -> String {
        let point = &self.layout.points[i];
        match point.kind {
            ValueKind::Real => String::new(),
            ValueKind::Flag => {
                let (value, known) = (FLAG_TRUE.address(i), FLAG_KNOWN.address(i));
                format!("0 or 1; also coil and discrete input {value}, {known} tells whether it is known")
            }
            ValueKind::Code => {
                let codes: Vec<String> = point.codes.iter().map(|(code, name)| format!("{code} {name}")).collect();
                codes.join(", ")
            }
        }
    }
}

/// Appends a record; `note` belongs to its first value.
fn record(list: &mut Vec<Entry>, start: u16, of: &str, unit: &'static str, items: &[Item], note: &str) {
    let mut address = start;
    for (i, (what, kind, own_unit, own_note)) in items.iter().enumerate() {
        let name = [of, what].iter().filter(|s| !s.is_empty()).copied().collect::<Vec<_>>().join(" ");
        let notes: Vec<&str> =
            [*own_note, if i == 0 { note } else { "" }].into_iter().filter(|n| !n.is_empty()).collect();
        list.push(Entry {
            address,
            registers: kind.registers(),
            name,
            kind: *kind,
            unit: own_unit.unwrap_or(unit),
            access: Access::Read,
            note: notes.join("; "),
        });
        address += kind.registers();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flyball_io_map::image::{Cause, Reading, ScanTime};

    /// The numbers that a note explains.
    fn explained(note: &str) -> Vec<u8> {
        note.split(", ").map(|item| item.split(' ').next().unwrap().parse().unwrap()).collect()
    }

    #[test]
    fn the_notes_explain_every_cause_and_every_quality_there_is() {
        let causes: Vec<u8> = (0..=255).filter(|code| Cause::describe((*code, 255), |_| "x") != "unknown").collect();
        assert_eq!(explained(CAUSES), causes);
        let known = |code: &u8| {
            let reading = Reading::from_words([0, u64::from(*code)]);
            reading.fresh(ScanTime(0), 0).map_or_else(|why| why.code(), |_| 0) == *code
        };
        assert_eq!(explained(POINT_ITEMS[1].3), (0..=255).filter(known).collect::<Vec<u8>>());
    }
}
