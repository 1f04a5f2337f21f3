//! `ringway bucket`: buckets made by hand, and those of apps.

use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use ringway_control::api::{BucketView, CreateBucket, CreatedBucket, Done};
use ringway_manifest::{Storage, show_duration};

use crate::admin_client::segment;
use crate::cli::{BucketCommand, TargetArgs};
use crate::find_node::find_node;
use crate::output::{self, say};

pub async fn run(target: &TargetArgs, command: BucketCommand) -> Result<()> {
    let client = find_node(target).await?;
    match command {
        BucketCommand::Create { name, replicas, storage, limit, ttl } => {
            let wish = CreateBucket {
                name,
                consistency: None,
                replicas: Some(replicas),
                storage: Some(parse_storage(&storage)?),
                limit_bytes: Some(
                    limit.parse::<ringway_manifest::Bytes>().map_err(|fault| anyhow!("--limit: {fault}"))?.0,
                ),
                ttl_ms: ttl.map(|ttl| ttl.as_millis() as u64),
            };
            let created: CreatedBucket = client.post("/v1/buckets", &wish).await?;
            if target.json {
                return output::print_json(&created);
            }
            say!("bucket {}\n  token {}", created.name, created.token);
            created.url.iter().for_each(|url| say!("  url   {url}\n  try   redis-cli --no-auth-warning -u {url} ping"));
            Ok(())
        }
        BucketCommand::Ls => {
            let buckets: Vec<BucketView> = client.get("/v1/buckets").await?;
            if target.json {
                return output::print_json(&buckets);
            }
            match buckets.is_empty() {
                true => say!("no buckets yet: `ringway bucket create NAME`, or [kv.NAME] in a manifest"),
                false => say!(
                    "{}",
                    output::table(
                        &["BUCKET", "CONSISTENCY", "COPIES", "STORAGE", "LIMIT", "TTL", "KEYS HELD", "BYTES HELD"],
                        buckets.iter().map(row)
                    )
                ),
            }
            Ok(())
        }
        BucketCommand::Rm { name, yes } => {
            if !yes {
                bail!("this deletes bucket {name} and what is in it; if that is meant: ringway bucket rm {name} --yes");
            }
            let done: Done = client.delete(&format!("/v1/buckets/{}", segment(&name))).await?;
            if target.json {
                return output::print_json(&done);
            }
            say!("bucket {name} is gone");
            Ok(())
        }
    }
}

fn parse_storage(text: &str) -> Result<Storage> {
    match text {
        "memory" => Ok(Storage::Memory),
        "disk" => Ok(Storage::Disk),
        other => bail!("--storage is memory or disk, not {other}"),
    }
}

fn row(bucket: &BucketView) -> Vec<String> {
    vec![
        bucket.name.clone(),
        bucket.consistency.to_string(),
        bucket.replicas.to_string(),
        bucket.storage.to_string(),
        output::bytes(bucket.limit_bytes),
        bucket.ttl_ms.map_or("none".to_owned(), |ttl| show_duration(Duration::from_millis(ttl))),
        bucket.keys_held.to_string(),
        output::bytes(bucket.bytes_held),
    ]
}
