//! The controller: one scan, from inputs to outputs.
//!
//! `scan(tick, inputs)` latches, runs the programs that are due, and resolves what they said. It reads no clock, no socket
//! and no file, takes no lock and allocates nothing: all of that happened when it was built, or happens around it.
//!
//! A program that panics is quarantined until reset: its demands and additions end, its limits become the narrowest, its
//! reserved room stays, and the points it computes become errors.

use super::command::{Ask, Command, Held};
use super::inputs::Inputs;
use super::latch::{Latch, LifeRule};
use super::overrun::{Contract, Overrun, Verdict};
use super::snapshot::SiteState;
use flyball_io_map::image::output::{Cause, Drive, Elapsed};
use flyball_io_map::image::point::Source;
use flyball_io_map::image::wiring::Wired;
use flyball_io_map::image::{By, NoData, Outputs, Reading, ScanTime};
use flyball_programs::{Run, Scan};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How a site gets from boot to acting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arm {
    /// By itself, once every critical point was seen fresh.
    Auto,
    /// By a rising edge of a command point (its place in the image), once every critical point is fresh: the order waits
    /// for them as long as its lease lasts.
    Manual {
        /// The command point.
        by: usize,
    },
}

/// What the controller needs beside what was wired.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The scan period, ns.
    pub period_ns: u64,
    /// What skipped slots lead to.
    pub overrun: Contract,
    /// By program: whether it is shed while the site is degraded.
    pub shed: Vec<bool>,
    /// How the site arms.
    pub arm: Arm,
    /// The command point whose rising edge ends a trip and quarantines.
    pub reset: Option<usize>,
    /// Life points.
    pub lives: Vec<LifeRule>,
}

/// Something that happened in a scan and that people want to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Outputs may act from now on.
    Armed,
    /// Outputs are safe from now on.
    Disarmed,
    /// The overrun contract was broken.
    Tripped,
    /// Skipped slots: named programs are shed.
    Degraded,
    /// The window of the overrun contract is clean again.
    Recovered,
    /// A program panicked and is quarantined.
    Quarantined(By),
    /// Trip and quarantines were reset.
    Reset,
    /// A command was refused: out of range, or another source holds the point.
    CommandRefused {
        /// The source that asked.
        source: u16,
        /// Index among the command points.
        point: u16,
    },
}

/// At most so many events are kept of one scan; more are counted only.
pub const EVENTS_PER_SCAN: usize = 32;

struct Placed {
    run: Box<dyn Run>,
    computes: Box<[usize]>,
    shed: bool,
    quarantined: bool,
    last_tick: Option<u64>,
}

/// The controller of one site, with the state of its programs inside.
pub struct Controller {
    period_ns: u64,
    latch: Latch,
    image: Box<[Reading]>,
    commands: Box<[Held]>,
    commands_at: usize,
    outputs: Outputs,
    programs: Box<[Placed]>,
    critical: Box<[(usize, u64)]>,
    needs_online: Box<[usize]>,
    arm: Arm,
    /// Whether the command was known to be false: only from there can it rise.
    arm_was_off: bool,
    reset: Option<usize>,
    reset_was_off: bool,
    wants_arming: bool,
    state: SiteState,
    overrun: Overrun,
    degraded: bool,
    last_tick: Option<u64>,
    refused: u64,
    events: heapless::Vec<Event, EVENTS_PER_SCAN>,
}

impl Controller {
    /// For a wired site and its programs, in the site's order.
    ///
    /// # Panics
    /// If the command points do not stand right behind the latched ones, as the site's checker places them.
    #[must_use]
    pub fn new(settings: Settings, wired: Wired, programs: Vec<Box<dyn Run>>) -> Self {
        let latch = Latch::new(&wired.points, settings.lives);
        let commands = wired.points[latch.points()..].iter().take_while(|p| p.source == Source::Command);
        let edges = [settings.reset, if let Arm::Manual { by } = settings.arm { Some(by) } else { None }];
        let held = |(i, def)| {
            let is_edge = edges.contains(&Some(latch.points() + i));
            if is_edge { Held::new(def).of_edges() } else { Held::new(def) }
        };
        let commands: Box<[Held]> = commands.enumerate().map(held).collect();
        let all = wired.points.iter().filter(|p| p.source != Source::Computed).count();
        assert_eq!(latch.points() + commands.len(), all, "latched points, then command points, then computed ones");
        let mut critical: Vec<(usize, u64)> = Vec::new();
        for used in wired.uses.iter().filter(|u| matches!(wired.points[u.point].source, Source::Device(_))) {
            critical.push((used.point, u64::from(used.age_max_ms) * 1_000_000));
        }
        critical.sort_unstable();
        critical.dedup_by_key(|c| c.0);
        let place = |(i, run): (usize, Box<dyn Run>)| {
            let computes = wired.computed.iter().filter(|(by, _)| usize::from(by.0) == i).map(|(_, p)| *p).collect();
            let shed = settings.shed.get(i).copied().unwrap_or(false);
            Placed { run, computes, shed, quarantined: false, last_tick: None }
        };
        Self {
            period_ns: settings.period_ns,
            commands_at: latch.points(),
            latch,
            image: vec![Reading::NEVER; wired.points.len()].into(),
            commands,
            outputs: wired.outputs,
            programs: programs.into_iter().enumerate().map(place).collect(),
            critical: critical.into(),
            needs_online: Box::default(),
            arm: settings.arm,
            arm_was_off: false,
            reset: settings.reset,
            reset_was_off: false,
            wants_arming: settings.arm == Arm::Auto,
            state: SiteState::Disarmed,
            overrun: Overrun::new(settings.overrun),
            degraded: false,
            last_tick: None,
            refused: 0,
            events: heapless::Vec::new(),
        }
    }

    /// It arms only once these flags (places in the image) are true: that every device that is written to has taken its
    /// settings.
    #[must_use]
    pub fn needing_online(self, devices: Vec<usize>) -> Self {
        Self { needs_online: devices.into(), ..self }
    }

    /// Runs one scan. `tick` is the slot of the grid, above that of the scan before; a slot that was skipped is simply
    /// absent, and ramps see the time that really passed.
    pub fn scan(&mut self, tick: u64, inputs: &Inputs) {
        self.events.clear();
        let ticks = self.last_tick.map_or(1, |last| tick.saturating_sub(last).max(1));
        let last = self.last_tick.replace(tick);
        let now = ScanTime(tick * self.period_ns);
        self.latch.latch(now, &inputs.latched, &mut self.image);
        self.take_commands(now, &inputs.commands);
        self.judge_overrun(ticks - 1);
        self.judge_state(now, inputs.stop);
        for i in 0..self.programs.len() {
            self.run_program(i, tick, last, now);
        }
        let period_s = seconds(self.period_ns);
        let elapsed = Elapsed { since_last_s: seconds(self.period_ns.saturating_mul(ticks)), period_s };
        self.outputs.resolve(now, elapsed, self.drive(), &self.image, &inputs.pulses_done);
    }

    /// All readings of the image: latched points, command points, computed points.
    #[must_use]
    pub fn readings(&self) -> &[Reading] {
        &self.image
    }

    /// All outputs with what is said about them.
    #[must_use]
    pub fn outputs(&self) -> &Outputs {
        &self.outputs
    }

    /// What the site is doing.
    #[must_use]
    pub fn state(&self) -> SiteState {
        self.state
    }

    /// Whether named programs are shed.
    #[must_use]
    pub fn degraded(&self) -> bool {
        self.degraded
    }

    /// How many programs are in quarantine.
    #[must_use]
    pub fn quarantined(&self) -> u8 {
        let count = self.programs.iter().filter(|p| p.quarantined).count();
        u8::try_from(count).unwrap_or(u8::MAX)
    }

    /// Commands refused since start.
    #[must_use]
    pub fn commands_refused(&self) -> u64 {
        self.refused
    }

    /// What happened in the last scan.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Whether a stopping site has arrived: every output is at its safe value.
    #[must_use]
    pub fn stopped(&self) -> bool {
        self.state == SiteState::Stopping && self.outputs.all_safe()
    }

    fn drive(&self) -> Drive {
        match self.state {
            SiteState::Armed => Drive::Armed,
            SiteState::Stopping => Drive::Stopping,
            SiteState::Disarmed => Drive::Held(Cause::Disarmed),
            SiteState::Tripped => Drive::Held(Cause::Tripped),
        }
    }

    fn event(&mut self, event: Event) {
        // a full list drops the event, never the scan; what matters is in the counters and states as well
        let _ = self.events.push(event);
    }

    fn take_commands(&mut self, now: ScanTime, commands: &[Command]) {
        for command in commands {
            let (point, taken) = match command.ask {
                Ask::Level { point, value } => {
                    let held = self.commands.get_mut(usize::from(point));
                    (point, held.is_some_and(|h| h.level(command, value, now)))
                }
                Ask::Release { point } => {
                    let held = self.commands.get_mut(usize::from(point));
                    (point, held.is_some_and(|h| h.release(command.source)))
                }
                Ask::Renew => {
                    self.commands.iter_mut().for_each(|held| held.renew(command.source, now));
                    continue;
                }
            };
            if !taken {
                self.refused += 1;
                // a flood of bad commands must not push a trip or a quarantine out of the list; the counter has them all
                if self.events.len() < EVENTS_PER_SCAN / 2 {
                    self.event(Event::CommandRefused { source: command.source, point });
                }
            }
        }
        for (held, image) in self.commands.iter().zip(&mut self.image[self.commands_at..]) {
            *image = held.reading(now);
        }
    }

    fn judge_overrun(&mut self, skipped: u64) {
        let verdict = self.overrun.scan(skipped);
        let degraded = verdict >= Verdict::Degrade;
        if degraded != self.degraded {
            self.degraded = degraded;
            self.event(if degraded { Event::Degraded } else { Event::Recovered });
        }
        if verdict == Verdict::Trip && matches!(self.state, SiteState::Armed | SiteState::Disarmed) {
            self.state = SiteState::Tripped;
            self.event(Event::Tripped);
        }
    }

    /// Boot is disarmed; stopping is for good; a trip ends by a reset edge.
    fn judge_state(&mut self, now: ScanTime, stop: bool) {
        let flag = |point: usize, image: &[Reading]| image[point].fresh(now, u64::MAX).ok().map(|v| v > 0.5);
        if stop {
            self.state = SiteState::Stopping;
        }
        let reset = self.reset.and_then(|p| flag(p, &self.image));
        if reset == Some(true) && self.reset_was_off {
            self.reset_all();
        }
        self.reset_was_off = reset == Some(false);
        if let Arm::Manual { by } = self.arm {
            let asked = flag(by, &self.image);
            let edge = asked == Some(true) && self.arm_was_off;
            self.arm_was_off = asked == Some(false);
            // an order is for the disarmed site it was given to, and waits no longer than its lease
            self.wants_arming = (self.wants_arming || edge) && asked == Some(true) && self.state == SiteState::Disarmed;
            if asked == Some(false) && self.state == SiteState::Armed {
                self.state = SiteState::Disarmed;
                self.event(Event::Disarmed);
            }
        }
        if self.state == SiteState::Disarmed && self.wants_arming && self.all_critical_fresh(now) {
            self.state = SiteState::Armed;
            self.wants_arming = self.arm == Arm::Auto;
            self.event(Event::Armed);
        }
    }

    fn all_critical_fresh(&self, now: ScanTime) -> bool {
        let fresh = |(point, age_max_ns): &(usize, u64)| self.image[*point].fresh(now, *age_max_ns).is_ok();
        let online = |point: &usize| self.image[*point].fresh(now, u64::MAX).is_ok_and(|v| v > 0.5);
        self.critical.iter().all(fresh) && self.needs_online.iter().all(online)
    }

    fn reset_all(&mut self) {
        self.overrun.forgive();
        self.programs.iter_mut().for_each(|p| p.quarantined = false);
        if self.state == SiteState::Tripped {
            self.state = SiteState::Disarmed;
        }
        self.event(Event::Reset);
    }

    /// One program, if it is due: a multiple of its period lies in the slots since the last scan.
    fn run_program(&mut self, i: usize, tick: u64, last: Option<u64>, now: ScanTime) {
        let by = By(u8::try_from(i).expect("the wiring allows 255 programs"));
        let program = &mut self.programs[i];
        let every = program.run.every();
        if program.quarantined || last.is_some_and(|last| tick / every == last / every) {
            return;
        }
        self.outputs.forget(by);
        for point in &program.computes {
            self.image[*point] = self.image[*point].lost(NoData::NotComputed);
        }
        if program.shed && self.degraded {
            return;
        }
        let ticks = program.last_tick.map_or(every, |last| tick.saturating_sub(last).min(every));
        program.last_tick = Some(tick);
        let elapsed_s = seconds(self.period_ns.saturating_mul(ticks));
        let mut scan = Scan::new(now, elapsed_s, &mut self.image, &mut self.outputs);
        let Err(payload) = catch_unwind(AssertUnwindSafe(|| program.run.run(&mut scan))) else {
            return;
        };
        // dropping it would free memory, and run code of whoever panicked, in the scan; it is leaked, once a quarantine
        std::mem::forget(payload);
        program.quarantined = true;
        self.outputs.forget(by);
        for point in &program.computes {
            self.image[*point] = self.image[*point].lost(NoData::NotComputed);
        }
        self.event(Event::Quarantined(by));
    }
}

/// Nanoseconds as seconds. Exact for a scan's span; a pause of years loses bits that no ramp can see.
#[expect(clippy::cast_precision_loss, reason = "beyond 2^53 ns (104 days) every ramp has long arrived")]
fn seconds(ns: u64) -> f64 {
    ns as f64 * 1e-9
}

#[cfg(test)]
mod tests;
