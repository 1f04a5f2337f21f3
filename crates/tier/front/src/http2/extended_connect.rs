//! Driver: WebSocket over HTTP/2 (RFC 8441). A stream takes the place of a connection; for apps it is an upgrade as ever.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::BytesMut;
use http::header::{self, HeaderValue};
use http::{Method, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::ext::Protocol;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use ringway_ports::{Body, empty};
use ringway_rt::random;
use tracing::debug;

use crate::http1::{TunnelSlot, run_tunnel};
use crate::worker::Worker;

/// The stream, if the request asks for another protocol on it. What is left is a request for an upgrade.
pub fn take(request: &mut Request<Incoming>) -> Option<OnUpgrade> {
    let protocol = request.extensions().get::<Protocol>().filter(|_| request.method() == Method::CONNECT)?;
    let protocol = HeaderValue::from_str(protocol.as_str()).ok()?;
    let stream = hyper::upgrade::on(&mut *request);
    *request.method_mut() = Method::GET;
    *request.version_mut() = Version::HTTP_11;
    let headers = request.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, protocol);
    // There is none over HTTP/2, and apps insist on it.
    if let Ok(key) = HeaderValue::try_from(STANDARD.encode(random::bytes::<16>())) {
        headers.entry(header::SEC_WEBSOCKET_KEY).or_insert(key);
    }
    Some(stream)
}

/// What the client is told, and the tunnel begun if the app has agreed.
pub fn answer(worker: &Arc<Worker>, stream: OnUpgrade, mut response: Response<Body>) -> Response<Body> {
    let Some(tunnel) = response.extensions().get().and_then(TunnelSlot::take) else {
        if response.status().is_success() {
            // To the client it would mean that the protocol was agreed on.
            *response.status_mut() = StatusCode::BAD_GATEWAY;
        }
        return response;
    };
    let stop = worker.stop.clone();
    worker.tracker.spawn(async move {
        match stream.await {
            Ok(stream) => run_tunnel(TokioIo::new(stream), BytesMut::new(), tunnel, stop).await,
            Err(error) => debug!(%error, "a stream was not handed over"),
        }
    });
    *response.status_mut() = StatusCode::OK;
    for name in [header::CONNECTION, header::UPGRADE, header::SEC_WEBSOCKET_ACCEPT, header::CONTENT_LENGTH] {
        response.headers_mut().remove(name);
    }
    *response.body_mut() = empty();
    response
}
