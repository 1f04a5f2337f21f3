//! Driver: one connection of HTTP/1.1, from its first byte to its last. One future without tasks, channels or timers of its own.
//!
//! ```text
//!            ┌──────────── next request ─────────────┐
//!            ▼                                       │
//!  Head ─► Serving ─► Responding ─► (Discarding) ────┤
//!   │         │                                      ▼
//!   │         └─► Upgrading ─► Elsewhere (tunnel)  Closing, or Elsewhere (linger)
//!   └─ refused: Responding, then it is over
//! ```
//!
//! While somebody works on a request its body is read only as it is wanted; without one the connection is listened to, so that the
//! work ends when the client is gone.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use http::{Response, StatusCode};
use ringway_ports::Body;
use ringway_protocol::http1::{BadHead, HeadEnd, RequestHead};
use ringway_rt::clock::wall_ms;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;
use tokio_util::io::poll_read_buf;
use tracing::debug;

use super::hot_answers::{self, Hot};
use super::reading::{Asked, Fed, Upload, fault_of, head_limits, request_of};
use super::response::write_head;
use super::roll::Alarm;
use super::thread_scratch::{Scratch, with_scratch};
use super::tunnel::{self, Tunnel, TunnelSlot};
use crate::connection_state::ConnectionState;
use crate::fault::Fault;
use crate::outbox::Outbox;
use crate::outgoing_body::{Filled, OutgoingBody};
use crate::service;
use crate::socket::Socket;
use crate::worker::Worker;

/// How a connection of HTTP/2 begins, as far as it looks like a request (RFC 9113, 3.4).
const H2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\n";
/// What is read of a body at once.
const BODY_READ: usize = 64 << 10;
/// What a client may send ahead while a request of it is being answered.
const AHEAD_MAX: usize = 16 << 10;
/// Of a body that nobody wanted: it is read and thrown away up to here, for the sake of the next request.
const DISCARDED_MAX: usize = 256 << 10;
/// How long and how much is read after the last answer of a connection whose client is still sending. A socket that is closed with
/// unread bytes in it is *reset*, which can overtake the answer.
const LINGER_TIME: Duration = Duration::from_secs(5);
const LINGER_LEN_MAX: usize = 64 << 20;

type Answering = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// Serves a connection until it ends, or turns out to be one of HTTP/2: then here is its socket, and what was read of it.
pub fn serve(worker: Arc<Worker>, socket: Socket, state: Arc<ConnectionState>) -> Connection {
    let (place, alarm) = worker.roll.enter();
    Connection {
        entry: Entry { worker, place, alarm },
        state,
        socket,
        is_new: true,
        is_unread: false,
        read: BytesMut::new(),
        head_end: HeadEnd::default(),
        out: Outbox::default(),
        must_flush: false,
        phase: Phase::Head,
        waits: Waits::Nothing,
        has_ended: false,
        is_cut: false,
    }
}

pub struct Connection {
    entry: Entry,
    state: Arc<ConnectionState>,
    socket: Socket,
    /// Nothing has been asked yet.
    is_new: bool,
    read: BytesMut,
    /// There is something in `read` that nobody has looked at.
    is_unread: bool,
    head_end: HeadEnd,
    out: Outbox,
    /// Something was written since the socket was flushed.
    must_flush: bool,
    phase: Phase,
    waits: Waits,
    /// The client sends no more.
    has_ended: bool,
    /// It is not known where the next request would begin.
    is_cut: bool,
}

/// The connection's place on the roll.
struct Entry {
    worker: Arc<Worker>,
    place: usize,
    alarm: Arc<Alarm>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.worker.roll.leave(self.place);
    }
}

enum Phase {
    Head,
    Serving(Box<Serving>),
    Responding(Box<Responding>),
    Discarding(Box<Upload>, usize),
    Upgrading(Box<Tunnel>),
    Closing,
    /// The socket has been given away.
    Elsewhere(Pin<Box<dyn Future<Output = ()> + Send>>),
    /// It is one of HTTP/2.
    Http2,
    Over,
}

struct Serving {
    answer: Answering,
    asked: Asked,
    upload: Option<Upload>,
    /// Its answer may be kept at hand, under this key, if the routes are still these.
    hot_key: Option<(u64, Box<[u8]>)>,
}

struct Responding {
    body: OutgoingBody,
    keeps_alive: bool,
    upload: Option<Upload>,
}

/// What the alarm is set for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waits {
    Nothing,
    Request,
    Head,
    Write,
    Rest,
}

/// What was found in the bytes that came.
enum Found {
    /// Not enough.
    More,
    /// Answers that must go out first.
    Answers,
    Request(Box<Serving>),
    Refused(Fault),
    Http2,
}

impl Future for Connection {
    type Output = Option<(Socket, BytesMut)>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        loop {
            match this.step(cx) {
                Poll::Ready(Ok(())) => match this.phase {
                    Phase::Over => return Poll::Ready(None),
                    Phase::Http2 => {
                        let socket = std::mem::replace(&mut this.socket, Socket::Gone);
                        return Poll::Ready(Some((socket, std::mem::take(&mut this.read))));
                    }
                    _ => {}
                },
                Poll::Ready(Err(error)) => {
                    debug!(%error, "a connection broke");
                    return Poll::Ready(None);
                }
                Poll::Pending if this.is_done_waiting() => {}
                Poll::Pending => {
                    this.park(cx);
                    return Poll::Pending;
                }
            }
        }
    }
}

impl Connection {
    fn step(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Head => {
                self.phase = Phase::Head;
                self.step_head(cx)
            }
            Phase::Serving(serving) => self.step_serving(serving, cx),
            Phase::Responding(responding) => self.step_responding(responding, cx),
            Phase::Discarding(upload, left) => self.step_discarding(upload, left, cx),
            Phase::Upgrading(tunnel) => self.step_upgrading(tunnel, cx),
            Phase::Closing => {
                self.phase = Phase::Closing;
                ready!(self.poll_flush(cx))?;
                ready!(Pin::new(&mut self.socket).poll_shutdown(cx))?;
                self.phase = Phase::Over;
                Poll::Ready(Ok(()))
            }
            Phase::Elsewhere(mut other) => {
                if other.as_mut().poll(cx).is_pending() {
                    self.phase = Phase::Elsewhere(other);
                    return Poll::Pending;
                }
                Poll::Ready(Ok(()))
            }
            Phase::Http2 | Phase::Over => Poll::Ready(Ok(())),
        }
    }

    /// Nothing can be done now: says until when that may be so, and gives back what is not needed meanwhile.
    fn park(&mut self, cx: &Context<'_>) {
        let limits = &self.entry.worker.shared.config.limits;
        let (waits, time) = match self.phase {
            Phase::Elsewhere(_) => (Waits::Nothing, None),
            _ if !self.out.is_empty() || self.must_flush => (Waits::Write, Some(limits.body_idle_timeout)),
            Phase::Head if self.read.is_empty() => (Waits::Request, Some(limits.idle_timeout)),
            Phase::Head => (Waits::Head, Some(limits.head_timeout)),
            Phase::Discarding(..) => (Waits::Rest, Some(LINGER_TIME)),
            Phase::Closing => (Waits::Write, Some(LINGER_TIME)),
            _ => (Waits::Nothing, None),
        };
        if waits != self.waits {
            self.waits = waits;
            self.entry.alarm.set(time.map_or(0, |time| self.entry.worker.roll.after(time)));
        }
        if self.out.is_empty()
            && let Some(buffer) = self.out.take_back()
        {
            with_scratch(|scratch| scratch.give_back(buffer));
        }
        if self.read.is_empty() {
            self.read = BytesMut::new();
        }
        self.entry.alarm.listen(cx.waker());
    }

    /// Whether something else than the socket ends the waiting: its time is up, or the front end stops.
    fn is_done_waiting(&mut self) -> bool {
        let worker = &self.entry.worker;
        if self.entry.alarm.is_due(worker.roll.now_ms()) {
            self.entry.alarm.clear();
            match self.waits {
                Waits::Nothing => return false,
                Waits::Head => self.refuse(Fault::SlowHead(worker.shared.config.limits.head_timeout)),
                Waits::Request | Waits::Rest => self.phase = Phase::Over,
                Waits::Write => {
                    debug!("a client does not take its answer");
                    self.phase = Phase::Over;
                }
            }
            self.waits = Waits::Nothing;
            return true;
        }
        let is_idle = matches!(self.phase, Phase::Head) && self.read.is_empty() && self.out.is_empty();
        if is_idle && worker.stop.is_cancelled() {
            self.phase = Phase::Over;
            return true;
        }
        false
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.out.is_empty() {
            let socket = Pin::new(&mut self.socket);
            let written = match self.out.only_slice() {
                Some(slice) => ready!(socket.poll_write(cx, slice))?,
                None => ready!(socket.poll_write_vectored(cx, &self.out.slices()))?,
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.out.advance(written);
            self.waits = Waits::Nothing;
            self.must_flush = self.socket.is_buffered();
        }
        if self.must_flush {
            ready!(Pin::new(&mut self.socket).poll_flush(cx))?;
            self.must_flush = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Reads on behind what is there; remembers when that was all.
    fn poll_read(&mut self, len: usize, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.read.capacity() - self.read.len() < len / 4 {
            self.read.reserve(len);
        }
        let read = ready!(poll_read_buf(Pin::new(&mut self.socket), cx, &mut self.read))?;
        self.has_ended |= read == 0;
        Poll::Ready(Ok(read))
    }
}

/// Heads.
impl Connection {
    fn step_head(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_flush(cx))?;
        let found = if std::mem::take(&mut self.is_unread) {
            self.look_again()
        } else if self.read.is_empty() {
            ready!(self.poll_first(cx))?
        } else {
            self.is_unread = ready!(self.poll_read(AHEAD_MAX, cx))? > 0;
            Found::More
        };
        match found {
            Found::More if self.has_ended => self.phase = Phase::Over,
            Found::More | Found::Answers => {}
            Found::Request(serving) => {
                self.waits = Waits::Nothing;
                self.phase = Phase::Serving(serving);
            }
            Found::Refused(fault) => self.refuse(fault),
            Found::Http2 => self.phase = Phase::Http2,
        }
        Poll::Ready(Ok(()))
    }

    /// At what has been read already.
    fn look_again(&mut self) -> Found {
        let mut raw = std::mem::take(&mut self.read);
        let (used, found) = with_scratch(|scratch| self.look_at(scratch, &raw));
        raw.advance(used);
        self.is_unread = !matches!(found, Found::More) && !raw.is_empty();
        self.read = raw;
        found
    }

    /// Reads into room that belongs to nobody; what is not used up is copied.
    fn poll_first(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Found>> {
        with_scratch(|scratch| {
            let mut room = std::mem::take(&mut scratch.read);
            let found = self.poll_into(scratch, &mut room, cx);
            scratch.read = room;
            found
        })
    }

    fn poll_into(&mut self, scratch: &mut Scratch, room: &mut [u8], cx: &mut Context<'_>) -> Poll<io::Result<Found>> {
        let mut buf = ReadBuf::new(room);
        ready!(Pin::new(&mut self.socket).poll_read(cx, &mut buf))?;
        let raw = buf.filled();
        self.has_ended = raw.is_empty();
        let (used, found) = self.look_at(scratch, raw);
        self.read.extend_from_slice(&raw[used..]);
        self.is_unread = !matches!(found, Found::More) && !self.read.is_empty();
        Poll::Ready(Ok(found))
    }

    /// How many bytes were used, and what for. Requests whose answers are at hand are answered here.
    fn look_at(&mut self, scratch: &mut Scratch, raw: &[u8]) -> (usize, Found) {
        let limits = head_limits(&self.entry.worker.shared.config.limits);
        let mut at = 0;
        loop {
            // A client may end a body with an empty line that does not belong to it (RFC 9112, 2.2).
            while !self.head_end.is_begun() && raw[at..].starts_with(b"\r\n") {
                at += 2;
            }
            let end = match self.head_end.find(&raw[at..], &limits) {
                Ok(Some(len)) => at + len,
                Ok(None) => return (at, Found::More),
                Err(bad) => return (at, Found::Refused(fault_of(bad, &limits))),
            };
            self.head_end = HeadEnd::default();
            let head = match RequestHead::parse(&raw[at..end], &limits, &mut scratch.fields) {
                Ok(head) => head,
                Err(BadHead::Version) if self.is_new && raw[at..end] == *H2_PREFACE => return (at, Found::Http2),
                Err(bad) => return (at, Found::Refused(fault_of(bad, &limits))),
            };
            self.is_new = false;
            let (mut hot_key, mut traced) = (None, None);
            if head.is_plain {
                match hot_answers::answer(scratch, &head, &self.state, &self.entry.worker, &mut self.out) {
                    Hot::Answered if self.out.has_room() => {
                        at = end;
                        continue;
                    }
                    Hot::Answered => return (end, Found::Answers),
                    Hot::Unknown(key) => hot_key = key,
                    Hot::Traced(trace) => traced = Some(trace),
                }
            }
            return match request_of(&head, &raw[at..end], &scratch.fields) {
                Ok((mut request, asked, upload)) => {
                    traced.map(|trace| request.extensions_mut().insert(trace));
                    let (worker, state) = (Arc::clone(&self.entry.worker), Arc::clone(&self.state));
                    let answer = Box::pin(service::serve(worker, state, request));
                    (end, Found::Request(Box::new(Serving { answer, asked, upload, hot_key })))
                }
                Err(fault) => (at, Found::Refused(fault)),
            };
        }
    }

    /// Answers with the reason why nothing more is read.
    fn refuse(&mut self, fault: Fault) {
        let asked = Asked { is_head: false, is_1_1: true, keeps_alive: false, upgrades: false };
        self.is_cut = true;
        let response = service::refuse(&self.entry.worker, &self.state, fault);
        self.respond(response, asked, None);
    }
}

/// Answers.
impl Connection {
    fn step_serving(&mut self, mut serving: Box<Serving>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if let Poll::Ready(response) = serving.answer.as_mut().poll(cx) {
                let Serving { asked, upload, hot_key, .. } = *serving;
                if let Some((version, key)) = hot_key {
                    hot_answers::keep(version, key, &response, &self.entry.worker);
                }
                self.respond(response, asked, upload);
                return Poll::Ready(Ok(()));
            }
            self.state.take_interim(self.out.buffer());
            if !self.feed(&mut serving.upload, cx)? {
                break;
            }
        }
        let _ = self.poll_flush(cx)?;
        if serving.upload.is_none() && self.is_client_gone(cx)? {
            return Poll::Ready(Ok(()));
        }
        self.phase = Phase::Serving(serving);
        Poll::Pending
    }

    /// Hands the next piece of a body over if it is wanted and there. Whether something has changed for who wants it.
    fn feed(&mut self, coming: &mut Option<Upload>, cx: &mut Context<'_>) -> io::Result<bool> {
        let Some(upload) = coming else { return Ok(false) };
        if upload.uploader.poll_wanted(cx) != Poll::Ready(true) {
            return Ok(false);
        }
        let fed = loop {
            match upload.feed(&mut self.read) {
                Fed::More => {}
                fed => break fed,
            }
            if std::mem::take(&mut upload.expects_continue) {
                self.out.buffer().extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
            }
            match self.poll_read(BODY_READ, cx)? {
                Poll::Pending => return Ok(false),
                Poll::Ready(0) => break upload.cut_short(),
                Poll::Ready(_) => {}
            }
        };
        if fed == Fed::End {
            self.is_cut |= !upload.is_whole();
            *coming = None;
        }
        Ok(true)
    }

    /// What a client sends meanwhile is kept, up to a point.
    fn is_client_gone(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        while self.read.len() < AHEAD_MAX && !self.has_ended {
            match self.poll_read(AHEAD_MAX, cx)? {
                Poll::Pending => return Ok(false),
                Poll::Ready(_) => self.is_unread = true,
            }
        }
        Ok(self.has_ended)
    }

    fn respond(&mut self, response: Response<Body>, asked: Asked, upload: Option<Upload>) {
        let waits_for_continue = upload.as_ref().is_some_and(|upload| upload.expects_continue);
        let keeps_alive = !self.is_cut && !waits_for_continue && !self.entry.worker.stop.is_cancelled();
        self.state.take_interim(self.out.buffer());
        let (length, keeps_alive) = with_scratch(|scratch| {
            self.out.lend(scratch.buffer());
            write_head(self.out.buffer(), &response, asked, keeps_alive, scratch.date(wall_ms()))
        });
        let is_switching = asked.upgrades && response.status() == StatusCode::SWITCHING_PROTOCOLS;
        if is_switching && let Some(tunnel) = response.extensions().get().and_then(TunnelSlot::take) {
            self.phase = Phase::Upgrading(Box::new(tunnel));
            return;
        }
        let body = OutgoingBody::new(response.into_body(), length);
        self.phase = Phase::Responding(Box::new(Responding { body, keeps_alive, upload }));
    }

    fn step_responding(&mut self, mut responding: Box<Responding>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let filled = match responding.body.poll_fill(cx, &mut self.out) {
                Poll::Ready(filled) => Some(filled.map_err(io::Error::other)?),
                Poll::Pending => None,
            };
            if self.poll_flush(cx)?.is_pending() {
                break;
            }
            match filled {
                Some(Filled::All) => {
                    self.end_response(*responding);
                    return Poll::Ready(Ok(()));
                }
                Some(Filled::Some) => {}
                None if self.feed(&mut responding.upload, cx)? => {}
                None => {
                    if responding.upload.is_none() && self.is_client_gone(cx)? {
                        return Poll::Ready(Ok(()));
                    }
                    break;
                }
            }
        }
        self.phase = Phase::Responding(responding);
        Poll::Pending
    }

    fn end_response(&mut self, responding: Responding) {
        let Responding { keeps_alive, upload, .. } = responding;
        self.waits = Waits::Nothing;
        self.phase = match upload {
            _ if !keeps_alive || self.is_cut || self.has_ended => return self.close(upload.is_some()),
            Some(upload) => Phase::Discarding(Box::new(upload), DISCARDED_MAX),
            None => Phase::Head,
        };
        self.is_unread = !self.read.is_empty();
    }

    fn step_discarding(
        &mut self,
        mut upload: Box<Upload>,
        mut left: usize,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let before = self.read.len();
            let is_bad = loop {
                match upload.decoder.decode(&mut self.read) {
                    Ok(ringway_protocol::http1::Decoded::Data(_)) => {}
                    Ok(_) => break false,
                    Err(_) => break true,
                }
            };
            let used = before - self.read.len();
            if upload.is_whole() {
                self.is_unread = !self.read.is_empty();
                self.phase = Phase::Head;
                return Poll::Ready(Ok(()));
            }
            if is_bad || used > left || self.has_ended {
                self.close(true);
                return Poll::Ready(Ok(()));
            }
            left -= used;
            if self.poll_read(BODY_READ, cx)?.is_pending() {
                self.phase = Phase::Discarding(upload, left);
                return Poll::Pending;
            }
        }
    }

    fn step_upgrading(&mut self, tunnel: Box<Tunnel>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.poll_flush(cx)?.is_pending() {
            self.phase = Phase::Upgrading(tunnel);
            return Poll::Pending;
        }
        let socket = std::mem::replace(&mut self.socket, Socket::Gone);
        let (said, stop) = (std::mem::take(&mut self.read), self.entry.worker.stop.clone());
        self.phase = Phase::Elsewhere(Box::pin(tunnel::run(socket, said, *tunnel, stop)));
        Poll::Ready(Ok(()))
    }

    fn close(&mut self, is_sending: bool) {
        let may_send = is_sending || self.is_cut || !self.read.is_empty();
        self.phase = if may_send && !self.has_ended {
            Phase::Elsewhere(Box::pin(linger(std::mem::replace(&mut self.socket, Socket::Gone))))
        } else {
            Phase::Closing
        };
    }
}

async fn linger(mut socket: Socket) {
    let drain = async {
        if socket.shutdown().await.is_err() {
            return;
        }
        let (mut sink, mut total) = (vec![0; AHEAD_MAX], 0);
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
