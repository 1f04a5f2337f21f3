//! Driver: one request on its way to an upstream, until its answer has begun.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use http_body::Body as _;
use ringway_ports::{Body, empty};
use ringway_protocol::http1::{BodyDecoder, BodyLength, ResponseHead, write_fields, write_request_line};

use super::Failure;
use super::wire::Wire;
use crate::outbox::Outbox;
use crate::outgoing_body::{Filled, OutgoingBody};

const HEAD_LEN_MAX: usize = 64 << 10;
const EARLY_HINTS: u16 = 103;

/// Hears of answers before the answer: `103 Early Hints`.
pub type Interim<'a> = dyn Fn(&HeaderMap) + Send + Sync + 'a;

/// The beginning of an answer, and what is needed for the rest of it.
pub struct Answered {
    pub head: ResponseHead,
    pub wire: Wire,
    pub decoder: BodyDecoder,
    /// What has not been sent of the request yet: the answer came early.
    pub upload: Upload,
}

/// The request's own side.
pub struct Upload {
    out: Outbox,
    body: OutgoingBody,
}

pub struct Sending<'a> {
    wire: Option<Wire>,
    /// Until a byte of it has gone, or its body was touched.
    request: Option<Request<Body>>,
    upload: Upload,
    method: Method,
    has_sent: bool,
    /// How far the head of the answer was looked at.
    scanned: usize,
    interim: Option<&'a Interim<'a>>,
}

impl<'a> Sending<'a> {
    pub fn new(wire: Wire, request: Request<Body>, interim: Option<&'a Interim<'a>>) -> Self {
        let mut out = Outbox::default();
        let length = write_head(out.buffer(), &request);
        let method = request.method().clone();
        let (mut request, mut body) = (Some(request), OutgoingBody::new(empty(), BodyLength::None));
        if length != BodyLength::None {
            // A body that has been touched cannot be given back.
            body = OutgoingBody::new(request.take().map_or_else(empty, Request::into_body), length);
        }
        let upload = Upload { out, body };
        Self { wire: Some(wire), request, upload, method, has_sent: false, scanned: 0, interim }
    }

    fn failed(&mut self, why: String) -> Failure {
        match self.request.take() {
            Some(request) if !self.has_sent => Failure::Unsent(Box::new(request), why),
            _ => Failure::Sent(why),
        }
    }

    /// Reads until the head is whole. Heads before the last one are passed over.
    fn poll_head(&mut self, wire: &mut Wire, cx: &mut Context<'_>) -> Poll<Result<ResponseHead, String>> {
        loop {
            let found = ResponseHead::find_end(&wire.read, &mut self.scanned, HEAD_LEN_MAX);
            if let Some(end) = found.map_err(|bad| bad.to_string())? {
                self.scanned = 0;
                let raw = wire.read.split_to(end).freeze();
                let head = ResponseHead::parse(&raw, &self.method).map_err(|bad| bad.to_string())?;
                if !head.status.is_informational() || head.status == StatusCode::SWITCHING_PROTOCOLS {
                    return Poll::Ready(Ok(head));
                }
                if let Some(interim) = self.interim.filter(|_| head.status.as_u16() == EARLY_HINTS) {
                    interim(&head.headers);
                }
                continue;
            }
            match ready!(wire.poll_read(cx, true)) {
                Ok(0) => return Poll::Ready(Err("it hung up before it answered".to_owned())),
                Ok(_) => {}
                Err(error) => return Poll::Ready(Err(error.to_string())),
            }
        }
    }
}

impl Future for Sending<'_> {
    type Output = Result<Answered, Failure>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let Some(mut wire) = this.wire.take() else { return Poll::Pending };
        let sent = this.upload.poll_send(&mut wire, cx, &mut this.has_sent);
        if this.has_sent {
            this.request = None;
        }
        let refused = match sent {
            Poll::Ready(Err(error)) => Some(error.to_string()),
            _ => None,
        };
        // Who refuses a body may have said why.
        match this.poll_head(&mut wire, cx) {
            Poll::Ready(Ok(head)) => {
                let decoder = BodyDecoder::new(head.body);
                let upload = std::mem::take(&mut this.upload);
                Poll::Ready(Ok(Answered { head, wire, decoder, upload }))
            }
            Poll::Ready(Err(why)) => Poll::Ready(Err(this.failed(refused.unwrap_or(why)))),
            Poll::Pending => match refused {
                Some(why) => Poll::Ready(Err(this.failed(why))),
                None => {
                    this.wire = Some(wire);
                    Poll::Pending
                }
            },
        }
    }
}

impl Default for Upload {
    fn default() -> Self {
        Self { out: Outbox::default(), body: OutgoingBody::new(empty(), BodyLength::None) }
    }
}

impl Upload {
    pub fn is_over(&self) -> bool {
        self.body.is_over() && self.out.is_empty()
    }

    /// Sends on. Ready when all has gone; pending while the upstream does not take more or there is no more yet.
    pub fn poll_send(&mut self, wire: &mut Wire, cx: &mut Context<'_>, has_sent: &mut bool) -> Poll<io::Result<()>> {
        loop {
            let filled = match self.body.poll_fill(cx, &mut self.out) {
                Poll::Ready(filled) => filled.map_err(io::Error::other)?,
                Poll::Pending => return Poll::Pending,
            };
            while !self.out.is_empty() {
                let written = ready!(wire.poll_write(cx, &self.out.slices()))?;
                if written == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                *has_sent = true;
                self.out.advance(written);
            }
            if filled == Filled::All {
                return wire.poll_flush(cx);
            }
            if wire.poll_flush(cx)?.is_pending() {
                return Poll::Pending;
            }
        }
    }
}

/// Framing is what this connection says, not what the client's said.
fn write_head(out: &mut Vec<u8>, request: &Request<Body>) -> BodyLength {
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    write_request_line(out, request.method().as_str(), target);
    write_fields(out, request.headers());
    let length = length_of(request);
    match length {
        BodyLength::Known(len) => {
            let value = HeaderValue::from(len);
            for part in [b"content-length: ", value.as_bytes(), b"\r\n"] {
                out.extend_from_slice(part);
            }
        }
        BodyLength::Chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        BodyLength::None | BodyLength::UntilClose => {}
    }
    out.extend_from_slice(b"\r\n");
    length
}

/// Where a method has a meaning for a body, that there is none is said (RFC 9110, 8.6).
fn length_of(request: &Request<Body>) -> BodyLength {
    match request.body().size_hint().exact() {
        Some(0) if [Method::POST, Method::PUT, Method::PATCH].contains(request.method()) => BodyLength::Known(0),
        Some(0) => BodyLength::None,
        Some(len) => BodyLength::Known(len),
        None => BodyLength::Chunked,
    }
}
