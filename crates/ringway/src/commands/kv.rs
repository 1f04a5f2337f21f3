//! `ringway kv`: keys of a bucket.

mod export;
mod get;
mod import;
mod scan;
mod top;
mod watch;

use std::io::{IsTerminal as _, Read as _};

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringway_control::api::Done;
use serde_json::json;

use crate::admin_client::{AdminClient, segment, segment_bytes};
use crate::cli::{KeyForm, KvCommand, TargetArgs};
use crate::find_node::find_node;
use crate::output::{self, say};

pub async fn run(target: &TargetArgs, command: KvCommand) -> Result<()> {
    let client = find_node(target).await?;
    match command {
        KvCommand::Get { bucket, key, form } => get::run(&client, &bucket, &key, form, target.json).await,
        KvCommand::Set { bucket, key, value, ttl, form } => {
            let ttl = ttl.map(|ttl| format!("?ttl_ms={}", ttl.as_millis())).unwrap_or_default();
            let path = path(&bucket, &key, form)? + &ttl;
            let value = value.map_or_else(read_input, |value| Ok(value.into_bytes()))?;
            let _: Done = client.put(&path, value).await?;
            tell(target.json, &json!({ "set": key }), "OK")
        }
        KvCommand::Del { bucket, keys, form } => delete(&client, &bucket, &keys, form, target.json).await,
        KvCommand::Scan(arguments) => scan::run(&client, &arguments, target.json).await,
        KvCommand::Watch(arguments) => watch::run(&client, &arguments, target.json).await,
        KvCommand::Import(arguments) => import::run(&client, &arguments, target.json).await,
        KvCommand::Export(arguments) => export::run(&client, &arguments, target.json).await,
        KvCommand::Top(arguments) => top::run(&client, &arguments, target.json).await,
    }
}

async fn delete(client: &AdminClient, bucket: &str, keys: &[String], form: KeyForm, json: bool) -> Result<()> {
    let paths = keys.iter().map(|key| path(bucket, key, form)).collect::<Result<Vec<_>>>()?;
    let mut deleted = 0;
    for path in paths {
        let done: Done = client.delete(&path).await?;
        deleted += u64::from(done.done);
    }
    tell(json, &json!({ "deleted": deleted }), &format!("{deleted} deleted"))
}

fn path(bucket: &str, key: &str, form: KeyForm) -> Result<String> {
    Ok(format!("/v1/kv/{}/{}", segment(bucket), segment_bytes(&key_bytes(key, form)?)))
}

fn key_bytes(key: &str, form: KeyForm) -> Result<Vec<u8>> {
    let key = match form.base64 {
        // As `kv scan` prints it, or without its mark.
        true => STANDARD
            .decode(key.strip_prefix("base64:").unwrap_or(key))
            .with_context(|| format!("`{key}` is not base64"))?,
        false => key.as_bytes().to_vec(),
    };
    if key.is_empty() {
        bail!("a key has at least one byte here; redis-cli can write and read the empty one");
    }
    Ok(key)
}

fn tell(json: bool, value: &serde_json::Value, text: &str) -> Result<()> {
    if json {
        return output::print_json(value);
    }
    say!("{text}");
    Ok(())
}

fn read_input() -> Result<Vec<u8>> {
    if std::io::stdin().is_terminal() {
        bail!("give the value after the key, or on standard input");
    }
    let mut value = Vec::new();
    std::io::stdin().read_to_end(&mut value).context("cannot read the value from standard input")?;
    Ok(value)
}
