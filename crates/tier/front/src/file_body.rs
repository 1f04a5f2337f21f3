//! Driver: part of a file as a body. What is in the kernel's memory is read on the spot; for what is on the disk another thread waits,
//! so that a slow disk does not hold up other requests.
//!
//! Why not sendfile: over loopback its pages are charged to whoever receives, and the whole costs a fifth more than reading into a
//! buffer that stays in the processor's cache; over TLS it cannot be had.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use ringway_ports::BodyError;
use rustix::io::{Errno, ReadWriteFlags, preadv2};
use tokio::task::{JoinHandle, spawn_blocking};

const PIECE_LEN: usize = 256 << 10;
/// Buffers that a thread keeps for the next piece.
const SPARE_MAX: usize = 4;

pub struct FileBody {
    file: Arc<File>,
    offset: u64,
    left: u64,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

impl FileBody {
    pub fn new(file: Arc<File>, offset: u64, len: u64) -> Self {
        Self { file, offset, left: len, reading: None }
    }

    fn piece_len(&self) -> usize {
        self.left.min(PIECE_LEN as u64) as usize
    }

    /// `None`: it would have to wait.
    fn read_now(&self) -> Option<io::Result<Bytes>> {
        let mut piece = Piece::take();
        let room = &mut piece.bytes[..self.piece_len()];
        let read = preadv2(&*self.file, &mut [IoSliceMut::new(room)], self.offset, ReadWriteFlags::NOWAIT);
        match read {
            Ok(0) => Some(Err(io::ErrorKind::UnexpectedEof.into())),
            Ok(len) => {
                piece.len = len;
                Some(Ok(Bytes::from_owner(piece)))
            }
            // Not in memory, or a file system that cannot tell.
            Err(Errno::AGAIN | Errno::OPNOTSUPP | Errno::INTR) => None,
            Err(error) => Some(Err(error.into())),
        }
    }

    fn read_elsewhere(&self) -> JoinHandle<io::Result<Bytes>> {
        let (file, offset, len) = (Arc::clone(&self.file), self.offset, self.piece_len());
        spawn_blocking(move || read(&file, offset, len))
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        if self.reading.is_none() {
            if let Some(read) = self.read_now() {
                return Poll::Ready(read);
            }
            self.reading = Some(self.read_elsewhere());
        }
        let Some(reading) = &mut self.reading else { return Poll::Pending };
        let read = ready!(Pin::new(reading).poll(cx));
        self.reading = None;
        Poll::Ready(read?)
    }
}

/// Exactly these bytes: a file that has become shorter is an error, as its length was promised.
pub fn read(file: &File, offset: u64, len: usize) -> io::Result<Bytes> {
    let mut bytes = vec![0; len];
    file.read_exact_at(&mut bytes, offset)?;
    Ok(bytes.into())
}

impl HttpBody for FileBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        if this.left == 0 {
            return Poll::Ready(None);
        }
        let bytes = ready!(this.poll_read(cx))?;
        this.offset += bytes.len() as u64;
        this.left -= bytes.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

thread_local! {
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Room for a piece that goes back to whichever thread is done with it. It is cleared once, not for each piece.
struct Piece {
    bytes: Vec<u8>,
    len: usize,
}

impl Piece {
    fn take() -> Self {
        let spare = SPARE.with_borrow_mut(Vec::pop);
        Self { bytes: spare.unwrap_or_else(|| vec![0; PIECE_LEN]), len: 0 }
    }
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        // A thread that is ending keeps nothing.
        let _ = SPARE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            if spare.len() < SPARE_MAX {
                spare.push(bytes);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn a_file_comes_whole_or_not_at_all() {
        let path = std::env::temp_dir().join(format!("ringway-file-body-{:016x}", ringway_rt::random::number()));
        let content: Vec<u8> = (0..PIECE_LEN * 2 + 10).map(|at| at as u8).collect();
        std::fs::write(&path, &content).unwrap();
        let body = |offset: u64, len: u64| FileBody::new(Arc::new(File::open(&path).unwrap()), offset, len);
        let whole = body(0, content.len() as u64).collect().await.unwrap().to_bytes();
        assert!(whole == content, "all of it, in its order");
        let part = body(5, PIECE_LEN as u64).collect().await.unwrap().to_bytes();
        assert!(part == content[5..5 + PIECE_LEN]);
        assert!(body(0, content.len() as u64 + 1).collect().await.is_err(), "it has become shorter");
        std::fs::remove_file(&path).unwrap();
    }
}
