//! Driver: `POST /v1/tokens`: the right to join, once.

use std::sync::Arc;
use std::time::Duration;

use crate::Error;
use crate::api::IssueToken;
use crate::control::Control;
use crate::reply::{Reply, created};
use crate::request::Call;

const TTL_DEFAULT: Duration = Duration::from_secs(3600);
const TTL_MAX: Duration = Duration::from_secs(30 * 24 * 3600);

pub(crate) async fn issue(control: Arc<Control>, call: Call) -> Reply {
    let IssueToken { ttl_seconds } = call.json().await?;
    let ttl = ttl_seconds.map_or(TTL_DEFAULT, Duration::from_secs);
    if ttl.is_zero() || ttl > TTL_MAX {
        return Err(Error::BadRequest(format!("`ttl_seconds` is from 1 to {}", TTL_MAX.as_secs())));
    }
    created(&(control.deps.issue_token)(ttl).await?)
}
