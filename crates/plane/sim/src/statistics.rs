//! Core: counts of small whole numbers (hops, timeouts, messages) and what is asked of them: mean and percentiles.

/// How often each value was seen. Values are small (a lookup has tens of hops, not millions).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    sum: u64,
}

/// Larger values are counted as this one: nothing that is counted here comes near it, and memory stays bounded.
const VALUE_MAX: usize = 1 << 20;

impl Histogram {
    pub fn add(&mut self, value: usize) {
        let value = value.min(VALUE_MAX);
        if value >= self.counts.len() {
            self.counts.resize(value + 1, 0);
        }
        self.counts[value] += 1;
        self.total += 1;
        self.sum += value as u64;
    }

    pub fn len(&self) -> u64 {
        self.total
    }

    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// 0 if nothing was seen.
    pub fn mean(&self) -> f64 {
        if self.total == 0 { 0.0 } else { self.sum as f64 / self.total as f64 }
    }

    /// The smallest value that at least this share (0 to 1) of all are not above.
    pub fn percentile(&self, share: f64) -> usize {
        let wanted = ((share * self.total as f64).ceil() as u64).max(1);
        let mut seen = 0;
        for (value, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return value;
            }
        }
        self.max()
    }

    pub fn max(&self) -> usize {
        self.counts.len().saturating_sub(1)
    }

    /// The share of each value, from 0 on.
    pub fn shares(&self) -> impl Iterator<Item = f64> + '_ {
        self.counts.iter().map(|count| *count as f64 / self.total.max(1) as f64)
    }
}

impl FromIterator<usize> for Histogram {
    fn from_iter<I: IntoIterator<Item = usize>>(values: I) -> Self {
        let mut histogram = Self::default();
        values.into_iter().for_each(|value| histogram.add(value));
        histogram
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_and_percentiles_are_those_of_the_values() {
        let histogram: Histogram = (1..=100).collect();
        assert_eq!(histogram.mean(), 50.5);
        assert_eq!((histogram.percentile(0.01), histogram.percentile(0.5), histogram.percentile(0.99)), (1, 50, 99));
        assert_eq!((histogram.max(), histogram.len()), (100, 100));
    }

    #[test]
    fn an_empty_histogram_is_all_zero() {
        let histogram = Histogram::default();
        assert_eq!((histogram.mean(), histogram.percentile(0.5), histogram.max()), (0.0, 0, 0));
    }
}
