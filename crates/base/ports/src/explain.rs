//! Port: from the admin API to the front end: what would become of a request, and why. Nothing is sent anywhere.

use serde::{Deserialize, Serialize};

/// A request that somebody wonders about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainRequest {
    #[serde(default = "get")]
    pub method: String,
    #[serde(default)]
    pub tls: bool,
    /// Without the port.
    #[serde(default)]
    pub host: String,
    /// Path and query, as a client would send them.
    #[serde(default)]
    pub target: String,
    #[serde(default)]
    pub headers: Vec<(String, String)>,
}

/// From the outside in. What is not asked any more because the answer is found before is not there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The app that the host leads to.
    pub app: Option<Decision>,
    /// Its first route for the request.
    pub route: Option<Decision>,
    /// The other routes for this path, in the order in which they are tried.
    #[serde(default)]
    pub others: Vec<OtherRoute>,
    /// Routes of the app that are for other paths.
    #[serde(default)]
    pub elsewhere: usize,
    /// What the route says beside where it leads.
    #[serde(default)]
    pub rules: Vec<String>,
    /// The path that the target sees, if it is another one.
    #[serde(default)]
    pub path_for_target: Option<String>,
    /// The front end answers by itself: a redirect, or why there is nothing.
    pub answer: Option<Decision>,
    pub cache: Option<Decision>,
    pub instance: Option<Decision>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    pub result: String,
    /// Why, in the order of the thought.
    pub because: Vec<String>,
}

/// A route that it is not, or not at first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherRoute {
    /// `GET shop.test/api/* x-beta=1`
    pub asks: String,
    pub to: String,
    pub because: String,
}

fn get() -> String {
    "GET".to_owned()
}

pub trait Explain: Send + Sync {
    fn explain(&self, request: &ExplainRequest) -> Explanation;
}
