//! Core: the right to join once, until it expires.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::Refusal;

/// What the cluster keeps of a token: enough to recognise it, not to make one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinToken {
    /// The public half, by which it is found.
    pub id: String,
    /// SHA-256 of the secret half.
    pub secret_hash: [u8; 32],
    pub expires_ms: u64,
    /// Name of the node that used it.
    #[serde(default)]
    pub used_by: Option<String>,
}

impl JoinToken {
    pub fn new(id: String, secret: &[u8], expires_ms: u64) -> Self {
        Self { id, secret_hash: Sha256::digest(secret).into(), expires_ms, used_by: None }
    }

    /// Whether whoever shows `secret` may join now.
    pub fn admit(&self, secret: &[u8], now_ms: u64) -> Result<(), Refusal> {
        let hash: [u8; 32] = Sha256::digest(secret).into();
        if !bool::from(hash.ct_eq(&self.secret_hash)) {
            return Err(Refusal::TokenUnknown);
        }
        if let Some(node) = &self.used_by {
            return Err(Refusal::TokenUsed { by: node.clone() });
        }
        if now_ms > self.expires_ms {
            return Err(Refusal::TokenExpired { minutes_ago: (now_ms - self.expires_ms) / 60_000 });
        }
        Ok(())
    }
}
