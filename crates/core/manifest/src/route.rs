//! core: a route: which requests go where, and under which limits.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::bytes::Bytes;
use crate::duration;
use crate::path_pattern::PathPattern;

/// One `[[route]]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Route {
    pub path: PathPattern,
    /// Only requests for this host, lower case; `*.example.org` is every name below. None: every host of the app.
    #[serde(default)]
    pub host: Option<String>,
    pub to: Target,
    /// Take the matched prefix off the path before the target sees it (services and functions; static files and CGI
    /// are mounted at it in any case).
    #[serde(default)]
    pub strip: bool,
    /// Static only: what is not a file goes on to the next route that matches, instead of 404.
    #[serde(default)]
    pub fallthrough: bool,
    /// Longest request body. None: the platform's default.
    #[serde(default)]
    pub body_max: Option<Bytes>,
    /// Longest time until the answer begins. None: the platform's default.
    #[serde(default, with = "duration::as_ms_option")]
    pub timeout: Option<Duration>,
    /// Set on every answer.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Static only: `Cache-Control: public, max-age=…`.
    #[serde(default, with = "duration::as_ms_option")]
    pub cache: Option<Duration>,
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
}

impl Route {
    /// A route with nothing special.
    pub fn new(path: PathPattern, to: Target) -> Route {
        Route {
            path,
            host: None,
            to,
            strip: false,
            fallthrough: false,
            body_max: None,
            timeout: None,
            headers: BTreeMap::new(),
            cache: None,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Static { dir } => write!(f, "static:{dir}"),
            Target::Cgi { path } => write!(f, "cgi:{path}"),
            Target::Service(name) | Target::Function(name) => f.write_str(name),
        }
    }
}
