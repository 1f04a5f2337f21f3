//! Driver: `/v1/buckets`: what there is and what it holds, making one by hand, taking one away.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ringway_catalog::{Bucket, Catalog, Command, Secret};
use ringway_manifest::{Bucket as BucketSpec, Bytes, check_name};
use ringway_ring::NodeId;
use ringway_rt::{clock, random};

use crate::Error;
use crate::api::{BucketView, CreateBucket, CreatedBucket, Done};
use crate::control::Control;
use crate::peer_messages::{Ask, Report};
use crate::reply::{Reply, created, json};
use crate::request::Call;

const REPLICAS: std::ops::RangeInclusive<u8> = 1..=3;
const LIMIT_BYTES_MIN: u64 = 1 << 20;

pub(crate) async fn list(control: Arc<Control>, _call: Call) -> Reply {
    let catalog = control.catalog();
    let usage = Usage::gather(&control, &catalog).await;
    json(&catalog.buckets.values().map(|bucket| usage.view(bucket)).collect::<Vec<_>>())
}

pub(crate) async fn show(control: Arc<Control>, call: Call) -> Reply {
    let catalog = control.catalog();
    let name = call.param(0)?;
    let bucket = catalog.buckets.get(name).ok_or_else(|| no_bucket(name))?;
    let usage = Usage::gather(&control, &catalog).await;
    json(&BucketView { url: url(&catalog, control.own_id(), bucket), ..usage.view(bucket) })
}

pub(crate) async fn create(control: Arc<Control>, call: Call) -> Reply {
    let wanted: CreateBucket = call.json().await?;
    let catalog = control.catalog();
    if catalog.buckets.contains_key(&wanted.name) {
        return Err(Error::Refused(format!("there is a bucket {} already", wanted.name)));
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

pub(crate) async fn delete(control: Arc<Control>, call: Call) -> Reply {
    let name = call.param(0)?.to_owned();
    let catalog = control.catalog();
    let bucket = catalog.buckets.get(&name).ok_or_else(|| no_bucket(&name))?;
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
    let spec = BucketSpec {
        consistency: wanted.consistency.unwrap_or(usual.consistency),
        replicas: wanted.replicas.unwrap_or(usual.replicas),
        storage: wanted.storage.unwrap_or(usual.storage),
        limit: wanted.limit_bytes.map_or(usual.limit, Bytes),
        ttl: wanted.ttl_ms.map(Duration::from_millis).or(usual.ttl),
    };
    if !REPLICAS.contains(&spec.replicas) {
        return Err(Error::BadRequest(format!("`replicas` is from {} to {}", REPLICAS.start(), REPLICAS.end())));
    }
    if spec.limit.0 < LIMIT_BYTES_MIN {
        return Err(Error::BadRequest(format!("`limit_bytes` is at least {LIMIT_BYTES_MIN}")));
    }
    if spec.ttl.is_some_and(|ttl| ttl.is_zero()) {
        return Err(Error::BadRequest("`ttl_ms` is at least 1".to_owned()));
    }
    Ok(spec)
}

fn is_used(catalog: &Catalog, app: &str, bucket: &str) -> bool {
    let short = bucket.strip_prefix(app).and_then(|rest| rest.strip_prefix('.')).unwrap_or(bucket);
    let release = catalog.apps.get(app).and_then(|app| app.current_release());
    release.is_some_and(|release| release.manifest.buckets.contains_key(short))
}

fn no_bucket(name: &str) -> Error {
    Error::NotFound(format!("there is no bucket {name}"))
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
struct Usage {
    held: BTreeMap<String, (u64, u64)>,
    nodes_missing: usize,
}

impl Usage {
    async fn gather(control: &Control, catalog: &Catalog) -> Self {
        let answers = control.cluster.ask_all::<Report>(catalog, |_| Ask::Report).await;
        let mut usage = Self { held: BTreeMap::new(), nodes_missing: 0 };
        for answer in answers {
            let Ok(report) = answer.result else {
                usage.nodes_missing += 1;
                continue;
            };
            for part in report.usage {
                let held = usage.held.entry(part.bucket).or_default();
                (held.0, held.1) = (held.0 + part.keys, held.1 + part.bytes);
            }
        }
        usage
    }

    fn view(&self, bucket: &Bucket) -> BucketView {
        let (keys_held, bytes_held) = self.held.get(&bucket.name).copied().unwrap_or_default();
        BucketView {
            name: bucket.name.clone(),
            app: bucket.app.clone(),
            consistency: bucket.spec.consistency,
            replicas: bucket.spec.replicas,
            storage: bucket.spec.storage,
            limit_bytes: bucket.spec.limit.0,
            ttl_ms: bucket.spec.ttl.map(|ttl| ttl.as_millis() as u64),
            created_ms: bucket.created_ms,
            keys_held,
            bytes_held,
            nodes_missing: self.nodes_missing,
            url: None,
        }
    }
}
