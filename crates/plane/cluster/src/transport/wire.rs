//! Driver: frames on a TLS stream: three queues in, one socket out, the more urgent first.

use std::io;
use std::pin::pin;
use std::time::Duration;

use bytes::BytesMut;
use ringway_ports::{Priority, Service};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

use super::frame::Frame;

/// Small frames that wait together go out in one write of at most about this many bytes.
const WRITE_BATCH: usize = 64 << 10;
/// A peer that takes nothing for this long is gone.
const WRITE_DEADLINE: Duration = Duration::from_secs(10);
const READ_BUFFER: usize = 32 << 10;
const QUEUE_LENS: [usize; 3] = [1024, 4096, 64];

/// Where frames for one connection are put.
#[derive(Clone, Debug)]
pub struct Queues {
    senders: [mpsc::Sender<Frame>; 3],
}

/// The other end.
#[derive(Debug)]
pub struct Outbox {
    control: mpsc::Receiver<Frame>,
    client: mpsc::Receiver<Frame>,
    bulk: mpsc::Receiver<Frame>,
}

pub fn queues() -> (Queues, Outbox) {
    let [(control_in, control), (client_in, client), (bulk_in, bulk)] = QUEUE_LENS.map(mpsc::channel);
    (Queues { senders: [control_in, client_in, bulk_in] }, Outbox { control, client, bulk })
}

impl Queues {
    /// False if that queue is full or the connection gone.
    pub fn try_put(&self, priority: Priority, frame: Frame) -> bool {
        self.senders[priority as usize].try_send(frame).is_ok()
    }

    /// Waits for room. False if the connection is gone.
    pub async fn put(&self, priority: Priority, frame: Frame) -> bool {
        self.senders[priority as usize].send(frame).await.is_ok()
    }
}

impl Outbox {
    /// Cancel-safe. `None` when all senders are gone.
    async fn next(&mut self) -> Option<Frame> {
        tokio::select! {
            biased;
            Some(frame) = self.control.recv() => Some(frame),
            Some(frame) = self.client.recv() => Some(frame),
            Some(frame) = self.bulk.recv() => Some(frame),
            else => None,
        }
    }

    pub fn try_next(&mut self) -> Option<Frame> {
        let urgent = self.control.try_recv().or_else(|_| self.client.try_recv());
        urgent.or_else(|_| self.bulk.try_recv()).ok()
    }
}

/// Writes what is queued until the connection breaks or nobody can queue any more; or, when it is to end, until nothing is queued.
pub async fn write_frames(
    outbox: &mut Outbox,
    mut socket: impl AsyncWrite + Unpin,
    end: impl Future<Output = ()>,
) -> io::Result<()> {
    let mut batch = BytesMut::with_capacity(WRITE_BATCH);
    let mut end = pin!(end);
    loop {
        let next = tokio::select! {
            biased;
            next = outbox.next() => next,
            () = &mut end => None,
        };
        let Some(first) = next else { return Ok(()) };
        let mut waiting = Some(first);
        while let Some(frame) = waiting.take() {
            frame.put_header(&mut batch);
            if frame.body.len() >= WRITE_BATCH {
                within_deadline(socket.write_all(&batch)).await?;
                batch.clear();
                // In pieces, so that the deadline is for progress and not for size.
                for piece in frame.body.chunks(1 << 20) {
                    within_deadline(socket.write_all(piece)).await?;
                }
                break;
            }
            batch.extend_from_slice(&frame.body);
            if batch.len() < WRITE_BATCH {
                waiting = outbox.try_next();
            }
        }
        within_deadline(socket.write_all(&batch)).await?;
        batch.clear();
        within_deadline(socket.flush()).await?;
    }
}

async fn within_deadline<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(WRITE_DEADLINE, work)
        .await
        .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "the peer takes nothing"))?
}

/// Reads frames one after the other.
#[derive(Debug)]
pub struct FrameReader<R> {
    socket: R,
    buffer: BytesMut,
    silence_max: Duration,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// A peer that says nothing for `silence_max` is taken for dead.
    pub fn new(socket: R, silence_max: Duration) -> Self {
        Self { socket, buffer: BytesMut::with_capacity(READ_BUFFER), silence_max }
    }

    /// Cancel-safe. `Ok(None)` at the end of the stream.
    pub async fn next(&mut self) -> io::Result<Option<Frame>> {
        loop {
            if let Some(frame) =
                Frame::take(&mut self.buffer).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?
            {
                return Ok(Some(frame));
            }
            self.buffer.reserve(READ_BUFFER);
            let silence = || io::Error::new(io::ErrorKind::TimedOut, format!("silent for {:?}", self.silence_max));
            let read = self.socket.read_buf(&mut self.buffer);
            let len = tokio::time::timeout(self.silence_max, read).await.map_err(|_| silence())??;
            if len == 0 {
                return Ok(None);
            }
        }
    }
}

/// The queue in which the answer to a message for `service` travels.
pub fn priority_of(service: Service) -> Priority {
    match service {
        Service::Membership | Service::Consensus | Service::Propose | Service::Ring => Priority::Control,
        Service::Data | Service::Control | Service::Lookup | Service::Cache => Priority::Client,
        Service::Transfer | Service::Blobs => Priority::Bulk,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::frame::Kind;
    use super::*;

    #[tokio::test]
    async fn what_is_urgent_overtakes_what_is_bulky() {
        let (queues, mut outbox) = queues();
        for (priority, id) in [(Priority::Bulk, 1), (Priority::Client, 2), (Priority::Control, 3), (Priority::Bulk, 4)]
        {
            assert!(queues.try_put(priority, Frame::new(Kind::Tell, 1, id, Bytes::new())));
        }
        drop(queues);
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        write_frames(&mut outbox, ours, std::future::pending()).await.unwrap();
        let mut reader = FrameReader::new(theirs, Duration::from_secs(5));
        let mut order = vec![];
        while let Some(frame) = reader.next().await.unwrap() {
            order.push(frame.id);
        }
        assert_eq!(order, [3, 2, 1, 4]);
    }

    #[tokio::test]
    async fn a_large_body_arrives_whole_between_small_ones() {
        let (queues, mut outbox) = queues();
        let large = Bytes::from(vec![7; 3 << 20]);
        for (id, body) in [(1, Bytes::from_static(b"a")), (2, large.clone()), (3, Bytes::from_static(b"b"))] {
            assert!(queues.try_put(Priority::Client, Frame::new(Kind::Tell, 1, id, body)));
        }
        drop(queues);
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let mut reader = FrameReader::new(theirs, Duration::from_secs(5));
        let (written, read) = tokio::join!(write_frames(&mut outbox, ours, std::future::pending()), async {
            let mut frames = vec![];
            while frames.len() < 3 {
                frames.push(reader.next().await.unwrap().unwrap());
            }
            frames
        });
        written.unwrap();
        assert_eq!(read[1].body, large);
        assert_eq!((read[0].id, read[2].id), (1, 3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_peer_is_given_up() {
        let (_theirs, ours) = tokio::io::duplex(64);
        let error = FrameReader::new(ours, Duration::from_secs(3)).next().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn a_full_queue_says_so() {
        let (queues, _outbox) = queues();
        let frame = || Frame::bare(Kind::Tell, Bytes::new());
        assert_eq!((0..1000).take_while(|_| queues.try_put(Priority::Bulk, frame())).count(), 64);
        assert!(queues.try_put(Priority::Control, frame()));
    }
}
