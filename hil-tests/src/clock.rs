//! The one file that reads a clock. A simulated device on a real socket lives in real time; the plant itself does not.

use std::time::{Duration, Instant};

/// Time since it was made, on the monotonic clock.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts at zero.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "a device simulator serves real clients in real time")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    /// How long until `moment` after the start; zero when it has passed.
    #[must_use]
    pub fn until(&self, moment: Duration) -> Duration {
        moment.saturating_sub(self.elapsed())
    }
}
