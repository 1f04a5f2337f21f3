//! Driver: files of a release, straight from its directory.
//!
//! The kernel guards the root: `openat2` with `RESOLVE_BENEATH` refuses every path and every symbolic link that would lead out
//! of it, at the moment of opening, so there is no gap between a check and a use.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_compression::Level;
use async_compression::tokio::bufread::{BrotliEncoder, GzipEncoder, ZstdEncoder};
use bytes::Bytes;
use futures_util::TryStreamExt;
use http::header::{self, HeaderMap, HeaderValue};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat2};
use nix::sys::stat::Mode;
use ringway_ports::{Body, BodyError, Work, empty, full};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_util::io::{ReaderStream, StreamReader};
use tracing::warn;

use crate::conditional::{Decision, Validators, decide, whole_seconds};
use crate::encoding::{Accepted, Encoding, LIVE, STORED, is_compressible};
use crate::fault::Fault;
use crate::file_body::{FileBody, read};
use crate::headers;
use crate::hot::Keepable;
use crate::http1::{Scratch, with_scratch};
use crate::multipart::Multipart;
use crate::path::file_of;
use crate::pieces::{Piece, Pieces};
use crate::respond::bare;
use crate::service::Routed;

const INDEX: &str = "index.html";
/// Up to this size a file is read in one go, on this thread.
const SMALL: u64 = 64 << 10;
/// Files between these sizes are compressed while the client waits; smaller ones gain nothing.
const COMPRESSED_MIN: u64 = 1 << 10;
const COMPRESSED_MAX: u64 = 16 << 20;
const BROTLI_QUALITY: i32 = 4;
const GZIP_QUALITY: i32 = 5;
const ZSTD_QUALITY: i32 = 3;

/// A regular file, opened.
struct Found {
    file: File,
    len: u64,
    modified: SystemTime,
    kind: HeaderValue,
    /// It is a sibling in this encoding.
    stored: Option<Encoding>,
}

enum Opened {
    File(Found),
    Dir,
    Neither,
}

enum Lookup {
    File(Found),
    /// A directory with an index, asked for without its slash.
    Redirect,
    Missing,
}

/// `None` if there is no such file. The method is GET or HEAD.
pub async fn answer(routed: &Routed<'_>, dir: &str, request: &Parts) -> Result<Option<Response<Body>>, Fault> {
    let rest = &routed.exchange.path[routed.mount..];
    let Some(path) = file_of(rest) else { return Ok(None) };
    let files = files(routed, &routed.entry.work).await?;
    let accepted =
        if request.headers.contains_key(header::RANGE) { Accepted::default() } else { Accepted::of(&request.headers) };
    let is_exact = !routed.entry.route.path.prefix;
    match look_up(&files, dir, &path, rest.ends_with('/') || is_exact, accepted)
        .map_err(|error| failed(routed, error))?
    {
        Lookup::Missing if routed.entry.is_immutable(rest) => earlier(routed, dir, &path, request, accepted).await,
        Lookup::Missing => Ok(None),
        Lookup::Redirect => Ok(Some(redirect(routed, request.uri.query()))),
        Lookup::File(found) => respond(routed, request, found, accepted).await.map(Some),
    }
}

/// The page that answers for all addresses of a single-page app. It names the files that belong together, so it is asked for anew
/// each time.
pub async fn page(routed: &Routed<'_>, dir: &str, request: &Parts) -> Result<Option<Response<Body>>, Fault> {
    let accepted = Accepted::of(&request.headers);
    let files = files(routed, &routed.entry.work).await?;
    let found = look_up(&files, dir, Path::new(INDEX), false, accepted).map_err(|error| failed(routed, error))?;
    let Lookup::File(found) = found else { return Ok(None) };
    let mut response = respond(routed, request, found, accepted).await?;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response.extensions_mut().remove::<Keepable>();
    Ok(Some(response))
}

/// A page of an earlier release that is still open asks for its own files: the newest release that has one of this name.
async fn earlier(
    routed: &Routed<'_>,
    dir: &str,
    path: &Path,
    request: &Parts,
    accepted: Accepted,
) -> Result<Option<Response<Body>>, Fault> {
    for work in &routed.entry.earlier {
        // One whose files are gone has none of them.
        let Ok(files) = files(routed, work).await else { continue };
        let found = look_up(&files, dir, path, false, accepted).map_err(|error| failed(routed, error))?;
        if let Lookup::File(found) = found {
            return respond(routed, request, found, accepted).await.map(Some);
        }
    }
    Ok(None)
}

async fn files(routed: &Routed<'_>, work: &Work) -> Result<Arc<Path>, Fault> {
    routed.worker.shared.invoke.files(work.clone()).await.map_err(|error| {
        warn!(request = &*routed.exchange.id, %error, "the files of a release are not to be had");
        Fault::from(error)
    })
}

fn failed(routed: &Routed<'_>, error: io::Error) -> Fault {
    warn!(request = &*routed.exchange.id, path = routed.exchange.path, %error, "a file could not be read");
    Fault::Internal
}

fn look_up(files: &Path, dir: &str, path: &Path, wants_dir: bool, accepted: Accepted) -> io::Result<Lookup> {
    let release = open(files, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
    let Some(root) = open_beneath(&release, Path::new(dir), OFlag::O_PATH)? else { return Ok(Lookup::Missing) };
    if !path.as_os_str().is_empty() {
        return look_up_file(&root, path, wants_dir, accepted);
    }
    // A route may lead to one file.
    if is_dir(&root)? {
        look_up_index(&root, Path::new(INDEX), true, accepted)
    } else {
        look_up_file(&release, Path::new(dir), false, accepted)
    }
}

fn look_up_file(root: &OwnedFd, path: &Path, wants_dir: bool, accepted: Accepted) -> io::Result<Lookup> {
    match open_any(root, path)? {
        Opened::Dir => look_up_index(root, &path.join(INDEX), wants_dir, accepted),
        Opened::File(found) if !wants_dir => preferred(root, path, found, accepted).map(Lookup::File),
        Opened::File(_) | Opened::Neither => Ok(Lookup::Missing),
    }
}

fn look_up_index(root: &OwnedFd, index: &Path, wants_dir: bool, accepted: Accepted) -> io::Result<Lookup> {
    match open_any(root, index)? {
        Opened::File(_) if !wants_dir => Ok(Lookup::Redirect),
        Opened::File(found) => preferred(root, index, found, accepted).map(Lookup::File),
        Opened::Dir | Opened::Neither => Ok(Lookup::Missing),
    }
}

/// The file, or the sibling of it that the client likes better.
fn preferred(root: &OwnedFd, path: &Path, found: Found, accepted: Accepted) -> io::Result<Found> {
    for encoding in accepted.ranked(STORED) {
        if let Opened::File(sibling) = open_any(root, &with_suffix(path, encoding))? {
            return Ok(Found { kind: found.kind, stored: Some(encoding), ..sibling });
        }
    }
    Ok(found)
}

fn with_suffix(path: &Path, encoding: Encoding) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(encoding.suffix());
    name.into()
}

fn open_any(root: &OwnedFd, path: &Path) -> io::Result<Opened> {
    // Non-blocking: a named pipe must not hold the thread up.
    let Some(opened) = open_beneath(root, path, OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY)? else {
        return Ok(Opened::Neither);
    };
    let file = File::from(opened);
    let meta = file.metadata()?;
    if meta.is_dir() {
        return Ok(Opened::Dir);
    }
    if !meta.is_file() {
        return Ok(Opened::Neither);
    }
    let modified = whole_seconds(meta.modified()?);
    Ok(Opened::File(Found { len: meta.len(), modified, file, kind: content_type(path), stored: None }))
}

fn open_beneath(root: &OwnedFd, path: &Path, flags: OFlag) -> io::Result<Option<OwnedFd>> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let how = OpenHow::new()
        .flags(flags | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    match openat2(root.as_fd(), path, how) {
        Ok(opened) => Ok(Some(opened)),
        Err(
            Errno::ENOENT
            | Errno::ENOTDIR
            | Errno::EXDEV
            | Errno::ELOOP
            | Errno::ENAMETOOLONG
            | Errno::EACCES
            | Errno::ENXIO,
        ) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn is_dir(opened: &OwnedFd) -> io::Result<bool> {
    let mode = nix::sys::stat::fstat(opened)?.st_mode;
    Ok(mode & nix::libc::S_IFMT == nix::libc::S_IFDIR)
}

fn content_type(path: &Path) -> HeaderValue {
    let guess = mime_guess::from_path(path).first_or_octet_stream();
    let essence = guess.essence_str();
    let is_text = guess.type_() == mime_guess::mime::TEXT || essence == "application/javascript";
    let text = if is_text { format!("{essence}; charset=utf-8") } else { essence.to_owned() };
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("application/octet-stream"))
}

fn redirect(routed: &Routed<'_>, query: Option<&str>) -> Response<Body> {
    let mut response = bare(StatusCode::PERMANENT_REDIRECT);
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    headers::set(response.headers_mut(), header::LOCATION, &format!("{}/{query}", routed.exchange.path));
    response
}

async fn respond(
    routed: &Routed<'_>,
    request: &Parts,
    found: Found,
    accepted: Accepted,
) -> Result<Response<Body>, Fault> {
    let is_compressible = is_compressible(&found.kind);
    let fits = is_compressible && found.stored.is_none() && (COMPRESSED_MIN..=COMPRESSED_MAX).contains(&found.len);
    let live = if fits { accepted.ranked(LIVE).next() } else { None };
    let validators = validators(routed, &found, live);
    let mut headers = HeaderMap::with_capacity(8);
    headers::set(&mut headers, header::ETAG, &validators.etag);
    headers::set(&mut headers, header::LAST_MODIFIED, &httpdate::fmt_http_date(found.modified));
    if is_compressible || found.stored.is_some() {
        headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    }
    if let Some(value) = routed.entry.cache_control(&routed.exchange.path[routed.mount..]) {
        headers.insert(header::CACHE_CONTROL, value);
    }
    let decision = decide(&request.method, &request.headers, &validators, found.len);
    let mut response = match decision {
        Decision::PreconditionFailed => return Err(Fault::PreconditionFailed),
        Decision::Unsatisfiable => return Err(Fault::Unsatisfiable { len: found.len }),
        Decision::NotModified => bare(StatusCode::NOT_MODIFIED),
        Decision::Part(range) => {
            headers::set(
                &mut headers,
                header::CONTENT_RANGE,
                &format!("bytes {}-{}/{}", range.start, range.end - 1, found.len),
            );
            let (mut response, _) = plain(&mut headers, found, range.start, range.end - range.start, &request.method);
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            response
        }
        Decision::Parts(ranges) => parts(&mut headers, found, &ranges, &request.method),
        Decision::Whole => {
            let len = found.len;
            let (mut response, whole) = match live {
                Some(encoding) => compressed(&mut headers, found, encoding, &request.method).await,
                None => plain(&mut headers, found, 0, len, &request.method),
            };
            if let Some(body) = whole {
                let app = Arc::clone(&routed.entry.work.app);
                response.extensions_mut().insert(Keepable { body, app, stored: None });
            }
            response
        }
    };
    response.headers_mut().extend(headers);
    Ok(response)
}

/// Release, size and time: the same on every node. What is compressed on the way is not the same byte for byte, so that is weak.
fn validators(routed: &Routed<'_>, found: &Found, live: Option<Encoding>) -> Validators {
    let release = routed.entry.work.release.files.to_string();
    let modified = found.modified.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    let own = format!("{}-{:x}-{modified:x}", &release[..12], found.len);
    let etag = match (found.stored, live) {
        (Some(encoding), _) => format!("\"{own}-{}\"", encoding.name()),
        (None, Some(encoding)) => format!("W/\"{own}-{}\"", encoding.name()),
        (None, None) => format!("\"{own}\""),
    };
    Validators { etag, modified: found.modified }
}

/// With the body once more, if it is small enough to be kept.
fn plain(
    headers: &mut HeaderMap,
    found: Found,
    offset: u64,
    len: u64,
    method: &Method,
) -> (Response<Body>, Option<Bytes>) {
    headers.insert(header::CONTENT_TYPE, found.kind.clone());
    headers.insert(header::CONTENT_LENGTH, len.into());
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Some(encoding) = found.stored {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding.name()));
    }
    if method == Method::HEAD {
        return (Response::new(empty()), None);
    }
    let (body, whole) = body(found.file, offset, len);
    (Response::new(body), whole)
}

/// 206 with several parts.
fn parts(headers: &mut HeaderMap, found: Found, ranges: &[Range<u64>], method: &Method) -> Response<Body> {
    let made = Multipart::new(&found.kind, ranges, found.len, with_scratch(Scratch::next_id));
    headers.insert(header::CONTENT_TYPE, made.kind);
    headers.insert(header::CONTENT_LENGTH, made.len.into());
    let file = Arc::new(found.file);
    let part = |range: &Range<u64>| Piece::File(FileBody::new(Arc::clone(&file), range.start, range.end - range.start));
    let all = made.heads.into_iter().zip(ranges).flat_map(|(head, range)| [Piece::Bytes(head), part(range)]);
    let all = all.chain([Piece::Bytes(made.end)]);
    let body = if method == Method::HEAD { empty() } else { Body::new(Pieces::new(all, made.len)) };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    response
}

fn body(file: File, offset: u64, len: u64) -> (Body, Option<Bytes>) {
    if len > SMALL {
        return (Body::new(FileBody::new(Arc::new(file), offset, len)), None);
    }
    match read(&file, offset, len as usize) {
        Ok(bytes) => (full(bytes.clone()), Some(bytes)),
        Err(error) => {
            let broken = futures_util::stream::iter([Err::<Frame<Bytes>, BodyError>(error.into())]);
            (StreamBody::new(broken).boxed_unsync(), None)
        }
    }
}

async fn compressed(
    headers: &mut HeaderMap,
    found: Found,
    encoding: Encoding,
    method: &Method,
) -> (Response<Body>, Option<Bytes>) {
    headers.insert(header::CONTENT_TYPE, found.kind.clone());
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding.name()));
    if method == Method::HEAD {
        return (Response::new(empty()), None);
    }
    let is_small = found.len <= SMALL;
    let mut encoder = encoder(body(found.file, 0, found.len).0, encoding);
    let mut bytes = Vec::new();
    if is_small && encoder.read_to_end(&mut bytes).await.is_ok() {
        headers.insert(header::CONTENT_LENGTH, bytes.len().into());
        let bytes = Bytes::from(bytes);
        return (Response::new(full(bytes.clone())), Some(bytes));
    }
    let pieces = ReaderStream::with_capacity(encoder, SMALL as usize).map_ok(Frame::data).map_err(BodyError::from);
    (Response::new(StreamBody::new(pieces).boxed_unsync()), None)
}

fn encoder(body: Body, encoding: Encoding) -> std::pin::Pin<Box<dyn AsyncRead + Send>> {
    let reader = StreamReader::new(body.into_data_stream().map_err(io::Error::other));
    match encoding {
        Encoding::Brotli => Box::pin(BrotliEncoder::with_quality(reader, Level::Precise(BROTLI_QUALITY))),
        Encoding::Zstd => Box::pin(ZstdEncoder::with_quality(reader, Level::Precise(ZSTD_QUALITY))),
        Encoding::Gzip => Box::pin(GzipEncoder::with_quality(reader, Level::Precise(GZIP_QUALITY))),
    }
}
