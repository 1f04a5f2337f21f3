//! A node of its own for each test: an app tier with stand-ins for everything around it.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use ringway_app::{AppTier, Config, Deps};
use ringway_catalog::{App, BlobId, Catalog, Command, NodeInfo, Outcome, Release};
use ringway_manifest::{Function, FunctionRun, Manifest, Service, Target};
use ringway_ports::{
    BlobError, Blobs, Body, ControlLog, Instances, Invocation, Invoke, InvokeError, Membership, NoMemcacheDoors,
    NoTelemetry, ProposeError, Reach, Work, empty, full,
};
use ringway_protocol::trace_context::TraceContext;
use ringway_ring::NodeId;
use ringway_sandbox::{SPAWNER_ARGUMENT, Spawner};
use tokio::net::TcpListener;
use tokio::sync::watch;

pub const PATIENCE: Duration = Duration::from_secs(30);
const APP: &str = "shop";

pub struct Site {
    pub tier: Arc<AppTier>,
    pub dir: PathBuf,
    blobs: Arc<StoredBlobs>,
    control: Arc<FixedCatalog>,
    spawner: Spawner,
}

impl Site {
    pub async fn new() -> Self {
        let dir = std::env::temp_dir().join(format!("ringway-app-{:016x}", ringway_rt::random::number()));
        std::fs::create_dir_all(&dir).unwrap();
        let dir = dir.canonicalize().unwrap();
        let program = Path::new(env!("CARGO_BIN_EXE_app-spawner-for-tests"));
        let spawner = Spawner::start(program, [SPAWNER_ARGUMENT]).await.unwrap();
        let blobs = Arc::new(StoredBlobs { dir: dir.join("blobs"), known: Mutex::default() });
        std::fs::create_dir_all(&blobs.dir).unwrap();
        let control = Arc::new(FixedCatalog(watch::Sender::new(Arc::new(catalog()))));
        let wasm = ringway_wasm::Config { cache_dir: dir.join("wasm"), instances_max: 8, memory_max: 64 << 20 };
        let deps = Deps {
            spawner: spawner.clone(),
            wasm: ringway_wasm::Engine::new(wasm).unwrap(),
            blobs: blobs.clone(),
            control: control.clone(),
            membership: Arc::new(Alone(watch::Sender::new(Arc::default()))),
            telemetry: Arc::new(NoTelemetry),
            memcache: Arc::new(NoMemcacheDoors),
        };
        let config = Config {
            data_dir: dir.join("data"),
            own_id: NodeId::default(),
            node_name: "alpha".to_owned(),
            redis_addr: None,
            front_url: "http://127.0.0.1:8080".to_owned(),
            otlp: None,
            path: std::env::var("PATH").unwrap_or_else(|_| "/usr/bin:/bin".to_owned()),
        };
        let tier = AppTier::new(config, deps).unwrap();
        tier.start();
        Self { tier, dir, blobs, control, spawner }
    }

    /// Puts a release of the app into the catalog.
    pub fn deploy(&self, files: Files, change: impl FnOnce(&mut Manifest)) -> Arc<Release> {
        let mut manifest = Manifest::new(APP);
        change(&mut manifest);
        let blob = self.blobs.keep(&files.packed());
        let mut next = Catalog::clone(&self.control.catalog());
        let app = next.apps.entry(APP.to_owned()).or_insert_with(|| App {
            name: APP.to_owned(),
            releases: vec![],
            current: 0,
            first_deployed_ms: 1,
        });
        app.current += 1;
        let release = Release { number: app.current, manifest, files: blob, files_len: 0, created_ms: 0 };
        app.releases.push(release.clone());
        self.control.0.send_replace(Arc::new(next));
        Arc::new(release)
    }

    /// Takes the app out of the catalog.
    pub fn remove_app(&self) {
        let mut next = Catalog::clone(&self.control.catalog());
        next.apps.clear();
        self.control.0.send_replace(Arc::new(next));
    }

    pub async fn invoke(&self, invocation: Invocation) -> Result<Answer, InvokeError> {
        let response =
            tokio::time::timeout(PATIENCE, self.tier.invoke(invocation)).await.expect("an answer in time")?;
        let (parts, body) = response.into_parts();
        let body = tokio::time::timeout(PATIENCE, body.collect()).await.expect("a body in time");
        let body = body.map(|body| body.to_bytes()).map_err(|error| error.to_string());
        Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
    }

    /// The text of a successful GET.
    pub async fn get(&self, release: &Arc<Release>, target: Target, path: &str) -> String {
        self.invoke(get(release, target, path)).await.unwrap().text()
    }

    pub async fn until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let waiting = async {
            while !condition(self) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, waiting).await.is_err() {
            panic!("waited in vain until {what}\n{:#?}\n{}", self.tier.list(), self.logs());
        }
    }

    pub fn logs(&self) -> String {
        let lines = self.tier.recent_logs(APP, usize::MAX);
        lines.into_iter().map(|line| format!("{} {:?} {}\n", line.instance, line.stream, line.text)).collect()
    }

    /// Serves everything to one target, as a front end would.
    pub async fn serve(&self, release: Arc<Release>, target: Target, mount: usize) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let tier = Arc::clone(&self.tier);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tier, release, target) = (Arc::clone(&tier), Arc::clone(&release), target.clone());
                let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                    let request = request.map(|body| body.map_err(Into::into).boxed_unsync());
                    let invocation = Invocation { mount, ..invocation(&release, target.clone(), request) };
                    let answer = tier.invoke(invocation);
                    async move {
                        Ok::<_, Infallible>(answer.await.unwrap_or_else(|error| {
                            let mut response = Response::new(full(error.to_string()));
                            *response.status_mut() = StatusCode::BAD_GATEWAY;
                            response
                        }))
                    }
                });
                let connection = hyper::server::conn::http1::Builder::new();
                tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
            }
        });
        address
    }

    pub async fn stop(self) {
        self.tier.stop(PATIENCE).await;
        self.spawner.stop(PATIENCE).await;
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: http::HeaderMap,
    /// Or why it broke off.
    pub body: Result<Bytes, String>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone().expect("a whole body").to_vec()).unwrap()
    }
}

pub fn request(method: &str, path: &str, body: Body) -> Request<Body> {
    Request::builder().method(method).uri(path).header("host", "shop.example.org").body(body).unwrap()
}

pub fn get(release: &Arc<Release>, target: Target, path: &str) -> Invocation {
    invocation(release, target, request("GET", path, empty()))
}

pub fn invocation(release: &Arc<Release>, target: Target, request: Request<Body>) -> Invocation {
    Invocation {
        work: work(release, target),
        request,
        mount: 0,
        client: "192.0.2.7:5000".parse().unwrap(),
        server: "127.0.0.1:8080".parse().unwrap(),
        tls: false,
        request_id: "r-1".into(),
        trace: TraceContext { trace_id: 1, span_id: 2, sampled: false },
        timeout: Some(Duration::from_secs(10)),
    }
}

pub fn work(release: &Arc<Release>, target: Target) -> Work {
    Work { app: APP.into(), release: Arc::clone(release), target }
}

pub fn function(run: FunctionRun, change: impl FnOnce(&mut Function)) -> impl FnOnce(&mut Manifest) {
    let mut function = Function::new(run);
    change(&mut function);
    move |manifest| {
        manifest.functions.insert("price".to_owned(), function);
    }
}

pub fn price() -> Target {
    Target::Function("price".to_owned())
}

pub fn service<F: FnOnce(&mut Service)>(run: &str, change: F) -> impl FnOnce(&mut Manifest) + use<F> {
    let mut service = Service::new(run);
    change(&mut service);
    move |manifest: &mut Manifest| {
        manifest.services.insert("web".to_owned(), service);
    }
}

pub fn web() -> Target {
    Target::Service("web".to_owned())
}

/// The files of a release.
pub struct Files(tar::Builder<Vec<u8>>);

impl Files {
    pub fn new() -> Self {
        Self(tar::Builder::new(Vec::new()))
    }

    pub fn file(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        self.with_mode(name, text.as_ref(), 0o644)
    }

    pub fn script(self, name: &str, text: &str) -> Self {
        self.with_mode(name, text.as_bytes(), 0o755)
    }

    fn with_mode(mut self, name: &str, text: &[u8], mode: u32) -> Self {
        let mut header = tar::Header::new_gnu();
        header.set_mode(mode);
        header.set_size(text.len() as u64);
        self.0.append_data(&mut header, name, text).unwrap();
        self
    }

    fn packed(self) -> Vec<u8> {
        zstd::encode_all(&self.0.into_inner().unwrap()[..], 1).unwrap()
    }
}

fn catalog() -> Catalog {
    let mut catalog = Catalog::default();
    let address = "127.0.0.1:1".parse().unwrap();
    let node = NodeInfo {
        id: NodeId::default(),
        name: "alpha".to_owned(),
        zone: String::new(),
        capacity: 1,
        addresses: ringway_catalog::Addresses { peer: address, http: None, https: None, redis: None, admin: address },
        joined_ms: 0,
        state: ringway_catalog::NodeState::Active,
    };
    catalog.nodes.insert(node.id, node);
    catalog
}

struct StoredBlobs {
    dir: PathBuf,
    known: Mutex<HashMap<BlobId, PathBuf>>,
}

impl StoredBlobs {
    fn keep(&self, bytes: &[u8]) -> BlobId {
        let id = BlobId(ringway_rt::random::bytes());
        let path = self.dir.join(id.to_string());
        std::fs::write(&path, bytes).unwrap();
        self.known.lock().unwrap().insert(id, path);
        id
    }
}

impl Blobs for StoredBlobs {
    fn put(&self, _file: PathBuf) -> BoxFuture<'static, Result<(BlobId, u64), BlobError>> {
        async { Err(BlobError::Io(std::io::Error::other("not in this test"))) }.boxed()
    }

    fn get(&self, id: BlobId) -> BoxFuture<'static, Result<PathBuf, BlobError>> {
        let path = self.known.lock().unwrap().get(&id).cloned();
        async move { path.ok_or(BlobError::Nowhere(id)) }.boxed()
    }
}

struct FixedCatalog(watch::Sender<Arc<Catalog>>);

impl ControlLog for FixedCatalog {
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

struct Alone(watch::Sender<Arc<BTreeMap<NodeId, Reach>>>);

impl Membership for Alone {
    fn watch(&self) -> watch::Receiver<Arc<BTreeMap<NodeId, Reach>>> {
        self.0.subscribe()
    }

    fn report_failure(&self, _node: NodeId) {}

    fn is_reachable(&self, _node: NodeId) -> bool {
        false
    }
}
