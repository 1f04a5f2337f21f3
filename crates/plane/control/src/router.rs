//! Core: the table of everything the API can do. The order is that of the listing in a 404.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::Method;
use percent_encoding::percent_decode_str;

use crate::Error;
use crate::control::Control;
use crate::guard::Access::{self, Anybody, Scraper, Token};
use crate::reply::Reply;
use crate::request::Call;
use crate::resources::{
    apps, assets, bucket_info, buckets, cache, deploys, health, instances, kv, kv_lines, kv_top, kv_watch, logs,
    metrics, nodes, overview, ring, ring_lookup, ring_plan, ring_settings, ring_watch, routes, status, tokens, why,
};

/// What only looks, or proposes a change.
const QUICK: Duration = Duration::from_secs(30);
/// What walks from node to node, some of which may not answer.
const WALKS: Duration = Duration::from_secs(120);
/// What waits for a large body.
const UPLOAD: Duration = Duration::from_secs(15 * 60);

pub(crate) struct Route {
    method: Method,
    /// `{}` is one part of the path, `{*}` the rest of it.
    path: &'static str,
    pub(crate) access: Access,
    pub(crate) within: Duration,
    pub(crate) handler: fn(Arc<Control>, Call) -> BoxFuture<'static, Reply>,
}

macro_rules! route {
    ($method:ident $path:literal $access:ident $within:ident $handler:path) => {
        Route {
            method: Method::$method,
            path: $path,
            access: $access,
            within: $within,
            handler: |control, call| Box::pin($handler(control, call)),
        }
    };
}

static ROUTES: &[Route] = &[
    route!(GET "/v1/health" Anybody QUICK health::show),
    route!(GET "/v1/status" Token QUICK status::show),
    route!(GET "/v1/overview" Token QUICK overview::show),
    route!(GET "/v1/ring" Token QUICK ring::show),
    route!(GET "/v1/ring/watch" Token QUICK ring_watch::follow),
    route!(GET "/v1/ring/lookup" Token WALKS ring_lookup::lookup),
    route!(GET "/v1/ring/sample" Token WALKS ring_lookup::sample),
    route!(GET "/v1/ring/plan" Token QUICK ring_plan::show),
    route!(GET "/v1/ring/settings" Token QUICK ring_settings::show),
    route!(PUT "/v1/ring/settings" Token QUICK ring_settings::change),
    route!(POST "/v1/ring/cancel" Token QUICK ring_settings::cancel),
    route!(POST "/v1/ring/rebalance" Token QUICK ring_settings::rebalance),
    route!(GET "/v1/apps" Token QUICK apps::list),
    route!(DELETE "/v1/apps/{}" Token QUICK apps::remove),
    route!(GET "/v1/routes" Token QUICK routes::show),
    route!(POST "/v1/why" Token QUICK why::show),
    route!(POST "/v1/plan" Token UPLOAD deploys::plan),
    route!(POST "/v1/deploy" Token UPLOAD deploys::deploy),
    route!(GET "/v1/deploys/{}/{}" Token QUICK deploys::health),
    route!(POST "/v1/rollback" Token QUICK deploys::rollback),
    route!(GET "/v1/ps" Token QUICK instances::list),
    route!(GET "/v1/logs" Token QUICK logs::recent),
    route!(GET "/v1/logs/follow" Token QUICK logs::follow),
    route!(GET "/v1/buckets" Token QUICK buckets::list),
    route!(POST "/v1/buckets" Token QUICK buckets::create),
    route!(GET "/v1/buckets/{}" Token QUICK buckets::show),
    route!(PUT "/v1/buckets/{}" Token QUICK buckets::change),
    route!(DELETE "/v1/buckets/{}" Token QUICK buckets::delete),
    route!(GET "/v1/buckets/{}/info" Token QUICK bucket_info::show),
    route!(GET "/v1/buckets/{}/top" Token QUICK kv_top::show),
    route!(GET "/v1/buckets/{}/watch" Token QUICK kv_watch::follow),
    route!(GET "/v1/buckets/{}/export" Token QUICK kv_lines::export),
    route!(POST "/v1/buckets/{}/import" Token WALKS kv_lines::import),
    route!(GET "/v1/kv/{}" Token QUICK kv::scan),
    route!(GET "/v1/kv/{}/{*}" Token QUICK kv::get),
    route!(PUT "/v1/kv/{}/{*}" Token QUICK kv::put),
    route!(DELETE "/v1/kv/{}/{*}" Token QUICK kv::delete),
    route!(GET "/v1/cache" Token QUICK cache::stats),
    route!(GET "/v1/cache/entries" Token QUICK cache::entries),
    route!(POST "/v1/cache/purge" Token QUICK cache::purge),
    route!(POST "/v1/tokens" Token QUICK tokens::issue),
    route!(POST "/v1/leave" Token QUICK nodes::leave),
    route!(DELETE "/v1/nodes/{}" Token QUICK nodes::remove),
    route!(GET "/metrics" Scraper QUICK metrics::show),
    route!(GET "/" Anybody QUICK assets::show),
    route!(GET "/console.css" Anybody QUICK assets::show),
    route!(GET "/console.js" Anybody QUICK assets::show),
    route!(GET "/favicon.svg" Anybody QUICK assets::show),
];

/// The route for a request and the parts of its path that stand for `{}`, percent-decoded.
pub(crate) fn find(method: &Method, path: &str) -> Result<(&'static Route, Vec<Vec<u8>>), Error> {
    let asked = if method == Method::HEAD { &Method::GET } else { method };
    let mut allowed = Vec::new();
    for route in ROUTES {
        let Some(params) = matched(route.path, path) else { continue };
        if route.method == *asked {
            return Ok((route, params));
        }
        allowed.push(route.method.as_str());
    }
    if allowed.is_empty() {
        return Err(Error::NotFound(format!("there is nothing at {path}")));
    }
    Err(Error::NotAllowed { method: method.to_string(), path: path.to_owned(), allowed: allowed.join(", ") })
}

/// What there is, for somebody who asked for something else.
pub(crate) fn listing() -> String {
    let shown: Vec<String> = ROUTES.iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    shown.join(", ")
}

fn matched(pattern: &str, path: &str) -> Option<Vec<Vec<u8>>> {
    let mut params = Vec::new();
    let (mut pattern, mut path) = (pattern.strip_prefix('/')?, path.strip_prefix('/')?);
    loop {
        let (want, pattern_rest) = split(pattern);
        if want == "{*}" {
            params.push(percent_decode_str(path).collect());
            return (!path.is_empty()).then_some(params);
        }
        let (have, path_rest) = split(path);
        match want {
            "{}" if have.is_empty() => return None,
            "{}" => params.push(percent_decode_str(have).collect()),
            _ if want == have => {}
            _ => return None,
        }
        match (pattern_rest, path_rest) {
            (None, None) => return Some(params),
            (Some(next_pattern), Some(next_path)) => (pattern, path) = (next_pattern, next_path),
            _ => return None,
        }
    }
}

fn split(path: &str) -> (&str, Option<&str>) {
    path.split_once('/').map_or((path, None), |(first, rest)| (first, Some(rest)))
}

#[cfg(test)]
mod tests;
