//! What can be typed after `ringway ring`.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use ringway_manifest::Bytes;

const LOOKUP_EXAMPLES: &str = "\
Examples:
  ringway ring lookup cart:42
  ringway ring lookup cart:42 --via fingers --from n3
  ringway ring lookup cart:42 --via all --bucket shop.cart
  ringway ring lookup cart:42 --via fingers --walk virtual
  ringway ring lookup --sample 1000 --via fingers --json";

const PLAN_EXAMPLES: &str = "\
Examples:
  ringway ring plan --join 2
  ringway ring plan --leave n3
  ringway ring plan --kill n2 --json";

const SET_EXAMPLES: &str = "\
Examples:
  ringway ring set
  ringway ring set --replace-after 2m
  ringway ring set --transfer-rate 64MiB";

#[derive(Debug, Args)]
pub struct RingArgs {
    #[command(subcommand)]
    pub command: Option<RingCommand>,
    /// Follow joins, leaves and transfers as they happen, until Ctrl-C; not on a terminal: a line for each change
    #[arg(long, short)]
    pub watch: bool,
}

#[derive(Debug, Subcommand)]
pub enum RingCommand {
    /// Walk to the owner of a key, node by node over the network, and time each step
    #[command(after_help = LOOKUP_EXAMPLES)]
    Lookup(LookupArgs),
    /// Show what a change of the ring would move, and change nothing
    #[command(after_help = PLAN_EXAMPLES)]
    Plan(RingPlanArgs),
    /// Change settings of the ring; without flags, show them
    #[command(after_help = SET_EXAMPLES)]
    Set(RingSetArgs),
    /// Stop what moves: every partition stays where it answers now
    #[command(
        after_help = "Examples:\n  ringway ring cancel\n  ringway ring rebalance    later: even it out after all"
    )]
    Cancel,
    /// Even the ring out, as after a cancelled change
    #[command(after_help = "Examples:\n  ringway ring rebalance")]
    Rebalance,
}

#[derive(Debug, Args)]
pub struct LookupArgs {
    /// The key
    #[arg(required_unless_present = "sample")]
    pub key: Option<String>,
    /// How the nodes on the way know where to go; all compares them [default: table, in a peer-to-peer ring fingers]
    #[arg(long, value_enum)]
    pub via: Option<ViaArg>,
    /// Node at which the walk begins [default: the one that is asked]
    #[arg(long, value_name = "NODE")]
    pub from: Option<String>,
    /// Bucket of the key: for its replica count, and the key index
    #[arg(long)]
    pub bucket: Option<String>,
    /// node: with all that a node's virtual nodes know together; virtual: the textbook's walk, from virtual node to virtual node
    #[arg(long, value_enum, default_value = "node")]
    pub walk: WalkArg,
    /// Look up so many keys drawn by lot instead, and sum up
    #[arg(long, value_name = "COUNT", conflicts_with = "key", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub sample: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ViaArg {
    Index,
    Table,
    Neighbours,
    Fingers,
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WalkArg {
    Node,
    Virtual,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub struct RingPlanArgs {
    /// So many new nodes join
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub join: Option<u16>,
    /// A node leaves: hands over what it has, then goes
    #[arg(long, value_name = "NODE")]
    pub leave: Vec<String>,
    /// A node dies and stays dead
    #[arg(long, value_name = "NODE")]
    pub kill: Vec<String>,
}

#[derive(Debug, Args)]
pub struct RingSetArgs {
    /// How long a node may be down before its partitions get copies elsewhere
    #[arg(long, value_name = "TIME", value_parser = super::duration)]
    pub replace_after: Option<Duration>,
    /// How much each node may fetch in a second while the ring moves
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub transfer_rate: Option<Bytes>,
}

impl ViaArg {
    pub const EACH: [Self; 4] = [Self::Index, Self::Table, Self::Neighbours, Self::Fingers];

    pub fn word(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Table => "table",
            Self::Neighbours => "neighbours",
            Self::Fingers => "fingers",
            Self::All => "all",
        }
    }
}

impl WalkArg {
    pub fn word(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Virtual => "virtual",
        }
    }
}

fn size(text: &str) -> Result<Bytes, String> {
    text.trim_end_matches("/s").parse::<Bytes>().map_err(|error| error.to_string())
}
