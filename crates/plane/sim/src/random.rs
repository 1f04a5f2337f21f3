//! Core: randomness as an argument: generators that depend on a seed and a purpose, and on nothing else.

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use ringway_ring::{NodeId, Point};

/// Small, fast and the same on every machine.
pub type Generator = Pcg64Mcg;

/// A generator for one purpose: two purposes of one seed draw independent numbers, so that a change to one leaves the other.
pub fn generator(seed: u64, purpose: u64) -> Generator {
    Pcg64Mcg::seed_from_u64(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ purpose.wrapping_mul(0xD1B5_4A32_D192_ED03))
}

pub fn point(random: &mut Generator) -> Point {
    Point(random.random())
}

pub fn node_id(random: &mut Generator) -> NodeId {
    NodeId::from_bytes(random.random())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_one_sequence_and_two_purposes_give_two() {
        assert_eq!(point(&mut generator(1, 2)), point(&mut generator(1, 2)));
        assert_ne!(point(&mut generator(1, 2)), point(&mut generator(1, 3)));
        assert_ne!(point(&mut generator(1, 2)), point(&mut generator(2, 2)));
    }
}
