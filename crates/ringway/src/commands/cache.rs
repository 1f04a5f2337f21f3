//! `ringway cache`: what the HTTP cache has done, what is in it, and having it forget.

use anyhow::{Result, bail};
use ringway_control::api::{CacheEntries, CacheView, PurgeWish, PurgedView};

use crate::admin_client::{AdminClient, segment};
use crate::cache_picture::{draw_entries, draw_stats};
use crate::cli::{CacheCommand, CacheLsArgs, PurgeArgs, TargetArgs};
use crate::find_node::find_node;
use crate::output::{self, counted, say};

pub async fn run(target: &TargetArgs, command: CacheCommand) -> Result<()> {
    let client = find_node(target).await?;
    match command {
        CacheCommand::Stats => stats(&client, target.json).await,
        CacheCommand::Ls(wanted) => list(&client, &wanted, target.json).await,
        CacheCommand::Purge(wanted) => purge(&client, wanted, target.json).await,
    }
}

async fn stats(client: &AdminClient, json: bool) -> Result<()> {
    let view: CacheView = client.get("/v1/cache").await?;
    if json {
        return output::print_json(&view);
    }
    say!("{}", draw_stats(&view));
    Ok(())
}

async fn list(client: &AdminClient, wanted: &CacheLsArgs, json: bool) -> Result<()> {
    let path = format!("/v1/cache/entries?pattern={}&count={}", segment(&wanted.pattern), wanted.count);
    let list: CacheEntries = client.get(&path).await?;
    if json {
        return output::print_json(&list);
    }
    if list.entries.is_empty() {
        say!("nothing is stored: apps say what may be with Cache-Control, routes with `cache = \"10s\"`");
        return Ok(());
    }
    say!("{}", draw_entries(&list));
    Ok(())
}

/// Fails if a node did not forget: a script must not go on as if it had.
async fn purge(client: &AdminClient, wanted: PurgeArgs, json: bool) -> Result<()> {
    let mut all = PurgedView::default();
    for wish in wishes(wanted) {
        let purged: PurgedView = client.post("/v1/cache/purge", &wish).await?;
        all.responses += purged.responses;
        all.took_ms += purged.took_ms;
        all.nodes = purged.nodes;
        all.missing.extend(purged.missing);
    }
    all.missing.sort();
    all.missing.dedup();
    if json {
        output::print_json(&all)?;
    } else {
        say!("{}", told(&all));
    }
    if all.missing.is_empty() {
        return Ok(());
    }
    bail!("not reached: {}; what is stored there is forgotten before it is used again", all.missing.join(", "))
}

fn wishes(wanted: PurgeArgs) -> Vec<PurgeWish> {
    if let Some([app, tag]) = wanted.tag.as_deref() {
        return vec![PurgeWish::Tag { app: app.clone(), tag: tag.clone() }];
    }
    if let Some(app) = wanted.app {
        return vec![PurgeWish::App(app)];
    }
    if wanted.all {
        return vec![PurgeWish::All];
    }
    wanted.urls.into_iter().map(PurgeWish::Url).collect()
}

fn told(purged: &PurgedView) -> String {
    let copies = counted(purged.responses, "stored response");
    format!("{copies} forgotten on {} in {} ms", counted(purged.nodes.len() as u64, "node"), purged.took_ms)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    fn parsed(words: &[&str]) -> Result<Vec<PurgeWish>, clap::Error> {
        let words = ["ringway", "cache", "purge"].iter().chain(words);
        match Cli::try_parse_from(words)?.command {
            Command::Cache(arguments) => match arguments.command {
                CacheCommand::Purge(wanted) => Ok(wishes(wanted)),
                _ => panic!("another command"),
            },
            _ => panic!("another command"),
        }
    }

    #[test]
    fn a_purge_names_exactly_one_kind_of_thing() {
        let url = |url: &str| PurgeWish::Url(url.into());
        assert_eq!(parsed(&["a/1", "a/2"]).unwrap(), [url("a/1"), url("a/2")]);
        let tag = PurgeWish::Tag { app: "shop".into(), tag: "red".into() };
        assert_eq!(parsed(&["--tag", "shop", "red"]).unwrap(), [tag]);
        assert_eq!(parsed(&["--app", "shop"]).unwrap(), [PurgeWish::App("shop".into())]);
        assert_eq!(parsed(&["--all"]).unwrap(), [PurgeWish::All]);
        for bad in [&[][..], &["a/1", "--all"], &["--tag", "shop"], &["--app", "shop", "--all"]] {
            assert!(parsed(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_was_forgotten_is_told_with_how_long_it_took() {
        let purged =
            PurgedView { responses: 3, nodes: vec!["n1".into(), "n2".into()], took_ms: 4, ..Default::default() };
        assert_eq!(told(&purged), "3 stored responses forgotten on 2 nodes in 4 ms");
    }
}
