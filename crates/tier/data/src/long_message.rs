//! Driver: requests and answers that are too long for one message between nodes: they go piece by piece, so that others do not wait
//! behind them, and are put together by who receives them.
//!
//! Bounded: how much is being put together or waiting to be pulled, and for how long.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use ringway_ports::{PeerError, Priority, Service};
use ringway_ring::NodeId;
use ringway_rt::clock;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::message::{DataReply, DataRequest, decode, encode, encode_long};
use crate::{DataTier, Error};

/// What is longer goes in pieces of this length.
pub(crate) const PIECE_LEN: usize = 1 << 20;
/// What is no longer than that is one message.
const SHORT_LEN_MAX: usize = PIECE_LEN + PIECE_LEN / 2;
/// The longest request or answer; more than any value with its key.
const LONG_LEN_MAX: u64 = 600 << 20;
/// Bytes of all that are being put together, and of all that wait to be pulled.
const HELD_BYTES_MAX: u64 = 1200 << 20;
/// Nobody goes on with it any more.
const AGE_MAX: Duration = Duration::from_secs(30);
/// For one piece.
const PIECE_DEADLINE: Duration = Duration::from_secs(10);
/// What a node does with a long request, it does at least as fast.
const BYTES_PER_SECOND: f64 = 16e6;

#[derive(Default)]
pub(crate) struct LongMessages {
    next_id: AtomicU64,
    coming: Mutex<HashMap<(NodeId, u64), Held<BytesMut>>>,
    going: Mutex<HashMap<u64, Held<Bytes>>>,
}

struct Held<T> {
    bytes: T,
    /// When it is whole.
    len: u64,
    touched: Instant,
}

impl LongMessages {
    fn id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// Adds a piece; the whole, if that was the last.
    fn put(&self, from: NodeId, id: u64, at: u64, len: u64, piece: &[u8]) -> Result<Option<Bytes>, Error> {
        let mut coming = lock(&self.coming);
        forget_old(&mut coming);
        if at == 0 {
            let promised: u64 = coming.values().map(|held| held.len).sum();
            if len > LONG_LEN_MAX || promised + len > HELD_BYTES_MAX {
                return Err(Error::Internal(format!("a request of {len} bytes is too long to be taken now")));
            }
            // All of it is reserved: memory is taken as it fills, and nothing is moved as it grows.
            coming
                .insert((from, id), Held { bytes: BytesMut::with_capacity(len as usize), len, touched: clock::now() });
        }
        let unknown = || Error::Internal("a piece of a request that is not known".to_owned());
        let held = coming.get_mut(&(from, id)).ok_or_else(unknown)?;
        let fits = held.bytes.len() as u64 == at && at + piece.len() as u64 <= held.len && !piece.is_empty();
        if !fits {
            coming.remove(&(from, id));
            return Err(unknown());
        }
        held.bytes.extend_from_slice(piece);
        held.touched = clock::now();
        if (held.bytes.len() as u64) < held.len {
            return Ok(None);
        }
        Ok(coming.remove(&(from, id)).map(|held| held.bytes.freeze()))
    }

    /// Keeps an answer until it is pulled. Its number and length.
    fn keep(&self, answer: Bytes) -> Result<(u64, u64), Error> {
        let (id, len) = (self.id(), answer.len() as u64);
        let mut going = lock(&self.going);
        forget_old(&mut going);
        let kept: u64 = going.values().map(|held| held.len).sum();
        if len > LONG_LEN_MAX || kept + len > HELD_BYTES_MAX {
            return Err(Error::Internal(format!("an answer of {len} bytes is too long to be kept now")));
        }
        going.insert(id, Held { bytes: answer, len, touched: clock::now() });
        Ok((id, len))
    }

    /// A part of an answer; with the last one it is forgotten.
    fn part(&self, id: u64, at: u64) -> Option<Bytes> {
        let mut going = lock(&self.going);
        let held = going.get_mut(&id)?;
        held.touched = clock::now();
        let from = usize::try_from(at).ok().filter(|from| *from < held.bytes.len())?;
        let to = (from + PIECE_LEN).min(held.bytes.len());
        let part = held.bytes.slice(from..to);
        if to == held.bytes.len() {
            going.remove(&id);
        }
        Some(part)
    }
}

fn forget_old<K, T>(held: &mut HashMap<K, Held<T>>) {
    held.retain(|_, held| held.touched.elapsed() < AGE_MAX);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does something about so many bytes: if these are many, which takes its time, not on a thread that serves others.
pub(crate) async fn apart<T: Send + 'static>(len: usize, work: impl FnOnce() -> T + Send + 'static) -> T {
    if len <= PIECE_LEN {
        return work();
    }
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime stops: nobody will go on here.
            Err(_) => std::future::pending().await,
        },
    }
}

impl DataTier {
    /// One request to another node's data tier, however long it and its answer are.
    pub(crate) async fn call_data(
        &self,
        node: NodeId,
        priority: Priority,
        request: &DataRequest<'_>,
        within: Duration,
    ) -> Result<DataReply, PeerError> {
        let reply = match request.len() > PIECE_LEN {
            false => self.call_short(node, priority, encode(request), within).await?,
            true => self.call_in_pieces(node, request.to_owned(), within).await?,
        };
        match reply {
            DataReply::Long { id, len } => self.pull(node, id, len).await,
            reply => Ok(reply),
        }
    }

    async fn call_short(
        &self,
        node: NodeId,
        priority: Priority,
        body: Bytes,
        within: Duration,
    ) -> Result<DataReply, PeerError> {
        let body = self.peers.call(node, priority, Service::Data, body, within).await?;
        decode(&body).map_err(|why| PeerError::Remote(node, why))
    }

    async fn call_in_pieces(
        &self,
        node: NodeId,
        request: DataRequest<'static>,
        within: Duration,
    ) -> Result<DataReply, PeerError> {
        let len = request.len();
        let mut rest = apart(len, move || encode_long(&request, len)).await;
        let done_within = PIECE_DEADLINE.max(within) + Duration::from_secs_f64(len as f64 / BYTES_PER_SECOND);
        let (id, len, mut at) = (self.long_messages.id(), rest.len() as u64, 0);
        loop {
            let bytes = rest.split_to(PIECE_LEN.min(rest.len()));
            let next = at + bytes.len() as u64;
            let piece = encode(&DataRequest::Piece { id, at, len, bytes });
            // The last piece is answered when all of it is done.
            let within = if rest.is_empty() { done_within } else { PIECE_DEADLINE };
            let reply = self.call_short(node, Priority::Bulk, piece, within).await?;
            if rest.is_empty() || !matches!(reply, DataReply::Taken) {
                return Ok(reply);
            }
            at = next;
        }
    }

    /// A long answer, whole.
    pub(crate) async fn pull<T: DeserializeOwned + Send + 'static>(
        &self,
        node: NodeId,
        id: u64,
        len: u64,
    ) -> Result<T, PeerError> {
        if len > LONG_LEN_MAX {
            return Err(PeerError::Remote(node, format!("an answer of {len} bytes")));
        }
        let mut whole = BytesMut::with_capacity(len as usize);
        while (whole.len() as u64) < len {
            let request = encode(&DataRequest::Pull { id, at: whole.len() as u64 });
            match self.call_short(node, Priority::Bulk, request, PIECE_DEADLINE).await? {
                DataReply::Part(part) if !part.is_empty() => whole.extend_from_slice(&part),
                _ => return Err(PeerError::Remote(node, "the rest of a long answer is gone".to_owned())),
            }
        }
        let whole = whole.freeze();
        apart(whole.len(), move || decode(&whole)).await.map_err(|why| PeerError::Remote(node, why))
    }

    /// A piece of a request; with the last one, the request.
    pub(crate) async fn serve_piece(
        &self,
        from: NodeId,
        (id, at, len): (u64, u64, u64),
        piece: &[u8],
    ) -> Result<Option<DataRequest<'static>>, Error> {
        let whole = self.long_messages.put(from, id, at, len, piece)?;
        let Some(whole) = whole else { return Ok(None) };
        apart(whole.len(), move || decode(&whole)).await.map(Some).map_err(Error::Internal)
    }

    pub(crate) fn serve_pull(&self, id: u64, at: u64) -> Result<DataReply, Error> {
        let gone = || Error::Internal("a part of an answer that is not kept any more".to_owned());
        self.long_messages.part(id, at).map(DataReply::Part).ok_or_else(gone)
    }

    /// An answer as it is sent: what is too long is kept until it is pulled. `len` is about how long it is.
    pub(crate) async fn answer<T: Serialize + Send + 'static>(
        &self,
        reply: T,
        len: usize,
        long: impl FnOnce(u64, u64) -> T,
    ) -> Result<Bytes, String> {
        let body = apart(len, move || encode_long(&reply, len)).await;
        if body.len() <= SHORT_LEN_MAX {
            return Ok(body);
        }
        let (id, len) = self.long_messages.keep(body).map_err(|error| error.to_string())?;
        Ok(encode(&long(id, len)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_put_together_in_order_and_only_as_long_as_it_was_said_to_be() {
        let (long, node) = (LongMessages::default(), NodeId::from_bytes([1; 16]));
        assert_eq!(long.put(node, 1, 0, 4, b"ab").unwrap(), None);
        assert!(long.put(node, 2, 2, 4, b"cd").is_err());
        assert_eq!(long.put(node, 1, 2, 4, b"cd").unwrap(), Some(Bytes::from("abcd")));
        assert!(long.put(node, 1, 2, 4, b"cd").is_err());
        assert!(long.put(node, 3, 0, LONG_LEN_MAX + 1, b"ab").is_err());
        long.put(node, 4, 0, 3, b"ab").unwrap();
        assert!(long.put(node, 4, 2, 3, b"cd").is_err());
    }

    #[test]
    fn an_answer_is_kept_until_its_last_part_is_pulled() {
        let long = LongMessages::default();
        let answer = Bytes::from(vec![7; PIECE_LEN + 5]);
        let (id, len) = long.keep(answer.clone()).unwrap();
        assert_eq!(len, answer.len() as u64);
        assert_eq!(long.part(id, 0).unwrap().len(), PIECE_LEN);
        assert_eq!(long.part(id, PIECE_LEN as u64).unwrap().len(), 5);
        assert_eq!(long.part(id, 0), None);
    }
}
