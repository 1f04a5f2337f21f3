//! Driver: who the client is, and the commands about the connection and the server.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use ringway_catalog::Catalog;
use ringway_protocol::resp::number::parse_int;
use ringway_protocol::resp::{Out, Reply, RespVersion};

use crate::DataTier;
use crate::bucket::{Bucket, Guest};
use crate::call::Args;
use crate::command::{SessionKind, Spec, select, specs, text};
use crate::door::accept::Opened;
use crate::door::calm::Calm;
use crate::door::local::Local;
use crate::door::output::Output;
use crate::door::pubsub::{self, Listening};
use crate::door::seen::Seen;
use crate::door::transaction::{self, Transaction};
use crate::door::{cluster, info, scripting};
use crate::fail::{Fail, Ran};
use crate::pubsub::{Inbox, Names};
use crate::scan::Scope;
use crate::view::View;

/// The version of Redis whose behaviour clients may expect.
pub(super) const REDIS_VERSION: &str = "7.2.0";
const NAME_LEN_MAX: usize = 256;

const WRONGPASS: Fail = Fail::new("WRONGPASS invalid username-password pair or user is disabled.");
const NOPROTO: Fail = Fail::new("NOPROTO unsupported protocol version");
const HELLO_NOAUTH: Fail = Fail::new(
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
    is_cut: bool,
    /// It has asked where slots are served.
    knows_clusters: bool,
    /// READONLY: a replica may answer its reads.
    read_only: bool,
    transaction: Transaction,
    guest: Option<Guest>,
    seen: Seen,
    /// Channels it listens to, if it ever has.
    listening: Option<Listening>,
    calm: Calm,
    opened: Arc<Opened>,
}

impl Session {
    pub(super) fn new(opened: Arc<Opened>, local: SocketAddr) -> Self {
        Self {
            id: opened.id(),
            local,
            bucket: None,
            version: RespVersion::Two,
            name: Bytes::new(),
            closing: false,
            is_cut: false,
            knows_clusters: false,
            read_only: false,
            transaction: Transaction::default(),
            guest: None,
            seen: Seen::default(),
            listening: None,
            calm: Calm::default(),
            opened,
        }
    }

    /// As if it had just come.
    fn reset(&mut self) {
        let opened = self.opened.clone();
        *self = Self::new(opened, self.local);
    }

    /// How it has asked lately.
    pub(super) fn calm(&mut self) -> &mut Calm {
        &mut self.calm
    }

    pub(super) fn is_authenticated(&self) -> bool {
        self.bucket.is_some()
    }

    /// Nothing more is done for it, and nothing is answered any more.
    pub(super) fn cut(&mut self) {
        (self.closing, self.is_cut) = (true, true);
    }

    pub(super) fn is_cut(&self) -> bool {
        self.is_cut
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

    pub(super) fn transaction(&self) -> &Transaction {
        &self.transaction
    }

    pub(super) fn transaction_mut(&mut self) -> &mut Transaction {
        &mut self.transaction
    }

    /// A command was wrong: if it was said between MULTI and EXEC, nothing will be done.
    pub(super) fn spoil_transaction(&mut self) {
        self.transaction.spoil();
    }

    /// Whether its commands may run as they come, without a look at what it has said before.
    pub(super) fn takes_the_short_way(&self) -> bool {
        self.bucket.is_some() && !self.transaction.is_open() && !self.is_only_listening()
    }

    /// Whether nothing but what it says is to be waited for.
    pub(super) fn only_asks(&self) -> bool {
        self.calm.is_enough() && self.takes_the_short_way() && self.listening.is_none() && !self.closing
    }

    /// In version 2 a client that listens can do little else: replies would look like messages.
    pub(super) fn is_only_listening(&self) -> bool {
        self.version == RespVersion::Two && self.listening.as_ref().is_some_and(Listening::is_any)
    }

    /// Where messages for it are, if it has ever listened.
    pub(super) fn inbox(&self) -> Option<&Arc<Inbox>> {
        self.listening.as_ref().map(Listening::inbox)
    }

    /// (P|S)(UN)SUBSCRIBE: a reply for each name.
    fn listen(&mut self, bucket: &Bucket, names: Names, begins: bool, args: Args<'_>) -> Bytes {
        let mut out = Out::new(self.version);
        let listening = self.listening.get_or_insert_with(|| Listening::new(bucket, self.id));
        match begins {
            true => listening.begin(names, args, &mut out),
            false => listening.end(names, args, &mut out),
        }
        out.into_bytes()
    }

    /// The short way into its bucket, if there is one now.
    pub(super) fn begin_local<'a>(&mut self, tier: &'a DataTier) -> Option<Local<'a>> {
        let view = tier.view();
        let bucket = self.bucket_in(&view)?.clone();
        Local::begin_with(tier, view, bucket)
    }

    /// The same as [`Session::bucket_of`], looked up once per view.
    pub(super) fn bucket_in(&mut self, view: &Arc<View>) -> Option<&Arc<Bucket>> {
        self.seen.bucket(view, self.bucket.as_deref()?)
    }

    /// Its bucket, open on this node.
    pub(super) fn bucket_of(&self, view: &View) -> Ran<Arc<Bucket>> {
        let name = self.bucket.as_deref().ok_or(Fail::NO_AUTH)?;
        match view.buckets.get(name) {
            Some(bucket) => Ok(bucket.clone()),
            None if view.catalog.buckets.contains_key(name) => {
                Err(Fail::new("LOADING the bucket is being opened on this node"))
            }
            None => Err(crate::Error::NoBucket(name.to_owned()).fail()),
        }
    }
}

/// Runs a command about the connection or the server. `None`: it has written its reply itself.
pub(super) async fn run(
    tier: &Arc<DataTier>,
    session: &mut Session,
    spec: &'static Spec,
    args: Args<'_>,
    output: &mut Output,
) -> std::io::Result<Option<Ran<Reply>>> {
    let crate::command::Run::Session(kind) = spec.run else { return Ok(Some(Err(Fail::SYNTAX))) };
    let raw = match kind {
        SessionKind::Exec => transaction::exec(tier, session).await,
        SessionKind::Command => Ok(command_command(session.version, args)),
        SessionKind::Listen { names, begins } => {
            session.bucket_of(&tier.view()).map(|bucket| session.listen(&bucket, names, begins, args))
        }
        _ => return Ok(Some(answer(tier, session, kind, args).await)),
    };
    output.put_raw(raw.unwrap_or_else(|fail| fail.reply())).await?;
    Ok(None)
}

/// The reply of a command that has just one.
pub(super) async fn answer(
    tier: &Arc<DataTier>,
    session: &mut Session,
    kind: SessionKind,
    args: Args<'_>,
) -> Ran<Reply> {
    match kind {
        SessionKind::Auth => auth_command(&tier.view(), session, args),
        SessionKind::Hello => hello(tier, session, args),
        SessionKind::Quit => {
            session.closing = true;
            Ok(Reply::OK)
        }
        SessionKind::Reset => {
            session.reset();
            Ok(Reply::Simple("RESET".into()))
        }
        SessionKind::Select => select(args[1]).map(|()| Reply::OK),
        SessionKind::Client => client(session, args),
        SessionKind::Config => config(args),
        SessionKind::Cluster => {
            session.knows_clusters |= cluster::asks_for_slots(args);
            cluster::run(tier, session, args).await
        }
        SessionKind::ReadOnly(read_only) => {
            (session.knows_clusters, session.read_only) = (true, read_only);
            Ok(Reply::OK)
        }
        SessionKind::Info => info::run(tier, session.bucket()).await,
        SessionKind::Multi => session.transaction.begin().map(|()| Reply::OK),
        SessionKind::Discard => session.transaction.discard().map(|()| Reply::OK),
        SessionKind::Unwatch => {
            session.transaction.unwatch();
            Ok(Reply::OK)
        }
        SessionKind::Watch => transaction::watch(tier, session, args).await.map(|()| Reply::OK),
        SessionKind::Wait => wait(tier, session, args),
        SessionKind::Script => scripting::script(tier, &session.bucket_of(&tier.view())?, args).await,
        SessionKind::PubSub => pubsub::pubsub(tier, &session.bucket_of(&tier.view())?, args).await,
        SessionKind::Publish { is_sharded } => {
            pubsub::publish(tier, &session.bucket_of(&tier.view())?, is_sharded, args).await
        }
        SessionKind::Command | SessionKind::Exec | SessionKind::Listen { .. } => {
            Err(Fail::new("ERR Command not allowed inside a transaction"))
        }
    }
}

/// WAIT: a write is answered when the reachable replicas have it, so nobody has to wait any more.
fn wait(tier: &DataTier, session: &Session, args: Args<'_>) -> Ran<Reply> {
    let (count, timeout) = (parse_int(args[1]), parse_int(args[2]));
    let (Some(_), Some(timeout)) = (count, timeout) else { return Err(Fail::NOT_AN_INTEGER) };
    if timeout < 0 {
        return Err(Fail::new("ERR timeout is negative"));
    }
    let view = tier.view();
    let replicas = session.bucket_of(&view)?.replicas();
    let others = view.reachable_peers().len().min(replicas - 1);
    Ok(Reply::Int(others as i64))
}

/// AUTH password, or AUTH bucket password.
fn auth_command(view: &View, session: &mut Session, args: Args<'_>) -> Ran<Reply> {
    match args {
        [_, password] => auth(view, session, b"default", password),
        [_, user, password] => auth(view, session, user, password),
        _ => Err(Fail::SYNTAX),
    }
}

fn auth(view: &View, session: &mut Session, user: &[u8], password: &[u8]) -> Ran<Reply> {
    match bucket_for(&view.catalog, user, password) {
        Some(bucket) => {
            // The place in the bucket it had, if any, is free first.
            session.guest = None;
            if session.bucket.as_deref() != Some(bucket) {
                session.listening = None;
            }
            session.guest = view.buckets.get(bucket).map(|open| open.admit_client()).transpose()?;
            session.bucket = Some(bucket.into());
            session.seen.forget();
            Ok(Reply::OK)
        }
        None => Err(WRONGPASS),
    }
}

/// The user is the bucket and the token the password. Clients that know passwords only are `default`: for them the token has to
/// be that of one bucket. All tokens are looked at, so that the time taken says nothing.
pub(super) fn bucket_for<'a>(catalog: &'a Catalog, user: &[u8], password: &[u8]) -> Option<&'a str> {
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
fn hello(tier: &DataTier, session: &mut Session, args: Args<'_>) -> Ran<Reply> {
    let version = match args.get(1).map(|arg| parse_int(arg)) {
        None => session.version,
        Some(Some(2)) => RespVersion::Two,
        Some(Some(3)) => RespVersion::Three,
        Some(Some(_)) => return Err(NOPROTO),
        Some(None) => return Err(Fail::new("ERR Protocol version is not an integer or out of range")),
    };
    let mut words = args.iter().skip(2);
    let mut name = None;
    while let Some(word) = words.next() {
        match (word.to_ascii_uppercase().as_slice(), words.next(), &mut words) {
            (b"AUTH", Some(user), words) => {
                let password = words.next().ok_or_else(|| option_error(word))?;
                auth(&tier.view(), session, user, password)?;
            }
            (b"SETNAME", Some(given), _) => name = Some(client_name(given)?),
            _ => return Err(option_error(word)),
        }
    }
    if !session.is_authenticated() {
        return Err(HELLO_NOAUTH);
    }
    session.version = version;
    session.name = name.unwrap_or_else(|| session.name.clone());
    Ok(hello_reply(session, mode(tier)))
}

fn option_error(word: &[u8]) -> Fail {
    Fail::of(format!("ERR Syntax error in HELLO option '{}'", text(word)))
}

fn client_name(name: &[u8]) -> Ran<Bytes> {
    match name.len() <= NAME_LEN_MAX && name.iter().all(|byte| (b'!'..=b'~').contains(byte)) {
        true => Ok(Bytes::copy_from_slice(name)),
        false => Err(Fail::new("ERR Client names cannot contain spaces, newlines or special characters.")),
    }
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

fn client(session: &mut Session, args: Args<'_>) -> Ran<Reply> {
    Ok(match (args[1].to_ascii_uppercase().as_slice(), &args[2..]) {
        (b"SETNAME", [name]) => {
            session.name = client_name(name)?;
            Reply::OK
        }
        (b"GETNAME", []) if session.name.is_empty() => Reply::Null,
        (b"GETNAME", []) => Reply::Bulk(session.name.clone()),
        (b"ID", []) => Reply::Int(session.id as i64),
        (b"SETINFO", [_, _]) | (b"NO-EVICT" | b"NO-TOUCH", [_]) => Reply::OK,
        (b"INFO" | b"LIST", []) => {
            Reply::Verbatim(format!("id={} laddr={} name={}\n", session.id, session.local, text(&session.name)))
        }
        _ => return Err(unknown_subcommand(args)),
    })
}

pub(super) fn unknown_subcommand(args: Args<'_>) -> Fail {
    let (command, sub) = (text(args[0]).to_uppercase(), text(args[1]));
    Fail::of(format!("ERR unknown subcommand or wrong number of arguments for '{sub}'. Try {command} HELP."))
}

fn command_command(version: RespVersion, args: Args<'_>) -> Bytes {
    let mut out = Out::new(version);
    let all = || specs().collect::<Vec<_>>();
    let named = |names: Args<'_>| names.iter().filter_map(|name| Spec::named(name)).collect::<Vec<_>>();
    match args.get(1).map(|sub| sub.to_ascii_uppercase()).as_deref() {
        Some(b"COUNT") => out.int(specs().count() as i64),
        Some(b"LIST") => {
            out.array(all().len());
            all().iter().for_each(|spec| out.bulk(spec.name.as_bytes()));
        }
        Some(b"DOCS") => {
            let told = if args.len() > 2 { named(&args[2..]) } else { all() };
            out.map(told.len());
            told.iter().for_each(|spec| spec.tell_docs(&mut out));
        }
        Some(b"INFO") if args.len() > 2 => {
            out.array(args.len() - 2);
            for name in &args[2..] {
                match Spec::named(name) {
                    Some(spec) => spec.tell(&mut out),
                    None => out.null(),
                }
            }
        }
        None | Some(b"INFO") => {
            out.array(all().len());
            all().iter().for_each(|spec| spec.tell(&mut out));
        }
        Some(b"GETKEYS") if args.len() > 2 => get_keys(&mut out, &args[2..]),
        Some(_) => out.error(&unknown_subcommand(args).0),
    }
    out.into_bytes()
}

fn get_keys(out: &mut Out, args: Args<'_>) {
    let found = Spec::of(args).and_then(|spec| crate::command::key_positions(spec, args));
    match found {
        Ok(places) if places.is_empty() => out.error("ERR The command has no key arguments"),
        Ok(places) => {
            out.array(places.len());
            places.into_iter().for_each(|at| out.bulk(args[at]));
        }
        Err(_) => out.error("ERR Invalid command specified"),
    }
}

/// What clients ask for; nothing can be set.
fn config(args: Args<'_>) -> Ran<Reply> {
    const SETTINGS: &[(&str, &str)] = &[
        ("appendonly", "no"),
        ("databases", "1"),
        ("maxmemory", "0"),
        ("maxmemory-policy", "allkeys-lru"),
        ("save", ""),
    ];
    match args[1].to_ascii_uppercase().as_slice() {
        b"GET" if args.len() < 3 => Err(Fail::wrong_count("config|get")),
        b"GET" => {
            let asked = |name: &str| {
                args[2..]
                    .iter()
                    .any(|pattern| ringway_protocol::glob::matches(&pattern.to_ascii_lowercase(), name.as_bytes()))
            };
            let known = SETTINGS.iter().filter(|(name, _)| asked(name));
            Ok(Reply::Map(known.map(|(name, value)| (Reply::text(*name), Reply::text(*value))).collect()))
        }
        b"SET" => Err(Fail::new("ERR settings are in ringway.toml and cannot be changed here")),
        b"RESETSTAT" => Ok(Reply::OK),
        _ => Err(unknown_subcommand(args)),
    }
}
