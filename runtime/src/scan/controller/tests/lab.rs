//! A site without devices of its own shape: real points `a` and `b`, a flag `bad`, a command to reset, an output `p` and
//! whatever programs a test brings.

use super::super::*;
use super::demo::{name, point, real};
use crate::scan::inputs::Inputs;
use crate::scan::overrun::Threshold;
use flyball_io_map::image::output::{Demand, Limit, Service};
use flyball_io_map::image::{Applied, Computed, Flag, Point, Real, Unit, ValueKind, Wiring};
use flyball_programs::Program;

const POINTS: [(&str, ValueKind, Unit); 3] =
    [("a", ValueKind::Real, Unit::W), ("b", ValueKind::Real, Unit::W), ("bad", ValueKind::Flag, Unit::None)];

pub(super) struct Script<F>(F);

impl<F: Fn(&mut u32, &mut Scan<'_>) + Send> Program for Script<F> {
    type State = u32;

    fn scan(&self, state: &mut u32, scan: &mut Scan<'_>) {
        (self.0)(state, scan);
    }
}

/// The site while its programs ask for handles.
pub(super) struct Bringing {
    wiring: Wiring,
    programs: Vec<Box<dyn Run>>,
}

impl Bringing {
    pub(super) fn begin(&mut self) {
        self.wiring.begin(0..0);
    }

    pub(super) fn runs(&mut self, every: u64, say: impl Fn(&mut u32, &mut Scan<'_>) + Send + 'static) {
        self.programs.push(flyball_programs::Placed::boxed(every, Script(say)));
    }

    pub(super) fn point(&mut self, point: &str) -> Point<Real> {
        self.wiring.point(&name(point), Unit::W)
    }

    pub(super) fn bad(&mut self) -> Point<Flag> {
        self.wiring.point(&name("bad"), Unit::None)
    }

    pub(super) fn compute(&mut self, point: &str) -> Computed<Real> {
        self.wiring.compute(&name(point), Unit::W, (-1e9, 1e9), 500)
    }

    pub(super) fn demand(&mut self, rank: u8) -> Demand<Real> {
        self.wiring.demand(&name("p"), Unit::W, rank)
    }

    pub(super) fn limit(&mut self) -> Limit<Real> {
        self.wiring.limit(&name("p"), Unit::W)
    }

    pub(super) fn service(&mut self) -> Service<Real> {
        self.wiring.service(&name("p"), Unit::W)
    }
}

pub(super) struct Lab {
    pub(super) controller: Controller,
    inputs: Inputs,
    pub(super) tick: u64,
}

/// Armed from its first scan on: it has no critical points but those that its programs read.
pub(super) fn lab(bring: impl FnOnce(&mut Bringing)) -> Lab {
    let mut points: Vec<_> = POINTS.map(|(n, kind, unit)| point(n, kind, unit, Source::Device(0), 500)).into();
    points.push(point("reset", ValueKind::Flag, Unit::None, Source::Command, 1_000));
    let mut bringing = Bringing { wiring: Wiring::new(points, vec![real("p", &[])], 10), programs: Vec::new() };
    bring(&mut bringing);
    let settings = Settings {
        period_ns: 10_000_000,
        // a test may jump a second without a word about overruns
        overrun: Contract {
            degrade: Threshold { count: 1_000, within: 1_000 },
            trip: Threshold { count: 1_000, within: 1_000 },
        },
        shed: Vec::new(),
        arm: Arm::Auto,
        reset: Some(POINTS.len()),
        lives: Vec::new(),
    };
    let wired = bringing.wiring.finish().expect("nothing is wrong");
    let mut lab =
        Lab { controller: Controller::new(settings, wired, bringing.programs), inputs: Inputs::new(3, 0), tick: 0 };
    POINTS.iter().for_each(|p| lab.set(p.0, 0.0));
    lab
}

impl Lab {
    /// It arms only while this flag is true.
    pub(super) fn needing(self, flag: &str) -> Self {
        let online = POINTS.iter().position(|p| p.0 == flag).expect("a point of the lab");
        Self { controller: self.controller.needing_online(vec![online]), ..self }
    }

    /// The device was asked just now.
    pub(super) fn set(&mut self, point: &str, value: f64) {
        let i = POINTS.iter().position(|p| p.0 == point).expect("a point of the lab");
        self.inputs.latched[i] = Reading::new(Ok(value), self.now());
    }

    pub(super) fn now(&self) -> ScanTime {
        ScanTime::from_ms(self.tick * 10)
    }

    pub(super) fn scan(&mut self) -> Applied {
        self.controller.scan(self.tick, &self.inputs);
        self.inputs.commands.clear();
        self.tick += 1;
        self.power()
    }

    pub(super) fn reset(&mut self) {
        for value in [0.0, 1.0] {
            let command = Command { source: 1, priority: 1, ask: Ask::Level { point: 0, value } };
            self.inputs.commands.push(command).expect("room for a command");
            self.scan();
        }
    }

    pub(super) fn power(&self) -> Applied {
        self.controller.outputs().reals()[0].applied()
    }

    /// A computed point, by its number in the order in which they were asked for, as of the last scan.
    pub(super) fn computed(&self, i: usize) -> Result<f64, NoData> {
        let last = ScanTime::from_ms(self.tick.saturating_sub(1) * 10);
        self.controller.readings()[POINTS.len() + 1 + i].fresh(last, 500_000_000)
    }
}
