//! core: a service: a process of the app that listens on `$PORT` and stays.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::duration;

/// One `[service.NAME]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// The command line that starts an instance.
    pub run: String,
    /// A command run in the app directory before it is packed.
    #[serde(default)]
    pub build: Option<String>,
    /// What its instances speak.
    #[serde(default)]
    pub protocol: Protocol,
    /// A path that answers 2xx when the instance works. None: it works when it accepts a connection.
    #[serde(default)]
    pub health: Option<String>,
    #[serde(default)]
    pub replicas: Replicas,
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Until an instance must be healthy.
    #[serde(default = "start_timeout", with = "duration::as_ms")]
    pub start_timeout: Duration,
    /// Between being asked to stop and being killed.
    #[serde(default = "stop_timeout", with = "duration::as_ms")]
    pub stop_timeout: Duration,
    /// With `min = 0`: how long without a request until the last instance goes.
    #[serde(default = "idle", with = "duration::as_ms")]
    pub idle: Duration,
    /// Instances get `DATABASE_URL`. Where the manifest does not say: whether it has a `[database]`.
    #[serde(default)]
    pub database: bool,
}

/// What is spoken with the instances of a service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Protocol {
    #[default]
    Http1,
    /// HTTP/2 without TLS, with prior knowledge (RFC 9113, 3.3): for gRPC.
    H2c,
}

/// How many instances there may be. 0 at least: the first request starts one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replicas {
    pub min: u32,
    pub max: u32,
}

impl Service {
    /// A service with nothing but a command.
    pub fn new(run: impl Into<String>) -> Service {
        Service {
            run: run.into(),
            build: None,
            protocol: Protocol::default(),
            health: None,
            replicas: Replicas::default(),
            env: BTreeMap::new(),
            start_timeout: start_timeout(),
            stop_timeout: stop_timeout(),
            idle: idle(),
            database: false,
        }
    }
}

impl Protocol {
    pub const ALL: [Protocol; 2] = [Protocol::Http1, Protocol::H2c];
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Protocol::Http1 => "http1",
            Protocol::H2c => "h2c",
        })
    }
}

impl Default for Replicas {
    fn default() -> Replicas {
        Replicas { min: 1, max: 1 }
    }
}

impl fmt::Display for Replicas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.min == self.max { write!(f, "{}", self.min) } else { write!(f, "{}..{}", self.min, self.max) }
    }
}

fn start_timeout() -> Duration {
    Duration::from_secs(10)
}

fn stop_timeout() -> Duration {
    Duration::from_secs(10)
}

fn idle() -> Duration {
    Duration::from_secs(60)
}
