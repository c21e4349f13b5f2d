//! Faults of a device, switched on and off while it runs. They can be combined; each says what it wins over.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::device::{Ailment, Answer, Device, Pdu};
use crate::plant::Plant;

/// What can be wrong with a device, from the line inwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Connections are closed at once, those that are open too.
    Refuse,
    /// Connections stay and are taken, but nothing is ever answered and nothing closed: a peer that lost its power
    /// behind a switch, or a gateway that hangs. Requests do not reach the device.
    HalfOpen,
    /// Requests do not reach the device (so its watchdogs expire); the connection is well.
    Silent,
    /// Each answer comes so much later, ms. It is made when the request arrives, so its values are old by then.
    Slow {
        /// Delay of each answer, ms.
        ms: u32,
    },
    /// Every request is refused with this exception code, and does not reach the device.
    Exception(u8),
    /// Writes are acknowledged and not taken; they do not feed watchdogs either.
    WriteIgnored,
    /// Measured values and life counters stand still; writes are taken, and settings read as written.
    Frozen,
    /// Life counters stand still; values move.
    LifeFrozen,
    /// Measured values read as their type's "not implemented" code. SunSpec's NaN.
    NotImplemented,
    /// The words of 32- and 64-bit values come, and are taken, in the opposite order.
    Rotated,
}

impl Fault {
    /// The bit that says it is on, and the payload with its mask.
    fn bits(self) -> (u64, u64, u64) {
        match self {
            Self::Refuse => (1 << 0, 0, 0),
            Self::HalfOpen => (1 << 1, 0, 0),
            Self::Silent => (1 << 2, 0, 0),
            Self::Slow { ms } => (1 << 3, u64::from(ms) << 32, 0xFFFF_FFFF << 32),
            Self::Exception(code) => (1 << 4, u64::from(code) << 16, 0xFF << 16),
            Self::WriteIgnored => (1 << 5, 0, 0),
            Self::Frozen => (1 << 6, 0, 0),
            Self::LifeFrozen => (1 << 7, 0, 0),
            Self::NotImplemented => (1 << 8, 0, 0),
            Self::Rotated => (1 << 9, 0, 0),
        }
    }
}

/// The fault switches of one device: cheap to clone, and all clones are the same switches.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<AtomicU64>);

impl Faults {
    /// All off.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Switches a fault on, besides those that are on; a number it carries replaces the one before.
    pub fn set(&self, fault: Fault) {
        let (flag, payload, mask) = fault.bits();
        self.change(|word| word & !mask | flag | payload);
    }

    /// Switches a fault off; the number it carries does not matter.
    pub fn clear(&self, fault: Fault) {
        let (flag, _, mask) = fault.bits();
        self.change(|word| word & !(flag | mask));
    }

    /// Switches all faults off.
    pub fn clear_all(&self) {
        self.0.store(0, Ordering::SeqCst);
    }

    /// Whether this kind of fault is on; the number it carries does not matter.
    #[must_use]
    pub fn is_set(&self, fault: Fault) -> bool {
        self.now().has(fault)
    }

    fn change(&self, change: impl Fn(u64) -> u64) {
        let mut word = self.0.load(Ordering::SeqCst);
        while let Err(newer) = self.0.compare_exchange(word, change(word), Ordering::SeqCst, Ordering::SeqCst) {
            word = newer;
        }
    }

    fn now(&self) -> Switches {
        Switches(self.0.load(Ordering::SeqCst))
    }
}

/// All switches at one moment.
#[derive(Clone, Copy, Debug)]
struct Switches(u64);

impl Switches {
    fn has(self, fault: Fault) -> bool {
        self.0 & fault.bits().0 != 0
    }

    fn slow_ms(self) -> u32 {
        u32::try_from(self.0 >> 32).unwrap_or(u32::MAX)
    }

    fn exception(self) -> Option<u8> {
        self.has(Fault::Exception(0)).then(|| self.0.to_be_bytes()[5])
    }

    fn ailment(self) -> Ailment {
        Ailment {
            values_frozen: self.has(Fault::Frozen),
            life_frozen: self.has(Fault::LifeFrozen),
            not_implemented: self.has(Fault::NotImplemented),
            words_rotated: self.has(Fault::Rotated),
        }
    }
}

/// What comes back from a device that may be ill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An answer is in the buffer; it arrives so much later, ms.
    Reply {
        /// Delay of this answer, ms; 0 for a device that is well.
        after_ms: u32,
    },
    /// Nothing comes back.
    Silence,
    /// The connection is refused or closed.
    Refused,
}

/// A device behind its fault switches.
pub(crate) struct FaultyDevice {
    device: Box<dyn Device>,
    faults: Faults,
    ailment: Ailment,
}

impl FaultyDevice {
    pub(crate) fn new(device: Box<dyn Device>) -> Self {
        Self { device, faults: Faults::new(), ailment: Ailment::default() }
    }

    pub(crate) fn faults(&self) -> &Faults {
        &self.faults
    }

    pub(crate) fn answer(&mut self, plant: &mut Plant, unit: u8, pdu: &[u8], out: &mut Pdu) -> Outcome {
        out.clear();
        let switches = self.faults.now();
        let ailment = switches.ailment();
        if ailment != self.ailment {
            self.ailment = ailment;
            self.device.suffer(plant, ailment);
        }
        if switches.has(Fault::Refuse) {
            return Outcome::Refused;
        }
        let lost = switches.has(Fault::HalfOpen) || switches.has(Fault::Silent);
        let Some(&function) = pdu.first() else { return Outcome::Silence };
        if lost || !self.device.serves(unit) {
            return Outcome::Silence;
        }
        let after_ms = switches.slow_ms();
        if let Some(code) = switches.exception() {
            out.refuse(function, code);
        } else if switches.has(Fault::WriteIgnored) && matches!(function, 5 | 6 | 15 | 16) && pdu.len() >= 5 {
            pdu.iter().take(5).for_each(|byte| out.push(*byte));
        } else if self.device.answer(plant, unit, pdu, out) == Answer::Silence {
            return Outcome::Silence;
        }
        Outcome::Reply { after_ms }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_combine_and_go_one_by_one() {
        let faults = Faults::new();
        let other = faults.clone();
        other.set(Fault::Slow { ms: 250 });
        other.set(Fault::Exception(6));
        other.set(Fault::Slow { ms: 40 });
        assert_eq!((faults.now().slow_ms(), faults.now().exception()), (40, Some(6)));
        faults.clear(Fault::Slow { ms: 0 });
        assert_eq!((other.now().slow_ms(), other.now().exception()), (0, Some(6)));
        assert!(!other.is_set(Fault::Slow { ms: 40 }) && other.is_set(Fault::Exception(0)));
        other.clear_all();
        assert_eq!(faults.now().0, 0);
    }
}
