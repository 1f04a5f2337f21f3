//! Driver: the admin API from the outside. One connection a request; every request has a deadline.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use bytes::Bytes;
use futures_util::StreamExt;
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::TokioIo;
use ringway_control::api::Failure;
use ringway_control::api::kv_line::LINE_BYTES_MAX;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
use tokio_util::io::ReaderStream;

const CONNECT_DEADLINE: Duration = Duration::from_secs(2);
const ANSWER_DEADLINE: Duration = Duration::from_secs(60);
const UPLOAD_DEADLINE: Duration = Duration::from_secs(15 * 60);

type Body = BoxBody<Bytes, std::io::Error>;

/// Talks to one node.
pub struct AdminClient {
    url: String,
    address: String,
    token: String,
}

/// Lines that keep coming.
pub struct Lines {
    body: Incoming,
    buffer: Vec<u8>,
    /// So much of it has no line end.
    searched: usize,
}

/// What a node said instead of doing it.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
struct Refused {
    status: StatusCode,
    text: String,
}

impl AdminClient {
    pub fn new(url: &str, token: String) -> Result<Self> {
        let url = url.trim_end_matches('/').to_owned();
        let address = url.strip_prefix("http://").context("an admin address begins with http://")?.to_owned();
        Ok(Self { url, address, token })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn token(&self) -> &str {
        &self.token
    }

    pub async fn health(&self) -> Result<()> {
        self.get::<serde_json::Value>("/v1/health").await.map(|_| ())
    }

    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        json(self.send(Method::GET, path, empty(), ANSWER_DEADLINE).await?).await
    }

    pub async fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        json(self.send(Method::DELETE, path, empty(), ANSWER_DEADLINE).await?).await
    }

    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T> {
        json(self.send(Method::POST, path, full(serde_json::to_vec(body)?), ANSWER_DEADLINE).await?).await
    }

    pub async fn put<T: DeserializeOwned>(&self, path: &str, value: Vec<u8>) -> Result<T> {
        json(self.send(Method::PUT, path, full(value), ANSWER_DEADLINE).await?).await
    }

    pub async fn post_bytes<T: DeserializeOwned>(&self, path: &str, body: Vec<u8>) -> Result<T> {
        json(self.send(Method::POST, path, full(body), ANSWER_DEADLINE).await?).await
    }

    /// Streams a file; `progress` is told every piece's length.
    pub async fn upload<T: DeserializeOwned>(
        &self,
        path: &str,
        header: (&'static str, &str),
        file: &Path,
        progress: impl Fn(u64) + Send + Sync + 'static,
    ) -> Result<T> {
        let source = tokio::fs::File::open(file).await?;
        let pieces = ReaderStream::with_capacity(source, 256 << 10).map(move |piece| {
            piece.map(|bytes| {
                progress(bytes.len() as u64);
                Frame::data(bytes)
            })
        });
        let body = BodyExt::boxed(StreamBody::new(pieces));
        let response = self.exchange(Method::POST, path, &[header], body, UPLOAD_DEADLINE).await?;
        json(checked(response).await?).await
    }

    /// Lines without end; the deadline is for the first.
    pub async fn lines(&self, path: &str) -> Result<Lines> {
        let response = self.send(Method::GET, path, empty(), ANSWER_DEADLINE).await?;
        Ok(Lines { body: response.into_body(), buffer: Vec::new(), searched: 0 })
    }

    async fn send(&self, method: Method, path: &str, body: Body, within: Duration) -> Result<Response<Incoming>> {
        checked(self.exchange(method, path, &[], body, within).await?).await
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        headers: &[(&'static str, &str)],
        body: Body,
        within: Duration,
    ) -> Result<Response<Incoming>> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", &self.address)
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let exchange = self.round_trip(request.body(body)?);
        tokio::time::timeout(within, exchange)
            .await
            .map_err(|_| anyhow!("node at {} did not answer within {within:?}", self.url))?
    }

    async fn round_trip(&self, request: Request<Body>) -> Result<Response<Incoming>> {
        let connecting = TcpStream::connect(&self.address);
        let stream = tokio::time::timeout(CONNECT_DEADLINE, connecting)
            .await
            .map_err(|_| anyhow!("no connection within {CONNECT_DEADLINE:?}"))
            .and_then(|connected| connected.map_err(anyhow::Error::from))
            .with_context(|| format!("node at {} does not answer: does it run?", self.url))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(sender.send_request(request).await?)
    }
}

impl Lines {
    /// The next line without its end; `None` when the node stops.
    pub async fn next(&mut self) -> Result<Option<String>> {
        Ok(self.next_bytes().await?.map(|line| String::from_utf8_lossy(&line).trim_end().to_owned()))
    }

    pub async fn next_bytes(&mut self) -> Result<Option<Vec<u8>>> {
        loop {
            if let Some(end) = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.buffer.drain(..=self.searched + end).collect();
                self.searched = 0;
                line.pop();
                return Ok(Some(line));
            }
            self.searched = self.buffer.len();
            if self.buffer.len() > LINE_BYTES_MAX {
                bail!("the node sends a line that does not end");
            }
            match self.body.frame().await {
                Some(frame) => self.buffer.extend_from_slice(&frame?.into_data().unwrap_or_default()),
                None => return Ok(None),
            }
        }
    }
}

/// Whether it may be better in a moment: the node did not answer, or could not just then.
pub fn is_worth_retrying(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Refused>().is_none_or(|refused| {
        refused.status == StatusCode::SERVICE_UNAVAILABLE || refused.status == StatusCode::REQUEST_TIMEOUT
    })
}

fn empty() -> Body {
    full(Vec::new())
}

fn full(bytes: Vec<u8>) -> Body {
    Full::new(Bytes::from(bytes)).map_err(|never| match never {}).boxed()
}

async fn json<T: DeserializeOwned>(response: Response<Incoming>) -> Result<T> {
    let bytes = response.into_body().collect().await?.to_bytes();
    serde_json::from_slice(&bytes).context("the node's answer is not what this version of ringway knows")
}

async fn checked(response: Response<Incoming>) -> Result<Response<Incoming>> {
    if response.status().is_success() {
        return Ok(response);
    }
    let status = response.status();
    Err(Refused { status, text: explain(failure(response).await) }.into())
}

async fn failure(response: Response<Incoming>) -> Failure {
    let status = response.status();
    let bytes = response.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    serde_json::from_slice(&bytes)
        .unwrap_or_else(|_| Failure { error: format!("the node answered {status}"), ..Failure::default() })
}

fn explain(failure: Failure) -> String {
    let mut text = failure.error;
    for fault in &failure.faults {
        text += &format!("\n{}", fault.text);
    }
    if let Some(help) = failure.help {
        text += &format!("\n  help: {help}");
    }
    text
}

/// One segment of a path.
pub fn segment(text: &str) -> String {
    segment_bytes(text.as_bytes())
}

pub fn segment_bytes(bytes: &[u8]) -> String {
    percent_encoding::percent_encode(bytes, percent_encoding::NON_ALPHANUMERIC).to_string()
}
