//! The demo site: a meter, an emergency stop with its contactor, a battery behind one inverter, and somebody who commands.
//! The devices answer in every scan, and the inverter does what it is told, unless a test says otherwise.

use super::super::*;
use crate::scan::inputs::Inputs;
use crate::scan::overrun::Threshold;
use flyball_io_map::document::Spanned;
use flyball_io_map::image::choice::{ChoiceRule, SafeAfter};
use flyball_io_map::image::output::Rule;
use flyball_io_map::image::wiring::{OutputDef, OutputKind};
use flyball_io_map::image::{PointDef, Unit, ValueKind, Wiring};
use flyball_programs::battery::limits;
use flyball_programs::grid::self_consumption;
use flyball_programs::modes::{external_setpoint, hold};
use flyball_programs::safety::emergency_stop;

pub(super) const PERIOD_MS: u32 = 10;

/// The programs, in the order of the site.
pub(super) const STOP: By = By(0);
pub(super) const BATTERY: By = By(1);
pub(super) const CLOSE: By = By(2);
pub(super) const SELF: By = By(3);
pub(super) const SETPOINT: By = By(4);

/// Device points with their units and what a healthy, idle plant answers; then command points with their leases, ms.
pub(super) const DEVICES: [(&str, ValueKind, Unit, f64); 7] = [
    ("meter.p", ValueKind::Real, Unit::W, 0.0),
    ("panel.estop", ValueKind::Flag, Unit::None, 1.0),
    ("bms.charge_a_max", ValueKind::Real, Unit::A, 160.0),
    ("bms.discharge_a_max", ValueKind::Real, Unit::A, 160.0),
    ("bms.v", ValueKind::Real, Unit::V, 50.0),
    ("bms.soc", ValueKind::Real, Unit::Percent, 50.0),
    (ACTUAL, ValueKind::Real, Unit::W, 0.0),
];
const ACTUAL: &str = "pcs.p_actual";
const ACTUAL_AT: usize = 6;
pub(super) const COMMANDS: [(&str, ValueKind, Unit, u32); 3] = [
    ("cmd.p", ValueKind::Real, Unit::W, 2_000),
    ("site.reset", ValueKind::Flag, Unit::None, 1_000),
    ("site.arm", ValueKind::Flag, Unit::None, 1_000),
];
/// The greatest age of every device point, ms.
pub(super) const AGE_MAX_MS: u32 = 500;
/// 8 kW, from 160 A at 50 V.
pub(super) const FULL_W: f64 = 8_000.0;
/// What ramps out in one scan.
pub(super) const OUT_W: f64 = 50.0;

pub(super) fn name(name: &str) -> Spanned<String> {
    said(name.to_owned())
}

fn said<T>(value: T) -> Spanned<T> {
    Spanned { value, span: 0..0 }
}

pub(super) fn point(name: &str, kind: ValueKind, unit: Unit, source: Source, age_max_ms: u32) -> PointDef {
    let plausible = if kind == ValueKind::Flag { (0.0, 1.0) } else { (-50_000.0, 50_000.0) };
    let (name, codes) = (name.to_owned(), Vec::new());
    PointDef { name, kind, unit, source, plausible, age_max_ms, frozen_after_ms: None, codes }
}

fn points() -> Vec<PointDef> {
    let devices = DEVICES.iter().map(|(name, kind, unit, _)| point(name, *kind, *unit, Source::Device(0), AGE_MAX_MS));
    let commands = COMMANDS.iter().map(|(name, kind, unit, lease)| point(name, *kind, *unit, Source::Command, *lease));
    devices.chain(commands).collect()
}

pub(super) fn real(name: &str, members: &[usize]) -> OutputDef {
    let rule = Rule { safe: 0.0, range: (-10_000.0, 10_000.0), ramp_per_s: 1e9, ramp_out_per_s: OUT_W * 100.0 };
    OutputDef { name: name.into(), kind: OutputKind::Real { unit: Unit::W, rule }, members: members.to_vec() }
}

fn outputs() -> Vec<OutputDef> {
    let safe_after = SafeAfter {
        point: ACTUAL_AT,
        age_max_ns: u64::from(AGE_MAX_MS) * 1_000_000,
        below: 100.0,
        or_after_ns: 500_000_000,
    };
    let rule = ChoiceRule { values: 2, safe: 0, dwell_ns: 1_000_000_000, safe_after: Some(safe_after) };
    let contactor = OutputKind::Choice { values: vec!["Open".into(), "Closed".into()], rule };
    vec![
        real("ess.p", &[1]),
        real("pcs.p", &[]),
        OutputDef { name: "panel.contactor".into(), kind: contactor, members: Vec::new() },
        OutputDef { name: "pcs.alarm_reset".into(), kind: OutputKind::Pulse, members: Vec::new() },
    ]
}

fn programs(site: &mut Wiring) -> Vec<Box<dyn Run>> {
    let stop = emergency_stop::Settings {
        name: None,
        input: name("panel.estop"),
        reset: name("site.reset"),
        opens: vec![name("panel.contactor")],
        stops: vec![name("ess.p")],
        resets: vec![name("pcs.alarm_reset")],
        latch_when_lost: None,
        free_at_start: Some(true),
    };
    let battery = limits::Settings {
        name: None,
        every_ms: None,
        charge_a_max: name("bms.charge_a_max"),
        discharge_a_max: name("bms.discharge_a_max"),
        voltage: name("bms.v"),
        soc: name("bms.soc"),
        power: name("pcs.p"),
        soc_percent_min: said(10.0),
        soc_percent_max: said(90.0),
        taper_percent: said(5.0),
    };
    let (contactor, closed) = (name("panel.contactor"), name("Closed"));
    let close = hold::Settings { name: None, output: contactor, value: closed, rank: 0 };
    let own_use = self_consumption::Settings {
        name: None,
        every_ms: None,
        grid: name("meter.p"),
        grid_age_ms_max: None,
        power: name("ess.p"),
        rank: 0,
        target_w: 0.0,
        dead_band_w: said(20.0),
        kp: said(0.5),
        ti_s: said(1.0),
        td_s: None,
    };
    let power = name("ess.p");
    let setpoint = external_setpoint::Settings { name: None, every_ms: None, command: name("cmd.p"), power, rank: 5 };
    let mut wired = Vec::new();
    site.begin(0..0);
    wired.push(emergency_stop::wire(&stop, site));
    site.begin(0..0);
    wired.push(limits::wire(&battery, site));
    site.begin(0..0);
    wired.push(hold::wire(&close, site));
    site.begin(0..0);
    wired.push(self_consumption::wire(&own_use, site));
    site.begin(0..0);
    wired.push(external_setpoint::wire(&setpoint, site));
    wired
}

fn contract() -> Contract {
    Contract { degrade: Threshold { count: 3, within: 10 }, trip: Threshold { count: 10, within: 100 } }
}

fn command_place(name: &str) -> usize {
    COMMANDS.iter().position(|c| c.0 == name).expect("a command point of the site")
}

/// The controller of the demo site. While it is degraded it sheds self consumption.
pub(super) fn controller(arm: Arm) -> Controller {
    let mut wiring = Wiring::new(points(), outputs(), PERIOD_MS);
    let programs = programs(&mut wiring);
    let settings = Settings {
        period_ns: u64::from(PERIOD_MS) * 1_000_000,
        overrun: contract(),
        shed: vec![false, false, false, true, false],
        arm,
        reset: Some(DEVICES.len() + command_place("site.reset")),
        lives: Vec::new(),
    };
    Controller::new(settings, wiring.finish().expect("nothing is wrong"), programs)
}

pub(super) fn by_hand() -> Arm {
    Arm::Manual { by: DEVICES.len() + command_place("site.arm") }
}

/// What a device does when it is asked.
#[derive(Clone, Copy, PartialEq)]
enum Answer {
    Never,
    Value(f64),
    /// The field thread says that it is gone.
    Silent,
    /// Nothing new comes: the last reading grows old.
    Nothing,
}

/// The demo site with its plant.
pub(super) struct Demo {
    pub(super) controller: Controller,
    inputs: Inputs,
    tick: u64,
    answers: [Answer; DEVICES.len()],
    stuck: bool,
}

/// Before the first scan; no device has answered yet.
pub(super) fn boots(arm: Arm) -> Demo {
    let inputs = Inputs::new(DEVICES.len(), 1);
    Demo { controller: controller(arm), inputs, tick: 1_000, answers: [Answer::Never; DEVICES.len()], stuck: false }
}

/// Armed by hand, everything healthy, the contactor closed for long, no load.
pub(super) fn runs() -> Demo {
    let site = boots(by_hand()).healthy().arms().scans(200);
    assert_eq!((site.controller.state(), site.contactor()), (SiteState::Armed, 1));
    site
}

impl Demo {
    /// Every device answers as in a healthy, idle plant.
    pub(super) fn healthy(mut self) -> Self {
        self.answers = DEVICES.map(|d| Answer::Value(d.3));
        self
    }

    fn answer(mut self, point: &str, answer: Answer) -> Self {
        let i = DEVICES.iter().position(|d| d.0 == point).expect("a device point of the site");
        self.answers[i] = answer;
        self
    }

    /// From now on the device answers this.
    pub(super) fn set(self, point: &str, value: f64) -> Self {
        self.answer(point, Answer::Value(value))
    }

    /// From now on the device is silent.
    pub(super) fn lose(self, point: &str) -> Self {
        self.answer(point, Answer::Silent)
    }

    /// From now on nothing new comes from the device.
    pub(super) fn ages(self, point: &str) -> Self {
        self.answer(point, Answer::Nothing)
    }

    /// The inverter goes on with this power, whatever it is told.
    pub(super) fn stuck_at(mut self, watts: f64) -> Self {
        self.stuck = true;
        self.set(ACTUAL, watts)
    }

    fn ask(mut self, source: u16, priority: u8, ask: Ask) -> Self {
        self.inputs.commands.push(Command { source, priority, ask }).expect("room for a command");
        self
    }

    /// SCADA, with the priority of most, sets a command point for as long as its lease lasts.
    pub(super) fn level(self, point: &str, value: f64) -> Self {
        self.level_of(1, 5, point, value)
    }

    pub(super) fn level_of(self, source: u16, priority: u8, point: &str, value: f64) -> Self {
        let point = u16::try_from(command_place(point)).unwrap();
        self.ask(source, priority, Ask::Level { point, value })
    }

    pub(super) fn release(self, source: u16, point: &str) -> Self {
        let point = u16::try_from(command_place(point)).unwrap();
        self.ask(source, 5, Ask::Release { point })
    }

    /// The heartbeat of SCADA.
    pub(super) fn renew(self) -> Self {
        self.ask(1, 5, Ask::Renew)
    }

    pub(super) fn command_to_nowhere(self) -> Self {
        self.ask(1, 5, Ask::Level { point: 99, value: 0.0 })
    }

    /// An order to arm as a person gives it: the switch off, and then on. The scan of the second is still to come.
    pub(super) fn arms(self) -> Self {
        self.level("site.arm", 0.0).scan().level("site.arm", 1.0)
    }

    /// A reset as a person presses it: released, pressed.
    pub(super) fn reset(self) -> Self {
        self.level("site.reset", 0.0).scan().level("site.reset", 1.0).scan()
    }

    pub(super) fn stop(mut self) -> Self {
        self.inputs.stop = true;
        self
    }

    pub(super) fn withdraw_stop(mut self) -> Self {
        self.inputs.stop = false;
        self
    }

    pub(super) fn executed(mut self, id: u64) -> Self {
        self.inputs.pulses_done[0] = id;
        self
    }

    /// The next scan comes so many slots late.
    pub(super) fn skips(mut self, slots: u64) -> Self {
        self.tick += slots;
        self
    }

    pub(super) fn scan(mut self) -> Self {
        if !self.stuck && self.answers[ACTUAL_AT] != Answer::Never {
            self.answers[ACTUAL_AT] = Answer::Value(self.real(1).0);
        }
        let now = ScanTime::from_ms(self.tick * u64::from(PERIOD_MS));
        for (answer, raw) in self.answers.iter().zip(&mut self.inputs.latched) {
            match answer {
                Answer::Value(v) => *raw = Reading::new(Ok(*v), now),
                Answer::Silent => *raw = raw.lost(NoData::DeviceSilent),
                Answer::Never | Answer::Nothing => {}
            }
        }
        self.controller.scan(self.tick, &self.inputs);
        self.inputs.commands.clear();
        self.tick += 1;
        self
    }

    pub(super) fn scans(self, count: u32) -> Self {
        (0..count).fold(self, |site, _| site.scan())
    }

    /// One scan, after which this must have gone out, for this reason.
    #[track_caller]
    pub(super) fn expect(self, watts: f64, cause: Cause) -> Self {
        let site = self.scan();
        assert_eq!(site.power(), (watts, cause), "scan {}", site.tick - 1);
        assert_eq!(site.real(1).0.to_bits(), site.real(0).0.to_bits(), "the inverter is told the total");
        site
    }

    fn real(&self, i: usize) -> (f64, Cause) {
        let out = self.controller.outputs().reals()[i].applied();
        (out.total, out.cause)
    }

    pub(super) fn power(&self) -> (f64, Cause) {
        self.real(0)
    }

    /// 0 is open, 1 closed.
    pub(super) fn contactor(&self) -> u8 {
        self.controller.outputs().choices()[0].applied().0
    }

    pub(super) fn pulse(&self) -> Option<u64> {
        self.controller.outputs().pulses()[0].pending().map(|p| p.id)
    }

    pub(super) fn state(&self) -> SiteState {
        self.controller.state()
    }

    pub(super) fn events(&self) -> &[Event] {
        self.controller.events()
    }

    #[track_caller]
    pub(super) fn expect_contactor(self, value: u8) -> Self {
        assert_eq!(self.contactor(), value, "scan {}", self.tick - 1);
        self
    }

    #[track_caller]
    pub(super) fn expect_state(self, state: SiteState) -> Self {
        assert_eq!(self.state(), state, "scan {}", self.tick - 1);
        self
    }

    #[track_caller]
    pub(super) fn expect_events(self, events: &[Event]) -> Self {
        assert_eq!(self.events(), events, "scan {}", self.tick - 1);
        self
    }
}
