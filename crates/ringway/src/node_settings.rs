//! From file, environment and flags to one [`Config`], every fault reported at once. (clap puts flags before environment.)

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use ringway_catalog::RingKind;
use ringway_catalog::ring_kind::VNODES_DEFAULT;
use ringway_node::{Config, Listen, LogFormat, TlsFiles};

use crate::cli::{Door, LogFormatArg, NodeArgs, RingArg};

const HTTP_PORT: u16 = 8080;
const HTTPS_PORT: u16 = 8443;
const REDIS_PORT: u16 = 7379;
const MEMCACHE_PORT: u16 = 7211;
const ADMIN_PORT: u16 = 7400;
const PEER_PORT: u16 = 7401;
const DRAIN: Duration = Duration::from_secs(10);
const KEYS: &[&str] = &[
    "name",
    "data",
    "bind",
    "advertise",
    "http",
    "https",
    "tls-cert",
    "tls-key",
    "certs",
    "redis",
    "redis-redirect",
    "memcache",
    "memcache-bucket",
    "cache-memory",
    "admin-listen",
    "peer",
    "zone",
    "capacity",
    "ring",
    "vnodes",
    "threads",
    "drain",
    "log",
    "log-format",
];

/// Reads the file if one is named and settles every setting.
pub fn settle(arguments: &NodeArgs) -> Result<Config> {
    let arguments = match &arguments.config {
        Some(path) => over(arguments.clone(), read_file(path)?),
        None => arguments.clone(),
    };
    let name = match arguments.name.clone() {
        Some(name) => name,
        None => host_name(),
    };
    if let Err(fault) = ringway_manifest::check_name(&name) {
        bail!("the node's name: {fault}: give it one with --name");
    }
    let bind = arguments.bind.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    if bind.is_unspecified() && arguments.advertise.is_none() {
        bail!(
            "--bind {bind} is every address of this machine: say with --advertise IP under which one the other nodes reach it"
        );
    }
    let listen = listen(&arguments, bind)?;
    let memcache_bucket = memcache_bucket(&arguments, listen.memcache)?;
    Ok(Config {
        data_dir: arguments.data.clone().unwrap_or_else(|| Path::new(".ringway").join(&name)),
        name,
        zone: arguments.zone.clone().unwrap_or_default(),
        capacity: arguments.capacity.unwrap_or(1),
        ring: ring(&arguments)?,
        listen,
        advertise: arguments.advertise,
        tls: tls(&arguments)?,
        threads: arguments.threads.unwrap_or(0),
        drain: arguments.drain.unwrap_or(DRAIN),
        log_format: match arguments.log_format {
            Some(LogFormatArg::Json) => LogFormat::Json,
            _ => LogFormat::Text,
        },
        log: arguments.log.clone().unwrap_or_else(|| "info".to_owned()),
        redis_redirect: arguments.redis_redirect.unwrap_or(false),
        memcache_bucket,
        cache_memory: arguments.cache_memory.unwrap_or(ringway_node::CACHE_MEMORY_DEFAULT),
        wasm_instances_max: 256,
    })
}

fn tls(arguments: &NodeArgs) -> Result<Option<TlsFiles>> {
    match (arguments.tls_cert.clone(), arguments.tls_key.clone(), arguments.certs.clone()) {
        (None, None, certs) => Ok(certs.map(TlsFiles::Directory)),
        (Some(certificate), Some(key), None) => Ok(Some(TlsFiles::Pair { certificate, key })),
        (Some(_), Some(_), Some(dir)) => bail!(
            "--tls-cert and --certs do not go together: put the one certificate into {}, as NAME.pem and NAME.key",
            dir.display()
        ),
        _ => bail!("--tls-cert and --tls-key go together: a certificate without its key is of no use"),
    }
}

fn ring(arguments: &NodeArgs) -> Result<RingKind> {
    match (arguments.ring.unwrap_or(RingArg::Managed), arguments.vnodes) {
        (RingArg::Chord, vnodes) => Ok(RingKind::Chord { vnodes: vnodes.unwrap_or(VNODES_DEFAULT) }),
        (RingArg::Managed, None) => Ok(RingKind::Managed),
        (RingArg::Managed, Some(_)) => {
            bail!("--vnodes is for --ring chord: a managed ring has 4096 for all nodes together")
        }
    }
}

/// A bucket without a token is for this machine alone.
fn memcache_bucket(arguments: &NodeArgs, door: Option<SocketAddr>) -> Result<Option<String>> {
    match (&arguments.memcache_bucket, door) {
        (None, _) => Ok(None),
        (Some(bucket), None) => bail!("--memcache-bucket {bucket} needs a door: give it one with --memcache ADDRESS"),
        (Some(bucket), Some(address)) if !address.ip().is_loopback() => {
            bail!(
                "--memcache-bucket {bucket} would let everybody who reaches {address} use it: only for a loopback address (127.0.0.1)"
            )
        }
        (Some(bucket), Some(_)) => Ok(Some(bucket.clone())),
    }
}

fn listen(arguments: &NodeArgs, bind: IpAddr) -> Result<Listen> {
    let door = |given: Option<Door>, port: u16| match given {
        None => Some(SocketAddr::new(bind, port)),
        Some(Door::Off) => None,
        Some(Door::Port(port)) => Some(SocketAddr::new(bind, port)),
        Some(Door::At(address)) => Some(address),
    };
    let needed = |given, port, option: &str| {
        door(given, port).with_context(|| format!("{option} cannot be off: a node without it cannot be reached at all"))
    };
    // The console and admin API stay on loopback whatever --bind says, unless they are given an address of their own.
    let admin_bind = if bind.is_loopback() { bind } else { IpAddr::V4(Ipv4Addr::LOCALHOST) };
    let admin = match arguments.admin_listen {
        None => Some(SocketAddr::new(admin_bind, ADMIN_PORT)),
        Some(Door::Port(port)) => Some(SocketAddr::new(admin_bind, port)),
        given => door(given, ADMIN_PORT),
    };
    Ok(Listen {
        peer: needed(arguments.peer, PEER_PORT, "--peer")?,
        admin: admin.context("--admin-listen cannot be off: the command line could not reach the node")?,
        http: door(arguments.http, HTTP_PORT),
        https: door(arguments.https, HTTPS_PORT),
        redis: door(arguments.redis, REDIS_PORT),
        memcache: arguments.memcache.and_then(|given| door(Some(given), MEMCACHE_PORT)),
    })
}

fn host_name() -> String {
    let raw = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let first = raw.trim().split('.').next().unwrap_or_default().to_ascii_lowercase();
    if ringway_manifest::check_name(&first).is_ok() { first } else { "node".to_owned() }
}

/// The flags (and environment) over the file.
fn over(flags: NodeArgs, file: NodeArgs) -> NodeArgs {
    NodeArgs {
        config: flags.config,
        name: flags.name.or(file.name),
        data: flags.data.or(file.data),
        bind: flags.bind.or(file.bind),
        advertise: flags.advertise.or(file.advertise),
        http: flags.http.or(file.http),
        https: flags.https.or(file.https),
        tls_cert: flags.tls_cert.or(file.tls_cert),
        tls_key: flags.tls_key.or(file.tls_key),
        certs: flags.certs.or(file.certs),
        redis: flags.redis.or(file.redis),
        redis_redirect: flags.redis_redirect.or(file.redis_redirect),
        memcache: flags.memcache.or(file.memcache),
        memcache_bucket: flags.memcache_bucket.or(file.memcache_bucket),
        cache_memory: flags.cache_memory.or(file.cache_memory),
        admin_listen: flags.admin_listen.or(file.admin_listen),
        peer: flags.peer.or(file.peer),
        zone: flags.zone.or(file.zone),
        capacity: flags.capacity.or(file.capacity),
        ring: flags.ring.or(file.ring),
        vnodes: flags.vnodes.or(file.vnodes),
        threads: flags.threads.or(file.threads),
        drain: flags.drain.or(file.drain),
        log: flags.log.or(file.log),
        log_format: flags.log_format.or(file.log_format),
    }
}

fn read_file(path: &Path) -> Result<NodeArgs> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the configuration file {}", path.display()))?;
    parse_file(&path.display().to_string(), &text)
}

/// Each key becomes the flag of the same name and goes through the same parser, so that file and flags cannot differ.
fn parse_file(file: &str, text: &str) -> Result<NodeArgs> {
    let table: toml::Table = text.parse().with_context(|| format!("{file} is not valid TOML"))?;
    let mut faults = Vec::new();
    let mut settings = NodeArgs::default();
    for (key, value) in &table {
        if let Err(fault) = take(&mut settings, key, value) {
            let line = text.lines().position(|line| line.trim_start().starts_with(key.as_str())).map_or(1, |at| at + 1);
            faults.push(format!("{file}:{line}: {fault}"));
        }
    }
    if faults.is_empty() { Ok(settings) } else { bail!(faults.join("\n")) }
}

fn take(settings: &mut NodeArgs, key: &str, value: &toml::Value) -> Result<(), String> {
    let text = match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Integer(number) => number.to_string(),
        toml::Value::Boolean(is) => is.to_string(),
        other => return Err(format!("`{key}` is a {}, expected a text or a number", other.type_str())),
    };
    let parsed = |what: &str| format!("`{key} = {text:?}`: {what}");
    match key {
        "name" => settings.name = Some(text),
        "data" => settings.data = Some(PathBuf::from(text)),
        "bind" => settings.bind = Some(text.parse().map_err(|_| parsed("not an IP address"))?),
        "advertise" => settings.advertise = Some(text.parse().map_err(|_| parsed("not an IP address"))?),
        "http" => settings.http = Some(text.parse()?),
        "https" => settings.https = Some(text.parse()?),
        "tls-cert" => settings.tls_cert = Some(PathBuf::from(text)),
        "tls-key" => settings.tls_key = Some(PathBuf::from(text)),
        "certs" => settings.certs = Some(PathBuf::from(text)),
        "redis" => settings.redis = Some(text.parse()?),
        "redis-redirect" => {
            settings.redis_redirect = Some(text.parse().map_err(|_| parsed("`true` or `false`"))?);
        }
        "memcache" => settings.memcache = Some(text.parse()?),
        "memcache-bucket" => settings.memcache_bucket = Some(text),
        "cache-memory" => settings.cache_memory = Some(crate::cli::memory(&text)?),
        "admin-listen" => settings.admin_listen = Some(text.parse()?),
        "peer" => settings.peer = Some(text.parse()?),
        "zone" => settings.zone = Some(text),
        "capacity" => {
            let capacity = text.parse().ok().filter(|capacity| (1..=1000).contains(capacity));
            settings.capacity = Some(capacity.ok_or_else(|| parsed("a number from 1 to 1000"))?);
        }
        "ring" => {
            settings.ring = Some(match text.as_str() {
                "managed" => RingArg::Managed,
                "chord" => RingArg::Chord,
                _ => return Err(parsed("`managed` or `chord`")),
            });
        }
        "vnodes" => {
            let vnodes = text.parse().ok().filter(|vnodes| (1..=64).contains(vnodes));
            settings.vnodes = Some(vnodes.ok_or_else(|| parsed("a number from 1 to 64"))?);
        }
        "threads" => settings.threads = Some(text.parse().map_err(|_| parsed("not a number"))?),
        "drain" => settings.drain = Some(ringway_manifest::parse_duration(&text).map_err(|fault| fault.to_string())?),
        "log" => settings.log = Some(text),
        "log-format" => {
            settings.log_format = Some(match text.as_str() {
                "text" => LogFormatArg::Text,
                "json" => LogFormatArg::Json,
                _ => return Err(parsed("`text` or `json`")),
            });
        }
        unknown => return Err(unknown_key(unknown)),
    }
    Ok(())
}

fn unknown_key(key: &str) -> String {
    let nearest = KEYS.iter().max_by(|a, b| strsim::jaro_winkler(a, key).total_cmp(&strsim::jaro_winkler(b, key)));
    match nearest.filter(|nearest| strsim::jaro_winkler(nearest, key) > 0.7) {
        Some(nearest) => format!("unknown key `{key}`: did you mean `{nearest}`?"),
        None => format!("unknown key `{key}`: known are {}", KEYS.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_wins_over_the_file() {
        let file = parse_file("node.toml", "name = \"n1\"\nhttp = 8081\nredis = \"off\"\ndrain = \"3s\"").unwrap();
        let flags = NodeArgs { http: Some(Door::Port(9000)), ..NodeArgs::default() };
        let config = settle(&over(flags, file)).unwrap();
        assert_eq!(config.listen.http, Some("127.0.0.1:9000".parse().unwrap()));
        assert_eq!(config.listen.redis, None);
        assert_eq!(config.drain, Duration::from_secs(3));
        assert_eq!(config.data_dir, Path::new(".ringway/n1"));
    }

    #[test]
    fn every_fault_of_the_file_is_told_at_once_with_its_line() {
        let error = parse_file("node.toml", "nmae = \"n1\"\nhttp = \"x\"\n\ncapacity = 0\n").unwrap_err().to_string();
        expect_test::expect![[r#"
            node.toml:1: unknown key `nmae`: did you mean `name`?
            node.toml:2: `x` is no address: write off, a port like 8080, or an address like 127.0.0.1:8080
            node.toml:4: `capacity = "0"`: a number from 1 to 1000"#]]
        .assert_eq(&error);
    }

    #[test]
    fn a_peer_to_peer_ring_has_eight_virtual_nodes_a_node_and_a_managed_one_has_no_such_setting() {
        let settled =
            |text: &str| settle(&NodeArgs { name: Some("n1".into()), ..parse_file("node.toml", text).unwrap() });
        assert_eq!(settled("ring = \"chord\"").unwrap().ring, RingKind::Chord { vnodes: 8 });
        assert_eq!(settled("ring = \"chord\"\nvnodes = 3").unwrap().ring, RingKind::Chord { vnodes: 3 });
        assert_eq!(settled("").unwrap().ring, RingKind::Managed);
        assert!(settled("vnodes = 3").unwrap_err().to_string().contains("--ring chord"));
    }

    #[test]
    fn certificates_come_from_a_pair_or_a_directory_and_not_from_half_of_either() {
        let settled =
            |text: &str| settle(&NodeArgs { name: Some("n1".into()), ..parse_file("node.toml", text).unwrap() });
        assert!(matches!(settled("certs = \"/etc/certs\"").unwrap().tls, Some(TlsFiles::Directory(_))));
        assert!(matches!(
            settled("tls-cert = \"a.pem\"\ntls-key = \"a.key\"").unwrap().tls,
            Some(TlsFiles::Pair { .. })
        ));
        assert!(settled("").unwrap().tls.is_none());
        assert!(settled("tls-cert = \"a.pem\"").unwrap_err().to_string().contains("go together"));
        let both = "tls-cert = \"a.pem\"\ntls-key = \"a.key\"\ncerts = \"c\"";
        assert!(settled(both).unwrap_err().to_string().contains("do not go together"));
    }

    #[test]
    fn memory_for_cached_responses_is_a_size_or_off() {
        let settled =
            |text: &str| settle(&NodeArgs { name: Some("n1".into()), ..parse_file("node.toml", text).unwrap() });
        assert_eq!(settled("").unwrap().cache_memory, 256 << 20);
        assert_eq!(settled("cache-memory = \"1GiB\"").unwrap().cache_memory, 1 << 30);
        assert_eq!(settled("cache-memory = \"off\"").unwrap().cache_memory, 0);
        assert!(parse_file("node.toml", "cache-memory = 5").unwrap_err().to_string().contains("no unit"));
    }

    #[test]
    fn a_wildcard_needs_an_address_for_the_others() {
        let arguments =
            NodeArgs { name: Some("n1".into()), bind: Some("0.0.0.0".parse().unwrap()), ..NodeArgs::default() };
        assert!(settle(&arguments).unwrap_err().to_string().contains("--advertise"));
    }

    #[test]
    fn the_admin_api_stays_on_loopback_unless_told_otherwise() {
        let arguments =
            NodeArgs { name: Some("n1".into()), bind: Some("10.0.0.5".parse().unwrap()), ..NodeArgs::default() };
        let listen = settle(&arguments).unwrap().listen;
        assert_eq!(listen.admin, "127.0.0.1:7400".parse().unwrap());
        assert_eq!(listen.peer, "10.0.0.5:7401".parse().unwrap());
    }
}
