//! Seeded noise. Every part draws from a stream of its own, so that a setter on one part does not move the others.

/// One part's stream of random numbers; the same seed and part give the same numbers on every machine.
#[derive(Clone, Debug)]
pub(crate) struct Noise(fastrand::Rng);

impl Noise {
    /// The stream of part number `part` of the plant with this seed.
    pub(crate) fn new(seed: u64, part: u64) -> Self {
        // An odd multiplier spreads small part numbers over all bits; any odd constant does.
        Self(fastrand::Rng::with_seed(seed ^ part.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
    }

    /// Evenly spread from `low` to `high`.
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.0.f64()
    }

    /// Bell-shaped with mean 0 and standard deviation 1, never beyond ±3.5: the sum of four even numbers from one draw
    /// (a true normal distribution needs a logarithm, which is not the same on every machine).
    pub(crate) fn bell(&mut self) -> f64 {
        let [a, b, c, d, e, f, g, h] = self.0.u64(..).to_le_bytes();
        let even = |low, high| f64::from(u16::from_le_bytes([low, high])) / 65_535.0;
        // Four even numbers have a variance of 4/12, so the factor is the root of 3.
        (even(a, b) + even(c, d) + even(e, f) + even(g, h) - 2.0) * 1.732_050_807_568_877_2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bell_has_mean_zero_and_deviation_one() {
        let mut noise = Noise::new(1, 1);
        let draws: Vec<f64> = (0..100_000).map(|_| noise.bell()).collect();
        let mean = draws.iter().sum::<f64>() / 1e5;
        let variance = draws.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / 1e5;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
    }
}
