//! Core: several draws from one random number that was handed in.
//!
//! The caller throws the dice once for each decision; what a decision needs more is derived by splitmix64 (Steele, Lea and
//! Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014). Good for spreading load, not for secrets.

use std::time::Duration;

/// A few numbers that look random, all from one that is.
#[derive(Clone, Debug)]
pub struct Draws(u64);

impl Draws {
    pub fn new(random: u64) -> Self {
        Self(random)
    }

    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// 0 to `end`, `end` not among them; 0 if `end` is 0. By multiplying, not by remainder: no division, and the bias is below
    /// `end / 2^64`.
    pub fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.number()) * u128::from(end)) >> 64) as u64
    }

    /// 0 to 1, 1 not among them.
    pub fn unit(&mut self) -> f64 {
        (self.number() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Up to `share` of `around` more or less than it.
    pub fn jitter(&mut self, around: Duration, share: f64) -> Duration {
        around.mul_f64((1.0 + share * (2.0 * self.unit() - 1.0)).max(0.0))
    }
}

#[cfg(test)]
mod tests;
