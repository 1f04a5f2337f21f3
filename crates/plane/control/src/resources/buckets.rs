//! Driver: `/v1/buckets`: what there is and what it holds, making one by hand, changing its settings, taking one away.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ringway_catalog::{Bucket, Catalog, Command, Secret};
use ringway_manifest::{Bucket as BucketSpec, BucketFault, Bytes, check_name};
use ringway_ring::NodeId;
use ringway_rt::{clock, random};

use crate::Error;
use crate::api::{BucketView, ChangeBucket, CreateBucket, CreatedBucket, Done};
use crate::cluster::Answer;
use crate::control::Control;
use crate::peer_messages::{Ask, Report};
use crate::reply::{Reply, created, json};
use crate::request::Call;

/// What `PUT` may say, for who says something else.
const CHANGEABLE: &str = "replicas, durability, limit, ttl_ms, ops_per_second, connections";

pub(crate) async fn list(control: Arc<Control>, _call: Call) -> Reply {
    let catalog = control.catalog();
    let usage = Usage::gather(&control, &catalog).await;
    json(&catalog.buckets.values().map(|bucket| usage.view(bucket)).collect::<Vec<_>>())
}

pub(crate) async fn show(control: Arc<Control>, call: Call) -> Reply {
    let catalog = control.catalog();
    let bucket = known(&catalog, call.param(0)?)?;
    let usage = Usage::gather(&control, &catalog).await;
    json(&with_url(&control, &catalog, bucket, usage.view(bucket)))
}

pub(crate) async fn create(control: Arc<Control>, call: Call) -> Reply {
    let wanted: CreateBucket = call.json().await?;
    let catalog = control.catalog();
    if catalog.buckets.contains_key(&wanted.name) {
        return Err(Error::Refused(format!(
            "there is a bucket {0} already: `ringway bucket set {0}` changes its settings",
            wanted.name
        )));
    }
    let bucket = Bucket {
        spec: spec(&wanted)?,
        name: wanted.name,
        app: None,
        token: Secret::new(random::token()),
        created_ms: clock::wall_ms(),
    };
    control.deps.control_log.propose(Command::PutBucket(bucket.clone())).await?;
    let url = url(&catalog, control.own_id(), &bucket);
    created(&CreatedBucket { url, token: bucket.token.reveal().to_owned(), name: bucket.name })
}

/// Answers with the bucket as it is then.
pub(crate) async fn change(control: Arc<Control>, call: Call) -> Reply {
    let name = call.param(0)?.to_owned();
    known(&control.catalog(), &name)?;
    let change: ChangeBucket = call.json().await?;
    if change.is_empty() {
        return Err(Error::BadRequest(format!("nothing is to be changed: there is {CHANGEABLE}")));
    }
    control.deps.control_log.propose(Command::ChangeBucket { name: name.clone(), change: change.clone() }).await?;
    let catalog = control.catalog();
    // This node may hear of the change a moment later than it was agreed on.
    let mut bucket = known(&catalog, &name)?.clone();
    bucket.spec = change.apply_to(&bucket.spec);
    json(&Usage::gather(&control, &catalog).await.view(&bucket))
}

pub(crate) async fn delete(control: Arc<Control>, call: Call) -> Reply {
    let name = call.param(0)?.to_owned();
    let catalog = control.catalog();
    let bucket = known(&catalog, &name)?;
    if let Some(app) = bucket.app.as_ref().filter(|app| is_used(&catalog, app, &name)) {
        return Err(Error::Refused(format!("bucket {name} is used by app {app}: deploy a release without it first")));
    }
    control.deps.control_log.propose(Command::DeleteBucket { name }).await?;
    json(&Done { done: true })
}

fn spec(wanted: &CreateBucket) -> Result<BucketSpec, Error> {
    check_name(&wanted.name).map_err(|invalid| {
        Error::BadRequest(invalid.help.map_or(invalid.message.clone(), |help| format!("{}: {help}", invalid.message)))
    })?;
    let usual = BucketSpec::default();
    // As everywhere else, 0 says it aloud that there is no limit.
    let quota = |wanted: Option<u32>| wanted.filter(|quota| *quota > 0);
    let spec = BucketSpec {
        consistency: wanted.consistency.unwrap_or(usual.consistency),
        replicas: wanted.replicas.unwrap_or(usual.replicas),
        storage: wanted.storage.unwrap_or(usual.storage),
        durability: wanted.durability,
        together: wanted.together.unwrap_or(usual.together),
        limit: wanted.limit_bytes.map_or(usual.limit, Bytes),
        ttl: wanted.ttl_ms.map(Duration::from_millis).or(usual.ttl),
        ops_per_second: quota(wanted.ops_per_second),
        connections: quota(wanted.connections),
    };
    match spec.faults() {
        faults if faults.is_empty() => Ok(spec),
        faults => Err(Error::BadRequest(faults.iter().map(fault).collect::<Vec<_>>().join("; "))),
    }
}

fn fault((key, invalid): &BucketFault) -> String {
    let help = invalid.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
    format!("`{}`: {invalid}{help}", field(key))
}

/// Of this API, for a key of the manifest.
fn field(key: &str) -> &str {
    match key {
        "limit" => "limit_bytes",
        "ttl" => "ttl_ms",
        other => other,
    }
}

fn is_used(catalog: &Catalog, app: &str, bucket: &str) -> bool {
    let short = bucket.strip_prefix(app).and_then(|rest| rest.strip_prefix('.')).unwrap_or(bucket);
    let release = catalog.apps.get(app).and_then(|app| app.current_release());
    release.is_some_and(|release| release.manifest.buckets.contains_key(short))
}

pub(crate) fn known<'c>(catalog: &'c Catalog, name: &str) -> Result<&'c Bucket, Error> {
    catalog
        .buckets
        .get(name)
        .ok_or_else(|| Error::NotFound(format!("there is no bucket {name}: `ringway bucket ls` shows those there are")))
}

pub(crate) fn with_url(control: &Control, catalog: &Catalog, bucket: &Bucket, view: BucketView) -> BucketView {
    BucketView { url: url(catalog, control.own_id(), bucket), ..view }
}

/// The bucket through this node's Redis door.
fn url(catalog: &Catalog, own: NodeId, bucket: &Bucket) -> Option<String> {
    let mut door = catalog.nodes.get(&own)?.addresses.redis?;
    if door.ip().is_unspecified() {
        door.set_ip(if door.is_ipv6() {
            std::net::Ipv6Addr::LOCALHOST.into()
        } else {
            std::net::Ipv4Addr::LOCALHOST.into()
        });
    }
    Some(format!("redis://{}:{}@{door}", bucket.name, bucket.token.reveal()))
}

/// What all nodes hold, by bucket.
pub(crate) struct Usage {
    held: BTreeMap<String, (u64, u64)>,
    nodes_missing: usize,
}

impl Usage {
    async fn gather(control: &Control, catalog: &Catalog) -> Self {
        Self::of(&control.cluster.ask_all::<Report>(catalog, |_| Ask::Report).await)
    }

    pub(crate) fn of(answers: &[Answer<Report>]) -> Self {
        let mut usage = Self { held: BTreeMap::new(), nodes_missing: 0 };
        for answer in answers {
            let Ok(report) = &answer.result else {
                usage.nodes_missing += 1;
                continue;
            };
            for part in &report.usage {
                let held = usage.held.entry(part.bucket.clone()).or_default();
                (held.0, held.1) = (held.0 + part.keys, held.1 + part.bytes);
            }
        }
        usage
    }

    pub(crate) fn view(&self, bucket: &Bucket) -> BucketView {
        let (keys_held, bytes_held) = self.held.get(&bucket.name).copied().unwrap_or_default();
        BucketView {
            name: bucket.name.clone(),
            app: bucket.app.clone(),
            consistency: bucket.spec.consistency,
            replicas: bucket.spec.replicas,
            storage: bucket.spec.storage,
            durability: bucket.spec.durability(),
            together: bucket.spec.together,
            limit_bytes: bucket.spec.limit.0,
            ttl_ms: bucket.spec.ttl.map(|ttl| ttl.as_millis() as u64),
            ops_per_second: bucket.spec.ops_per_second,
            connections: bucket.spec.connections,
            created_ms: bucket.created_ms,
            keys_held,
            bytes_held,
            nodes_missing: self.nodes_missing,
            url: None,
        }
    }
}
