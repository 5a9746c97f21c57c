//! A series of durations, and the figures that are quoted of it.

use std::time::Duration;

/// A series of durations.
#[derive(Debug, Clone, Default)]
pub(super) struct Samples(Vec<Duration>);

impl Samples {
    pub(super) fn push(&mut self, sample: Duration) {
        self.0.push(sample);
    }

    pub(super) fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// In milliseconds, the mean; 0 of none.
    pub(super) fn mean_ms(&self) -> f64 {
        let sum: Duration = self.0.iter().sum();
        sum.as_secs_f64() * 1000.0 / self.0.len().max(1) as f64
    }

    /// In milliseconds, the sample that `percent` of all are not above (nearest rank); 0 of none.
    pub(super) fn percentile_ms(&self, percent: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * percent).div_ceil(100).max(1);
        sorted
            .get(rank - 1)
            .map_or(0.0, |sample| sample.as_secs_f64() * 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_samples_by_nearest_rank() {
        let mut samples = Samples::default();
        assert_eq!(samples.percentile_ms(50), 0.0);
        for n in (1..=10).rev() {
            samples.push(Duration::from_millis(n));
        }
        assert_eq!(
            [50, 90, 99, 100].map(|percent| samples.percentile_ms(percent)),
            [5.0, 9.0, 10.0, 10.0]
        );
        assert_eq!(samples.mean_ms(), 5.5);
    }
}
