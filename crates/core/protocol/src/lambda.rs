//! Core: what AWS Lambda's runtime clients speak: HTTP requests as events (API Gateway payload format 2.0), their answers as
//! HTTP responses, and the paths of the runtime API (version 2018-06-01).
//!
//! The clients (awslambdaric, lambda_runtime, aws-lambda-ric and the like) run unmodified; what they call is served by the app
//! tier. Payload format 1.0 and WebSocket events are not made; an answer in format 1.0 (`multiValueHeaders`) is understood.

pub mod event;
pub mod reply;
pub mod runtime_call;

pub use event::{EventRequest, http_event, trace_header};
pub use reply::{ReplyError, http_reply, streamed_reply};
pub use runtime_call::RuntimeCall;
