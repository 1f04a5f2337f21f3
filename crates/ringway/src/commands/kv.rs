//! `ringway kv`: keys of a bucket.

use std::io::{IsTerminal as _, Read as _, Write as _};

use anyhow::{Context as _, Result, bail};
use ringway_control::api::{Done, KvKey, KvKeys};
use serde_json::json;

use crate::admin_client::{AdminClient, segment};
use crate::cli::{KvCommand, TargetArgs};
use crate::find_node::find_node;
use crate::output::{self, say};

const PAGE: usize = 500;

pub async fn run(target: &TargetArgs, command: KvCommand) -> Result<()> {
    let client = find_node(target).await?;
    if command.has_empty_key() {
        bail!("a key has at least one byte here; redis-cli can write and read the empty one");
    }
    match command {
        KvCommand::Get { bucket, key } => get(&client, &bucket, &key, target.json).await,
        KvCommand::Set { bucket, key, value, ttl } => {
            let ttl = ttl.map(|ttl| format!("?ttl_ms={}", ttl.as_millis())).unwrap_or_default();
            let value = value.map_or_else(read_input, |value| Ok(value.into_bytes()))?;
            let _: Done = client.put(&(path(&bucket, &key) + &ttl), value).await?;
            tell(target.json, &json!({ "set": key }), "OK")
        }
        KvCommand::Del { bucket, keys } => {
            let mut deleted = 0;
            for key in &keys {
                let done: Done = client.delete(&path(&bucket, key)).await?;
                deleted += u64::from(done.done);
            }
            tell(target.json, &json!({ "deleted": deleted }), &format!("{deleted} deleted"))
        }
        KvCommand::Keys { bucket, pattern, limit } => {
            keys(&client, &bucket, pattern.as_deref(), limit, target.json).await
        }
    }
}

fn path(bucket: &str, key: &str) -> String {
    format!("/v1/kv/{}/{}", segment(bucket), segment(key))
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

async fn get(client: &AdminClient, bucket: &str, key: &str, json: bool) -> Result<()> {
    let value = client.bytes(&path(bucket, key)).await?;
    if json {
        return output::print_json(&json!({ "key": key, "value": String::from_utf8_lossy(&value) }));
    }
    let mut out = std::io::stdout();
    out.write_all(&value)?;
    if out.is_terminal() && !value.ends_with(b"\n") {
        out.write_all(b"\n")?;
    }
    Ok(())
}

async fn keys(client: &AdminClient, bucket: &str, pattern: Option<&str>, limit: usize, json: bool) -> Result<()> {
    let mut found = Vec::new();
    let mut cursor = 0;
    loop {
        let page: KvKeys = client.get(&format!("/v1/kv/{}?cursor={cursor}&count={PAGE}", segment(bucket))).await?;
        found.extend(page.keys.into_iter().map(name).filter(|key| pattern.is_none_or(|pattern| matches(pattern, key))));
        cursor = page.cursor;
        if cursor == 0 || found.len() >= limit {
            break;
        }
    }
    let more = cursor != 0 || found.len() > limit;
    found.truncate(limit);
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
fn name(key: KvKey) -> String {
    key.utf8.unwrap_or_else(|| format!("base64:{}", key.base64))
}

/// `*` is any text, `?` one character. Linear: on a mismatch only the last `*` takes one character more.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => (p, t) = (p + 1, t + 1),
            _ => {
                let Some((at, taken)) = star else { return false };
                star = Some((at, taken + 1));
                (p, t) = (at + 1, taken + 1);
            }
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_like_those_of_redis() {
        for (pattern, text, expected) in [
            ("cart:*", "cart:17", true),
            ("cart:*", "order:17", false),
            ("*:1?", "cart:17", true),
            ("*a*b*c", "xaxbxxbc", true),
            ("*a*b*c", "xaxcxxb", false),
            ("", "", true),
            ("?", "", false),
            ("**", "", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
