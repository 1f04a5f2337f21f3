//! Driver: a request's body to a file of its own, hashed on the way. The file goes when the upload is dropped.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use ringway_catalog::BlobId;
use ringway_rt::{files, random};
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

use crate::Error;

pub(crate) const UPLOAD_BYTES_MAX: u64 = 1 << 30;
/// Between two pieces of the body.
const PIECE_WITHIN: Duration = Duration::from_secs(30);

pub(crate) struct Upload {
    file: Removed,
    pub(crate) id: BlobId,
}

impl Upload {
    /// Refuses what says beforehand that it is too large, before any of it is read.
    pub(crate) fn check_length(headers: &HeaderMap) -> Result<(), Error> {
        let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        if announced.is_some_and(|len| len > UPLOAD_BYTES_MAX) {
            Err(Error::TooLarge(UPLOAD_BYTES_MAX))
        } else {
            Ok(())
        }
    }

    pub(crate) async fn receive(mut body: Incoming, dir: &Path) -> Result<Self, Error> {
        files::create_private_dir(dir)?;
        let file = Removed(dir.join(format!("upload-{:016x}.tar.zst", random::number())));
        let opened = OpenOptions::new().write(true).create_new(true).mode(files::PRIVATE).open(&file.0)?;
        let mut out = tokio::fs::File::from_std(opened);
        let (mut hash, mut len) = (Sha256::new(), 0u64);
        while let Some(frame) =
            tokio::time::timeout(PIECE_WITHIN, body.frame()).await.map_err(|_| Error::TooSlow(PIECE_WITHIN))?
        {
            let frame = frame.map_err(|error| Error::BadRequest(format!("the body ended early: {error}")))?;
            let Ok(piece) = frame.into_data() else { continue };
            len += piece.len() as u64;
            if len > UPLOAD_BYTES_MAX {
                return Err(Error::TooLarge(UPLOAD_BYTES_MAX));
            }
            hash.update(&piece);
            out.write_all(&piece).await?;
        }
        if len == 0 {
            return Err(Error::BadRequest(
                "the body is empty: send the app directory as a zstd-compressed tar".to_owned(),
            ));
        }
        out.sync_all().await?;
        Ok(Self { file, id: BlobId(hash.finalize().into()) })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.file.0
    }
}

/// A file that is gone once this is dropped, unless somebody moved it before.
struct Removed(PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        match std::fs::remove_file(&self.0) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(path = %self.0.display(), %error, "an upload could not be removed");
            }
            _ => {}
        }
    }
}
