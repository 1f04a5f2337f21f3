//! Driver: a request for a function or a CGI script, handed to the app tier.

use std::net::SocketAddr;
use std::sync::Arc;

use http::header::{self, HeaderMap, HeaderValue};
use http::{Request, Response, Uri};
use ringway_ports::{Body, Invocation};
use ringway_protocol::trace_context::TraceContext;
use tokio::time::{Instant, sleep_until};
use tracing::warn;

use crate::fault::Fault;
use crate::headers;
use crate::service::Routed;

/// Longer than the app tier's own timeout, so that its better answer wins.
const GRACE: std::time::Duration = std::time::Duration::from_millis(500);

pub async fn invoke(routed: &Routed<'_>, request: Request<Body>) -> Result<Response<Body>, Fault> {
    let (parts, body) = request.into_parts();
    let mut sent = Request::new(body);
    *sent.method_mut() = parts.method;
    let (target, is_changed) = routed.target(&parts.uri)?;
    *sent.uri_mut() = target;
    *sent.headers_mut() = routed.headers(parts.headers, routed.exchange.trace);
    let timeout = routed.timeout();
    let invocation = Invocation {
        work: routed.entry.work.clone(),
        request: sent,
        mount: if is_changed { 0 } else { routed.mount },
        client: SocketAddr::new(routed.exchange.client, routed.state.client.port()),
        server: routed.state.server,
        tls: routed.exchange.tls,
        request_id: Arc::clone(&routed.exchange.id),
        trace: routed.exchange.trace,
        timeout: Some(timeout),
    };
    let invoked = routed.worker.shared.invoke.invoke(invocation);
    let mut response = routed.within(timeout + GRACE, invoked).await?.map_err(|error| {
        warn!(request = &*routed.exchange.id, %error, "the app tier could not answer");
        Fault::from(error)
    })?;
    headers::remove_hop_by_hop(response.headers_mut());
    Ok(response)
}

impl Routed<'_> {
    pub fn timeout(&self) -> std::time::Duration {
        self.entry.route.timeout.unwrap_or(self.worker.shared.config.limits.answer_timeout)
    }

    /// Path and query as the route's own target sees them, and whether that is not what was asked for.
    pub fn target(&self, uri: &Uri) -> Result<(Uri, bool), Fault> {
        let changed = self.entry.route.path_for_target(&self.exchange.path, self.mount);
        let path = changed.as_deref().unwrap_or(&self.exchange.path);
        Ok((with_query(path, uri)?, changed.is_some()))
    }

    /// As they were asked for, in origin form: another node routes again.
    pub fn whole_target(&self, uri: &Uri) -> Result<Uri, Fault> {
        with_query(&self.exchange.path, uri)
    }

    /// A request's headers as apps and other nodes get them.
    pub fn headers(&self, mut headers: HeaderMap, trace: TraceContext) -> HeaderMap {
        headers::remove_hop_by_hop(&mut headers);
        // It was met when the body was first read.
        headers.remove(header::EXPECT);
        if self.exchange.peer.is_none() {
            headers::set_forwarded(&mut headers, &self.exchange.origin(self.state.client.ip()));
        }
        if !headers.contains_key(header::HOST) {
            headers::set(&mut headers, header::HOST, &self.exchange.host);
        }
        headers::set(&mut headers, headers::X_REQUEST_ID, &self.exchange.id);
        if let Ok(value) = HeaderValue::try_from(trace.to_string()) {
            headers.insert(headers::TRACEPARENT, value);
        }
        self.entry.prepare(&mut headers);
        headers::add_via(&mut headers, self.exchange.version);
        headers
    }

    /// Waits for an answer to begin. The time counts from the last piece of the request that went through.
    pub async fn within<F: Future>(&self, timeout: std::time::Duration, answer: F) -> Result<F::Output, Fault> {
        let mut answer = std::pin::pin!(answer);
        let mut deadline = Instant::now() + timeout;
        loop {
            tokio::select! {
                biased;
                answered = &mut answer => return Ok(answered),
                () = sleep_until(deadline) => {}
            }
            let extended = self.upload.last_progress() + timeout;
            if extended <= deadline {
                return Err(Fault::GatewayTimeout(timeout));
            }
            deadline = extended;
        }
    }
}

fn with_query(path: &str, uri: &Uri) -> Result<Uri, Fault> {
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    format!("{path}{query}").parse().map_err(|_| Fault::BadRequest("the address is not one"))
}
