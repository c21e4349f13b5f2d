//! A dead time: what goes in comes out a fixed time later.

/// Changes that may be under way at once. A controller that writes every 10 ms fills 1.28 s of dead time.
const CHANGES_MAX: usize = 128;

/// A delay line that remembers changes only. When more than 128 are under way, the newest takes the place of the one
/// before it: the last value always comes out, only the path to it becomes coarser.
#[derive(Clone, Debug)]
pub(crate) struct DeadTime {
    dead_time_s: f64,
    now_s: f64,
    output: f64,
    newest: f64,
    first: usize,
    count: usize,
    due: [(f64, f64); CHANGES_MAX],
}

impl DeadTime {
    pub(crate) fn new(dead_time_s: f64) -> Self {
        Self { dead_time_s, now_s: 0.0, output: 0.0, newest: 0.0, first: 0, count: 0, due: [(0.0, 0.0); CHANGES_MAX] }
    }

    /// `input` stands from the start of this step; the answer is what has arrived at its end.
    pub(crate) fn pass(&mut self, dt_s: f64, input: f64) -> f64 {
        if input.to_bits() != self.newest.to_bits() {
            self.newest = input;
            if self.count == CHANGES_MAX {
                self.due[(self.first + self.count - 1) % CHANGES_MAX].1 = input;
            } else {
                self.due[(self.first + self.count) % CHANGES_MAX] = (self.now_s + self.dead_time_s, input);
                self.count += 1;
            }
        }
        self.now_s += dt_s;
        while self.count > 0 && self.due[self.first].0 <= self.now_s + 1e-9 {
            self.output = self.due[self.first].1;
            self.first = (self.first + 1) % CHANGES_MAX;
            self.count -= 1;
        }
        self.output
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_comes_out_after_the_dead_time_and_not_before() {
        let mut line = DeadTime::new(0.15);
        let outputs: Vec<f64> = (0..20).map(|_| line.pass(0.01, 7.0)).collect();
        assert!(outputs[..14].iter().all(|x| *x < 1.0) && outputs[14..].iter().all(|x| *x > 6.0), "{outputs:?}");
    }

    #[test]
    fn an_overfull_line_still_delivers_the_last_value() {
        let mut line = DeadTime::new(10.0);
        for n in 0..500 {
            line.pass(0.01, f64::from(n));
        }
        let mut last = 0.0;
        for _ in 0..1100 {
            last = line.pass(0.01, 499.0);
        }
        assert!((last - 499.0).abs() < 1e-9);
    }
}
