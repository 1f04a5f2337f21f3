//! What the tests stand on: a front end on a free port, an app to serve, stand-ins for everything else.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use http_body_util::BodyExt;
use ringway_catalog::{Addresses, App, BlobId, Catalog, Command, NodeInfo, NodeState, Outcome, Release};
use ringway_front::{Config, Deps, Front};
use ringway_manifest::{Manifest, PathPattern, Route, Service as AppService, Target};
use ringway_ports::invoke::LeaseGuard;
use ringway_ports::*;
use ringway_ring::NodeId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;

/// Nothing in these tests takes longer.
pub const SOON: Duration = Duration::from_secs(20);

/// A node's front end and everything around it.
pub struct Stage {
    pub front: Arc<Front>,
    pub address: SocketAddr,
    pub app: Arc<FakeApp>,
    pub control: Arc<FakeControl>,
    pub membership: Arc<FakeMembership>,
    pub dir: PathBuf,
    pub telemetry: Arc<FakeTelemetry>,
    net: Arc<Net>,
    number: u8,
}

impl Stage {
    pub fn new(routes: Vec<Route>) -> Self {
        Self::with(routes, |_| {})
    }

    pub fn with(routes: Vec<Route>, change: impl FnOnce(&mut Config)) -> Self {
        let catalog = catalog(routes, &[]);
        Self::node(1, catalog, &Arc::new(Net::default()), change)
    }

    /// A front end among others.
    pub fn node(number: u8, catalog: Catalog, net: &Arc<Net>, change: impl FnOnce(&mut Config)) -> Self {
        let dir = std::env::temp_dir().join(format!("ringway-front-{:016x}", ringway_rt::random::number()));
        std::fs::create_dir_all(dir.join("public")).unwrap();
        let app = Arc::new(FakeApp { dir: dir.as_path().into(), ..FakeApp::default() });
        let control = Arc::new(FakeControl(watch::Sender::new(Arc::new(catalog))));
        let membership = Arc::new(FakeMembership::default());
        let telemetry = Arc::new(FakeTelemetry::default());
        let mut config = Config::plain("127.0.0.1:0".parse().unwrap());
        config.threads = 1;
        change(&mut config);
        let deps = Deps {
            invoke: app.clone(),
            peers: Arc::new(FakePeers { own: node_id(number), net: net.clone() }),
            membership: membership.clone(),
            control: control.clone(),
            telemetry: telemetry.clone(),
            cache: None,
        };
        let front = Arc::new(Front::new(config, deps).unwrap());
        front.start().unwrap();
        net.0.lock().unwrap().insert(node_id(number), front.clone());
        Self {
            address: front.http_addr().unwrap(),
            front,
            app,
            control,
            membership,
            dir,
            net: net.clone(),
            number,
            telemetry,
        }
    }

    pub fn peers(&self) -> Arc<dyn Peers> {
        Arc::new(FakePeers { own: node_id(self.number), net: self.net.clone() })
    }

    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.dir.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Says that instances of `service` on this node are at `address`.
    pub fn instance(&self, service: &str, address: SocketAddr) {
        self.app.instances.lock().unwrap().insert(service.to_owned(), address);
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.get_with(path, &[]).await
    }

    pub async fn get_with(&self, path: &str, headers: &[&str]) -> Reply {
        self.ask("GET", path, headers, "").await
    }

    pub async fn ask(&self, method: &str, path: &str, headers: &[&str], body: &str) -> Reply {
        let mut text = format!("{method} {path} HTTP/1.1\r\nHost: shop.localhost\r\nConnection: close\r\n");
        headers.iter().for_each(|header| text.push_str(&format!("{header}\r\n")));
        Reply::parse(&talk(self.address, format!("{text}\r\n{body}").as_bytes()).await)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // The last reference stops it.
        self.net.0.lock().unwrap().remove(&node_id(self.number));
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// One answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn parse(bytes: &[u8]) -> Self {
        let end =
            memchr_head(bytes).unwrap_or_else(|| panic!("no whole answer in {:?}", String::from_utf8_lossy(bytes)));
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head, body: bytes[end + 4..].to_vec() }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let is_it = |line: &&str| line.split(':').next().is_some_and(|own| own.eq_ignore_ascii_case(name));
        self.head.lines().find(is_it).map(|line| line[name.len() + 1..].trim())
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

fn memchr_head(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n")
}

/// Sends bytes and reads until the other side closes.
pub async fn talk(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    read_all(&mut stream).await
}

pub async fn read_all(stream: &mut TcpStream) -> Vec<u8> {
    let mut answer = Vec::new();
    timeout(SOON, stream.read_to_end(&mut answer)).await.expect("the connection is closed in time").unwrap();
    answer
}

/// Reads until `end` has come, and returns all that came.
pub async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut seen = Vec::new();
    let read = async {
        while !seen.ends_with(end.as_bytes()) {
            let byte =
                stream.read_u8().await.unwrap_or_else(|_| panic!("closed after {:?}", String::from_utf8_lossy(&seen)));
            seen.push(byte);
        }
    };
    let waited = timeout(SOON, read).await;
    waited.unwrap_or_else(|_| panic!("waited for {end:?}"));
    String::from_utf8(seen).unwrap()
}

pub async fn read_head(stream: &mut TcpStream) -> String {
    read_until(stream, "\r\n\r\n").await
}

/// A server for which `serve` is called with each connection and its number.
pub async fn upstream<F, W>(serve: F) -> SocketAddr
where
    F: Fn(TcpStream, usize) -> W + Send + 'static,
    W: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for number in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(stream, number));
        }
    });
    address
}

pub fn route(path: &str, to: Target) -> Route {
    let tree = matches!(to, Target::Static { .. } | Target::Cgi { .. });
    Route::new(PathPattern::parse(path, tree).unwrap(), to)
}

pub fn files(path: &str) -> Route {
    route(path, Target::Static { dir: "public".to_owned() })
}

pub fn service(path: &str) -> Route {
    route(path, Target::Service("web".to_owned()))
}

pub fn function(path: &str, name: &str) -> Route {
    route(path, Target::Function(name.to_owned()))
}

pub fn node_id(number: u8) -> NodeId {
    NodeId::from_bytes([number; 16])
}

/// An app `shop` with a service `web`, and the nodes it may be on.
pub fn catalog(routes: Vec<Route>, nodes: &[u8]) -> Catalog {
    let mut manifest = Manifest::new("shop");
    manifest.routes = routes;
    manifest.services.insert("web".to_owned(), AppService::new("./web"));
    let release = Release { number: 1, manifest, files: BlobId([7; 32]), files_len: 0, created_ms: 0 };
    let app = App { name: "shop".to_owned(), releases: vec![release], current: 1, first_deployed_ms: 1 };
    let mut catalog = Catalog::default();
    catalog.apps.insert("shop".to_owned(), app);
    for number in nodes {
        let nowhere = SocketAddr::from(([127, 0, 0, 1], u16::from(*number)));
        let addresses = Addresses { peer: nowhere, http: None, https: None, redis: None, admin: nowhere };
        let node = NodeInfo {
            id: node_id(*number),
            name: number.to_string(),
            zone: String::new(),
            capacity: 1,
            addresses,
            joined_ms: 0,
            state: NodeState::Active,
        };
        catalog.nodes.insert(node.id, node);
    }
    catalog
}

/// The app tier.
pub struct FakeApp {
    pub dir: Arc<Path>,
    /// Of releases whose files are elsewhere.
    pub by_release: Mutex<HashMap<u64, PathBuf>>,
    pub instances: Mutex<HashMap<String, SocketAddr>>,
    pub leases: AtomicUsize,
    pub held: Arc<AtomicUsize>,
    pub failed: Arc<AtomicUsize>,
}

impl Default for FakeApp {
    fn default() -> Self {
        Self {
            dir: Path::new("/").into(),
            by_release: Mutex::default(),
            instances: Mutex::default(),
            leases: AtomicUsize::new(0),
            held: Arc::default(),
            failed: Arc::default(),
        }
    }
}

struct FakeGuard {
    held: Arc<AtomicUsize>,
    failed: Arc<AtomicUsize>,
}

impl LeaseGuard for FakeGuard {
    fn failed(&self) {
        self.failed.fetch_add(1, Ordering::SeqCst);
    }
}

impl Drop for FakeGuard {
    fn drop(&mut self) {
        self.held.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Invoke for FakeApp {
    fn invoke(&self, invocation: Invocation) -> BoxFuture<'static, Result<Response<Body>, InvokeError>> {
        let Target::Function(name) = invocation.work.target.clone() else { panic!("only functions here") };
        async move {
            match name.as_str() {
                "panic" => panic!("the app tier has a bug"),
                "busy" => Err(InvokeError::Overloaded { what: "secret/path".to_owned(), limit: 1 }),
                "never" => std::future::pending().await,
                _ => tell(invocation).await,
            }
        }
        .boxed()
    }

    fn lease(&self, work: Work) -> BoxFuture<'static, Result<Lease, InvokeError>> {
        let Target::Service(name) = work.target else { panic!("only services here") };
        self.leases.fetch_add(1, Ordering::SeqCst);
        let found = self.instances.lock().unwrap().get(&name).copied();
        let (held, failed) = (self.held.clone(), self.failed.clone());
        async move {
            let address =
                found.ok_or(InvokeError::NotStarting { what: name, detail: "exited with status 1".to_owned() })?;
            held.fetch_add(1, Ordering::SeqCst);
            Ok(Lease { address, instance: "shop/web#1".into(), guard: Box::new(FakeGuard { held, failed }) })
        }
        .boxed()
    }

    fn files(&self, work: Work) -> BoxFuture<'static, Result<Arc<Path>, InvokeError>> {
        let other = self.by_release.lock().unwrap().get(&work.release.number).map(|dir| dir.as_path().into());
        let dir = other.unwrap_or_else(|| self.dir.clone());
        async move { Ok(dir) }.boxed()
    }
}

/// Writes down the request.
async fn tell(invocation: Invocation) -> Result<Response<Body>, InvokeError> {
    let (mount, tls, client) = (invocation.mount, invocation.tls, invocation.client.ip());
    let (parts, body) = invocation.request.into_parts();
    let body = body
        .collect()
        .await
        .map_err(|error| InvokeError::AppFailed { what: "tell".to_owned(), detail: error.to_string() })?
        .to_bytes();
    let headers: BTreeMap<&str, &str> =
        parts.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    let shown: String = headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
    let text =
        format!("{} {} mount={mount} tls={tls} client={client} body={}\n{shown}", parts.method, parts.uri, body.len());
    Ok(Response::builder()
        .header("connection", "x-hop")
        .header("x-hop", "1")
        .header("x-end", "1")
        .body(full(text))
        .unwrap())
}

/// The agreed catalog.
pub struct FakeControl(pub watch::Sender<Arc<Catalog>>);

impl ControlLog for FakeControl {
    fn catalog(&self) -> Arc<Catalog> {
        self.0.borrow().clone()
    }

    fn watch(&self) -> watch::Receiver<Arc<Catalog>> {
        self.0.subscribe()
    }

    fn propose(&self, _command: Command) -> BoxFuture<'static, Result<Outcome, ProposeError>> {
        async { Err(ProposeError::Stopping) }.boxed()
    }

    fn leader(&self) -> Option<NodeId> {
        None
    }
}

#[derive(Default)]
pub struct FakeMembership {
    pub reported: Mutex<Vec<NodeId>>,
}

impl Membership for FakeMembership {
    fn watch(&self) -> watch::Receiver<Arc<BTreeMap<NodeId, Reach>>> {
        watch::channel(Arc::default()).1
    }

    fn report_failure(&self, node: NodeId) {
        self.reported.lock().unwrap().push(node);
    }

    fn is_reachable(&self, _node: NodeId) -> bool {
        true
    }
}

/// Keeps the spans.
#[derive(Default)]
pub struct FakeTelemetry {
    pub spans: Mutex<Vec<SpanRecord>>,
    /// Nothing is sampled.
    pub is_off: AtomicBool,
}

impl FakeTelemetry {
    /// The spans so far, once there are `count`.
    pub async fn spans(&self, count: usize) -> Vec<SpanRecord> {
        let all = async {
            loop {
                let spans = self.spans.lock().unwrap().clone();
                if spans.len() >= count {
                    return spans;
                }
                tokio::task::yield_now().await;
            }
        };
        timeout(SOON, all).await.expect("the spans come")
    }
}

impl Telemetry for FakeTelemetry {
    fn wants_spans(&self) -> bool {
        true
    }

    fn samples(&self, _trace_id: u128) -> bool {
        !self.is_off.load(Ordering::Relaxed)
    }

    fn span(&self, span: SpanRecord) {
        self.spans.lock().unwrap().push(span);
    }
}

/// The fronts that reach each other, by pipes in memory.
#[derive(Default)]
pub struct Net(pub Mutex<HashMap<NodeId, Arc<Front>>>);

struct FakePeers {
    own: NodeId,
    net: Arc<Net>,
}

impl Peers for FakePeers {
    fn call(
        &self,
        to: NodeId,
        _: Priority,
        _: Service,
        _: Bytes,
        _: Duration,
    ) -> BoxFuture<'static, Result<Bytes, PeerError>> {
        async move { Err(PeerError::Busy(to)) }.boxed()
    }

    fn tell(&self, _: NodeId, _: Priority, _: Service, _: Bytes) {}

    fn open_http(&self, to: NodeId) -> BoxFuture<'static, Result<Box<dyn PeerStream>, PeerError>> {
        let other = self.net.0.lock().unwrap().get(&to).cloned();
        let own = self.own;
        async move {
            let other = other.ok_or_else(|| PeerError::Unreachable(to, "it is not there".to_owned()))?;
            let (near, far) = tokio::io::duplex(64 << 10);
            other.serve_peer_stream(own, Box::new(far));
            Ok(Box::new(near) as Box<dyn PeerStream>)
        }
        .boxed()
    }

    fn serve(&self, _: Service, _: Arc<dyn PeerHandler>) {}

    fn own_id(&self) -> NodeId {
        self.own
    }
}

/// Kept here so that tests build requests in one way.
pub fn request(method: &str, uri: &str, body: Body) -> Request<Body> {
    Request::builder().method(method).uri(uri).body(body).unwrap()
}
