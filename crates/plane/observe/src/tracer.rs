//! Driver: finished spans to a collector, in batches, over OTLP (HTTP with protobuf).
//!
//! Requests never wait for it: a span goes into a bounded queue or is dropped and counted. One task empties the queue; a batch
//! that the collector does not take within its deadline is dropped too, because what is worth knowing is what happens now.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::trace::{SpanContext, SpanId, SpanKind as OtelKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanExporter as _, SpanLinks};
use ringway_ports::{SpanKind, SpanRecord, SpanStatus, Telemetry};
use ringway_rt::Tasks;
use tokio::sync::mpsc;
use tracing::warn;

use crate::{Error, OtlpConfig, Sampler};

/// Spans that wait for the exporter; about a second of a busy node.
const QUEUE_LEN_MAX: usize = 16_384;
const BATCH_LEN_MAX: usize = 512;
/// How long a span waits for others to travel with.
const BATCH_AGE_MAX: Duration = Duration::from_secs(1);
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);
/// A collector that is down is told about this often.
const WARN_EVERY: Duration = Duration::from_secs(60);

/// Which node this is, for the resource that all its spans have.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    pub node_id: String,
    pub node_name: String,
    pub version: String,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Tracer {
    queue: Option<mpsc::Sender<SpanRecord>>,
    sampler: Sampler,
}

impl Tracer {
    /// Starts the exporter as a task of `tasks`; none if nobody wants spans.
    pub fn start(config: &OtlpConfig, identity: &Identity, tasks: &Tasks) -> Result<Arc<Tracer>, Error> {
        let Some(endpoint) = config.endpoint.as_deref().filter(|_| config.wants_spans()) else {
            return Ok(Arc::new(Tracer { queue: None, sampler: Sampler::AlwaysOff }));
        };
        let exporter = exporter(endpoint, config, identity)?;
        let (queue, spans) = mpsc::channel(QUEUE_LEN_MAX);
        let export = Export { exporter, endpoint: endpoint.to_owned(), scope: scope(identity), warned: None };
        tasks.spawn("span export", export.run(spans, tasks.clone()));
        Ok(Arc::new(Tracer { queue: Some(queue), sampler: config.sampler }))
    }
}

impl Telemetry for Tracer {
    fn wants_spans(&self) -> bool {
        self.queue.is_some()
    }

    fn samples(&self, trace_id: u128) -> bool {
        self.queue.is_some() && self.sampler.takes(trace_id)
    }

    fn span(&self, span: SpanRecord) {
        let Some(queue) = self.queue.as_ref().filter(|_| self.sampler.takes(span.trace_id)) else { return };
        if queue.try_send(span).is_err() {
            count_dropped("queue full", 1);
        }
    }
}

struct Export {
    exporter: SpanExporter,
    endpoint: String,
    scope: InstrumentationScope,
    warned: Option<std::time::Instant>,
}

impl Export {
    async fn run(mut self, mut spans: mpsc::Receiver<SpanRecord>, tasks: Tasks) {
        let stopping = tasks.stopping();
        tokio::pin!(stopping);
        let mut batch = Vec::new();
        loop {
            tokio::select! {
                biased;
                () = &mut stopping => break,
                () = gather(&mut spans, &mut batch) => {}
            }
            if batch.is_empty() {
                return;
            }
            self.send(std::mem::take(&mut batch)).await;
        }
        if !batch.is_empty() {
            self.send(batch).await;
        }
        self.flush(spans).await;
    }

    /// What was finished before the stop still goes out.
    async fn flush(&mut self, mut spans: mpsc::Receiver<SpanRecord>) {
        spans.close();
        loop {
            let mut rest = Vec::new();
            if spans.recv_many(&mut rest, BATCH_LEN_MAX).await == 0 {
                return;
            }
            self.send(rest).await;
        }
    }

    async fn send(&mut self, batch: Vec<SpanRecord>) {
        let count = batch.len();
        let batch = batch.into_iter().map(|span| span_data(span, &self.scope)).collect();
        let sent = tokio::time::timeout(EXPORT_TIMEOUT, self.exporter.export(batch)).await;
        let reason = match sent {
            Ok(Ok(())) => return metrics::counter!("ringway_observe_spans_exported_total").increment(count as u64),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {EXPORT_TIMEOUT:?}"),
        };
        count_dropped("export failed", count);
        if self.warned.is_none_or(|at| at.elapsed() >= WARN_EVERY) {
            self.warned = Some(ringway_rt::clock::now());
            warn!(endpoint = self.endpoint, reason, spans = count, "spans could not be exported");
        }
    }
}

/// Waits for the first span, then a little for more. Nothing gathered: nobody sends any more. Cancel-safe: what was taken from
/// the queue is in `batch`.
async fn gather(spans: &mut mpsc::Receiver<SpanRecord>, batch: &mut Vec<SpanRecord>) {
    if spans.recv_many(batch, BATCH_LEN_MAX).await == 0 {
        return;
    }
    let deadline = tokio::time::Instant::now() + BATCH_AGE_MAX;
    while batch.len() < BATCH_LEN_MAX {
        let room = BATCH_LEN_MAX - batch.len();
        match tokio::time::timeout_at(deadline, spans.recv_many(batch, room)).await {
            Ok(more) if more > 0 => {}
            _ => break,
        }
    }
}

fn exporter(endpoint: &str, config: &OtlpConfig, identity: &Identity) -> Result<SpanExporter, Error> {
    let mut exporter = SpanExporter::builder()
        .with_http()
        .with_endpoint(endpoint)
        .with_headers(config.headers.clone())
        .with_timeout(EXPORT_TIMEOUT)
        .build()
        .map_err(|error| Error::Exporter { endpoint: endpoint.to_owned(), reason: error.to_string() })?;
    exporter.set_resource(&resource(config, identity));
    Ok(exporter)
}

fn resource(config: &OtlpConfig, identity: &Identity) -> Resource {
    let own = [
        ("service.instance.id", &identity.node_id),
        ("service.version", &identity.version),
        ("ringway.node.name", &identity.node_name),
    ];
    let said = config.resource.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
    Resource::builder_empty()
        .with_attributes(own.map(|(key, value)| KeyValue::new(key, value.clone())))
        .with_attributes(said)
        .with_service_name(config.service_name.clone())
        .build()
}

fn scope(identity: &Identity) -> InstrumentationScope {
    InstrumentationScope::builder("ringway").with_version(identity.version.clone()).build()
}

fn span_data(span: SpanRecord, scope: &InstrumentationScope) -> SpanData {
    let context = SpanContext::new(
        TraceId::from_bytes(span.trace_id.to_be_bytes()),
        SpanId::from_bytes(span.span_id.to_be_bytes()),
        TraceFlags::SAMPLED,
        false,
        TraceState::default(),
    );
    SpanData {
        span_context: context,
        parent_span_id: SpanId::from_bytes(span.parent_span_id.to_be_bytes()),
        parent_span_is_remote: false,
        span_kind: match span.kind {
            SpanKind::Server => OtelKind::Server,
            SpanKind::Client => OtelKind::Client,
            SpanKind::Internal => OtelKind::Internal,
        },
        name: span.name.into(),
        start_time: at(span.start_ns),
        end_time: at(span.end_ns),
        attributes: span.attributes.into_iter().map(|(key, value)| KeyValue::new(key, value)).collect(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: match span.status {
            SpanStatus::Unset => Status::Unset,
            SpanStatus::Error => Status::error(""),
        },
        instrumentation_scope: scope.clone(),
    }
}

fn at(nanoseconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(nanoseconds)
}

fn count_dropped(why: &'static str, count: usize) {
    metrics::counter!("ringway_observe_spans_dropped_total", "reason" => why).increment(count as u64);
}

#[cfg(test)]
mod tests;
