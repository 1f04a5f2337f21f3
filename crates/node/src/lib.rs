//! One node, wired: the only place that knows every part. Builds them in order, stops them in reverse.
//!
//! ```text
//!   spawner → logs, metrics → data directory → doors → cluster → data → cache → wasm, app → front → control → ready
//! ```

mod admin_file;
mod compose;
mod config;
mod data_dir;
mod doors;
mod error;
mod open_files;
mod ready;
mod run_node;

pub use admin_file::{ADMIN_FILE, AdminFile};
pub use config::{Config, LOCAL_AUTHORITY_FILE, Listen, Start, TlsFiles};
pub use error::Error;
pub use ready::Ready;
pub use ringway_cache::config::MEMORY_MAX_DEFAULT as CACHE_MEMORY_DEFAULT;
pub use ringway_observe::LogFormat;
pub use run_node::run_node;
