//! Driver: after an upgrade (WebSocket and its like), bytes in both directions until one side ends.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use ringway_ports::invoke::LeaseGuard;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::upstream::UpstreamIo;

/// What goes with an answer of 101: the upstream's end.
pub struct Tunnel {
    pub upstream: UpstreamIo,
    /// What it has said already.
    pub said: BytesMut,
    /// The claim on the instance, for as long as the tunnel lives.
    pub held: Option<Box<dyn LeaseGuard>>,
}

/// Travels with a response, for the one connection that sends it.
#[derive(Clone)]
pub struct TunnelSlot(Arc<Mutex<Option<Tunnel>>>);

impl TunnelSlot {
    pub fn new(tunnel: Tunnel) -> Self {
        Self(Arc::new(Mutex::new(Some(tunnel))))
    }

    pub fn take(&self) -> Option<Tunnel> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// `client` and what it has said already.
pub async fn run(client: impl AsyncRead + AsyncWrite + Unpin, said: BytesMut, tunnel: Tunnel, stop: CancellationToken) {
    let mut client = Begun { io: client, said };
    let mut upstream = Begun { io: tunnel.upstream, said: tunnel.said };
    tokio::select! {
        done = tokio::io::copy_bidirectional(&mut client, &mut upstream) => match done {
            Ok((sent, received)) => debug!(sent, received, "a tunnel ended"),
            Err(error) => debug!(%error, "a tunnel broke"),
        },
        () = stop.cancelled() => {}
    }
    drop(tunnel.held);
}

/// A stream whose beginning was read already.
struct Begun<T> {
    io: T,
    said: BytesMut,
}

impl<T: AsyncRead + Unpin> AsyncRead for Begun<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.said.is_empty() {
            return Pin::new(&mut self.io).poll_read(cx, buf);
        }
        let len = self.said.len().min(buf.remaining());
        buf.put_slice(&self.said[..len]);
        self.said.advance(len);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Begun<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
