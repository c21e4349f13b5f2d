//! What a control program is, and all that it may do in a scan.

use flyball_io_map::image::choice::Choice;
use flyball_io_map::image::output::{Demand, Limit, Observe, Service};
use flyball_io_map::image::outputs::Demandable;
use flyball_io_map::image::pulse::Fire;
use flyball_io_map::image::{Applied, Computed, Kind, NoData, Outputs, Point, Reading, Real, ScanTime};
use serde::{Serialize, de::DeserializeOwned};

/// A control program: settings and handles in `self`, everything that changes in `State` (so that it can be checkpointed,
/// replayed from the middle of a recording, and handed over to a standby).
pub trait Program: Send {
    /// What it remembers from scan to scan: fixed size, plain data.
    type State: Default + Copy + Send + Serialize + DeserializeOwned;

    /// One scan. What it does not say anew is forgotten.
    fn scan(&self, state: &mut Self::State, scan: &mut Scan<'_>);
}

/// What a program may do during its scan.
pub struct Scan<'a> {
    now: ScanTime,
    elapsed_s: f64,
    /// When the oldest reading was taken that this program has used: what it computes is no younger.
    oldest: ScanTime,
    readings: &'a mut [Reading],
    outputs: &'a mut Outputs,
}

impl<'a> Scan<'a> {
    /// For one program in one scan at `now`. `elapsed_s`: since the program last ran, at most its own period.
    /// `readings`: the whole image, latched points and computed ones.
    pub fn new(now: ScanTime, elapsed_s: f64, readings: &'a mut [Reading], outputs: &'a mut Outputs) -> Self {
        Self { now, elapsed_s, oldest: now, readings, outputs }
    }

    /// The grid time of this scan.
    #[must_use]
    pub fn now(&self) -> ScanTime {
        self.now
    }

    /// Time since this program last ran, s; after a pause no more than its own period, so that nothing winds up.
    #[must_use]
    pub fn elapsed_s(&self) -> f64 {
        self.elapsed_s
    }

    /// The value of a point, or why there is none.
    ///
    /// # Errors
    /// The reason, with both ages if the value is older than this program accepts.
    pub fn read<K: Kind>(&mut self, point: &Point<K>) -> Result<K::Value, NoData> {
        let reading = self.readings[point.index()];
        let value = reading.fresh(self.now, point.age_max_ns())?;
        self.oldest = self.oldest.min(reading.taken());
        Ok(K::from_image(value))
    }

    /// When a point's device was asked for what [`Scan::read`] gives: a loop acts once per fresh sample.
    #[must_use]
    pub fn taken<K: Kind>(&self, point: &Point<K>) -> ScanTime {
        self.readings[point.index()].taken()
    }

    /// Computes a point for the programs after this one. It is as old as the oldest reading this program used so far.
    pub fn compute<K: Kind>(&mut self, point: &Computed<K>, value: Result<K::Value, NoData>) {
        self.readings[point.index()] = Reading::new(value.map(K::to_image), self.oldest);
    }

    /// What the output should be; `None` demands nothing.
    pub fn demand<K: Demandable>(&mut self, output: &Demand<K>, value: impl Into<Option<K::Value>>) {
        K::demand(self.outputs, output, value.into());
    }

    /// What the output may be, widened to contain its safe value. What is not a number allows nothing.
    pub fn limit(&mut self, output: &Limit<Real>, low: f64, high: f64) {
        self.outputs.limit(output, low, high);
    }

    /// The output may only be at its safe value.
    pub fn allow_nothing(&mut self, output: &Limit<Real>) {
        // what is not a number allows nothing, wherever the safe value lies
        self.outputs.limit(output, f64::NAN, f64::NAN);
    }

    /// This program does not limit the output in this scan.
    pub fn release(&mut self, output: &Limit<Real>) {
        self.outputs.limit(output, f64::MIN, f64::MAX);
    }

    /// Allows the values whose bits are set in `mask` (bit n: value n), and the safe one.
    pub fn allow(&mut self, output: &Limit<Choice>, mask: u32) {
        self.outputs.allow(output, mask);
    }

    /// Adds to the demand, within the room reserved; `None` ends the addition.
    pub fn add(&mut self, output: &Service<Real>, value: impl Into<Option<f64>>) {
        self.outputs.add(output, value.into());
    }

    /// Reserves room for the addition below and above the demand (both ≥ 0, in the output's unit).
    pub fn reserve(&mut self, output: &Service<Real>, down: f64, up: f64) {
        self.outputs.reserve(output, down, up);
    }

    /// Asks for a one-shot action until `expires`; only an id above all earlier ones acts.
    pub fn fire(&mut self, output: &Fire, id: u64, expires: ScanTime) {
        self.outputs.fire(output, id, expires);
    }

    /// What went out in the last scan, for loops that must not fight limits or grid services.
    #[must_use]
    pub fn applied(&self, output: &Observe<Real>) -> Applied {
        self.outputs.applied(output)
    }
}

/// A program with its state and its own period.
pub struct Placed<P: Program> {
    every: u64,
    program: P,
    state: P::State,
}

impl<P: Program + 'static> Placed<P> {
    /// Runs every `every`-th scan (≥ 1).
    pub fn boxed(every: u64, program: P) -> Box<dyn Run> {
        Box::new(Self { every: every.max(1), program, state: P::State::default() })
    }
}

/// What the controller needs of any placed program.
pub trait Run: Send {
    /// Its period in scans, ≥ 1.
    fn every(&self) -> u64;

    /// One scan. If it panics, its state is the one it had before.
    fn run(&mut self, scan: &mut Scan<'_>);
}

impl<P: Program> Run for Placed<P> {
    fn every(&self) -> u64 {
        self.every
    }

    fn run(&mut self, scan: &mut Scan<'_>) {
        let mut state = self.state;
        self.program.scan(&mut state, scan);
        self.state = state;
    }
}

#[cfg(test)]
mod tests;
