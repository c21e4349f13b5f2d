//! What is published of a scan, as words for the exchange cell: everything north of the scan reads only this.
//!
//! A header, then two words a point, four a real output, one a choice, one a pulse, in the site's order.

use flyball_io_map::image::wiring::{OutputAt, OutputDef};
use flyball_io_map::image::{NoData, Outputs, PointDef, Reading, ScanTime};

/// What the site is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SiteState {
    /// Since boot, or disarmed by hand: outputs are safe.
    Disarmed,
    /// Demands act.
    Armed,
    /// Stopped by the overrun contract until reset: outputs are safe.
    Tripped,
    /// Being stopped: outputs ramp out and go safe in order.
    Stopping,
}

impl SiteState {
    /// A stable small number for registers: 0 disarmed, 1 armed, 2 tripped, 3 stopping.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Disarmed => 0,
            Self::Armed => 1,
            Self::Tripped => 2,
            Self::Stopping => 3,
        }
    }

    /// The word for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Disarmed => "disarmed",
            Self::Armed => "armed",
            Self::Tripped => "tripped",
            Self::Stopping => "stopping",
        }
    }
}

/// The header of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The scan's slot on the grid.
    pub tick: u64,
    /// Scans since start.
    pub scans: u64,
    /// What the site is doing.
    pub state: SiteState,
    /// Whether skipped slots have degraded the site: named programs are shed.
    pub degraded: bool,
    /// Programs in quarantine after a panic.
    pub quarantined: u8,
    /// Slots of the grid that were skipped since start.
    pub slots_skipped: u64,
    /// How long the last scan took, ns.
    pub scan_ns: u64,
    /// How late the last wake-up was, ns.
    pub late_ns: u64,
    /// Wall clock, ns since 1970; 0 if it is not known.
    pub wall_ns: u64,
    /// Whether the wall clock may be trusted.
    pub wall_trusted: bool,
    /// Commands refused since start: out of range, or another source holds the point.
    pub commands_refused: u64,
}

const HEADER_WORDS: usize = 9;
const POINT_WORDS: usize = 2;
const REAL_WORDS: usize = 4;

/// What the words mean: the site as everything north of the scan knows it. Made once at start.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The site's name.
    pub site: String,
    /// The scan period, ms.
    pub period_ms: u32,
    /// All points in the order of the image.
    pub points: Vec<PointDef>,
    /// All outputs in the site's order.
    pub outputs: Vec<OutputDef>,
    /// Kind and place of each output.
    pub at: Vec<OutputAt>,
    /// Names of the programs, by their index.
    pub programs: Vec<String>,
    reals: usize,
    choices: usize,
    pulses: usize,
}

/// A real output as published.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PublishedReal {
    /// The demand's part, in the output's unit.
    pub base: f64,
    /// What grid services added.
    pub added: f64,
    /// What went out.
    pub total: f64,
    /// What binds: see `Cause::code`.
    pub cause: (u8, u8),
}

impl Layout {
    /// For a site's points, outputs and programs (names by index).
    #[must_use]
    pub fn new(
        site: String,
        period_ms: u32,
        points: Vec<PointDef>,
        outputs: Vec<OutputDef>,
        at: Vec<OutputAt>,
        programs: Vec<String>,
    ) -> Self {
        let count = |pick: fn(&OutputAt) -> bool| at.iter().filter(|a| pick(a)).count();
        let reals = count(|a| matches!(a, OutputAt::Real(_)));
        let choices = count(|a| matches!(a, OutputAt::Choice(_)));
        let pulses = count(|a| matches!(a, OutputAt::Pulse(_)));
        Self { site, period_ms, points, outputs, at, programs, reals, choices, pulses }
    }

    /// How many words a snapshot of this site has.
    #[must_use]
    pub fn words(&self) -> usize {
        HEADER_WORDS + self.points.len() * POINT_WORDS + self.reals * REAL_WORDS + self.choices + self.pulses
    }

    /// A program's name, for [`flyball_io_map::image::Cause::describe`].
    #[must_use]
    pub fn program(&self, by: u8) -> &str {
        self.programs.get(usize::from(by)).map_or("nobody", String::as_str)
    }

    /// The scan's side: everything as words, in order. `put` is called once per word with its index.
    pub fn write(header: &Header, readings: &[Reading], outputs: &Outputs, mut put: impl FnMut(usize, u64)) {
        let flags = u64::from(header.state.code())
            | u64::from(header.degraded) << 8
            | u64::from(header.quarantined) << 16
            | u64::from(header.wall_trusted) << 24;
        let head = [
            header.tick,
            header.scans,
            flags,
            header.slots_skipped,
            header.scan_ns,
            header.late_ns,
            header.wall_ns,
            header.commands_refused,
            0,
        ];
        head.iter().enumerate().for_each(|(i, word)| put(i, *word));
        let mut at = HEADER_WORDS;
        for reading in readings {
            let [value, taken] = reading.to_words();
            put(at, value);
            put(at + 1, taken);
            at += POINT_WORDS;
        }
        for slot in outputs.reals() {
            let applied = slot.applied();
            put(at, applied.base.to_bits());
            put(at + 1, applied.added.to_bits());
            put(at + 2, applied.total.to_bits());
            put(at + 3, cause_word(applied.cause.code()));
            at += REAL_WORDS;
        }
        for slot in outputs.choices() {
            let (value, cause) = slot.applied();
            put(at, u64::from(value) << 16 | cause_word(cause.code()));
            at += 1;
        }
        for slot in outputs.pulses() {
            put(at, slot.pending().map_or(0, |p| p.id));
            at += 1;
        }
    }
}

fn cause_word((cause, by): (u8, u8)) -> u64 {
    u64::from(cause) << 8 | u64::from(by)
}

fn byte(word: u64, shift: u32) -> u8 {
    (word >> shift).to_le_bytes()[0]
}

/// One snapshot, seen through its layout. All of it belongs to one scan.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    layout: &'a Layout,
    words: &'a [u64],
}

impl<'a> View<'a> {
    /// `None` if the words are not of this layout.
    #[must_use]
    pub fn new(layout: &'a Layout, words: &'a [u64]) -> Option<Self> {
        (words.len() == layout.words()).then_some(Self { layout, words })
    }

    /// The layout it is seen through.
    #[must_use]
    pub fn layout(&self) -> &'a Layout {
        self.layout
    }

    /// Tick, state and counters.
    #[must_use]
    pub fn header(&self) -> Header {
        let w = self.words;
        let state = match byte(w[2], 0) {
            1 => SiteState::Armed,
            2 => SiteState::Tripped,
            3 => SiteState::Stopping,
            _ => SiteState::Disarmed,
        };
        Header {
            tick: w[0],
            scans: w[1],
            state,
            degraded: byte(w[2], 8) != 0,
            quarantined: byte(w[2], 16),
            wall_trusted: byte(w[2], 24) != 0,
            slots_skipped: w[3],
            scan_ns: w[4],
            late_ns: w[5],
            wall_ns: w[6],
            commands_refused: w[7],
        }
    }

    /// The grid time of the scan.
    #[must_use]
    pub fn now(&self) -> ScanTime {
        ScanTime(self.words[0] * u64::from(self.layout.period_ms) * 1_000_000)
    }

    /// The reading of a point, as latched.
    ///
    /// # Panics
    /// If there is no such point.
    #[must_use]
    pub fn reading(&self, point: usize) -> Reading {
        let at = HEADER_WORDS + point * POINT_WORDS;
        Reading::from_words([self.words[at], self.words[at + 1]])
    }

    /// The value of a point at the time of the scan, within the point's own greatest age.
    ///
    /// # Errors
    /// Why there is none.
    ///
    /// # Panics
    /// If there is no such point.
    pub fn value(&self, point: usize) -> Result<f64, NoData> {
        let age_max_ns = u64::from(self.layout.points[point].age_max_ms) * 1_000_000;
        self.reading(point).fresh(self.now(), age_max_ns)
    }

    /// A real output, by its place among the reals ([`OutputAt::Real`]).
    ///
    /// # Panics
    /// If there is no such output.
    #[must_use]
    pub fn real(&self, slot: usize) -> PublishedReal {
        let w = &self.words[self.outputs_at() + slot * REAL_WORDS..][..REAL_WORDS];
        let [base, added, total] = [0, 1, 2].map(|i| f64::from_bits(w[i]));
        PublishedReal { base, added, total, cause: (byte(w[3], 8), byte(w[3], 0)) }
    }

    /// A choice output's value index and cause, by its place among the choices ([`OutputAt::Choice`]).
    ///
    /// # Panics
    /// If there is no such output.
    #[must_use]
    pub fn choice(&self, slot: usize) -> (u8, (u8, u8)) {
        let w = self.words[self.outputs_at() + self.layout.reals * REAL_WORDS + slot];
        (byte(w, 16), (byte(w, 8), byte(w, 0)))
    }

    /// The id that a pulse output still waits to execute, 0 for none, by its place among the pulses ([`OutputAt::Pulse`]).
    ///
    /// # Panics
    /// If there is no such output.
    #[must_use]
    pub fn pulse(&self, slot: usize) -> u64 {
        self.words[self.outputs_at() + self.layout.reals * REAL_WORDS + self.layout.choices + slot]
    }

    fn outputs_at(&self) -> usize {
        HEADER_WORDS + self.layout.points.len() * POINT_WORDS
    }
}
