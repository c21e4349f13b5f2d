//! What the scan wants of a device, and whether the scan is still there to want it.

use crate::field::block::{Head, OutputValue, Outputs};
use flyball_io_map::image::ScanTime;
use flyball_io_map::image::pulse::Pending;
use flyball_io_map::profile::WritableSpec;

/// The newest block of the scan, by the writables of the profile.
#[derive(Clone, Debug)]
pub(super) struct Want {
    /// Which writable each output of the block is.
    outputs: Box<[usize]>,
    /// Numbers, and indices of choices. A writable that the site does not use keeps its safe value.
    values: Box<[f64]>,
    safe: Box<[f64]>,
    pulses: Box<[Option<Pending>]>,
    known: bool,
    head: Head,
    moved: ScanTime,
    stalled_after_ns: u64,
}

impl Want {
    /// Nothing is wanted yet.
    pub(super) fn new(writables: &[WritableSpec], outputs: &[usize], stalled_after_ns: u64, now: ScanTime) -> Self {
        let safe: Box<[f64]> = writables.iter().map(|w| w.kind.safe().unwrap_or(0.0)).collect();
        Self {
            outputs: outputs.into(),
            values: safe.clone(),
            safe,
            pulses: vec![None; writables.len()].into(),
            known: false,
            head: Head::default(),
            moved: now,
            stalled_after_ns,
        }
    }

    /// Looks at the block that is there now.
    pub(super) fn take(&mut self, now: ScanTime, block: &Outputs<'_>) {
        let head = block.head();
        if head.scans != self.head.scans {
            self.moved = now;
        }
        self.head = head;
        self.known = head.scans > 0;
        for (output, writable) in self.outputs.iter().enumerate() {
            match block.value(output) {
                Some(OutputValue::Real(value)) => self.values[*writable] = value,
                Some(OutputValue::Choice(index)) => self.values[*writable] = f64::from(index),
                Some(OutputValue::Pulse(pending)) => self.pulses[*writable] = pending,
                // a value that is none leaves nothing that could be written in its place
                None => self.known = false,
            }
        }
    }

    /// Values of all writables, by index.
    pub(super) fn values(&self) -> &[f64] {
        &self.values
    }

    /// The pulse that a writable is to execute.
    pub(super) fn pulse(&self, writable: usize) -> Option<Pending> {
        self.pulses[writable]
    }

    /// The writable of each output, in the order of the block.
    pub(super) fn outputs(&self) -> &[usize] {
        &self.outputs
    }

    /// Whether values may be written now: the scan has wanted them, and has not stalled since. The last block is
    /// written although nothing moves behind it.
    pub(super) fn may_write(&self, now: ScanTime) -> bool {
        self.known && (self.head.last || !self.stalled(now))
    }

    /// Whether there was a scan at all.
    pub(super) fn has_scanned(&self) -> bool {
        self.head.scans > 0
    }

    /// Whether the scan has stood still for too long.
    pub(super) fn stalled(&self, now: ScanTime) -> bool {
        now.since(self.moved) > self.stalled_after_ns
    }

    /// Whether this is the last block.
    pub(super) fn is_last(&self) -> bool {
        self.head.last
    }

    /// Whether these writables shall have their safe values: no dead band and no wear budget keeps them from it.
    pub(super) fn is_safe(&self, writables: &[usize]) -> bool {
        let safe = |w: &usize| (self.values[*w] - self.safe[*w]).abs() <= 0.0;
        self.head.last || !self.head.drives || writables.iter().all(safe)
    }
}
