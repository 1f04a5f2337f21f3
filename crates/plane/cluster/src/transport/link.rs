//! Driver: the asking side of a connection to one node. Connects when somebody wants something, again and again if need be.
//!
//! After a failed attempt the next one waits (50 ms, doubling up to 2 s, jittered); who calls meanwhile is told at once, so that a
//! request goes to the next replica in microseconds rather than seconds. An application-level ping finds silently cut
//! connections (a pulled cable, a dropped firewall state) within [`SILENCE_MAX`].

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use ringway_ports::{PeerError, Priority, Service};
use ringway_ring::NodeId;
use tokio::io::AsyncWriteExt;
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::Transport;
use super::frame::{Frame, Kind};
use super::wire::{self, FrameReader, Outbox, Queues, write_frames};

/// Calls that may be waiting for answers on one link.
const IN_FLIGHT_MAX: usize = 4096;
/// When this node stops: until what was queued before has been written.
const LAST_WORDS_WITHIN: Duration = Duration::from_millis(500);
/// How long a call waits for a connection at most.
const CONNECT_WAIT: Duration = Duration::from_secs(1);
/// A next attempt that is at most this far off is worth waiting for: less than the second pause, so that who asks a dead node for
/// something is told so before a person would notice.
const WORTH_WAITING: Duration = Duration::from_millis(40);
const BACKOFF_MIN: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(2);
const PING_EVERY: Duration = Duration::from_secs(1);
const SILENCE_MAX: Duration = Duration::from_secs(3);
/// Clocks that differ by more are worth a warning: versions are refused from there on.
const CLOCK_OFFSET_WARN_MS: i64 = 500;

#[derive(Debug)]
pub struct Link {
    peer: NodeId,
    queues: Queues,
    waiting: Mutex<HashMap<u64, oneshot::Sender<Result<Bytes, PeerError>>>>,
    last_id: AtomicU64,
    state: watch::Sender<State>,
    /// Somebody wants a connection.
    wanted: Notify,
    /// The peer is there: no need to wait any longer.
    poked: Notify,
    last_ping: Mutex<Option<(u64, Instant)>>,
}

#[derive(Clone, Debug)]
enum State {
    /// Never tried.
    New,
    Trying,
    Up,
    Down {
        why: Arc<str>,
        retry_at: Instant,
    },
}

impl Link {
    pub fn new(peer: NodeId) -> (Self, Outbox) {
        let (queues, outbox) = wire::queues();
        let link = Self {
            peer,
            queues,
            waiting: Mutex::default(),
            last_id: AtomicU64::new(0),
            state: watch::Sender::new(State::New),
            wanted: Notify::new(),
            poked: Notify::new(),
            last_ping: Mutex::default(),
        };
        (link, outbox)
    }

    pub async fn call(
        &self,
        priority: Priority,
        service: Service,
        body: Bytes,
        within: Duration,
    ) -> Result<Bytes, PeerError> {
        let deadline = Instant::now() + within;
        self.connected(deadline.min(Instant::now() + CONNECT_WAIT)).await?;
        let (place, answer) = self.take_place()?;
        let frame = Frame::new(Kind::Request, service as u8, place.id, body);
        if !self.queues.try_put(priority, frame) {
            return Err(PeerError::Busy(self.peer));
        }
        metrics::counter!("ringway_cluster_messages_total", "direction" => "sent").increment(1);
        match tokio::time::timeout_at(deadline, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(PeerError::Unreachable(self.peer, "the connection was lost".into())),
            Err(_) => Err(PeerError::TimedOut(self.peer, within)),
        }
    }

    /// False if there is no room. Queued while there is no connection; lost if the attempt to get one fails.
    pub fn tell(&self, priority: Priority, service: Service, body: Bytes) -> bool {
        self.wanted.notify_one();
        self.queues.try_put(priority, Frame::new(Kind::Tell, service as u8, 0, body))
    }

    pub fn retry_soon(&self) {
        self.poked.notify_one();
    }

    async fn connected(&self, deadline: Instant) -> Result<(), PeerError> {
        let mut state = self.state.subscribe();
        let unreachable = |why: &str| PeerError::Unreachable(self.peer, why.to_owned());
        loop {
            match &*state.borrow_and_update() {
                State::Up => return Ok(()),
                State::Down { why, retry_at } if *retry_at > Instant::now() + WORTH_WAITING => {
                    return Err(unreachable(why));
                }
                State::New | State::Trying | State::Down { .. } => self.wanted.notify_one(),
            }
            match tokio::time::timeout_at(deadline, state.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(unreachable("this node is stopping")),
                Err(_) => return Err(unreachable("no connection in time")),
            }
        }
    }

    fn take_place(&self) -> Result<(Place<'_>, oneshot::Receiver<Result<Bytes, PeerError>>), PeerError> {
        let id = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        let (give, answer) = oneshot::channel();
        let mut waiting = self.waiting();
        if waiting.len() >= IN_FLIGHT_MAX {
            metrics::counter!("ringway_cluster_dropped_total").increment(1);
            return Err(PeerError::Busy(self.peer));
        }
        waiting.insert(id, give);
        Ok((Place { link: self, id }, answer))
    }

    fn answer(&self, id: u64, answer: Result<Bytes, PeerError>) {
        // Nobody waits any longer if the call ran out of time.
        if let Some(give) = self.waiting().remove(&id) {
            let _ = give.send(answer);
        }
    }

    /// Everybody who waits is told, and what is queued is dropped: it would be stale by the time of the next connection.
    fn give_up(&self, why: &str, outbox: &mut Outbox) {
        while outbox.try_next().is_some() {
            metrics::counter!("ringway_cluster_dropped_total").increment(1);
        }
        for (_, give) in self.waiting().drain() {
            let _ = give.send(Err(PeerError::Unreachable(self.peer, why.to_owned())));
        }
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<Result<Bytes, PeerError>>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn last_ping(&self) -> MutexGuard<'_, Option<(u64, Instant)>> {
        self.last_ping.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call's claim on an answer; given up when the caller goes away.
struct Place<'a> {
    link: &'a Link,
    id: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.link.waiting().remove(&self.id);
    }
}

/// The link's task: until the node stops.
pub async fn run(transport: Transport, link: Arc<Link>, mut outbox: Outbox) {
    let stopping = || transport.inner.tasks.stopping();
    let mut backoff = BACKOFF_MIN;
    loop {
        tokio::select! {
            biased;
            () = stopping() => break,
            () = link.wanted.notified() => {}
        }
        link.state.send_replace(State::Trying);
        let since = Instant::now();
        let why = tokio::select! {
            biased;
            () = said_all(&transport, &link) => break,
            why = connect_and_talk(&transport, &link, &mut outbox) => why.to_string(),
        };
        if transport.inner.tasks.is_stopping() {
            break;
        }
        transport.observe(|observer| observer.lost(link.peer));
        backoff = if since.elapsed() > BACKOFF_MAX { BACKOFF_MIN } else { (backoff * 2).min(BACKOFF_MAX) };
        let pause = backoff.mul_f64(0.5 + (ringway_rt::random::number() % 512) as f64 / 1024.0);
        let retry_at = Instant::now() + pause;
        debug!(peer = %link.peer.short(), why, ?pause, "no connection");
        link.state.send_replace(State::Down { why: why.as_str().into(), retry_at });
        link.give_up(&why, &mut outbox);
        tokio::select! {
            biased;
            () = stopping() => break,
            () = link.poked.notified() => backoff = BACKOFF_MIN,
            () = tokio::time::sleep_until(retry_at) => {}
        }
    }
    let why = "this node is stopping";
    link.state.send_replace(State::Down { why: why.into(), retry_at: Instant::now() + Duration::from_secs(3600) });
    link.give_up(why, &mut outbox);
}

/// Completes when this node stops and has had time for its last words, if there is anybody to hear them.
async fn said_all(transport: &Transport, link: &Link) {
    transport.inner.tasks.stopping().await;
    if matches!(*link.state.borrow(), State::Up) {
        tokio::time::sleep(LAST_WORDS_WITHIN).await;
    }
}

/// Ends with the reason for which there is no connection (any more).
async fn connect_and_talk(transport: &Transport, link: &Link, outbox: &mut Outbox) -> io::Error {
    let mut stream = match transport.dial(link.peer, transport.inner.tls.peer_client.clone()).await {
        Ok(stream) => stream,
        Err(error) => return error,
    };
    let mut hello = bytes::BytesMut::new();
    let address = postcard::to_stdvec(&transport.inner.own_address).expect("an address always encodes");
    let frame = Frame::bare(Kind::Hello, address);
    frame.put_header(&mut hello);
    hello.extend_from_slice(&frame.body);
    if let Err(error) = stream.write_all(&hello).await {
        return error;
    }
    let (read, write) = tokio::io::split(stream);
    let gauge = metrics::gauge!("ringway_cluster_peers");
    let mut reader = FrameReader::new(read, SILENCE_MAX);
    // The other side refuses a stranger only after the handshake: what it says first tells.
    tokio::select! {
        biased;
        ended = async {
            gauge.increment(1.0);
            link.state.send_replace(State::Up);
            // Whatever ends the reading ends the connection: with nobody to read, answers would pile up in a link that looks up.
            tokio::select! {
                ended = read_answers(transport, link, &mut reader) => ended,
                () = ping(transport, link) => io::Error::other("no more pings"),
            }
        } => { gauge.decrement(1.0); ended }
        written = write_frames(outbox, write, transport.inner.tasks.stopping()) => {
            gauge.decrement(1.0);
            written.err().unwrap_or_else(|| io::Error::other("nothing more to say"))
        }
    }
}

/// Never ends.
async fn ping(transport: &Transport, link: &Link) {
    let mut ticks = tokio::time::interval(PING_EVERY);
    for id in 1.. {
        ticks.tick().await;
        *link.last_ping() = Some((id, Instant::now()));
        let body = Bytes::copy_from_slice(&transport.inner.clock.now_ms().to_be_bytes());
        link.queues.try_put(Priority::Control, Frame::new(Kind::Ping, 0, id, body));
    }
}

async fn read_answers(
    transport: &Transport,
    link: &Link,
    reader: &mut FrameReader<impl tokio::io::AsyncRead + Unpin>,
) -> io::Error {
    let mut heard = false;
    let mut warned = false;
    loop {
        let frame = match reader.next().await {
            Ok(Some(frame)) => frame,
            Ok(None) => return io::Error::new(io::ErrorKind::ConnectionReset, "the other side closed the connection"),
            Err(error) => return error,
        };
        if !heard && frame.kind != Kind::Refused {
            heard = true;
            transport.observe(|observer| observer.connected(link.peer));
        }
        match frame.kind {
            Kind::Answer => link.answer(frame.id, Ok(frame.body)),
            Kind::Failure => link
                .answer(frame.id, Err(PeerError::Remote(link.peer, String::from_utf8_lossy(&frame.body).into_owned()))),
            Kind::Busy => link.answer(frame.id, Err(PeerError::Busy(link.peer))),
            Kind::Pong => warned = note_clock(transport, link, &frame, warned),
            Kind::Refused => {
                note_refusal(transport, link, &frame);
                return io::Error::new(
                    io::ErrorKind::PermissionDenied,
                    "it says that this node is no member of the cluster",
                );
            }
            Kind::Hello | Kind::Request | Kind::Tell | Kind::Ping => {
                return io::Error::new(io::ErrorKind::InvalidData, "the answering side asks");
            }
        }
    }
}

/// The other may just not know us yet. But if its catalog is newer than ours, in which we are, then we have been removed since.
fn note_refusal(transport: &Transport, link: &Link, refused: &Frame) {
    let roster = &transport.inner.roster;
    let theirs = refused.body.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    if !roster.is_newcomer() && theirs > roster.revision() {
        info!(peer = %link.peer.short(), "another node says that this one was removed");
        transport.observe(|observer| observer.refused_by(link.peer));
    }
}

/// How far the other's clock is from ours, taking half of the round trip for the way back. Returns whether it is far.
fn note_clock(transport: &Transport, link: &Link, pong: &Frame, warned: bool) -> bool {
    let Some(theirs) = pong.body.first_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes)) else { return warned };
    let Some((_, sent)) = (*link.last_ping()).filter(|(id, _)| *id == pong.id) else { return warned };
    let way_back = sent.elapsed().as_millis() as u64 / 2;
    let offset = (theirs + way_back) as i64 - transport.inner.clock.now_ms() as i64;
    metrics::gauge!("ringway_cluster_clock_offset_ms", "peer" => link.peer.short()).set(offset as f64);
    let far = offset.abs() > CLOCK_OFFSET_WARN_MS;
    if far && !warned {
        warn!(peer = %link.peer.short(), offset_ms = offset, "clocks differ: is time synchronisation running on both machines?");
    }
    far
}
