//! `ringway kv top`: the keys that are used most and those that are largest; on a terminal again and again.

use std::io::IsTerminal as _;
use std::time::Duration;

use anyhow::Result;
use ringway_control::api::{BigKeyView, HotKeyView, KvTopView};

use super::scan::name;
use crate::admin_client::{AdminClient, segment};
use crate::cli::TopArgs;
use crate::output::{self, say};
use crate::screen::{ROWS_BELOW, Screen};
use crate::terminal_size;

const EVERY: Duration = Duration::from_secs(1);
const BAR_LEN: usize = 10;
/// Longer keys are cut.
const KEY_LEN_MAX: usize = 40;
/// Title, heads and the lines between them.
const ROWS_AROUND: usize = 7;

pub async fn run(client: &AdminClient, wanted: &TopArgs, json: bool) -> Result<()> {
    if json || wanted.once || !std::io::stdout().is_terminal() {
        let top = ask(client, wanted, wanted.count).await?;
        if json {
            return output::print_json(&top);
        }
        say!("{}", shown(&wanted.bucket, &top, wanted.count as usize));
        return Ok(());
    }
    draw(client, wanted).await
}

async fn ask(client: &AdminClient, wanted: &TopArgs, count: u64) -> Result<KvTopView> {
    client.get(&format!("/v1/buckets/{}/top?count={count}", segment(&wanted.bucket))).await
}

/// Until Ctrl-C; the last table stays.
async fn draw(client: &AdminClient, wanted: &TopArgs) -> Result<()> {
    let first = ask(client, wanted, wanted.count).await?;
    let screen = Screen::enter();
    let (mut every, mut last) = (tokio::time::interval(EVERY), first);
    let outcome = loop {
        screen.show(&shown(&wanted.bucket, &last, rows(wanted)));
        tokio::select! {
            biased;
            _ = tokio::signal::ctrl_c() => break Ok(()),
            _ = every.tick() => {}
        }
        match ask(client, wanted, wanted.count).await {
            Ok(top) => last = top,
            Err(error) => break Err(error),
        }
    };
    drop(screen);
    say!("{}", shown(&wanted.bucket, &last, wanted.count as usize));
    outcome
}

/// Of each table, as many as there is room for.
fn rows(wanted: &TopArgs) -> usize {
    let room = terminal_size::of_standard_output().map_or(usize::MAX, |(_, rows)| rows);
    (room.saturating_sub(ROWS_AROUND + ROWS_BELOW) / 2).clamp(1, wanted.count as usize)
}

fn shown(bucket: &str, top: &KvTopView, count: usize) -> String {
    let most = top.hot.first().map_or(0.0, |hot| hot.ops_per_second);
    let hot = top.hot.iter().take(count).map(|hot| hot_row(hot, top.ops_per_second, most));
    let largest = top.big.first().map_or(0, |big| big.bytes);
    let big = top.big.iter().take(count).map(|big| big_row(big, largest));
    let missing: String = top.missing.iter().map(|(node, why)| format!("\nwithout {node}: {why}")).collect();
    format!(
        "{} UTC  {bucket}: {} commands a second; one in {} is looked at, {} of {} keys were measured\n\n{}\n\n{}{missing}",
        &output::clock(top.at_ms)[..8],
        output::count(top.ops_per_second.round() as u64),
        top.sampled_one_in.max(1),
        output::count(top.walked.min(top.keys)),
        output::count(top.keys),
        output::table(&["HOT KEY", "COMMANDS/S", "OF ALL", "", "NODE"], hot),
        output::table(&["BIG KEY", "TYPE", "LENGTH", "BYTES", "", "NODE"], big),
    )
}

fn hot_row(hot: &HotKeyView, all: f64, most: f64) -> Vec<String> {
    let part = if all > 0.0 { hot.ops_per_second / all * 100.0 } else { 0.0 };
    // What may be all error is a guess.
    let sign = if hot.error > hot.ops_per_second / 2.0 { "<" } else { "" };
    vec![
        short(&name(hot.key.clone())),
        format!("{sign}{}", output::count(hot.ops_per_second.round() as u64)),
        format!("{:.1} %", part.min(100.0)),
        output::bar(hot.ops_per_second / most, BAR_LEN),
        hot.node.clone(),
    ]
}

fn big_row(big: &BigKeyView, largest: u64) -> Vec<String> {
    vec![
        short(&name(big.key.clone())),
        big.kind.to_string(),
        output::count(big.len),
        output::bytes(big.bytes),
        output::bar(big.bytes as f64 / largest as f64, BAR_LEN),
        big.node.clone(),
    ]
}

/// Keys come from others: no control characters, not too wide.
fn short(key: &str) -> String {
    let mut short: String =
        key.chars().take(KEY_LEN_MAX).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if key.chars().nth(KEY_LEN_MAX).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use ringway_control::api::KvKey;
    use ringway_ports::KvKind;

    use super::*;

    fn key(text: &str) -> KvKey {
        KvKey { base64: "ignored".into(), utf8: Some(text.into()) }
    }

    #[test]
    fn both_tables_are_drawn_with_what_is_missing() {
        let hot = |text, ops_per_second, error| HotKeyView { key: key(text), node: "n1".into(), ops_per_second, error };
        let big = |text, bytes| BigKeyView { key: key(text), node: "n2".into(), kind: KvKind::Hash, bytes, len: 7 };
        let top = KvTopView {
            at_ms: 43_384_567,
            hot: vec![hot("cart:1", 4200.0, 1.0), hot("a\x1bb", 1000.0, 900.0)],
            big: vec![big("large", 8_000_000), big(&"k".repeat(100), 2_000_000)],
            ops_per_second: 42_000.0,
            sampled_one_in: 64,
            walked: 900,
            keys: 1200,
            missing: vec![("n3".into(), "not reachable".into())],
        };
        expect![[r#"
            12:03:04 UTC  shop.cart: 42.0 k commands a second; one in 64 is looked at, 900 of 1200 keys were measured

            HOT KEY  COMMANDS/S  OF ALL              NODE
            cart:1   4200        10.0 %  ██████████  n1
            a�b      <1000       2.4 %   ██░░░░░░░░  n1

            BIG KEY                                    TYPE  LENGTH  BYTES               NODE
            large                                      hash  7       8.0 MB  ██████████  n2
            kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk…  hash  7       2.0 MB  ███░░░░░░░  n2
            without n3: not reachable"#]]
        .assert_eq(&shown("shop.cart", &top, 10));
    }

    #[test]
    fn an_idle_empty_bucket_has_two_empty_tables() {
        let text = shown("b", &KvTopView::default(), 10);
        assert!(text.contains("0 commands a second") && text.contains("HOT KEY") && text.contains("BIG KEY"), "{text}");
    }
}
