//! Driver: the console's own files. They hold no data, so they need no token; what they show does.

use std::sync::Arc;

use http::header::IF_NONE_MATCH;
use ringway_ports::full;

use crate::Error;
use crate::control::Control;
use crate::reply::Reply;
use crate::request::Call;

pub(crate) async fn show(_control: Arc<Control>, call: Call) -> Reply {
    let response = ringway_console::respond(call.path(), call.headers().get(IF_NONE_MATCH));
    response
        .map(|response| response.map(full))
        .ok_or_else(|| Error::NotFound(format!("there is nothing at {}", call.path())))
}
