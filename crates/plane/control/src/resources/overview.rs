//! Driver: `GET /v1/overview`: everything the console shows, so that one poll a second is enough.

use std::sync::Arc;

use crate::api::{InstanceEntry, Overview, RequestRates};
use crate::cluster::Answer;
use crate::control::Control;
use crate::peer_messages::{Ask, Report};
use crate::reply::{Reply, json};
use crate::request::Call;
use crate::resources::{apps, ring, status};

pub(crate) async fn show(control: Arc<Control>, call: Call) -> Reply {
    let known: Option<u64> = call.number("ring")?;
    let catalog = control.catalog();
    let answers = control.cluster.ask_all::<Report>(&catalog, |_| Ask::Report).await;
    let unreachable =
        answers.iter().filter(|answer| answer.result.is_err()).map(|answer| answer.node.name.clone()).collect();
    let instances = instances(&answers);
    let (rate_here, rate_all) = rates(&control, &answers);
    let reports = status::reports(answers);
    let ring = ring::view(&control, &catalog, &reports);
    json(&Overview {
        status: status::view(&control, &catalog, &reports),
        transfers: ring.transfers.clone(),
        ring: (known != Some(ring.version)).then_some(ring),
        apps: apps::views(&catalog, control.own_id()),
        instances,
        unreachable,
        rate_here,
        rate_all,
    })
}

fn instances(answers: &[Answer<Report>]) -> Vec<InstanceEntry> {
    let of = |answer: &Answer<Report>| {
        let instances = answer.result.as_ref().map(|report| report.instances.clone()).unwrap_or_default();
        let node = answer.node.name.clone();
        instances.into_iter().map(move |instance| InstanceEntry { node: node.clone(), instance })
    };
    answers.iter().flat_map(of).collect()
}

/// Clocks further apart than this do not tell when a node last counted.
const LAG_S_MAX: u64 = 5;

/// This node's, and the sum over all that answered, in this node's seconds, up to the last that all of them have counted.
fn rates(control: &Control, answers: &[Answer<Report>]) -> (RequestRates, RequestRates) {
    let (until_s, counts) = (control.deps.request_rate)();
    let mut here = RequestRates { until_s, counts };
    let mut all = here.clone();
    let mut last_s = if here.counts.is_empty() { u64::MAX } else { until_s };
    for answer in answers.iter().filter(|answer| answer.node.id != control.own_id()) {
        if let Ok(report) = &answer.result {
            all.add(&report.rates);
            let has_counted =
                !report.rates.counts.is_empty() && report.rates.until_s.saturating_add(LAG_S_MAX) >= until_s;
            if has_counted {
                last_s = last_s.min(report.rates.until_s);
            }
        }
    }
    here.cut(last_s);
    all.cut(last_s);
    (here, all)
}
