//! `ringway kv scan`: keys, sorted.

use anyhow::Result;
use bytes::Bytes;
use ringway_control::api::{KvKey, KvKeys};
use ringway_ports::KvPattern;
use serde_json::json;

use crate::admin_client::{AdminClient, segment};
use crate::cli::ScanArgs;
use crate::output::{self, say};

const PAGE: usize = 1000;

pub async fn run(client: &AdminClient, wanted: &ScanArgs, json: bool) -> Result<()> {
    let ScanArgs { bucket, pattern, limit } = wanted;
    let pattern = pattern.as_ref().map(|pattern| KvPattern::Glob(Bytes::copy_from_slice(pattern.as_bytes())));
    let is_wanted = |key: &String| pattern.as_ref().is_none_or(|pattern| pattern.matches(key.as_bytes()));
    let mut found = Vec::new();
    let mut cursor = 0;
    loop {
        let page: KvKeys = client.get(&format!("/v1/kv/{}?cursor={cursor}&count={PAGE}", segment(bucket))).await?;
        found.extend(page.keys.into_iter().map(name).filter(is_wanted));
        cursor = page.cursor;
        if cursor == 0 || found.len() >= *limit {
            break;
        }
    }
    let more = cursor != 0 || found.len() > *limit;
    found.truncate(*limit);
    found.sort();
    if json {
        return output::print_json(&json!({ "keys": found, "more": more }));
    }
    found.iter().for_each(|key| say!("{key}"));
    if more {
        eprintln!("there are more than {limit}: see --limit");
    }
    Ok(())
}

/// Keys that are no text are shown in base64.
pub fn name(key: KvKey) -> String {
    key.utf8.unwrap_or_else(|| format!("base64:{}", key.base64))
}
