//! Two transports with real certificates and sockets, and everything above them made up.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ringway_catalog::{Addresses, Catalog, NodeInfo, NodeState};
use rustls_pki_types::CertificateDer;
use tokio::sync::{mpsc, watch};

use super::*;
use crate::certificates;
use crate::identity::Identity;

const SOON: Duration = Duration::from_secs(10);

struct Side {
    transport: Transport,
    roster: Arc<Roster>,
    catalog: watch::Sender<Arc<Catalog>>,
    id: NodeId,
    address: SocketAddr,
    listener: Option<std::net::TcpListener>,
    told: mpsc::Receiver<&'static str>,
    tasks: Tasks,
}

struct Told(mpsc::Sender<&'static str>);

impl Observer for Told {
    fn lost(&self, _: NodeId) {
        let _ = self.0.try_send("lost");
    }

    fn connected(&self, _: NodeId) {
        let _ = self.0.try_send("connected");
    }

    fn refused_by(&self, _: NodeId) {
        let _ = self.0.try_send("refused");
    }
}

/// An authority and its key, in a directory that is gone again.
fn authority() -> Identity {
    let dir: PathBuf = std::env::temp_dir().join(format!("ringway-transport-{:016x}", ringway_rt::random::number()));
    let identity = Identity::found(&dir).unwrap();
    std::fs::remove_dir_all(&dir).unwrap();
    identity
}

fn side(of: &Identity) -> Side {
    let key = certificates::make_key().unwrap();
    let (id, certificate) = certificates::sign_own(&of.authority, &of.authority_key, &key).unwrap();
    let authority: CertificateDer<'static> = of.authority.clone();
    let authority_key = rcgen::KeyPair::from_pem(&of.authority_key.serialize_pem()).unwrap();
    let identity = Identity {
        id,
        key,
        certificate,
        authority,
        authority_key,
        cluster_id: String::new(),
        first_peers: BTreeMap::new(),
    };
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (catalog, see_catalog) = watch::channel(Arc::default());
    let roster = Arc::new(Roster::new(id, see_catalog, BTreeMap::new()));
    let tasks = Tasks::new("test");
    let tls = TlsSettings::of(&identity).unwrap();
    let transport = Transport::new(id, address, WallClock::default(), tls, roster.clone(), tasks.clone());
    let (tell, told) = mpsc::channel(64);
    transport.set_observer(Arc::new(Told(tell)));
    Side { transport, roster, catalog, id, address, listener: Some(listener), told, tasks }
}

fn catalog_of(revision: u64, sides: &[&Side]) -> Arc<Catalog> {
    let info = |side: &&Side| NodeInfo {
        id: side.id,
        name: side.id.short(),
        zone: String::new(),
        capacity: 1,
        addresses: Addresses { peer: side.address, http: None, https: None, redis: None, admin: side.address },
        joined_ms: 0,
        state: NodeState::Active,
    };
    Arc::new(Catalog {
        revision,
        nodes: sides.iter().map(|side| (side.id, info(side))).collect(),
        ..Catalog::default()
    })
}

struct Hang;

impl PeerHandler for Hang {
    fn handle(&self, _: NodeId, body: Bytes) -> BoxFuture<'static, Result<Bytes, String>> {
        if body.is_empty() { std::future::pending().boxed() } else { std::future::ready(Ok(body)).boxed() }
    }
}

impl Side {
    fn listen(&mut self) {
        self.transport.serve(Service::Data, Arc::new(Hang));
        self.transport.start(self.listener.take().unwrap()).unwrap();
    }

    async fn call(&self, to: &Side) -> Result<Bytes, PeerError> {
        self.transport.call(to.id, Priority::Client, Service::Data, Bytes::from_static(b"hi"), SOON).await
    }

    async fn hears(&mut self, what: &str) {
        let heard = async { while self.told.recv().await.is_some_and(|told| told != what) {} };
        tokio::time::timeout(SOON, heard).await.unwrap_or_else(|_| panic!("never heard {what}"));
    }
}

#[tokio::test]
async fn a_node_that_is_not_known_yet_is_let_in_only_if_a_member_vouches_for_it() {
    let authority = authority();
    let (mut member, newcomer) = (side(&authority), side(&authority));
    member.catalog.send_replace(catalog_of(1, &[&member]));
    newcomer.catalog.send_replace(catalog_of(2, &[&member, &newcomer]));
    member.listen();
    assert!(matches!(newcomer.call(&member).await, Err(PeerError::Unreachable(..))));

    let (id, address) = (newcomer.id, newcomer.address);
    member.transport.set_vouch(Arc::new(move |asked| std::future::ready((asked == id).then_some(address)).boxed()));
    let let_in = async {
        while newcomer.call(&member).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, let_in).await.expect("let in");
    assert!(member.roster.is_member(id));
    assert_eq!(member.roster.addresses(id), [address]);
}

#[tokio::test]
async fn a_node_that_is_put_out_is_told_and_cut_off() {
    let authority = authority();
    let (mut member, mut other) = (side(&authority), side(&authority));
    for side in [&member, &other] {
        side.catalog.send_replace(catalog_of(5, &[&member, &other]));
    }
    member.listen();
    assert_eq!(other.call(&member).await, Ok(Bytes::from_static(b"hi")));
    member.catalog.send_replace(catalog_of(6, &[&member]));
    other.hears("refused").await;
    assert!(matches!(other.call(&member).await, Err(PeerError::Unreachable(..))));
}

#[tokio::test]
async fn a_node_that_is_ahead_of_the_one_that_refuses_it_does_not_take_itself_for_removed() {
    let authority = authority();
    let (mut member, mut other) = (side(&authority), side(&authority));
    member.catalog.send_replace(catalog_of(1, &[&member]));
    other.catalog.send_replace(catalog_of(2, &[&member, &other]));
    member.listen();
    assert!(other.call(&member).await.is_err());
    other.hears("lost").await;
    assert!(!std::iter::from_fn(|| other.told.try_recv().ok()).any(|told| told == "refused"));
}

#[tokio::test]
async fn a_node_that_has_too_much_under_way_says_busy_and_stays_open_to_the_consensus() {
    let authority = authority();
    let (mut member, other) = (side(&authority), side(&authority));
    for side in [&member, &other] {
        side.catalog.send_replace(catalog_of(5, &[&member, &other]));
    }
    member.transport.serve(Service::Consensus, Arc::new(Hang));
    member.listen();
    let hang = || other.transport.call(member.id, Priority::Client, Service::Data, Bytes::new(), SOON);
    let mut hanging: tokio::task::JoinSet<_> = (0..=HANDLERS_MAX).map(|_| hang()).collect();
    let first_back = tokio::time::timeout(SOON / 2, hanging.join_next()).await.expect("one too many").unwrap().unwrap();
    assert_eq!(first_back, Err(PeerError::Busy(member.id)));
    assert_eq!(hanging.len(), HANDLERS_MAX);
    let urgent =
        other.transport.call(member.id, Priority::Control, Service::Consensus, Bytes::from_static(b"vote"), SOON);
    assert_eq!(urgent.await, Ok(Bytes::from_static(b"vote")));
}

#[tokio::test]
async fn a_connection_is_made_anew_when_the_other_side_comes_back() {
    let authority = authority();
    let (mut member, other) = (side(&authority), side(&authority));
    for side in [&member, &other] {
        side.catalog.send_replace(catalog_of(5, &[&member, &other]));
    }
    // Nobody accepts yet, but the port is bound: close it, so that connections are refused.
    let address = member.address;
    drop(member.listener.take());
    assert!(matches!(other.call(&member).await, Err(PeerError::Unreachable(..))));
    member.listener = Some(ringway_rt::net::listen("a test", address, "--peer", false).unwrap());
    member.listen();
    let answered = async {
        while other.call(&member).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, answered).await.expect("answered");
    assert_eq!(other.tasks.stop(SOON).await, 0);
    assert!(matches!(other.call(&member).await, Err(PeerError::Unreachable(..))));
}

/// Counts what it is told.
#[derive(Default)]
struct Count(std::sync::atomic::AtomicUsize);

impl PeerHandler for Count {
    fn handle(&self, _: NodeId, _: Bytes) -> BoxFuture<'static, Result<Bytes, String>> {
        self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        std::future::ready(Ok(Bytes::new())).boxed()
    }
}

#[tokio::test]
async fn what_a_node_has_said_before_it_stops_is_heard() {
    let authority = authority();
    let (mut member, other) = (side(&authority), side(&authority));
    for side in [&member, &other] {
        side.catalog.send_replace(catalog_of(5, &[&member, &other]));
    }
    let count = Arc::new(Count::default());
    member.transport.serve(Service::Membership, count.clone());
    member.listen();
    other.call(&member).await.unwrap();
    for _ in 0..50 {
        other.transport.tell(member.id, Priority::Control, Service::Membership, Bytes::from_static(b"good-bye"));
    }
    assert_eq!(other.tasks.stop(SOON).await, 0);
    let heard = async {
        while count.0.load(std::sync::atomic::Ordering::SeqCst) < 50 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, heard).await.expect("all of it is heard");
}
