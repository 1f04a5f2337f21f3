//! `ringway ring lookup`: the way to a key's owner, hop by hop.

use anyhow::{Result, bail};
use ringway_control::api::{Hop, Lookup, WalkView};

use crate::admin_client::{AdminClient, segment};
use crate::cli::{LookupArgs, ViaArg};
use crate::output::{self, say};

/// Stops of a long walk that are shown at its beginning and at its end.
const STOPS_SHOWN: usize = 12;

pub async fn run(client: &AdminClient, wanted: &LookupArgs, json: bool) -> Result<()> {
    let key = wanted.key.as_deref().unwrap_or_default();
    if key.is_empty() {
        bail!("the key is empty: name one, or look up some that are drawn by lot with --sample 100");
    }
    let lookup: Lookup =
        client.get(&format!("/v1/ring/lookup?key={}{}", segment(key), query(wanted, wanted.via))).await?;
    if json {
        output::print_json(&lookup)?;
        return found(&lookup);
    }
    say!("key {key}: slot {}, partition {}, point {}", lookup.slot, lookup.partition, lookup.point);
    let owners: Vec<&str> = lookup.owners.iter().map(|owner| owner.name.as_str()).collect();
    let next: Vec<&str> = lookup.owners_next.iter().map(|owner| owner.name.as_str()).collect();
    let next = if next.is_empty() { String::new() } else { format!("; next: {}", next.join(", ")) };
    // A peer-to-peer ring has none.
    let epoch = if lookup.epoch > 0 { format!(" (epoch {})", lookup.epoch) } else { String::new() };
    say!("owners, primary first{epoch}: {}{next}", owners.join(", "));
    match &lookup.walks[..] {
        [walk] => print_walk(walk),
        walks => {
            say!("\n{}", output::table(&["ROUTER", "HOPS", "TIME", "ENTRIES", "OWNER", "WAY"], walks.iter().map(row)))
        }
    }
    found(&lookup)
}

/// For scripts: not to have found anybody is a failure.
fn found(lookup: &Lookup) -> Result<()> {
    if lookup.walks.iter().all(|walk| walk.owner.is_none()) {
        bail!("nobody answers for the key");
    }
    Ok(())
}

/// What both a lookup and a sample can be told.
pub fn query(wanted: &LookupArgs, via: Option<ViaArg>) -> String {
    let optional = |name: &str, value: &Option<String>| {
        value.as_ref().map(|value| format!("&{name}={}", segment(value))).unwrap_or_default()
    };
    format!(
        "&walk={}{}{}{}",
        wanted.walk.word(),
        via.map(|via| format!("&via={}", via.word())).unwrap_or_default(),
        optional("from", &wanted.from),
        optional("bucket", &wanted.bucket)
    )
}

fn print_walk(walk: &WalkView) {
    let start = walk.path.first().map_or("", |hop| hop.node.name.as_str());
    let end = match (&walk.owner, &walk.failure) {
        (Some(owner), _) => format!("{} answers for it", owner.name),
        (None, failure) => failure.clone().unwrap_or_else(|| "not found".to_owned()),
    };
    let steps = if walk.steps > walk.hops { format!(" ({} steps)", walk.steps) } else { String::new() };
    say!("{} from {start}: {}{steps}, {}; {end}", walk.via, hops(walk.hops), micros(walk.took_us));
    let rows = walk.path.iter().enumerate().map(|(number, hop)| stop(number, hop));
    let mut rows: Vec<Vec<String>> = rows.collect();
    if rows.len() > 2 * STOPS_SHOWN + 1 {
        let hidden = rows.len() - 2 * STOPS_SHOWN;
        let more = vec![String::new(), format!("... {hidden} more"), String::new(), String::new(), String::new()];
        rows.splice(STOPS_SHOWN..STOPS_SHOWN + hidden, [more]);
    }
    output::table(&["", "NODE", "VIRTUAL NODE", "TIME", "KNEW"], rows).lines().for_each(|line| say!("  {line}"));
}

fn stop(number: usize, hop: &Hop) -> Vec<String> {
    let time = match (&hop.failure, hop.round_trip_us) {
        (Some(failure), _) => failure.clone(),
        (None, Some(us)) => micros(us),
        (None, None) if number == 0 => "start".to_owned(),
        (None, None) => "local".to_owned(),
    };
    vec![number.to_string(), hop.node.name.clone(), hop.at.clone().unwrap_or_default(), time, hop.knew.clone()]
}

fn row(walk: &WalkView) -> Vec<String> {
    let entries = walk.path.iter().map(|hop| hop.entries).max().unwrap_or(0);
    let way = match &walk.failure {
        Some(failure) => failure.clone(),
        None => way(&walk.path),
    };
    vec![
        walk.via.to_string(),
        walk.hops.to_string(),
        micros(walk.took_us),
        entries.to_string(),
        walk.owner.as_ref().map_or("?".to_owned(), |owner| owner.name.clone()),
        way,
    ]
}

/// Node by node; those in the middle of a long way are left out.
fn way(path: &[Hop]) -> String {
    let mut names: Vec<&str> = path.iter().map(|hop| hop.node.name.as_str()).collect();
    names.dedup();
    match names.len() {
        0..=6 => names.join(" > "),
        many => format!("{} > ... {} more ... > {}", names[..2].join(" > "), many - 4, names[many - 2..].join(" > ")),
    }
}

fn hops(count: u32) -> String {
    if count == 1 { "1 hop".to_owned() } else { format!("{count} hops") }
}

pub fn micros(us: u64) -> String {
    if us < 1000 { format!("{us} µs") } else { format!("{:.2} ms", us as f64 / 1000.0) }
}
