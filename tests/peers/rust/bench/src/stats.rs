//! Medians and spreads: what is left when the noise of a busy machine is taken out.

/// A set of samples of one thing.
#[derive(Clone, Debug, Default)]
pub struct Samples(pub Vec<f64>);

impl Samples {
    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// Half the distance between the quartiles.
    pub fn spread(&self) -> f64 {
        (self.quantile(0.75) - self.quantile(0.25)) / 2.0
    }

    /// The same as a percentage of the median.
    pub fn spread_percent(&self) -> f64 {
        100.0 * self.spread() / self.median()
    }

    fn quantile(&self, q: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
        let place = q * last as f64;
        let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
        low + (high - low) * place.fract()
    }

    /// Round by round, ours over theirs: what both suffered in a round cancels out.
    pub fn paired_ratio(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(ours, theirs)| ours / theirs).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_spreads_are_those_of_the_sorted_samples() {
        let samples = Samples(vec![5.0, 1.0, 2.0, 4.0, 3.0]);
        assert_eq!((samples.median(), samples.spread()), (3.0, 1.0));
        assert_eq!(Samples(vec![1.0, 2.0]).median(), 1.5);
    }

    #[test]
    fn a_ratio_is_taken_round_by_round() {
        let slow_round = Samples(vec![10.0, 100.0]).paired_ratio(&Samples(vec![5.0, 50.0]));
        assert_eq!(slow_round.0, [2.0, 2.0]);
    }
}
