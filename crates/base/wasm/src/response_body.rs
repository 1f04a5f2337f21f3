//! Driver: the response body on its way out, which knows how the component ended.
//!
//! wasmtime ends the body of an instance that trapped or was stopped as if it were complete, and the client would take half
//! a response for a whole one. So the body asks, at its end, what became of the instance, and breaks off with an error
//! when that failed.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

use crate::error::Error;

/// The same type as the ports' body, so that it passes without another box.
pub type Body = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// How the instance ended: `None` inside is well. It is set before the instance lets go of its side of the body; while it
/// is unset a body that ends was finished by the component.
pub(crate) type Verdict = Arc<OnceLock<Option<String>>>;

pub(crate) fn response_body(body: HyperOutgoingBody, verdict: Verdict) -> Body {
    GuestBody { body, verdict }.boxed_unsync()
}

/// Held by the guest's task; says "stopped" when that ends in any way but by reporting how, so that not even a panic makes
/// half a body look whole.
#[derive(Default)]
pub(crate) struct VerdictGuard(Verdict);

impl VerdictGuard {
    pub fn verdict(&self) -> Verdict {
        self.0.clone()
    }

    pub fn set(&self, error: Option<&Error>) {
        let _ = self.0.set(error.map(ToString::to_string));
    }
}

impl Drop for VerdictGuard {
    fn drop(&mut self) {
        self.0.get_or_init(|| Some("component was stopped".to_owned()));
    }
}

struct GuestBody {
    body: HyperOutgoingBody,
    verdict: Verdict,
}

impl HttpBody for GuestBody {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(None) => match self.verdict.get() {
                Some(Some(why)) => Poll::Ready(Some(Err(why.clone().into()))),
                _ => Poll::Ready(None),
            },
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(format!("{error:?}").into()))),
            Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(Ok(frame))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
