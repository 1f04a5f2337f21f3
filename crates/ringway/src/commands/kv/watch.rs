//! `ringway kv watch`: a line for each change, until Ctrl-C.

use anyhow::{Result, bail};
use ringway_control::api::kv_watch::ChangeLine;
use ringway_control::api::{KvSeen, Text, ValueLine, WatchLine};
use ringway_manifest::show_duration;
use std::time::Duration;

use crate::admin_client::{AdminClient, segment};
use crate::cli::WatchArgs;
use crate::output::{self, say};

/// Of a value, in characters: so that a change is a line.
const SHOWN_MAX: usize = 60;
const ELEMENTS_MAX: usize = 8;

pub async fn run(client: &AdminClient, wanted: &WatchArgs, json: bool) -> Result<()> {
    if wanted.key.is_empty() {
        bail!("a key has at least one byte here; '*' is all keys");
    }
    let is_pattern = !wanted.exact && wanted.key.contains(['*', '?', '[']);
    let what = if is_pattern { "pattern" } else { "key" };
    let path = format!("/v1/buckets/{}/watch?{what}={}", segment(&wanted.bucket), segment(&wanted.key));
    let mut lines = client.lines(&path).await?;
    loop {
        let line = tokio::select! {
            biased;
            _ = tokio::signal::ctrl_c() => return Ok(()),
            line = lines.next_bytes() => line?,
        };
        let Some(line) = line else { bail!("the node has stopped; the same command goes on when it is back") };
        if line.is_empty() {
            continue;
        }
        let told: WatchLine = serde_json::from_slice(&line)?;
        if let WatchLine::Failure { error } = told {
            bail!(error);
        }
        if json {
            say!("{}", String::from_utf8_lossy(&line));
        } else {
            tell(&wanted.bucket, &told);
        }
    }
}

fn tell(bucket: &str, line: &WatchLine) {
    match line {
        WatchLine::Head { watching, sees } => {
            eprintln!("watching {} in {bucket}: {} (Ctrl-C ends)", watching.shown(), seen(*sees));
        }
        WatchLine::Change(change) => say!("{}", shown(change)),
        WatchLine::Lost { lost: 0, node } => say!("             {node} has started again: changes may be missing here"),
        WatchLine::Lost { lost, node } => {
            say!("             {lost} changes at {node} came too fast and are missing here")
        }
        WatchLine::Failure { .. } => {}
    }
}

fn seen(sees: KvSeen) -> String {
    match sees {
        KvSeen::EveryChange => "every change, as the nodes execute it; not what is evicted".to_owned(),
        KvSeen::LooksEveryMs(ms) => format!("what is different every {ms} ms; not what comes and goes in between"),
    }
}

fn shown(change: &ChangeLine) -> String {
    let node = change.node.as_ref().map(|node| format!("{node}  ")).unwrap_or_default();
    let mut text = format!("{} {node}{:8} {}", output::clock(change.at_ms), change.event, change.key.shown());
    match (&change.value, change.bytes) {
        (Some(value), _) => text += &format!("  {}", value_shown(value)),
        (None, Some(bytes)) => text += &format!("  ({})", output::bytes(bytes as u64)),
        (None, None) => {}
    }
    if let Some(expires_ms) = change.expires_ms {
        let left = Duration::from_secs(expires_ms.saturating_sub(change.at_ms).div_ceil(1000));
        text += &format!("  ttl {}", show_duration(left));
    }
    text
}

fn value_shown(value: &ValueLine) -> String {
    let list = |elements: &[Text]| joined(elements.iter().map(|element| element.shown().into_owned()), elements.len());
    let text = match value {
        ValueLine::String(text) => format!("{:?}", text.shown()),
        ValueLine::List(elements) => format!("list [{}]", list(elements)),
        ValueLine::Set(members) => format!("set {{{}}}", list(members)),
        ValueLine::Hash(fields) => {
            let pair = |(field, value): &(Text, Text)| format!("{}: {}", field.shown(), value.shown());
            format!("hash {{{}}}", joined(fields.iter().map(pair), fields.len()))
        }
        ValueLine::SortedSet(members) => {
            let pair = |(member, score): &(Text, String)| format!("{}: {score}", member.shown());
            format!("zset {{{}}}", joined(members.iter().map(pair), members.len()))
        }
    };
    short(&text)
}

fn joined(elements: impl Iterator<Item = String>, count: usize) -> String {
    let some: Vec<String> = elements.take(ELEMENTS_MAX).collect();
    let more = if count > ELEMENTS_MAX { format!(", ... {count} in all") } else { String::new() };
    some.join(", ") + &more
}

/// What others have written must not steer a terminal, nor fill it.
fn short(text: &str) -> String {
    let plain = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let mut short: String = text.chars().take(SHOWN_MAX).map(plain).collect();
    if text.chars().nth(SHOWN_MAX).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(value: Option<ValueLine>) -> ChangeLine {
        ChangeLine {
            at_ms: 43_384_567,
            node: Some("n2".into()),
            key: Text::Utf8("cart:1".into()),
            event: "set".into(),
            bytes: value.as_ref().map(|_| 5),
            value,
            expires_ms: None,
        }
    }

    #[test]
    fn a_change_is_one_line_that_steers_no_terminal() {
        let text = |text: &str| Text::Utf8(text.into());
        let line = |value| shown(&change(Some(value)));
        assert_eq!(line(ValueLine::String(text("hi"))), r#"12:03:04.567 n2  set      cart:1  "hi""#);
        assert!(line(ValueLine::String(text("\x1b[31m\n"))).ends_with(r#""\u{1b}[31m\n""#));
        assert!(!line(ValueLine::Set(vec![text("\x1b[31m")])).contains('\x1b'));
        let many = vec![text("x"); 500];
        assert!(line(ValueLine::List(many)).ends_with("list [x, x, x, x, x, x, x, x, ... 500 in all]"));
        assert!(line(ValueLine::String(text(&"y".repeat(1000)))).chars().count() < 120);
    }

    #[test]
    fn what_is_gone_or_too_long_is_told_without_its_value() {
        let gone = ChangeLine { event: "del".into(), ..change(None) };
        assert_eq!(shown(&gone), "12:03:04.567 n2  del      cart:1");
        let long = ChangeLine { bytes: Some(5_000_000), expires_ms: Some(43_384_567 + 59_001), ..change(None) };
        assert_eq!(shown(&long), "12:03:04.567 n2  set      cart:1  (5.0 MB)  ttl 1m");
    }
}
