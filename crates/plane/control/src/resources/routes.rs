//! Driver: `GET /v1/routes?app=NAME`: the routing tables that are in effect, of one app or of all.

use std::sync::Arc;

use ringway_manifest::RoutingTable;

use crate::Error;
use crate::control::Control;
use crate::reply::{Reply, json};
use crate::request::Call;

pub(crate) async fn show(control: Arc<Control>, call: Call) -> Reply {
    let wanted = call.query("app")?;
    let catalog = control.catalog();
    if let Some(name) = wanted.as_ref().filter(|name| !catalog.apps.contains_key(*name)) {
        return Err(Error::NotFound(format!("there is no app {name}")));
    }
    let apps = catalog.apps.values().filter(|app| wanted.as_ref().is_none_or(|name| *name == app.name));
    let tables: Vec<RoutingTable> =
        apps.filter_map(|app| Some(app.current_release()?.manifest.routing_table())).collect();
    json(&tables)
}
