//! Driver: `GET /metrics`, for Prometheus.

use std::sync::Arc;

use crate::control::Control;
use crate::reply::{Reply, bytes};
use crate::request::Call;

const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(crate) async fn show(control: Arc<Control>, _call: Call) -> Reply {
    Ok(bytes(TEXT_FORMAT, (control.deps.metrics_render)()))
}
