//! Port: finished spans on their way to the trace exporter and the service graph.

/// OpenTelemetry's span kinds, those that we have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanKind {
    Server,
    Client,
    Internal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanStatus {
    Unset,
    Error,
}

/// One finished piece of work. Attribute names follow OpenTelemetry's semantic conventions.
#[derive(Clone, Debug)]
pub struct SpanRecord {
    pub trace_id: u128,
    pub span_id: u64,
    /// 0 if this is the first span.
    pub parent_span_id: u64,
    pub name: String,
    pub kind: SpanKind,
    /// Nanoseconds since 1970.
    pub start_ns: u64,
    pub end_ns: u64,
    pub status: SpanStatus,
    pub attributes: Vec<(&'static str, String)>,
}

pub trait Telemetry: Send + Sync {
    /// Whether anybody wants spans: if not, do not build them.
    fn wants_spans(&self) -> bool;

    /// Whether the spans of this trace are to be told, if it begins here.
    fn samples(&self, trace_id: u128) -> bool {
        let _ = trace_id;
        self.wants_spans()
    }

    /// Never waits; drops and counts what does not fit.
    fn span(&self, span: SpanRecord);
}

/// For tests, and for nodes without a collector.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoTelemetry;

impl Telemetry for NoTelemetry {
    fn wants_spans(&self) -> bool {
        false
    }

    fn span(&self, _span: SpanRecord) {}
}
