//! Driver: a new connection, and what it speaks.

use std::sync::Arc;

use bytes::BytesMut;

use crate::connection_state::ConnectionState;
use crate::socket::Socket;
use crate::worker::Worker;
use crate::{http1, http2};

/// Serves a connection until it ends, or gracefully until its requests are answered when the worker stops.
pub async fn serve(worker: Arc<Worker>, socket: Socket, state: ConnectionState) {
    let state = Arc::new(state);
    if matches!(&socket, Socket::Tls(stream) if stream.get_ref().1.alpn_protocol() == Some(b"h2")) {
        return Box::pin(http2::serve(worker, socket, BytesMut::new(), state)).await;
    }
    // HTTP/2 with prior knowledge begins with what looks like a request of HTTP/1.
    if let Some((socket, begun)) = http1::serve(Arc::clone(&worker), socket, Arc::clone(&state)).await {
        Box::pin(http2::serve(worker, socket, begun, state)).await;
    }
}
