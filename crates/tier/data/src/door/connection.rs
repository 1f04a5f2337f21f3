//! Driver: one client. Reads what is there, runs all complete commands in it as one batch, the replies go out through [`Output`].

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use ringway_protocol::resp::{Limits, Reply, RequestParser, RespVersion};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::DataTier;
use crate::door::batch;
use crate::door::output::Output;
use crate::door::session::Session;

/// How much is read at once; grows to what a command needs.
const READ_LEN: usize = 16 * 1024;
/// Read buffers above this are given back after use.
const BUFFER_KEPT_MAX: usize = 256 * 1024;
/// Commands of one batch; the rest of what was read comes next.
const BATCH_LEN_MAX: usize = 1024;
/// How long somebody may take to say who it is.
const AUTH_DEADLINE: Duration = Duration::from_secs(60);

pub(super) struct Connection {
    parser: RequestParser,
    input: BytesMut,
    output: Output,
    session: Session,
}

/// Returns when the client has gone, was cut, or the tier stops.
pub(super) async fn serve(tier: &Arc<DataTier>, stream: TcpStream, id: u64) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let session = Session::new(id, stream.local_addr()?);
    let mut connection = Connection {
        parser: RequestParser::new(Limits::UNAUTHENTICATED),
        input: BytesMut::with_capacity(READ_LEN),
        output: Output::new(stream),
        session,
    };
    while connection.fill(tier).await? {
        if !connection.drain(tier).await? {
            break;
        }
    }
    connection.output.flush().await
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
            read = self.output.stream().read_buf(&mut self.input) => Ok(read? > 0),
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
            batch::run(tier, &mut self.session, requests, &mut self.output).await?;
            if self.session.is_authenticated() {
                self.parser.set_limits(Limits::AUTHENTICATED);
            } else {
                self.parser.set_limits(Limits::UNAUTHENTICATED);
            }
            if let Some(error) = broken {
                let reply = Reply::Error(format!("ERR {error}").into());
                self.output.put(RespVersion::Two, reply).await?;
                return Ok(false);
            }
            if self.session.is_closing() {
                return Ok(false);
            }
            if is_last {
                self.output.flush().await?;
                return Ok(true);
            }
        }
    }
}
