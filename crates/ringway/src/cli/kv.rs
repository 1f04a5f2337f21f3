//! What can be typed after `ringway kv`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueHint};

use super::duration;

pub const EXAMPLES: &str = "\
Examples:
  ringway kv set shop.cart hello world --ttl 1h
  ringway kv get shop.cart hello
  ringway kv scan shop.cart --match 'cart:*'
  ringway kv watch shop.cart 'cart:*'
  ringway kv export shop.cart -o cart.ndjson
  ringway kv import staging.cart cart.ndjson
  ringway kv top shop.cart
  ringway kv del shop.cart hello";

#[derive(Debug, Args)]
pub struct KvArgs {
    #[command(subcommand)]
    pub command: KvCommand,
}

#[derive(Debug, Subcommand)]
pub enum KvCommand {
    /// Print the value of a key, whatever its type
    #[command(
        after_help = "Examples:\n  ringway kv get shop.cart cart:17\n  ringway kv get shop.cart cart:17 --json\n  ringway kv get files logo.png > logo.png"
    )]
    Get {
        bucket: String,
        key: String,
        #[command(flatten)]
        form: KeyForm,
    },
    /// Set a key to a string; without a value, from standard input
    #[command(
        after_help = "Examples:\n  ringway kv set shop.cart hello world --ttl 1h\n  ringway kv set files logo.png < logo.png"
    )]
    Set {
        bucket: String,
        key: String,
        value: Option<String>,
        /// Forget it after this long
        #[arg(long, value_parser = duration)]
        ttl: Option<Duration>,
        #[command(flatten)]
        form: KeyForm,
    },
    /// Delete keys
    #[command(after_help = "Examples:\n  ringway kv del shop.cart cart:17 cart:18")]
    Del {
        bucket: String,
        #[arg(required = true)]
        keys: Vec<String>,
        #[command(flatten)]
        form: KeyForm,
    },
    /// List keys
    #[command(
        visible_alias = "keys",
        after_help = "Examples:\n  ringway kv scan shop.cart\n  ringway kv scan shop.cart --match 'cart:*' --limit 20"
    )]
    Scan(ScanArgs),
    /// Follow changes of a key, or of keys like a pattern, until Ctrl-C
    #[command(
        after_help = "Examples:\n  ringway kv watch shop.cart cart:17\n  ringway kv watch shop.cart 'cart:*'\n  ringway kv watch shop.cart '*' --json | jq -c '[.event, .key]'"
    )]
    Watch(WatchArgs),
    /// Write keys into a bucket that `ringway kv export` has read
    #[command(
        after_help = "Examples:\n  ringway kv import staging.cart cart.ndjson\n  zcat cart.ndjson.gz | ringway kv import staging.cart -\n  ringway kv import staging.cart cart.ndjson --keep\n\nEach key is replaced as a whole, so after an interruption the same command again is right. Dumps of Redis (RDB) are not read."
    )]
    Import(ImportArgs),
    /// Write all keys of a bucket as lines of JSON, with types and expiry
    #[command(
        after_help = "Examples:\n  ringway kv export shop.cart -o cart.ndjson\n  ringway kv export shop.cart -o cart.ndjson --resume\n  ringway kv export shop.cart | gzip > cart.ndjson.gz\n\nWhile the bucket changes, what is in one partition (1 of 4096) is from one moment, if it is below 1 MB; partitions are read one after\nthe other."
    )]
    Export(ExportArgs),
    /// Show which keys are used most and which are largest
    #[command(after_help = "Examples:\n  ringway kv top shop.cart\n  ringway kv top shop.cart --once --json")]
    Top(TopArgs),
}

#[derive(Debug, Clone, Copy, Args)]
pub struct KeyForm {
    /// Keys are given in base64, as `kv scan` shows those that are no text
    #[arg(long)]
    pub base64: bool,
}

#[derive(Debug, Args)]
pub struct ScanArgs {
    pub bucket: String,
    /// Only keys like this: * is any text, ? one character, [a-z] one of these
    #[arg(long = "match", value_name = "PATTERN")]
    pub pattern: Option<String>,
    /// At most this many
    #[arg(long, default_value_t = 1000)]
    pub limit: usize,
}

#[derive(Debug, Args)]
pub struct WatchArgs {
    pub bucket: String,
    /// A key, or a pattern if it has a *, ? or [
    #[arg(value_name = "KEY|PATTERN")]
    pub key: String,
    /// It is a key, whatever is in it
    #[arg(long)]
    pub exact: bool,
}

#[derive(Debug, Args)]
pub struct ImportArgs {
    pub bucket: String,
    /// Lines of JSON; - for standard input
    #[arg(default_value = "-", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Leave keys that are there as they are
    #[arg(long)]
    pub keep: bool,
    /// Begin with this line, as an interrupted import has told
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    pub from_line: u64,
}

#[derive(Debug, Args)]
pub struct ExportArgs {
    pub bucket: String,
    /// Where to; FILE.part until all is there [default: standard output]
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Go on with FILE.part of an interrupted export
    #[arg(long, requires = "output", conflicts_with = "force")]
    pub resume: bool,
    /// Replace what is there
    #[arg(long, requires = "output")]
    pub force: bool,
}

#[derive(Debug, Args)]
pub struct TopArgs {
    pub bucket: String,
    /// How many of each
    #[arg(long, short = 'n', default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=200))]
    pub count: u64,
    /// Print it once instead of again and again
    #[arg(long)]
    pub once: bool,
}
