//! Core: latencies in buckets whose width grows with the value (as HdrHistogram's): 128 to every power of two, so within 0.8 %.

const BITS: u32 = 7;
const STEPS: usize = 1 << BITS;
const BUCKETS: usize = (64 - BITS as usize + 1) << BITS;

pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    max: u64,
}

impl Histogram {
    pub fn new() -> Self {
        Self { counts: vec![0; BUCKETS], total: 0, max: 0 }
    }

    pub fn record(&mut self, value: u64, times: u64) {
        self.counts[bucket(value)] += times;
        self.total += times;
        self.max = self.max.max(value);
    }

    pub fn max(&self) -> u64 {
        self.max
    }

    /// The value that this part (0 to 1) of what was recorded does not exceed; 0 if nothing was.
    pub fn quantile(&self, part: f64) -> u64 {
        let wanted = (self.total as f64 * part).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return greatest_of(bucket).min(self.max);
            }
        }
        0
    }
}

fn bucket(value: u64) -> usize {
    if value < STEPS as u64 {
        return value as usize;
    }
    let exponent = 63 - value.leading_zeros() - BITS;
    ((exponent as usize + 1) << BITS) + ((value >> exponent) as usize - STEPS)
}

fn greatest_of(bucket: usize) -> u64 {
    if bucket < STEPS {
        return bucket as u64;
    }
    let exponent = (bucket >> BITS) - 1;
    let first = ((bucket & (STEPS - 1)) + STEPS) as u64;
    (first << exponent) + ((1u64 << exponent) - 1)
}

#[cfg(test)]
mod tests;
