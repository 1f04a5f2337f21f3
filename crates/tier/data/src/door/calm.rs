//! Core: when a client is served with others ([`super::lobby`]): after it has asked nothing special for a while, a longer one each
//! time that it does after all, for coming and going costs more than staying away.

/// The longest while, in times that it was heard.
const WANTED_MAX: u8 = 64;

#[derive(Debug, Default)]
pub(super) struct Calm {
    seen: u8,
    wanted: u8,
}

impl Calm {
    pub(super) fn is_enough(&self) -> bool {
        self.seen >= self.wanted
    }

    /// All that it had said is answered.
    pub(super) fn note(&mut self) {
        self.seen = self.seen.saturating_add(1);
    }

    /// Something of it could not be answered at once. Counts once for what is said at once.
    pub(super) fn end(&mut self) {
        if self.seen > 0 || self.wanted == 0 {
            *self = Self { seen: 0, wanted: (2 * self.wanted).clamp(1, WANTED_MAX) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often it is heard until it may come back, something special included.
    fn away(calm: &mut Calm) -> usize {
        calm.end();
        calm.end();
        (1..)
            .find(|_| {
                calm.note();
                calm.is_enough()
            })
            .unwrap()
    }

    #[test]
    fn who_asks_special_things_again_and_again_stays_away_longer_up_to_a_bound() {
        let mut calm = Calm::default();
        assert!(calm.is_enough());
        let times: Vec<usize> = (0..9).map(|_| away(&mut calm)).collect();
        assert_eq!(times, [1, 2, 4, 8, 16, 32, 64, 64, 64]);
    }
}
