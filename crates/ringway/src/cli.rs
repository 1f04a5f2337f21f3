//! What can be typed: commands, flags, examples. Help and completions are made from these definitions.

mod bucket;
mod cache;
mod kv;
mod ring;
mod sim;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

pub use self::bucket::{BucketArgs, BucketCommand, CreateArgs, SettingsArgs};
pub use self::cache::{CacheArgs, CacheCommand, CacheLsArgs, PurgeArgs};
pub use self::kv::{ExportArgs, ImportArgs, KeyForm, KvArgs, KvCommand, ScanArgs, TopArgs, WatchArgs};
pub use self::ring::{LookupArgs, RingArgs, RingCommand, RingPlanArgs, RingSetArgs, ViaArg};
pub use self::sim::{SimArgs, SimCommand, SimRingArgs};

const AFTER_HELP: &str = "\
Start here:
  ringway dev examples/shop      one node on this machine, reloads on change
  ringway node                   a node that others can join
  ringway token                  what a second machine needs to join
  ringway deploy                 the app in this directory, to the cluster

Every command has examples: ringway COMMAND --help";

/// A web platform in one binary: point it at an app directory.
#[derive(Debug, Parser)]
#[command(name = "ringway", version, about, after_help = AFTER_HELP, max_term_width = 100, disable_help_subcommand = true)]
pub struct Cli {
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(subcommand)]
    pub command: Command,
}

/// Which node to ask, for the commands that ask one.
#[derive(Debug, Clone, Args)]
pub struct TargetArgs {
    /// Admin address of the node to ask, as http://ADDRESS, or a node's data directory [default: a node under ./.ringway]
    #[arg(long, global = true, env = "RINGWAY_ADMIN", value_name = "URL|DIR", hide_env_values = true)]
    pub admin: Option<String>,
    /// Admin token, if --admin is a URL [default: read from the node's data directory]
    #[arg(long, global = true, env = "RINGWAY_ADMIN_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub admin_token: Option<String>,
    /// Print JSON for scripts instead of text for people
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the app in a directory on one node, reload it on change, show its logs
    #[command(
        after_help = "Examples:\n  ringway dev\n  ringway dev examples/shop\n  ringway dev site --http 127.0.0.1:3000"
    )]
    Dev(DevArgs),
    /// Start a node: opens its data directory, or founds a new cluster of one
    #[command(after_help = NODE_EXAMPLES)]
    Node(NodeArgs),
    /// Make a token that lets one more node join
    #[command(
        after_help = "Examples:\n  ringway token\n  ringway token --ttl 10m\n  ssh other ringway join $(ringway token --quiet)"
    )]
    Token(TokenArgs),
    /// Join the cluster of a token and start the node (later: `ringway node`)
    #[command(
        after_help = "Examples:\n  ringway join rw1.AbC... --name n2 --bind 127.0.0.2\n\nThe token comes from `ringway token` on a node of the cluster; each admits one node."
    )]
    Join(JoinArgs),
    /// Hand the node's data to the others, then take it out of the cluster
    #[command(
        after_help = "Examples:\n  ringway leave\n  ringway --admin .ringway/n3 leave\n  ringway leave --dead n3"
    )]
    Leave(LeaveArgs),
    /// Write a starter ringway.toml
    #[command(after_help = "Examples:\n  ringway init\n  ringway init mysite")]
    Init(DirArgs),
    /// Show what a deploy would change and the routing table that comes out, and change nothing
    #[command(
        after_help = "Examples:\n  ringway plan\n  ringway plan examples/shop --json\n  ringway plan --app shop\n  ringway plan --all"
    )]
    Plan(PlanArgs),
    /// Say what becomes of a request: route, cache, instance, and why
    #[command(
        after_help = "Examples:\n  ringway why https://shop.localhost:8443/api/products\n  ringway why shop.localhost/login -X POST -H 'X-Beta: 1'\n  ringway why /cart --json"
    )]
    Why(WhyArgs),
    /// Print the certificate of the node's local CA, and how to trust it
    #[command(
        after_help = "Examples:\n  ringway ca\n  ringway ca --pem > ringway-ca.pem\n  curl --cacert <(ringway ca --pem) https://shop.localhost:8443/"
    )]
    Ca(CaArgs),
    /// Deploy the app in a directory
    #[command(after_help = "Examples:\n  ringway deploy\n  ringway deploy examples/shop\n  ringway deploy --no-build")]
    Deploy(DeployArgs),
    /// Go back to an earlier release of an app
    #[command(after_help = "Examples:\n  ringway rollback shop\n  ringway rollback shop --to 3")]
    Rollback(RollbackArgs),
    /// Take an app and its buckets away
    #[command(after_help = "Examples:\n  ringway remove shop --yes")]
    Remove(RemoveArgs),
    /// List the instances on all nodes
    #[command(after_help = "Examples:\n  ringway ps\n  ringway ps shop\n  ringway ps --json")]
    Ps(AppFilter),
    /// Show what an app's instances wrote
    #[command(after_help = "Examples:\n  ringway logs shop\n  ringway logs -f shop\n  ringway logs shop --lines 500")]
    Logs(LogsArgs),
    /// Show the cluster, its nodes and its apps
    #[command(after_help = "Examples:\n  ringway status\n  ringway status --json")]
    Status,
    /// Print the address of the console or of an app, and open it in a browser if there is one
    #[command(after_help = "Examples:\n  ringway open\n  ringway open shop\n  ringway open --print")]
    Open(OpenArgs),
    /// Print a line to try for each tier of an app: pages, services, functions, buckets
    #[command(after_help = "Examples:\n  ringway tour shop")]
    Tour(TourArgs),
    /// Draw the ring: nodes, virtual nodes, load, transfers; look keys up, plan changes
    #[command(
        after_help = "Examples:\n  ringway ring\n  ringway ring --watch\n  ringway ring lookup cart:42 --via fingers\n  ringway ring plan --join 2\n  ringway ring set --transfer-rate 64MiB"
    )]
    Ring(RingArgs),
    /// Simulate: the ring's own code at up to millions of nodes, in virtual time
    #[command(
        after_help = "Examples:\n  ringway sim ring --nodes 1000000 --routers all\n  ringway sim ring --nodes 100 --churn 1/s\n  ringway sim ring --placement all"
    )]
    Sim(SimArgs),
    /// Read, write, watch, copy the keys of a bucket; see which are used most
    #[command(after_help = kv::EXAMPLES, subcommand_required = true)]
    Kv(KvArgs),
    /// Make, list, look at, change and delete buckets
    #[command(after_help = bucket::EXAMPLES)]
    Bucket(BucketArgs),
    /// See what the HTTP cache has done and what is in it; have it forget
    #[command(after_help = cache::EXAMPLES)]
    Cache(CacheArgs),
    /// Print shell completions
    #[command(
        after_help = "Examples:\n  ringway completions bash > /etc/bash_completion.d/ringway\n  ringway completions zsh > ~/.zfunc/_ringway"
    )]
    Completions { shell: clap_complete::Shell },
}

const NODE_EXAMPLES: &str = "\
Examples:
  ringway node
  ringway node --name n2 --bind 127.0.0.2 --data .ringway/n2
  ringway node --ring chord
  ringway node --config /etc/ringway/node.toml

Settings come from the file, then the environment (RINGWAY_NAME, RINGWAY_HTTP, ...), then flags; later ones win.";

/// Settings of a node; each can also stand in the configuration file under its long name.
#[derive(Debug, Clone, Default, Args)]
pub struct NodeArgs {
    /// Configuration file (TOML)
    #[arg(long, env = "RINGWAY_CONFIG", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Name of the node, for people [default: the host's name]
    #[arg(long, env = "RINGWAY_NAME")]
    pub name: Option<String>,
    /// Where it keeps everything [default: ./.ringway/NAME]
    #[arg(long, env = "RINGWAY_DATA", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub data: Option<PathBuf>,
    /// Address for everything that has none of its own [default: 127.0.0.1]
    #[arg(long, env = "RINGWAY_BIND", value_name = "IP")]
    pub bind: Option<std::net::IpAddr>,
    /// Address under which the others reach this node, if --bind is a wildcard
    #[arg(long, env = "RINGWAY_ADVERTISE", value_name = "IP")]
    pub advertise: Option<std::net::IpAddr>,
    /// Front end, plain HTTP: ADDRESS:PORT, a port, or off [default: 8080]
    #[arg(long, env = "RINGWAY_HTTP", value_name = "ADDRESS")]
    pub http: Option<Door>,
    /// Front end, HTTPS [default: 8443]
    #[arg(long, env = "RINGWAY_HTTPS", value_name = "ADDRESS")]
    pub https: Option<Door>,
    /// Certificate chain for HTTPS (PEM) [default: one of a local CA, see `ringway ca`]
    #[arg(long, env = "RINGWAY_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Its private key (PEM)
    #[arg(long, env = "RINGWAY_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Directory of certificates for HTTPS, chosen by name and read again on change: NAME.pem + NAME.key, or as certbot lays them out
    #[arg(long, env = "RINGWAY_CERTS", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub certs: Option<PathBuf>,
    /// Redis protocol [default: 7379]
    #[arg(long, env = "RINGWAY_REDIS", value_name = "ADDRESS")]
    pub redis: Option<Door>,
    /// Tell Redis clients which node to ask (MOVED) instead of forwarding for them; for cluster clients only
    #[arg(long, env = "RINGWAY_REDIS_REDIRECT", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub redis_redirect: Option<bool>,
    /// memcached protocol, for clients that store `BUCKET TOKEN` first (as with memcached -Y); apps have their own [default: off]
    #[arg(long, env = "RINGWAY_MEMCACHE", value_name = "ADDRESS")]
    pub memcache: Option<Door>,
    /// Bucket that whoever reaches --memcache may use without saying a token; on a loopback address only
    #[arg(long, env = "RINGWAY_MEMCACHE_BUCKET", value_name = "BUCKET")]
    pub memcache_bucket: Option<String>,
    /// Memory for cached HTTP responses, or off [default: 256MiB]
    #[arg(long, env = "RINGWAY_CACHE_MEMORY", value_name = "SIZE", value_parser = memory)]
    pub cache_memory: Option<u64>,
    /// Console and admin API [default: 7400]
    #[arg(long = "admin-listen", env = "RINGWAY_ADMIN_LISTEN", value_name = "ADDRESS")]
    pub admin_listen: Option<Door>,
    /// Node to node [default: 7401]
    #[arg(long, env = "RINGWAY_PEER", value_name = "ADDRESS")]
    pub peer: Option<Door>,
    /// Zone (rack, data centre); replicas are spread over zones
    #[arg(long, env = "RINGWAY_ZONE")]
    pub zone: Option<String>,
    /// Share of the ring relative to other nodes [default: 1]
    #[arg(long, env = "RINGWAY_CAPACITY", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub capacity: Option<u32>,
    /// Ring of a cluster that this node founds: an agreed layout, or peer to peer (eventual buckets only) [default: managed]
    #[arg(long, env = "RINGWAY_RING", value_enum)]
    pub ring: Option<RingArg>,
    /// With --ring chord: virtual nodes that each node claims [default: 8]
    #[arg(long, env = "RINGWAY_VNODES", value_parser = clap::value_parser!(u8).range(1..=64))]
    pub vnodes: Option<u8>,
    /// Front-end threads [default: one per core]
    #[arg(long, env = "RINGWAY_THREADS")]
    pub threads: Option<usize>,
    /// How long a stop may take [default: 10s]
    #[arg(long, env = "RINGWAY_DRAIN", value_parser = duration)]
    pub drain: Option<Duration>,
    /// What to log: a level, or a filter like warn,ringway_front=debug [default: info]
    #[arg(long, env = "RINGWAY_LOG")]
    pub log: Option<String>,
    /// How to log
    #[arg(long, env = "RINGWAY_LOG_FORMAT", value_enum)]
    pub log_format: Option<LogFormatArg>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormatArg {
    Text,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RingArg {
    Managed,
    Chord,
}

/// `off`, a port, or a whole address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    Off,
    Port(u16),
    At(SocketAddr),
}

impl std::str::FromStr for Door {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self::Off);
        }
        let port = text.strip_prefix(':').unwrap_or(text).parse().map(Self::Port);
        port.or_else(|_| text.parse().map(Self::At)).map_err(|_| {
            format!("`{text}` is no address: write off, a port like 8080, or an address like 127.0.0.1:8080")
        })
    }
}

#[derive(Debug, Args)]
pub struct DevArgs {
    /// App directory
    #[arg(default_value = ".", value_hint = ValueHint::DirPath)]
    pub dir: PathBuf,
    #[command(flatten)]
    pub node: NodeArgs,
}

#[derive(Debug, Args)]
pub struct JoinArgs {
    /// What `ringway token` printed
    pub token: String,
    #[command(flatten)]
    pub node: NodeArgs,
}

#[derive(Debug, Args)]
pub struct TokenArgs {
    /// How long it is good for
    #[arg(long, default_value = "1h", value_parser = duration)]
    pub ttl: Duration,
    /// Print the token alone
    #[arg(long, short)]
    pub quiet: bool,
}

#[derive(Debug, Args)]
pub struct LeaveArgs {
    /// Do not wait until the data has moved
    #[arg(long)]
    pub no_wait: bool,
    /// Take out a node that is down and never coming back; the others have its data already
    #[arg(long, value_name = "NAME", conflicts_with = "no_wait")]
    pub dead: Option<String>,
}

#[derive(Debug, Args)]
pub struct DirArgs {
    /// App directory
    #[arg(default_value = ".", value_hint = ValueHint::DirPath)]
    pub dir: PathBuf,
}

#[derive(Debug, Args)]
pub struct PlanArgs {
    /// App directory [default: the current one]
    #[arg(value_hint = ValueHint::DirPath, conflicts_with_all = ["app", "all"])]
    pub dir: Option<PathBuf>,
    /// Show the routing table of an app as it is deployed
    #[arg(long, value_name = "NAME", conflicts_with = "all")]
    pub app: Option<String>,
    /// Show those of all apps
    #[arg(long)]
    pub all: bool,
}

#[derive(Debug, Args)]
pub struct WhyArgs {
    /// Address, with or without scheme and host [default host: localhost]
    pub url: String,
    /// Method
    #[arg(long, short = 'X', default_value = "GET", value_name = "METHOD")]
    pub method: String,
    /// A request header, as 'Name: value'; may be given several times
    #[arg(long = "header", short = 'H', value_name = "HEADER")]
    pub headers: Vec<String>,
}

#[derive(Debug, Args)]
pub struct CaArgs {
    /// Print the certificate alone (PEM)
    #[arg(long)]
    pub pem: bool,
}

#[derive(Debug, Args)]
pub struct DeployArgs {
    /// App directory
    #[arg(default_value = ".", value_hint = ValueHint::DirPath)]
    pub dir: PathBuf,
    /// Do not run the manifest's build commands
    #[arg(long)]
    pub no_build: bool,
    /// Do not wait until the release is healthy
    #[arg(long)]
    pub no_wait: bool,
    /// How long to wait for that
    #[arg(long, default_value = "60s", value_parser = duration)]
    pub timeout: Duration,
}

#[derive(Debug, Args)]
pub struct RollbackArgs {
    pub app: String,
    /// Release number [default: the one before the current]
    #[arg(long)]
    pub to: Option<u64>,
}

#[derive(Debug, Args)]
pub struct RemoveArgs {
    pub app: String,
    /// Yes, its buckets and their data as well
    #[arg(long)]
    pub yes: bool,
}

#[derive(Debug, Args)]
pub struct AppFilter {
    /// Only this app
    pub app: Option<String>,
}

#[derive(Debug, Args)]
pub struct LogsArgs {
    pub app: String,
    /// Go on showing new lines
    #[arg(long, short)]
    pub follow: bool,
    /// How many of the latest lines
    #[arg(long, short = 'n', default_value_t = 100)]
    pub lines: usize,
}

#[derive(Debug, Args)]
pub struct OpenArgs {
    /// An app [default: the console]
    pub app: Option<String>,
    /// Only print the address
    #[arg(long)]
    pub print: bool,
}

#[derive(Debug, Args)]
pub struct TourArgs {
    pub app: String,
}

/// A size, or `off`.
pub fn memory(text: &str) -> Result<u64, String> {
    if text == "off" {
        return Ok(0);
    }
    text.parse::<ringway_manifest::Bytes>().map(|bytes| bytes.0).map_err(|error| error.to_string())
}

fn duration(text: &str) -> Result<Duration, String> {
    ringway_manifest::parse_duration(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_shows_examples() {
        for command in Cli::command().get_subcommands().filter(|command| command.get_name() != "status") {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("ringway "), "{} has no example", command.get_name());
        }
    }

    #[test]
    fn every_command_of_buckets_and_keys_shows_examples_too() {
        for group in ["bucket", "kv", "cache"] {
            let command = Cli::command();
            let group = command.find_subcommand(group).expect("it is there");
            for command in group.get_subcommands() {
                let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.contains("ringway "), "{} {} has no example", group.get_name(), command.get_name());
            }
        }
    }

    #[test]
    fn every_setting_of_a_bucket_has_its_flag() {
        let section = ringway_manifest::TEMPLATE.split("#[kv.sessions]").nth(1).expect("the template has a bucket");
        let section = section.split("\n\n").next().expect("a split has a first part");
        let keys = section.lines().filter_map(|line| line.strip_prefix('#')?.split(" = ").next());
        let command = Cli::command();
        for name in ["create", "set"] {
            let command =
                command.find_subcommand("bucket").and_then(|group| group.find_subcommand(name)).expect("is there");
            for key in keys.clone().filter(|key| *key != "consistency") {
                let flag = key.replace('_', "-");
                assert!(command.get_arguments().any(|argument| argument.get_long() == Some(&flag)), "{name} --{flag}");
            }
        }
    }

    #[test]
    fn a_door_is_off_a_port_or_an_address() {
        assert_eq!("off".parse(), Ok(Door::Off));
        assert_eq!(":80".parse(), Ok(Door::Port(80)));
        assert_eq!("127.0.0.1:80".parse(), Ok(Door::At("127.0.0.1:80".parse().unwrap())));
        assert!("localhost:80".parse::<Door>().unwrap_err().contains("127.0.0.1:8080"));
    }
}
