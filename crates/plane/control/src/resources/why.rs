//! Driver: `POST /v1/why`: what this node would do with a request, and why. Nothing is sent anywhere.

use std::sync::Arc;

use ringway_ports::ExplainRequest;

use crate::Error;
use crate::control::Control;
use crate::reply::{Reply, json};
use crate::request::Call;

pub(crate) async fn show(control: Arc<Control>, call: Call) -> Reply {
    let request: ExplainRequest = call.json().await?;
    if !request.target.starts_with('/') {
        return Err(Error::BadRequest(format!("`target` is `{}`: it begins with a slash", request.target)));
    }
    json(&control.deps.explain.explain(&request))
}
