//! Driver: what one client listens to, and the commands about that.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use ringway_protocol::resp::{Out, Reply, RespVersion};

use crate::DataTier;
use crate::bucket::{Bucket, Held};
use crate::call::Args;
use crate::command::Spec;
use crate::door::session::unknown_subcommand;
use crate::fail::{Fail, Ran};
use crate::fan_out::{Said, Tell};
use crate::pubsub::{Inbox, Names, Publication};

/// Names that one client may listen to.
const NAMES_MAX: usize = 1 << 16;

/// Ends with the connection.
#[derive(Debug)]
pub(super) struct Listening {
    held: Arc<Held>,
    inbox: Arc<Inbox>,
    channels: BTreeSet<Bytes>,
    patterns: BTreeSet<Bytes>,
    shards: BTreeSet<Bytes>,
}

impl Drop for Listening {
    fn drop(&mut self) {
        for names in [Names::Channels, Names::Patterns, Names::Shards] {
            for name in std::mem::take(self.set(names)) {
                self.held.pubsub.leave(names, &name, self.inbox.id());
            }
        }
    }
}

impl Listening {
    pub(super) fn new(bucket: &Bucket, id: u64) -> Self {
        Self {
            held: bucket.held.clone(),
            inbox: Arc::new(Inbox::new(id)),
            channels: BTreeSet::new(),
            patterns: BTreeSet::new(),
            shards: BTreeSet::new(),
        }
    }

    pub(super) fn inbox(&self) -> &Arc<Inbox> {
        &self.inbox
    }

    pub(super) fn is_any(&self) -> bool {
        self.len() > 0
    }

    fn len(&self) -> usize {
        self.channels.len() + self.patterns.len() + self.shards.len()
    }

    fn set(&mut self, names: Names) -> &mut BTreeSet<Bytes> {
        match names {
            Names::Channels => &mut self.channels,
            Names::Patterns => &mut self.patterns,
            Names::Shards => &mut self.shards,
        }
    }

    /// As replies count: shard channels for themselves.
    fn count(&self, names: Names) -> usize {
        if names == Names::Shards { self.shards.len() } else { self.channels.len() + self.patterns.len() }
    }

    /// (P|S)SUBSCRIBE: one reply for each name.
    pub(super) fn begin(&mut self, names: Names, args: Args<'_>, out: &mut Out) {
        for name in &args[1..] {
            if self.len() >= NAMES_MAX {
                out.error(&format!("ERR a client may listen to {NAMES_MAX} names"));
                continue;
            }
            let name = Bytes::copy_from_slice(name);
            self.held.pubsub.join(names, &name, &self.inbox);
            self.set(names).insert(name.clone());
            confirm(names, true, Some(&name), self.count(names), out);
        }
    }

    /// (P|S)UNSUBSCRIBE: one reply for each name, or for each that it listened to.
    pub(super) fn end(&mut self, names: Names, args: Args<'_>, out: &mut Out) {
        let ended: Vec<Bytes> = match &args[1..] {
            [] => self.set(names).iter().cloned().collect(),
            given => given.iter().map(|name| Bytes::copy_from_slice(name)).collect(),
        };
        if ended.is_empty() {
            confirm(names, false, None, self.count(names), out);
        }
        for name in ended {
            if self.set(names).remove(&name) {
                self.held.pubsub.leave(names, &name, self.inbox.id());
            }
            confirm(names, false, Some(&name), self.count(names), out);
        }
    }
}

fn confirm(names: Names, begins: bool, name: Option<&Bytes>, count: usize, out: &mut Out) {
    let what: &[u8] = match (names, begins) {
        (Names::Channels, true) => b"subscribe",
        (Names::Channels, false) => b"unsubscribe",
        (Names::Patterns, true) => b"psubscribe",
        (Names::Patterns, false) => b"punsubscribe",
        (Names::Shards, true) => b"ssubscribe",
        (Names::Shards, false) => b"sunsubscribe",
    };
    out.push(3);
    out.bulk(what);
    match name {
        Some(name) => out.bulk(name),
        None => out.null(),
    }
    out.int(count as i64);
}

/// What a client of version 2 that listens is told of commands that are not for it: their replies would look like messages.
pub(super) fn refusal(spec: &Spec) -> Option<Fail> {
    const ALLOWED: [&str; 9] = [
        "ping",
        "psubscribe",
        "punsubscribe",
        "quit",
        "reset",
        "ssubscribe",
        "subscribe",
        "sunsubscribe",
        "unsubscribe",
    ];
    (!ALLOWED.contains(&spec.name)).then(|| {
        Fail::of(format!(
            "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this \
             context",
            spec.name
        ))
    })
}

/// PING of such a client looks like a message.
pub(super) fn pong(args: Args<'_>) -> Bytes {
    let mut out = Out::new(RespVersion::Two);
    match args {
        [_] | [_, _] => {
            out.array(2);
            out.bulk(b"pong");
            out.bulk(args.get(1).copied().unwrap_or_default());
        }
        _ => out.error(&Fail::wrong_count("ping").0),
    }
    out.into_bytes()
}

/// PUBLISH, or SPUBLISH: how many clients of the whole cluster got it.
pub(super) async fn publish(tier: &DataTier, bucket: &Arc<Bucket>, is_sharded: bool, args: Args<'_>) -> Ran<Reply> {
    let [channel, message] = [args[1], args[2]].map(Bytes::copy_from_slice);
    let said = tier.tell_all(bucket, Tell::Publish(Publication { channel, message, is_sharded })).await;
    Ok(Reply::Int(said.iter().flat_map(|said| &said.numbers).sum::<u64>() as i64))
}

/// PUBSUB, about the whole cluster.
pub(super) async fn pubsub(tier: &DataTier, bucket: &Arc<Bucket>, args: Args<'_>) -> Ran<Reply> {
    let sub = args[1].to_ascii_uppercase();
    let is_sharded = sub.starts_with(b"SHARD");
    match (sub.as_slice(), &args[2..]) {
        (b"CHANNELS" | b"SHARDCHANNELS", words) if words.len() < 2 => {
            let fitting = words.first().map(|pattern| Bytes::copy_from_slice(pattern));
            let said = tier.tell_all(bucket, Tell::Names { is_sharded, are_patterns: false, fitting }).await;
            Ok(Reply::Array(all_names(said).into_iter().map(Reply::Bulk).collect()))
        }
        (b"NUMPAT", []) => {
            let tell = Tell::Names { is_sharded: false, are_patterns: true, fitting: None };
            Ok(Reply::Int(all_names(tier.tell_all(bucket, tell).await).len() as i64))
        }
        (b"NUMSUB" | b"SHARDNUMSUB", names) => {
            let channels: Vec<Bytes> = names.iter().map(|name| Bytes::copy_from_slice(name)).collect();
            let said = tier.tell_all(bucket, Tell::Counts { is_sharded, channels: channels.clone() }).await;
            let count = |at: usize| said.iter().filter_map(|said| said.numbers.get(at)).sum::<u64>() as i64;
            let pair = |(at, name)| [Reply::Bulk(name), Reply::Int(count(at))];
            Ok(Reply::Array(channels.into_iter().enumerate().flat_map(pair).collect()))
        }
        _ => Err(unknown_subcommand(args)),
    }
}

fn all_names(said: Vec<Said>) -> BTreeSet<Bytes> {
    said.into_iter().flat_map(|said| said.items).collect()
}
