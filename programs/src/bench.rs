//! A program on the bench: wired alone, fed with readings, its outputs looked at. Scans are 10 ms apart.

use crate::program::{Run, Scan};
use flyball_io_map::document::{Problem, Spanned};
use flyball_io_map::image::choice::ChoiceRule;
use flyball_io_map::image::output::{By, Cause, Drive, Elapsed, Rule};
use flyball_io_map::image::point::{PointDef, Source};
use flyball_io_map::image::wiring::{OutputDef, OutputKind, Wired};
use flyball_io_map::image::{NoData, Outputs, Reading, ScanTime, Unit, ValueKind, Wiring};

pub(crate) const PERIOD_NS: u64 = 10_000_000;

/// What the program under test finds on the site.
#[derive(Default)]
pub(crate) struct Site {
    points: Vec<PointDef>,
    outputs: Vec<OutputDef>,
}

impl Site {
    pub(crate) fn point(mut self, name: &str, kind: ValueKind, unit: Unit) -> Self {
        self.points.push(PointDef {
            name: name.into(),
            kind,
            unit,
            source: Source::Device(0),
            plausible: (f64::MIN, f64::MAX),
            age_max_ms: 500,
            frozen_after_ms: None,
            codes: Vec::new(),
        });
        self
    }

    pub(crate) fn code(self, name: &str, codes: &[(u16, &str)]) -> Self {
        let mut site = self.point(name, ValueKind::Code, Unit::None);
        let last = site.points.last_mut().expect("put there just now");
        last.codes = codes.iter().map(|(code, name)| (*code, (*name).to_owned())).collect();
        site
    }

    /// ±10 kW around nothing in particular, without a ramp that one could see, 5 kW/s out.
    pub(crate) fn real(mut self, name: &str, safe: f64) -> Self {
        let rule = Rule { safe, range: (-1e4, 1e4), ramp_per_s: 1e9, ramp_out_per_s: 5e3 };
        self.outputs.push(OutputDef {
            name: name.into(),
            kind: OutputKind::Real { unit: Unit::W, rule },
            members: vec![],
        });
        self
    }

    /// Open (safe) or closed.
    pub(crate) fn contactor(mut self, name: &str) -> Self {
        let rule = ChoiceRule { values: 2, safe: 0, dwell_ns: 0, safe_after: None };
        let kind = OutputKind::Choice { values: vec!["Open".into(), "Closed".into()], rule };
        self.outputs.push(OutputDef { name: name.into(), kind, members: vec![] });
        self
    }

    pub(crate) fn pulse(mut self, name: &str) -> Self {
        self.outputs.push(OutputDef { name: name.into(), kind: OutputKind::Pulse, members: vec![] });
        self
    }

    fn wired(self, wire: impl FnOnce(&mut Wiring) -> Box<dyn Run>) -> Result<(Box<dyn Run>, Wired), Vec<Problem>> {
        let mut wiring = Wiring::new(self.points, self.outputs, 10);
        wiring.begin(0..0);
        let program = wire(&mut wiring);
        wiring.finish().map(|wired| (program, wired))
    }

    /// What is wrong with the program's settings.
    pub(crate) fn problems(self, wire: impl FnOnce(&mut Wiring) -> Box<dyn Run>) -> Vec<String> {
        self.wired(wire).map(drop).expect_err("something is wrong").into_iter().map(|p| p.message).collect()
    }

    pub(crate) fn bench(self, wire: impl FnOnce(&mut Wiring) -> Box<dyn Run>) -> Bench {
        let (program, Wired { points, outputs, .. }) = self.wired(wire).expect("nothing is wrong");
        Bench { readings: vec![Reading::NEVER; points.len()], points, program, outputs, tick: 0, drive: Drive::Armed }
    }
}

/// One program and the image around it.
pub(crate) struct Bench {
    points: Vec<PointDef>,
    readings: Vec<Reading>,
    program: Box<dyn Run>,
    pub(crate) outputs: Outputs,
    pub(crate) tick: u64,
    pub(crate) drive: Drive,
}

impl Bench {
    fn find(&self, point: &str) -> usize {
        self.points.iter().position(|p| p.name == point).expect("a point of the site")
    }

    pub(crate) fn now(&self) -> ScanTime {
        ScanTime(self.tick * PERIOD_NS)
    }

    /// A reading that was taken just now.
    pub(crate) fn set(&mut self, point: &str, value: f64) {
        let (i, now) = (self.find(point), self.now());
        self.readings[i] = Reading::new(Ok(value), now);
    }

    pub(crate) fn lose(&mut self, point: &str) {
        let i = self.find(point);
        self.readings[i] = self.readings[i].lost(NoData::DeviceSilent);
    }

    pub(crate) fn reading(&self, point: &str) -> Reading {
        self.readings[self.find(point)]
    }

    /// The program speaks anew.
    pub(crate) fn run(&mut self) {
        self.outputs.forget(By(0));
        let now = self.now();
        self.program.run(&mut Scan::new(now, 0.01, &mut self.readings, &mut self.outputs));
    }

    /// All is resolved, and the next slot begins.
    pub(crate) fn resolve(&mut self) {
        let elapsed = Elapsed { since_last_s: 0.01, period_s: 0.01 };
        self.outputs.resolve(self.now(), elapsed, self.drive, &self.readings, &[]);
        self.tick += 1;
    }

    pub(crate) fn scan(&mut self) {
        self.run();
        self.resolve();
    }

    /// What went out of the first real output, and why.
    pub(crate) fn power(&self) -> (f64, Cause) {
        let out = self.outputs.reals()[0].applied();
        (out.total, out.cause)
    }

    /// What may go out of the first real output.
    pub(crate) fn bounds(&self) -> (f64, f64) {
        self.outputs.reals()[0].bounds()
    }
}

/// A name or a number as it comes out of a site file.
pub(crate) fn says<T>(value: impl Into<T>) -> Spanned<T> {
    Spanned { value: value.into(), span: 0..0 }
}
