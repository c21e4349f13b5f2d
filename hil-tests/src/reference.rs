//! The reference site of the benchmarks: 20 devices, 30 programs, 1 000 points (or any other number).
//!
//! Ten meters and ten inverters with batteries. Each inverter is a group of one, limited by its battery, demanded by a
//! self consumption on its own meter and by an external set-point. What a device publishes and what it is sent crosses
//! the same exchange cells as on a site; only the field threads are missing, so that the scan alone is measured.

use flyball_io_map::document::Spanned;
use flyball_io_map::image::output::Rule;
use flyball_io_map::image::point::Source;
use flyball_io_map::image::wiring::{OutputAt, OutputDef, OutputKind};
use flyball_io_map::image::{PointDef, Reading, ScanTime, Unit, ValueKind, Wiring};
use flyball_programs::{Run, battery, grid, modes};
use flyball_runtime::clock::WallClock;
use flyball_runtime::exchange::latest::{Writer, latest};
use flyball_runtime::exchange::queue::queue;
use flyball_runtime::exchange::snapshot::{SnapshotReader, snapshot};
use flyball_runtime::field::block::{DeviceWords, FromDevice, OutputKind as BlockKind, ToDevice};
use flyball_runtime::rt::run::{Cycle, RunStats};
use flyball_runtime::scan::controller::{Arm, Controller, Settings};
use flyball_runtime::scan::inputs::Inputs;
use flyball_runtime::scan::latch::LifeRule;
use flyball_runtime::scan::overrun::{Contract, Threshold};
use flyball_runtime::scan::shell::{DeviceLink, Ends, Shell, SystemValue};
use flyball_runtime::scan::snapshot::Layout;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Meters, and as many inverters.
const PAIRS: usize = 10;
/// Devices of the reference site.
pub const DEVICES: usize = 2 * PAIRS;
/// Programs of the reference site.
pub const PROGRAMS: usize = 3 * PAIRS;
/// Every device has these points first: power, voltage, currents allowed, state of charge, life; the last is `online`.
const NAMED: [(&str, Unit); 6] = [
    ("p", Unit::W),
    ("v", Unit::V),
    ("charge_a", Unit::A),
    ("discharge_a", Unit::A),
    ("soc", Unit::Percent),
    ("life", Unit::None),
];
const PERIOD_NS: u64 = 10_000_000;
/// A device is polled every 100 ms: in each scan every tenth has something new.
const POLL_SCANS: u64 = 10;

/// The reference site, ready to be scanned.
pub struct ReferenceSite {
    shell: Shell,
    field: Vec<(Writer, DeviceWords)>,
    tick: u64,
    /// What it publishes, for readers.
    pub snapshot: SnapshotReader,
}

impl ReferenceSite {
    /// With so many device points, at least 7 a device.
    #[must_use]
    pub fn new(points: usize) -> Self {
        let per_device = (points / DEVICES).max(NAMED.len() + 1);
        let (mut defs, lives) = device_points(per_device);
        let latched = defs.len() + 1;
        defs.push(def("system.degraded", Unit::None, ValueKind::Flag, Source::System));
        defs.extend((0..PAIRS).map(|i| def(&format!("cmd{i}.p"), Unit::W, ValueKind::Real, Source::Command)));
        let outputs = output_defs();
        let mut wiring = Wiring::new(defs, outputs.clone(), 10);
        let programs = programs(&mut wiring);
        let at = wiring.places().to_vec();
        let wired = wiring.finish().expect("the reference site is wired by its own names");
        let layout = Layout::new("reference".into(), 10, wired.points.clone(), outputs, at.clone(), Vec::new());
        let degrade = Threshold { count: 3, within: 10 };
        let overrun = Contract { degrade, trip: Threshold { count: 10, within: 100 } };
        let settings = Settings { period_ns: PERIOD_NS, overrun, shed: Vec::new(), arm: Arm::Auto, reset: None, lives };
        let controller = Controller::new(settings, wired, programs);
        let (links, field) = links(per_device, &at);
        let (snapshot_writer, snapshot) = snapshot(layout.words());
        let ends = Ends {
            links,
            commands: queue::<_, { flyball_runtime::scan::shell::COMMAND_SLOTS }>().1,
            snapshot: snapshot_writer,
            events: queue::<_, { flyball_runtime::scan::shell::EVENT_SLOTS }>().0,
            stop: Arc::new(AtomicBool::new(false)),
            stopped: Arc::new(AtomicBool::new(false)),
            stats: Arc::new(RunStats::default()),
            wall: Arc::new(WallClock::default()),
        };
        let system = vec![(latched - 1, SystemValue::Degraded)];
        let shell = Shell::new(PERIOD_NS, controller, Inputs::new(latched, 0), ends, system);
        Self { shell, field, tick: 0, snapshot }
    }

    /// What the field threads do between two scans: every tenth device publishes new values.
    pub fn field(&mut self) {
        self.tick += 1;
        let now = ScanTime(self.tick * PERIOD_NS);
        let phase = self.tick % POLL_SCANS;
        for (i, (writer, words)) in self.field.iter_mut().enumerate() {
            if i as u64 % POLL_SCANS != phase {
                continue;
            }
            let points = words.layout().points();
            for point in 0..points - 1 {
                words.set_reading(point, Reading::new(Ok(value(point, self.tick)), now));
            }
            words.set_online(true, now);
            writer.publish(words.words());
        }
    }

    /// One scan as the real-time thread does it: latch, programs, resolve, commit, publish.
    pub fn scan(&mut self) {
        let _ = self.shell.scan(self.tick, 0, 0);
    }
}

/// Plausible, and never still.
fn value(point: usize, tick: u64) -> f64 {
    let [wobble, ..] = tick.to_le_bytes();
    let wobble = f64::from(wobble);
    match point {
        0 => 1_000.0 + wobble,
        1 => 50.0 + wobble / 1_000.0,
        2 | 3 => 80.0,
        4 => 55.0,
        _ => wobble,
    }
}

fn def(name: &str, unit: Unit, kind: ValueKind, source: Source) -> PointDef {
    let plausible = (-20_000.0, 20_000.0);
    PointDef {
        name: name.into(),
        kind,
        unit,
        source,
        plausible,
        age_max_ms: 500,
        frozen_after_ms: None,
        codes: Vec::new(),
    }
}

fn device_points(per_device: usize) -> (Vec<PointDef>, Vec<LifeRule>) {
    let (mut points, mut lives) = (Vec::new(), Vec::new());
    for device in 0..DEVICES {
        let first = points.len();
        let source = Source::Device(u16::try_from(device).expect("twenty devices"));
        for point in 0..per_device - 1 {
            let (name, unit) = NAMED.get(point).copied().unwrap_or(("x", Unit::None));
            points.push(def(&format!("d{device}.{name}{point}"), unit, ValueKind::Real, source));
        }
        points.push(def(&format!("d{device}.online"), Unit::None, ValueKind::Flag, source));
        let (all, online) = (first..points.len(), points.len() - 1);
        lives.push(LifeRule { points: all, life: first + 5, within_ns: 1_000_000_000, apart: vec![online] });
    }
    (points, lives)
}

fn output_defs() -> Vec<OutputDef> {
    let rule = Rule { safe: 0.0, range: (-5_000.0, 5_000.0), ramp_per_s: 5_000.0, ramp_out_per_s: 2_500.0 };
    let kind = OutputKind::Real { unit: Unit::W, rule };
    let total = |i: usize| OutputDef { name: format!("ess{i}.p"), kind: kind.clone(), members: vec![PAIRS + i] };
    let member = |i: usize| OutputDef { name: format!("pcs{i}.p"), kind: kind.clone(), members: Vec::new() };
    (0..PAIRS).map(total).chain((0..PAIRS).map(member)).collect()
}

fn programs(wiring: &mut Wiring) -> Vec<Box<dyn Run>> {
    let name = |text: String| Spanned { value: text, span: 0..0 };
    let number = |value: f64| Spanned { value, span: 0..0 };
    let mut programs = Vec::new();
    for i in 0..PAIRS {
        let battery = PAIRS + i;
        let of = |n: usize| name(format!("d{battery}.{}{n}", NAMED[n].0));
        wiring.begin(0..0);
        programs.push(battery::limits::wire(
            &battery::limits::Settings {
                name: None,
                every_ms: None,
                charge_a_max: of(2),
                discharge_a_max: of(3),
                voltage: of(1),
                soc: of(4),
                power: name(format!("pcs{i}.p")),
                soc_percent_min: number(10.0),
                soc_percent_max: number(95.0),
                taper_percent: number(5.0),
            },
            wiring,
        ));
        wiring.begin(0..0);
        programs.push(grid::self_consumption::wire(
            &grid::self_consumption::Settings {
                name: None,
                every_ms: None,
                grid: name(format!("d{i}.p0")),
                grid_age_ms_max: None,
                power: name(format!("ess{i}.p")),
                rank: 0,
                target_w: 0.0,
                dead_band_w: number(20.0),
                kp: number(0.3),
                ti_s: number(0.5),
                td_s: None,
            },
            wiring,
        ));
        wiring.begin(0..0);
        let (command, power) = (name(format!("cmd{i}.p")), name(format!("ess{i}.p")));
        programs.push(modes::external_setpoint::wire(
            &modes::external_setpoint::Settings { name: None, every_ms: None, command, power, rank: 10 },
            wiring,
        ));
    }
    programs
}

fn links(per_device: usize, at: &[OutputAt]) -> (Vec<DeviceLink>, Vec<(Writer, DeviceWords)>) {
    let (mut links, mut field) = (Vec::new(), Vec::new());
    for (device, at) in at.iter().enumerate().take(DEVICES) {
        let from = FromDevice::new(per_device - 1, 0);
        let (writer, reader) = latest(from.words());
        field.push((writer, DeviceWords::new(from)));
        let outputs: Vec<OutputAt> = if device >= PAIRS { vec![*at] } else { Vec::new() };
        let to = ToDevice::new(vec![BlockKind::Real; outputs.len()]);
        let (writer, _) = latest(to.words());
        let points = device * per_device..(device + 1) * per_device;
        links.push(DeviceLink { reader, from, points, pulses: Vec::new(), writer, to, outputs });
    }
    (links, field)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_site_arms_and_its_batteries_follow_their_meters() {
        let mut site = ReferenceSite::new(1_000);
        for _ in 0..200 {
            site.field();
            site.scan();
        }
        let mut words = vec![0; site.snapshot.words()];
        assert!(site.snapshot.read(&mut words).is_some());
        let at = words.len() - 4 * PAIRS + 2;
        assert!(f64::from_bits(words[at]) > 500.0, "the last inverter discharges: {}", f64::from_bits(words[at]));
    }
}
