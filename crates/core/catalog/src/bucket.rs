//! Core: a bucket as the cluster knows it, and what may change about it once it is there.

use std::time::Duration;

use ringway_manifest::{Bucket as BucketSpec, Bytes, Durability, Storage};
use serde::{Deserialize, Serialize};

use crate::{Refusal, Secret};

/// Unique in the cluster: `APP.NAME` for a bucket of an app, `NAME` for one made by hand.
pub type BucketName = String;

/// A named set of keys with its own promises, limit and token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bucket {
    pub name: BucketName,
    /// The app that declared it, if one did.
    #[serde(default)]
    pub app: Option<String>,
    pub spec: BucketSpec,
    /// The password of `redis://BUCKET:TOKEN@host`.
    pub token: Secret,
    pub created_ms: u64,
}

/// Settings of a bucket that are to be others; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BucketChange {
    pub replicas: Option<u8>,
    pub durability: Option<Durability>,
    pub limit: Option<Bytes>,
    /// 0: keys that are written without one stay.
    pub ttl_ms: Option<u64>,
    /// 0: no limit.
    pub ops_per_second: Option<u32>,
    /// 0: no limit.
    pub connections: Option<u32>,
    /// Refused if it is another one than it has; so is the next.
    pub storage: Option<Storage>,
    pub together: Option<bool>,
}

impl BucketChange {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The bucket as it would be.
    pub fn apply_to(&self, spec: &BucketSpec) -> BucketSpec {
        let quota = |wanted: Option<u32>, now: Option<u32>| wanted.map_or(now, |quota| Some(quota).filter(|q| *q > 0));
        let ttl = |ms: u64| Some(Duration::from_millis(ms)).filter(|ttl| !ttl.is_zero());
        BucketSpec {
            consistency: spec.consistency,
            replicas: self.replicas.unwrap_or(spec.replicas),
            storage: self.storage.unwrap_or(spec.storage),
            durability: self.durability.or(spec.durability),
            together: self.together.unwrap_or(spec.together),
            limit: self.limit.unwrap_or(spec.limit),
            ttl: self.ttl_ms.map_or(spec.ttl, ttl),
            ops_per_second: quota(self.ops_per_second, spec.ops_per_second),
            connections: quota(self.connections, spec.connections),
        }
    }
}

/// What is in the way of such a change: where the keys are is decided when the bucket is made.
pub(crate) fn check_change(name: &str, old: &BucketSpec, new: &BucketSpec) -> Result<(), Refusal> {
    let fixed = |what: &str, from: String, to: String| Refusal::BucketFixed {
        name: name.to_owned(),
        what: what.to_owned(),
        from,
        to,
    };
    if old.storage != new.storage {
        return Err(fixed("storage", old.storage.to_string(), new.storage.to_string()));
    }
    if old.together != new.together {
        return Err(fixed("together", old.together.to_string(), new.together.to_string()));
    }
    Ok(())
}

/// The cluster-wide name of an app's bucket.
pub fn bucket_name(app: &str, name: &str) -> BucketName {
    format!("{app}.{name}")
}
