//! core: reads `[[route]]`.

mod overlap;
mod pointless;
mod target;

use toml::de::DeValue;

use self::overlap::Seen;
use super::Names;
use super::section::Section;
use super::values::{check_header, check_header_name, check_host, check_method, check_request_header};
use crate::balance::Hedge;
use crate::cache_key::{CacheKeyRule, QueryRule};
use crate::duration::parse_duration;
use crate::header_match::HeaderMatch;
use crate::immutable::Immutable;
use crate::invalid::Invalid;
use crate::manifest::Manifest;
use crate::path_pattern::PathPattern;
use crate::path_template::PathTemplate;
use crate::rate_limit::RateLimit;
use crate::route::{Route, Target};

const IN_FLIGHT_MAX: u32 = 1_000_000;
/// More only adds to the trouble that made them necessary.
const RETRIES_MAX: u32 = 5;

/// `manifest`: what was read before, with the app's name and hosts.
pub(super) fn read_all(top: &mut Section<'_, '_>, names: &Names<'_>, manifest: &Manifest) -> Vec<Route> {
    let mut routes = Vec::new();
    let mut seen = Seen::new();
    top.each("route", |mut section| {
        let route = read(&mut section, names);
        if let Some(route) = &route {
            overlap::report_duplicate(&mut section, route, &mut seen);
            overlap::report_unheard(&mut section, route, manifest);
        }
        let span = section.span_of("redirect");
        section.finish();
        routes.extend(route.map(|route| (route, span)));
    });
    overlap::report_loops(top.report, &routes);
    routes.into_iter().map(|(route, _)| route).collect()
}

fn read(section: &mut Section<'_, '_>, names: &Names<'_>) -> Option<Route> {
    section.require("path", "\"/\"");
    let to = target::read(section, names);
    let tree = matches!(to, Some(Target::Static { .. } | Target::Cgi { .. }));
    let path = section.read("path", "a path such as \"/a/*\"", |text| PathPattern::parse(text, tree));
    // What is read below must be read in any case, so that its faults are told along with the others.
    let mut route =
        Route::new(PathPattern { path: String::new(), prefix: true }, Target::Static { dir: String::new() });
    read_conditions(section, &mut route);
    read_paths(section, &mut route);
    read_limits(section, &mut route);
    read_headers(section, &mut route);
    read_caching(section, &mut route);
    read_balancing(section, &mut route);
    let route = Route { path: path?, to: to?, ..route };
    pointless::report(section, &route);
    Some(route)
}

fn read_conditions(section: &mut Section<'_, '_>, route: &mut Route) {
    route.host = section.read("host", "a string", |host| check_host(host).map(|()| host.to_owned()));
    route.methods = section.strings("methods", check_method);
    route.methods.sort();
    route.methods.dedup();
    if section.peek("methods").and_then(DeValue::as_array).is_some_and(|methods| methods.is_empty()) {
        let message = format!("`methods`{} is empty: no request would get here", section.place());
        section.fault("methods", Invalid::new(message).help("leave it out for any method"));
    }
    let check = |name: &str, value: &str| check_header_name(name).and_then(|()| HeaderMatch::parse(value).map(drop));
    let texts = section.string_map("match_headers", check);
    let lower = |(name, value): (String, String)| Some((name.to_ascii_lowercase(), HeaderMatch::parse(&value).ok()?));
    route.match_headers = texts.into_iter().filter_map(lower).collect();
    route.https = section.flag("https").unwrap_or(false);
}

fn read_paths(section: &mut Section<'_, '_>, route: &mut Route) {
    route.strip = section.flag("strip").unwrap_or(false);
    route.rewrite = section.read("rewrite", "a path such as \"/internal/*\"", PathTemplate::parse);
    route.fallthrough = section.flag("fallthrough").unwrap_or(false);
    route.spa = section.flag("spa").unwrap_or(false);
    section.remember("spa");
    route.immutable = match section.peek("immutable") {
        Some(DeValue::Boolean(_)) => section.flag("immutable").and_then(|is| is.then_some(Immutable::Hashed)),
        _ => section.read("immutable", "true or a pattern such as \"assets/*\"", Immutable::parse),
    };
}

fn read_limits(section: &mut Section<'_, '_>, route: &mut Route) {
    route.body_max = section.bytes("body_max");
    route.timeout = section.timeout("timeout");
    route.rate_limit = read_rate_limit(section);
    route.in_flight_max = section.count("in_flight_max", 1..=IN_FLIGHT_MAX);
}

fn read_rate_limit(section: &mut Section<'_, '_>) -> Option<RateLimit> {
    let per_second = section.count("requests_per_second", 1..=RateLimit::PER_SECOND_MAX);
    let burst = section.count("burst", 1..=RateLimit::PER_SECOND_MAX);
    let per = section.read("per", "a word in quotes", str::parse);
    if !section.has("requests_per_second") {
        for key in ["burst", "per"].into_iter().filter(|key| section.has(key)).collect::<Vec<_>>() {
            let message = format!("`{key}`{} without `requests_per_second`", section.place());
            section.fault(key, Invalid::new(message).help("add `requests_per_second = 10`"));
        }
    }
    let per_second = per_second?;
    Some(RateLimit { per_second, burst: burst.unwrap_or(per_second), per: per.unwrap_or_default() })
}

fn read_headers(section: &mut Section<'_, '_>, route: &mut Route) {
    route.request_headers = section.string_map("request_headers", check_request_header);
    route.headers = section.string_map("headers", check_header);
}

fn read_caching(section: &mut Section<'_, '_>, route: &mut Route) {
    let cache = section.read("cache", "\"off\" or a duration such as \"10s\"", |text| match text {
        "off" => Ok(None),
        text => parse_duration(text).map(Some),
    });
    route.cache_off = cache == Some(None);
    route.cache = cache.flatten();
    route.cache_key = read_cache_key(section);
}

fn read_cache_key(section: &mut Section<'_, '_>) -> Option<CacheKeyRule> {
    let mut table = section.section("cache_key", "a table such as `{ query = [\"page\"] }`")?;
    let query = match table.peek("query") {
        Some(DeValue::String(_)) => table.read("query", "`\"none\"` or an array of names", |text| match text {
            "none" => Ok(QueryRule::None),
            "all" => Ok(QueryRule::All),
            name => Err(Invalid::new(format!("`{}` is neither `none` nor `all`", name.escape_debug()))
                .help(format!("names of parameters stand in an array: `query = [\"{}\"]`", name.escape_debug()))),
        }),
        Some(_) => Some(QueryRule::Only(table.strings("query", check_parameter))),
        None => None,
    };
    let headers = table.strings("headers", check_header_name).iter().map(|name| name.to_ascii_lowercase()).collect();
    table.finish();
    Some(CacheKeyRule { query: query.unwrap_or_default(), headers })
}

fn check_parameter(name: &str) -> Result<(), Invalid> {
    let is_sound = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && !b"&=#".contains(&byte));
    if is_sound { Ok(()) } else { Err(Invalid::new(format!("`{}` is no parameter's name", name.escape_debug()))) }
}

fn read_balancing(section: &mut Section<'_, '_>, route: &mut Route) {
    route.balance = section.read("balance", "a word in quotes", str::parse);
    route.retries = section.count("retries", 0..=RETRIES_MAX);
    route.hedge = match section.peek("hedge") {
        Some(DeValue::Boolean(_)) => section.flag("hedge").and_then(|is| is.then_some(Hedge::Auto)),
        _ => section.read("hedge", "true or a duration such as \"50ms\"", Hedge::parse),
    };
}
