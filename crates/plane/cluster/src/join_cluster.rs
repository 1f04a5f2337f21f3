//! Joining: a node with a token asks a member, which admits it. [`ask`] is the newcomer's side, [`admit`] the member's.
//!
//! The connection is TLS with the member's certificate only; the token names the authority by its fingerprint, so the newcomer
//! knows whom it talks to before it shows the secret. What it gets includes the authority's key: nodes are equal.

pub mod admit;
pub mod ask;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;

use ringway_catalog::{Addresses, Secret};
use ringway_ring::NodeId;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Grows when what nodes say to each other changes in a way that an older one does not understand.
const PROTOCOL: u32 = 1;
const MESSAGE_MAX: usize = 1 << 20;

/// What the newcomer says.
#[derive(Debug, Serialize, Deserialize)]
struct Request {
    protocol: u32,
    token_id: String,
    token_secret: Secret,
    /// PKCS #10, DER: the newcomer's key, and proof that it has it.
    certificate_request: Vec<u8>,
    name: String,
    zone: String,
    capacity: u32,
    addresses: Addresses,
    /// The newcomer's clock.
    wall_ms: u64,
}

/// What it is told.
#[derive(Debug, Serialize, Deserialize)]
enum Response {
    Welcome(Box<Welcome>),
    /// In words, for whoever typed the command.
    Refused(String),
    /// Not now, since data is moving: ask again.
    Later(String),
}

#[derive(Debug, Serialize, Deserialize)]
struct Welcome {
    certificate: Vec<u8>,
    authority: Vec<u8>,
    authority_key_pem: Secret,
    cluster_id: String,
    peers: BTreeMap<NodeId, SocketAddr>,
}

/// `u32` length, JSON.
async fn send(stream: &mut (impl AsyncWrite + Unpin), message: &impl Serialize) -> io::Result<()> {
    let json = serde_json::to_vec(message).map_err(io::Error::other)?;
    stream.write_u32(json.len() as u32).await?;
    stream.write_all(&json).await?;
    stream.flush().await
}

async fn receive<T: DeserializeOwned>(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<T> {
    let len = stream.read_u32().await? as usize;
    if len > MESSAGE_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a message of {len} bytes is too long")));
    }
    let mut json = vec![0; len];
    stream.read_exact(&mut json).await?;
    serde_json::from_slice(&json).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))
}
