//! The arithmetic of a site: how old its points can be while all is healthy, and how fast its outputs react.
//!
//! # Definitions
//! One connection serves all devices of an *endpoint*, one request at a time.
//!
//! - `request_ms` of a device: its `answer_ms` (the longest it takes to answer while healthy; its profile's time-out if the
//!   site does not say) plus the pause that its profile wants between two requests.
//! - `round_ms` of an endpoint: every request that it may ever have to make once, each at its `request_ms`: all blocks of all
//!   its devices, and per output and heartbeat one write with its read-back. The longest that a request waits for its turn and answer.
//! - A point's worst age: `period_ms` of its block + `round_ms` + one scan. The device is asked at the beginning of one
//!   turn and at the end of the next; the answer is taken by the scan after it. A computed point: the worst age of what its
//!   program reads, plus that program's wait. A point of the runtime itself: one scan.
//! - A program's wait: the scans between two of its runs in which it does not run.
//! - An output's write: 2 ms until the field thread looks + the least gap between two writes of its register + `round_ms` of
//!   its endpoint (for a group's total: that of the slowest of its members).
//! - An output's reaction to an input: worst age of the input + wait of the program + one scan + the write.
//! - An output's reaction to the loss of an input: the age that the program accepts + one scan until that shows + wait of the
//!   program + one scan + the write. Then the output begins to go safe, and gets there within its `out_ms`: the ramp-out
//!   from the far end of its range, or the time of its order of safe values. A limit does not wait for the ramp. A device that answers but has frozen
//!   shows only after its profile's `life` or `frozen_after_ms`; that comes on top.
//!
//! # Checks
//! `round_ms` fits into the poll of every device of the endpoint. No point's worst age exceeds its own greatest age, or what
//! a program accepts. Both reactions of every output to every input that is read at each poll lie within `reaction_ms_max`,
//! where the site states it; what its profile reads less often (a state of charge, a meter reading) is judged by its age
//! alone. Commands are bounded by their lease instead.

use serde::Serialize;
use std::fmt;

/// How old a point can be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PointAge {
    /// The point.
    pub point: String,
    /// Its worst age while all is healthy, ms.
    pub worst_ms: u32,
    /// Its own greatest age, ms.
    pub age_ms_max: u32,
    /// The least age that a program accepts, ms; its own greatest age if none reads it.
    pub accepted_ms: u32,
}

/// How fast an output reacts to an input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reaction {
    /// The output.
    pub output: String,
    /// The input.
    pub input: String,
    /// The program between them.
    pub program: String,
    /// Whether the input is read at every poll of its device. Slower ones are slow by nature, and not held to a reaction time.
    pub fast: bool,
    /// From a change of the input to the write having been answered, ms.
    pub reaction_ms: u32,
    /// From the loss of the input to the first write that goes safe, ms.
    pub loss_ms: u32,
    /// From there until the output is safe at the latest, ms.
    pub out_ms: u32,
}

/// How busy an endpoint is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Load {
    /// Its address.
    pub endpoint: String,
    /// Requests of one round: blocks to read, and writes.
    pub requests: u32,
    /// How long a round takes, ms.
    pub round_ms: u32,
}

/// The whole arithmetic of a site, for people and machines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Timing {
    /// Per endpoint, in the site's order.
    pub loads: Vec<Load>,
    /// Per point of a device or computed point, in the order of the image.
    pub points: Vec<PointAge>,
    /// Per output and input that a program connects, in the order of the outputs.
    pub reactions: Vec<Reaction>,
}

impl fmt::Display for Timing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<32} {:>9} {:>9}", "endpoint", "requests", "round ms")?;
        for l in &self.loads {
            writeln!(f, "{:<32} {:>9} {:>9}", l.endpoint, l.requests, l.round_ms)?;
        }
        writeln!(f, "\n{:<32} {:>9} {:>9} {:>9}", "point", "worst ms", "accepted", "greatest")?;
        for p in &self.points {
            writeln!(f, "{:<32} {:>9} {:>9} {:>9}", p.point, p.worst_ms, p.accepted_ms, p.age_ms_max)?;
        }
        writeln!(
            f,
            "\n{:<24} {:<24} {:<20} {:>9} {:>9} {:>9}",
            "output", "input", "program", "react ms", "loss ms", "out ms"
        )?;
        for r in &self.reactions {
            let (output, input, program) = (&r.output, &r.input, &r.program);
            let slow = if r.fast { "" } else { "  (slow by nature)" };
            writeln!(
                f,
                "{output:<24} {input:<24} {program:<20} {:>9} {:>9} {:>9}{slow}",
                r.reaction_ms, r.loss_ms, r.out_ms
            )?;
        }
        Ok(())
    }
}
