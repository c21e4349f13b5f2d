//! All outputs of a site, and the one piece of code that resolves them.

use super::choice::{Choice, ChoiceSlot};
use super::group::Group;
use super::output::{Applied, By, Cause, Demand, Drive, Elapsed, Limit, Observe, Service, Slot};
use super::point::Real;
use super::pulse::{Fire, PulseSlot};
use super::reading::{Reading, ScanTime};
use super::wiring::OutputAt;

/// Where one statement of a program stands.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    Real { output: u16, statement: u16 },
    Choice { output: u16, statement: u16 },
}

/// Every output with everything that is said about it. Allocates only while it is built.
#[derive(Clone, Debug, Default)]
pub struct Outputs {
    pub(super) reals: Vec<Slot>,
    pub(super) choices: Vec<ChoiceSlot>,
    pub(super) pulses: Vec<PulseSlot>,
    pub(super) groups: Vec<Group>,
    /// Per program: what it may say.
    pub(super) places: Vec<Vec<Place>>,
    /// Per real output: the flag without which it is held safe.
    real_gates: Vec<Option<usize>>,
    /// Per choice output: the same.
    choice_gates: Vec<Option<usize>>,
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Real {}
    impl Sealed for super::Choice {}
}

/// Kinds of outputs that can be demanded.
pub trait Demandable: sealed::Sealed + Sized {
    /// What a demand is made of.
    type Value;
    /// States or ends a demand.
    fn demand(outputs: &mut Outputs, handle: &Demand<Self>, value: Option<Self::Value>);
}

impl Demandable for Real {
    type Value = f64;
    fn demand(outputs: &mut Outputs, handle: &Demand<Self>, value: Option<f64>) {
        outputs.reals[usize::from(handle.output)].demand(handle.statement, value);
    }
}

impl Demandable for Choice {
    type Value = u8;
    fn demand(outputs: &mut Outputs, handle: &Demand<Self>, value: Option<u8>) {
        outputs.choices[usize::from(handle.output)].demand(handle.statement, value);
    }
}

impl Outputs {
    /// Narrows an output to `low..=high` (its unit), widened to contain its safe value. What is not a number allows nothing.
    pub fn limit(&mut self, handle: &Limit<Real>, low: f64, high: f64) {
        self.reals[usize::from(handle.output)].limit(handle.statement, low, high);
    }

    /// Allows the values whose bits are set in `mask` (bit n: value n), and the safe one.
    pub fn allow(&mut self, handle: &Limit<Choice>, mask: u32) {
        self.choices[usize::from(handle.output)].allow(handle.statement, mask);
    }

    /// Adds to the demand, outside its ramp. `None`, or what is not a number, ends the addition: it ramps out.
    pub fn add(&mut self, handle: &Service<Real>, value: Option<f64>) {
        self.reals[usize::from(handle.output)].add(handle.statement, value);
    }

    /// Reserves room for the addition below and above the demand, both ≥ 0. What is not a number reserves all the room.
    pub fn reserve(&mut self, handle: &Service<Real>, down: f64, up: f64) {
        self.reals[usize::from(handle.output)].reserve(handle.statement, down, up);
    }

    /// Asks for a pulse; an id that is not above all earlier ones does nothing.
    pub fn fire(&mut self, handle: &Fire, id: u64, expires: ScanTime) {
        self.pulses[usize::from(handle.output)].fire(id, expires);
    }

    /// What went out in the last scan.
    #[must_use]
    pub fn applied(&self, handle: &Observe<Real>) -> Applied {
        self.reals[usize::from(handle.output)].applied()
    }

    /// While the site is put together: holds an output safe whenever the flag `online` (a place in the image) is not true.
    /// A set-point that nobody can execute must not wander off, and must begin from safe when its device is back.
    ///
    /// # Panics
    /// If there is no such output.
    pub fn gate(&mut self, at: OutputAt, online: usize) {
        let (gates, i, count) = match at {
            OutputAt::Real(i) => (&mut self.real_gates, i, self.reals.len()),
            OutputAt::Choice(i) => (&mut self.choice_gates, i, self.choices.len()),
            OutputAt::Pulse(_) => return, // a pulse that nobody acknowledges expires
        };
        gates.resize(count, None);
        gates[i] = Some(online);
    }

    /// Before program `by` speaks anew, and after it panicked: it has said nothing. Reserved room stays.
    pub fn forget(&mut self, by: By) {
        for place in self.places.get(usize::from(by.0)).map_or(&[][..], Vec::as_slice) {
            match *place {
                Place::Real { output, statement } => self.reals[usize::from(output)].forget(statement),
                Place::Choice { output, statement } => self.choices[usize::from(output)].forget(statement),
            }
        }
    }

    /// At the end of the scan: all statements become values with causes. `pulses_done`: per pulse output the highest id
    /// that its device has acknowledged. A missing one counts as none.
    pub fn resolve(
        &mut self,
        now: ScanTime,
        elapsed: Elapsed,
        drive: Drive,
        readings: &[Reading],
        pulses_done: &[u64],
    ) {
        let gated = |gates: &[Option<usize>], i: usize| {
            let online =
                gates.get(i).copied().flatten().map(|point| readings.get(point).map(|r| r.fresh(now, u64::MAX)));
            match (drive, online) {
                (Drive::Held(_), _) | (_, None) => drive,
                (_, Some(Some(Ok(v)))) if v > 0.5 => drive,
                _ => Drive::Held(Cause::Offline),
            }
        };
        for (i, slot) in self.reals.iter_mut().enumerate() {
            slot.drive(gated(&self.real_gates, i));
        }
        for group in &self.groups {
            group.fold(&mut self.reals);
        }
        // totals stand before their members, so each split sees a resolved total and precedes its members' turn
        let mut next_group = self.groups.len();
        for i in 0..self.reals.len() {
            self.reals[i].resolve(elapsed);
            while next_group > 0 && self.groups[next_group - 1].total == i {
                next_group -= 1;
                self.groups[next_group].split(&mut self.reals);
            }
        }
        let ramping = !self.reals_safe();
        for (i, slot) in self.choices.iter_mut().enumerate() {
            slot.resolve(now, gated(&self.choice_gates, i), readings, ramping);
        }
        for (i, slot) in self.pulses.iter_mut().enumerate() {
            slot.resolve(now, pulses_done.get(i).copied().unwrap_or(0));
        }
    }

    /// Whether every output is at its safe value: a stopping site may end its scan.
    #[must_use]
    pub fn all_safe(&self) -> bool {
        self.reals_safe() && self.choices.iter().all(|s| s.applied().0 == s.rule().safe)
    }

    fn reals_safe(&self) -> bool {
        self.reals.iter().all(|s| s.applied().total.to_bits() == s.rule().safe.to_bits())
    }

    /// The real outputs, in the site's order.
    #[must_use]
    pub fn reals(&self) -> &[Slot] {
        &self.reals
    }

    /// The choice outputs, in the site's order.
    #[must_use]
    pub fn choices(&self) -> &[ChoiceSlot] {
        &self.choices
    }

    /// The pulse outputs, in the site's order.
    #[must_use]
    pub fn pulses(&self) -> &[PulseSlot] {
        &self.pulses
    }
}

#[cfg(test)]
mod tests;
