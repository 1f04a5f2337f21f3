//! Driver: the Redis door, and what it shares with memcached's ([`memcache`]). Clients begin as a task of their own ([`connection`]);
//! most go on in the lobby of a core ([`lobby`]).

mod accept;
mod batch;
mod blocking;
mod calm;
mod client;
mod cluster;
mod connection;
mod gather;
mod info;
mod input;
pub(crate) mod lobby;
mod local;
pub(crate) mod memcache;
mod output;
mod pace;
mod pubsub;
mod redirect;
mod scripting;
mod seen;
mod session;
mod task;
mod transaction;
mod turn;
mod whole;

use std::sync::Arc;

use tokio::net::TcpListener;

use crate::DataTier;
use crate::door::accept::Door;
use crate::door::client::Client;
use crate::door::session::Session;

pub(crate) async fn run(tier: Arc<DataTier>, listener: TcpListener) {
    // There from the start: a series that appears with the first client looks like a node that was not scraped before.
    metrics::gauge!("ringway_data_connections").set(0.0);
    let door = Door { name: "redis", refusal: b"-ERR max number of clients reached\r\n" };
    door.run(&tier, listener, |stream, opened| Ok(Client::Redis(Session::new(opened, stream.local_addr()?)))).await;
}
