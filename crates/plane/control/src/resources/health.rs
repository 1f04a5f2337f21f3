//! Driver: `GET /v1/health`: this process answers. Says nothing about the cluster, and needs no token.

use std::sync::Arc;

use crate::api::ServerHealth;
use crate::control::Control;
use crate::reply::{Reply, json};
use crate::request::Call;

pub(crate) async fn show(_control: Arc<Control>, _call: Call) -> Reply {
    json(&ServerHealth { status: "ok".to_owned() })
}
