//! Driver: stands between a client's socket and hyper, and lets through only whole heads that [`Framing`] finds sound.
//!
//! hyper closes a connection on a bad or slow head, in silence or with a bare status. Here a bad head is *replaced* with a
//! small request that the service knows to answer with the reason, so every answer is made in one place, comes in its turn
//! behind those before it, has a request id and is counted. The rest of such a connection is not read by anybody.
//!
//! It also keeps time: a head must be complete soon after it began, a connection without requests goes, and a client that does
//! not take its answer loses it. And it lingers: a socket closed with unread bytes in it is *reset*, which can overtake
//! the answer, so those bytes are read and thrown away for a moment.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::runtime::Handle;
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tokio_util::io::poll_read_buf;
use tokio_util::task::TaskTracker;

use crate::config::Limits;
use crate::connection_state::ConnectionState;
use crate::fault::Fault;
use crate::framing::{Framing, HeadLimits, Next, Step};
use crate::socket::Socket;

/// In the place of a refused request. Only believed when [`ConnectionState::take_refusal`] has a reason too.
pub const REFUSED_MARK: &str = "ringway-refused";
const REFUSED: &[u8] = b"GET / HTTP/1.1\r\nhost: refused\r\nringway-refused: 1\r\nconnection: close\r\n\r\n";

const READ_LEN: usize = 8 << 10;
/// How long and how much is read after the last answer of a connection whose client is still sending.
const LINGER_TIME: Duration = Duration::from_secs(5);
const LINGER_LEN_MAX: usize = 64 << 20;

pub struct Intake {
    socket: Socket,
    framing: Framing,
    /// Not checked yet.
    raw: BytesMut,
    /// Checked, on its way to hyper.
    sound: Bytes,
    state: Arc<ConnectionState>,
    clock: Clock,
    /// A request was refused: nothing more is read.
    refused: bool,
    ended: bool,
    tracker: TaskTracker,
}

/// The times of one connection, on one timer each way. Timers are moved only when they fire, as most never do.
struct Clock {
    head_timeout: Duration,
    idle_timeout: Duration,
    write_timeout: Duration,
    head_since: Option<Instant>,
    read_timer: Pin<Box<Sleep>>,
    write_timer: Option<Pin<Box<Sleep>>>,
}

enum Late {
    Head,
    Idle,
}

impl Intake {
    /// `begun`: what was read of the connection already. `framed`: whether it is HTTP/1.
    pub fn new(
        socket: Socket,
        begun: BytesMut,
        framed: bool,
        state: Arc<ConnectionState>,
        limits: &Limits,
        tracker: TaskTracker,
    ) -> Self {
        let head = HeadLimits {
            len_max: limits.head_len_max,
            target_len_max: limits.target_len_max,
            headers_max: limits.headers_max,
        };
        Self {
            socket,
            framing: if framed { Framing::new(head) } else { Framing::open() },
            raw: begun,
            sound: Bytes::new(),
            state,
            clock: Clock::new(limits),
            refused: false,
            ended: false,
            tracker,
        }
    }

    fn deliver(&mut self, buf: &mut ReadBuf<'_>) {
        let bytes = self.sound.split_to(self.sound.len().min(buf.remaining()));
        buf.put_slice(&bytes);
    }

    fn pass(&mut self, bytes: usize) {
        self.sound = self.raw.split_to(bytes).freeze();
        self.clock.head_since = None;
    }

    fn refuse(&mut self, fault: Fault) {
        self.state.refuse(fault);
        self.refused = true;
        self.sound = Bytes::from_static(REFUSED);
    }

    fn poll_checked(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let in_head = self.framing.in_head();
        match self.framing.check(&self.raw) {
            Ok(Step::Pass(bytes)) => {
                if in_head {
                    self.state.gate.close();
                }
                self.pass(bytes);
                Poll::Ready(Ok(()))
            }
            Ok(Step::More) => self.poll_more(cx),
            Err(fault) if in_head => {
                self.refuse(fault);
                Poll::Ready(Ok(()))
            }
            Err(fault) => Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, fault))),
        }
    }

    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.raw.capacity() - self.raw.len() < READ_LEN / 2 {
            self.raw.reserve(READ_LEN);
        }
        match poll_read_buf(Pin::new(&mut self.socket), cx, &mut self.raw) {
            Poll::Ready(read) => {
                self.ended = read? == 0;
                Poll::Ready(Ok(()))
            }
            Poll::Pending => self.poll_late(cx),
        }
    }

    /// Nothing came: gives the buffer back if it is empty, and looks at the time.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.raw.is_empty() {
            self.raw = BytesMut::new();
        }
        if !self.framing.in_head() {
            return Poll::Pending;
        }
        match ready!(self.clock.poll_late(cx, !self.raw.is_empty(), &self.state)) {
            Late::Head => self.refuse(Fault::SlowHead(self.clock.head_timeout)),
            Late::Idle => self.ended = true,
        }
        Poll::Ready(Ok(()))
    }

    fn poll_opaque(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>, left: u64) -> Poll<io::Result<()>> {
        let len = buf.remaining().min(usize::try_from(left).unwrap_or(usize::MAX));
        let mut part = ReadBuf::new(buf.initialize_unfilled_to(len));
        ready!(Pin::new(&mut self.socket).poll_read(cx, &mut part))?;
        let read = part.filled().len();
        buf.advance(read);
        self.framing.passed(read);
        self.ended = read == 0;
        Poll::Ready(Ok(()))
    }

    /// Whether the client may be sending something that nobody will read.
    fn is_cut_short(&self) -> bool {
        !self.ended && !self.framing.is_tunnel() && (self.refused || !self.framing.in_head() || !self.raw.is_empty())
    }
}

impl Clock {
    fn new(limits: &Limits) -> Self {
        let now = Instant::now();
        Self {
            head_timeout: limits.head_timeout,
            idle_timeout: limits.idle_timeout,
            write_timeout: limits.body_idle_timeout,
            head_since: None,
            read_timer: Box::pin(sleep_until(now + limits.idle_timeout)),
            write_timer: None,
        }
    }

    fn poll_late(&mut self, cx: &mut Context<'_>, head_begun: bool, state: &ConnectionState) -> Poll<Late> {
        if head_begun && self.head_since.is_none() {
            self.head_since = Some(Instant::now());
        }
        loop {
            let due = self.head_since.map_or(state.idle_since() + self.idle_timeout, |since| since + self.head_timeout);
            if self.read_timer.deadline() > due && (self.head_since.is_some() || !state.is_busy()) {
                self.read_timer.as_mut().reset(due);
            }
            ready!(self.read_timer.as_mut().poll(cx));
            let now = Instant::now();
            if due > now {
                self.read_timer.as_mut().reset(due);
            } else if self.head_since.is_some() {
                return Poll::Ready(Late::Head);
            } else if state.is_busy() {
                self.read_timer.as_mut().reset(now + self.idle_timeout);
            } else {
                return Poll::Ready(Late::Idle);
            }
        }
    }

    /// Looks at how long a write has been waiting.
    fn watch<T>(&mut self, cx: &mut Context<'_>, write: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if write.is_ready() {
            self.write_timer = None;
            return write;
        }
        let timer = self.write_timer.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + self.write_timeout)));
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not take its answer")))
    }
}

impl AsyncRead for Intake {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if !this.sound.is_empty() {
                this.deliver(buf);
                return Poll::Ready(Ok(()));
            }
            if this.ended {
                return Poll::Ready(Ok(()));
            }
            if this.refused {
                return Poll::Pending;
            }
            match this.framing.next() {
                Next::Checked => ready!(this.poll_checked(cx))?,
                Next::Upgrade => {
                    let agreed = ready!(this.state.gate.poll_opened(cx));
                    this.framing.upgraded(agreed);
                }
                Next::Opaque(left) if this.raw.is_empty() => return this.poll_opaque(cx, buf, left),
                Next::Opaque(left) => {
                    let bytes = this.raw.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                    this.framing.passed(bytes);
                    this.pass(bytes);
                }
            }
        }
    }
}

impl AsyncWrite for Intake {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let write = Pin::new(&mut this.socket).poll_write(cx, buf);
        this.clock.watch(cx, write)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let write = Pin::new(&mut this.socket).poll_write_vectored(cx, bufs);
        this.clock.watch(cx, write)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flush = Pin::new(&mut this.socket).poll_flush(cx);
        this.clock.watch(cx, flush)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let shutdown = Pin::new(&mut this.socket).poll_shutdown(cx);
        this.clock.watch(cx, shutdown)
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        let Ok(runtime) = Handle::try_current() else { return };
        if self.is_cut_short() {
            let socket = std::mem::replace(&mut self.socket, Socket::Gone);
            self.tracker.spawn_on(linger(socket), &runtime);
        }
    }
}

async fn linger(mut socket: Socket) {
    let drain = async {
        if socket.shutdown().await.is_err() {
            return;
        }
        let (mut sink, mut total) = (vec![0; READ_LEN], 0);
        while let Ok(read @ 1..) = socket.read(&mut sink).await {
            total += read;
            if total > LINGER_LEN_MAX {
                return;
            }
        }
    };
    // Late or not, the socket is closed now.
    let _ = timeout(LINGER_TIME, drain).await;
}
