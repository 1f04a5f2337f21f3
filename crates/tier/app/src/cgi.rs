//! Driver: CGI scripts: one process per request, request body in, response out, both streamed.
//!
//! The script is killed, with everything it has started, when the client goes away, when the script is silent for too long,
//! and when it has ended but left somebody behind. A script that does not read its input is none the worse for it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use http::Response;
use http::header::CONTENT_LENGTH;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use ringway_ports::{Body, BodyError, Invocation, InvokeError};
use ringway_protocol::cgi::{
    HEAD_LEN_MAX, HeadError, ResponseHead, Script, meta_variables, parse_head, path_info, script_segment,
};
use ringway_sandbox::{Child, Command, Exit, Input, Outcome, Output};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::host::{Host, Place, Unit, release_failed, start_failed};
use crate::logs::Source;
use crate::request_body::{RequestBody, next_piece};

/// Scripts of one app at a time.
pub const SCRIPTS_MAX: usize = 64;
/// Requests of one app that wait for their turn.
const QUEUE_MAX: usize = 256;
/// A script that says nothing for that long is killed, unless the route says otherwise.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// A script that has closed its output should end.
const END_MAX: Duration = Duration::from_secs(2);
const READ_SIZE: usize = 32 * 1024;
const SOFTWARE: &str = concat!("Ringway/", env!("CARGO_PKG_VERSION"));

/// How many scripts of one app, or of one function, run at a time.
pub struct Gate {
    turns: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    limit: usize,
}

impl Gate {
    pub fn new(limit: usize) -> Self {
        Self { turns: Arc::new(Semaphore::new(limit)), queue: Arc::new(Semaphore::new(QUEUE_MAX)), limit }
    }

    pub fn running(&self) -> usize {
        self.limit - self.turns.available_permits()
    }

    async fn turn(&self, what: &str, within: Duration) -> Result<OwnedSemaphorePermit, InvokeError> {
        let _queued = Arc::clone(&self.queue)
            .try_acquire_owned()
            .map_err(|_| InvokeError::Overloaded { what: what.to_owned(), limit: self.limit + QUEUE_MAX })?;
        let turn = tokio::time::timeout(within, Arc::clone(&self.turns).acquire_owned()).await;
        let turn = turn.map_err(|_| InvokeError::TimedOut { what: what.to_owned(), after: within })?;
        turn.map_err(|_| InvokeError::Internal("this node is stopping".to_owned()))
    }
}

/// One request through a script. `target` is a file or directory of the release.
pub async fn invoke(
    host: Host,
    unit: Arc<Unit>,
    target: String,
    gate: Arc<Gate>,
    invocation: Invocation,
) -> Result<Response<Body>, InvokeError> {
    let silence_max = invocation.timeout.unwrap_or(SILENCE_MAX);
    let release = host.releases.get(&unit.app, &unit.release).await.map_err(release_failed)?;
    let script = find_script(&release, &target, invocation.request.uri().path(), invocation.mount).await?;
    let what = format!("{}/{}", unit.app, script.name);
    let turn = gate.turn(&what, silence_max).await?;
    let instance: Arc<str> = format!("{}#cgi", unit.label()).into();
    let place = host.place(&unit, &instance).await?;
    let (parts, body) = invocation.request.into_parts();
    let declared = parts.headers.get(CONTENT_LENGTH).and_then(|len| len.to_str().ok()?.parse().ok());
    let body = tokio::time::timeout(silence_max, RequestBody::measure(body, declared, place.temporary()))
        .await
        .map_err(|_| InvokeError::BadRequest(format!("the request body did not arrive within {silence_max:?}")))??;

    let variables = meta_variables(&Script {
        method: parts.method.as_str(),
        request_uri: parts.uri.path_and_query().map_or("/", |path| path.as_str()),
        query: parts.uri.query().unwrap_or_default(),
        protocol: &format!("{:?}", parts.version),
        headers: &parts.headers,
        content_length: body.len(),
        script_name: &script.url,
        path_info: &script.path_info,
        script_filename: &script.file.to_string_lossy(),
        document_root: &release.to_string_lossy(),
        client: invocation.client,
        server: invocation.server,
        tls: invocation.tls,
        software: SOFTWARE,
    });
    let mut command = command(&host, &unit, &instance, &place, &script);
    command.env.extend(variables);
    let source = unit.source(&instance);
    let running = Running::start(&host, &place, &source, &what, command, body, silence_max, turn).await?;
    running.respond().await
}

struct Found {
    /// In the release.
    file: PathBuf,
    /// For people: `cgi-bin/git`.
    name: String,
    /// `SCRIPT_NAME`
    url: Vec<u8>,
    path_info: Vec<u8>,
}

async fn find_script(release: &Path, target: &str, path: &str, mount: usize) -> Result<Found, InvokeError> {
    let (mounted_at, rest) = path.split_at_checked(mount).unwrap_or((path, ""));
    let bad = |error: ringway_protocol::cgi::PathError| InvokeError::BadRequest(error.to_string());
    let mut file = release.join(target);
    let (mut name, mut script_url, mut rest) = (target.to_owned(), mounted_at.to_owned(), rest);
    if tokio::fs::metadata(&file).await.is_ok_and(|metadata| metadata.is_dir()) {
        let (segment, behind) =
            script_segment(rest).map_err(|_| InvokeError::NotFound(format!("script for {path}")))?;
        file.push(&segment);
        name = format!("{}/{segment}", target.trim_end_matches('/'));
        script_url = format!("{}{}", mounted_at.trim_end_matches('/'), &rest[..rest.len() - behind.len()]);
        rest = behind;
    }
    let metadata = tokio::fs::metadata(&file).await.ok().filter(std::fs::Metadata::is_file);
    let metadata = metadata.ok_or_else(|| InvokeError::NotFound(format!("script {name}")))?;
    if metadata.permissions().mode() & 0o111 == 0 {
        let detail = format!("it is not executable: run `chmod +x {name}` and deploy again");
        return Err(InvokeError::NotStarting { what: name, detail });
    }
    Ok(Found { file, name, url: path_info(&script_url).map_err(bad)?, path_info: path_info(rest).map_err(bad)? })
}

fn command(host: &Host, unit: &Unit, instance: &str, place: &Place, script: &Found) -> Command {
    let mut command = Command::new(script.file.as_os_str().as_encoded_bytes());
    let env = host.environment(unit, instance, place);
    command.env = env.into_iter().map(|(name, value)| (name, value.into_bytes())).collect();
    command.cwd = script.file.parent().unwrap_or(&place.release).to_path_buf();
    command.output = Output::Pipe;
    command
}

/// A script and both ends of its work. Dropping it kills the script.
struct Running {
    what: String,
    child: Child,
    output: pipe::Receiver,
    /// Feeds the script, until it is fed. `Err`: the client broke off.
    feeding: Option<BoxFuture<'static, Result<(), InvokeError>>>,
    silence_max: Duration,
    /// Read, but not yet handed on.
    buffer: BytesMut,
    /// Of the body that the script promised.
    promised: Option<u64>,
    log: (Host, Source),
    _turn: OwnedSemaphorePermit,
}

impl Running {
    #[expect(clippy::too_many_arguments, reason = "they are what a script is")]
    async fn start(
        host: &Host,
        place: &Place,
        source: &Source,
        what: &str,
        mut command: Command,
        body: RequestBody,
        silence_max: Duration,
        turn: OwnedSemaphorePermit,
    ) -> Result<Self, InvokeError> {
        let mut feed = None;
        command.input = match body {
            RequestBody::None => Input::Nothing,
            RequestBody::File(file, _) => Input::File(file),
            other => {
                feed = Some(other);
                Input::Pipe
            }
        };
        let mut child = host.start(place, source, command).await.map_err(|error| start_failed(what, error))?;
        let feeding = feed.zip(child.input.take()).map(|(body, input)| feed_script(body, input).boxed());
        let output = child.output.take().ok_or_else(|| InvokeError::Internal("no pipe from the script".to_owned()))?;
        let (what, log, buffer) = (what.to_owned(), (host.clone(), source.clone()), BytesMut::new());
        Ok(Self { what, child, output, feeding, silence_max, buffer, promised: None, log, _turn: turn })
    }

    async fn respond(mut self) -> Result<Response<Body>, InvokeError> {
        let head = self.read_head().await?;
        let mut response = Response::new(());
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers;
        self.promised = head.content_length;
        let pieces = stream::unfold(Some(self), |running| async move {
            let mut running = running?;
            match running.next_piece().await {
                Ok(Some(piece)) => Some((Ok(Frame::data(piece)), Some(running))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        });
        Ok(response.map(|()| StreamBody::new(pieces.boxed()).boxed_unsync()))
    }

    async fn read_head(&mut self) -> Result<ResponseHead, InvokeError> {
        let deadline = tokio::time::Instant::now() + self.silence_max;
        loop {
            let read = tokio::time::timeout_at(deadline, self.read()).await;
            let read =
                read.map_err(|_| InvokeError::TimedOut { what: self.what.clone(), after: self.silence_max })??;
            match parse_head(&self.buffer) {
                Ok(Some((head, len))) => {
                    let _ = self.buffer.split_to(len);
                    return Ok(head);
                }
                Ok(None) if read == 0 => {
                    let exit = self.end().await?;
                    return Err(self.failed(&HeadError::Ended, exit));
                }
                Ok(None) => debug_assert!(self.buffer.len() <= HEAD_LEN_MAX + READ_SIZE),
                Err(error) => return Err(self.failed(&error, None)),
            }
        }
    }

    fn failed(&self, error: &HeadError, exit: Option<Exit>) -> InvokeError {
        let ending = exit.map_or(String::new(), |exit| format!("; it {exit}"));
        let detail = format!("{error}{ending}");
        self.log.0.logs.note(&self.log.1, &format!("{}: {detail}", self.what));
        InvokeError::AppFailed { what: self.what.clone(), detail }
    }

    /// The next part of the body, or its end.
    async fn next_piece(&mut self) -> Result<Option<Bytes>, BodyError> {
        if self.promised == Some(0) {
            return Ok(None);
        }
        if self.buffer.is_empty() {
            let silence_max = self.silence_max;
            let read = tokio::time::timeout(silence_max, self.read()).await;
            let read = read.map_err(|_| format!("{} was silent for {silence_max:?}", self.what))??;
            if read == 0 {
                return self.finish().await.map(|()| None);
            }
        }
        let mut piece = self.buffer.split().freeze();
        if let Some(left) = &mut self.promised {
            piece.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= piece.len() as u64;
        }
        Ok(Some(piece))
    }

    /// The output has ended. Was it all?
    async fn finish(&mut self) -> Result<(), BodyError> {
        // Its answer is complete: what became of the request's body is of no interest any more.
        let exit = self.end().await.unwrap_or_default();
        if let Some(missing) = self.promised {
            return Err(format!("{} ended {missing} bytes before the length it promised", self.what).into());
        }
        match exit.map(|exit| (exit, exit.outcome)) {
            Some((exit, Outcome::Signal(_) | Outcome::Lost)) => Err(format!("{} {exit}", self.what).into()),
            Some((exit, Outcome::Code(1..))) => {
                self.log.0.logs.note(&self.log.1, &format!("{} {exit}", self.what));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Waits for its exit, and feeds it meanwhile: it may have closed its output first.
    async fn end(&mut self) -> Result<Option<Exit>, InvokeError> {
        let feeding = self.feeding.take().unwrap_or_else(|| std::future::ready(Ok(())).boxed());
        tokio::select! {
            exit = tokio::time::timeout(END_MAX, self.child.wait()) => Ok(exit.ok()),
            Err(error) = feeding => Err(error),
        }
    }

    /// Reads more into the buffer, and feeds the script meanwhile. 0: the output has ended.
    async fn read(&mut self) -> Result<usize, InvokeError> {
        self.buffer.reserve(READ_SIZE);
        loop {
            tokio::select! {
                read = self.output.read_buf(&mut self.buffer) => {
                    return read.map_err(|error| InvokeError::Internal(format!("pipe from {}: {error}", self.what)));
                }
                fed = async { self.feeding.as_mut().expect("checked below").await }, if self.feeding.is_some() => {
                    self.feeding = None;
                    fed?;
                }
            }
        }
    }
}

/// Writes the body to the script's input, and closes it. That the script does not want it is no failure.
async fn feed_script(body: RequestBody, mut input: pipe::Sender) -> Result<(), InvokeError> {
    let mut body = match body {
        RequestBody::Whole(bytes) => {
            let _ = input.write_all(&bytes).await;
            return Ok(());
        }
        RequestBody::Stream(body, _) => body,
        RequestBody::None | RequestBody::File(..) => return Ok(()),
    };
    while let Some(piece) = next_piece(&mut body).await? {
        if input.write_all(&piece).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}
