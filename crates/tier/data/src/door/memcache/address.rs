//! Core: the address of one bucket's own door on one node.
//!
//! Whoever reaches it may use the bucket, so it must not be found by chance or by trying: of the 16 million addresses that are all
//! this machine's own (127.0.0.0/8, RFC 1122 section 3.2.1.3) and 12,000 ports it is one that only somebody who has the bucket's token can
//! work out. Trying them all takes a local process more than a month at 50,000 a second; nobody else can reach any of them.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use ringway_catalog::Secret;
use ringway_ring::NodeId;
use sha2::{Digest, Sha256};

/// Below those that systems give to clients.
const PORT_MIN: u16 = 20_000;
const PORTS: u16 = 12_000;
const PURPOSE: &[u8] = b"ringway memcached door";

/// The address to try, and the next one if somebody else has it (`attempt`).
pub(super) fn address(token: &Secret, bucket: &str, node: NodeId, attempt: u8) -> SocketAddr {
    let mut hash = Sha256::new();
    for part in [PURPOSE, token.reveal().as_bytes(), bucket.as_bytes(), node.to_string().as_bytes(), &[attempt]] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let hash = hash.finalize();
    // 127.0.0.1 and its neighbours are where everybody looks.
    let ip = Ipv4Addr::new(127, hash[0].max(1), hash[1], hash[2]);
    let port = PORT_MIN + u16::from_le_bytes([hash[3], hash[4]]) % PORTS;
    SocketAddrV4::new(ip, port).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(token: &str, bucket: &str, node: u8, attempt: u8) -> SocketAddr {
        address(&Secret::new(token), bucket, NodeId::from_bytes([node; 16]), attempt)
    }

    #[test]
    fn each_token_bucket_node_and_attempt_has_an_address_of_its_own() {
        let all = [of("t", "b", 1, 0), of("u", "b", 1, 0), of("t", "c", 1, 0), of("t", "b", 2, 0), of("t", "b", 1, 1)];
        for (at, one) in all.iter().enumerate() {
            assert!(one.ip().is_loopback() && (20_000..32_000).contains(&one.port()), "{one}");
            assert!(!all[at + 1..].contains(one), "{all:?}");
        }
        assert_eq!(of("t", "b", 1, 0), all[0]);
    }
}
