//! What a node tells about itself: logs for people and machines, metrics for Prometheus, spans for an OpenTelemetry collector,
//! and the last two minutes of its request rate for the console.
//!
//! Everything here listens and nothing decides: a node whose collector is gone, whose log pipe is slow or whose metrics nobody
//! fetches serves as before. What could not be passed on is counted (`ringway_observe_spans_dropped_total`).

pub mod error;
pub mod logs;
pub mod metrics;
pub mod otlp;
pub mod process;
pub mod request_rate;
pub mod tracer;

pub use error::Error;
pub use logs::{LogConfig, LogFormat, init_logs};
pub use metrics::Metrics;
pub use otlp::{OtlpConfig, Sampler};
pub use request_rate::RequestRate;
pub use tracer::{Identity, Tracer};
