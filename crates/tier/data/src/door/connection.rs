//! Driver: one client. Reads what is there, runs all complete commands in it as one batch, writes the replies at once.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use ringway_protocol::resp::{Limits, Reply, RequestParser, RespVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::DataTier;
use crate::door::batch;
use crate::door::session::Session;

/// How much is read at once; grows to what a command needs.
const READ_LEN: usize = 16 * 1024;
/// Read buffers above this are given back after use.
const BUFFER_KEPT_MAX: usize = 256 * 1024;
/// Replies are written when they are this long, so that a long batch does not pile them up.
const OUTPUT_LEN_MAX: usize = 256 * 1024;
/// Commands of one batch; the rest of what was read comes next.
const BATCH_LEN_MAX: usize = 1024;
/// A client that takes no replies for this long is cut.
const WRITE_DEADLINE: Duration = Duration::from_secs(20);
/// How long somebody may take to say who it is.
const AUTH_DEADLINE: Duration = Duration::from_secs(60);

pub(super) struct Connection {
    stream: TcpStream,
    parser: RequestParser,
    input: BytesMut,
    output: BytesMut,
    session: Session,
}

/// Returns when the client has gone, was cut, or the tier stops.
pub(super) async fn serve(tier: &Arc<DataTier>, stream: TcpStream, id: u64) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let session = Session::new(id, stream.local_addr()?);
    let mut connection = Connection {
        stream,
        parser: RequestParser::new(Limits::UNAUTHENTICATED),
        input: BytesMut::with_capacity(READ_LEN),
        output: BytesMut::new(),
        session,
    };
    while connection.fill(tier).await? {
        if !connection.drain(tier).await? {
            break;
        }
    }
    connection.flush().await
}

impl Connection {
    /// Reads more; false at the end.
    async fn fill(&mut self, tier: &DataTier) -> io::Result<bool> {
        if self.input.is_empty() && self.input.capacity() > BUFFER_KEPT_MAX {
            self.input = BytesMut::new();
        }
        // No more than twice what is there: a length that was only promised reserves nothing.
        let wanted = self.parser.missing_bytes(&self.input).min(self.input.len()).max(READ_LEN);
        self.input.reserve(wanted);
        let deadline = async {
            match self.session.is_authenticated() {
                true => std::future::pending().await,
                false => tokio::time::sleep(AUTH_DEADLINE).await,
            }
        };
        tokio::select! {
            read = self.stream.read_buf(&mut self.input) => Ok(read? > 0),
            () = tier.tasks.stopping() => Ok(false),
            () = deadline => Err(io::Error::new(io::ErrorKind::TimedOut, "it did not say who it is")),
        }
    }

    /// Runs all complete commands; false if that was the last of this connection.
    async fn drain(&mut self, tier: &Arc<DataTier>) -> io::Result<bool> {
        loop {
            let mut requests = Vec::new();
            let mut broken = None;
            // Who it is decides what it may send, so until that is known commands are read one by one.
            let batch_len = if self.session.is_authenticated() { BATCH_LEN_MAX } else { 1 };
            while requests.len() < batch_len && broken.is_none() {
                match self.parser.next(&mut self.input) {
                    Ok(Some(request)) => requests.push(request),
                    Ok(None) => break,
                    Err(error) => broken = Some(error),
                }
            }
            let is_last = requests.len() < batch_len;
            let replies = batch::run(tier, &mut self.session, requests).await;
            for (version, reply) in replies {
                self.put(version, &reply).await?;
            }
            if self.session.is_authenticated() {
                self.parser.set_limits(Limits::AUTHENTICATED);
            } else {
                self.parser.set_limits(Limits::UNAUTHENTICATED);
            }
            if let Some(error) = broken {
                self.put(RespVersion::Two, &Reply::Error(format!("ERR {error}").into())).await?;
                return Ok(false);
            }
            if self.session.is_closing() {
                return Ok(false);
            }
            if is_last {
                self.flush().await?;
                return Ok(true);
            }
        }
    }

    async fn put(&mut self, version: RespVersion, reply: &Reply) -> io::Result<()> {
        reply.encode(version, &mut self.output);
        if self.output.len() >= OUTPUT_LEN_MAX { self.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> io::Result<()> {
        if self.output.is_empty() {
            return Ok(());
        }
        tokio::time::timeout(WRITE_DEADLINE, self.stream.write_all(&self.output))
            .await
            .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "it does not read its replies"))??;
        self.output.clear();
        if self.output.capacity() > 2 * OUTPUT_LEN_MAX {
            self.output = BytesMut::new();
        }
        Ok(())
    }
}
