//! A curve of straight pieces: the only kind of function the plant is made of, because it gives the same bits
//! everywhere.

/// Straight pieces through the given points (x rising); held at both ends.
#[derive(Clone, Debug)]
pub(crate) struct Curve<const N: usize>(pub(crate) [(f64, f64); N]);

impl<const N: usize> Curve<N> {
    /// The curve's value at `x`; 0 for a curve without points.
    pub(crate) fn at(&self, x: f64) -> f64 {
        let mut last = match self.0.first() {
            Some(first) if x > first.0 => *first,
            Some(first) => return first.1,
            None => return 0.0,
        };
        for point in &self.0 {
            if x <= point.0 {
                return last.1 + (point.1 - last.1) * (x - last.0) / (point.0 - last.0);
            }
            last = *point;
        }
        last.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curve_holds_its_ends_and_is_straight_between() {
        let curve = Curve([(0.0, 1.0), (1.0, 3.0), (2.0, 0.0)]);
        for (x, y) in [(-1.0, 1.0), (0.0, 1.0), (0.5, 2.0), (1.0, 3.0), (1.5, 1.5), (2.0, 0.0), (9.0, 0.0)] {
            assert!((curve.at(x) - y).abs() < 1e-12, "{x}");
        }
    }
}
