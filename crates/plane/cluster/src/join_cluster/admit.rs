//! Driver: a member lets a newcomer in, if the catalog agrees.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ringway_catalog::{Catalog, Command, NodeInfo, NodeState};
use ringway_ports::ControlLog;
use ringway_ring::NodeId;
use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tracing::{info, warn};

use super::{PROTOCOL, Request, Response, Welcome, receive, send};
use crate::certificates;
use crate::identity::Identity;
use crate::wall_clock::WallClock;

/// Beyond this, versions of the newcomer's writes would be refused by the others (or theirs by it).
const CLOCK_DIFFERENCE_MAX_MS: u64 = 2000;
const REQUEST_DEADLINE: Duration = Duration::from_secs(5);
const ANSWER_DEADLINE: Duration = Duration::from_secs(5);

pub struct Admission {
    pub identity: Arc<Identity>,
    pub control_log: Arc<dyn ControlLog>,
    pub clock: WallClock,
}

impl Admission {
    /// Serves one newcomer to the end.
    pub async fn serve(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin, from: SocketAddr) {
        let request = match tokio::time::timeout(REQUEST_DEADLINE, receive::<Request>(&mut stream)).await {
            Ok(Ok(request)) => request,
            Ok(Err(why)) => return warn!(%from, %why, "unreadable request to join"),
            Err(_) => return warn!(%from, "a newcomer did not say what it wants"),
        };
        let name = request.name.clone();
        let response = match self.admit(request).await {
            Ok(welcome) => {
                info!(%from, name, "a node has joined");
                Response::Welcome(Box::new(welcome))
            }
            Err(Response::Refused(why)) => {
                info!(%from, name, why, "a node was refused");
                Response::Refused(why)
            }
            Err(other) => other,
        };
        let answer = async {
            send(&mut stream, &response).await?;
            stream.shutdown().await
        };
        if !matches!(tokio::time::timeout(ANSWER_DEADLINE, answer).await, Ok(Ok(()))) {
            warn!(%from, name, "a newcomer did not take its answer; it may ask again with the same token");
        }
    }

    async fn admit(&self, request: Request) -> Result<Welcome, Response> {
        check_protocol(request.protocol).map_err(Response::Refused)?;
        check_clock(request.wall_ms, self.clock.now_ms()).map_err(Response::Refused)?;
        let authority = &self.identity.authority;
        let (id, certificate) =
            certificates::sign_request(authority, &self.identity.authority_key, &request.certificate_request)
                .map_err(|e| Response::Refused(e.to_string()))?;
        if !is_repeated(&self.control_log.catalog(), &request, id) {
            let node = NodeInfo {
                id,
                name: request.name,
                zone: request.zone,
                capacity: request.capacity.max(1),
                addresses: request.addresses,
                joined_ms: self.clock.now_ms(),
                state: NodeState::Active,
            };
            let join = Command::Join { token_id: request.token_id, token_secret: request.token_secret, node };
            self.control_log.propose(join).await.map_err(|why| Response::Refused(why.to_string()))?;
        }
        Ok(self.welcome(id, &certificate))
    }

    fn welcome(&self, id: NodeId, certificate: &CertificateDer<'_>) -> Welcome {
        let catalog = self.control_log.catalog();
        let others = catalog.nodes.values().filter(|node| node.id != id);
        Welcome {
            certificate: certificate.to_vec(),
            authority: self.identity.authority.to_vec(),
            authority_key_pem: ringway_catalog::Secret::new(self.identity.authority_key.serialize_pem()),
            cluster_id: self.identity.cluster_id.clone(),
            peers: others.map(|node| (node.id, node.addresses.peer)).collect(),
        }
    }
}

/// Whether this is the node that has used up the token already: it did not get our answer then.
fn is_repeated(catalog: &Catalog, request: &Request, id: NodeId) -> bool {
    let Some(token) = catalog.join_tokens.get(&request.token_id) else { return false };
    let knows_secret = ringway_catalog::JoinToken { used_by: None, expires_ms: u64::MAX, ..token.clone() };
    token.used_by.as_ref() == Some(&request.name)
        && catalog.nodes.get(&id).is_some_and(|node| node.name == request.name && node.addresses == request.addresses)
        && knows_secret.admit(request.token_secret.reveal().as_bytes(), 0).is_ok()
}

fn check_protocol(theirs: u32) -> Result<(), String> {
    if theirs == PROTOCOL {
        return Ok(());
    }
    Err(format!(
        "this node speaks protocol version {theirs}, the cluster {PROTOCOL}: use the same release of ringway on both"
    ))
}

fn check_clock(theirs_ms: u64, ours_ms: u64) -> Result<(), String> {
    let difference = theirs_ms.abs_diff(ours_ms);
    if difference <= CLOCK_DIFFERENCE_MAX_MS {
        return Ok(());
    }
    let direction = if theirs_ms < ours_ms { "behind" } else { "ahead of" };
    let seconds = difference / 1000;
    Err(format!(
        "the clock of this machine is {seconds} s {direction} the cluster's: set it (for example `timedatectl set-ntp true`) and join again"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_far_off_is_refused_with_how_far_and_which_way() {
        assert_eq!(check_clock(10_000, 11_999), Ok(()));
        assert_eq!(
            check_clock(10_000, 20_000).unwrap_err(),
            "the clock of this machine is 10 s behind the cluster's: set it (for example `timedatectl set-ntp true`) and join again"
        );
        assert!(check_clock(20_000, 10_000).unwrap_err().contains("is 10 s ahead of the cluster's"));
    }

    #[test]
    fn another_protocol_version_is_refused() {
        assert!(check_protocol(PROTOCOL + 1).unwrap_err().contains("the same release of ringway"));
    }
}
