//! Driver: randomness of the operating system's quality, for identities, tokens and jitter.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::RngExt as _;

pub fn bytes<const N: usize>() -> [u8; N] {
    rand::rng().random()
}

pub fn number() -> u64 {
    rand::rng().random()
}

/// A token with 192 bits of randomness in 32 URL-safe characters.
pub fn token() -> String {
    URL_SAFE_NO_PAD.encode(bytes::<24>())
}
