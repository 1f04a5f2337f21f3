//! Core: what the cache would say to a request, and why, in words: for `ringway why`.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use ringway_ports::{CacheRequest, Decision};

use crate::directives;
use crate::entry::Entry;
use crate::marks::Why;
use crate::owner::{Owner, hash_of};
use crate::policy::freshness::Times;
use crate::policy::reuse::{Reuse, reuse};
use crate::tier::Inner;

impl Inner {
    pub(crate) fn explain(&self, request: &CacheRequest<'_>) -> Decision {
        let wish = directives::Request::of(request.headers);
        if let Some(reason) = self.reason_to_bypass(request, &wish) {
            return said("bypass", vec![bypassed(reason).to_owned()]);
        }
        let hash = hash_of(&request.key);
        let stored = self.part_of(hash).store.find(&request.key, request.headers).cloned();
        let now_ms = self.now_ms();
        let Some(entry) = stored else { return self.explain_miss(request, hash, wish.only_if_cached) };
        let mut because = vec![stored_words(&entry, now_ms)];
        because.extend(variant(&entry));
        let result = match reuse(&entry.times, &wish, now_ms) {
            Reuse::Fresh => "hit",
            Reuse::Stale => "hit, stale: the request allows it",
            Reuse::WhileRevalidated => "hit, stale: it is revalidated meanwhile",
            Reuse::Validate if wish.only_if_cached => "504: only-if-cached, and it is stale",
            Reuse::Validate => {
                because.push(why_validated(&entry.times, &wish, now_ms).to_owned());
                "miss: the app is asked whether it is still good"
            }
        };
        because.push(self.owner_words(request));
        said(result, because)
    }

    fn explain_miss(&self, request: &CacheRequest<'_>, hash: u64, only_if_cached: bool) -> Decision {
        let mut because = vec!["nothing is stored for it on this node".to_owned()];
        if only_if_cached {
            return said("504", [because, vec!["the request says only-if-cached".to_owned()]].concat());
        }
        if *request.method == Method::HEAD {
            because.push("the answer to a HEAD is not stored".to_owned());
            return said("bypass", because);
        }
        if let Some(why) = self.marks.peek(hash, self.uptime_ms()) {
            let words = match why {
                Why::Uncacheable => "its last answer could not be stored or shared, or has just been changed here",
                Why::TooLarge => "its last answer was too large to be stored",
            };
            because.push(words.to_owned());
            return said("bypass", because);
        }
        if let Some(lifetime) = request.default_lifetime {
            because.push(format!("an answer without a lifetime of its own would be good for {lifetime:?}"));
        }
        because.push(self.owner_words(request));
        said("miss", because)
    }

    fn owner_words(&self, request: &CacheRequest<'_>) -> String {
        match self.owners.of(&request.key) {
            Owner::Own => "this node owns the address: it asks the app".to_owned(),
            Owner::Other(node) => match self.deps.control.catalog().nodes.get(&node) {
                Some(info) => format!("node {} owns the address: this one would ask it", info.name),
                None => format!("node {} owns the address: this one would ask it", node.short()),
            },
            Owner::Unknown(_) => "who owns the address is not known here yet: this node asks the app".to_owned(),
        }
    }
}

fn said(result: &str, because: Vec<String>) -> Decision {
    Decision { result: result.to_owned(), because }
}

fn stored_words(entry: &Arc<Entry>, now_ms: u64) -> String {
    let (times, status) = (&entry.times, entry.response.status.as_u16());
    let age = seconds(times.age(now_ms));
    match times.is_fresh(now_ms) {
        true => format!("a {status} of {age} is stored, fresh for {} more", seconds(left(times, now_ms))),
        false => format!("a {status} of {age} is stored, stale for {}", seconds(times.staleness(now_ms))),
    }
}

fn variant(entry: &Entry) -> Option<String> {
    let told = |(name, value): &(http::HeaderName, Option<Box<str>>)| match value {
        Some(value) => format!("{name}: {value}"),
        None => format!("no {name}"),
    };
    let told: Vec<String> = entry.selecting.iter().map(told).collect();
    (!told.is_empty()).then(|| format!("it is the variant for {}", told.join("; ")))
}

fn why_validated(times: &Times, wish: &directives::Request, now_ms: u64) -> &'static str {
    if times.always_validate {
        return "the answer says no-cache";
    }
    if wish.no_cache {
        return "the request says no-cache";
    }
    if times.is_fresh(now_ms) {
        return "the request wants it younger or fresh for longer";
    }
    if times.must_revalidate { "the answer must not be used stale" } else { "nothing allows to use it stale" }
}

fn left(times: &Times, now_ms: u64) -> Duration {
    Duration::from_millis(times.fresh_until_ms.saturating_sub(now_ms))
}

fn seconds(span: Duration) -> String {
    format!("{} s", span.as_secs())
}

fn bypassed(reason: &str) -> &str {
    match reason {
        "off" => "the cache is off on this node (--cache-memory off)",
        "method" => "only GET and HEAD are answered from the cache",
        "request-no-store" => "the request says no-store",
        "request-body" => "the request has a body",
        "upgrade" => "the request asks for another protocol",
        "catching-up" => "this node was away and is asking what has been purged",
        other => other,
    }
}

#[cfg(test)]
mod tests;
