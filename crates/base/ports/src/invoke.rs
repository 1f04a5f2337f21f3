//! Port: from the front end to the app tier. One request in, one response out, or the address of an instance to forward to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::{Request, Response};
use ringway_catalog::Release;
use ringway_protocol::trace_context::TraceContext;
use thiserror::Error;

use crate::Body;

/// What is to be run of which release.
#[derive(Clone, Debug)]
pub struct Work {
    pub app: Arc<str>,
    pub release: Arc<Release>,
    pub target: ringway_manifest::Target,
}

/// A request on its way to a function or CGI script of this node.
pub struct Invocation {
    pub work: Work,
    /// As the client sent it, hop-by-hop headers removed; the path is whole, not stripped.
    pub request: Request<Body>,
    /// How much of the path the route matched (RFC 3875's SCRIPT_NAME starts with it).
    pub mount: usize,
    pub client: SocketAddr,
    pub server: SocketAddr,
    pub tls: bool,
    pub request_id: Arc<str>,
    pub trace: TraceContext,
    pub timeout: Option<Duration>,
}

/// Why there is no response, and so whose fault it is. One place in the front end turns it into a status.
#[derive(Debug, Clone, Error)]
pub enum InvokeError {
    /// 503 with Retry-After: the queue is full.
    #[error("{what} is at its limit of {limit} requests")]
    Overloaded { what: String, limit: usize },
    /// 504
    #[error("{what} did not answer within {after:?}")]
    TimedOut { what: String, after: Duration },
    /// 502: it exited, trapped or answered nonsense. `detail` is for the log.
    #[error("{what} failed: {detail}")]
    AppFailed { what: String, detail: String },
    /// 503: it does not start; `detail` is for the log.
    #[error("{what} does not start: {detail}")]
    NotStarting { what: String, detail: String },
    /// 404
    #[error("there is no {0}")]
    NotFound(String),
    /// 413
    #[error("the request is larger than the limit of {0} bytes")]
    TooLarge(u64),
    /// 400
    #[error("{0}")]
    BadRequest(String),
    /// 500
    #[error("{0}")]
    Internal(String),
}

/// An instance of a service, held for one request: it is not stopped while this lives.
pub struct Lease {
    pub address: SocketAddr,
    /// For logs and the console: `shop/catalog#2`.
    pub instance: Arc<str>,
    /// Ends the request's claim when dropped; tells how it went when [`LeaseGuard::failed`] was called.
    pub guard: Box<dyn LeaseGuard>,
}

pub trait LeaseGuard: Send + Sync {
    /// The instance did not answer properly: connection refused or broken.
    fn failed(&self);
}

pub trait Invoke: Send + Sync {
    /// Runs a function or CGI script here. Starts an instance if none is warm; waits in a bounded queue meanwhile.
    fn invoke(&self, invocation: Invocation) -> BoxFuture<'static, Result<Response<Body>, InvokeError>>;

    /// The least loaded healthy instance of a service on this node. Starts one if none runs here.
    fn lease(&self, work: Work) -> BoxFuture<'static, Result<Lease, InvokeError>>;

    /// The directory with a release's files on this node, unpacked (fetched first if need be). For static files.
    fn files(&self, work: Work) -> BoxFuture<'static, Result<Arc<std::path::Path>, InvokeError>>;
}
