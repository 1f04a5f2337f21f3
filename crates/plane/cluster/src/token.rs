//! Core: the token that `ringway token` prints and `ringway join` takes: where to go, whom to expect there, and the right to join.
//!
//! `rw1.` and base64url of the fields in postcard, followed by four bytes of their SHA-256, so that a typing error is told apart
//! from a token that the cluster does not know.

use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ringway_catalog::{JoinToken, Secret};
use ringway_rt::random;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

const PREFIX: &str = "rw1.";
const CHECK_LEN: usize = 4;

/// Why a text is no token.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TokenError {
    #[error("this is not a ringway token: it does not start with {PREFIX}")]
    NoPrefix,
    #[error("this is not a ringway token: a part of it is missing or was changed; copy it again, whole")]
    Damaged,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Where nodes of the cluster listen for others.
    pub addresses: Vec<SocketAddr>,
    /// SHA-256 of the cluster's CA certificate (DER).
    pub fingerprint: [u8; 32],
    /// The public half, by which the cluster finds it.
    pub id: String,
    pub secret: Secret,
}

impl Token {
    /// A fresh one, and what the cluster keeps of it.
    pub fn make(address: SocketAddr, fingerprint: [u8; 32], expires_ms: u64) -> (Self, JoinToken) {
        let secret = random::token();
        let id = URL_SAFE_NO_PAD.encode(random::bytes::<9>());
        let kept = JoinToken::new(id.clone(), secret.as_bytes(), expires_ms);
        (Self { addresses: vec![address], fingerprint, id, secret: Secret::new(secret) }, kept)
    }

    pub fn to_text(&self) -> String {
        let mut bytes = postcard::to_stdvec(self).expect("plain data always encodes");
        bytes.extend_from_slice(&check_of(&bytes));
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let encoded = text.trim().strip_prefix(PREFIX).ok_or(TokenError::NoPrefix)?;
        let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| TokenError::Damaged)?;
        let split = bytes.len().checked_sub(CHECK_LEN).ok_or(TokenError::Damaged)?;
        let (fields, check) = bytes.split_at(split);
        if check != check_of(fields) {
            return Err(TokenError::Damaged);
        }
        let token: Self = postcard::from_bytes(fields).map_err(|_| TokenError::Damaged)?;
        if token.addresses.is_empty() { Err(TokenError::Damaged) } else { Ok(token) }
    }
}

fn check_of(bytes: &[u8]) -> [u8; CHECK_LEN] {
    let hash = Sha256::digest(bytes);
    std::array::from_fn(|index| hash[index])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> Token {
        Token::make("127.0.0.1:7946".parse().unwrap(), [7; 32], 1000).0
    }

    #[test]
    fn a_token_survives_being_written_and_read() {
        let token = token();
        assert_eq!(Token::parse(&token.to_text()), Ok(token.clone()));
        assert_eq!(Token::parse(&format!("  {}\n", token.to_text())), Ok(token));
    }

    #[test]
    fn what_is_not_a_token_is_told_so() {
        assert_eq!(
            Token::parse("hello").unwrap_err().to_string(),
            "this is not a ringway token: it does not start with rw1."
        );
        for text in ["rw1.", "rw1.AAAA", "rw1.!!"] {
            assert_eq!(Token::parse(text), Err(TokenError::Damaged), "{text}");
        }
    }

    #[test]
    fn every_single_changed_character_is_noticed() {
        let text = token().to_text();
        for index in PREFIX.len()..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(changed == text || Token::parse(&changed).is_err(), "{changed}");
        }
    }

    #[test]
    fn the_cluster_recognises_the_secret_and_its_debug_text_hides_it() {
        let (token, kept) = Token::make("127.0.0.1:1".parse().unwrap(), [0; 32], 10);
        assert_eq!(kept.admit(token.secret.reveal().as_bytes(), 5), Ok(()));
        assert!(!format!("{token:?}").contains(token.secret.reveal()));
    }
}
