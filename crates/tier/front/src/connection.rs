//! Driver: one connection, from its first byte to its last.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::debug;

use crate::connection_state::ConnectionState;
use crate::intake::Intake;
use crate::service;
use crate::socket::Socket;
use crate::worker::Worker;

const H2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const H2_STREAMS_MAX: u32 = 200;
const H2_PING_INTERVAL: Duration = Duration::from_secs(30);
const H2_PING_TIMEOUT: Duration = Duration::from_secs(20);
const H2_STREAM_WINDOW: u32 = 1 << 20;
const H2_CONNECTION_WINDOW: u32 = 4 << 20;

/// Serves a connection until it ends, or gracefully until its requests are answered when the worker stops.
pub async fn serve(worker: Arc<Worker>, mut socket: Socket, state: ConnectionState) {
    let mut begun = BytesMut::new();
    let is_h2 = match &socket {
        Socket::Tls(stream) => stream.get_ref().1.alpn_protocol() == Some(b"h2"),
        Socket::Peer(_) => false,
        Socket::Plain(_) | Socket::Gone => match speaks_h2(&worker, &mut socket, &mut begun).await {
            Ok(is_h2) => is_h2,
            Err(_) => return,
        },
    };
    let state = Arc::new(state);
    let intake =
        Intake::new(socket, begun, !is_h2, Arc::clone(&state), &worker.shared.config.limits, worker.tracker.clone());
    let ended = if is_h2 { serve_h2(worker, intake, state).await } else { serve_h1(worker, intake, state).await };
    if let Err(error) = ended {
        debug!(%error, "a connection broke");
    }
}

/// HTTP/2 with prior knowledge begins with a preface that is no HTTP/1 request.
async fn speaks_h2(worker: &Worker, socket: &mut Socket, begun: &mut BytesMut) -> io::Result<bool> {
    let deadline = Instant::now() + worker.shared.config.limits.idle_timeout;
    loop {
        let read = tokio::select! {
            read = timeout_at(deadline, socket.read_buf(begun)) => read??,
            () = worker.stop.cancelled(), if begun.is_empty() => return Err(io::ErrorKind::Interrupted.into()),
        };
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if begun.starts_with(H2_PREFACE) || !H2_PREFACE.starts_with(begun) {
            return Ok(begun.starts_with(H2_PREFACE));
        }
        // As much as makes a difference; a client that stops here is timed by the intake.
        if begun.len() < 4 {
            continue;
        }
        let rest = Instant::now() + worker.shared.config.limits.head_timeout;
        while begun.len() < H2_PREFACE.len() && H2_PREFACE.starts_with(begun) {
            if timeout_at(rest, socket.read_buf(begun)).await?? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

async fn serve_h1(worker: Arc<Worker>, intake: Intake, state: Arc<ConnectionState>) -> hyper::Result<()> {
    let stop = worker.stop.clone();
    // Times and limits of heads are the intake's.
    let service = service_fn(move |request| Box::pin(service::serve(Arc::clone(&worker), Arc::clone(&state), request)));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(intake), service);
    let mut served = pin!(served.with_upgrades());
    tokio::select! {
        ended = served.as_mut() => return ended,
        () = stop.cancelled() => served.as_mut().graceful_shutdown(),
    }
    served.await
}

async fn serve_h2(worker: Arc<Worker>, intake: Intake, state: Arc<ConnectionState>) -> hyper::Result<()> {
    let stop = worker.stop.clone();
    let limits = &worker.shared.config.limits;
    let (idle_timeout, head_len_max) = (limits.idle_timeout, u32::try_from(limits.head_len_max).unwrap_or(u32::MAX));
    let served_state = Arc::clone(&state);
    let service =
        service_fn(move |request| Box::pin(service::serve(Arc::clone(&worker), Arc::clone(&served_state), request)));
    let served = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(H2_STREAMS_MAX)
        .max_header_list_size(head_len_max)
        .initial_stream_window_size(H2_STREAM_WINDOW)
        .initial_connection_window_size(H2_CONNECTION_WINDOW)
        .keep_alive_interval(H2_PING_INTERVAL)
        .keep_alive_timeout(H2_PING_TIMEOUT)
        .serve_connection(TokioIo::new(intake), service);
    let mut served = pin!(served);
    tokio::select! {
        ended = served.as_mut() => return ended,
        () = stop.cancelled() => {}
        () = unused(&state, idle_timeout) => {}
    }
    served.as_mut().graceful_shutdown();
    served.await
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
