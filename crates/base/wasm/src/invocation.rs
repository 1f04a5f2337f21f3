//! Driver: one request through a fresh instance, from start to end.
//!
//! The instance runs in a task of its own, because it may go on after the headers are out. One deadline covers all of it.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use http::header::HOST;
use http::uri::Scheme;
use http::{HeaderValue, Request, Response};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio_util::sync::CancellationToken;
use wasmtime::{PoolConcurrencyLimitError, Store, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme as GuestScheme};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;
use wasmtime_wasi_http::{WasiBody, WasiHttpView};

use crate::error::Error;
use crate::guest::Guest;
use crate::log_lines::{LogStream, Stream};
use crate::memory_limit::MemoryLimit;
use crate::response_body::{Body, Verdict, VerdictGuard, response_body};

/// About a fifth of a millisecond of work, after which an instance lets others on the thread have a turn.
const YIELD_FUEL: u64 = 250_000;

/// What one request may take. Not to be printed: the environment carries tokens.
#[derive(Clone)]
pub struct Limits {
    /// From the request's arrival to the instance's end, streaming included.
    pub timeout: Duration,
    /// In bytes; the engine's own limit holds as well.
    pub memory: u64,
    /// All that the component sees as its environment.
    pub env: Vec<(String, String)>,
}

/// What one request took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// About one per WebAssembly instruction; the same request costs the same everywhere.
    pub fuel: u64,
    pub wall: Duration,
    /// Linear memory at its largest, in bytes.
    pub memory_peak: u64,
}

/// Port: who watches a request. Both functions are called between a component's instructions: they must not wait.
pub trait Observer: Send + Sync + 'static {
    /// One line of what the component logs, without its line end. At most 256 KiB per stream and request.
    fn line(&self, stream: Stream, line: &str);

    /// Called once for every instance that was started, whichever way it ends; after a streamed response that is later
    /// than the answer of [`Engine::handle`](crate::Engine::handle).
    fn ended(&self, usage: Usage, error: Option<&Error>);
}

/// All that the task of one request needs.
pub(crate) struct Invocation {
    pub pre: ProxyPre<Guest>,
    pub limits: Limits,
    /// What `limits.timeout` still leaves.
    pub time_left: Duration,
    pub observer: Arc<dyn Observer>,
    pub cancel: CancellationToken,
    /// A free instance; given back when everything of this one is gone.
    pub slot: OwnedSemaphorePermit,
}

/// What the component said through its response-outparam: nothing yet, a response, or an error of its own.
type Reply = Arc<OnceLock<Result<(), String>>>;

impl Invocation {
    /// Runs the instance to its end. The response goes out through `answer`, possibly long before.
    pub async fn run(self, request: Request<WasiBody>, answer: oneshot::Sender<Response<Body>>) -> Result<(), Error> {
        let started = Instant::now();
        let stdout = LogStream::new(Stream::Stdout, self.observer.clone());
        let stderr = LogStream::new(Stream::Stderr, self.observer.clone());
        let memory = MemoryLimit::new(self.limits.memory);
        let guest = Guest::new(&self.limits.env, memory, stdout.clone(), stderr.clone());
        let mut store = new_store(&self.pre, guest).map_err(Error::engine)?;
        // Declared after the store, so dropped before it: see `Verdict`.
        let verdict = VerdictGuard::default();

        let outcome = self.run_to_end(&mut store, request, answer, &verdict).await;

        verdict.set(outcome.as_ref().err());
        stdout.finish();
        stderr.finish();
        let usage = Usage {
            fuel: u64::MAX - store.get_fuel().unwrap_or(u64::MAX),
            wall: started.elapsed(),
            memory_peak: store.data().memory.used(),
        };
        // The slot is free before anybody hears of it.
        drop(store);
        drop(self.slot);
        self.observer.ended(usage, outcome.as_ref().err());
        outcome
    }

    async fn run_to_end(
        &self,
        store: &mut Store<Guest>,
        request: Request<WasiBody>,
        answer: oneshot::Sender<Response<Body>>,
        verdict: &VerdictGuard,
    ) -> Result<(), Error> {
        let reply = Reply::default();
        let outparam = outparam(answer, reply.clone(), verdict.verdict());
        let call = tokio::time::timeout(self.time_left, call(&self.pre, &mut *store, request, outparam));
        let called = tokio::select! {
            biased;
            () = self.cancel.cancelled() => return Err(Error::Cancelled),
            called = call => called.map_err(|_| Error::Timeout(self.limits.timeout))?,
        };
        match called {
            Err(error) if !is_clean_exit(&error) => Err(self.explain(&error, &store.data().memory)),
            _ => match reply.get() {
                Some(Ok(())) => Ok(()),
                Some(Err(code)) => Err(Error::Refused(code.clone())),
                None => Err(Error::NoResponse),
            },
        }
    }

    fn explain(&self, error: &wasmtime::Error, memory: &MemoryLimit) -> Error {
        if error.is::<PoolConcurrencyLimitError>() {
            return Error::Busy(self.limits.timeout);
        }
        if memory.was_hit() {
            return Error::OutOfMemory { limit: memory.limit() };
        }
        Error::Trap(describe_trap(error))
    }
}

fn new_store(pre: &ProxyPre<Guest>, guest: Guest) -> wasmtime::Result<Store<Guest>> {
    let mut store = Store::new(pre.engine(), guest);
    store.limiter(|guest| &mut guest.memory);
    store.set_fuel(u64::MAX)?;
    store.fuel_async_yield_interval(Some(YIELD_FUEL))?;
    Ok(store)
}

async fn call(
    pre: &ProxyPre<Guest>,
    store: &mut Store<Guest>,
    request: Request<WasiBody>,
    outparam: impl FnOnce(Result<Response<HyperOutgoingBody>, ErrorCode>) + Send + Sync + 'static,
) -> wasmtime::Result<()> {
    let scheme = scheme_of(&request);
    let request = store.data_mut().http().new_incoming_request(scheme, request)?;
    let outparam = store.data_mut().http().new_response_outparam_from_callback(outparam)?;
    let proxy = pre.instantiate_async(&mut *store).await?;
    proxy.wasi_http_incoming_handler().call_handle(store, request, outparam).await
}

fn outparam(
    answer: oneshot::Sender<Response<Body>>,
    reply: Reply,
    verdict: Verdict,
) -> impl FnOnce(Result<Response<HyperOutgoingBody>, ErrorCode>) + Send + Sync + 'static {
    move |response| {
        let _ = reply.set(response.as_ref().map(|_| ()).map_err(|code| format!("{code:?}")));
        if let Ok(response) = response {
            // Nobody there to take it: the client has gone, and the writes that follow say so to the component.
            let _ = answer.send(response.map(|body| response_body(body, verdict)));
        }
    }
}

/// wasmtime insists on an authority; HTTP/1.0 clients need not name one, and odd ones send something unreadable.
pub(crate) fn with_authority<B>(mut request: Request<B>) -> Request<B> {
    let host_unusable = request.headers().get(HOST).is_none_or(|host| host.to_str().is_err());
    if request.uri().authority().is_none() && host_unusable {
        request.headers_mut().insert(HOST, HeaderValue::from_static("localhost"));
    }
    request
}

/// What the client spoke: the front end, which ends TLS, says so in a header.
fn scheme_of<B>(request: &Request<B>) -> GuestScheme {
    let forwarded = request.headers().get("x-forwarded-proto").map(HeaderValue::as_bytes);
    if request.uri().scheme() == Some(&Scheme::HTTPS) || forwarded == Some(b"https") {
        return GuestScheme::Https;
    }
    GuestScheme::Http
}

fn is_clean_exit(error: &wasmtime::Error) -> bool {
    error.downcast_ref::<I32Exit>().is_some_and(|exit| exit.0 == 0)
}

/// The cause and, where the component has kept its names, the function.
fn describe_trap(error: &wasmtime::Error) -> String {
    let cause = match error.downcast_ref::<Trap>() {
        Some(trap) => trap.to_string(),
        None => error.root_cause().to_string(),
    };
    let backtrace = error.downcast_ref::<WasmBacktrace>();
    match backtrace.and_then(|trace| trace.frames().iter().find_map(|frame| frame.func_name())) {
        Some(function) => format!("{cause} in {function}"),
        None => cause,
    }
}
