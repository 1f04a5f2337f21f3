//! Driver: the buckets' own doors on this node. One is opened when its address is first asked for, and closed when the bucket is gone
//! or has another token.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use ringway_catalog::{Catalog, Secret};
use ringway_ports::MemcacheDoors;
use ringway_rt::net::listen;
use tokio::net::TcpListener;
use tracing::{info, warn};

use super::address::address;
use super::{Access, run};
use crate::DataTier;

/// Addresses that are tried for a bucket.
const ATTEMPTS_MAX: u8 = 8;
/// Doors of buckets on one node; each holds an open file.
const DOORS_MAX: usize = 1024;

/// Which doors are open.
#[derive(Debug, Default)]
pub(crate) struct BucketDoors(Mutex<HashMap<String, BucketDoor>>);

#[derive(Clone, Debug)]
struct BucketDoor {
    address: SocketAddr,
    token: Secret,
}

impl MemcacheDoors for DataTier {
    fn address(&self, bucket: &str) -> Option<SocketAddr> {
        self.me.upgrade()?.memcache_address(bucket)
    }
}

impl DataTier {
    fn memcache_address(self: &Arc<Self>, bucket: &str) -> Option<SocketAddr> {
        let catalog = self.view().catalog.clone();
        let token = &catalog.buckets.get(bucket)?.token;
        let mut doors = self.bucket_doors.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(door) = doors.get(bucket).filter(|door| door.token == *token) {
            return Some(door.address);
        }
        if doors.len() >= DOORS_MAX {
            warn!(bucket, doors = DOORS_MAX, "memcached door not opened: too many");
            return None;
        }
        let (listener, address) = self.take_address(bucket, token)?;
        doors.insert(bucket.to_owned(), BucketDoor { address, token: token.clone() });
        drop(doors);
        let (tier, name, token) = (self.clone(), bucket.to_owned(), token.clone());
        self.tasks.spawn("memcached bucket door", async move {
            let access = Access::Bucket(name.as_str().into());
            let mut catalogs = tier.catalog_changes();
            let is_gone = catalogs.wait_for(|catalog| !is_open_to(catalog, &name, &token));
            tokio::select! {
                () = run(tier.clone(), listener, access) => {}
                _ = is_gone => {}
            }
            tier.bucket_doors.close(&name, &token);
        });
        info!(bucket, "memcached door opened");
        Some(address)
    }

    fn take_address(&self, bucket: &str, token: &Secret) -> Option<(TcpListener, SocketAddr)> {
        let mut failure = None;
        for attempt in 0..ATTEMPTS_MAX {
            let address = address(token, bucket, self.own, attempt);
            let taken = listen("the bucket's memcached door", address, "", false).map_err(|fault| fault.to_string());
            match taken.and_then(|taken| TcpListener::from_std(taken).map_err(|fault| fault.to_string())) {
                Ok(listener) => return Some((listener, address)),
                Err(fault) => failure = Some(fault),
            }
        }
        warn!(bucket, error = failure, "memcached door could not be opened");
        None
    }
}

impl BucketDoors {
    fn close(&self, bucket: &str, token: &Secret) {
        let mut doors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if doors.get(bucket).is_some_and(|door| door.token == *token) {
            doors.remove(bucket);
        }
    }
}

fn is_open_to(catalog: &Catalog, bucket: &str, token: &Secret) -> bool {
    catalog.buckets.get(bucket).is_some_and(|bucket| bucket.token == *token)
}
