//! core: what an app is made of.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::bucket::Bucket;
use crate::database::Database;
use crate::function::Function;
use crate::route::Route;
use crate::service::Service;

/// An app, as its `ringway.toml` describes it. A route's target always exists in one made by [`crate::parse`] or
/// [`crate::infer`]; no service has a function's name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    pub name: String,
    /// Host names of the app, lower case; `*.example.org` is every name below. Empty: the platform decides.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// A command run in the app directory before it is packed.
    #[serde(default)]
    pub build: Option<String>,
    /// Environment of every instance. A service's or function's own wins.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// In the manifest's order. The same host and path may occur again after a route with `fallthrough`.
    #[serde(default)]
    pub routes: Vec<Route>,
    #[serde(default)]
    pub services: BTreeMap<String, Service>,
    #[serde(default)]
    pub functions: BTreeMap<String, Function>,
    #[serde(default)]
    pub buckets: BTreeMap<String, Bucket>,
    #[serde(default)]
    pub database: Option<Database>,
}

impl Manifest {
    /// An app that is nothing yet.
    pub fn new(name: impl Into<String>) -> Manifest {
        Manifest {
            name: name.into(),
            hosts: Vec::new(),
            build: None,
            env: BTreeMap::new(),
            routes: Vec::new(),
            services: BTreeMap::new(),
            functions: BTreeMap::new(),
            buckets: BTreeMap::new(),
            database: None,
        }
    }
}
