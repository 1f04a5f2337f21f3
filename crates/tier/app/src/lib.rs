//! Driver: the app tier. Runs what an app is made of: CGI scripts, services, and functions as WebAssembly components or as
//! processes that speak AWS Lambda's runtime API. Instances start on the first request, are used again, and go when idle.
//!
//! A request comes in through [`AppTier`] (the port `Invoke`) and goes to one of four drivers: `cgi.rs`, `wasm.rs` or
//! `lambda.rs` answer it; `service_group.rs` hands out the address of an instance instead. Processes are started by the
//! sandbox with exactly the environment of `environment.rs`, in the files that `release_dir.rs` has unpacked. What decides:
//! `pool.rs` (instances of a function), `supervise.rs` (one instance of a service), `placement.rs` (how many here).
//!
//! **Invariant**: an app's failure is its own. Whatever a script, function or service does (exit, hang, print garbage, ignore
//! signals), the request gets an `InvokeError` that says whose fault it was, and nothing else on the node is disturbed.
//!
//! It does *not* choose nodes for requests, scale with the load, limit memory or CPU of processes, or build apps.

mod app_tier;
mod cgi;
mod config;
mod environment;
mod function_pool;
mod health;
mod host;
mod instance_list;
mod lambda;
mod logs;
mod placement;
pub mod pool;
mod reconcile;
mod release_dir;
mod request_body;
mod runtime_api;
mod service_group;
mod service_instance;
pub mod supervise;
mod units;
mod wasm;

pub use app_tier::AppTier;
pub use config::{Config, Deps};
pub use placement::instances_here;
pub use release_dir::{ReleaseError, unpack};
