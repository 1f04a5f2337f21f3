//! What can be typed after `ringway cache`.

use clap::{Args, Subcommand};

pub const EXAMPLES: &str = "\
Examples:
  ringway cache stats
  ringway cache ls shop.example/products
  ringway cache purge https://shop.example/products/7
  ringway cache purge 'shop.example/products/*'
  ringway cache purge --tag shop product-7";

#[derive(Debug, Args)]
pub struct CacheArgs {
    #[command(subcommand)]
    pub command: CacheCommand,
}

#[derive(Debug, Subcommand)]
pub enum CacheCommand {
    /// Show hits and misses, what is stored, and what that has saved, node by node
    #[command(after_help = "Examples:\n  ringway cache stats\n  ringway cache stats --json")]
    Stats,
    /// List what is stored, the most used first
    #[command(
        after_help = "Examples:\n  ringway cache ls\n  ringway cache ls shop.example/products -n 20\n  ringway cache ls --json"
    )]
    Ls(CacheLsArgs),
    /// Forget responses on all nodes: of addresses, of a tag, of an app, or all
    #[command(
        after_help = "Examples:\n  ringway cache purge https://shop.example/products/7 shop.example/\n  ringway cache purge 'shop.example/products/*'\n  ringway cache purge --tag shop product-7\n  ringway cache purge --app shop\n  ringway cache purge --all"
    )]
    Purge(PurgeArgs),
}

#[derive(Debug, Args)]
pub struct CacheLsArgs {
    /// Only addresses that contain this
    #[arg(default_value = "")]
    pub pattern: String,
    /// How many at most
    #[arg(short = 'n', long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub count: u64,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct PurgeArgs {
    /// Addresses, over both schemes; with a `*` at its end: all that begin so
    #[arg(value_name = "URL")]
    pub urls: Vec<String>,
    /// All answers of an app that name this tag (Cache-Tag)
    #[arg(long, num_args = 2, value_names = ["APP", "TAG"])]
    pub tag: Option<Vec<String>>,
    /// All answers of an app
    #[arg(long, value_name = "APP")]
    pub app: Option<String>,
    /// Everything
    #[arg(long)]
    pub all: bool,
}
