//! Plant and devices behind one mutex, in virtual or in real time.
//!
//! Virtual: call [`World::step`] and [`Port::answer`] from one thread; nothing here reads a clock, and the lock is
//! free. Real: [`World::start_real_time`] steps the plant on a thread, while [`crate::server::Server`]s answer on
//! theirs.

use std::fmt;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::clock::Stopwatch;
use crate::device::{Device, Pdu};
use crate::fault::{Faults, FaultyDevice, Outcome};
use crate::plant::Plant;
use crate::plant::truth::Truth;

/// A real-time stepper that fell behind by more than this (a suspended machine) does not catch up.
const BEHIND_MAX: Duration = Duration::from_secs(2);

struct Site {
    plant: Plant,
    devices: Vec<FaultyDevice>,
}

/// A plant and the devices over it; clones are the same world.
#[derive(Clone)]
pub struct World(Arc<Mutex<Site>>);

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("time_s", &self.lock().plant.time_s()).finish_non_exhaustive()
    }
}

impl World {
    /// A world of this plant; devices are numbered in the order given.
    #[must_use]
    pub fn new(plant: Plant, devices: Vec<Box<dyn Device>>) -> Self {
        let devices = devices.into_iter().map(FaultyDevice::new).collect();
        Self(Arc::new(Mutex::new(Site { plant, devices })))
    }

    /// Advances the plant by `dt_s` seconds; see [`Plant::step`].
    pub fn step(&self, dt_s: f64) {
        self.lock().plant.step(dt_s);
    }

    /// What is really so now.
    #[must_use]
    pub fn truth(&self) -> Truth {
        self.lock().plant.truth()
    }

    /// Lets a scenario do something to the plant.
    pub fn with_plant<T>(&self, act: impl FnOnce(&mut Plant) -> T) -> T {
        act(&mut self.lock().plant)
    }

    /// The line to device number `index`, if there is one.
    #[must_use]
    pub fn device(&self, index: usize) -> Option<Port> {
        let faults = self.lock().devices.get(index)?.faults().clone();
        Some(Port { world: self.clone(), index, faults })
    }

    /// Steps the plant by `period_ms` on an absolute grid of real time, until the answer is dropped. A late thread
    /// makes up what it missed in whole steps, for a plant does not stand still; beyond two seconds it lets go of the
    /// past.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start_real_time(&self, period_ms: u16) -> std::io::Result<RealTime> {
        let (stop, stopped) = mpsc::channel::<()>();
        let period = Duration::from_millis(u64::from(period_ms).max(1));
        let world = self.clone();
        let thread = std::thread::Builder::new().name("plant".into()).spawn(move || {
            let clock = Stopwatch::start();
            let mut due = period;
            while stopped.recv_timeout(clock.until(due)) == Err(RecvTimeoutError::Timeout) {
                world.step(period.as_secs_f64());
                due += period;
                if clock.elapsed().saturating_sub(due) > BEHIND_MAX {
                    due = clock.elapsed() + period;
                }
            }
        })?;
        Ok(RealTime { stop: Some(stop), thread: Some(thread) })
    }

    /// A thread that panicked while it held the lock leaves a plant that is still a plant.
    fn lock(&self) -> MutexGuard<'_, Site> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A plant that moves in real time as long as this lives.
#[derive(Debug)]
pub struct RealTime {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for RealTime {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A plant that panicked has nothing more to say here; the tests that stepped it will.
            let _ = thread.join();
        }
    }
}

/// The line to one device of a world: what a client, or a server in front of it, holds.
#[derive(Clone, Debug)]
pub struct Port {
    world: World,
    index: usize,
    faults: Faults,
}

impl Port {
    /// Answers one request. In virtual time a late answer is one that says so: [`Outcome::Reply`].
    pub fn answer(&self, unit: u8, pdu: &[u8], out: &mut Pdu) -> Outcome {
        let mut site = self.world.lock();
        let Site { plant, devices } = &mut *site;
        match devices.get_mut(self.index) {
            Some(device) => device.answer(plant, unit, pdu, out),
            None => Outcome::Silence,
        }
    }

    /// The device's fault switches.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.faults
    }
}
