//! Core: what the admin API says and hears, as JSON. The server writes these types and the command line reads them.
//!
//! Version 1: fields are added with `#[serde(default)]` and never change their meaning. Times are milliseconds since 1970.

pub mod apps;
pub mod buckets;
pub mod cache;
pub mod deploy;
pub mod failure;
pub mod instances;
pub mod kv;
pub mod kv_line;
pub mod kv_watch;
pub mod logs;
pub mod overview;
pub mod ring;
pub mod ring_plan;
pub mod status;
pub mod token;

pub use apps::{AppView, FunctionView, ReleaseView, RouteView, ServiceView};
pub use buckets::{BucketInfo, BucketOnNode, BucketView, BucketWords, ChangeBucket, CreateBucket, CreatedBucket};
pub use cache::{CacheEntries, CacheEntryView, CacheFigures, CacheOnNode, CacheView, PurgeWish, PurgedView};
pub use deploy::{Deployed, Health, NAME_HEADER, Plan, Rollback, RolledBack, UnitHealth};
pub use failure::{Failure, FaultView};
pub use instances::{InstanceEntry, NodeInstances, Ps};
pub use kv::{BigKeyView, HotKeyView, KvImported, KvKey, KvKeys, KvTopView};
pub use kv_line::{KvLine, LineError, RecordLine, Text, ValueLine};
pub use kv_watch::{KvSeen, WatchLine};
pub use logs::{LogEntry, Logs};
pub use overview::{Overview, RequestRates};
pub use ring::{
    Hop, KeysHeld, Lookup, LookupSample, Owner, RingArc, RingFrame, RingPlace, RingView, TransferView, WalkView,
};
pub use ring_plan::{CopiesLeft, KillPlan, Moved, PlanLoad, PlanMove, PlanNode, RingPlan, RingSettings, TakenOver};
pub use status::{Done, Moving, NodeRef, NodeView, Reach, RingSummary, ServerHealth, ShareView, Status};
pub use token::{IssueToken, IssuedToken};
