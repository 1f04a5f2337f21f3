//! Core: the numbers of `math.random`, the same on every machine: a linear congruential generator of 48 bits (`drand48`).

const MULTIPLIER: u64 = 0x5_DEEC_E66D;
const INCREMENT: u64 = 0xB;
const MASK: u64 = (1 << 48) - 1;

#[derive(Clone, Copy, Debug)]
pub struct Random(u64);

impl Default for Random {
    /// Where Redis begins when nobody has called `math.randomseed`.
    fn default() -> Self {
        Self(0x1234_ABCD_330E)
    }
}

impl Random {
    pub fn seeded(seed: i32) -> Self {
        Self(u64::from(seed as u32) << 16 | 0x330E)
    }

    /// 31 bits.
    pub fn draw(&mut self) -> i32 {
        self.0 = self.0.wrapping_mul(MULTIPLIER).wrapping_add(INCREMENT) & MASK;
        (self.0 >> 17) as i32
    }

    /// From 0 up to, but not, 1.
    pub fn fraction(&mut self) -> f64 {
        f64::from(self.draw() % i32::MAX) / f64::from(i32::MAX)
    }
}
