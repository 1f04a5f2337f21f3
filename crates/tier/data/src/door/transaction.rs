//! Driver: MULTI, EXEC and WATCH of one client.
//!
//! What is queued travels as one to the node that executes its keys, and runs there with nobody in between; so all keys, those
//! that are watched too, have to be in one slot, unless the bucket is kept together. A watched key is not locked: what it was
//! like travels along, and nothing is done if it is different.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use ringway_protocol::resp::{Out, Reply, RespVersion, read_reply, reply_len};
use ringway_ring::Partition;

use crate::DataTier;
use crate::bucket::Bucket;
use crate::call::Args;
use crate::command::{Run, SessionKind, Spec, key_positions};
use crate::door::session::Session;
use crate::door::{batch, scripting};
use crate::fail::{Fail, Ran};
use crate::unit::{Body, Unit, Watched, Words};

const ABORTED: Fail = Fail::new("EXECABORT Transaction discarded because of previous errors.");
const NOT_HERE: Fail = Fail::new("ERR Command not allowed inside a transaction");
/// Commands between MULTI and EXEC.
const QUEUED_MAX: usize = 1 << 20;
/// Their bytes.
const QUEUED_BYTES_MAX: usize = 512 << 20;

/// What a client has said of a transaction.
#[derive(Debug, Default)]
pub(super) struct Transaction {
    /// `None`: no MULTI.
    queued: Option<Queued>,
    watched: Vec<Watched>,
}

#[derive(Debug, Default)]
struct Queued {
    commands: Vec<Words>,
    bytes: usize,
    /// One of them was wrong: EXEC will do nothing.
    is_spoilt: bool,
}

impl Transaction {
    pub(super) fn is_open(&self) -> bool {
        self.queued.is_some()
    }

    pub(super) fn begin(&mut self) -> Ran {
        if self.is_open() {
            return Err(Fail::new("ERR MULTI calls can not be nested"));
        }
        self.queued = Some(Queued::default());
        Ok(())
    }

    pub(super) fn spoil(&mut self) {
        if let Some(queued) = &mut self.queued {
            queued.is_spoilt = true;
        }
    }

    pub(super) fn discard(&mut self) -> Ran {
        self.queued.take().ok_or(Fail::new("ERR DISCARD without MULTI"))?;
        self.watched.clear();
        Ok(())
    }

    pub(super) fn unwatch(&mut self) {
        self.watched.clear();
    }

    fn push(&mut self, args: Args<'_>) -> Ran {
        let Some(queued) = &mut self.queued else { return Ok(()) };
        queued.bytes += args.iter().map(|word| word.len()).sum::<usize>();
        if queued.commands.len() >= QUEUED_MAX || queued.bytes > QUEUED_BYTES_MAX {
            queued.is_spoilt = true;
            return Err(Fail::new("ERR the transaction is too long"));
        }
        queued.commands.push(Words::of(args));
        Ok(())
    }
}

/// Between MULTI and EXEC: what the client is told instead of the reply of a command; `None`: it is run now.
pub(super) fn queue(session: &mut Session, spec: &Spec, args: Args<'_>) -> Option<Bytes> {
    let transaction = session.transaction_mut();
    let is_now = matches!(
        spec.run,
        Run::Session(
            SessionKind::Exec | SessionKind::Discard | SessionKind::Multi | SessionKind::Quit | SessionKind::Reset
        )
    );
    if !transaction.is_open() || is_now {
        return None;
    }
    if spec.run_is(SessionKind::Watch) {
        return Some(Fail::new("ERR WATCH inside MULTI is not allowed").reply());
    }
    if spec.is_barred_from_multi() {
        transaction.spoil();
        return Some(NOT_HERE.reply());
    }
    Some(match transaction.push(args) {
        Ok(()) => Bytes::from_static(b"+QUEUED\r\n"),
        Err(fail) => fail.reply(),
    })
}

/// WATCH: notes what the keys are like now.
pub(super) async fn watch(tier: &Arc<DataTier>, session: &mut Session, args: Args<'_>) -> Ran {
    let bucket = session.bucket_of(&tier.view())?;
    let keys: Vec<Bytes> = args[1..].iter().map(|key| Bytes::copy_from_slice(key)).collect();
    let before = session.transaction().watched.iter().map(|watched| watched.key.clone());
    let slots: Vec<_> = keys.iter().cloned().chain(before).map(|key| bucket.slot_of(&key)).collect();
    if slots.iter().any(|slot| *slot != slots[0]) {
        return Err(Fail::CROSS_SLOT);
    }
    let unit = Unit::new(bucket.partition_of(&keys[0]), Body::Watch(keys.clone()));
    let reply = run_one(tier, &bucket, unit, RespVersion::Two).await?;
    let fingerprints = numbers(&reply).filter(|found| found.len() == keys.len()).ok_or_else(|| failed(&reply))?;
    let watched = keys.into_iter().zip(fingerprints).map(|(key, fingerprint)| Watched { key, fingerprint });
    session.transaction_mut().watched.extend(watched);
    Ok(())
}

/// The reply of another node, as what went wrong.
fn failed(reply: &[u8]) -> Fail {
    let text = String::from_utf8_lossy(reply);
    Fail::of(text.trim_start_matches('-').trim_end().to_owned())
}

fn numbers(reply: &[u8]) -> Option<Vec<u64>> {
    let Ok(Some((Reply::Array(items), _))) = read_reply(reply) else { return None };
    let number = |item| if let Reply::Int(number) = item { Some(number as u64) } else { None };
    items.into_iter().map(number).collect()
}

async fn run_one(tier: &Arc<DataTier>, bucket: &Bucket, unit: Unit, version: RespVersion) -> Ran<Bytes> {
    tier.run_units(&bucket.name, vec![unit], version).await.pop().ok_or(Fail::new("ERR no reply"))
}

/// EXEC. One array with the replies of all, or a null one if a watched key has changed.
pub(super) async fn exec(tier: &Arc<DataTier>, session: &mut Session) -> Ran<Bytes> {
    let Transaction { queued, watched } = std::mem::take(session.transaction_mut());
    let queued = queued.ok_or(Fail::new("ERR EXEC without MULTI"))?;
    if queued.is_spoilt {
        return Err(ABORTED);
    }
    let bucket = session.bucket_of(&tier.view())?;
    let mut keyed: Numbered = numbered(&queued.commands, Place::Keys).collect();
    scripting::put_bodies(tier, &bucket, &mut keyed).await;
    let partition = one_partition(&bucket, &keyed, &watched)?;
    let mut run = Exec { tier, bucket, partition, watched, replies: vec![None; queued.commands.len()] };
    let mut keyed = keyed.into_iter().peekable();
    // What is about all keys comes in its turn; then what comes before and what comes after are one each.
    for (at, words) in numbered(&queued.commands, Place::Bucket) {
        let before: Numbered = std::iter::from_fn(|| keyed.next_if(|(place, _)| *place < at)).collect();
        if let Some(reply) = run.together(before, session.version()).await? {
            return Ok(reply);
        }
        run.replies[at] = Some(run_alone(tier, session, &words).await);
    }
    if let Some(reply) = run.together(keyed.collect(), session.version()).await? {
        return Ok(reply);
    }
    // What is about neither keys nor the bucket cannot be told from what comes after.
    for (at, words) in numbered(&queued.commands, Place::Session) {
        run.replies[at] = Some(run_alone(tier, session, &words).await);
    }
    Ok(array(run.replies))
}

type Numbered = Vec<(usize, Words)>;

/// What a queued command is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Keys,
    Bucket,
    Session,
}

fn numbered(commands: &[Words], wanted: Place) -> impl Iterator<Item = (usize, Words)> + '_ {
    let place = |words: &Words| match words.0.first().and_then(|name| Spec::named(name)).map(|spec| spec.run) {
        Some(Run::Whole(_)) => Place::Bucket,
        Some(Run::Session(_)) => Place::Session,
        _ => Place::Keys,
    };
    commands.iter().cloned().enumerate().filter(move |(_, words)| place(words) == wanted)
}

/// A transaction while it is run.
struct Exec<'a> {
    tier: &'a Arc<DataTier>,
    bucket: Arc<Bucket>,
    partition: Partition,
    /// Looked at with the first commands.
    watched: Vec<Watched>,
    replies: Vec<Option<Bytes>>,
}

impl Exec<'_> {
    /// Runs commands on keys as one. The reply of all, if nothing is to be done.
    async fn together(&mut self, commands: Numbered, version: RespVersion) -> Ran<Option<Bytes>> {
        if commands.is_empty() && self.watched.is_empty() && self.replies.iter().any(Option::is_some) {
            return Ok(None);
        }
        let is_first = self.replies.iter().all(Option::is_none);
        let (places, commands): (Vec<usize>, Vec<Words>) = commands.into_iter().unzip();
        let body = Body::Transaction { watched: std::mem::take(&mut self.watched), commands };
        let reply = run_one(self.tier, &self.bucket, Unit::new(self.partition, body), version).await?;
        let is_array = reply.starts_with(b"*") && !reply.starts_with(b"*-1");
        if !is_array && is_first {
            return Ok(Some(reply));
        }
        let head = reply.iter().position(|byte| *byte == b'\n').map_or(reply.len(), |at| at + 1);
        let mut items = reply.slice(head..);
        for place in places {
            let item = match is_array {
                true => items.split_to(reply_len(&items).ok().flatten().unwrap_or(items.len())),
                // What came before has been done already.
                false => reply.clone(),
            };
            self.replies[place] = Some(item);
        }
        Ok(None)
    }
}

fn array(items: Vec<Option<Bytes>>) -> Bytes {
    let mut array = BytesMut::new();
    array.put_slice(format!("*{}\r\n", items.len()).as_bytes());
    items.into_iter().for_each(|item| array.put_slice(&item.unwrap_or_else(|| NOT_HERE.reply())));
    array.freeze()
}

/// Where they run: all keys have to be in one slot. Without keys it does not matter where.
fn one_partition(bucket: &Bucket, commands: &Numbered, watched: &[Watched]) -> Ran<Partition> {
    let mut first = None;
    let mut fits = |key: &[u8]| {
        let slot = bucket.slot_of(key);
        *first.get_or_insert((slot, bucket.partition_of(key))) == (slot, bucket.partition_of(key))
    };
    for (_, words) in commands {
        let slices = words.as_slices();
        let Some(spec) = Spec::named(slices[0]) else { continue };
        if !key_positions(spec, &slices)?.into_iter().all(|at| fits(slices[at])) {
            return Err(Fail::CROSS_SLOT);
        }
    }
    if !watched.iter().all(|watched| fits(&watched.key)) {
        return Err(Fail::CROSS_SLOT);
    }
    Ok(first.map_or_else(|| bucket.partition_of(b""), |(_, partition)| partition))
}

async fn run_alone(tier: &Arc<DataTier>, session: &mut Session, words: &Words) -> Bytes {
    let slices = words.as_slices();
    let result = match Spec::of(&slices).map(|spec| spec.run) {
        Ok(Run::Whole(function)) => match function(&slices) {
            Ok(asked) => batch::run_whole(tier, session, asked).await,
            Err(fail) => Err(fail),
        },
        Ok(Run::Session(kind)) => super::session::answer(tier, session, kind, &slices).await,
        Ok(_) => Err(NOT_HERE),
        Err(fail) => Err(fail),
    };
    let mut out = Out::new(session.version());
    match result {
        Ok(reply) => out.reply(&reply),
        Err(fail) => return fail.reply(),
    }
    out.into_bytes()
}
