//! Core: SipHash-2-4, a keyed hash of 64 bits (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012).
//!
//! Who does not know the key cannot find inputs that collide, nor say what the hash of an input is. That is what keys of a
//! table fed by strangers and short-lived cookies need. The standard library's own is deprecated or not keyed by us.

/// A secret of 128 bits; all nodes of a cluster have the same, or they would disagree.
#[derive(Clone, Copy)]
pub struct Key(u64, u64);

impl Key {
    pub fn new(bytes: [u8; 16]) -> Self {
        let number = u128::from_le_bytes(bytes);
        Self(number as u64, (number >> 64) as u64)
    }

    /// A second key from this one, for another use: what is learnt of one hash says nothing about the other.
    pub fn derive(self, purpose: u64) -> Self {
        let half = |which: u64| self.hash_words(&[purpose, which]);
        Self(half(0), half(1))
    }

    pub fn hash(self, bytes: &[u8]) -> u64 {
        let mut state = State::new(self);
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| state.absorb(u64::from_le_bytes(*word)));
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        last[7] = bytes.len() as u8;
        state.absorb(u64::from_le_bytes(last));
        state.finish()
    }

    /// As `hash` of the words' bytes, least first.
    pub fn hash_words(self, words: &[u64]) -> u64 {
        let mut state = State::new(self);
        words.iter().for_each(|word| state.absorb(*word));
        state.absorb((words.len() as u64 * 8) << 56);
        state.finish()
    }
}

/// The key is a secret.
impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(***)")
    }
}

struct State([u64; 4]);

impl State {
    fn new(Key(low, high): Key) -> Self {
        Self([
            low ^ 0x736f_6d65_7073_6575,
            high ^ 0x646f_7261_6e64_6f6d,
            low ^ 0x6c79_6765_6e65_7261,
            high ^ 0x7465_6462_7974_6573,
        ])
    }

    fn absorb(&mut self, word: u64) {
        self.0[3] ^= word;
        self.round();
        self.round();
        self.0[0] ^= word;
    }

    fn finish(mut self) -> u64 {
        self.0[2] ^= 0xff;
        (0..4).for_each(|_| self.round());
        self.0.into_iter().fold(0, |all, word| all ^ word)
    }

    fn round(&mut self) {
        let [a, b, c, d] = &mut self.0;
        *a = a.wrapping_add(*b);
        *b = b.rotate_left(13) ^ *a;
        *a = a.rotate_left(32);
        *c = c.wrapping_add(*d);
        *d = d.rotate_left(16) ^ *c;
        *a = a.wrapping_add(*d);
        *d = d.rotate_left(21) ^ *a;
        *c = c.wrapping_add(*b);
        *b = b.rotate_left(17) ^ *c;
        *c = c.rotate_left(32);
    }
}

#[cfg(test)]
mod tests;
