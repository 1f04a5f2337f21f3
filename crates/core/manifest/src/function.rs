//! core: a function: instances start on a request, are reused, and go when idle.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::bytes::Bytes;
use crate::duration;

/// One `[function.NAME]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Function {
    pub run: FunctionRun,
    /// A command run in the app directory before it is packed.
    #[serde(default)]
    pub build: Option<String>,
    /// Of one invocation.
    #[serde(default = "timeout", with = "duration::as_ms")]
    pub timeout: Duration,
    /// Of one instance.
    #[serde(default = "memory")]
    pub memory: Bytes,
    /// Invocations at once in one instance.
    #[serde(default = "concurrency")]
    pub concurrency: u32,
    /// How long without an invocation until an instance goes.
    #[serde(default = "idle", with = "duration::as_ms")]
    pub idle: Duration,
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// On one node.
    #[serde(default = "instances_max")]
    pub instances_max: u32,
}

/// What an instance runs: exactly one of the keys `wasm`, `lambda`, `cgi`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FunctionRun {
    /// A WebAssembly component of the `wasi:http/proxy` world.
    Wasm { file: String },
    /// A process that speaks the AWS Lambda runtime API.
    Lambda { command: String },
    /// A CGI script: one process per invocation.
    Cgi { script: String },
}

impl FunctionRun {
    /// What one instance usually bears: a component is cheap to enter again, the others take one event at a time.
    pub(crate) fn concurrency(&self) -> u32 {
        match self {
            FunctionRun::Wasm { .. } => 16,
            FunctionRun::Lambda { .. } | FunctionRun::Cgi { .. } => concurrency(),
        }
    }
}

impl Function {
    /// A function with nothing special.
    pub fn new(run: FunctionRun) -> Function {
        Function {
            concurrency: run.concurrency(),
            run,
            build: None,
            timeout: timeout(),
            memory: memory(),
            idle: idle(),
            env: BTreeMap::new(),
            instances_max: instances_max(),
        }
    }
}

impl fmt::Display for FunctionRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FunctionRun::Wasm { file } => write!(f, "wasm {file}"),
            FunctionRun::Lambda { command } => write!(f, "lambda {command}"),
            FunctionRun::Cgi { script } => write!(f, "cgi {script}"),
        }
    }
}

fn timeout() -> Duration {
    Duration::from_secs(10)
}

fn memory() -> Bytes {
    Bytes::mb(128)
}

fn concurrency() -> u32 {
    1
}

fn idle() -> Duration {
    Duration::from_secs(30)
}

fn instances_max() -> u32 {
    16
}
