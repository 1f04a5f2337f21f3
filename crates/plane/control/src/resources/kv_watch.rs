//! Driver: `GET /v1/buckets/{}/watch`: changes of a key, or of keys like a pattern, as JSON lines, until the caller goes.
//!
//! Every node is asked for the changes that it executes, and answers when there is one: nothing is missed, unless changes come faster
//! than they are read, which is told. Where the data tier tells no changes, the keys are looked at again and again; the first line says
//! which of the two it is.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt, join_all};
use futures_util::stream::{FuturesUnordered, StreamExt};
use http::StatusCode;
use ringway_ports::{ChangesFrom, KvChanges, KvError, KvPattern, KvRecord};
use ringway_ring::NodeId;
use ringway_rt::clock;
use tokio::sync::mpsc;

use crate::Error;
use crate::api::kv_watch::{ChangeLine, KvSeen, VALUE_BYTES_MAX, WatchLine};
use crate::api::{NodeRef, RecordLine, Text};
use crate::cluster::ANSWER_WITHIN;
use crate::control::Control;
use crate::peer_messages::{Ask, CHANGES_WITHIN_MAX};
use crate::reply::{Reply, with_body};
use crate::request::Call;
use crate::resources::buckets::known;
use crate::resources::logs::{JSON_LINES, streamed};

const PIECES_MAX: usize = 16;
/// A node that did not answer is asked again after this, and new nodes are looked for.
const ASK_AGAIN: Duration = Duration::from_secs(1);
const LOOK_EVERY_MS: u64 = 200;
/// Keys that are looked at, of a pattern, where the data tier tells no changes; and keys that are scanned for them.
const LOOKED_AT_MAX: usize = 1000;
const SCAN_COUNT: usize = 1000;
const READS_AT_ONCE: usize = 32;
/// Keys whose end is waited for.
const EXPIRING_MAX: usize = 1000;
/// A key is gone for clients when its time is over.
const EXPIRED: &str = "expired";

pub(crate) async fn follow(control: Arc<Control>, call: Call) -> Reply {
    let bucket = known(&control.catalog(), call.param(0)?)?.name.clone();
    let pattern = match (call.query_bytes("key"), call.query_bytes("pattern")) {
        (Some(key), None) => KvPattern::Key(key),
        (None, Some(pattern)) => KvPattern::Glob(pattern),
        _ => return Err(Error::BadRequest("say what to watch: `?key=KEY` or `?pattern=PATTERN`".to_owned())),
    };
    let permit = control.followers.clone().try_acquire_owned();
    let permit = permit.map_err(|_| Error::Unavailable("too many are watching on this node".to_owned()))?;
    // From here on nothing is missed of what this node executes.
    let first = control.deps.kv.changes(&bucket, pattern.clone(), None, Duration::ZERO).await;
    let sees = match &first {
        Ok(_) => KvSeen::EveryChange,
        Err(KvError::Unsupported(_)) => KvSeen::LooksEveryMs(LOOK_EVERY_MS),
        Err(error) => return Err(error.clone().into()),
    };
    let (pieces, received) = mpsc::channel::<Bytes>(PIECES_MAX);
    let watch = Watch { control: control.clone(), bucket, pattern, pieces: pieces.clone() };
    let stopping = control.tasks.stopping();
    control.tasks.spawn("bucket watch", async move {
        tokio::select! {
            () = stopping => {}
            () = pieces.closed() => {}
            _ = watch.run(sees) => {}
        }
        drop(permit);
    });
    Ok(with_body(StatusCode::OK, JSON_LINES, streamed(received)))
}

/// Nobody reads any more.
struct Gone;

struct Watch {
    control: Arc<Control>,
    bucket: String,
    pattern: KvPattern,
    pieces: mpsc::Sender<Bytes>,
}

type Heard = (NodeRef, Result<KvChanges, String>);
/// Keys with the time when they expire, as far as that was seen.
type Expiring = BTreeMap<Bytes, u64>;

impl Watch {
    async fn run(self, sees: KvSeen) -> Result<(), Gone> {
        let (KvPattern::Key(watching) | KvPattern::Glob(watching)) = &self.pattern;
        let head = WatchLine::Head { watching: Text::from(watching), sees };
        match sees {
            KvSeen::EveryChange => {
                // Said when all nodes that answer are listened to.
                let from = self.begin().await;
                self.tell(&head).await?;
                self.listen(from).await
            }
            KvSeen::LooksEveryMs(_) => {
                let known = self.records().await;
                self.tell(&head).await?;
                self.look(known).await
            }
        }
    }

    async fn begin(&self) -> BTreeMap<NodeId, ChangesFrom> {
        let catalog = self.control.catalog();
        let ask = |_| self.question(None, Duration::ZERO);
        let answers = self.control.cluster.ask_all::<KvChanges>(&catalog, ask).await;
        answers.into_iter().filter_map(|answer| Some((answer.node.id, answer.result.ok()?.next))).collect()
    }

    /// One question to each node is under way all the time.
    async fn listen(&self, mut from: BTreeMap<NodeId, ChangesFrom>) -> Result<(), Gone> {
        let (mut asked, mut waiting) = (BTreeSet::new(), FuturesUnordered::new());
        let mut expiring = Expiring::new();
        if let KvPattern::Key(key) = &self.pattern {
            note_expiry(&mut expiring, key, self.read(key).await.as_ref());
        }
        let mut again = tokio::time::interval(ASK_AGAIN);
        loop {
            let heard: Option<Heard> = tokio::select! {
                heard = waiting.next(), if !waiting.is_empty() => heard,
                _ = again.tick() => None,
            };
            if let Some((node, result)) = heard {
                asked.remove(&node.id);
                if let Ok(changes) = result {
                    let is_new_run = from.get(&node.id).is_some_and(|from| from.run != changes.next.run);
                    from.insert(node.id, changes.next);
                    self.tell_all(&node, changes, is_new_run, &mut expiring).await?;
                    asked.insert(node.id);
                    waiting.push(self.ask(node.clone(), from.get(&node.id).copied()));
                }
                continue;
            }
            // A line that says nothing shows whether there is anybody left.
            self.pieces.send(Bytes::from_static(b"\n")).await.map_err(|_| Gone)?;
            self.tell_expired(&mut expiring).await?;
            for info in self.control.catalog().nodes.values().filter(|info| !asked.contains(&info.id)) {
                waiting.push(self.ask(NodeRef { id: info.id, name: info.name.clone() }, from.get(&info.id).copied()));
            }
            asked.extend(self.control.catalog().nodes.keys());
        }
    }

    fn ask(&self, node: NodeRef, from: Option<ChangesFrom>) -> BoxFuture<'static, Heard> {
        // A node that is asked for the first time says at once where its feed is.
        let within = if from.is_none() { Duration::ZERO } else { CHANGES_WITHIN_MAX / 2 };
        let call = self.control.cluster.ask_within(node.id, self.question(from, within), within + ANSWER_WITHIN);
        async move { (node, call.await) }.boxed()
    }

    fn question(&self, from: Option<ChangesFrom>, within: Duration) -> Ask {
        let (bucket, pattern) = (self.bucket.clone(), self.pattern.clone());
        Ask::Changes { bucket, pattern, from, within_ms: within.as_millis() as u64 }
    }

    async fn tell_all(
        &self,
        node: &NodeRef,
        changes: KvChanges,
        is_new_run: bool,
        expiring: &mut Expiring,
    ) -> Result<(), Gone> {
        if changes.lost > 0 || is_new_run {
            self.tell(&WatchLine::Lost { lost: changes.lost, node: node.name.clone() }).await?;
        }
        for change in changes.changes {
            let record = self.read(&change.key).await;
            note_expiry(expiring, &change.key, record.as_ref());
            let name = Some(node.name.clone());
            self.tell(&line(change.at_ms, name, &change.key, change.event, record.as_ref())).await?;
        }
        Ok(())
    }

    /// Nobody does anything to a key that expires: it is looked at when its time is over.
    async fn tell_expired(&self, expiring: &mut Expiring) -> Result<(), Gone> {
        let now_ms = clock::wall_ms();
        let due: Vec<(Bytes, u64)> =
            expiring.iter().filter(|(_, at)| **at <= now_ms).map(|(key, at)| (key.clone(), *at)).collect();
        for (key, at_ms) in due {
            let record = self.read(&key).await;
            note_expiry(expiring, &key, record.as_ref());
            if record.is_none() {
                self.tell(&line(at_ms, None, &key, EXPIRED.to_owned(), None)).await?;
            }
        }
        Ok(())
    }

    async fn read(&self, key: &Bytes) -> Option<KvRecord> {
        // Not to be read now: the change is told without the value.
        self.control.deps.kv.read(&self.bucket, key.clone()).await.ok().flatten()
    }

    /// Tells what is different from the last look. What is there at the first look is nothing new.
    async fn look(&self, first: Result<Vec<KvRecord>, KvError>) -> Result<(), Gone> {
        let mut every = tokio::time::interval(Duration::from_millis(LOOK_EVERY_MS));
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut known: Option<BTreeMap<Bytes, u64>> = None;
        let mut looked = first;
        loop {
            let records = match looked {
                Ok(records) => records,
                Err(error) => return self.tell(&WatchLine::Failure { error: error.to_string() }).await,
            };
            let now: BTreeMap<Bytes, u64> =
                records.iter().map(|record| (record.key.clone(), fingerprint(record))).collect();
            if let Some(known) = &known {
                self.tell_differences(known, &now, &records).await?;
            }
            known = Some(now);
            self.pieces.send(Bytes::from_static(b"\n")).await.map_err(|_| Gone)?;
            every.tick().await;
            looked = self.records().await;
        }
    }

    async fn tell_differences(
        &self,
        known: &BTreeMap<Bytes, u64>,
        now: &BTreeMap<Bytes, u64>,
        records: &[KvRecord],
    ) -> Result<(), Gone> {
        let at_ms = clock::wall_ms();
        for record in records.iter().filter(|record| known.get(&record.key) != now.get(&record.key)) {
            self.tell(&line(at_ms, None, &record.key, "set".to_owned(), Some(record))).await?;
        }
        for key in known.keys().filter(|key| !now.contains_key(*key)) {
            self.tell(&line(at_ms, None, key, "del".to_owned(), None)).await?;
        }
        Ok(())
    }

    async fn records(&self) -> Result<Vec<KvRecord>, KvError> {
        let keys = match &self.pattern {
            KvPattern::Key(key) => vec![key.clone()],
            KvPattern::Glob(_) => self.keys().await?,
        };
        let mut records = Vec::new();
        for some in keys.chunks(READS_AT_ONCE) {
            let reads = some.iter().map(|key| self.control.deps.kv.read(&self.bucket, key.clone()));
            for read in join_all(reads).await {
                records.extend(read?);
            }
        }
        Ok(records)
    }

    async fn keys(&self) -> Result<Vec<Bytes>, KvError> {
        let (mut keys, mut cursor) = (Vec::new(), 0);
        loop {
            let page = self.control.deps.kv.scan(&self.bucket, cursor, SCAN_COUNT).await?;
            keys.extend(page.keys.into_iter().filter(|key| self.pattern.matches(key)));
            if keys.len() > LOOKED_AT_MAX {
                let text = format!("more than {LOOKED_AT_MAX} keys are like this: watch fewer");
                return Err(KvError::Invalid(text));
            }
            cursor = page.cursor;
            if cursor == 0 {
                return Ok(keys);
            }
        }
    }

    async fn tell(&self, line: &WatchLine) -> Result<(), Gone> {
        let Ok(mut text) = serde_json::to_vec(line) else { return Ok(()) };
        text.push(b'\n');
        self.pieces.send(text.into()).await.map_err(|_| Gone)
    }
}

fn line(at_ms: u64, node: Option<String>, key: &Bytes, event: String, record: Option<&KvRecord>) -> WatchLine {
    let bytes = record.map(|record| record.value.bytes());
    let shown = record.filter(|_| bytes.is_some_and(|bytes| bytes <= VALUE_BYTES_MAX));
    let value = shown.and_then(|record| RecordLine::of(record.clone()).pop()).map(|line| line.value);
    let expires_ms = record.and_then(|record| record.expires_ms);
    WatchLine::Change(Box::new(ChangeLine { at_ms, node, key: Text::from(key), event, value, expires_ms, bytes }))
}

fn note_expiry(expiring: &mut Expiring, key: &Bytes, record: Option<&KvRecord>) {
    expiring.remove(key);
    if let Some(at_ms) = record.and_then(|record| record.expires_ms).filter(|_| expiring.len() < EXPIRING_MAX) {
        expiring.insert(key.clone(), at_ms);
    }
}

/// Differs when the value or its expiry does.
fn fingerprint(record: &KvRecord) -> u64 {
    use ringway_ports::KvValue::{Hash as Fields, List, Set, SortedSet, String};
    let mut hasher = DefaultHasher::new();
    record.expires_ms.hash(&mut hasher);
    match &record.value {
        String(value) => value.hash(&mut hasher),
        List(elements) => elements.hash(&mut hasher),
        // In whichever order they come.
        Set(members) => members.iter().collect::<BTreeSet<_>>().hash(&mut hasher),
        Fields(fields) => fields.iter().collect::<BTreeSet<_>>().hash(&mut hasher),
        SortedSet(members) => {
            let bits: BTreeSet<(&Bytes, u64)> =
                members.iter().map(|(member, score)| (member, score.to_bits())).collect();
            bits.hash(&mut hasher);
        }
    }
    hasher.finish()
}
