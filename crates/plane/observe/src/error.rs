//! Core: why something cannot be told the way it was asked for. All of it is known before the node serves anything.

use thiserror::Error;

#[derive(Debug, Error)]
pub enum Error {
    #[error("{variable}={value:?} cannot be used: {help}")]
    BadSetting { variable: &'static str, value: String, help: &'static str },
    #[error("the log filter {filter:?} cannot be used: {reason}; write `info` or `info,ringway_data=debug`")]
    BadFilter { filter: String, reason: String },
    #[error("logging is set up already in this process")]
    LogsSetUp,
    #[error("spans cannot be exported to {endpoint}: {reason}")]
    Exporter { endpoint: String, reason: String },
}
