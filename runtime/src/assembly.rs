//! From a checked site to what runs it: the controller, the layout of its snapshots, and the contract with every device.
//!
//! Pure: no thread, no socket, no clock. The running site and the simulator begin with the same assembly.

use crate::field::block::{FromDevice, OutputKind as BlockKind, ToDevice};
use crate::rt::report::StartReport;
use crate::scan::controller::{Arm, Controller, Settings};
use crate::scan::inputs::Inputs;
use crate::scan::latch::LifeRule;
use crate::scan::overrun::{Contract, Threshold};
use crate::scan::shell::SystemValue;
use crate::scan::snapshot::Layout;
use flyball_config::{ARM, Arm as SiteArm, Device, RESET, Site, Skips, SystemPoints};
use flyball_io_map::image::point::Source;
use flyball_io_map::image::wiring::{OutputAt, OutputDef, OutputKind};
use std::ops::Range;

/// What the scan and the field thread of one device have agreed.
#[derive(Clone, Debug)]
pub struct Contracted {
    /// What the device says.
    pub from: FromDevice,
    /// What the scan says.
    pub to: ToDevice,
    /// The device's points, as places in the image; the last is `online`.
    pub points: Range<usize>,
    /// Its pulse outputs, as places among the pulses.
    pub pulses: Vec<usize>,
    /// Its outputs, in the order of `to`.
    pub outputs: Vec<OutputAt>,
}

/// A site, put together and not yet running.
pub struct Assembly {
    /// The pure controller before its first scan.
    pub controller: Controller,
    /// What its snapshots mean.
    pub layout: Layout,
    /// Room for its inputs.
    pub inputs: Inputs,
    /// The devices, in the site's order.
    pub devices: Vec<Contracted>,
    /// The scan period, ns.
    pub period_ns: u64,
}

/// Puts a site together, fresh, as it is before the first scan.
#[must_use]
pub fn assemble(site: &Site) -> Assembly {
    let mut built = site.build();
    let at = places(site.outputs());
    for device in site.devices() {
        device.outputs.iter().for_each(|o| built.wired.outputs.gate(at[o.output], device.points.end - 1));
    }
    let period_ns = u64::from(site.scan().period_ms) * 1_000_000;
    let programs = site.program_names().map(str::to_owned).collect();
    let layout = Layout::new(
        site.name().to_owned(),
        site.scan().period_ms,
        site.points().to_vec(),
        site.outputs().to_vec(),
        at.clone(),
        programs,
    );
    let latched = site.points().iter().filter(|p| matches!(p.source, Source::Device(_) | Source::System)).count();
    let pulses = at.iter().filter(|a| matches!(a, OutputAt::Pulse(_))).count();
    let settings = settings(site, period_ns, built.programs.len());
    let written_to = site.devices().iter().filter(|d| !d.outputs.is_empty()).map(|d| d.points.end - 1);
    let controller = Controller::new(settings, built.wired, built.programs).needing_online(written_to.collect());
    let devices = site.devices().iter().map(|device| contract(device, &at)).collect();
    Assembly { controller, layout, inputs: Inputs::new(latched, pulses), devices, period_ns }
}

/// Which points the shell stamps, given what the scan thread could have of the machine.
#[must_use]
pub fn system_values(system: &SystemPoints, report: Option<&StartReport>) -> Vec<(usize, SystemValue)> {
    let had = |name: &str| report.is_some_and(|r| r.flags().iter().any(|(n, ok)| *n == name && *ok));
    let flag = |name: &str| SystemValue::Fixed(f64::from(u8::from(had(name))));
    vec![
        (system.realtime, flag("scheduling_fifo")),
        (system.memory_locked, flag("memory_locked")),
        (system.cpus_pinned, flag("cpu_affinity")),
        (system.stack_prefaulted, flag("stack_prefaulted")),
        (system.realtime_kernel, flag("kernel_preempt_rt")),
        (system.degraded, SystemValue::Degraded),
        (system.slots_skipped, SystemValue::SlotsSkipped),
    ]
}

fn settings(site: &Site, period_ns: u64, programs: usize) -> Settings {
    let overrun = &site.scan().overrun;
    let threshold = |s: Skips| Threshold { count: u32::from(s.skipped), within: u32::from(s.of) };
    let place = |name: &str| site.points().iter().position(|p| p.name == name);
    let arm = match site.arm() {
        SiteArm::Auto => Arm::Auto,
        SiteArm::Manual => {
            Arm::Manual { by: place(ARM).expect("a site that arms by hand has the command point for it") }
        }
    };
    Settings {
        period_ns,
        overrun: Contract { degrade: threshold(overrun.degrade), trip: threshold(overrun.trip) },
        shed: (0..programs).map(|i| overrun.shed.contains(&i)).collect(),
        arm,
        reset: place(RESET),
        lives: site.devices().iter().filter_map(life).collect(),
    }
}

fn life(device: &Device) -> Option<LifeRule> {
    let life = device.profile.life.as_ref()?;
    Some(LifeRule {
        points: device.points.clone(),
        life: device.points.start + life.point,
        within_ns: u64::from(life.within_ms) * 1_000_000,
        apart: vec![device.points.end - 1],
    })
}

/// Kind and place of every output, counted per kind in the site's order, as the wiring counts them.
fn places(outputs: &[OutputDef]) -> Vec<OutputAt> {
    let (mut reals, mut choices, mut pulses) = (0.., 0.., 0..);
    let next = |counter: &mut std::ops::RangeFrom<usize>| counter.next().expect("a count of outputs does not end");
    let place = |def: &OutputDef| match def.kind {
        OutputKind::Real { .. } => OutputAt::Real(next(&mut reals)),
        OutputKind::Choice { .. } => OutputAt::Choice(next(&mut choices)),
        OutputKind::Pulse => OutputAt::Pulse(next(&mut pulses)),
    };
    outputs.iter().map(place).collect()
}

fn contract(device: &Device, at: &[OutputAt]) -> Contracted {
    let outputs: Vec<OutputAt> = device.outputs.iter().map(|o| at[o.output]).collect();
    let pulses =
        outputs.iter().filter_map(|a| if let OutputAt::Pulse(i) = a { Some(*i) } else { None }).collect::<Vec<_>>();
    let kind = |at: &OutputAt| match at {
        OutputAt::Real(_) => BlockKind::Real,
        OutputAt::Choice(_) => BlockKind::Choice,
        OutputAt::Pulse(_) => BlockKind::Pulse,
    };
    Contracted {
        from: FromDevice::new(device.points.len() - 1, pulses.len()),
        to: ToDevice::new(outputs.iter().map(kind).collect()),
        points: device.points.clone(),
        pulses,
        outputs,
    }
}
