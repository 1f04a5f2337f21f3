//! Driver: an engine with a scratch cache, one loaded component, and an observer that remembers.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use ringway_wasm::{Body, Component, Config, Engine, Error, Limits, Observer, Stream, Usage};
use tokio::sync::mpsc;

/// Far more than a fixture needs on a busy machine; the tests that wait for it set their own.
const TIMEOUT: Duration = Duration::from_secs(60);

/// What a request may take, and what the engine gives at most.
pub const MEMORY: u64 = 16 << 20;
pub const MEMORY_MAX: u64 = 64 << 20;

pub struct Host {
    pub engine: Engine,
    pub component: Arc<Component>,
    pub limits: Limits,
    pub watch: Arc<Watch>,
    pub scratch: Scratch,
    ended: mpsc::Receiver<(Usage, Option<String>)>,
}

impl Host {
    pub async fn new() -> Self {
        Self::of(&fixture()).await
    }

    pub async fn of(component: &Path) -> Self {
        let scratch = Scratch::new();
        let engine = engine(&scratch, 4);
        let component = engine.load(component).await.expect("component loads");
        let (watch, ended) = Watch::new();
        let limits = Limits { timeout: TIMEOUT, memory: MEMORY, env: Vec::new() };
        Self { engine, component, limits, watch, scratch, ended }
    }

    pub async fn get(&self, target: &str) -> Result<Response<Body>, Error> {
        self.get_within(target, self.limits.clone()).await
    }

    pub async fn get_within(&self, target: &str, limits: Limits) -> Result<Response<Body>, Error> {
        let request = Request::get(target).header("host", "shop.test").body(Empty::<Bytes>::new());
        let request = request.expect("request is valid");
        self.engine.handle(&self.component, request, limits, self.watch.clone()).await
    }

    pub async fn send<B>(&self, request: Request<B>) -> Result<Response<Body>, Error>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: std::fmt::Display,
    {
        self.engine.handle(&self.component, request, self.limits.clone(), self.watch.clone()).await
    }

    /// The status and the whole body.
    pub async fn get_text(&self, target: &str) -> (u16, String) {
        text(self.get(target).await.expect("component answers")).await
    }

    /// What the next instance to end reports.
    pub async fn ended(&mut self) -> (Usage, Option<String>) {
        self.ended.recv().await.expect("the watch lives as long as the host")
    }
}

pub async fn text(response: Response<Body>) -> (u16, String) {
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.expect("body is whole").to_bytes();
    (status, String::from_utf8(body.to_vec()).expect("body is text"))
}

pub fn engine(scratch: &Scratch, instances_max: u32) -> Engine {
    let config = Config { cache_dir: scratch.0.join("cache"), instances_max, memory_max: MEMORY_MAX };
    Engine::new(config).expect("engine builds")
}

pub fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/guest.wasm")
}

/// Remembers what the engine reports.
pub struct Watch {
    lines: Mutex<Vec<(Stream, String)>>,
    ended: mpsc::Sender<(Usage, Option<String>)>,
}

impl Watch {
    fn new() -> (Arc<Self>, mpsc::Receiver<(Usage, Option<String>)>) {
        let (ended, receiver) = mpsc::channel(1000);
        (Arc::new(Self { lines: Mutex::default(), ended }), receiver)
    }

    pub fn lines(&self) -> Vec<(Stream, String)> {
        self.lines.lock().expect("no test panics with the lock").clone()
    }
}

impl Observer for Watch {
    fn line(&self, stream: Stream, line: &str) {
        self.lines.lock().expect("no test panics with the lock").push((stream, line.to_owned()));
    }

    fn ended(&self, usage: Usage, error: Option<&Error>) {
        self.ended.try_send((usage, error.map(ToString::to_string))).expect("tests take what is reported");
    }
}

/// A folder of its own per test, gone afterwards.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("ringway-wasm-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("scratch folder is creatable");
        Self(dir)
    }

    pub fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, content).expect("scratch folder is writable");
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
