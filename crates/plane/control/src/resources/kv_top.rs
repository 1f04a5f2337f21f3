//! Driver: `GET /v1/buckets/{}/top`: the keys that are used most and those that are largest, of all nodes.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use ringway_ports::KvTop;
use ringway_rt::clock;

use crate::api::{BigKeyView, HotKeyView, KvKey, KvTopView};
use crate::cluster::Answer;
use crate::control::Control;
use crate::peer_messages::{Ask, TOP_MAX};
use crate::reply::{Reply, json};
use crate::request::Call;
use crate::resources::buckets::known;

const COUNT_DEFAULT: usize = 20;

pub(crate) async fn show(control: Arc<Control>, call: Call) -> Reply {
    let catalog = control.catalog();
    let bucket = known(&catalog, call.param(0)?)?.name.clone();
    let count = call.number("count")?.unwrap_or(COUNT_DEFAULT).clamp(1, TOP_MAX);
    let answers = control.cluster.ask_all::<KvTop>(&catalog, |_| Ask::Top { bucket: bucket.clone(), count }).await;
    let mut view = merged(answers);
    view.at_ms = clock::wall_ms();
    view.hot.truncate(count);
    view.big.truncate(count);
    json(&view)
}

/// A key runs at one node, so its uses are seldom at two; its copies are, and the first that is found stands for them.
fn merged(answers: Vec<Answer<KvTop>>) -> KvTopView {
    let mut view = KvTopView::default();
    let mut big = BTreeMap::new();
    for Answer { node, result } in answers {
        let top = match result {
            Ok(top) => top,
            Err(why) => {
                view.missing.push((node.name, why));
                continue;
            }
        };
        view.ops_per_second += top.ops_per_second;
        view.sampled_one_in = view.sampled_one_in.max(top.sampled_one_in);
        (view.walked, view.keys) = (view.walked + top.walked, view.keys + top.keys);
        view.hot.extend(top.hot.into_iter().map(|hot| HotKeyView {
            key: key_view(&hot.key),
            node: node.name.clone(),
            ops_per_second: hot.ops_per_second,
            error: hot.error,
        }));
        for found in top.big {
            let (kind, bytes, len) = (found.kind, found.bytes, found.len);
            let row = BigKeyView { key: key_view(&found.key), node: node.name.clone(), kind, bytes, len };
            big.entry(found.key).or_insert(row);
        }
    }
    view.hot
        .sort_by(|a, b| b.ops_per_second.total_cmp(&a.ops_per_second).then_with(|| a.key.base64.cmp(&b.key.base64)));
    view.big = big.into_values().collect();
    view.big.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.key.base64.cmp(&b.key.base64)));
    view
}

pub(crate) fn key_view(key: &Bytes) -> KvKey {
    KvKey { base64: STANDARD.encode(key), utf8: std::str::from_utf8(key).ok().map(str::to_owned) }
}
