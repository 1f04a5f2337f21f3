//! Driver: who the client is, and the commands about the connection and the server.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use ringway_catalog::Catalog;
use ringway_protocol::resp::request::parse_int;
use ringway_protocol::resp::{Reply, RespVersion};
use ringway_rt::clock::wall_ns;

use crate::DataTier;
use crate::door::command::{self, Args, NOT_AN_INTEGER, Plan, SPECS, SYNTAX, SessionKind, Spec, text, wrong_count};
use crate::door::{cluster, info};
use crate::scan::Scope;

/// The version of Redis whose behaviour clients may expect.
pub(super) const REDIS_VERSION: &str = "7.2.0";
const NAME_LEN_MAX: usize = 256;

pub(super) const NOAUTH: Reply = Reply::error("NOAUTH Authentication required.");
const WRONGPASS: Reply = Reply::error("WRONGPASS invalid username-password pair or user is disabled.");
const NOPROTO: Reply = Reply::error("NOPROTO unsupported protocol version");
const HELLO_NOAUTH: Reply = Reply::error(
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> \
     option can be used to authenticate the client and select the RESP protocol version at the same time",
);

#[derive(Debug)]
pub(super) struct Session {
    id: u64,
    local: SocketAddr,
    bucket: Option<Arc<str>>,
    version: RespVersion,
    name: Bytes,
    closing: bool,
    /// It has asked where slots are served.
    knows_clusters: bool,
    /// READONLY: a replica may answer its reads.
    read_only: bool,
}

impl Session {
    pub(super) fn new(id: u64, local: SocketAddr) -> Self {
        Self {
            id,
            local,
            bucket: None,
            version: RespVersion::Two,
            name: Bytes::new(),
            closing: false,
            knows_clusters: false,
            read_only: false,
        }
    }

    pub(super) fn is_authenticated(&self) -> bool {
        self.bucket.is_some()
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing
    }

    pub(super) fn bucket(&self) -> Option<&str> {
        self.bucket.as_deref()
    }

    /// The address of this node that the client has connected to.
    pub(super) fn local(&self) -> SocketAddr {
        self.local
    }

    pub(super) fn knows_clusters(&self) -> bool {
        self.knows_clusters
    }

    pub(super) fn is_read_only(&self) -> bool {
        self.read_only
    }

    pub(super) fn version(&self) -> RespVersion {
        self.version
    }
}

/// What a command comes to for this client: somebody unknown may only say who it is, or leave.
pub(super) fn plan(session: &Session, args: Args<'_>) -> Plan {
    let plan = command::plan(args);
    let open =
        matches!(plan, Plan::Session(SessionKind::Auth | SessionKind::Hello | SessionKind::Quit | SessionKind::Reset));
    if session.is_authenticated() || open { plan } else { Plan::Reply(NOAUTH) }
}

pub(super) async fn run(tier: &Arc<DataTier>, session: &mut Session, kind: SessionKind, args: Args<'_>) -> Reply {
    match kind {
        SessionKind::Auth => auth_command(&tier.view().catalog, session, args),
        SessionKind::Hello => hello(tier, session, args),
        SessionKind::Quit => {
            session.closing = true;
            Reply::OK
        }
        SessionKind::Reset => {
            *session = Session::new(session.id, session.local);
            Reply::Simple("RESET".into())
        }
        SessionKind::Select if args[1] == "0" => Reply::OK,
        SessionKind::Select if parse_int(&args[1]).is_some() => Reply::error("ERR DB index is out of range"),
        SessionKind::Select => NOT_AN_INTEGER,
        SessionKind::Time => {
            let micros = wall_ns() / 1000;
            Reply::Array(vec![
                Reply::text((micros / 1_000_000).to_string()),
                Reply::text((micros % 1_000_000).to_string()),
            ])
        }
        SessionKind::Client => client(session, args),
        SessionKind::Command => command_command(args),
        SessionKind::Config => config(args),
        SessionKind::Cluster => {
            session.knows_clusters |= cluster::asks_for_slots(args);
            cluster::run(tier, session, args).await
        }
        SessionKind::ReadOnly(read_only) => {
            (session.knows_clusters, session.read_only) = (true, read_only);
            Reply::OK
        }
        SessionKind::Info => info::run(tier, session.bucket()).await,
    }
}

/// AUTH password, or AUTH bucket password.
fn auth_command(catalog: &Catalog, session: &mut Session, args: Args<'_>) -> Reply {
    match args {
        [_, password] => auth(catalog, session, b"default", password),
        [_, user, password] => auth(catalog, session, user, password),
        _ => SYNTAX,
    }
}

fn auth(catalog: &Catalog, session: &mut Session, user: &[u8], password: &[u8]) -> Reply {
    match bucket_for(catalog, user, password) {
        Some(bucket) => {
            session.bucket = Some(bucket.into());
            Reply::OK
        }
        None => WRONGPASS,
    }
}

/// The user is the bucket and the token the password. Clients that know passwords only are `default`: for them the token has to
/// be that of one bucket. All tokens are looked at, so that the time taken says nothing.
fn bucket_for<'a>(catalog: &'a Catalog, user: &[u8], password: &[u8]) -> Option<&'a str> {
    let is_default = user == b"default" && !catalog.buckets.contains_key("default");
    let mut found = None;
    let mut count = 0;
    for bucket in catalog.buckets.values() {
        let fits = bucket.token.matches(password) && !bucket.token.reveal().is_empty();
        if fits && (is_default || bucket.name.as_bytes() == user) {
            (found, count) = (Some(bucket.name.as_str()), count + 1);
        }
    }
    found.filter(|_| count == 1)
}

/// HELLO [version [AUTH user password] [SETNAME name]].
fn hello(tier: &DataTier, session: &mut Session, args: Args<'_>) -> Reply {
    let version = match args.get(1).map(|arg| parse_int(arg)) {
        None => session.version,
        Some(Some(2)) => RespVersion::Two,
        Some(Some(3)) => RespVersion::Three,
        Some(Some(_)) => return NOPROTO,
        Some(None) => return Reply::error("ERR Protocol version is not an integer or out of range"),
    };
    let mut words = args.iter().skip(2);
    let mut name = None;
    while let Some(word) = words.next() {
        match (word.to_ascii_uppercase().as_slice(), words.next(), &mut words) {
            (b"AUTH", Some(user), words) => {
                let Some(password) = words.next() else { return SYNTAX };
                let reply = auth(&tier.view().catalog, session, user, password);
                if reply.is_error() {
                    return reply;
                }
            }
            (b"SETNAME", Some(given), _) => name = Some(given.clone()),
            _ => return Reply::Error(format!("ERR Syntax error in HELLO option '{}'", text(word)).into()),
        }
    }
    if !session.is_authenticated() {
        return HELLO_NOAUTH;
    }
    session.version = version;
    session.name = name.unwrap_or_else(|| session.name.clone());
    hello_reply(session, mode(tier))
}

/// What clients take it for. A node that answers for every key is a standalone server to those that know no clusters.
pub(super) fn mode(tier: &DataTier) -> &'static str {
    if tier.config.redis_redirect { "cluster" } else { "standalone" }
}

/// Whose keys DBSIZE, SCAN and KEYS are about. Clients of a redirecting node ask all nodes and add up, as with Redis.
pub(super) fn scope(tier: &DataTier) -> Scope {
    if tier.config.redis_redirect { Scope::Own } else { Scope::Bucket }
}

fn hello_reply(session: &Session, mode: &'static str) -> Reply {
    let version = if session.version == RespVersion::Two { 2 } else { 3 };
    let entry = |key: &str, value: Reply| (Reply::text(key), value);
    Reply::Map(vec![
        entry("server", Reply::text("redis")),
        entry("version", Reply::text(REDIS_VERSION)),
        entry("proto", Reply::Int(version)),
        entry("id", Reply::Int(session.id as i64)),
        entry("mode", Reply::text(mode)),
        entry("role", Reply::text("master")),
        entry("modules", Reply::Array(Vec::new())),
    ])
}

fn client(session: &mut Session, args: Args<'_>) -> Reply {
    match (args[1].to_ascii_uppercase().as_slice(), &args[2..]) {
        (b"SETNAME", [name]) => {
            let is_clean = name.len() <= NAME_LEN_MAX && name.iter().all(|byte| (b'!'..=b'~').contains(byte));
            if !is_clean {
                return Reply::error("ERR Client names cannot contain spaces, newlines or special characters.");
            }
            session.name = name.clone();
            Reply::OK
        }
        (b"GETNAME", []) if session.name.is_empty() => Reply::Null,
        (b"GETNAME", []) => Reply::Bulk(session.name.clone()),
        (b"ID", []) => Reply::Int(session.id as i64),
        (b"SETINFO", [_, _]) | (b"NO-EVICT" | b"NO-TOUCH", [_]) => Reply::OK,
        (b"INFO", []) => {
            Reply::Verbatim(format!("id={} laddr={} name={}\n", session.id, session.local, text(&session.name)))
        }
        _ => unknown_subcommand(args),
    }
}

pub(super) fn unknown_subcommand(args: Args<'_>) -> Reply {
    let (command, sub) = (text(&args[0]).to_uppercase(), text(&args[1]));
    Reply::Error(format!("ERR unknown subcommand or wrong number of arguments for '{sub}'. Try {command} HELP.").into())
}

fn command_command(args: Args<'_>) -> Reply {
    match args.get(1).map(|sub| sub.to_ascii_uppercase()).as_deref() {
        Some(b"COUNT") => Reply::Int(SPECS.len() as i64),
        Some(b"LIST") => Reply::Array(SPECS.iter().map(|spec| Reply::text(spec.name)).collect()),
        Some(b"DOCS") => Reply::Map(Vec::new()),
        Some(b"INFO") if args.len() > 2 => {
            Reply::Array(args[2..].iter().map(|name| Spec::named(name).map_or(Reply::Null, Spec::told)).collect())
        }
        None | Some(b"INFO") => Reply::Array(SPECS.iter().map(Spec::told).collect()),
        Some(_) => unknown_subcommand(args),
    }
}

/// What clients ask for; nothing can be set.
fn config(args: Args<'_>) -> Reply {
    const SETTINGS: &[(&str, &str)] = &[
        ("appendonly", "no"),
        ("databases", "1"),
        ("maxmemory", "0"),
        ("maxmemory-policy", "allkeys-lru"),
        ("save", ""),
    ];
    match args[1].to_ascii_uppercase().as_slice() {
        b"GET" if args.len() < 3 => wrong_count(b"config|get"),
        b"GET" => {
            let asked = |name: &str| {
                args[2..].iter().any(|pattern| crate::glob::matches(&pattern.to_ascii_lowercase(), name.as_bytes()))
            };
            let known = SETTINGS.iter().filter(|(name, _)| asked(name));
            Reply::Map(known.map(|(name, value)| (Reply::text(*name), Reply::text(*value))).collect())
        }
        b"SET" => Reply::error("ERR settings are in ringway.toml and cannot be changed here"),
        b"RESETSTAT" => Reply::OK,
        _ => unknown_subcommand(args),
    }
}
