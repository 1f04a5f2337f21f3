//! `ringway bucket create`

use anyhow::Result;
use ringway_control::api::{CreateBucket, CreatedBucket};

use crate::admin_client::AdminClient;
use crate::cli::CreateArgs;
use crate::output::{self, say};

pub async fn run(client: &AdminClient, arguments: CreateArgs, json: bool) -> Result<()> {
    let CreateArgs { name, settings } = arguments;
    let wish = CreateBucket {
        name,
        consistency: None,
        replicas: settings.replicas,
        storage: settings.storage,
        durability: settings.durability,
        together: settings.together,
        limit_bytes: settings.limit.map(|limit| limit.0),
        ttl_ms: settings.ttl.map(|ttl| ttl.ms()).filter(|ms| *ms > 0),
        ops_per_second: settings.ops_per_second,
        connections: settings.connections,
    };
    let created: CreatedBucket = client.post("/v1/buckets", &wish).await?;
    if json {
        return output::print_json(&created);
    }
    say!("bucket {}\n  token {}", created.name, created.token);
    created.url.iter().for_each(|url| say!("  url   {url}\n  try   redis-cli --no-auth-warning -u {url} ping"));
    Ok(())
}
