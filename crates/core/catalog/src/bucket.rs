//! Core: a bucket as the cluster knows it.

use ringway_manifest::Bucket as BucketSpec;
use serde::{Deserialize, Serialize};

use crate::Secret;

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

/// The cluster-wide name of an app's bucket.
pub fn bucket_name(app: &str, name: &str) -> BucketName {
    format!("{app}.{name}")
}
