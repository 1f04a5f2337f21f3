//! Driver: one body that several read as it comes: the client that it was fetched for, those who wait, and the store.
//!
//! Nobody owns the pace: whoever has read all there is polls the source. So a client that is slow or gone holds up nobody, and the
//! source is given up with its last reader. All of it is kept, for those who come later and for the store, as long as it fits. If
//! it turns out not to, readers go on with a window of it, and who falls out of that at its end is cut loose.

use std::collections::{HashMap, VecDeque};
use std::mem;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt as _;
use ringway_ports::{Body, BodyError};

/// How far readers may be apart once the whole is not kept any more.
const WINDOW_MAX: u64 = 1 << 20;

static IDS: AtomicU64 = AtomicU64::new(0);

/// Called once with the whole body, if it came to its end and could be kept.
pub(crate) type OnWhole = Box<dyn FnOnce(Vec<Bytes>) + Send>;

/// Room for the bodies that are being collected, shared by all.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) taken: AtomicU64,
    pub(crate) max: u64,
}

pub(crate) struct SharedBody {
    state: Mutex<State>,
    sleepers: Arc<Sleepers>,
    /// As announced.
    len: Option<u64>,
    body_max: u64,
    room: Arc<Room>,
}

struct State {
    source: Option<Body>,
    /// What is kept, from the `first`th piece on.
    pieces: VecDeque<Bytes>,
    first: usize,
    bytes: u64,
    is_whole: bool,
    readers: usize,
    trailers: Option<HeaderMap>,
    end: Option<Result<(), Arc<str>>>,
    on_whole: Option<OnWhole>,
    /// Not to be called any more; dropped without the lock, as it takes others with it.
    discarded: Option<OnWhole>,
}

/// Readers that wait for more.
#[derive(Default)]
struct Sleepers(Mutex<HashMap<u64, Waker>>);

pub(crate) struct Reader {
    body: Arc<SharedBody>,
    id: u64,
    at: usize,
    bytes_read: u64,
    has_trailers: bool,
}

impl SharedBody {
    pub(crate) fn new(source: Body, body_max: u64, room: Arc<Room>, on_whole: OnWhole) -> Arc<Self> {
        let state = State {
            pieces: VecDeque::new(),
            first: 0,
            bytes: 0,
            is_whole: true,
            readers: 0,
            trailers: None,
            end: None,
            on_whole: Some(on_whole),
            discarded: None,
            source: None,
        };
        let len = source.size_hint().exact();
        let is_empty = source.is_end_stream();
        let body = Arc::new(Self { state: Mutex::new(state), sleepers: Arc::default(), len, body_max, room });
        if is_empty {
            let whole = body.state().ended(Ok(()));
            finish(whole);
        } else {
            body.state().source = Some(source);
        }
        body
    }

    /// Reads it from its beginning; not possible if that is gone.
    pub(crate) fn join(self: &Arc<Self>) -> Option<Body> {
        let mut state = self.state();
        let has_failed = matches!(state.end, Some(Err(_)));
        if state.first > 0 || !state.is_whole || has_failed {
            return None;
        }
        state.readers += 1;
        let id = IDS.fetch_add(1, Ordering::Relaxed);
        let reader = Reader { body: Arc::clone(self), id, at: 0, bytes_read: 0, has_trailers: false };
        Some(reader.boxed_unsync())
    }

    pub(crate) fn is_joinable(&self) -> bool {
        let state = self.state();
        state.first == 0 && state.is_whole && !matches!(state.end, Some(Err(_)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poll(&self, reader: (u64, usize), context: &mut Context<'_>) -> Poll<Read> {
        let mut state = self.state();
        if let Some(read) = state.read(reader.1) {
            return Poll::Ready(read);
        }
        // Before the source is polled: it may wake at once.
        self.sleepers.add(reader.0, context.waker());
        let waker = Waker::from(Arc::clone(&self.sleepers));
        let Some(source) = state.source.as_mut() else { return Poll::Pending };
        let polled = Pin::new(source).poll_frame(&mut Context::from_waker(&waker));
        let Poll::Ready(frame) = polled else { return Poll::Pending };
        let (done, source) = self.take_in(&mut state, frame);
        let read = state.read(reader.1);
        if !state.is_whole && state.readers == 1 && matches!(read, Some(Read::Data(_))) {
            state.forget_until(reader.1 + 1);
        }
        let discarded = state.discarded.take();
        drop(state);
        drop((source, discarded));
        finish(done);
        self.sleepers.remove(reader.0);
        self.sleepers.wake_all();
        // A frame without data or trailers: look again.
        read.map_or_else(
            || {
                context.waker().wake_by_ref();
                Poll::Pending
            },
            Poll::Ready,
        )
    }

    /// What is to be done with the whole, and the source if it is done with, both without the lock.
    fn take_in(
        &self,
        state: &mut State,
        frame: Option<Result<Frame<Bytes>, BodyError>>,
    ) -> (Option<Whole>, Option<Body>) {
        match frame {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => {
                    self.add(state, data);
                    // Who writes it to a client does not ask for more than was announced.
                    if self.len == Some(state.bytes) { self.complete(state) } else { (None, None) }
                }
                Err(frame) => {
                    // They are not stored; without them the rest would be something else.
                    state.trailers = frame.into_trailers().ok();
                    self.let_go(state);
                    (None, None)
                }
            },
            Some(Err(error)) => {
                self.let_go(state);
                (state.ended(Err(error.to_string().into())), state.source.take())
            }
            None => {
                if self.len.is_none_or(|len| len == state.bytes) {
                    return self.complete(state);
                }
                self.let_go(state);
                (state.ended(Err("the body is shorter than it was announced".into())), state.source.take())
            }
        }
    }

    fn complete(&self, state: &mut State) -> (Option<Whole>, Option<Body>) {
        self.room.taken.fetch_sub(state.held(), Ordering::Relaxed);
        (state.ended(Ok(())), state.source.take())
    }

    fn add(&self, state: &mut State, data: Bytes) {
        if data.is_empty() {
            return;
        }
        let len = data.len() as u64;
        state.bytes += len;
        state.pieces.push_back(data);
        if state.is_whole {
            let taken = self.room.taken.fetch_add(len, Ordering::Relaxed) + len;
            if state.bytes > self.body_max || taken > self.room.max {
                self.let_go(state);
            }
        }
        if !state.is_whole {
            state.narrow();
        }
    }

    /// It will not be stored: there is no need to keep more than the window.
    fn let_go(&self, state: &mut State) {
        if mem::take(&mut state.is_whole) {
            state.discarded = state.on_whole.take();
            if state.end.is_none() {
                self.room.taken.fetch_sub(state.bytes, Ordering::Relaxed);
            }
        }
    }
}

impl Drop for SharedBody {
    fn drop(&mut self) {
        let state = self.state();
        if state.is_whole && state.end.is_none() {
            self.room.taken.fetch_sub(state.bytes, Ordering::Relaxed);
        }
    }
}

/// What a reader gets.
enum Read {
    Data(Bytes),
    End(Option<HeaderMap>),
    Broken(Arc<str>),
}

type Whole = (OnWhole, Vec<Bytes>);

fn finish(whole: Option<Whole>) {
    if let Some((on_whole, pieces)) = whole {
        on_whole(pieces);
    }
}

impl State {
    fn read(&self, at: usize) -> Option<Read> {
        if at < self.first {
            return Some(Read::Broken("too slow: others who read the same answer are far ahead".into()));
        }
        if let Some(piece) = self.pieces.get(at - self.first) {
            return Some(Read::Data(piece.clone()));
        }
        match self.end.as_ref()? {
            Ok(()) => Some(Read::End(self.trailers.clone())),
            Err(why) => Some(Read::Broken(Arc::clone(why))),
        }
    }

    fn ended(&mut self, end: Result<(), Arc<str>>) -> Option<Whole> {
        let is_sound = end.is_ok() && self.is_whole;
        self.end = Some(end);
        let on_whole = self.on_whole.take().filter(|_| is_sound)?;
        Some((on_whole, self.pieces.iter().cloned().collect()))
    }

    /// Of the shared room.
    fn held(&self) -> u64 {
        if self.is_whole { self.bytes } else { 0 }
    }

    fn forget_until(&mut self, at: usize) {
        while self.first < at && self.pieces.pop_front().is_some() {
            self.first += 1;
        }
    }

    fn narrow(&mut self) {
        let mut kept: u64 = self.pieces.iter().map(|piece| piece.len() as u64).sum();
        while kept > WINDOW_MAX && self.pieces.len() > 1 {
            kept -= self.pieces.pop_front().map_or(0, |piece| piece.len() as u64);
            self.first += 1;
        }
    }
}

impl http_body::Body for Reader {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.has_trailers {
            return Poll::Ready(None);
        }
        let Poll::Ready(read) = self.body.poll((self.id, self.at), context) else { return Poll::Pending };
        Poll::Ready(match read {
            Read::Data(piece) => {
                self.at += 1;
                self.bytes_read += piece.len() as u64;
                Some(Ok(Frame::data(piece)))
            }
            Read::End(trailers) => {
                self.has_trailers = true;
                trailers.map(|trailers| Ok(Frame::trailers(trailers)))
            }
            Read::Broken(why) => {
                self.has_trailers = true;
                Some(Err((*why).into()))
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        let state = self.body.state();
        self.has_trailers
            || matches!(state.end, Some(Ok(())))
                && state.trailers.is_none()
                && self.at == state.first + state.pieces.len()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.len.map_or_else(SizeHint::default, |len| SizeHint::with_exact(len.saturating_sub(self.bytes_read)))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.body.sleepers.remove(self.id);
        let mut state = self.body.state();
        state.readers -= 1;
        // Nobody wants it any more: whoever sends it is to hear that now, not when the last who might have joined has gone.
        let given_up = if state.readers == 0 && state.end.is_none() { state.source.take() } else { None };
        if given_up.is_some() {
            self.body.let_go(&mut state);
            state.end = Some(Err("nobody reads it any more".into()));
        }
        let discarded = state.discarded.take();
        drop(state);
        drop((given_up, discarded));
    }
}

impl Sleepers {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Waker>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, id: u64, waker: &Waker) {
        self.lock().entry(id).and_modify(|known| known.clone_from(waker)).or_insert_with(|| waker.clone());
    }

    fn remove(&self, id: u64) {
        self.lock().remove(&id);
    }

    fn wake_all(&self) {
        let sleepers = mem::take(&mut *self.lock());
        sleepers.into_values().for_each(Waker::wake);
    }
}

impl Wake for Sleepers {
    fn wake(self: Arc<Self>) {
        self.wake_all();
    }
}

#[cfg(test)]
mod tests;
