//! Core: the less loaded of two that are drawn at random.
//!
//! Always taking the least loaded of all makes everybody who looks at the same figures run to the same endpoint; drawing two and
//! taking the better one is nearly as good and never herds (Mitzenmacher, "The power of two choices in randomized load
//! balancing", 1996: the longest queue falls from log n to log log n). Weights: who weighs more is drawn more often, and the load
//! counts its queue for its share, so that idle endpoints get traffic by weight and busy ones by what they can still take.

use crate::choose::Candidates;
use crate::draws::Draws;

/// The index chosen, and that of the one it was compared with. `None`: no candidates but those to avoid.
pub fn choose(
    candidates: &Candidates,
    draws: &mut Draws,
    is_avoided: impl Fn(u32) -> bool,
    load: impl Fn(u32) -> f64,
) -> Option<(u32, Option<u32>)> {
    let indexes = candidates.indexes();
    if indexes.len() > 1 {
        let place = candidates.draw(draws);
        let (one, other) = (indexes[place], indexes[candidates.draw_other(draws, place)]);
        if !is_avoided(one) && !is_avoided(other) {
            // The first one drawn if they are equal: it is as likely as its weight.
            return Some(if load(other) < load(one) { (other, Some(one)) } else { (one, Some(other)) });
        }
    }
    // Only after a failure: the others are looked at one by one.
    let others = indexes.iter().copied().filter(|index| !is_avoided(*index));
    others.min_by(|one, other| load(*one).total_cmp(&load(*other))).map(|index| (index, None))
}

#[cfg(test)]
mod tests;
