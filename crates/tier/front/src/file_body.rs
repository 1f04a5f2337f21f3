//! Driver: part of a file as a body. Read in pieces off the thread, so a slow disk does not hold up other requests.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use ringway_ports::BodyError;
use tokio::task::{JoinHandle, spawn_blocking};

const PIECE_LEN: u64 = 256 << 10;

pub struct FileBody {
    file: Arc<File>,
    offset: u64,
    left: u64,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

impl FileBody {
    pub fn new(file: File, offset: u64, len: u64) -> Self {
        Self { file: Arc::new(file), offset, left: len, reading: None }
    }

    fn read_on(&self) -> JoinHandle<io::Result<Bytes>> {
        let (file, offset, len) = (Arc::clone(&self.file), self.offset, self.left.min(PIECE_LEN) as usize);
        spawn_blocking(move || read(&file, offset, len))
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
        if this.reading.is_none() {
            this.reading = Some(this.read_on());
        }
        let Some(reading) = &mut this.reading else { return Poll::Ready(None) };
        let read = ready!(Pin::new(reading).poll(cx));
        this.reading = None;
        Poll::Ready(Some(read.map_err(BodyError::from).and_then(|bytes| {
            let bytes = bytes?;
            this.offset += bytes.len() as u64;
            this.left -= bytes.len() as u64;
            Ok(Frame::data(bytes))
        })))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
