//! What holds whatever the plant, the network and the scheduler do.

use super::demo::*;
use crate::scan::command::{Ask, Command};
use crate::scan::controller::{Arm, Controller};
use crate::scan::inputs::Inputs;
use crate::scan::snapshot::SiteState;
use flyball_io_map::image::{NoData, Reading, ScanTime};
use proptest::prelude::*;

/// What happens before a scan.
#[derive(Clone, Debug)]
enum Event {
    Reads(usize, f64),
    Loses(usize, NoData),
    Commands(Command),
    Executes(u64),
    Stops,
}

#[derive(Clone, Debug)]
struct Step {
    slots: u64,
    /// Device points that are not polled in this scan.
    unpolled: u8,
    events: Vec<Event>,
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => -10_000.0..10_000.0f64,
        4 => Just(1.0),
        2 => Just(0.0),
        1 => prop::sample::select(vec![f64::NAN, f64::INFINITY, f64::MIN, f64::MAX, -0.0, 5e-324]),
        2 => 0.0..100.0f64,
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let why = prop::sample::select(vec![NoData::DeviceSilent, NoData::Refused(2), NoData::NotImplemented]);
    let ask = prop_oneof![
        6 => (0u16..4, value()).prop_map(|(point, value)| Ask::Level { point, value }),
        1 => Just(Ask::Renew),
        1 => (0u16..4).prop_map(|point| Ask::Release { point }),
    ];
    let command = (0u16..3, 0u8..3, ask).prop_map(|(source, priority, ask)| Command { source, priority, ask });
    prop_oneof![
        20 => (0..DEVICES.len(), value()).prop_map(|(i, v)| Event::Reads(i, v)),
        20 => (0..DEVICES.len()).prop_map(|i| Event::Reads(i, DEVICES[i].3)),
        5 => (0..DEVICES.len(), why).prop_map(|(i, why)| Event::Loses(i, why)),
        30 => command.prop_map(Event::Commands),
        5 => (0u64..5).prop_map(Event::Executes),
        1 => prop::bool::weighted(0.05).prop_map(|stop| if stop { Event::Stops } else { Event::Executes(0) }),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let slots = prop_oneof![40 => Just(1u64), 3 => 2..5u64, 1 => prop_oneof![5..200u64, Just(1_000_000)]];
    let events = prop::collection::vec(event(), 0..4);
    let unpolled = prop_oneof![3 => Just(0u8), 1 => any::<u8>()];
    let step = (slots, unpolled, events).prop_map(|(slots, unpolled, events)| Step { slots, unpolled, events });
    prop::collection::vec(step, 1..150)
}

/// What the plant says, apart from the controller that hears it.
struct World {
    inputs: Inputs,
    plant: [Result<f64, NoData>; DEVICES.len()],
    tick: u64,
}

impl World {
    fn new() -> Self {
        Self { inputs: Inputs::new(DEVICES.len(), 1), plant: DEVICES.map(|d| Ok(d.3)), tick: 0 }
    }

    fn step(&mut self, step: &Step) {
        self.tick += step.slots;
        self.inputs.commands.clear();
        for event in &step.events {
            match event {
                Event::Reads(i, v) => self.plant[*i] = Ok(*v),
                Event::Loses(i, why) => self.plant[*i] = Err(*why),
                Event::Commands(command) => self.inputs.commands.push(*command).expect("room for a command"),
                Event::Executes(id) => self.inputs.pulses_done[0] = self.inputs.pulses_done[0].max(*id),
                Event::Stops => self.inputs.stop = true,
            }
        }
        let now = ScanTime::from_ms(self.tick * u64::from(PERIOD_MS));
        for (i, (value, raw)) in self.plant.iter().zip(&mut self.inputs.latched).enumerate() {
            if step.unpolled & (1 << i) == 0 {
                *raw = Reading::new(*value, now);
            }
        }
    }
}

/// Everything that a scan leaves behind, as bits.
fn bits(controller: &Controller) -> Vec<u64> {
    let outputs = controller.outputs();
    let mut all: Vec<u64> = controller.readings().iter().flat_map(|r| r.to_words()).collect();
    for slot in outputs.reals() {
        let out = slot.applied();
        let (cause, by) = out.cause.code();
        all.extend([out.base, out.added, out.total].map(f64::to_bits));
        all.extend([u64::from(cause), u64::from(by)]);
    }
    for slot in outputs.choices() {
        let (value, cause) = slot.applied();
        all.extend([u64::from(value), u64::from(cause.code().0), u64::from(cause.code().1)]);
    }
    all.extend(outputs.pulses().iter().map(|slot| slot.pending().map_or(0, |p| p.id)));
    all.extend([u64::from(controller.state().code()), controller.commands_refused()]);
    all
}

/// The image's reading of a device point in this scan.
fn known(controller: &Controller, point: &str, now: ScanTime) -> Option<f64> {
    let i = DEVICES.iter().position(|d| d.0 == point).unwrap();
    controller.readings()[i].fresh(now, u64::MAX).ok()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_same_inputs_give_the_same_bits(steps in steps()) {
        let (mut one, mut other, mut world) = (controller(Arm::Auto), controller(Arm::Auto), World::new());
        for step in &steps {
            world.step(step);
            one.scan(world.tick, &world.inputs);
            other.scan(world.tick, &world.inputs.clone());
            prop_assert_eq!(bits(&one), bits(&other));
            prop_assert_eq!(one.events(), other.events());
        }
    }

    #[test]
    fn whatever_happens_nothing_goes_out_that_somebody_forbids(steps in steps(), auto in any::<bool>()) {
        let mut site = controller(if auto { Arm::Auto } else { by_hand() });
        let (mut world, mut leaving) = (World::new(), None);
        for step in &steps {
            world.step(step);
            site.scan(world.tick, &world.inputs);
            let now = ScanTime::from_ms(world.tick * u64::from(PERIOD_MS));
            let reals = site.outputs().reals();
            let [total, inverter] = [0, 1].map(|i| reals[i].applied().total);
            prop_assert!(total.is_finite() && total.to_bits() != (-0.0f64).to_bits());
            prop_assert_eq!(total.to_bits(), inverter.to_bits(), "a group of one");

            let chain = known(&site, "panel.estop", now) == Some(1.0);
            let acting = matches!(site.state(), SiteState::Armed | SiteState::Stopping);
            prop_assert!(total.to_bits() == 0 || acting && chain, "{:?} with the chain {}: {} W", site.state(), chain, total);

            let bms = ["bms.charge_a_max", "bms.discharge_a_max", "bms.v"].map(|p| known(&site, p, now));
            let [charge, discharge, v] = bms.map(|v| v.filter(|v| *v > 0.0).unwrap_or(0.0));
            prop_assert!(-charge * v <= total && total <= discharge * v, "{} W of -{}..{} W", total, charge * v, discharge * v);
            prop_assert!(total.to_bits() == 0 || bms.iter().all(Option::is_some) && known(&site, "bms.soc", now).is_some());

            // closed is what somebody wants and nobody forbids, or for half a second
            let closed = site.outputs().choices()[0].applied().0 == 1;
            let wanted = site.state() == SiteState::Armed && chain || site.state() == SiteState::Stopping && total.to_bits() != 0;
            let wanted = wanted && chain;
            leaving = if closed && !wanted { leaving.or(Some(now)) } else { None };
            prop_assert!(leaving.is_none_or(|since| now.since(since) < 500_000_000), "it stays closed");
        }
    }

    #[test]
    fn a_stop_always_arrives(steps in steps()) {
        let (mut site, mut world) = (controller(Arm::Auto), World::new());
        let stop = Step { slots: 1, unpolled: 0, events: vec![Event::Stops] };
        for step in steps.iter().chain([&stop]) {
            world.step(step);
            site.scan(world.tick, &world.inputs);
        }
        // 10 kW at 5 kW/s, then half a second for the contactor
        for _ in 0..260 {
            world.step(&Step { slots: 1, unpolled: 0, events: Vec::new() });
            site.scan(world.tick, &world.inputs);
        }
        prop_assert!(site.stopped(), "{:?}", site.outputs());
    }
}
