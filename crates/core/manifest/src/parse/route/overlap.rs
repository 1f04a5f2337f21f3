//! core: routes that take each other's requests, or get none.

use std::collections::BTreeMap;

use crate::header_match::HeaderMatch;
use crate::invalid::Invalid;
use crate::manifest::Manifest;
use crate::parse::report::{Report, Span};
use crate::parse::section::Section;
use crate::path_pattern::PathPattern;
use crate::route::{Route, Target};

/// What a route is for.
type Asks = (Option<String>, PathPattern, Vec<String>, BTreeMap<String, HeaderMatch>);

/// What was seen of it last: whether a further route may follow, and where it stands.
pub(super) type Seen = BTreeMap<Asks, (bool, Span)>;

pub(super) fn report_duplicate(section: &mut Section<'_, '_>, route: &Route, seen: &mut Seen) {
    let span = section.span_of("path");
    let key = (route.host.clone(), route.path.clone(), route.methods.clone(), route.match_headers.clone());
    if let Some((false, earlier)) = seen.get(&key) {
        let line = section.report.line(earlier);
        let message = format!("the route `{}` is on line {line} already", route.path);
        let help = "remove one, or tell them apart by `host`, `methods` or `match_headers`; only after a static route with \
                    `fallthrough = true` the same may come again";
        section.fault("path", Invalid::new(message).help(help));
    }
    seen.insert(key, (route.fallthrough, span));
}

/// A host that the app is not asked for.
pub(super) fn report_unheard(section: &mut Section<'_, '_>, route: &Route, manifest: &Manifest) {
    let Some(host) = route.host.as_deref() else { return };
    if !is_heard(host, manifest) {
        let message = format!("no request gets here: host `{host}` is not among the app's `hosts`");
        let help =
            format!("add `{host}` to `hosts`: without that, only an app that is the only one deployed is asked for it");
        section.warn("host", Invalid::new(message).help(help));
    }
}

/// Whether a request for that host, or for one that the pattern means, may come to the app.
fn is_heard(host: &str, manifest: &Manifest) -> bool {
    let is_address = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok();
    let own = format!("{}.localhost", manifest.name);
    let meets = |own: &str| is_within(host, own) || is_within(own, host);
    is_address || meets(&own) || manifest.hosts.iter().any(|own| meets(own))
}

/// Whether a host is the other one or, if that begins with `*.`, below it.
fn is_within(host: &str, pattern: &str) -> bool {
    let below = |suffix: &str| host.len() > suffix.len() && host.ends_with(suffix);
    host == pattern || pattern.strip_prefix('*').is_some_and(below)
}

/// A redirect to what is redirected again and again. Only those without conditions are looked at: others may be meant so.
pub(super) fn report_loops(report: &mut Report, routes: &[(Route, Span)]) {
    for (at, (route, span)) in routes.iter().enumerate() {
        let Target::Redirect(redirect) = &route.to else { continue };
        let location = redirect.to.fill("");
        if !location.starts_with('/') || !route.methods.is_empty() || !route.match_headers.is_empty() {
            continue;
        }
        let path = location.split(['?', '#']).next().unwrap_or_default();
        let next = routes.iter().enumerate().filter(|(_, (other, _))| {
            (other.host.is_none() || other.host == route.host) && other.path.matches(path).is_some()
        });
        let first = next.max_by_key(|(_, (other, _))| (other.path.specificity(), other.host.is_some()));
        if first.is_some_and(|(next, _)| next == at) {
            let message = format!("`redirect` in [[route]]: `{}` leads to this route again", redirect.to);
            report.warn(
                span,
                Invalid::new(message).help("browsers give up after some rounds: let it lead to another route"),
            );
        }
    }
}
