//! A scan allocates nothing and frees nothing, whatever the plant, the network and the scheduler do.
//!
//! Exempt: a program that panics. Unwinding allocates; it happens once, the program is quarantined, and the site goes on.
#![cfg(not(loom))]
#![expect(
    unsafe_code,
    reason = "a global allocator that counts cannot be written without; nothing else here is unsafe"
)]

use flyball_io_map::document::Spanned;
use flyball_io_map::image::choice::{ChoiceRule, SafeAfter};
use flyball_io_map::image::output::{Demand, Limit, Observe, Rule, Service};
use flyball_io_map::image::point::Source;
use flyball_io_map::image::pulse::Fire;
use flyball_io_map::image::wiring::{OutputDef, OutputKind};
use flyball_io_map::image::{
    Choice, Computed, Flag, NoData, Point, PointDef, Reading, Real, ScanTime, Unit, ValueKind, Wiring,
};
use flyball_programs::{Placed, Program, Run, Scan};
use flyball_runtime::scan::command::{Ask, Command};
use flyball_runtime::scan::controller::{Arm, Controller, Settings};
use flyball_runtime::scan::inputs::{COMMANDS_PER_SCAN, Inputs};
use flyball_runtime::scan::latch::LifeRule;
use flyball_runtime::scan::overrun::{Contract, Threshold};
use flyball_runtime::scan::snapshot::{Header, Layout, SiteState};
use std::alloc::{GlobalAlloc, Layout as Block, System};
use std::cell::Cell;

thread_local! {
    /// How often this thread has asked for memory or given it back.
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

fn count() {
    // a thread that is being torn down has no counter any more, and is not under test
    let _ = COUNT.try_with(|c| c.set(c.get() + 1));
}

// SAFETY: every call goes to the system's allocator unchanged, which keeps the contract; counting touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, block: Block) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of `alloc`, which is the same for the system's allocator.
        unsafe { System.alloc(block) }
    }

    unsafe fn realloc(&self, at: *mut u8, block: Block, size: usize) -> *mut u8 {
        count();
        // SAFETY: as above; `at` came from the system's allocator, because every `alloc` went there.
        unsafe { System.realloc(at, block, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, block: Block) {
        count();
        // SAFETY: as above.
        unsafe { System.dealloc(at, block) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often `scan` asked for memory or gave it back.
fn counted(scan: impl FnOnce()) -> u64 {
    let before = COUNT.get();
    scan();
    COUNT.get() - before
}

const PERIOD_NS: u64 = 10_000_000;
const DEVICES: usize = 6;
const REALS: [&str; 3] = ["grid", "current", "life"];

fn said(name: &str) -> Spanned<String> {
    Spanned { value: name.into(), span: 0..0 }
}

fn points() -> Vec<PointDef> {
    let point = |name: &str, kind: ValueKind, unit: Unit, source: Source| PointDef {
        name: name.into(),
        kind,
        unit,
        source,
        plausible: (-1e5, 1e5),
        age_max_ms: 500,
        frozen_after_ms: (name == "grid").then_some(200),
        codes: Vec::new(),
    };
    let reals = REALS.map(|name| point(name, ValueKind::Real, Unit::W, Source::Device(0)));
    let flags = ["chain", "button", "stuck"].map(|name| point(name, ValueKind::Flag, Unit::None, Source::Device(1)));
    let commands = [
        ("wanted", ValueKind::Real, Unit::W),
        ("reset", ValueKind::Flag, Unit::None),
        ("arm", ValueKind::Flag, Unit::None),
    ];
    let commands = commands.map(|(name, kind, unit)| point(name, kind, unit, Source::Command));
    reals.into_iter().chain(flags).chain(commands).collect()
}

/// A total over an inverter and a total of two inverters more, a contactor with its turn, and a pulse.
fn outputs() -> Vec<OutputDef> {
    let rule = Rule { safe: 0.0, range: (-10_000.0, 10_000.0), ramp_per_s: 5_000.0, ramp_out_per_s: 5_000.0 };
    let real = |name: &str, members: Vec<usize>| OutputDef {
        name: name.into(),
        kind: OutputKind::Real { unit: Unit::W, rule },
        members,
    };
    let after = SafeAfter { point: 1, age_max_ns: 500_000_000, below: 100.0, or_after_ns: 200_000_000 };
    let rule = ChoiceRule { values: 2, safe: 0, dwell_ns: 100_000_000, safe_after: Some(after) };
    let contactor = OutputKind::Choice { values: vec!["Open".into(), "Closed".into()], rule };
    vec![
        real("total", vec![1, 2]),
        real("east", vec![]),
        real("west", vec![3, 4]),
        real("west.1", vec![]),
        real("west.2", vec![]),
        OutputDef { name: "contactor".into(), kind: contactor, members: vec![] },
        OutputDef { name: "start".into(), kind: OutputKind::Pulse, members: vec![] },
    ]
}

/// A program that uses every verb there is, with numbers that come from its inputs, good and bad.
struct Everything {
    reals: [Point<Real>; 3],
    chain: Point<Flag>,
    wanted: Point<Real>,
    sum: Computed<Real>,
    demand: Demand<Real>,
    applied: Observe<Real>,
    limits: [Limit<Real>; 4],
    service: Service<Real>,
    close: Demand<Choice>,
    open: Limit<Choice>,
    start: Fire,
}

impl Program for Everything {
    type State = (u64, f64);

    fn scan(&self, (starts, last): &mut (u64, f64), scan: &mut Scan<'_>) {
        let [grid, current, life] = [0, 1, 2].map(|i| scan.read(&self.reals[i]));
        scan.compute(&self.sum, grid.and_then(|g| current.map(|c| g * c)));
        let wanted = scan.read(&self.wanted).or(grid).ok();
        scan.demand(&self.demand, wanted);
        let narrow = current.unwrap_or(f64::NAN);
        for (limit, part) in self.limits.iter().zip([1.0, 0.5, -1.0, 2.0]) {
            match life {
                Ok(v) if v > 0.0 => scan.release(limit),
                Ok(_) => scan.limit(limit, -narrow * part, narrow * part),
                Err(_) => scan.allow_nothing(limit),
            }
        }
        let applied = scan.applied(&self.applied);
        scan.reserve(&self.service, *last, applied.total);
        scan.add(&self.service, current.ok().map(|c| c - applied.added));
        *last = grid.unwrap_or(*last);
        let healthy = scan.read(&self.chain) == Ok(true);
        scan.demand(&self.close, Some(1));
        scan.allow(&self.open, if healthy { u32::MAX } else { 0 });
        if healthy && scan.taken(&self.chain) == scan.now() {
            *starts += 1;
            scan.fire(&self.start, *starts, ScanTime(scan.now().0 + 50_000_000));
        }
    }
}

fn everything(site: &mut Wiring) -> Box<dyn Run> {
    let program = Everything {
        reals: REALS.map(|name| site.point(&said(name), Unit::W)),
        chain: site.point(&said("chain"), Unit::None),
        wanted: site.point(&said("wanted"), Unit::W),
        sum: site.compute(&said("sum"), Unit::None, (-1e9, 1e9), 500),
        demand: site.demand(&said("total"), Unit::W, 1),
        applied: site.observe(&said("total"), Unit::W),
        limits: ["total", "east", "west", "west.1"].map(|name| site.limit(&said(name), Unit::W)),
        service: site.service(&said("total"), Unit::W),
        close: site.demand_choice(&said("contactor"), 1),
        open: site.limit_choice(&said("contactor")),
        start: site.fire(&said("start")),
    };
    Placed::boxed(1, program)
}

/// The programs of the library, on the same outputs at another rank.
fn library(site: &mut Wiring) -> Vec<Box<dyn Run>> {
    use flyball_programs::{grid::self_consumption, modes::external_setpoint, modes::hold, safety::emergency_stop};
    let stop = emergency_stop::Settings {
        name: None,
        input: said("chain"),
        reset: said("reset"),
        opens: vec![said("contactor")],
        stops: vec![said("west.2")],
        resets: Vec::new(),
        latch_when_lost: Some(false),
        free_at_start: Some(true),
    };
    let number = |value: f64| Spanned { value, span: 0..0 };
    let own_use = self_consumption::Settings {
        name: None,
        every_ms: Some(Spanned { value: 30, span: 0..0 }),
        grid: said("grid"),
        grid_age_ms_max: Some(200),
        power: said("total"),
        rank: 0,
        target_w: 0.0,
        dead_band_w: number(20.0),
        kp: number(0.5),
        ti_s: number(1.0),
        td_s: Some(number(0.1)),
    };
    let setpoint = external_setpoint::Settings {
        name: None,
        every_ms: None,
        command: said("wanted"),
        power: said("total"),
        rank: 5,
    };
    let close = hold::Settings { name: None, output: said("contactor"), value: said("Closed"), rank: 0 };
    let mut programs = Vec::new();
    site.begin(0..0);
    programs.push(emergency_stop::wire(&stop, site));
    site.begin(0..0);
    programs.push(self_consumption::wire(&own_use, site));
    site.begin(0..0);
    programs.push(external_setpoint::wire(&setpoint, site));
    site.begin(0..0);
    programs.push(hold::wire(&close, site));
    programs
}

/// The site, its programs and one more.
struct Plant {
    controller: Controller,
    inputs: Inputs,
    words: Vec<u64>,
    tick: u64,
    states: [u64; 4],
}

fn plant(one_more: impl FnOnce(&mut Wiring) -> Box<dyn Run>) -> Plant {
    let mut site = Wiring::new(points(), outputs(), 10);
    let mut programs = library(&mut site);
    site.begin(0..0);
    programs.push(one_more(&mut site));
    let (at, names) = (site.places().to_vec(), vec![String::new(); programs.len()]);
    let settings = Settings {
        period_ns: PERIOD_NS,
        overrun: Contract { degrade: Threshold { count: 3, within: 10 }, trip: Threshold { count: 10, within: 100 } },
        shed: vec![false, true, false, false, true],
        arm: Arm::Manual { by: DEVICES + 2 },
        reset: Some(DEVICES + 1),
        lives: vec![LifeRule { points: 0..3, life: 2, within_ns: 300_000_000, apart: vec![1] }],
    };
    let wired = site.finish().expect("nothing is wrong");
    let layout = Layout::new("plant".into(), 10, wired.points.clone(), outputs(), at, names);
    Plant {
        controller: Controller::new(settings, wired, programs),
        inputs: Inputs::new(DEVICES, 1),
        words: vec![0; layout.words()],
        tick: 0,
        states: [0; 4],
    }
}

impl Plant {
    /// Anything may happen between two scans.
    fn anything(&mut self, random: &mut fastrand::Rng) {
        self.tick += match random.u32(0..2_000) {
            0 => 100_000,
            1..10 => random.u64(3..15),
            10..40 => 2,
            _ => 1,
        };
        let now = ScanTime(self.tick * PERIOD_NS);
        for i in 0..DEVICES {
            if random.u8(0..10) < 3 {
                continue; // nothing new from it
            }
            let value = match (random.u8(0..60), i) {
                (0, _) => Err(NoData::DeviceSilent),
                (1, _) => Ok(f64::NAN),
                (2, _) => Ok(f64::MAX),
                (3..6, _) => Ok(0.0),
                (_, 0..3) => Ok((random.f64() - 0.3) * 20_000.0),
                _ => Ok(1.0),
            };
            self.inputs.latched[i] = Reading::new(value, now);
        }
        self.inputs.commands.clear();
        let commands = if random.u8(0..100) == 0 { COMMANDS_PER_SCAN } else { random.usize(0..2) };
        for _ in 0..commands {
            let point = random.u16(0..4);
            let ask = match random.u8(0..10) {
                0 => Ask::Renew,
                1 => Ask::Release { point },
                2..5 => Ask::Level { point, value: (random.f64() - 0.5) * 25_000.0 },
                _ => Ask::Level { point, value: f64::from(random.u8(0..2)) },
            };
            let command = Command { source: random.u16(0..3), priority: random.u8(0..3), ask };
            self.inputs.commands.push(command).expect("room for so many commands");
        }
        self.inputs.pulses_done[0] += u64::from(random.u8(0..20) == 0);
    }

    /// One scan and its publication, as on the real-time thread.
    fn scan(&mut self) {
        self.controller.scan(self.tick, &self.inputs);
        let header = Header {
            tick: self.tick,
            scans: self.tick,
            state: self.controller.state(),
            degraded: self.controller.degraded(),
            quarantined: self.controller.quarantined(),
            slots_skipped: 0,
            scan_ns: 0,
            late_ns: 0,
            wall_ns: 0,
            wall_trusted: false,
            commands_refused: self.controller.commands_refused(),
        };
        let words = &mut self.words;
        Layout::write(&header, self.controller.readings(), self.controller.outputs(), |i, word| words[i] = word);
        self.states[usize::from(self.controller.state().code())] += 1;
    }
}

#[test]
fn a_hundred_thousand_scans_of_anything_allocate_nothing() {
    let (mut plant, mut random) = (plant(everything), fastrand::Rng::with_seed(20));
    let (mut moved, mut closed, mut fired) = (0, 0, 0);
    for n in 0..100_000 {
        // a stop is for good, so it comes late
        plant.inputs.stop = n > 99_000;
        plant.anything(&mut random);
        assert_eq!(counted(|| plant.scan()), 0, "scan {n}");
        let outputs = plant.controller.outputs();
        moved += u32::from(outputs.reals()[3].applied().total.abs() > 0.0);
        closed += u32::from(outputs.choices()[0].applied().0 == 1);
        fired += u32::from(outputs.pulses()[0].pending().is_some());
    }
    // a test in which nothing happens would prove nothing
    let often = |state: SiteState| plant.states[usize::from(state.code())];
    assert!(often(SiteState::Armed) > 10_000 && often(SiteState::Disarmed) > 1_000, "{:?}", plant.states);
    assert!(often(SiteState::Tripped) > 100 && often(SiteState::Stopping) > 900, "{:?}", plant.states);
    assert!(moved > 1_000 && closed > 1_000 && fired > 1_000, "moved {moved}, closed {closed}, fired {fired}");
    assert_eq!(plant.controller.quarantined(), 0);
}

/// A program as it must not be.
struct Allocates;

impl Program for Allocates {
    type State = ();

    fn scan(&self, (): &mut (), scan: &mut Scan<'_>) {
        std::hint::black_box(vec![scan.now()]);
    }
}

#[test]
fn a_program_that_allocates_is_found_out() {
    let mut plant = plant(|_| Placed::boxed(1, Allocates));
    assert_eq!(counted(|| plant.scan()), 2, "one block taken, and given back");
}
