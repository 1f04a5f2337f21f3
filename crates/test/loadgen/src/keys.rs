//! Core: which key comes next. Uniform, by Zipf's law, or each once; all keys, or those that one node of a cluster has.
//!
//! Zipf's law as in YCSB: Gray et al., "Quickly Generating Billion-Record Synthetic Databases", SIGMOD 1994, section 3. A draw costs
//! a power, more than all the rest of a request; so a few million are drawn beforehand and gone through again and again.

use crate::{lot::Lot, options::Dist};

const DRAWN_MAX: usize = 1 << 22;
/// A prime, so that rank to key is one to one for any number of keys that it does not divide: hot keys are no neighbours.
const SCATTER: u64 = 2_654_435_761;

/// The keys of one node.
pub enum Keys {
    /// Any of so many.
    Any(u32),
    /// Any of these.
    AnyOf(Vec<u32>),
    /// These in order, from the place on; again from the start if there is one.
    InOrder { keys: Vec<u32>, next: usize, again: bool },
}

impl Keys {
    /// The keys below `count` that `is_own`, as they are to be drawn.
    pub fn drawn(dist: Dist, count: u32, theta: f64, lot: &mut Lot, is_own: Option<&dyn Fn(u32) -> bool>) -> Self {
        match (dist, is_own) {
            (Dist::Uniform, None) => Self::Any(count),
            (Dist::Uniform, Some(is_own)) => Self::AnyOf((0..count).filter(|key| is_own(*key)).collect()),
            (Dist::Zipf, is_own) => {
                let zipf = Zipf::new(count, theta);
                let drawn = (0..DRAWN_MAX).map(|_| zipf.draw(lot));
                let keys = drawn.filter(|key| is_own.is_none_or(|is_own| is_own(*key))).collect();
                Self::InOrder { keys, next: 0, again: true }
            }
        }
    }

    /// Each of them once.
    pub fn each(count: u32, is_own: Option<&dyn Fn(u32) -> bool>) -> Self {
        let keys = (0..count).filter(|key| is_own.is_none_or(|is_own| is_own(*key))).collect();
        Self::InOrder { keys, next: 0, again: false }
    }

    /// None: there are no more.
    pub fn next(&mut self, lot: &mut Lot) -> Option<u32> {
        match self {
            Self::Any(count) => Some(lot.below(*count)),
            Self::AnyOf(keys) if keys.is_empty() => None,
            Self::AnyOf(keys) => Some(keys[lot.below(keys.len() as u32) as usize]),
            Self::InOrder { keys, next, again } => {
                if *next == keys.len() && *again {
                    *next = 0;
                }
                let key = keys.get(*next).copied();
                *next += usize::from(key.is_some());
                key
            }
        }
    }
}

struct Zipf {
    count: u32,
    theta: f64,
    zeta: f64,
    alpha: f64,
    eta: f64,
}

impl Zipf {
    fn new(count: u32, theta: f64) -> Self {
        let zeta = |count: u32| (1..=count).map(|rank| f64::from(rank).powf(-theta)).sum::<f64>();
        let all = zeta(count);
        let eta = (1.0 - (2.0 / f64::from(count)).powf(1.0 - theta)) / (1.0 - zeta(2.min(count)) / all);
        Self { count, theta, zeta: all, alpha: 1.0 / (1.0 - theta), eta }
    }

    fn rank(&self, lot: &mut Lot) -> u32 {
        let part = lot.part();
        let scaled = part * self.zeta;
        if scaled < 1.0 {
            return 0;
        }
        if scaled < 1.0 + 0.5f64.powf(self.theta) {
            return 1.min(self.count - 1);
        }
        let rank = f64::from(self.count) * (self.eta * part - self.eta + 1.0).powf(self.alpha);
        (rank as u32).min(self.count - 1)
    }

    fn draw(&self, lot: &mut Lot) -> u32 {
        (u64::from(self.rank(lot)) * SCATTER % u64::from(self.count)) as u32
    }
}

#[cfg(test)]
mod tests;
