//! The shell around the pure scan: cells in, controller, cells out. It runs on the real-time thread.
//!
//! It takes the newest block of every device, the queued commands and the stop flag, stamps the controller's own points,
//! scans, hands every device its outputs, publishes one snapshot, and passes events on. All of that is wait-free: no
//! allocation, no lock, no system call. When a scan panics as a whole, [`Cycle::panicked`] drives the safe values in
//! their order; when the site is stopped, the scan itself does.

use super::command::Command;
use super::controller::{Controller, Event};
use super::inputs::{COMMANDS_PER_SCAN, Inputs};
use super::snapshot::{Header, Layout, SiteState};
use crate::clock::{Clock, MonotonicClock, WallClock, WallTrust};
use crate::exchange::latest::{Reader, Writer};
use crate::exchange::queue::{Receiver, Sender};
use crate::exchange::snapshot::SnapshotWriter;
use crate::field::block::{FromDevice, Head, OutputValue, ToDevice};
use crate::rt::run::{Cycle, Next, RunStats};
use flyball_io_map::image::choice::SafeAfter;
use flyball_io_map::image::wiring::OutputAt;
use flyball_io_map::image::{Outputs, Reading, ScanTime};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Commands that wait for the scan; a full queue refuses, and counts.
pub const COMMAND_SLOTS: usize = 256;
/// Commands that waited while no scan ran for so long, ns, are dropped.
const STALLED_NS: u64 = 500_000_000;
/// Events that wait for the log; a full queue drops, and counts.
pub const EVENT_SLOTS: usize = 256;

/// Something that happened, with the scan in which it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamped {
    /// The slot of the grid.
    pub tick: u64,
    /// What happened.
    pub event: Event,
}

/// One device, as the scan sees it.
#[derive(Debug)]
pub struct DeviceLink {
    /// What its field thread publishes.
    pub reader: Reader,
    /// How that is laid out.
    pub from: FromDevice,
    /// Its points, as places in the image; the last is `online`.
    pub points: Range<usize>,
    /// Its pulse outputs, as places among the pulses.
    pub pulses: Vec<usize>,
    /// What the scan wants of it.
    pub writer: Writer,
    /// How that is laid out.
    pub to: ToDevice,
    /// Its outputs, in the order of `to`.
    pub outputs: Vec<OutputAt>,
}

impl DeviceLink {
    fn take(&mut self, inputs: &mut Inputs) {
        if !self.reader.fetch() {
            return;
        }
        for (i, point) in self.points.clone().enumerate() {
            inputs.latched[point] = self.from.reading(i, |word| self.reader.word(word));
        }
        for (i, slot) in self.pulses.iter().enumerate() {
            inputs.pulses_done[*slot] = self.from.pulse_done(i, |word| self.reader.word(word));
        }
    }

    fn give(&mut self, head: Head, value: impl Fn(OutputAt) -> OutputValue) {
        let mut block = self.writer.begin();
        self.to.write(head, |i| value(self.outputs[i]), |i, word| block.set(i, word));
        block.end();
    }
}

/// A point of the controller itself that the shell stamps in every scan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SystemValue {
    /// Known at start, for good.
    Fixed(f64),
    /// 1 while the site is degraded.
    Degraded,
    /// Slots skipped since start.
    SlotsSkipped,
}

/// What the shell shares with the other threads.
pub struct Ends {
    /// The devices, in the site's order.
    pub links: Vec<DeviceLink>,
    /// Commands from the network side.
    pub commands: Receiver<Command>,
    /// The one snapshot.
    pub snapshot: SnapshotWriter,
    /// Events for the log.
    pub events: Sender<Stamped>,
    /// Set to stop the site.
    pub stop: Arc<AtomicBool>,
    /// Set by the shell when its last block is out.
    pub stopped: Arc<AtomicBool>,
    /// What the loop counts.
    pub stats: Arc<RunStats>,
    /// The wall clock, for stamps only.
    pub wall: Arc<WallClock>,
}

/// The safe value of a choice output and its turn.
#[derive(Clone, Copy, Debug)]
struct SafeChoice {
    safe: u8,
    last: u8,
    after: Option<SafeAfter>,
}

/// The cycle that the real-time loop runs.
pub struct Shell {
    period_ns: u64,
    controller: Controller,
    inputs: Inputs,
    ends: Ends,
    system: Vec<(usize, SystemValue)>,
    safe_reals: Box<[f64]>,
    choices: Box<[SafeChoice]>,
    scans: u64,
    skipped: u64,
    last_tick: u64,
}

impl Shell {
    /// Around a controller. `system`: which points it stamps with what.
    #[must_use]
    pub fn new(
        period_ns: u64,
        controller: Controller,
        inputs: Inputs,
        ends: Ends,
        system: Vec<(usize, SystemValue)>,
    ) -> Self {
        let safe_reals = controller.outputs().reals().iter().map(|slot| slot.rule().safe).collect();
        let choice = |rule: &flyball_io_map::image::choice::ChoiceRule| SafeChoice {
            safe: rule.safe,
            last: rule.safe,
            after: rule.safe_after,
        };
        let choices = controller.outputs().choices().iter().map(|slot| choice(slot.rule())).collect();
        Self { period_ns, controller, inputs, ends, system, safe_reals, choices, scans: 0, skipped: 0, last_tick: 0 }
    }

    /// Which points it stamps with what, once that is known: what the thread could have of the machine.
    pub fn set_system(&mut self, system: Vec<(usize, SystemValue)>) {
        self.system = system;
    }

    fn latch(&mut self, now: ScanTime, stalled: bool) {
        for link in &mut self.ends.links {
            link.take(&mut self.inputs);
        }
        let degraded = f64::from(u8::from(self.controller.degraded()));
        for (point, value) in &self.system {
            let value = match value {
                SystemValue::Fixed(v) => *v,
                SystemValue::Degraded => degraded,
                SystemValue::SlotsSkipped => as_real(self.skipped),
            };
            self.inputs.latched[*point] = Reading::new(Ok(value), now);
        }
        self.inputs.commands.clear();
        if stalled {
            // they were meant for a moment that has passed: taken now, they would begin a lease that nobody asked for
            while self.ends.commands.receive().is_some() {}
        }
        for command in self.ends.commands.receive_some(COMMANDS_PER_SCAN) {
            let _ = self.inputs.commands.push(command); // there is room for exactly so many
        }
        self.inputs.stop = self.ends.stop.load(Ordering::Relaxed);
    }

    fn commit(&mut self, last: bool) {
        let outputs = self.controller.outputs();
        let drives = self.controller.state() == SiteState::Armed;
        for link in &mut self.ends.links {
            link.give(Head { scans: self.scans, drives, last }, |at| applied(outputs, at));
        }
        for (choice, slot) in self.choices.iter_mut().zip(outputs.choices()) {
            choice.last = slot.applied().0;
        }
    }

    fn publish(&mut self, tick: u64, late_ns: u64) {
        let wall = self.ends.wall.now();
        let header = Header {
            tick,
            scans: self.scans,
            state: self.controller.state(),
            degraded: self.controller.degraded(),
            quarantined: self.controller.quarantined(),
            slots_skipped: self.skipped,
            scan_ns: self.ends.stats.last_scan_ns(),
            late_ns,
            wall_ns: wall.unix_ns,
            wall_trusted: wall.trust == WallTrust::Synchronised,
            commands_refused: self.controller.commands_refused(),
        };
        let mut publication = self.ends.snapshot.begin();
        Layout::write(&header, self.controller.readings(), self.controller.outputs(), |i, word| {
            publication.set(i, word)
        });
        publication.end();
        for event in self.controller.events() {
            let _ = self.ends.events.send(Stamped { tick, event: *event }); // a full queue counts what it drops
        }
    }

    /// Whether everything that must wait for its turn may go safe now.
    fn turn_has_come(&self, since_ns: u64) -> bool {
        let now = ScanTime(self.last_tick * self.period_ns + since_ns);
        self.choices.iter().filter(|c| c.last != c.safe).filter_map(|c| c.after).all(|after| {
            // only the latch judges whether a value is plausible and alive: what it did not believe last is not believed now
            let believed = self.controller.readings().get(after.point).is_some_and(|r| r.fresh(now, u64::MAX).is_ok());
            let reading = self.inputs.latched.get(after.point).map(|r| r.fresh(now, after.age_max_ns));
            since_ns >= after.or_after_ns || (believed && matches!(reading, Some(Ok(v)) if v.abs() < after.below))
        })
    }

    fn give_safe(&mut self, choices_too: bool, last: bool) {
        self.scans += 1;
        let (reals, choices) = (&self.safe_reals, &self.choices);
        let value = |at: OutputAt| match at {
            OutputAt::Real(i) => OutputValue::Real(reals[i]),
            OutputAt::Choice(i) if choices_too || choices[i].after.is_none() => OutputValue::Choice(choices[i].safe),
            OutputAt::Choice(i) => OutputValue::Choice(choices[i].last),
            OutputAt::Pulse(_) => OutputValue::Pulse(None),
        };
        for link in &mut self.ends.links {
            link.give(Head { scans: self.scans, drives: false, last }, value);
        }
    }
}

impl Cycle for Shell {
    fn scan(&mut self, tick: u64, skipped: u64, late_ns: u64) -> Next {
        self.skipped = self.skipped.saturating_add(skipped);
        self.last_tick = tick;
        let stalled = skipped.saturating_mul(self.period_ns) >= STALLED_NS;
        self.latch(ScanTime(tick * self.period_ns), stalled);
        self.controller.scan(tick, &self.inputs);
        self.scans += 1;
        let last = self.controller.stopped();
        self.commit(last);
        self.publish(tick, late_ns);
        if last {
            self.ends.stopped.store(true, Ordering::Release);
            return Next::Stop;
        }
        Next::GoOn
    }

    /// The controller is not asked any more: set-points go safe at once, the rest when its turn has come.
    fn panicked(&mut self) {
        let began_ns = MonotonicClock.now_ns();
        loop {
            for link in &mut self.ends.links {
                link.take(&mut self.inputs);
            }
            let now_ns = MonotonicClock.now_ns();
            if self.turn_has_come(now_ns.saturating_sub(began_ns)) {
                break;
            }
            self.give_safe(false, false);
            MonotonicClock.wait_until_ns(now_ns + self.period_ns);
        }
        self.give_safe(true, true);
        self.ends.stopped.store(true, Ordering::Release);
    }
}

fn applied(outputs: &Outputs, at: OutputAt) -> OutputValue {
    match at {
        OutputAt::Real(i) => OutputValue::Real(outputs.reals()[i].applied().total),
        OutputAt::Choice(i) => OutputValue::Choice(outputs.choices()[i].applied().0),
        OutputAt::Pulse(i) => OutputValue::Pulse(outputs.pulses()[i].pending()),
    }
}

/// Counters as reals: exact below 2^53.
#[expect(clippy::cast_precision_loss, reason = "2^53 slots of 1 ms are 285 000 years")]
fn as_real(count: u64) -> f64 {
    count as f64
}
#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::latest::latest;
    use crate::exchange::queue::queue;
    use crate::exchange::snapshot::snapshot;
    use crate::field::block::{DeviceWords, OutputKind as BlockKind};
    use crate::scan::controller::{Arm, Settings};
    use crate::scan::overrun::{Contract, Threshold};
    use flyball_io_map::document::Spanned;
    use flyball_io_map::image::choice::ChoiceRule;
    use flyball_io_map::image::output::Rule;
    use flyball_io_map::image::point::Source;
    use flyball_io_map::image::wiring::{OutputDef, OutputKind};
    use flyball_io_map::image::{PointDef, Unit, ValueKind, Wiring};
    use flyball_programs::modes::hold;

    const PERIOD_NS: u64 = 1_000_000;

    /// One inverter (power measured, set-point) with a contactor that waits for its power, and the field thread's ends.
    struct Rig {
        shell: Shell,
        field: Writer,
        words: DeviceWords,
        wants: crate::exchange::latest::Reader,
        to: ToDevice,
        stop: Arc<AtomicBool>,
        stopped: Arc<AtomicBool>,
        tick: u64,
    }

    fn def(name: &str, kind: ValueKind, unit: Unit) -> PointDef {
        let (name, source, plausible) = (name.to_owned(), Source::Device(0), (-1e4, 1e4));
        PointDef { name, kind, unit, source, plausible, age_max_ms: 1_000, frozen_after_ms: None, codes: Vec::new() }
    }

    impl Rig {
        fn new() -> Self {
            let points = vec![def("pcs.p", ValueKind::Real, Unit::W), def("pcs.online", ValueKind::Flag, Unit::None)];
            let rule = Rule { safe: 0.0, range: (-5e3, 5e3), ramp_per_s: 1e6, ramp_out_per_s: 1e6 };
            let safe_after =
                Some(SafeAfter { point: 0, age_max_ns: 1_000_000_000, below: 100.0, or_after_ns: 50_000_000 });
            let contactor = ChoiceRule { values: 2, safe: 0, dwell_ns: 0, safe_after };
            let output = |name: &str, kind| OutputDef { name: name.into(), kind, members: Vec::new() };
            let values = vec!["open".into(), "closed".into()];
            let defs = vec![
                output("pcs.p_set", OutputKind::Real { unit: Unit::W, rule }),
                output("pcs.contactor", OutputKind::Choice { values, rule: contactor }),
            ];
            let mut wiring = Wiring::new(points, defs, 1);
            let name = |text: &str| Spanned { value: text.to_owned(), span: 0..0 };
            wiring.begin(0..0);
            let hold = hold::Settings { name: None, output: name("pcs.contactor"), value: name("closed"), rank: 0 };
            let programs = vec![hold::wire(&hold, &mut wiring)];
            let wired = wiring.finish().expect("wired by its own names");
            let threshold = Threshold { count: 10, within: 10 };
            let overrun = Contract { degrade: threshold, trip: threshold };
            let settings = Settings {
                period_ns: PERIOD_NS,
                overrun,
                shed: Vec::new(),
                arm: Arm::Auto,
                reset: None,
                lives: Vec::new(),
            };
            let controller = Controller::new(settings, wired, programs);
            let (from, to) = (FromDevice::new(1, 0), ToDevice::new(vec![BlockKind::Real, BlockKind::Choice]));
            let ((field, reader), (writer, wants)) = (latest(from.words()), latest(to.words()));
            let outputs = vec![OutputAt::Real(0), OutputAt::Choice(0)];
            let link = DeviceLink { reader, from, points: 0..2, pulses: Vec::new(), writer, to: to.clone(), outputs };
            let (stop, stopped) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
            let ends = Ends {
                links: vec![link],
                commands: queue::<_, COMMAND_SLOTS>().1,
                snapshot: snapshot(64).0,
                events: queue::<_, EVENT_SLOTS>().0,
                stop: Arc::clone(&stop),
                stopped: Arc::clone(&stopped),
                stats: Arc::default(),
                wall: Arc::default(),
            };
            let shell = Shell::new(PERIOD_NS, controller, Inputs::new(2, 0), ends, Vec::new());
            Self { shell, field, words: DeviceWords::new(from), wants, to, stop, stopped, tick: 0 }
        }

        fn scan(&mut self, power_w: f64) -> Next {
            self.tick += 1;
            let now = ScanTime(self.tick * PERIOD_NS);
            self.words.set_reading(0, Reading::new(Ok(power_w), now));
            self.words.set_online(true, now);
            self.field.publish(self.words.words());
            self.shell.scan(self.tick, 0, 0)
        }

        /// What the field thread was told last: head, set-point, contactor.
        fn told(&mut self) -> (Head, Option<OutputValue>, Option<OutputValue>) {
            let mut words = vec![0; self.to.words()];
            self.wants.update(&mut words);
            let view = self.to.view(&words);
            (view.head(), view.value(0), view.value(1))
        }
    }

    #[test]
    fn a_device_is_told_what_the_scan_resolved_and_that_scans_complete() {
        let mut rig = Rig::new();
        assert_eq!(rig.scan(0.0), Next::GoOn);
        let (head, set_point, contactor) = rig.told();
        assert_eq!((head.scans, head.drives, head.last), (1, true, false));
        assert_eq!((set_point, contactor), (Some(OutputValue::Real(0.0)), Some(OutputValue::Choice(1))));
    }

    #[test]
    fn a_stop_opens_the_contactor_when_the_power_is_low_and_then_says_that_it_was_the_last_block() {
        let mut rig = Rig::new();
        let _ = rig.scan(900.0);
        rig.stop.store(true, Ordering::Relaxed);
        for _ in 0..10 {
            assert_eq!(rig.scan(900.0), Next::GoOn, "900 W are not low");
        }
        assert_eq!(rig.told().2, Some(OutputValue::Choice(1)));
        assert_eq!(rig.scan(20.0), Next::Stop);
        let (head, _, contactor) = rig.told();
        assert_eq!((head.last, contactor), (true, Some(OutputValue::Choice(0))));
        assert!(rig.stopped.load(Ordering::Acquire));
    }

    #[test]
    fn after_a_panic_set_points_are_safe_at_once_and_the_contactor_waits_for_its_time() {
        let mut rig = Rig::new();
        let _ = rig.scan(900.0);
        let began_ns = MonotonicClock.now_ns();
        rig.shell.panicked();
        assert!(MonotonicClock.now_ns() - began_ns >= 50_000_000, "the power stayed high, so the time decides");
        let (head, set_point, contactor) = rig.told();
        assert_eq!((head.last, head.drives), (true, false));
        assert_eq!((set_point, contactor), (Some(OutputValue::Real(0.0)), Some(OutputValue::Choice(0))));
        assert!(head.scans > 1, "each block is a new one, so that it is written");
        assert!(rig.stopped.load(Ordering::Acquire));
    }

    #[test]
    fn after_a_panic_with_the_power_low_everything_is_safe_without_waiting() {
        let mut rig = Rig::new();
        let _ = rig.scan(20.0);
        rig.shell.panicked();
        let (head, _, contactor) = rig.told();
        assert_eq!((head.last, head.scans, contactor), (true, 2, Some(OutputValue::Choice(0))), "one block was enough");
    }
}
