//! Driver: takes every address before anything else is built, so that one in use stops the start and not a half-built node.

use std::net::{IpAddr, SocketAddr, TcpListener};

use ringway_catalog::Addresses;
use ringway_rt::net::{ListenError, listen};

use crate::{Error, Listen};

/// The node's listeners. The front end makes its own, one a thread; its addresses were tried and are free.
pub struct Doors {
    pub peer: TcpListener,
    pub admin: TcpListener,
    pub redis: Option<TcpListener>,
    pub memcache: Option<TcpListener>,
    pub http: Option<SocketAddr>,
    pub https: Option<SocketAddr>,
}

impl Doors {
    /// Takes all, or tells of every one that cannot be had.
    pub fn open(wanted: &Listen) -> Result<Self, Error> {
        let mut faults = Vec::new();
        let mut take = |what, address: Option<SocketAddr>, option| {
            let taken = address.map(|address| listen(what, address, option, false));
            taken.and_then(|taken| taken.map_err(|fault| faults.push(fault)).ok())
        };
        let peer = take("the peer door", Some(wanted.peer), "--peer");
        let admin = take("the console", Some(wanted.admin), "--admin-listen");
        let redis = take("the Redis door", wanted.redis, "--redis");
        let memcache = take("the memcached door", wanted.memcache, "--memcache");
        let http = take("the front end", wanted.http, "--http");
        let https = take("the front end (TLS)", wanted.https, "--https");
        let address = |listener: Option<TcpListener>| listener.and_then(|listener| listener.local_addr().ok());
        match (peer, admin, faults) {
            (Some(peer), Some(admin), faults) if faults.is_empty() => {
                Ok(Self { peer, admin, redis, memcache, http: address(http), https: address(https) })
            }
            (_, _, faults) => Err(Error::Doors(faults)),
        }
    }

    /// How others reach them; `advertise` stands for a wildcard address.
    pub fn addresses(&self, advertise: Option<IpAddr>) -> Result<Addresses, Error> {
        let own = |listener: &TcpListener| listener.local_addr().map_err(Error::Socket);
        let seen = |address: SocketAddr| match advertise {
            Some(ip) if address.ip().is_unspecified() => SocketAddr::new(ip, address.port()),
            _ => address,
        };
        Ok(Addresses {
            peer: seen(own(&self.peer)?),
            admin: own(&self.admin)?,
            http: self.http.map(seen),
            https: self.https.map(seen),
            redis: self.redis.as_ref().map(own).transpose()?.map(seen),
        })
    }
}

/// All faults, one a line.
pub fn show(faults: &[ListenError]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
