//! Ports: the small traits through which tiers and planes meet. Contracts only; the node wires implementations to them.
//!
//! A tier knows the others by these alone, so each can be tested with a stand-in of a few lines, and a crate that implements a
//! port can be rebuilt without its users.

pub mod blobs;
pub mod body;
pub mod control_log;
pub mod explain;
pub mod http_cache;
pub mod instances;
pub mod invoke;
pub mod kv;
pub mod lookups;
pub mod membership;
pub mod memcache_doors;
pub mod peers;
pub mod placement;
pub mod ring;
pub mod telemetry;

pub use blobs::{BlobError, Blobs};
pub use body::{Body, BodyError, empty, full};
pub use control_log::{ControlLog, ProposeError};
pub use explain::{Decision, Explain, ExplainRequest, Explanation, OtherRoute};
pub use http_cache::{
    Answered, CacheEntry, CacheKey, CacheRequest, CacheStats, Fetch, Hit, HitKind, HttpCache, Looked, Purge, Purged,
    StoredResponse, Waited,
};
pub use instances::{InstanceState, InstanceView, Instances, LogLine, LogStream};
pub use invoke::{Invocation, Invoke, InvokeError, Lease, Work};
pub use kv::{
    BigKey, ChangesFrom, Existing, HotKey, Kv, KvChange, KvChanges, KvError, KvKind, KvPage, KvPattern, KvRecord,
    KvRecords, KvStats, KvTop, KvValue,
};
pub use lookups::{LookupError, LookupWish, Lookups, Stop, Walk, Walked};
pub use membership::{Membership, Reach};
pub use memcache_doors::{MemcacheDoors, NoMemcacheDoors};
pub use peers::{PeerError, PeerHandler, PeerStream, Peers, Priority, Service};
pub use placement::Placement;
pub use ring::{Ring, RingError, VirtualNodeView};
pub use telemetry::{NoTelemetry, SpanKind, SpanRecord, SpanStatus, Telemetry};
