//! What can be typed after `ringway bucket`.

use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use ringway_manifest::{Bytes, Durability, Storage};

use super::duration;

pub const EXAMPLES: &str = "\
Examples:
  ringway bucket create sessions --limit 256MB --ttl 7d
  ringway bucket create jobs --storage disk --durability sync --together
  ringway bucket info sessions
  ringway bucket set sessions --limit 1GB --ops-per-second 5000
  ringway bucket ls
  ringway bucket rm sessions

docs/buckets.md says what each setting means and what a bucket may lose.";

#[derive(Debug, Args)]
pub struct BucketArgs {
    #[command(subcommand)]
    pub command: BucketCommand,
}

#[derive(Debug, Subcommand)]
pub enum BucketCommand {
    /// Make a bucket
    #[command(
        after_help = "Examples:\n  ringway bucket create sessions --limit 256MB --ttl 7d\n  ringway bucket create jobs --storage disk --durability sync --together"
    )]
    Create(CreateArgs),
    /// List buckets with their sizes
    #[command(after_help = "Examples:\n  ringway bucket ls\n  ringway bucket ls --json")]
    Ls,
    /// Say what a bucket promises, what it may lose, and how it stands on every node
    #[command(
        after_help = "Examples:\n  ringway bucket info shop.cart\n  ringway bucket info shop.cart --json | jq .words"
    )]
    Info { name: String },
    /// Change settings of a bucket; what is in it stays
    #[command(
        after_help = "Examples:\n  ringway bucket set sessions --limit 1GB\n  ringway bucket set sessions --ttl none --ops-per-second 5000\n\nWhere its keys are (--storage, --together) is decided when a bucket is made."
    )]
    Set {
        name: String,
        #[command(flatten)]
        settings: SettingsArgs,
    },
    /// Delete a bucket and what is in it
    #[command(after_help = "Examples:\n  ringway bucket rm sessions\n  ringway bucket rm sessions --yes")]
    Rm {
        name: String,
        /// Yes, the data as well: do not ask
        #[arg(long, short)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
pub struct CreateArgs {
    pub name: String,
    #[command(flatten)]
    pub settings: SettingsArgs,
}

#[derive(Debug, Default, Args)]
pub struct SettingsArgs {
    /// Copies of each key, 1 to 3 [new: 3]
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=3))]
    pub replicas: Option<u8>,
    /// Where keys are kept; for good [new: memory]
    #[arg(long, value_parser = storage())]
    pub storage: Option<Storage>,
    /// On disk: what a write waits for. sync: the disk; batch: the operating system, and the disk has it within 5 ms; memory: nothing
    /// [new: batch]
    #[arg(long, value_parser = durability())]
    pub durability: Option<Durability>,
    /// All keys in one partition, so that transactions and scripts take any of them (job queues); for good
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub together: Option<bool>,
    /// Most bytes of one copy, over all nodes [new: 64MB]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub limit: Option<Bytes>,
    /// Forget keys after this long, unless they say otherwise; none: never [new: none]
    #[arg(long, value_name = "DURATION", value_parser = ttl)]
    pub ttl: Option<Ttl>,
    /// Most commands that each node takes from its clients in a second; 0: no limit [new: 0]
    #[arg(long, value_name = "COUNT")]
    pub ops_per_second: Option<u32>,
    /// Most client connections that each node takes; 0: no limit [new: 0]
    #[arg(long, value_name = "COUNT")]
    pub connections: Option<u32>,
}

/// None: keys stay. Not an `Option`, which the parser would take for a flag that may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ttl(pub Option<Duration>);

impl Ttl {
    /// 0: keys stay.
    pub fn ms(self) -> u64 {
        self.0.map_or(0, |ttl| ttl.as_millis() as u64)
    }
}

fn storage() -> impl TypedValueParser<Value = Storage> {
    PossibleValuesParser::new(["memory", "disk"]).map(|word| match word.as_str() {
        "disk" => Storage::Disk,
        _ => Storage::Memory,
    })
}

fn durability() -> impl TypedValueParser<Value = Durability> {
    PossibleValuesParser::new(["sync", "batch", "memory"]).map(|word| match word.as_str() {
        "sync" => Durability::Sync,
        "batch" => Durability::Batch,
        _ => Durability::Memory,
    })
}

fn size(text: &str) -> Result<Bytes, String> {
    text.parse::<Bytes>().map_err(|invalid| {
        let help = invalid.help.map(|help| format!(": {help}")).unwrap_or_default();
        format!("{}{help}", invalid.message)
    })
}

fn ttl(text: &str) -> Result<Ttl, String> {
    match text {
        "none" => Ok(Ttl(None)),
        text => duration(text).map(|ttl| Ttl(Some(ttl).filter(|ttl| !ttl.is_zero()))),
    }
}
