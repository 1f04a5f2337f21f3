//! `ringway bucket`: buckets made by hand, and those of apps.

mod create;
mod info;
mod rm;
mod set;

use anyhow::Result;
use ringway_control::api::BucketView;

use crate::admin_client::AdminClient;
use crate::bucket_picture::{storage, ttl};
use crate::cli::{BucketCommand, TargetArgs};
use crate::find_node::find_node;
use crate::output::{self, say};

pub async fn run(target: &TargetArgs, command: BucketCommand) -> Result<()> {
    let client = find_node(target).await?;
    match command {
        BucketCommand::Create(arguments) => create::run(&client, arguments, target.json).await,
        BucketCommand::Ls => list(&client, target.json).await,
        BucketCommand::Info { name } => info::run(&client, &name, target.json).await,
        BucketCommand::Set { name, settings } => set::run(&client, &name, &settings, target.json).await,
        BucketCommand::Rm { name, yes } => rm::run(&client, &name, yes, target.json).await,
    }
}

async fn list(client: &AdminClient, json: bool) -> Result<()> {
    let buckets: Vec<BucketView> = client.get("/v1/buckets").await?;
    if json {
        return output::print_json(&buckets);
    }
    if buckets.is_empty() {
        say!("no buckets yet: `ringway bucket create NAME`, or [kv.NAME] in a manifest");
        return Ok(());
    }
    let head = ["BUCKET", "CONSISTENCY", "COPIES", "STORAGE", "LIMIT", "TTL", "KEYS HELD", "BYTES HELD"];
    say!("{}", output::table(&head, buckets.iter().map(row)));
    Ok(())
}

fn row(bucket: &BucketView) -> Vec<String> {
    vec![
        bucket.name.clone(),
        bucket.consistency.to_string(),
        bucket.replicas.to_string(),
        storage(bucket),
        output::bytes(bucket.limit_bytes),
        ttl(bucket),
        bucket.keys_held.to_string(),
        output::bytes(bucket.bytes_held),
    ]
}
