//! Driver: a newcomer asks to be let in, and writes down who it is from then on.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rcgen::KeyPair;
use ringway_rt::net;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tracing::info;

use super::{PROTOCOL, Request, Response, Welcome, receive, send};
use crate::certificates;
use crate::cluster::NodeWish;
use crate::error::{Error, internal};
use crate::identity::{self, Identity};
use crate::token::Token;
use crate::wall_clock::WallClock;

const CONNECT_DEADLINE: Duration = Duration::from_secs(3);
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(5);
/// The cluster may take its time to agree.
const ANSWER_DEADLINE: Duration = Duration::from_secs(15);
/// How often it asks again while data moves; the other side takes ten seconds each time.
const TURNS_MAX: usize = 60;

/// Ends with this node being a member, its identity on disk. May be repeated with the same token and directory if the answer got
/// lost.
pub async fn ask(data_dir: &Path, token: &Token, wish: &NodeWish, clock: WallClock) -> Result<Identity, Error> {
    let key = identity::load_or_make_key(data_dir)?;
    identity::note_joining(data_dir, &token.to_text())?;
    let mut last = String::new();
    for _ in 0..TURNS_MAX {
        match ask_once(&key, token, wish, clock).await? {
            Response::Welcome(welcome) => return settle_in(data_dir, key, *welcome),
            Response::Refused(why) => {
                identity::forget_joining(data_dir)?;
                return Err(Error::Refused(why));
            }
            Response::Later(why) => {
                info!(why, "waiting for this node's turn to join");
                last = why;
            }
        }
    }
    Err(Error::Refused(format!("{last} for longer than a newcomer waits: try again with the same token later")))
}

async fn ask_once(key: &KeyPair, token: &Token, wish: &NodeWish, clock: WallClock) -> Result<Response, Error> {
    let (address, mut stream) = connect(token).await?;
    let request = Request {
        protocol: PROTOCOL,
        token_id: token.id.clone(),
        token_secret: token.secret.clone(),
        certificate_request: certificates::make_request(key)?,
        name: wish.name.clone(),
        zone: wish.zone.clone(),
        capacity: wish.capacity,
        addresses: wish.addresses.clone(),
        wall_ms: clock.now_ms(),
    };
    let exchange = async {
        send(&mut stream, &request).await?;
        receive(&mut stream).await
    };
    let broken = |why: String| Error::JoinBroken { address, why };
    let response = tokio::time::timeout(ANSWER_DEADLINE, exchange)
        .await
        .map_err(|_| broken(format!("no answer within {ANSWER_DEADLINE:?}")))?;
    response.map_err(|e| broken(e.to_string()))
}

async fn connect(token: &Token) -> Result<(SocketAddr, TlsStream<TcpStream>), Error> {
    let settings = Arc::new(certificates::join_client(token.fingerprint)?);
    let mut failure = Error::Internal("the token names no address".into());
    for address in &token.addresses {
        let Ok(socket) = net::connect(*address, CONNECT_DEADLINE).await else {
            failure = Error::NobodyAnswers(*address);
            continue;
        };
        // The verifier goes by the fingerprint, not by this name.
        let name = ServerName::from(address.ip());
        match tokio::time::timeout(HANDSHAKE_DEADLINE, TlsConnector::from(settings.clone()).connect(name, socket)).await
        {
            Ok(Ok(stream)) => return Ok((*address, stream)),
            Ok(Err(error)) if is_certificate_error(&error) => failure = Error::OtherCluster(*address),
            Ok(Err(error)) => failure = Error::JoinBroken { address: *address, why: error.to_string() },
            Err(_) => failure = Error::NobodyAnswers(*address),
        }
    }
    Err(failure)
}

fn is_certificate_error(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(inner, Some(rustls::Error::InvalidCertificate(_)))
}

fn settle_in(data_dir: &Path, key: KeyPair, welcome: Welcome) -> Result<Identity, Error> {
    let authority_key =
        KeyPair::from_pem(welcome.authority_key_pem.reveal()).map_err(|e| internal("the authority's key")(&e))?;
    let certificate = CertificateDer::from(welcome.certificate);
    let id = certificates::id_of_certificate(&certificate)
        .ok_or_else(|| Error::Internal("the certificate names no node".into()))?;
    let authority = CertificateDer::from(welcome.authority);
    let identity = Identity {
        id,
        key,
        certificate,
        authority,
        authority_key,
        cluster_id: welcome.cluster_id,
        first_peers: welcome.peers,
    };
    identity.save(data_dir)?;
    identity::forget_joining(data_dir)?;
    Ok(identity)
}
