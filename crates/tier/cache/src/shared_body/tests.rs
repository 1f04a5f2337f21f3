use std::sync::atomic::AtomicBool;

use futures_util::StreamExt as _;
use http_body_util::{BodyStream, Full, StreamBody};
use tokio::sync::mpsc;
use tokio_stream_of::stream_of;

use super::*;

/// A body from a channel, without another crate for it.
mod tokio_stream_of {
    use futures_util::Stream;
    use futures_util::stream::unfold;
    use tokio::sync::mpsc::Receiver;

    pub(super) fn stream_of<T: Send + 'static>(receiver: Receiver<T>) -> impl Stream<Item = T> + Send {
        unfold(receiver, |mut receiver| async move { receiver.recv().await.map(|item| (item, receiver)) })
    }
}

type Sender = mpsc::Sender<Result<Frame<Bytes>, BodyError>>;

struct Source {
    body: Arc<SharedBody>,
    sender: Sender,
    whole: Arc<Mutex<Option<usize>>>,
    room: Arc<Room>,
}

fn source(body_max: u64) -> Source {
    let (sender, receiver) = mpsc::channel(64);
    let whole = Arc::new(Mutex::new(None));
    let room = Arc::new(Room { taken: AtomicU64::new(0), max: 64 << 20 });
    let seen = whole.clone();
    let on_whole =
        Box::new(move |pieces: Vec<Bytes>| *seen.lock().unwrap() = Some(pieces.iter().map(Bytes::len).sum()));
    let body = SharedBody::new(StreamBody::new(stream_of(receiver)).boxed_unsync(), body_max, room.clone(), on_whole);
    Source { body, sender, whole, room }
}

async fn send(sender: &Sender, len: usize) {
    sender.send(Ok(Frame::data(Bytes::from(vec![b'x'; len])))).await.unwrap();
}

async fn next(stream: &mut BodyStream<Body>) -> Result<usize, String> {
    match stream.next().await {
        Some(Ok(frame)) => Ok(frame.into_data().map_or(0, |data| data.len())),
        Some(Err(error)) => Err(error.to_string()),
        None => Err("end".to_owned()),
    }
}

#[tokio::test]
async fn all_read_what_comes_and_the_whole_is_told_once() {
    let source = source(1 << 20);
    let mut readers: Vec<_> = (0..3).map(|_| BodyStream::new(source.body.join().unwrap())).collect();
    send(&source.sender, 10).await;
    for reader in &mut readers {
        assert_eq!(next(reader).await, Ok(10));
    }
    send(&source.sender, 20).await;
    drop(source.sender);
    let mut late = BodyStream::new(source.body.join().unwrap());
    assert_eq!((next(&mut late).await, next(&mut late).await), (Ok(10), Ok(20)), "from its beginning");
    for reader in readers.iter_mut().chain([&mut late]) {
        while next(reader).await.is_ok() {}
    }
    assert_eq!(*source.whole.lock().unwrap(), Some(30));
    assert_eq!(source.room.taken.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_reader_that_waits_is_woken_whoever_reads_on() {
    let source = source(1 << 20);
    let (one, two) = (source.body.join().unwrap(), source.body.join().unwrap());
    let waiting = tokio::spawn(async move { next(&mut BodyStream::new(one)).await });
    let mut other = BodyStream::new(two);
    tokio::task::yield_now().await;
    send(&source.sender, 7).await;
    assert_eq!(next(&mut other).await, Ok(7));
    assert_eq!(waiting.await.unwrap(), Ok(7));
}

#[tokio::test]
async fn the_first_reader_may_leave_and_the_others_go_on() {
    let source = source(1 << 20);
    let first = source.body.join().unwrap();
    let mut second = BodyStream::new(source.body.join().unwrap());
    send(&source.sender, 5).await;
    drop(first);
    assert_eq!(next(&mut second).await, Ok(5));
    drop(source.sender);
    assert_eq!(next(&mut second).await, Err("end".to_owned()));
    assert_eq!(*source.whole.lock().unwrap(), Some(5));
}

#[tokio::test]
async fn with_its_last_reader_the_source_is_given_up() {
    let source = source(1 << 20);
    let mut only = BodyStream::new(source.body.join().unwrap());
    send(&source.sender, 5).await;
    assert_eq!(next(&mut only).await, Ok(5));
    drop(only);
    assert!(source.sender.is_closed(), "whoever sends it hears of it");
    assert!(source.body.join().is_none() && source.whole.lock().unwrap().is_none());
    assert_eq!(source.room.taken.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_an_error_for_all_and_is_not_whole() {
    let source = source(1 << 20);
    let mut reader = BodyStream::new(source.body.join().unwrap());
    send(&source.sender, 5).await;
    source.sender.send(Err("the app went away".into())).await.unwrap();
    assert_eq!(next(&mut reader).await, Ok(5));
    assert_eq!(next(&mut reader).await, Err("the app went away".to_owned()));
    assert!(source.body.join().is_none() && source.whole.lock().unwrap().is_none());
}

#[tokio::test]
async fn one_that_is_too_long_goes_on_but_is_not_kept() {
    let source = source(100);
    let mut reader = BodyStream::new(source.body.join().unwrap());
    for _ in 0..50 {
        send(&source.sender, 60_000).await;
        assert_eq!(next(&mut reader).await, Ok(60_000));
    }
    assert!(source.body.join().is_none(), "its beginning is gone");
    assert!(source.body.state().pieces.is_empty(), "a sole reader leaves nothing behind");
    assert_eq!(source.room.taken.load(Ordering::Relaxed), 0);
    drop(source.sender);
    assert_eq!(next(&mut reader).await, Err("end".to_owned()));
    assert!(source.whole.lock().unwrap().is_none());
}

#[tokio::test]
async fn who_falls_too_far_behind_is_cut_loose_and_the_others_are_not() {
    let source = source(100);
    let mut fast = BodyStream::new(source.body.join().unwrap());
    let mut slow = BodyStream::new(source.body.join().unwrap());
    for _ in 0..40 {
        send(&source.sender, 60_000).await;
        assert_eq!(next(&mut fast).await, Ok(60_000));
    }
    assert!(next(&mut slow).await.unwrap_err().contains("too slow"));
    assert_eq!(next(&mut slow).await, Err("end".to_owned()));
    send(&source.sender, 1).await;
    assert_eq!(next(&mut fast).await, Ok(1));
}

#[tokio::test]
async fn trailers_reach_the_readers_and_the_store_does_not_get_the_body() {
    let source = source(1 << 20);
    let body = source.body.join().unwrap();
    send(&source.sender, 5).await;
    let trailers = HeaderMap::from_iter([(http::header::ETAG, "\"1\"".parse().unwrap())]);
    source.sender.send(Ok(Frame::trailers(trailers.clone()))).await.unwrap();
    drop(source.sender);
    let collected = body.collect().await.unwrap();
    assert_eq!(collected.trailers(), Some(&trailers));
    assert!(source.whole.lock().unwrap().is_none());
}

#[tokio::test]
async fn an_empty_body_is_whole_at_once() {
    let told = Arc::new(AtomicBool::new(false));
    let seen = told.clone();
    let room = Arc::new(Room { taken: AtomicU64::new(0), max: 100 });
    let on_whole = Box::new(move |_| seen.store(true, Ordering::Relaxed));
    let body = SharedBody::new(ringway_ports::empty(), 10, room, on_whole);
    assert!(told.load(Ordering::Relaxed) && body.join().unwrap().is_end_stream());
}

#[tokio::test]
async fn one_that_is_shorter_than_announced_is_not_whole() {
    struct Liar;
    impl http_body::Body for Liar {
        type Data = Bytes;
        type Error = BodyError;
        fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
            Poll::Ready(None)
        }
        fn size_hint(&self) -> SizeHint {
            SizeHint::with_exact(5)
        }
    }
    let room = Arc::new(Room { taken: AtomicU64::new(0), max: 100 });
    let body = SharedBody::new(Liar.boxed_unsync(), 10, room, Box::new(|_| panic!("it is not whole")));
    let collected = body.join().unwrap().collect().await;
    assert!(collected.unwrap_err().to_string().contains("shorter"));
    let full = Full::new(Bytes::from_static(b"abc")).map_err(|never| match never {}).boxed_unsync();
    let (room, hint) = (Arc::new(Room { taken: AtomicU64::new(0), max: 100 }), full.size_hint());
    let body = SharedBody::new(full, 10, room, Box::new(|_| {}));
    assert_eq!(body.join().unwrap().size_hint().exact(), hint.exact());
}

#[tokio::test]
async fn one_of_a_known_length_is_whole_with_its_last_byte() {
    let told = Arc::new(AtomicBool::new(false));
    let seen = told.clone();
    let room = Arc::new(Room { taken: AtomicU64::new(0), max: 100 });
    let on_whole = Box::new(move |_| seen.store(true, Ordering::Relaxed));
    let full = Full::new(Bytes::from_static(b"abc")).map_err(|never| match never {}).boxed_unsync();
    let mut reader = BodyStream::new(SharedBody::new(full, 10, room.clone(), on_whole).join().unwrap());
    assert_eq!(next(&mut reader).await, Ok(3));
    drop(reader);
    assert!(told.load(Ordering::Relaxed), "a server does not ask for what comes after the last byte");
    assert_eq!(room.taken.load(Ordering::Relaxed), 0);
}
