//! Driver: accepts connections from nodes, finds out who they are, and hands them on by what they want to speak.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ringway_ring::NodeId;
use rustls::server::Acceptor;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::{debug, warn};

use super::Transport;
use super::dial::HANDSHAKE_DEADLINE;
use crate::certificates::{ALPN_HTTP, ALPN_JOIN, ALPN_PEER, id_of_certificate};

/// Connections whose other side is not known yet.
const HANDSHAKES_MAX: usize = 64;
/// Joiners that are served at once.
const JOINS_MAX: usize = 8;
/// When the system is out of file descriptors, accepting at full speed would only burn a core.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(100);

impl Transport {
    /// Takes connections until the node stops. The handlers must be in place by now.
    pub fn start(&self, listener: std::net::TcpListener) -> io::Result<()> {
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        self.inner.tasks.spawn("peer listener", self.clone().accept_all(listener));
        Ok(())
    }

    async fn accept_all(self, listener: TcpListener) {
        let handshakes = Arc::new(Semaphore::new(HANDSHAKES_MAX));
        let joins = Arc::new(Semaphore::new(JOINS_MAX));
        loop {
            let accepted = tokio::select! {
                biased;
                () = self.inner.tasks.stopping() => return,
                accepted = accept(&listener, &handshakes) => accepted,
            };
            match accepted {
                Ok((socket, from, permit)) => {
                    let work = self.clone().welcome(socket, from, permit, joins.clone());
                    self.inner.tasks.spawn("peer connection", work);
                }
                Err(why) => {
                    warn!(%why, "cannot accept a connection");
                    tokio::time::sleep(PAUSE_AFTER_ERROR).await;
                }
            }
        }
    }

    async fn welcome(self, socket: TcpStream, from: SocketAddr, permit: OwnedSemaphorePermit, joins: Arc<Semaphore>) {
        let handshake = async {
            socket.set_nodelay(true)?;
            let hello = LazyConfigAcceptor::new(Acceptor::default(), socket).await?;
            let joins = hello.client_hello().alpn().is_some_and(|mut names| names.any(|name| name == ALPN_JOIN));
            let settings = if joins { &self.inner.tls.join_server } else { &self.inner.tls.server };
            hello.into_stream(settings.clone()).await
        };
        let stream = match tokio::time::timeout(HANDSHAKE_DEADLINE, handshake).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(why)) => return debug!(%from, %why, "handshake failed"),
            Err(_) => return debug!(%from, "no handshake in time"),
        };
        drop(permit);
        match stream.get_ref().1.alpn_protocol() {
            Some(ALPN_JOIN) => self.serve_joiner(stream, from, joins).await,
            Some(ALPN_PEER) => self.serve_member(stream, from).await,
            Some(ALPN_HTTP) => self.serve_http(stream, from).await,
            _ => debug!(%from, "a client without one of our protocols"),
        }
    }

    async fn serve_joiner(&self, stream: TlsStream<TcpStream>, from: SocketAddr, joins: Arc<Semaphore>) {
        let (Some(on_join), Ok(_permit)) = (self.inner.on_join.get(), joins.try_acquire_owned()) else {
            return warn!(%from, "too many nodes want to join at once");
        };
        on_join(stream, from).await;
    }

    async fn serve_member(&self, mut stream: TlsStream<TcpStream>, from: SocketAddr) {
        let Some(peer) = peer_of(&stream) else { return debug!(%from, "a certificate without a node id") };
        if self.admits(peer).await {
            return self.serve_peer(peer, stream).await;
        }
        warn!(%from, peer = %peer.short(), "a node that is no member was turned away");
        let mut frame = bytes::BytesMut::new();
        let refusal = self.refusal();
        refusal.put_header(&mut frame);
        frame.extend_from_slice(&refusal.body);
        let farewell = async {
            stream.write_all(&frame).await?;
            stream.shutdown().await
        };
        let _ = tokio::time::timeout(HANDSHAKE_DEADLINE, farewell).await;
    }

    async fn serve_http(&self, stream: TlsStream<TcpStream>, from: SocketAddr) {
        let Some(peer) = peer_of(&stream) else { return debug!(%from, "a certificate without a node id") };
        match self.inner.on_http.get() {
            Some(on_http) if self.admits(peer).await => on_http(peer, Box::new(stream)),
            _ => debug!(%from, peer = %peer.short(), "a stream that nobody takes"),
        }
    }

    /// Whether `peer` is a member by our own knowledge or by that of the members we know.
    async fn admits(&self, peer: NodeId) -> bool {
        if self.inner.roster.is_member(peer) {
            return true;
        }
        let Some(vouch) = self.inner.vouch.get() else { return false };
        match vouch(peer).await {
            Some(address) => {
                self.inner.roster.note_vouched(peer, address);
                true
            }
            None => false,
        }
    }
}

async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = permits.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (socket, from) = listener.accept().await?;
    Ok((socket, from, permit))
}

fn peer_of(stream: &TlsStream<TcpStream>) -> Option<NodeId> {
    stream.get_ref().1.peer_certificates()?.first().and_then(id_of_certificate)
}
