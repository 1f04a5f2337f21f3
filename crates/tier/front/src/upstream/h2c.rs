//! Driver: instances that speak HTTP/2 without TLS (gRPC): one connection each, which all requests share.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::header::{self, HeaderValue};
use http::uri::{Parts, PathAndQuery, Scheme};
use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use ringway_ports::Body;
use ringway_rt::net;
use tracing::debug;

use super::Failure;

const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Default)]
pub struct H2cPool {
    senders: Mutex<HashMap<SocketAddr, SendRequest<Body>>>,
}

impl H2cPool {
    /// Sends a request and waits until its answer begins.
    pub async fn send(
        &self,
        address: SocketAddr,
        mut request: Request<Body>,
        connect_timeout: Duration,
    ) -> Result<Response<Incoming>, Failure> {
        to_h2(&mut request);
        let known = self.senders().get(&address).filter(|sender| !sender.is_closed()).cloned();
        let mut sender = match known {
            Some(sender) => sender,
            None => match self.connect(address, connect_timeout).await {
                Ok(sender) => sender,
                Err(why) => return Err(Failure::Unsent(Box::new(request), why)),
            },
        };
        if let Err(error) = sender.ready().await {
            self.senders().remove(&address);
            return Err(Failure::Unsent(Box::new(request), error.to_string()));
        }
        sender.try_send_request(request).await.map_err(|mut failed| {
            let why = failed.error().to_string();
            match failed.take_message() {
                Some(back) => Failure::Unsent(Box::new(back), why),
                None => Failure::Sent(why),
            }
        })
    }

    /// Forgets those that have ended.
    pub fn sweep(&self) {
        self.senders().retain(|_, sender| !sender.is_closed());
    }

    pub fn close(&self) {
        self.senders().clear();
    }

    async fn connect(&self, address: SocketAddr, within: Duration) -> Result<SendRequest<Body>, String> {
        let stream = net::connect(address, within).await.map_err(|error| error.to_string())?;
        let shaken = Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_TIMEOUT)
            .handshake(TokioIo::new(stream));
        let (sender, connection) = shaken.await.map_err(|error| error.to_string())?;
        // Ends with its last sender, which the pool and the requests have.
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                debug!(%error, "a connection to an upstream broke");
            }
        });
        self.senders().insert(address, sender.clone());
        Ok(sender)
    }

    fn senders(&self) -> MutexGuard<'_, HashMap<SocketAddr, SendRequest<Body>>> {
        self.senders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The host is part of the address there (RFC 9113, 8.3.1).
fn to_h2(request: &mut Request<Body>) {
    let host = request.headers_mut().remove(header::HOST);
    let authority = host.as_ref().and_then(|host: &HeaderValue| host.to_str().ok()?.parse().ok());
    let mut parts = Parts::default();
    parts.scheme = Some(Scheme::HTTP);
    parts.path_and_query =
        Some(request.uri().path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/")));
    parts.authority = authority.or_else(|| request.uri().authority().cloned());
    // Not without a host: such a request came by HTTP/1.0 and has been given one before.
    if parts.authority.is_some()
        && let Ok(uri) = Uri::from_parts(parts)
    {
        *request.uri_mut() = uri;
    }
    *request.version_mut() = http::Version::HTTP_2;
}
