//! Nodes for tests: each has its runtime, which dies with it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringway_catalog::{Addresses, BlobId, Catalog, Command, Outcome, RingKind};
use ringway_cluster::certificates::{self, ALPN_PEER, TlsSettings};
use ringway_cluster::identity::Identity;
use ringway_cluster::{Cluster, Config, Error, NodeWish, WallClock};
use ringway_ports::ProposeError;
use ringway_ring::NodeId;
use ringway_rt::{files, net, random};
use tokio::runtime::Runtime;

const PATIENCE: Duration = Duration::from_secs(30);

/// A directory for one test, gone afterwards.
pub struct Dir(PathBuf);

impl Dir {
    pub fn new() -> Self {
        let path = std::env::temp_dir().join(format!("ringway-cluster-{:016x}", random::number()));
        files::create_private_dir(&path).expect("a directory");
        Self(path)
    }

    pub fn node(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).expect("a file");
        path
    }

    pub fn blob(&self, node: &str, id: BlobId) -> PathBuf {
        self.node(node).join("blobs").join(id.to_string())
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub struct Node {
    name: String,
    dir: PathBuf,
    address: SocketAddr,
    // In this order: the cluster's tasks run on the runtime.
    cluster: Option<Cluster>,
    runtime: Option<Runtime>,
}

impl Node {
    pub fn found(dir: &Dir, name: &str) -> Self {
        Self::begin(dir, name, any_address(), 0, |config, wish| async { Cluster::found(config, wish).await })
            .expect("founds")
    }

    /// A cluster of one with a peer-to-peer ring.
    pub fn found_chord(dir: &Dir, name: &str, vnodes: u8) -> Self {
        let ring = RingKind::Chord { vnodes };
        let found = |config, wish| async move { Cluster::found(config, NodeWish { ring, ..wish }).await };
        Self::begin(dir, name, any_address(), 0, found).expect("founds")
    }

    pub fn join(dir: &Dir, name: &str, token: &str, skew_ms: i64) -> Result<Self, Error> {
        Self::join_at(dir, name, any_address(), token, skew_ms)
    }

    pub fn join_at(dir: &Dir, name: &str, at: SocketAddr, token: &str, skew_ms: i64) -> Result<Self, Error> {
        Self::join_as(dir, name, name, at, token, skew_ms)
    }

    /// With a name that is not that of its folder.
    pub fn join_as(
        dir: &Dir,
        folder: &str,
        name: &str,
        at: SocketAddr,
        token: &str,
        skew_ms: i64,
    ) -> Result<Self, Error> {
        let (token, name) = (token.to_owned(), name.to_owned());
        let node = Self::begin(dir, folder, at, skew_ms, |config, wish| async move {
            Cluster::join(config, &token, NodeWish { name, ..wish }).await
        })?;
        node.wait(async { tokio::time::timeout(PATIENCE, node.cluster().ready()).await.expect("gets its catalog") });
        Ok(node)
    }

    /// Claims an address that is not its own.
    pub fn join_saying(dir: &Dir, name: &str, address: SocketAddr, token: &str) -> Result<Self, Error> {
        let token = token.to_owned();
        Self::begin(dir, name, any_address(), 0, |config, mut wish| async move {
            wish.addresses.peer = address;
            Cluster::join(config, &token, wish).await
        })
    }

    pub fn open(dir: &Dir, name: &str, at: SocketAddr) -> Self {
        Self::try_open(dir, name, at).expect("opens")
    }

    pub fn try_open(dir: &Dir, name: &str, at: SocketAddr) -> Result<Self, Error> {
        Self::begin(dir, name, at, 0, |config, wish| async move { Cluster::open(config, wish.addresses).await })
    }

    fn begin<F, W>(dir: &Dir, name: &str, at: SocketAddr, skew_ms: i64, make: F) -> Result<Self, Error>
    where
        F: FnOnce(Config, NodeWish) -> W,
        W: Future<Output = Result<Cluster, Error>>,
    {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let listener = eventually_some("the address is free", || net::listen("a test", at, "--peer", false).ok());
        let address = listener.local_addr().expect("bound");
        let data_dir = dir.node(name);
        let clock = WallClock { offset_ms: skew_ms };
        let addresses = Addresses { peer: address, http: None, https: None, redis: None, admin: address };
        let wish = NodeWish { name: name.into(), zone: String::new(), capacity: 1, addresses, ring: RingKind::Managed };
        let config = Config { data_dir: data_dir.clone(), listener, clock };
        let cluster = runtime.block_on(async {
            let cluster = make(config, wish).await?;
            cluster.set_on_http(Arc::new(|_, stream| {
                tokio::spawn(async move {
                    let (mut read, mut write) = tokio::io::split(stream);
                    let _ = tokio::io::copy(&mut read, &mut write).await;
                });
            }));
            cluster.start()?;
            Ok::<_, Error>(cluster)
        })?;
        Ok(Self { name: name.into(), dir: data_dir, address, cluster: Some(cluster), runtime: Some(runtime) })
    }

    pub fn cluster(&self) -> &Cluster {
        self.cluster.as_ref().expect("until it is stopped")
    }

    pub fn id(&self) -> NodeId {
        self.cluster().own_id()
    }

    pub fn name(&self) -> String {
        self.name.clone()
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn catalog(&self) -> Arc<Catalog> {
        self.cluster().control_log.catalog()
    }

    pub fn identity(&self) -> Identity {
        Identity::load(&self.dir).expect("an identity")
    }

    pub fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.as_ref().expect("until it is stopped").block_on(work)
    }

    pub fn propose(&self, command: Command) -> Result<Outcome, ProposeError> {
        self.wait(self.cluster().control_log.propose(command))
    }

    pub fn token(&self) -> String {
        self.token_for(Duration::from_secs(600))
    }

    pub fn token_for(&self, ttl: Duration) -> String {
        self.wait(self.cluster().issue_token(ttl)).expect("a token")
    }

    pub fn leave(&self) {
        self.wait(self.cluster().leave()).expect("leaves");
    }

    /// In order.
    pub fn stop(mut self) {
        if let (Some(cluster), Some(runtime)) = (self.cluster.take(), self.runtime.take()) {
            runtime.block_on(cluster.stop(Duration::from_secs(10)));
        }
    }

    /// Like SIGKILL: nobody is told, sockets close.
    pub fn kill(mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(5));
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(5));
        }
    }
}

/// The data tier's part: everybody says that it has what is its.
pub fn settle<N: std::borrow::Borrow<Node>>(nodes: &[N]) {
    let first: &Node = nodes[0].borrow();
    let catalog = first.catalog();
    for member in catalog.layout.members() {
        first
            .propose(Command::Synced { node: *member, epoch: first.catalog().epoch, partitions: None })
            .expect("synced");
    }
    assert!(!first.catalog().is_moving());
}

/// Waits for a condition, with a deadline.
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    eventually_some(what, || condition().then_some(()));
}

pub fn eventually_some<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(started.elapsed() < PATIENCE, "never: {what}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

pub fn any_address() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

/// An address where nobody listens.
pub fn closed_address() -> SocketAddr {
    let listener = std::net::TcpListener::bind(any_address()).expect("a port");
    listener.local_addr().expect("bound")
}

/// As if the node had crashed after the cluster took it in and before it knew.
pub fn lose_answer(dir: &Dir, name: &str) {
    std::fs::remove_file(dir.node(name).join("cluster/membership.json")).expect("it was there");
}

/// A certificate that a removed node could make for itself: it knows the authority's key.
pub fn forge(of: &Identity) -> Identity {
    let key = certificates::make_key().expect("a key");
    let (id, certificate) = certificates::sign_own(&of.authority, &of.authority_key, &key).expect("a certificate");
    let authority_key = rcgen_key(&of.authority_key.serialize_pem());
    Identity {
        id,
        key,
        certificate,
        authority: of.authority.clone(),
        authority_key,
        cluster_id: String::new(),
        first_peers: Default::default(),
    }
}

fn rcgen_key(pem: &str) -> rcgen::KeyPair {
    rcgen::KeyPair::from_pem(pem).expect("a key")
}

/// Whether a client with that certificate gets an answer to a ping from `node`.
pub fn can_speak(node: &Node, identity: Option<&Identity>) -> bool {
    use rustls::ClientConfig;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let settings = match identity {
        Some(identity) => {
            // Trusts the server's authority, whatever its own.
            let server = node.identity();
            let mut both = Identity { authority: server.authority.clone(), ..clone(identity) };
            both.authority_key = rcgen_key(&server.authority_key.serialize_pem());
            TlsSettings::of(&both).expect("settings").peer_client
        }
        None => {
            let fingerprint = certificates::fingerprint_of(&node.identity().authority);
            let mut settings = certificates::join_client(fingerprint).expect("settings");
            settings.alpn_protocols = vec![ALPN_PEER.to_vec()];
            Arc::new(settings) as Arc<ClientConfig>
        }
    };
    let talk = async {
        let socket = net::connect(node.address(), Duration::from_secs(2)).await.ok()?;
        let name = certificates::server_name_of(node.id());
        let mut stream = tokio_rustls::TlsConnector::from(settings).connect(name, socket).await.ok()?;
        // A ping: length, kind 7, service 0, id 1, no body. The answer is a pong, kind 8.
        stream.write_all(&[0, 0, 0, 10, 7, 0, 0, 0, 0, 0, 0, 0, 0, 1]).await.ok()?;
        stream.flush().await.ok()?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).await.ok()?;
        (answer[4] == 8).then_some(())
    };
    let spoken = node.wait(async { tokio::time::timeout(Duration::from_secs(5), talk).await });
    spoken.expect("refused or answered, but in time").is_some()
}

fn clone(of: &Identity) -> Identity {
    Identity {
        id: of.id,
        key: rcgen_key(&of.key.serialize_pem()),
        certificate: of.certificate.clone(),
        authority: of.authority.clone(),
        authority_key: rcgen_key(&of.authority_key.serialize_pem()),
        cluster_id: of.cluster_id.clone(),
        first_peers: of.first_peers.clone(),
    }
}
