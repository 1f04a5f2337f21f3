//! Driver: what a component writes to stdout and stderr, cut into lines. Writing never waits: whoever takes the lines has a
//! bounded queue.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use ringway_rt::line_cutter::LineCutter;
use tokio::io::AsyncWrite;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use crate::invocation::Observer;

/// A longer line comes in pieces.
const LINE_BYTES_MAX: usize = 4096;

/// What one request may log on one stream; what comes after is dropped.
const REQUEST_BYTES_MAX: usize = 256 * 1024;

/// What a component may write in one go.
const WRITE_BYTES_MAX: usize = 64 * 1024;

/// Where a line was written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Stdout,
    Stderr,
}

/// One of a component's two output streams; clones write to the same lines.
#[derive(Clone)]
pub(crate) struct LogStream {
    stream: Stream,
    cutter: Arc<Mutex<LineCutter>>,
    observer: Arc<dyn Observer>,
}

impl LogStream {
    pub fn new(stream: Stream, observer: Arc<dyn Observer>) -> Self {
        let cutter = LineCutter::new(LINE_BYTES_MAX).with_bytes_max(REQUEST_BYTES_MAX);
        Self { stream, cutter: Arc::new(Mutex::new(cutter)), observer }
    }

    pub fn push(&self, bytes: &[u8]) {
        let mut cutter = self.cutter.lock().unwrap_or_else(PoisonError::into_inner);
        cutter.push(bytes, |line| self.observer.line(self.stream, line));
    }

    pub fn finish(&self) {
        let mut cutter = self.cutter.lock().unwrap_or_else(PoisonError::into_inner);
        cutter.finish(|line| self.observer.line(self.stream, line));
    }
}

impl IsTerminal for LogStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for LogStream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    /// The default would spawn a task per stream.
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl OutputStream for LogStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.push(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES_MAX)
    }
}

#[async_trait]
impl Pollable for LogStream {
    async fn ready(&mut self) {}
}

impl AsyncWrite for LogStream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.push(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
