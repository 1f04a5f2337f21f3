//! Driver: this node goes (`POST /v1/leave`), or one that will not come back is taken out (`DELETE /v1/nodes/{name or id}`).

use std::sync::Arc;

use ringway_catalog::{Catalog, Command};
use ringway_ring::NodeId;

use crate::Error;
use crate::api::{Done, Reach};
use crate::control::Control;
use crate::reply::{Reply, json};
use crate::request::Call;

pub(crate) async fn leave(control: Arc<Control>, _call: Call) -> Reply {
    (control.deps.leave)().await?;
    json(&Done { done: true })
}

/// A node that is up leaves by itself and hands over what it has: it is not thrown out.
pub(crate) async fn remove(control: Arc<Control>, call: Call) -> Reply {
    let wanted = call.param(0)?;
    let node = node_named(&control.catalog(), wanted)?;
    if control.cluster.reach(node) != Reach::Down {
        return Err(Error::Refused(format!(
            "node {wanted} is reachable: run `ringway leave` there, so that it hands over its data"
        )));
    }
    control.deps.control_log.propose(Command::Remove { node }).await?;
    json(&Done { done: true })
}

/// By its name, its id or the short form of that.
pub(crate) fn node_named(catalog: &Catalog, wanted: &str) -> Result<NodeId, Error> {
    let mut found = catalog
        .nodes
        .values()
        .filter(|node| node.name == wanted || node.id.to_string() == wanted || node.id.short() == wanted);
    match (found.next(), found.next()) {
        (Some(node), None) => Ok(node.id),
        (None, _) => Err(Error::NotFound(format!("there is no node {wanted}"))),
        (Some(_), Some(_)) => Err(Error::BadRequest(format!("{wanted} is more than one node: give the whole id"))),
    }
}
