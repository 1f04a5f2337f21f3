//! Driver: `GET /v1/ring/plan`: asks the nodes what each partition holds, and works out what a change would move.

use std::collections::BTreeSet;
use std::sync::Arc;

use ringway_catalog::Catalog;
use ringway_ring::{Holders, NodeId, Partition};

use crate::Error;
use crate::api::KeysHeld;
use crate::cluster::Answer;
use crate::control::Control;
use crate::peer_messages::{Ask, PartitionLoad, Report};
use crate::reply::{Reply, json};
use crate::request::Call;
use crate::resources::nodes::node_named;
use crate::resources::status::{self, Reports};
use crate::ring_plan::{Change, JOIN_MAX, Loads, plan};
use crate::ring_state;

pub(crate) async fn show(control: Arc<Control>, call: Call) -> Reply {
    let catalog = control.catalog();
    let change = change(&catalog, &call)?;
    let answers = control.cluster.ask_all::<Vec<PartitionLoad>>(&catalog, |_| Ask::Loads).await;
    let reports = match catalog.ring.is_chord() {
        true => status::reports(control.cluster.ask_all::<Report>(&catalog, |_| Ask::Report).await),
        false => Reports::default(),
    };
    let (loads, unmeasured) = loads(&ring_state::holders(&catalog, &reports), answers);
    let mut plan = plan(&catalog, &ring_state::virtual_nodes(&reports), &change, &loads)?;
    plan.unmeasured = unmeasured;
    json(&plan)
}

fn change(catalog: &Catalog, call: &Call) -> Result<Change, Error> {
    let named = |name: &str| -> Result<BTreeSet<NodeId>, Error> {
        let nodes = call.query(name)?.unwrap_or_default();
        nodes.split(',').filter(|node| !node.is_empty()).map(|node| node_named(catalog, node)).collect()
    };
    let change = Change { join: call.number("join")?.unwrap_or(0), leave: named("leave")?, kill: named("kill")? };
    if change == Change::default() {
        return Err(Error::BadRequest(
            "a plan is for a change: add `?join=2`, `?leave=NODE` or `?kill=NODE`".to_owned(),
        ));
    }
    if change.join > JOIN_MAX {
        return Err(Error::BadRequest(format!("`join` is {JOIN_MAX} at most")));
    }
    let active: BTreeSet<NodeId> = catalog.nodes.values().filter(|node| node.is_active()).map(|node| node.id).collect();
    let goes = |id: &NodeId| change.leave.contains(id) || change.kill.contains(id);
    if change.join == 0 && active.iter().all(goes) {
        return Err(Error::Refused("nobody would be left".to_owned()));
    }
    Ok(change)
}

/// Of each partition what that node says which comes first among its holders; and who said nothing.
fn loads(holders: &Holders, answers: Vec<Answer<Vec<PartitionLoad>>>) -> (Loads, Vec<String>) {
    let (mut loads, mut ranks, mut unmeasured) = (Loads::new(), vec![usize::MAX; Partition::all().len()], Vec::new());
    for answer in answers {
        let Ok(own) = answer.result else {
            unmeasured.push(answer.node.name);
            continue;
        };
        for (number, keys, bytes) in own {
            let Some(best) = ranks.get_mut(usize::from(number)) else { continue };
            let readers = holders.readers(Partition(number));
            let Some(rank) = readers.iter().position(|reader| *reader == answer.node.id) else { continue };
            if rank < *best {
                *best = rank;
                loads.insert(Partition(number), KeysHeld { keys, bytes });
            }
        }
    }
    (loads, unmeasured)
}
