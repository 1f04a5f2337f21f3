//! core: a route: which requests go where, and under which limits.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::balance::{Balance, Hedge};
use crate::bytes::Bytes;
use crate::cache_key::CacheKeyRule;
use crate::diff::rules;
use crate::duration;
use crate::header_match::HeaderMatch;
use crate::immutable::Immutable;
use crate::path_pattern::PathPattern;
use crate::path_template::PathTemplate;
use crate::rate_limit::RateLimit;
use crate::redirect::Redirect;

/// One `[[route]]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Route {
    pub path: PathPattern,
    /// Only requests for this host, lower case; `*.example.org` is every name below. None: every host of the app.
    #[serde(default)]
    pub host: Option<String>,
    /// Only requests with one of these methods, upper case; GET means HEAD too. Empty: with any.
    #[serde(default)]
    pub methods: Vec<String>,
    /// Only requests with all of these headers; names in lower case.
    #[serde(default)]
    pub match_headers: BTreeMap<String, HeaderMatch>,
    pub to: Target,
    /// What came without TLS is sent to the same address with it.
    #[serde(default)]
    pub https: bool,
    /// Take the matched prefix off the path before the target sees it (services and functions; static files and CGI
    /// are mounted at it in any case).
    #[serde(default)]
    pub strip: bool,
    /// The path that the target sees in the place of the one that was asked for (services and functions).
    #[serde(default)]
    pub rewrite: Option<PathTemplate>,
    /// Static only: what is not a file goes on to the next route that matches, instead of 404.
    #[serde(default)]
    pub fallthrough: bool,
    /// Static only: a browser that navigates to what is not a file gets `index.html`.
    #[serde(default)]
    pub spa: bool,
    /// Static only: which files never change under their name.
    #[serde(default)]
    pub immutable: Option<Immutable>,
    /// Longest request body. None: the platform's default.
    #[serde(default)]
    pub body_max: Option<Bytes>,
    /// Longest time until the answer begins. None: the platform's default.
    #[serde(default, with = "duration::as_ms_option")]
    pub timeout: Option<Duration>,
    /// Above it: 429.
    #[serde(default)]
    pub rate_limit: Option<RateLimit>,
    /// Requests of this route at once, on one node. Above it: 503.
    #[serde(default)]
    pub in_flight_max: Option<u32>,
    /// Set on every request before the target sees it; an empty value takes the header away.
    #[serde(default)]
    pub request_headers: BTreeMap<String, String>,
    /// Set on every answer; an empty value takes the header away.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Static: `Cache-Control: public, max-age=…`. Others: how long an answer is kept that does not say it itself.
    #[serde(default, with = "duration::as_ms_option")]
    pub cache: Option<Duration>,
    /// `cache = "off"`. Static: `Cache-Control: no-store`. Others: no answer is kept, whatever it says.
    #[serde(default)]
    pub cache_off: bool,
    /// Which requests get the same kept answer. None: those for the same address and query.
    #[serde(default)]
    pub cache_key: Option<CacheKeyRule>,
    /// Services only. None: the platform's default, least loaded.
    #[serde(default)]
    pub balance: Option<Balance>,
    /// Services only: how often a request that may be repeated is sent again, to another instance if there is one. None: the
    /// platform's default.
    #[serde(default)]
    pub retries: Option<u32>,
    /// Services only.
    #[serde(default)]
    pub hedge: Option<Hedge>,
}

/// Where a route leads. Paths are relative to the app directory, tidy, and never lead out of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// `static:DIR`
    Static { dir: String },
    /// `cgi:PATH`, a directory of scripts or one script.
    Cgi { path: String },
    /// The name of a service.
    Service(String),
    /// The name of a function.
    Function(String),
    /// Another address, for the client to ask.
    Redirect(Redirect),
}

impl Route {
    /// A route with nothing special.
    pub fn new(path: PathPattern, to: Target) -> Route {
        Route {
            path,
            host: None,
            methods: Vec::new(),
            match_headers: BTreeMap::new(),
            to,
            https: false,
            strip: false,
            rewrite: None,
            fallthrough: false,
            spa: false,
            immutable: None,
            body_max: None,
            timeout: None,
            rate_limit: None,
            in_flight_max: None,
            request_headers: BTreeMap::new(),
            headers: BTreeMap::new(),
            cache: None,
            cache_off: false,
            cache_key: None,
            balance: None,
            retries: None,
            hedge: None,
        }
    }
}

impl Route {
    /// Whether it is for one method. GET means HEAD too.
    pub fn takes_method(&self, method: &str) -> bool {
        let named = |method: &str| self.methods.iter().any(|own| own == method);
        self.methods.is_empty() || named(method) || (method == "HEAD" && named("GET"))
    }

    /// What it is for, on one line: `GET,POST shop.example.org/api/* x-beta=1`.
    pub fn asks(&self) -> String {
        let mut text = String::new();
        if !self.methods.is_empty() {
            text = format!("{} ", self.methods.join(","));
        }
        text += &format!("{}{}", self.host.as_deref().unwrap_or(""), self.path);
        for (name, value) in &self.match_headers {
            text += &format!(" {name}={value}");
        }
        text
    }

    /// What it says beside which requests it is for and where it leads: `timeout 30s`.
    pub fn rules(&self) -> Vec<String> {
        rules(self)
    }

    /// Whether the path that the target sees is not the one that was asked for, and which it is. `mount`: how much of the path
    /// the route matched.
    pub fn path_for_target(&self, path: &str, mount: usize) -> Option<String> {
        let rest = path.get(mount..).unwrap_or_default();
        if let Some(template) = &self.rewrite {
            return Some(template.fill(rest));
        }
        let is_stripped = self.strip && matches!(self.to, Target::Service(_) | Target::Function(_));
        is_stripped.then(|| if rest.starts_with('/') { rest.to_owned() } else { format!("/{rest}") })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Static { dir } => write!(f, "static:{dir}"),
            Target::Cgi { path } => write!(f, "cgi:{path}"),
            Target::Service(name) | Target::Function(name) => f.write_str(name),
            Target::Redirect(redirect) => redirect.fmt(f),
        }
    }
}
