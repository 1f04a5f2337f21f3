//! Core: the fingerprint of a set of cells, by which two replicas find out that they hold the same.
//!
//! The exclusive or of a 64-bit hash of each (key, version): order does not matter, adding and removing are the same operation,
//! so it is kept up to date with every write instead of being computed. Two sets that differ have the same digest with
//! probability 2^-64. It is no defence against somebody who chooses keys to make it collide.

use ringway_causality::Version;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// One cell's share of the digest.
pub fn digest_of(key: &[u8], version: &Version) -> u64 {
    let seed = version.wall_ms ^ version.node.rotate_left(32) ^ u64::from(version.count).rotate_left(17);
    xxh3_64_with_seed(key, seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_key_or_another_version_gives_another_digest() {
        let version = Version { wall_ms: 1, count: 2, node: 3 };
        let base = digest_of(b"key", &version);
        assert_eq!(base, digest_of(b"key", &version));
        assert_ne!(base, digest_of(b"kez", &version));
        assert_ne!(base, digest_of(b"key", &Version { wall_ms: 2, ..version }));
        assert_ne!(base, digest_of(b"key", &Version { count: 3, ..version }));
        assert_ne!(base, digest_of(b"key", &Version { node: 4, ..version }));
    }
}
