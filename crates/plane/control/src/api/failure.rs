//! Core: what the API says when it does not do what was asked.

use ringway_manifest::Fault;
use serde::{Deserialize, Serialize};

/// The body of every answer from 400 up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub error: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// What is wrong with a manifest (422).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<FaultView>,
}

/// A fault of a manifest, in parts and as a person reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultView {
    #[serde(flatten)]
    pub fault: Fault,
    /// The whole of it with file, line and the line itself, over several lines.
    pub text: String,
}

impl From<Fault> for FaultView {
    fn from(fault: Fault) -> Self {
        Self { text: fault.to_string(), fault }
    }
}
