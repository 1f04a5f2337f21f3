//! core: the routes of an app as they take effect, for `ringway plan`.

use serde::{Deserialize, Serialize};

use crate::manifest::Manifest;

/// One app's routes, in the order in which they are tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoutingTable {
    pub app: String,
    /// The hosts that lead to the app.
    pub hosts: Vec<String>,
    pub rows: Vec<RoutingRow>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoutingRow {
    pub path: String,
    /// None: any of the app's.
    pub host: Option<String>,
    /// Empty: any.
    pub methods: Vec<String>,
    /// What is asked of headers: `x-beta=1`.
    pub headers: Vec<String>,
    pub to: String,
    /// Everything else that it says: `timeout 30s`.
    pub rules: Vec<String>,
}

impl Manifest {
    pub fn routing_table(&self) -> RoutingTable {
        let own = format!("{}.localhost", self.name);
        let mut routes: Vec<_> = self.routes.iter().collect();
        routes.sort_by_key(|route| std::cmp::Reverse(route.precedence()));
        let row = |route: &&crate::Route| RoutingRow {
            path: route.path.to_string(),
            host: route.host.clone(),
            methods: route.methods.clone(),
            headers: route.match_headers.iter().map(|(name, value)| format!("{name}={value}")).collect(),
            to: route.to.to_string(),
            rules: route.rules(),
        };
        RoutingTable {
            app: self.name.clone(),
            hosts: self.hosts.iter().cloned().chain([own]).collect(),
            rows: routes.iter().map(row).collect(),
        }
    }
}

#[cfg(test)]
mod tests;
