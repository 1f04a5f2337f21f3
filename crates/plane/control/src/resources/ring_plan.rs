//! Driver: `GET /v1/ring/plan`: asks the nodes what each partition holds, and works out what a change would move.

use std::collections::BTreeSet;
use std::sync::Arc;

use ringway_catalog::Catalog;
use ringway_ring::{NodeId, Partition};

use crate::Error;
use crate::api::KeysHeld;
use crate::cluster::Answer;
use crate::control::Control;
use crate::peer_messages::{Ask, PartitionLoad};
use crate::reply::{Reply, json};
use crate::request::Call;
use crate::resources::nodes::node_named;
use crate::ring_plan::{Change, JOIN_MAX, Loads, plan};

pub(crate) async fn show(control: Arc<Control>, call: Call) -> Reply {
    let catalog = control.catalog();
    let change = change(&catalog, &call)?;
    let answers = control.cluster.ask_all::<Vec<PartitionLoad>>(&catalog, |_| Ask::Loads).await;
    let (loads, unmeasured) = loads(&catalog, answers);
    let mut plan = plan(&catalog, &change, &loads)?;
    plan.unmeasured = unmeasured;
    json(&plan)
}

fn change(catalog: &Catalog, call: &Call) -> Result<Change, Error> {
    if catalog.ring.is_chord() {
        return Err(Error::Refused(
            "a peer-to-peer ring cannot be planned: newcomers draw their places by lot, and nobody knows all places; \
             `ringway sim ring --placement vnodes:8` tells what a change moves on average"
                .to_owned(),
        ));
    }
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
fn loads(catalog: &Catalog, answers: Vec<Answer<Vec<PartitionLoad>>>) -> (Loads, Vec<String>) {
    let holders = catalog.holders();
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
