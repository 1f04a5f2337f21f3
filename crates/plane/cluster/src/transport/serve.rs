//! Driver: the answering side of a connection. One task per request, bounded; too much is answered with `Busy`, not queued.

use std::io;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use ringway_ports::{Priority, Service};
use ringway_ring::NodeId;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tracing::{debug, error};

use super::Transport;
use super::frame::{Frame, Kind};
use super::wire::{self, FrameReader, Queues, priority_of, write_frames};

/// The dialler pings every second.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// What is under way when a connection ends may finish for this long.
const FINISH_WITHIN: Duration = Duration::from_secs(5);
/// For the last frame to a peer that is put out.
const FAREWELL_WITHIN: Duration = Duration::from_millis(500);

impl Transport {
    /// Serves a member until the connection ends.
    pub(super) async fn serve_peer(&self, peer: NodeId, stream: impl AsyncRead + AsyncWrite + Unpin) {
        let (read, write) = tokio::io::split(stream);
        let (queues, mut outbox) = wire::queues();
        let mut running = JoinSet::new();
        let mut writing = pin!(write_frames(&mut outbox, write, std::future::pending()));
        let ended = tokio::select! {
            biased;
            () = self.inner.tasks.stopping() => Ok(()),
            () = self.expulsion(peer) => {
                queues.try_put(Priority::Control, self.refusal());
                let _ = tokio::time::timeout(FAREWELL_WITHIN, &mut writing).await;
                Ok(())
            }
            ended = self.read_requests(peer, FrameReader::new(read, SILENCE_MAX), &queues, &mut running) => ended,
            written = &mut writing => written,
        };
        if let Err(why) = ended {
            debug!(peer = %peer.short(), %why, "connection from a peer ended");
        }
        let _ = tokio::time::timeout(FINISH_WITHIN, async { while running.join_next().await.is_some() {} }).await;
    }

    pub(super) fn refusal(&self) -> Frame {
        Frame::bare(Kind::Refused, self.inner.roster.revision().to_be_bytes().to_vec())
    }

    /// Completes when `peer` is a member no more.
    async fn expulsion(&self, peer: NodeId) {
        let mut catalog = self.inner.roster.watch();
        while self.inner.roster.is_member(peer) {
            // A vouched node can lose its standing without a change of the catalog; once a second is soon enough for that.
            if let Ok(Err(_)) = tokio::time::timeout(Duration::from_secs(1), catalog.changed()).await {
                return std::future::pending().await;
            }
        }
    }

    async fn read_requests(
        &self,
        peer: NodeId,
        mut reader: FrameReader<impl AsyncRead + Unpin>,
        queues: &Queues,
        running: &mut JoinSet<()>,
    ) -> io::Result<()> {
        loop {
            tokio::select! {
                frame = reader.next() => match frame? {
                    Some(frame) => self.take_frame(peer, frame, queues, running)?,
                    None => return Ok(()),
                },
                Some(done) = running.join_next() => {
                    if let Err(failure) = done && failure.is_panic() {
                        error!(peer = %peer.short(), "a handler panicked");
                    }
                }
            }
        }
    }

    fn take_frame(&self, peer: NodeId, frame: Frame, queues: &Queues, running: &mut JoinSet<()>) -> io::Result<()> {
        match frame.kind {
            Kind::Request | Kind::Tell => self.handle(peer, frame, queues, running),
            Kind::Ping => {
                let body = Bytes::copy_from_slice(&self.inner.clock.now_ms().to_be_bytes());
                queues.try_put(Priority::Control, Frame::new(Kind::Pong, 0, frame.id, body));
            }
            Kind::Hello => match postcard::from_bytes(&frame.body) {
                Ok(address) => {
                    self.inner.roster.note_told(peer, address);
                    self.retry_soon(peer);
                }
                Err(_) => return Err(io::Error::new(io::ErrorKind::InvalidData, "unreadable hello")),
            },
            Kind::Answer | Kind::Failure | Kind::Busy | Kind::Pong | Kind::Refused => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the asking side answers"));
            }
        }
        Ok(())
    }

    fn handle(&self, peer: NodeId, frame: Frame, queues: &Queues, running: &mut JoinSet<()>) {
        metrics::counter!("ringway_cluster_messages_total", "direction" => "received").increment(1);
        let wants_answer = frame.kind == Kind::Request;
        let service = Service::from_wire(frame.service);
        let found = service.and_then(|service| Some((service, self.handler(frame.service)?)));
        let Some((service, handler)) = found else {
            let body = Bytes::from(format!("service {} is not served here", frame.service));
            return if wants_answer {
                put_or_drop(queues, Priority::Control, Frame::new(Kind::Failure, frame.service, frame.id, body))
            };
        };
        let Ok(permit) = self.permits_for(service).clone().try_acquire_owned() else {
            let busy = Frame::new(Kind::Busy, frame.service, frame.id, Bytes::new());
            return if wants_answer { put_or_drop(queues, Priority::Control, busy) } else { drop_one() };
        };
        let queues = queues.clone();
        let work = handler.handle(peer, frame.body);
        running.spawn(async move {
            let (kind, body) = match work.await {
                Ok(body) => (Kind::Answer, body),
                Err(text) => (Kind::Failure, Bytes::from(text)),
            };
            drop(permit);
            if wants_answer {
                queues.put(priority_of(service), Frame::new(kind, frame.service, frame.id, body)).await;
            }
        });
    }
}

/// The caller runs out of time then, which is what an overloaded peer looks like anyway.
fn put_or_drop(queues: &Queues, priority: Priority, frame: Frame) {
    if !queues.try_put(priority, frame) {
        drop_one();
    }
}

fn drop_one() {
    metrics::counter!("ringway_cluster_dropped_total").increment(1);
}
