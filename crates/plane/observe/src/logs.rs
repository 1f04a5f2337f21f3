//! Driver: the process's log, one line an event on standard error, as text or as JSON.

use std::io::IsTerminal;
use std::str::FromStr;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::Error;

/// The environment variable that goes before the configured level.
pub const FILTER_VARIABLE: &str = "RINGWAY_LOG";

/// Libraries whose `info` is about themselves; put after a bare level, so that `debug` means ours.
const QUIET: &str = "openraft=error,foca=warn,fjall=warn,lsm_tree=warn,hyper=warn,hyper_util=warn,h2=warn,rustls=warn,\
                     wasmtime=warn,wasmtime_wasi=warn,cranelift=warn,opentelemetry=warn,opentelemetry_sdk=warn,\
                     opentelemetry-otlp=warn,opentelemetry-http=warn";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people; coloured on a terminal.
    #[default]
    Text,
    /// One object a line.
    Json,
}

#[derive(Clone, Debug)]
pub struct LogConfig {
    pub format: LogFormat,
    /// A level (`info`) or a whole filter (`info,ringway_data=debug`).
    pub filter: String,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Text, filter: "info".to_owned() }
    }
}

impl LogConfig {
    /// This configuration, or what [`FILTER_VARIABLE`] says instead of its filter.
    pub fn or_env(mut self, variable: impl Fn(&str) -> Option<String>) -> Self {
        if let Some(filter) = variable(FILTER_VARIABLE).filter(|filter| !filter.is_empty()) {
            self.filter = filter;
        }
        self
    }
}

impl FromStr for LogFormat {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(Error::BadSetting {
                variable: "log format",
                value: text.to_owned(),
                help: "write `text` or `json`",
            }),
        }
    }
}

/// Sets the process's log up. Once; the second call is an error.
pub fn init_logs(config: &LogConfig) -> Result<(), Error> {
    let registry = tracing_subscriber::registry().with(filter(&config.filter)?);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let done = match config.format {
        LogFormat::Text => registry.with(lines.with_ansi(std::io::stderr().is_terminal())).try_init(),
        LogFormat::Json => registry.with(lines.json().flatten_event(true)).try_init(),
    };
    done.map_err(|_| Error::LogsSetUp)
}

fn filter(text: &str) -> Result<EnvFilter, Error> {
    let is_bare_level = !text.contains(['=', ',', '[']);
    let whole = if is_bare_level { format!("{text},{QUIET}") } else { text.to_owned() };
    let bad = |reason: String| Error::BadFilter { filter: text.to_owned(), reason };
    if is_bare_level && text.parse::<tracing::metadata::LevelFilter>().is_err() {
        return Err(bad("it is not a level".to_owned()));
    }
    EnvFilter::try_new(whole).map_err(|error| bad(error.to_string()))
}

#[cfg(test)]
mod tests;
