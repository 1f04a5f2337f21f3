//! Driver: a socket under a connection that flushes too often: what is written during one poll of it goes out in one write.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tracing::debug;

use crate::http1::Alarm;
use crate::socket::Socket;
use crate::worker::Worker;

/// More than this is written at once, even within a poll.
const CORKED_MAX: usize = 64 << 10;

/// Shared by the connection, which fills it, and whoever polls that, who empties it. Both are on one task.
#[derive(Clone)]
pub struct Cork(Arc<Mutex<Corking>>);

struct Corking {
    socket: Socket,
    /// What was read before the connection was known to be one of HTTP/2.
    begun: BytesMut,
    out: Vec<u8>,
    at: usize,
    must_flush: bool,
    worker: Arc<Worker>,
    place: usize,
    alarm: Arc<Alarm>,
    is_waiting: bool,
}

/// The connection's side.
pub struct CorkIo(Cork);

impl Cork {
    pub fn new(socket: Socket, begun: BytesMut, worker: Arc<Worker>) -> Self {
        let (place, alarm) = worker.roll.enter();
        let (out, at, must_flush, is_waiting) = (Vec::new(), 0, false, false);
        Self(Arc::new(Mutex::new(Corking { socket, begun, out, at, must_flush, worker, place, alarm, is_waiting })))
    }

    pub fn io(&self) -> CorkIo {
        CorkIo(self.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Corking> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Corking {
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let drained = self.poll_write_out(cx);
        if drained.is_ready() {
            self.is_waiting = false;
            self.alarm.clear();
            return drained;
        }
        let roll = &self.worker.roll;
        if !self.is_waiting {
            self.is_waiting = true;
            self.alarm.set(roll.after(self.worker.shared.config.limits.body_idle_timeout));
        }
        if self.alarm.is_due(roll.now_ms()) {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not take its answers")));
        }
        self.alarm.listen(cx.waker());
        Poll::Pending
    }

    fn poll_write_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.at < self.out.len() {
            let written = ready!(Pin::new(&mut self.socket).poll_write(cx, &self.out[self.at..]))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.at += written;
            self.is_waiting = false;
            self.must_flush = self.socket.is_buffered();
        }
        self.out.clear();
        self.at = 0;
        if self.must_flush {
            ready!(Pin::new(&mut self.socket).poll_flush(cx))?;
            self.must_flush = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Idle connections keep no buffer.
    fn rest(&mut self) {
        if self.out.is_empty() && self.out.capacity() > 0 {
            self.out = Vec::new();
        }
    }
}

impl Drop for Corking {
    fn drop(&mut self) {
        self.worker.roll.leave(self.place);
    }
}

impl AsyncRead for CorkIo {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut cork = self.0.lock();
        if cork.begun.is_empty() {
            return Pin::new(&mut cork.socket).poll_read(cx, buf);
        }
        let len = cork.begun.len().min(buf.remaining());
        buf.put_slice(&cork.begun[..len]);
        cork.begun.advance(len);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for CorkIo {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut cork = self.0.lock();
        if cork.out.len() - cork.at >= CORKED_MAX {
            ready!(cork.poll_drain(cx))?;
        }
        cork.out.extend_from_slice(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut cork = self.0.lock();
        if cork.out.len() - cork.at >= CORKED_MAX {
            ready!(cork.poll_drain(cx))?;
        }
        bufs.iter().for_each(|buf| cork.out.extend_from_slice(buf));
        Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Later, when the poll is over.
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut cork = self.0.lock();
        ready!(cork.poll_drain(cx))?;
        Pin::new(&mut cork.socket).poll_shutdown(cx)
    }
}

/// A connection, and its socket that is emptied after each poll.
pub struct Corked<F> {
    connection: Pin<Box<F>>,
    cork: Cork,
    has_ended: bool,
}

impl<F> Corked<F> {
    pub fn new(connection: F, cork: Cork) -> Self {
        Self { connection: Box::pin(connection), cork, has_ended: false }
    }

    pub fn connection(&mut self) -> Pin<&mut F> {
        self.connection.as_mut()
    }
}

impl<F, E> Future for Corked<F>
where
    F: Future<Output = Result<(), E>>,
    E: std::fmt::Display,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if !this.has_ended
            && let Poll::Ready(ended) = this.connection.as_mut().poll(cx)
        {
            this.has_ended = true;
            if let Err(error) = ended {
                debug!(%error, "a connection broke");
            }
        }
        let mut cork = this.cork.lock();
        match cork.poll_drain(cx) {
            Poll::Ready(Err(error)) => {
                debug!(%error, "a connection broke");
                return Poll::Ready(());
            }
            Poll::Ready(Ok(())) if this.has_ended => return Poll::Ready(()),
            _ => {}
        }
        cork.rest();
        Poll::Pending
    }
}
