//! Handlers, one file a resource: each reads its request, asks whom it has to, and says it in the API's words.

pub(crate) mod apps;
pub(crate) mod assets;
pub(crate) mod bucket_info;
pub(crate) mod buckets;
pub(crate) mod cache;
pub(crate) mod deploys;
pub(crate) mod health;
pub(crate) mod instances;
pub(crate) mod kv;
pub(crate) mod kv_lines;
pub(crate) mod kv_top;
pub(crate) mod kv_watch;
pub(crate) mod logs;
pub(crate) mod metrics;
pub(crate) mod nodes;
pub(crate) mod overview;
pub(crate) mod ring;
pub(crate) mod ring_lookup;
pub(crate) mod ring_plan;
pub(crate) mod ring_settings;
pub(crate) mod ring_watch;
pub(crate) mod routes;
pub(crate) mod status;
pub(crate) mod tokens;
pub(crate) mod why;
