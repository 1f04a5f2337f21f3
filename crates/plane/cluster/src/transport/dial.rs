//! Driver: getting a TLS stream to a member, and making sure that it is that member.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ringway_ring::NodeId;
use ringway_rt::net;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::Transport;
use crate::certificates;

const CONNECT_DEADLINE: Duration = Duration::from_secs(1);
/// From the first byte to a checked certificate, on either side.
pub const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(5);
/// Addresses of one node that are tried, one after the other.
const ADDRESSES_MAX: usize = 3;

impl Transport {
    pub(super) async fn dial(&self, peer: NodeId, settings: Arc<ClientConfig>) -> io::Result<TlsStream<TcpStream>> {
        if !self.inner.roster.is_member(peer) {
            return Err(io::Error::new(io::ErrorKind::NotFound, "it is not a member"));
        }
        let mut failure = io::Error::new(io::ErrorKind::NotFound, "its address is not known");
        for address in self.inner.roster.addresses(peer).into_iter().take(ADDRESSES_MAX) {
            match dial_address(peer, address, settings.clone()).await {
                Ok(stream) => return Ok(stream),
                Err(error) => failure = io::Error::new(error.kind(), format!("{address}: {error}")),
            }
        }
        Err(failure)
    }
}

async fn dial_address(
    peer: NodeId,
    address: SocketAddr,
    settings: Arc<ClientConfig>,
) -> io::Result<TlsStream<TcpStream>> {
    let socket = net::connect(address, CONNECT_DEADLINE).await?;
    let handshake = TlsConnector::from(settings).connect(certificates::server_name_of(peer), socket);
    let stream = tokio::time::timeout(HANDSHAKE_DEADLINE, handshake)
        .await
        .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "no TLS handshake in time"))??;
    // The verifier has checked the chain and the name; this checks that the name is the hash of the key.
    let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
    match certificates.first().and_then(certificates::id_of_certificate) {
        Some(id) if id == peer => Ok(stream),
        _ => Err(io::Error::new(io::ErrorKind::PermissionDenied, "another node answers there")),
    }
}
