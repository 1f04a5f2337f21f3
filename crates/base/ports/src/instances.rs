//! Port: what runs on this node, for `ringway ps`, `ringway logs` and the console.

use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstanceState {
    /// Declared, nothing runs.
    Cold,
    Starting,
    /// Ready, and served something lately.
    Warm,
    Busy,
    /// Ready and unused; will be reaped.
    Idle,
    /// Told to stop, finishing.
    Stopping,
    /// Exited by itself; waits before it is started again.
    BackingOff,
}

/// One instance, or one cold function with `id` empty.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InstanceView {
    pub app: String,
    pub release: u64,
    /// Service or function name.
    pub unit: String,
    /// `service`, `lambda`, `wasm` or `cgi`.
    pub kind: String,
    /// `shop/catalog#2`
    pub id: String,
    pub state: InstanceState,
    pub pid: Option<u32>,
    pub port: Option<u16>,
    pub in_flight: usize,
    pub requests: u64,
    pub restarts: u64,
    pub started_ms: u64,
    /// Why it is in this state, in words, if there is something to say: `exited with status 1 (3 times), next start in 4s`.
    pub note: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogStream {
    Out,
    Err,
    /// Said by Ringway about the instance: started, exited, killed.
    Platform,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LogLine {
    pub at_ms: u64,
    pub app: String,
    pub unit: String,
    pub instance: String,
    pub stream: LogStream,
    pub text: String,
}

pub trait Instances: Send + Sync {
    fn list(&self) -> Vec<InstanceView>;

    /// The last `lines` log lines of an app (bounded by what is kept), oldest first.
    fn recent_logs(&self, app: &str, lines: usize) -> Vec<LogLine>;

    /// Log lines of all apps from now on. A slow reader loses lines and is told how many.
    fn follow_logs(&self) -> broadcast::Receiver<LogLine>;
}
