//! Core: what would become of a request, and why, as far as routes decide it. The cache and the balancer add theirs.

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use ringway_manifest::Target;
use ringway_ports::{CacheRequest, Decision, ExplainRequest, Explanation, OtherRoute};

use crate::cached::{cache_key, is_cache_off};
use crate::path::tidy;
use crate::routes::{Address, AppReason, Asked, Choice, Considered, Passed, RouteEntry, Routes};

/// What is behind the routes.
pub trait Behind {
    fn cache(&self, request: CacheRequest<'_>) -> Option<Decision>;

    /// Who would be asked.
    fn instance(&self, entry: &RouteEntry) -> Option<Decision>;
}

/// `https_port`: where this node listens.
pub fn explain(
    routes: &Routes,
    request: &ExplainRequest,
    https_port: Option<u16>,
    behind: &impl Behind,
) -> Explanation {
    let (method, headers) = match (request.method.parse::<Method>(), headers(&request.headers)) {
        (Ok(method), Some(headers)) => (method, headers),
        _ => return answered(400, "the method or a header is malformed"),
    };
    let (path, query) = match request.target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (request.target.as_str(), None),
    };
    let path = match tidy(path) {
        Ok(path) => path,
        Err(fault) => return answered(fault.status().as_u16(), &fault.to_string()),
    };
    let asked = Asked::new(&request.host, &path, &method, &headers);
    let choice = routes.choose(&asked);
    let mut explanation = told(&choice, &request.host);
    let Some((app, _)) = choice.app else { return explanation };
    let Some(entry) = choice.chosen() else {
        explanation.answer = Some(match app.allow(&asked) {
            Some(allow) => decision(format!("405, Allow: {allow}"), [format!("no route here is for {method}")]),
            None => decision("404", ["no route is for this request"]),
        });
        return explanation;
    };
    let mount = entry.route.path.matches(&path).map_or(0, |matched| matched.mount);
    let address = Address { tls: request.tls, host: &request.host, path: &path, query, mount };
    explanation.answer = entry.elsewhere(&address, https_port).map(|(status, location)| {
        let is_redirect = matches!(entry.route.to, Target::Redirect(_)) && (request.tls || !entry.route.https);
        let why = if is_redirect { "the route is a redirect" } else { "the route is for https alone" };
        decision(format!("{} {location}", status.as_u16()), [why])
    });
    let is_answered = explanation.answer.is_some() || matches!(entry.route.to, Target::Static { .. });
    if !is_answered {
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        let key = cache_key(entry, request.tls, &request.host, &format!("{path}{query}"));
        let (method, headers) = (&method, &headers);
        let default_lifetime = entry.route.cache;
        explanation.cache = match is_cache_off(entry) {
            true => Some(decision("not used", ["the route says so"])),
            false => behind.cache(CacheRequest { key, method, headers, for_peer: false, default_lifetime }),
        };
        explanation.instance = behind.instance(entry);
    }
    explanation.rules = entry.route.rules();
    explanation.path_for_target = entry.route.path_for_target(&path, mount);
    explanation
}

fn headers(pairs: &[(String, String)]) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(name.parse::<HeaderName>().ok()?, HeaderValue::from_str(value).ok()?);
    }
    Some(headers)
}

fn answered(status: u16, why: &str) -> Explanation {
    Explanation { answer: Some(decision(status.to_string(), [why])), ..Explanation::default() }
}

pub fn decision(result: impl Into<String>, because: impl IntoIterator<Item = impl Into<String>>) -> Decision {
    Decision { result: result.into(), because: because.into_iter().map(Into::into).collect() }
}

fn told(choice: &Choice<'_>, host: &str) -> Explanation {
    let Some((app, reason)) = &choice.app else {
        let why = if host.is_empty() { "no host is named".to_owned() } else { format!("no app is called {host}") };
        return Explanation { answer: Some(decision("404", [why])), ..Explanation::default() };
    };
    let chosen = choice.chosen();
    Explanation {
        app: Some(decision(&*app.app, [app_reason(*reason, host)])),
        route: chosen.map(|entry| decision(shown(entry), route_reasons(choice, entry))),
        others: choice.considered.iter().filter_map(other).collect(),
        elsewhere: choice.elsewhere,
        ..Explanation::default()
    }
}

fn app_reason(reason: AppReason, host: &str) -> String {
    match reason {
        AppReason::Named => format!("{host} is one of its hosts"),
        AppReason::Below => format!("{host} is below one of its hosts"),
        AppReason::Alone => format!("no app is called {host}, and there is no other app"),
        AppReason::Default => format!("{host} is an address, and this app was deployed first"),
    }
}

fn shown(entry: &RouteEntry) -> String {
    format!("{} -> {}", entry.route.asks(), entry.route.to)
}

fn route_reasons(choice: &Choice<'_>, entry: &RouteEntry) -> Vec<String> {
    let path = &entry.route.path;
    let mut reasons =
        vec![if path.prefix { format!("the path is below {path}") } else { "it is this path".to_owned() }];
    if entry.route.host.is_some() {
        reasons.push("it is for this host".to_owned());
    }
    if !entry.route.methods.is_empty() {
        reasons.push(format!("it is for {}", entry.route.methods.join(", ")));
    }
    reasons.extend(entry.route.match_headers.iter().map(|(name, value)| format!("the header {name} is {value}")));
    reasons.extend(choice.second().map(|second| before(entry, second)));
    reasons
}

/// Why it is tried before another one that would do as well.
fn before(entry: &RouteEntry, second: &RouteEntry) -> String {
    let (own, other) = (entry.route.precedence(), second.route.precedence());
    if own == other {
        return format!("it stands before {} in the manifest", shown(second));
    }
    if entry.route.path == second.route.path {
        return format!("it asks for more than {}", shown(second));
    }
    format!("its path says more than {}", second.route.path)
}

fn other(considered: &Considered<'_>) -> Option<OtherRoute> {
    let entry = considered.entry;
    let because = match &considered.passed {
        Passed::Chosen => return None,
        Passed::Next => "asked if there is no such file".to_owned(),
        Passed::After => "comes after it".to_owned(),
        Passed::Host => "is for another host".to_owned(),
        Passed::Method => format!("is for {} only", entry.route.methods.join(", ")),
        Passed::Header { name, wanted, found: None } => format!("wants the header {name}: {wanted}"),
        Passed::Header { name, wanted, found: Some(found) } => {
            format!("wants the header {name}: {wanted}, which is {found}")
        }
    };
    Some(OtherRoute { asks: entry.route.asks(), to: entry.route.to.to_string(), because })
}

#[cfg(test)]
mod tests;
