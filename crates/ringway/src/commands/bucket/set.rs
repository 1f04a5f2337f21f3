//! `ringway bucket set`

use anyhow::{Result, bail};
use ringway_control::api::{BucketView, ChangeBucket};

use crate::admin_client::{AdminClient, segment};
use crate::bucket_picture::settings;
use crate::cli::SettingsArgs;
use crate::output::{self, say};

pub async fn run(client: &AdminClient, name: &str, wanted: &SettingsArgs, json: bool) -> Result<()> {
    let change = ChangeBucket {
        replicas: wanted.replicas,
        durability: wanted.durability,
        limit: wanted.limit,
        ttl_ms: wanted.ttl.map(|ttl| ttl.ms()),
        ops_per_second: wanted.ops_per_second,
        connections: wanted.connections,
        storage: wanted.storage,
        together: wanted.together,
    };
    if change.is_empty() {
        bail!("say what is to change, like `ringway bucket set {name} --limit 1GB`: see ringway bucket set --help");
    }
    let path = format!("/v1/buckets/{}", segment(name));
    let bucket: BucketView = client.put(&path, serde_json::to_vec(&change)?).await?;
    if json {
        return output::print_json(&bucket);
    }
    say!("bucket {name}: {}", settings(&bucket));
    if let Some(app) = &bucket.app {
        let short = name.strip_prefix(app.as_str()).and_then(|rest| rest.strip_prefix('.')).unwrap_or(name);
        eprintln!("the next deploy of {app} sets it to what its manifest says: change [kv.{short}] there too");
    }
    Ok(())
}
