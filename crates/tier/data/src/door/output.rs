//! Driver: what goes to one client. It is written as it grows, however slowly the client reads.

use std::io;
use std::time::Duration;

use bytes::{Buf, Bytes};
use futures_util::FutureExt;
use ringway_protocol::resp::{Out, Reply, RespVersion};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// Replies are written when they are this long, so that a long batch does not pile them up; nothing more is run for a client before
/// it has taken that much.
pub(super) const OUTPUT_LEN_MAX: usize = 256 * 1024;
/// A client that takes no replies for this long is cut.
const WRITE_DEADLINE: Duration = Duration::from_secs(20);

/// How often it is looked whether a client that waits and has said more has closed: from here up to there.
const LOOK_FIRST: Duration = Duration::from_millis(20);
const LOOK_MAX: Duration = Duration::from_secs(1);

pub(super) struct Output {
    stream: TcpStream,
    out: Out,
    /// What was sent since it was asked for.
    sent: u64,
}

impl Output {
    /// With replies that are to be sent first.
    pub(super) fn new(stream: TcpStream, out: Out) -> Self {
        Self { stream, out, sent: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// What was not sent is lost.
    pub(super) fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// How many bytes were sent since the last time.
    pub(super) fn take_sent(&mut self) -> u64 {
        std::mem::take(&mut self.sent)
    }

    /// To read what the client says.
    pub(super) fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// To write replies straight into what goes to the client.
    pub(super) fn out(&mut self, version: RespVersion) -> &mut Out {
        self.out.set_version(version);
        &mut self.out
    }

    /// A reply as it goes over the wire.
    pub(super) async fn put_raw(&mut self, reply: Bytes) -> io::Result<()> {
        self.out.raw_shared(reply);
        self.flush_if_long().await
    }

    /// A long list is written item by item: it is not held twice.
    pub(super) async fn put_reply(
        &mut self,
        version: RespVersion,
        reply: Result<Reply, crate::fail::Fail>,
    ) -> io::Result<()> {
        self.out.set_version(version);
        match reply {
            Ok(Reply::Array(items)) => {
                self.out.array(items.len());
                for item in items {
                    self.out.reply(&item);
                    self.flush_if_long().await?;
                }
            }
            Ok(reply) => self.out.reply(&reply),
            Err(fail) => self.out.error(&fail.0),
        }
        self.flush_if_long().await
    }

    pub(super) async fn flush_if_long(&mut self) -> io::Result<()> {
        if self.out.len() >= OUTPUT_LEN_MAX { self.flush().await } else { Ok(()) }
    }

    pub(super) async fn flush(&mut self) -> io::Result<()> {
        if self.out.is_empty() {
            return Ok(());
        }
        self.sent += self.out.len() as u64;
        // Most replies fit into what the kernel takes at once.
        let sent = self.out.plain().map_or(0, |bytes| self.stream.try_write(bytes).unwrap_or(0));
        if sent > 0 && sent == self.out.len() {
            self.out.clear();
            return Ok(());
        }
        self.flush_rest(sent).await
    }

    /// All but the first `sent` bytes, which are gone already.
    async fn flush_rest(&mut self, mut sent: usize) -> io::Result<()> {
        for mut piece in self.out.take() {
            let gone = sent.min(piece.len());
            piece.advance(gone);
            sent -= gone;
            tokio::time::timeout(WRITE_DEADLINE, self.stream.write_all(&piece))
                .await
                .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "it does not read its replies"))??;
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

    /// Completes when the client has closed. Cancel-safe.
    pub(super) async fn gone(&self) -> io::Result<()> {
        let mut look = LOOK_FIRST;
        loop {
            match self.stream.peek(&mut [0]).await? {
                0 => return Ok(()),
                // It says more while it waits; that it goes after that is noticed a little later.
                _ => tokio::time::sleep(look).await,
            }
            look = (look * 2).min(LOOK_MAX);
        }
    }
}
