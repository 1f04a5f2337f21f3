//! Real nodes and real clients for end-to-end tests: processes of the real binary on loopback addresses of their own.
//!
//! Each test cluster gets a random `127.x.y.0` network, so that tests run side by side with the default ports. Nothing here
//! sleeps for luck: [`wait`] polls a condition until a deadline and says what it waited for when it gives up.

pub mod http;
pub mod nodes;
pub mod programs;
pub mod resp;
pub mod scratch;
pub mod servers;
pub mod wait;

pub use http::{Answer, get, request};
pub use nodes::{Cluster, Node};
pub use programs::{Finished, run, run_in};
pub use resp::{Client, Reply};
pub use scratch::Scratch;
pub use servers::Server;
pub use wait::{wait, wait_for};
