//! Driver: what goes to one client. It is written as it grows, however slowly the client reads.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use futures_util::FutureExt;
use ringway_protocol::resp::{Reply, RespVersion};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// Replies are written when they are this long, so that a long batch does not pile them up.
const OUTPUT_LEN_MAX: usize = 256 * 1024;
/// A client that takes no replies for this long is cut.
const WRITE_DEADLINE: Duration = Duration::from_secs(20);

pub(super) struct Output {
    stream: TcpStream,
    bytes: BytesMut,
}

impl Output {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, bytes: BytesMut::new() }
    }

    /// To read what the client says.
    pub(super) fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// A long list is written item by item: it is not held twice.
    pub(super) async fn put(&mut self, version: RespVersion, reply: Reply) -> io::Result<()> {
        let Reply::Array(items) = reply else { return self.put_one(version, &reply).await };
        Reply::encode_array_head(items.len(), &mut self.bytes);
        for item in items {
            self.put_one(version, &item).await?;
        }
        Ok(())
    }

    async fn put_one(&mut self, version: RespVersion, reply: &Reply) -> io::Result<()> {
        reply.encode(version, &mut self.bytes);
        if self.bytes.len() >= OUTPUT_LEN_MAX { self.flush().await } else { Ok(()) }
    }

    pub(super) async fn flush(&mut self) -> io::Result<()> {
        if self.bytes.is_empty() {
            return Ok(());
        }
        tokio::time::timeout(WRITE_DEADLINE, self.stream.write_all(&self.bytes))
            .await
            .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "it does not read its replies"))??;
        self.bytes.clear();
        if self.bytes.capacity() > 2 * OUTPUT_LEN_MAX {
            self.bytes = BytesMut::new();
        }
        Ok(())
    }

    /// Fails if the client has closed: nobody would read what else is done for it.
    pub(super) fn expect_open(&self) -> io::Result<()> {
        match self.stream.peek(&mut [0]).now_or_never() {
            Some(Ok(0)) => Err(io::Error::new(io::ErrorKind::ConnectionAborted, "it closed before it had all replies")),
            Some(Err(error)) => Err(error),
            _ => Ok(()),
        }
    }
}
