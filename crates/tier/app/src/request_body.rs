//! Driver: request bodies, for those who must know their length before they see them.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::Path;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, LengthLimitError};
use ringway_ports::{Body, InvokeError};

/// A body of unknown length up to this stays in memory.
const MEMORY_MAX: usize = 256 * 1024;
/// A body of unknown length is put on disk up to this.
pub const SPOOL_MAX: u64 = 1 << 30;

pub enum RequestBody {
    None,
    Whole(Bytes),
    /// At its start.
    File(File, u64),
    /// Of known length, as it comes.
    Stream(Body, u64),
}

impl RequestBody {
    /// `declared`: the client's `Content-Length`. Without, the body is taken in whole, in `dir` if it is large.
    pub async fn measure(body: Body, declared: Option<u64>, dir: &Path) -> Result<Self, InvokeError> {
        if http_body::Body::is_end_stream(&body) {
            return Ok(declared.map_or(Self::None, |_| Self::Whole(Bytes::new())));
        }
        match http_body::Body::size_hint(&body).exact().or(declared) {
            Some(len) => Ok(Self::Stream(body, len)),
            None => take_in(body, dir).await,
        }
    }

    pub fn len(&self) -> Option<u64> {
        match self {
            Self::None => None,
            Self::Whole(bytes) => Some(bytes.len() as u64),
            Self::File(_, len) | Self::Stream(_, len) => Some(*len),
        }
    }
}

/// The whole body, if it has no more than `max` bytes.
pub async fn collect(mut body: Body, max: usize) -> Result<Bytes, InvokeError> {
    let mut whole = BytesMut::new();
    while let Some(piece) = next_piece(&mut body).await? {
        if whole.len() + piece.len() > max {
            return Err(InvokeError::TooLarge(max as u64));
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole.freeze())
}

async fn take_in(mut body: Body, dir: &Path) -> Result<RequestBody, InvokeError> {
    let mut memory = BytesMut::new();
    while let Some(piece) = next_piece(&mut body).await? {
        memory.extend_from_slice(&piece);
        if memory.len() > MEMORY_MAX {
            return spool(body, memory.freeze(), dir).await;
        }
    }
    Ok(RequestBody::Whole(memory.freeze()))
}

async fn spool(mut body: Body, start: Bytes, dir: &Path) -> Result<RequestBody, InvokeError> {
    let dir = dir.to_owned();
    let mut file = blocking(move || nameless_file(&dir)).await?;
    let (mut piece, mut len) = (start, 0);
    loop {
        len += piece.len() as u64;
        if len > SPOOL_MAX {
            return Err(InvokeError::TooLarge(SPOOL_MAX));
        }
        file = blocking(move || file.write_all(&piece).map(|()| file)).await?;
        piece = match next_piece(&mut body).await? {
            Some(piece) => piece,
            None => break,
        };
    }
    let file = blocking(move || file.rewind().map(|()| file)).await?;
    Ok(RequestBody::File(file, len))
}

/// It is gone when it is closed, so that nothing is left behind by a crash.
fn nameless_file(dir: &Path) -> io::Result<File> {
    let path = dir.join(format!("body-{:016x}", ringway_rt::random::number()));
    let file = File::options().read(true).write(true).create_new(true).open(&path)?;
    std::fs::remove_file(path)?;
    Ok(file)
}

/// The next data of a body; trailers are passed over.
pub async fn next_piece(body: &mut Body) -> Result<Option<Bytes>, InvokeError> {
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(|error| broken(&*error))?.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

/// The front end's own limit comes through as an error of the body.
fn broken(error: &(dyn std::error::Error + Send + Sync + 'static)) -> InvokeError {
    if error.is::<LengthLimitError>() {
        return InvokeError::BadRequest("the request body is longer than the route allows".to_owned());
    }
    InvokeError::BadRequest(format!("the request body broke off: {error}"))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T, InvokeError> {
    let done = tokio::task::spawn_blocking(work).await.map_err(io::Error::other).flatten();
    done.map_err(|error| InvokeError::Internal(format!("cannot keep the request body: {error}")))
}

#[cfg(test)]
mod tests;
