//! What happens at a fixed rate (life counters, the meter's refresh), whatever the length of a step.

/// Counts how often a period has passed.
#[derive(Clone, Debug)]
pub(crate) struct Every {
    period_s: f64,
    left_s: f64,
}

impl Every {
    /// The first time after one whole period.
    pub(crate) fn new(period_s: f64) -> Self {
        Self { period_s, left_s: period_s }
    }

    /// How often the period ended within this step of `dt_s` (a step is one second at most).
    pub(crate) fn passed(&mut self, dt_s: f64) -> u16 {
        self.left_s -= dt_s;
        let mut times = 0;
        // A nanosecond of grace: ten steps of 0.01 s are not exactly 0.1 s.
        while self.left_s <= 1e-9 {
            self.left_s += self.period_s;
            times += 1;
        }
        times
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_steps_of_ten_milliseconds_are_one_period_of_a_hundred() {
        let mut every = Every::new(0.1);
        let times: Vec<u16> = (0..1000).map(|_| every.passed(0.01)).collect();
        assert!(times.chunks(10).all(|ten| ten[..9].iter().all(|n| *n == 0) && ten[9] == 1));
        assert_eq!(every.passed(1.0), 10);
    }
}
