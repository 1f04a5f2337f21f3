//! Driver: `/v1/cache`: what the HTTP cache of all nodes has done, what is in it, and having it forget.

use std::sync::Arc;
use std::time::Instant;

use ringway_catalog::Catalog;
use ringway_ports::{CacheEntry, CacheStats, Purge};

use crate::Error;
use crate::api::{CacheEntries, CacheEntryView, CacheFigures, CacheOnNode, CacheView, PurgeWish, PurgedView};
use crate::cluster::Answer;
use crate::control::Control;
use crate::peer_messages::{Ask, CACHE_ENTRIES_MAX};
use crate::reply::{Reply, json};
use crate::request::Call;

const COUNT_DEFAULT: usize = 50;

pub(crate) async fn stats(control: Arc<Control>, _call: Call) -> Reply {
    let answers = control.cluster.ask_all::<CacheStats>(&control.catalog(), |_| Ask::Cache).await;
    let mut view = CacheView::default();
    for Answer { node, result } in answers {
        match result {
            Ok(stats) => {
                let figures = CacheFigures::from(stats);
                view.total.add(&figures);
                view.nodes.push(CacheOnNode { node, figures });
            }
            Err(why) => view.missing.push((node.name, why)),
        }
    }
    view.nodes.sort_by(|a, b| a.node.name.cmp(&b.node.name));
    json(&view)
}

pub(crate) async fn entries(control: Arc<Control>, call: Call) -> Reply {
    let catalog = control.catalog();
    let pattern = call.query("pattern")?.unwrap_or_default();
    let count = call.number("count")?.unwrap_or(COUNT_DEFAULT).clamp(1, CACHE_ENTRIES_MAX);
    let ask = |_| Ask::CacheEntries { pattern: pattern.clone(), count };
    let answers = control.cluster.ask_all::<Vec<CacheEntry>>(&catalog, ask).await;
    let mut list = CacheEntries::default();
    for Answer { node, result } in answers {
        match result {
            Ok(entries) => list.entries.extend(entries.into_iter().map(|entry| {
                let owner = entry.owner.map(|owner| control.node_ref(&catalog, owner).name);
                CacheEntryView::new(entry, node.name.clone(), owner)
            })),
            Err(why) => list.missing.push((node.name, why)),
        }
    }
    list.entries.sort_by(|a, b| b.uses.cmp(&a.uses).then_with(|| (&a.url, &a.node).cmp(&(&b.url, &b.node))));
    list.entries.truncate(count);
    json(&list)
}

pub(crate) async fn purge(control: Arc<Control>, call: Call) -> Reply {
    let catalog = control.catalog();
    let purge = meant(&catalog, call.json().await?)?;
    let started = Instant::now();
    let purged = control.deps.cache.purge(purge).await;
    let name = |id| control.node_ref(&catalog, id).name;
    json(&PurgedView {
        responses: purged.responses,
        nodes: purged.nodes.into_iter().map(name).collect(),
        missing: purged.missing.into_iter().map(name).collect(),
        took_ms: started.elapsed().as_millis() as u64,
    })
}

fn meant(catalog: &Catalog, wish: PurgeWish) -> Result<Purge, Error> {
    let known = |app: String| match catalog.apps.contains_key(&app) {
        true => Ok(app),
        false => Err(Error::NotFound(format!("there is no app {app}"))),
    };
    match wish {
        PurgeWish::Url(url) => address(&url),
        PurgeWish::Tag { tag, .. } if tag.is_empty() => Err(Error::BadRequest("the tag is empty".to_owned())),
        PurgeWish::Tag { app, tag } => Ok(Purge::Tag { app: known(app)?, tag }),
        PurgeWish::App(app) => Ok(Purge::App(known(app)?)),
        PurgeWish::All => Ok(Purge::All),
    }
}

/// Of both schemes: who purges a page does not mean half of it.
fn address(url: &str) -> Result<Purge, Error> {
    let bad = |why: &str| Error::BadRequest(format!("`{url}` {why}: write HOST/PATH, like shop.example/products/7"));
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://")).unwrap_or(url);
    if rest.contains("://") {
        return Err(bad("is no address of a page"));
    }
    let (authority, target) = match rest.find(['/', '?']) {
        Some(at) if rest[at..].starts_with('/') => (&rest[..at], rest[at..].to_owned()),
        Some(at) => (&rest[..at], format!("/{}", &rest[at..])),
        None => (rest, "/".to_owned()),
    };
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    let is_name =
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_[]:".contains(&byte));
    if !is_name {
        return Err(bad("has no host"));
    }
    let target = target.split('#').next().unwrap_or_default().to_owned();
    let host = host.to_ascii_lowercase();
    match target.strip_suffix('*') {
        Some(begin) => Ok(Purge::Prefix { host, target: begin.to_owned() }),
        None => Ok(Purge::Url { tls: None, host, target }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_as_people_write_it() {
        let url = |host: &str, target: &str| Purge::Url { tls: None, host: host.into(), target: target.into() };
        for (written, purge) in [
            ("shop.test", url("shop.test", "/")),
            ("HTTP://x", Purge::All),
            ("https://Shop.Test:8443/a?b=c#top", url("shop.test", "/a?b=c")),
            ("http://shop.test?x", url("shop.test", "/?x")),
            ("[::1]:8080/a", url("[::1]", "/a")),
            ("shop.test/a/*", Purge::Prefix { host: "shop.test".into(), target: "/a/".into() }),
        ] {
            match address(written) {
                Ok(found) => assert_eq!(found, purge, "{written}"),
                Err(_) => assert_eq!(written, "HTTP://x"),
            }
        }
        for bad in ["", "/a", "ftp://x/", "a b/c"] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }
}
