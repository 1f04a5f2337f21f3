//! core: the manifest `ringway.toml`, what an app is made of, and what is wrong with a manifest that cannot be used.
//!
//! A manifest is read like a careful colleague reads a form: to the end, noting *everything* that is wrong, each time
//! with the line and what to write instead. So the text goes through `toml`'s spanned tree and is walked by hand
//! ([`parse`]), because a derive stops at the first fault and knows no "did you mean".
//!
//! A directory without a manifest is understood from what lies in it ([`infer`]). What changed between two
//! manifests is told by [`diff`]. Nothing here opens a file: texts and listings are handed in, and whether the files a
//! manifest names are really there is asked with a listing too ([`Parsed::check_files`]).
//!
//! A [`Manifest`] is plain data and travels as JSON; whoever deserialises one gets it as it was, unchecked. Only
//! [`parse`] and [`infer`] make valid ones. No secrets belong in a manifest: it is stored and shown in clear.

mod balance;
mod bucket;
mod bytes;
mod cache_key;
mod check_files;
mod database;
mod diff;
mod duration;
mod fault;
mod function;
mod guess;
mod header_match;
mod immutable;
mod infer;
mod invalid;
mod listing;
mod manifest;
mod name;
mod parse;
mod path_pattern;
mod path_template;
mod precedence;
mod procfile;
mod rate_limit;
mod redirect;
mod relative_path;
mod route;
mod routing_table;
mod service;
mod token;

pub use balance::{Balance, HashBy, Hedge};
pub use bucket::{Bucket, BucketFault, Consistency, Durability, Storage};
pub use bytes::Bytes;
pub use cache_key::{CacheKeyRule, QueryRule};
pub use check_files::{FileKind, FileNeeded};
pub use database::{Database, DatabaseEngine};
pub use diff::{Change, ChangeKind, diff};
pub use duration::{parse_duration, show_duration};
pub use fault::{Fault, Faults, Place};
pub use function::{Function, FunctionRun};
pub use header_match::HeaderMatch;
pub use immutable::Immutable;
pub use infer::infer;
pub use invalid::Invalid;
pub use listing::Entry;
pub use manifest::Manifest;
pub use name::check_name;
pub use parse::{Parsed, TEXT_LEN_MAX, parse};
pub use path_pattern::{Match, PathPattern};
pub use path_template::PathTemplate;
pub use precedence::Precedence;
pub use rate_limit::{Per, RateLimit};
pub use redirect::Redirect;
pub use route::{Route, Target};
pub use routing_table::{RoutingRow, RoutingTable};
pub use service::{Protocol, Replicas, Service};

/// The file an app's manifest is in.
pub const FILE_NAME: &str = "ringway.toml";

/// The commented starter manifest that `ringway init` writes. Lines that start with `#` and no blank are examples: they
/// are valid when the sign is taken away.
pub const TEMPLATE: &str = include_str!("template.toml");
