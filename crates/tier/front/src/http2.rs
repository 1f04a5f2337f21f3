//! HTTP/2 with clients: hyper's, made to write once where it would write for every frame.
//!
//! The library flushes after each frame, so 32 streams that are answered at once would be 64 writes. [`cork`] collects what is written
//! while the connection is polled once; [`inline`] answers what is at hand without a task.

mod cork;
mod extended_connect;
mod inline;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use http::Request;
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use ringway_ports::{Body, empty};
use tokio::time::{Instant, sleep_until};

use crate::connection_state::ConnectionState;
use crate::service;
use crate::socket::Socket;
use crate::worker::Worker;

use cork::{Cork, Corked};
use inline::InlineExecutor;

const STREAMS_MAX: u32 = 200;
/// Streams that a client has opened and taken back before anybody looked at them (CVE-2023-44487): one more and it is told to go.
const RESET_STREAMS_MAX: usize = 32;
/// Streams that broke the protocol on one connection.
const FAULTY_STREAMS_MAX: usize = 128;
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(20);
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;

/// Serves a connection until it ends, or gracefully until its requests are answered when the worker stops. `begun`: what was read of
/// it already.
pub async fn serve(worker: Arc<Worker>, socket: Socket, begun: BytesMut, state: Arc<ConnectionState>) {
    let stop = worker.stop.clone();
    let limits = &worker.shared.config.limits;
    let (idle_timeout, head_len_max) = (limits.idle_timeout, u32::try_from(limits.head_len_max).unwrap_or(u32::MAX));
    let cork = Cork::new(socket, begun, Arc::clone(&worker));
    let served_state = Arc::clone(&state);
    let service = service_fn(move |mut request: Request<Incoming>| {
        let (worker, state) = (Arc::clone(&worker), Arc::clone(&served_state));
        let stream = extended_connect::take(&mut request);
        Box::pin(async move {
            let answer = service::serve(Arc::clone(&worker), state, request.map(body_of)).await;
            Ok::<_, Infallible>(match stream {
                Some(stream) => extended_connect::answer(&worker, stream, answer),
                None => answer,
            })
        })
    });
    let served = http2::Builder::new(InlineExecutor)
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_pending_accept_reset_streams(RESET_STREAMS_MAX)
        .max_local_error_reset_streams(FAULTY_STREAMS_MAX)
        .max_header_list_size(head_len_max)
        .enable_connect_protocol()
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .serve_connection(TokioIo::new(cork.io()), service);
    let mut served = Corked::new(served, cork);
    tokio::select! {
        () = &mut served => return,
        () = stop.cancelled() => {}
        () = unused(&state, idle_timeout) => {}
    }
    served.connection().graceful_shutdown();
    served.await;
}

fn body_of(body: Incoming) -> Body {
    if body.is_end_stream() { empty() } else { body.map_err(Into::into).boxed_unsync() }
}

/// Completes when there was no request for that long.
async fn unused(state: &ConnectionState, idle_timeout: Duration) {
    loop {
        let due = if state.is_busy() { Instant::now() } else { state.idle_since() } + idle_timeout;
        sleep_until(due).await;
        if !state.is_busy() && state.idle_since() + idle_timeout <= due {
            return;
        }
    }
}
