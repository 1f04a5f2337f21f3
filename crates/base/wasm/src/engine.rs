//! Driver: loads components and hands requests to fresh instances of them.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wasmtime::component::Linker;
use wasmtime_wasi_http::{Error as HttpError, WasiBody};

use crate::code_cache::{CodeCache, Key};
use crate::component::{Component, KIND_BYTES, check_kind};
use crate::error::Error;
use crate::guest::{Guest, linker};
use crate::invocation::{Invocation, Limits, Observer, with_authority};
use crate::pool;
use crate::response_body::Body;

/// An interpreter with its standard library takes about 20 MB.
const COMPONENT_BYTES_MAX: u64 = 256 << 20;

/// Compiling takes a core and much memory, so the deploys queue up.
const COMPILATIONS_MAX: usize = 1;

#[derive(Debug, Clone)]
pub struct Config {
    /// Compiled code is kept here; created if need be, private to this user.
    pub cache_dir: PathBuf,
    /// Instances that run at a time; further requests wait for one until their deadline.
    pub instances_max: u32,
    /// Bytes of memory of any one instance. Address space of this size is reserved per instance.
    pub memory_max: u64,
}

impl Config {
    /// The sizes that were measured: 1000 slots cost 256 GB of address space and next to no memory.
    pub fn new(cache_dir: PathBuf) -> Self {
        Self { cache_dir, instances_max: 1000, memory_max: 256 << 20 }
    }
}

/// Cheap to clone; all clones are the same engine.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

struct Shared {
    config: Config,
    /// Built when the first component is loaded: a node without any does not pay for the pool.
    core: OnceCell<Arc<Core>>,
    compilations: Semaphore,
    slots: Arc<Semaphore>,
    invocations: TaskTracker,
    stop: CancellationToken,
}

struct Core {
    engine: wasmtime::Engine,
    linker: Linker<Guest>,
    cache: CodeCache,
}

impl Engine {
    /// Costs nothing and touches nothing yet.
    pub fn new(config: Config) -> Result<Self, Error> {
        if config.instances_max == 0 || config.memory_max == 0 {
            return Err(Error::Engine("a pool without instances or memory cannot run anything".to_owned()));
        }
        let slots = Arc::new(Semaphore::new(config.instances_max as usize));
        Ok(Self {
            shared: Arc::new(Shared {
                config,
                core: OnceCell::new(),
                compilations: Semaphore::new(COMPILATIONS_MAX),
                slots,
                invocations: TaskTracker::new(),
                stop: CancellationToken::new(),
            }),
        })
    }

    /// Makes the component ready to serve: checked, compiled (or found compiled earlier) and linked. To be called at deploy
    /// and not with a request waiting. Reads the file now; a changed file needs another `load`.
    pub async fn load(&self, path: &Path) -> Result<Arc<Component>, Error> {
        let core = self.shared.core().await?;
        let path = path.to_owned();
        let compiled = match self.shared.find_compiled(&core, &path).await? {
            Some(compiled) => compiled,
            None => self.shared.compile(&core, &path).await?,
        };
        Component::link(&core.linker, &compiled, &path).map(Arc::new)
    }

    /// Answers one request with a fresh instance. Returns when the headers are there; the body streams, and the instance may
    /// go on behind it until `limits.timeout`. Dropping the future stops the instance.
    pub async fn handle<B>(
        &self,
        component: &Component,
        request: Request<B>,
        mut limits: Limits,
        observer: Arc<dyn Observer>,
    ) -> Result<Response<Body>, Error>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: std::fmt::Display,
    {
        let arrived = Instant::now();
        limits.memory = limits.memory.min(self.shared.config.memory_max);
        let slot = self.shared.free_slot(limits.timeout).await?;
        let cancel = self.shared.stop.child_token();
        let cancel_when_dropped = cancel.clone().drop_guard();
        let time_left = limits.timeout.saturating_sub(arrived.elapsed());
        let invocation = Invocation { pre: component.pre.clone(), limits, time_left, observer, cancel, slot };
        let (answer, answered) = oneshot::channel();
        let request = with_authority(request.map(request_body));
        let running = self.shared.invocations.spawn(invocation.run(request, answer));

        match answered.await {
            Ok(response) => {
                cancel_when_dropped.disarm();
                Ok(response)
            }
            Err(_) => Err(why_no_answer(running).await),
        }
    }

    /// Instances that are running now.
    pub fn running(&self) -> usize {
        self.shared.invocations.len()
    }

    /// Waits for the running instances until the deadline, then stops them. Requests that come after that fail.
    pub async fn drain(&self, deadline: Duration) {
        self.shared.invocations.close();
        if tokio::time::timeout(deadline, self.shared.invocations.wait()).await.is_err() {
            tracing::warn!(instances = self.running(), "components stopped at the deadline");
        }
        self.shared.slots.close();
        self.shared.stop.cancel();
        self.shared.invocations.wait().await;
    }
}

impl Shared {
    async fn core(&self) -> Result<Arc<Core>, Error> {
        let build = || {
            let config = self.config.clone();
            off_thread(move || Core::build(&config).map(Arc::new))
        };
        self.core.get_or_try_init(build).await.cloned()
    }

    async fn find_compiled(&self, core: &Arc<Core>, path: &Path) -> Result<Option<Compiled>, Error> {
        let (core, path) = (core.clone(), path.to_owned());
        off_thread(move || core.find_compiled(&path)).await
    }

    async fn compile(&self, core: &Arc<Core>, path: &Path) -> Result<Compiled, Error> {
        let _turn = self.compilations.acquire().await.map_err(|_| Error::Cancelled)?;
        let (core, path) = (core.clone(), path.to_owned());
        off_thread(move || core.compile(&path)).await
    }

    async fn free_slot(&self, timeout: Duration) -> Result<OwnedSemaphorePermit, Error> {
        match tokio::time::timeout(timeout, self.slots.clone().acquire_owned()).await {
            Ok(Ok(slot)) => Ok(slot),
            Ok(Err(_closed)) => Err(Error::Cancelled),
            Err(_elapsed) => Err(Error::Busy(timeout)),
        }
    }
}

type Compiled = wasmtime::component::Component;

impl Core {
    fn build(config: &Config) -> Result<Self, Error> {
        let settings = pool::settings(config.instances_max, config.memory_max, pool::has_swap());
        let engine = wasmtime::Engine::new(&settings).map_err(Error::engine)?;
        let linker = linker(&engine).map_err(Error::engine)?;
        let cache = CodeCache::open(&config.cache_dir)?;
        Ok(Self { engine, linker, cache })
    }

    fn find_compiled(&self, path: &Path) -> Result<Option<Compiled>, Error> {
        let key = Key::of(&self.engine, open_component(path)?).map_err(Error::io("read", path))?;
        Ok(self.cache.find(&self.engine, &key))
    }

    fn compile(&self, path: &Path) -> Result<Compiled, Error> {
        let mut wasm = Vec::new();
        open_component(path)?.read_to_end(&mut wasm).map_err(Error::io("read", path))?;
        // Of what was read now: the file may have changed, and whoever had the turn before may have compiled the same.
        let key = Key::of(&self.engine, wasm.as_slice()).map_err(Error::io("read", path))?;
        if let Some(compiled) = self.cache.find(&self.engine, &key) {
            return Ok(compiled);
        }
        let started = Instant::now();
        let code = self
            .engine
            .precompile_component(&wasm)
            .map_err(|error| Error::Compile { path: path.to_owned(), why: format!("{error:#}") })?;
        let compiled = self.cache.keep(&self.engine, &key, &code);
        drop((wasm, code));
        give_memory_back();
        tracing::info!(path = %path.display(), took = ?started.elapsed(), "component compiled");
        compiled
    }
}

/// A file of the right kind and of a size that we take, at its start.
fn open_component(path: &Path) -> Result<impl Read, Error> {
    let mut file = File::open(path).map_err(Error::io("read", path))?;
    let size = file.metadata().map_err(Error::io("read", path))?.len();
    if size > COMPONENT_BYTES_MAX {
        let why = format!("{size} bytes, at most {COMPONENT_BYTES_MAX} are taken");
        return Err(Error::Compile { path: path.to_owned(), why });
    }
    let mut start = Vec::new();
    (&mut file).take(KIND_BYTES).read_to_end(&mut start).map_err(Error::io("read", path))?;
    check_kind(&start, path)?;
    Ok(io::Cursor::new(start).chain(file.take(COMPONENT_BYTES_MAX)))
}

/// The compiler leaves behind up to hundreds of megabytes that the allocator would keep for itself.
fn give_memory_back() {
    // SAFETY: takes no pointers and may be called at any time from any thread.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}

fn request_body<B>(body: B) -> WasiBody
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: std::fmt::Display,
{
    body.map_err(|error| HttpError::InternalError(Some(error.to_string()))).boxed_unsync()
}

async fn why_no_answer(running: JoinHandle<Result<(), Error>>) -> Error {
    match running.await {
        Ok(Err(error)) => error,
        Ok(Ok(())) => Error::NoResponse,
        Err(panic) => Error::Engine(panic.to_string()),
    }
}

async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(panic) => Err(Error::Engine(panic.to_string())),
    }
}
