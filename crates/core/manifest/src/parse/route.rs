//! core: reads `[[route]]`.

use std::collections::BTreeMap;

use super::Names;
use super::report::Span;
use super::section::Section;
use super::values::{check_header, check_host};
use crate::guess::closest;
use crate::invalid::Invalid;
use crate::manifest::Manifest;
use crate::path_pattern::PathPattern;
use crate::relative_path::relative_path;
use crate::route::{Route, Target};

/// What was seen of a host and path last: whether a further route may follow, and where it stands.
type Seen = BTreeMap<(Option<String>, PathPattern), (bool, Span)>;

/// `manifest`: what was read before, with the app's name and hosts.
pub(super) fn read_all(top: &mut Section<'_, '_>, names: &Names<'_>, manifest: &Manifest) -> Vec<Route> {
    let mut routes = Vec::new();
    let mut seen = Seen::new();
    top.each("route", |mut section| {
        let route = read(&mut section, names);
        if let Some(route) = &route {
            report_duplicate(&mut section, route, &mut seen);
            report_unheard(&mut section, route, manifest);
        }
        section.finish();
        routes.extend(route);
    });
    routes
}

fn read(section: &mut Section<'_, '_>, names: &Names<'_>) -> Option<Route> {
    section.require("path", "\"/\"");
    section.require("to", "\"static:public\"");
    let to = section.read("to", "a string such as \"static:public\"", |text| read_target(text, names));
    section.remember("to");
    let tree = matches!(to, Some(Target::Static { .. } | Target::Cgi { .. }));
    let path = section.read("path", "a path such as \"/a/*\"", |text| PathPattern::parse(text, tree));
    let host = section.read("host", "a string", |host| check_host(host).map(|()| host.to_owned()));
    let strip = section.flag("strip").unwrap_or(false);
    let fallthrough = section.flag("fallthrough").unwrap_or(false);
    let body_max = section.bytes("body_max");
    let timeout = section.timeout("timeout");
    let headers = section.string_map("headers", check_header);
    let cache = section.duration("cache");
    let route = Route { path: path?, host, to: to?, strip, fallthrough, body_max, timeout, headers, cache };
    report_pointless(section, &route);
    Some(route)
}

fn read_target(text: &str, names: &Names<'_>) -> Result<Target, Invalid> {
    match text.split_once(':') {
        Some(("static", dir)) => Ok(Target::Static { dir: relative_path(dir)? }),
        Some(("cgi", path)) => Ok(Target::Cgi { path: relative_path(path)? }),
        Some((kind, rest)) => Err(unknown_kind(text, kind, rest)),
        None if names.services.contains(&text) => Ok(Target::Service(text.to_owned())),
        None if names.functions.contains(&text) => Ok(Target::Function(text.to_owned())),
        None => Err(unknown_name(text, names)),
    }
}

fn unknown_kind(text: &str, kind: &str, rest: &str) -> Invalid {
    let help = match kind {
        "service" | "function" | "wasm" | "lambda" => {
            format!("services and functions go by their name alone: `{rest}`")
        }
        "http" | "https" => {
            "a route leads to what the app has: `static:DIR`, `cgi:PATH`, a service or a function".to_owned()
        }
        _ => match closest(kind, ["static", "cgi"]) {
            Some(meant) => format!("did you mean `{meant}:{rest}`?"),
            None => "there are `static:DIR`, `cgi:PATH`, and the names of services and functions".to_owned(),
        },
    };
    Invalid::new(format!("`{text}` leads to an unknown kind of target")).help(help)
}

fn unknown_name(text: &str, names: &Names<'_>) -> Invalid {
    let all = || names.services.iter().chain(&names.functions).copied();
    let help = match (closest(text, all()), all().next()) {
        (Some(meant), _) => format!("did you mean `{meant}`?"),
        (None, Some(_)) => {
            let list: Vec<String> = all().map(|name| format!("`{name}`")).collect();
            format!("there are {}; a directory of files is `static:{text}`", list.join(", "))
        }
        (None, None) => {
            format!("add `[service.{text}]` or `[function.{text}]`; a directory of files is `static:{text}`")
        }
    };
    Invalid::new(format!("no service or function is called `{text}`")).help(help)
}

fn report_duplicate(section: &mut Section<'_, '_>, route: &Route, seen: &mut Seen) {
    let span = section.span_of("path");
    let key = (route.host.clone(), route.path.clone());
    if let Some((false, earlier)) = seen.get(&key) {
        let line = section.report.line(earlier);
        let message = format!("the route `{}` is on line {line} already", route.path);
        let help = "remove one; only after a static route with `fallthrough = true` the same path may come again";
        section.fault("path", Invalid::new(message).help(help));
    }
    seen.insert(key, (route.fallthrough, span));
}

/// A host that the app is not asked for.
fn report_unheard(section: &mut Section<'_, '_>, route: &Route, manifest: &Manifest) {
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

/// Keys that do nothing for this kind of target.
fn report_pointless(section: &mut Section<'_, '_>, route: &Route) {
    let is_static = matches!(route.to, Target::Static { .. });
    if route.fallthrough && !is_static {
        let message = format!("`fallthrough` on a route to `{}`, which answers everything itself", route.to);
        section.fault("fallthrough", Invalid::new(message).help("only static routes can pass on what is not a file"));
    }
    if route.cache.is_some() && !is_static {
        let message = format!("`cache` has no effect on a route to `{}`", route.to);
        section.warn("cache", Invalid::new(message).help("let the answer say it: `Cache-Control: public, max-age=…`"));
    }
    if route.strip && !matches!(route.to, Target::Service(_) | Target::Function(_)) {
        let message =
            format!("`strip` has no effect on a route to `{}`, which is mounted at its path anyway", route.to);
        section.warn("strip", Invalid::new(message));
    }
    if is_static && !route.path.prefix {
        let message = format!("the route `{}` to a directory is for that path alone", route.path);
        section.warn("path", Invalid::new(message).help(format!("write `{}/*` for everything in it", route.path)));
    }
}
