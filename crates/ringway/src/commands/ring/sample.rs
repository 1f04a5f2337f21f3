//! `ringway ring lookup --sample N`: many lookups of keys drawn by lot, summed up router by router.

use anyhow::{Result, bail};
use ringway_control::api::{LookupSample, RingView};
use serde::Serialize;

use super::lookup::{micros, query};
use crate::admin_client::AdminClient;
use crate::cli::{LookupArgs, ViaArg};
use crate::output::{self, say};
use crate::progress::steps_bar;

/// Asked for at a time, so that there is progress to be seen.
const PART: u32 = 50;

/// Named as in `ringway sim ring --json`.
#[derive(Debug, Serialize)]
struct Summary {
    router: &'static str,
    walk: &'static str,
    nodes: usize,
    lookups: usize,
    hops_mean: f64,
    hops_p50: u32,
    hops_p99: u32,
    hops_max: u32,
    time_us_mean: f64,
    time_us_p50: u32,
    time_us_p99: u32,
    wrong: u32,
    lost: u32,
    state_entries_per_node: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
}

pub async fn run(client: &AdminClient, wanted: &LookupArgs, json: bool) -> Result<()> {
    let kind = client.get::<RingView>("/v1/ring").await?.kind;
    let usual = if kind.is_chord() { ViaArg::Fingers } else { ViaArg::Table };
    let routers: Vec<ViaArg> = match wanted.via.unwrap_or(usual) {
        // The index knows keys that exist, and of one bucket: it is sampled if that is named.
        ViaArg::All => ViaArg::EACH
            .into_iter()
            .filter(|via| *via != ViaArg::Index || wanted.bucket.is_some())
            .filter(|via| *via != ViaArg::Table || !kind.is_chord())
            .collect(),
        via => vec![via],
    };
    let mut summaries = Vec::new();
    for via in routers {
        summaries.push(sample(client, wanted, via).await?);
    }
    if json {
        return output::print_json(&summaries);
    }
    let head = ["ROUTER", "LOOKUPS", "LOST", "HOPS", "P50", "P99", "TIME", "P50", "P99", "ENTRIES"];
    say!("{}", output::table(&head, summaries.iter().map(row)));
    summaries.iter().filter_map(|summary| summary.failure.as_ref()).for_each(|failure| say!("lost: {failure}"));
    Ok(())
}

async fn sample(client: &AdminClient, wanted: &LookupArgs, via: ViaArg) -> Result<Summary> {
    let total = wanted.sample.unwrap_or(0);
    let bar = steps_bar(via.word(), u64::from(total));
    let query = query(wanted, Some(via));
    let (mut all, mut done) = (None::<LookupSample>, 0);
    while done < total {
        let count = PART.min(total - done);
        let part: LookupSample = client.get(&format!("/v1/ring/sample?count={count}{query}")).await?;
        let found = part.hops.len() as u32 + part.failed;
        if found == 0 {
            bail!("no lookup ended in time");
        }
        done += found;
        bar.set_position(u64::from(done));
        all = Some(all.map_or(part.clone(), |all| merged(all, part)));
    }
    bar.finish_and_clear();
    let Some(sample) = all else { bail!("--sample takes a count of at least 1") };
    Ok(summary(sample, via, wanted.walk.word()))
}

fn merged(mut all: LookupSample, part: LookupSample) -> LookupSample {
    all.hops.extend(part.hops);
    all.times_us.extend(part.times_us);
    all.failed += part.failed;
    all.failure = all.failure.or(part.failure);
    all.state_entries = all.state_entries.max(part.state_entries);
    all
}

fn summary(mut sample: LookupSample, via: ViaArg, walk: &'static str) -> Summary {
    sample.hops.sort_unstable();
    sample.times_us.sort_unstable();
    Summary {
        router: via.word(),
        walk,
        nodes: sample.nodes,
        lookups: sample.hops.len() + sample.failed as usize,
        hops_mean: mean(&sample.hops),
        hops_p50: rank(&sample.hops, 0.5),
        hops_p99: rank(&sample.hops, 0.99),
        hops_max: sample.hops.last().copied().unwrap_or(0),
        time_us_mean: mean(&sample.times_us),
        time_us_p50: rank(&sample.times_us, 0.5),
        time_us_p99: rank(&sample.times_us, 0.99),
        // Only the owner's own check ends a lookup.
        wrong: 0,
        lost: sample.failed,
        state_entries_per_node: sample.state_entries,
        failure: sample.failure,
    }
}

fn mean(sorted: &[u32]) -> f64 {
    let sum: u64 = sorted.iter().map(|value| u64::from(*value)).sum();
    if sorted.is_empty() { 0.0 } else { sum as f64 / sorted.len() as f64 }
}

fn rank(sorted: &[u32], part: f64) -> u32 {
    let at = (sorted.len() as f64 * part).ceil() as usize;
    sorted.get(at.saturating_sub(1)).copied().unwrap_or(0)
}

fn row(summary: &Summary) -> Vec<String> {
    vec![
        summary.router.to_owned(),
        summary.lookups.to_string(),
        summary.lost.to_string(),
        format!("{:.2}", summary.hops_mean),
        summary.hops_p50.to_string(),
        summary.hops_p99.to_string(),
        micros(summary.time_us_mean as u64),
        micros(u64::from(summary.time_us_p50)),
        micros(u64::from(summary.time_us_p99)),
        summary.state_entries_per_node.to_string(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_values_that_occurred() {
        let sorted: Vec<u32> = (1..=100).collect();
        assert_eq!((rank(&sorted, 0.5), rank(&sorted, 0.99), rank(&[], 0.5)), (50, 99, 0));
        assert_eq!(rank(&[7], 0.99), 7);
        assert!((mean(&sorted) - 50.5).abs() < 1e-9);
    }
}
