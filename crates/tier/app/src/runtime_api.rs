//! Driver: the Lambda runtime API of one instance: an HTTP server on the loopback interface that hands out events and takes
//! answers.
//!
//! Known weakness: whoever runs on this machine can connect to it, because the official clients cannot authenticate. Each
//! instance has a port of its own; closing the gap takes network namespaces.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use ringway_protocol::lambda::RuntimeCall;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex as AsyncMutex, mpsc, oneshot, watch};
use tokio::task::JoinSet;

/// Largest event and answer, as AWS has it.
pub const PAYLOAD_MAX: usize = 6 << 20;
/// A client has one connection; some open a few.
const CONNECTIONS_MAX: usize = 64;

/// What a function is asked.
pub struct Event {
    pub id: String,
    pub body: Bytes,
    /// The `Lambda-Runtime-…` headers.
    pub headers: HeaderMap,
    pub reply: oneshot::Sender<Reply>,
}

/// What a function says.
#[derive(Debug)]
pub enum Reply {
    /// `streamed`: with a head of its own.
    Answer { body: Bytes, streamed: bool },
    /// In words, for the log.
    Error(String),
}

/// How far the instance has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    Initializing,
    /// It has asked for its first event.
    Ready,
    InitFailed(String),
}

pub struct RuntimeApi {
    listener: TcpListener,
    shared: Arc<Shared>,
}

struct Shared {
    /// Whoever asks first gets the next event, the others stand in line. Held while waiting, which is what it is for.
    events: AsyncMutex<mpsc::Receiver<Event>>,
    pending: Mutex<HashMap<String, oneshot::Sender<Reply>>>,
    progress: watch::Sender<Progress>,
}

impl RuntimeApi {
    /// Listens on a free port.
    pub async fn open(events: mpsc::Receiver<Event>) -> io::Result<(Self, watch::Receiver<Progress>)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let (progress, watched) = watch::channel(Progress::Initializing);
        let shared = Shared { events: AsyncMutex::new(events), pending: Mutex::default(), progress };
        Ok((Self { listener, shared: Arc::new(shared) }, watched))
    }

    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until dropped; then all connections are closed.
    pub async fn serve(self) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept(), if connections.len() < CONNECTIONS_MAX => {
                    let Ok((stream, _)) = accepted else { continue };
                    connections.spawn(serve_connection(stream, Arc::clone(&self.shared)));
                }
                Some(_) = connections.join_next() => {}
            }
        }
    }
}

async fn serve_connection(stream: TcpStream, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(shared.answer(request).await) }
    });
    let served = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    if let Err(error) = served {
        tracing::debug!(%error, "runtime api connection ended");
    }
}

impl Shared {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let Some(call) = RuntimeCall::parse(&parts.method, parts.uri.path()) else {
            return problem(StatusCode::NOT_FOUND, "NoSuchCall");
        };
        if call == RuntimeCall::Next {
            return self.next().await;
        }
        let Ok(body) = Limited::new(body, PAYLOAD_MAX).collect().await else {
            if let RuntimeCall::Response(id) = call {
                self.reply(id, Reply::Error(format!("its answer is larger than {PAYLOAD_MAX} bytes, or broke off")));
            }
            return problem(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge");
        };
        let body = body.to_bytes();
        match call {
            RuntimeCall::Response(id) => {
                let streamed = parts.headers.get("content-type").is_some_and(|kind| {
                    kind.as_bytes().starts_with(b"application/vnd.awslambda.http-integration-response")
                });
                self.reply(id, Reply::Answer { body, streamed })
            }
            RuntimeCall::Error(id) => self.reply(id, Reply::Error(error_text(&body))),
            _ => {
                self.progress.send_replace(Progress::InitFailed(error_text(&body)));
                accepted()
            }
        }
    }

    async fn next(&self) -> Response<Full<Bytes>> {
        self.progress.send_if_modified(|progress| {
            let first = *progress == Progress::Initializing;
            if first {
                *progress = Progress::Ready;
            }
            first
        });
        let Some(event) = self.events.lock().await.recv().await else {
            return problem(StatusCode::GONE, "Stopping");
        };
        self.pending().insert(event.id, event.reply);
        let mut response = Response::new(Full::new(event.body));
        *response.headers_mut() = event.headers;
        response
    }

    fn reply(&self, id: &str, reply: Reply) -> Response<Full<Bytes>> {
        match self.pending().remove(id) {
            Some(waiting) => {
                // Nobody there any more: the request has timed out.
                let _ = waiting.send(reply);
                accepted()
            }
            None => problem(StatusCode::BAD_REQUEST, "InvalidRequestID"),
        }
    }

    fn pending(&self) -> MutexGuard<'_, HashMap<String, oneshot::Sender<Reply>>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn accepted() -> Response<Full<Bytes>> {
    json(StatusCode::ACCEPTED, r#"{"status":"OK"}"#.to_owned())
}

fn problem(status: StatusCode, kind: &str) -> Response<Full<Bytes>> {
    json(status, format!(r#"{{"errorType":"{kind}","errorMessage":"{kind}"}}"#))
}

fn json(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/json"));
    response
}

/// What a client reports: `ValueError: no such price`.
fn error_text(body: &[u8]) -> String {
    let value: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let field = |name: &str| value.get(name).and_then(serde_json::Value::as_str);
    match (field("errorType"), field("errorMessage")) {
        (Some(kind), Some(message)) => format!("{kind}: {message}"),
        (None, Some(message)) => message.to_owned(),
        _ => String::from_utf8_lossy(&body[..body.len().min(500)]).into_owned(),
    }
}
