//! Driver: one connection to an upstream, and what was read of it too early.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use ringway_ports::PeerStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_util::io::poll_read_buf;

/// The first read of an answer: heads and small bodies come whole, and little is reserved for them.
const FIRST_READ: usize = 8 << 10;
/// The others.
const READ_LEN: usize = 64 << 10;

pub enum UpstreamIo {
    Tcp(TcpStream),
    /// To another node's front end.
    Peer(Box<dyn PeerStream>),
}

pub struct Wire {
    io: UpstreamIo,
    pub read: BytesMut,
}

impl Wire {
    pub fn new(io: UpstreamIo) -> Self {
        Self { io, read: BytesMut::new() }
    }

    /// Whether the other side has not hung up, and not spoken without having been asked. Costs nothing while it is silent.
    pub fn is_open(&self) -> bool {
        match &self.io {
            UpstreamIo::Tcp(stream) => {
                matches!(stream.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
            }
            // It is found out by sending; a node's front end says when it closes.
            UpstreamIo::Peer(_) => true,
        }
    }

    /// Reads on behind what is there. 0: the other side has ended.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, is_first: bool) -> Poll<io::Result<usize>> {
        let wanted = if is_first { FIRST_READ } else { READ_LEN };
        if self.read.capacity() - self.read.len() < wanted / 4 {
            self.read.reserve(wanted);
        }
        let read = ready!(poll_read_buf(Pin::new(&mut self.io), cx, &mut self.read));
        Poll::Ready(read)
    }

    pub fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    /// Streams between nodes keep what is written until they are told.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    /// Gives the buffer back.
    pub fn rest(&mut self) {
        self.read = BytesMut::new();
    }

    /// After an upgrade.
    pub fn into_parts(self) -> (UpstreamIo, BytesMut) {
        (self.io, self.read)
    }
}

/// `self` with the one stream that it is put in for `$stream`.
macro_rules! with_stream {
    ($io:expr, $stream:ident => $call:expr) => {
        match $io.get_mut() {
            UpstreamIo::Tcp(stream) => {
                let $stream = Pin::new(stream);
                $call
            }
            UpstreamIo::Peer(stream) => {
                let $stream = Pin::new(stream.as_mut());
                $call
            }
        }
    };
}

impl AsyncRead for UpstreamIo {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        with_stream!(self, stream => stream.poll_read(cx, buf))
    }
}

impl AsyncWrite for UpstreamIo {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        with_stream!(self, stream => stream.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        with_stream!(self, stream => stream.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            UpstreamIo::Tcp(stream) => stream.is_write_vectored(),
            UpstreamIo::Peer(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with_stream!(self, stream => stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with_stream!(self, stream => stream.poll_shutdown(cx))
    }
}
