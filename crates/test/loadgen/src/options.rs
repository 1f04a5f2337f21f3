//! What the user asks for.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Result, ensure};
use clap::{Parser, Subcommand, ValueEnum};

/// Keys are `key:` and twelve digits.
pub const KEYS_MAX: u32 = u32::MAX;
const PIPE_MAX: usize = 1 << 14;
const VALUE_LEN_MAX: usize = 64 << 20;

/// A load generator for Redis and memcached servers: what an operation costs the server, and how long it takes
#[derive(Parser)]
#[command(name = "ringway-loadgen", version, subcommand_negates_reqs = true, args_conflicts_with_subcommands = true)]
pub struct Options {
    #[command(subcommand)]
    pub role: Option<Role>,
    /// Where the server listens; several share the connections
    #[arg(long, value_delimiter = ',', required = true)]
    pub addr: Vec<SocketAddr>,
    /// Language of the server
    #[arg(long, value_enum, default_value_t = Proto::Resp)]
    pub proto: Proto,
    #[arg(long, default_value_t = 50)]
    pub conns: usize,
    /// Requests that a connection sends at once
    #[arg(long, default_value_t = 1)]
    pub pipe: usize,
    /// Keys of one memcached get; each counts as an operation
    #[arg(long, default_value_t = 1)]
    pub multi: usize,
    /// How many keys there are, of 16 bytes
    #[arg(long, default_value_t = 1_000_000)]
    pub keys: u32,
    /// Bytes of a value
    #[arg(long, default_value_t = 64)]
    pub val: usize,
    /// Percent of the requests that are GETs; the others are SETs
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub get: u8,
    #[arg(long, value_enum, default_value_t = Dist::Uniform)]
    pub dist: Dist,
    /// Skew of zipf: below 1
    #[arg(long, default_value_t = 0.99)]
    pub theta: f64,
    /// Length of the measurement
    #[arg(long, default_value_t = 1.5)]
    pub secs: f64,
    /// Seconds of load before it
    #[arg(long, default_value_t = 0.5)]
    pub warmup: f64,
    /// Operations per second, by the clock; without it as many as the server can do
    #[arg(long)]
    pub rate: Option<f64>,
    /// Write each key once, and be done
    #[arg(long)]
    pub fill: bool,
    /// NAME:PASSWORD to begin every connection with
    #[arg(long)]
    pub auth: Option<String>,
    /// Ask CLUSTER SLOTS who has which keys, and send each there
    #[arg(long)]
    pub cluster: bool,
    /// Processes of the server
    #[arg(long, value_delimiter = ',')]
    pub pid: Vec<u32>,
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Name of the run in the output
    #[arg(long, default_value = "")]
    pub label: String,
    #[arg(long)]
    pub json: bool,
}

/// What it can be instead of a load generator.
#[derive(Subcommand)]
pub enum Role {
    /// An HTTP/1.1 server with prepared answers to /1k, /64k and /10m, in any directory; below /private/ no cache may keep them
    Upstream {
        /// Port 0: any free one; the first line of the output says which
        #[arg(long)]
        listen: SocketAddr,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Proto {
    /// Redis
    Resp,
    /// memcached, text
    Mc,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Dist {
    Uniform,
    Zipf,
}

impl Options {
    pub fn check(&self) -> Result<()> {
        ensure!((1..=65_536).contains(&self.conns), "--conns is 1 to 65536");
        ensure!((1..=PIPE_MAX).contains(&self.pipe), "--pipe is 1 to {PIPE_MAX}");
        ensure!(self.val <= VALUE_LEN_MAX, "--val is at most {VALUE_LEN_MAX}");
        ensure!(self.keys > 0 && self.keys < KEYS_MAX, "--keys is at least 1 and below {KEYS_MAX}");
        ensure!(self.theta > 0.0 && self.theta < 1.0, "--theta lies between 0 and 1");
        ensure!(self.secs > 0.0 && self.warmup >= 0.0, "--secs and --warmup are lengths of time");
        ensure!(self.rate.is_none_or(|rate| rate > 0.0), "--rate is more than nothing");
        ensure!((1..=1024).contains(&self.multi), "--multi is 1 to 1024");
        ensure!(self.multi == 1 || self.proto == Proto::Mc, "--multi is for memcached");
        ensure!(!self.cluster || self.proto == Proto::Resp, "--cluster is for Redis");
        ensure!(self.auth.as_ref().is_none_or(|auth| auth.contains(':')), "--auth is NAME:PASSWORD");
        Ok(())
    }

    /// Name and password.
    pub fn credentials(&self) -> Option<(&str, &str)> {
        self.auth.as_ref().and_then(|auth| auth.split_once(':'))
    }

    /// Between two batches, by the clock.
    pub fn interval(&self) -> Option<Duration> {
        self.rate.map(|rate| Duration::from_secs_f64((self.pipe * self.multi) as f64 / rate))
    }
}
