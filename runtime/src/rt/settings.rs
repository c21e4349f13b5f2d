//! What a real-time thread is to be, and why it may not be.
//!
//! **Limits**: a stack of stated size; a priority below the interrupt threads' 50, unless that is allowed by name,
//! because a scan above them starves the very drivers it waits for.

use super::report::{Prerequisite, sentence};
use super::side::{NAME_BYTES_MAX, is_thread_name};
use super::thread::on_realtime_thread;
use std::io;

/// The highest priority below the interrupt threads of the kernel, which run at 50.
pub const PRIORITY_BELOW_INTERRUPTS_MAX: u8 = 49;

/// Of a stack, what is not touched in advance: the frames and thread data already on it, and some room to stand on.
pub(super) const STACK_UNTOUCHED_BYTES: usize = 64 * 1024;

/// The smallest stack of a real-time thread.
pub const STACK_BYTES_MIN: usize = 2 * STACK_UNTOUCHED_BYTES;

/// What a missing prerequisite means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Realtime {
    /// The start fails.
    Required,
    /// The thread runs as well as it can.
    #[default]
    BestEffort,
}

/// What a real-time thread is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadSettings {
    /// Its name, 1 to 15 bytes.
    pub name: &'static str,
    /// Its stack, bytes, all of which but 64 KiB is touched in advance.
    pub stack_bytes: usize,
    /// Its SCHED_FIFO priority, 1 to 99; above 49 only with `allow_above_interrupts`.
    pub priority: u8,
    /// Whether the priority may be that of the interrupt threads or more.
    pub allow_above_interrupts: bool,
    /// The CPUs it runs on; empty: any.
    pub cpus: Vec<usize>,
    /// What a missing prerequisite means.
    pub realtime: Realtime,
}

/// The scan: 512 KiB of stack, priority 40, on any CPU, as well as it can.
impl Default for ThreadSettings {
    fn default() -> Self {
        Self {
            name: "scan",
            stack_bytes: 512 * 1024,
            priority: 40,
            allow_above_interrupts: false,
            cpus: Vec::new(),
            realtime: Realtime::default(),
        }
    }
}

/// Why a real-time thread was not started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The name does not fit.
    #[error("thread name {name:?} has {} bytes: give it 1 to {NAME_BYTES_MAX}, without NUL", name.len())]
    Name {
        /// The name that was asked for.
        name: &'static str,
    },
    /// There is no such priority.
    #[error("priority {priority} does not exist: give a number from 1 to {PRIORITY_BELOW_INTERRUPTS_MAX}")]
    Priority {
        /// What was asked for.
        priority: u8,
    },
    /// The priority would starve the kernel's interrupt threads.
    #[error(
        "priority {priority} is not below the interrupt threads (50), whose drivers the scan waits for: \
         give {PRIORITY_BELOW_INTERRUPTS_MAX} or less, or raise those threads and allow it by name"
    )]
    AboveInterrupts {
        /// What was asked for.
        priority: u8,
    },
    /// The stack is too small.
    #[error("a real-time thread's stack of {bytes} bytes is too small: give it {STACK_BYTES_MIN} or more")]
    Stack {
        /// What was asked for.
        bytes: usize,
    },
    /// A real-time thread tried to start another, which would hold it up.
    #[error("thread {name} was to be started by a real-time thread: start it from the main thread")]
    OnRealtimeThread {
        /// The thread.
        name: &'static str,
    },
    /// The system refused the thread.
    #[error("the system does not start thread {name}: {source}; look at the unit's TasksMax= and LimitMEMLOCK=")]
    Spawn {
        /// The thread.
        name: &'static str,
        /// Its reason.
        source: io::Error,
    },
    /// `realtime: Required`, and something essential is not there.
    #[error("realtime is Required, but {}", sentence(missing))]
    Missing {
        /// What is not there.
        missing: Vec<Prerequisite>,
    },
}

/// Refuses settings that cannot be, and a start from the wrong thread.
pub(super) fn check(settings: &ThreadSettings) -> Result<(), StartError> {
    let priority = settings.priority;
    if !is_thread_name(settings.name) {
        return Err(StartError::Name { name: settings.name });
    }
    if !(1..=99).contains(&priority) {
        return Err(StartError::Priority { priority });
    }
    if priority > PRIORITY_BELOW_INTERRUPTS_MAX && !settings.allow_above_interrupts {
        return Err(StartError::AboveInterrupts { priority });
    }
    if settings.stack_bytes < STACK_BYTES_MIN {
        return Err(StartError::Stack { bytes: settings.stack_bytes });
    }
    if on_realtime_thread() {
        return Err(StartError::OnRealtimeThread { name: settings.name });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_cannot_be_are_refused_with_their_number() {
        let good = ThreadSettings::default();
        for (settings, part) in [
            (ThreadSettings { priority: 50, ..good.clone() }, "priority 50 is not below the interrupt threads"),
            (ThreadSettings { priority: 0, ..good.clone() }, "priority 0 does not exist"),
            (
                ThreadSettings { priority: 100, allow_above_interrupts: true, ..good.clone() },
                "priority 100 does not exist",
            ),
            (ThreadSettings { stack_bytes: 4096, ..good.clone() }, "stack of 4096 bytes"),
            (ThreadSettings { name: "a-name-that-is-too-long", ..good.clone() }, "has 23 bytes"),
        ] {
            let refused = check(&settings).unwrap_err().to_string();
            assert!(refused.contains(part), "{refused}");
        }
        assert!(check(&ThreadSettings { priority: 50, allow_above_interrupts: true, ..good.clone() }).is_ok());
        assert!(check(&ThreadSettings { priority: 49, ..good }).is_ok());
    }
}
