//! Driver: the memcached door. Clients begin as a task of their own ([`connection`]); most go on in the lobby of a core
//! ([`super::lobby`]), beside those of Redis.
//!
//! Most clients of memcached cannot say who they are. So a door is either one bucket's, and whoever reaches it may use that
//! bucket, or it is everybody's, and then a client first has to store `BUCKET TOKEN` under any key, as with `memcached -Y`.

mod address;
pub(crate) mod addresses;
mod connection;
mod local;
mod session;
mod spread;
mod stats;
mod step;
mod whole;

use std::sync::Arc;

use tokio::net::TcpListener;

pub(super) use self::connection::serve;
pub(super) use self::local::{places_of, run_step};
pub(super) use self::session::Session;
pub(super) use self::step::Step;
use crate::DataTier;
use crate::door::accept::Door;
use crate::door::client::Client;

/// Whose door it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Of whoever reaches it.
    Bucket(Arc<str>),
    /// Of those who say a bucket's token.
    Token,
}

impl Access {
    /// Of this bucket, or of those who know a token.
    pub(crate) fn of(bucket: Option<&str>) -> Self {
        bucket.map_or(Access::Token, |name| Access::Bucket(name.into()))
    }
}

pub(crate) async fn run(tier: Arc<DataTier>, listener: TcpListener, access: Access) {
    let door = Door { name: "memcached", refusal: b"ERROR Too many open connections\r\n" };
    door.run(&tier, listener, |_, opened| Ok(Client::Memcached(Session::new(opened, access.clone())))).await;
}
