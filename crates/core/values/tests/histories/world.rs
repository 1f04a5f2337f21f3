//! Three replicas of one key, and a network between them that loses, repeats and reorders.

use std::collections::BTreeSet;

use bytes::Bytes;
use proptest::prelude::*;
use proptest::sample::Index;
use ringway_causality::Version;
use ringway_values::{Applied, Edit, Kind, Register, State, Update};

pub const REPLICAS: usize = 3;
const KEY: &[u8] = b"key";

#[derive(Clone, Debug)]
pub enum Command {
    Set(u8),
    Del,
    Expire(u16),
    Persist,
    Incr(i8),
    HSet(u8, u8),
    HDel(u8),
    SAdd(u8),
    SRem(u8),
    ZAdd(u8, i8),
    ZRem(u8),
    LPush,
    RPush,
    LPop,
    RPop,
    LInsert(u8),
    LSet(u8),
    LRem(u8),
    LTrim(u8, u8),
    /// SUNIONSTORE and the like: one put over whatever is there.
    Store(Kind),
}

#[derive(Clone, Debug)]
pub enum Step {
    Do(usize, Command),
    /// One of the messages on their way arrives; whether it will once more.
    Arrive(Index, bool),
    Lose(Index),
    /// Two replicas compare digests and exchange states if they differ.
    Level(usize, usize),
    /// What has expired or is due is buried.
    Sweep(usize),
    Wait(u16),
}

pub fn steps(command: impl Strategy<Value = Command> + 'static, len: usize) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0..REPLICAS, command).prop_map(|(replica, command)| Step::Do(replica, command)),
        8 => (any::<Index>(), any::<bool>()).prop_map(|(message, again)| Step::Arrive(message, again)),
        2 => any::<Index>().prop_map(Step::Lose),
        1 => (0..REPLICAS, 0..REPLICAS).prop_map(|(one, other)| Step::Level(one, other)),
        1 => (0..REPLICAS).prop_map(Step::Sweep),
        1 => (0..300u16).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 0..len)
}

struct Message {
    from: usize,
    to: usize,
    bytes: Vec<u8>,
    /// The commands whose effect it carries.
    carries: BTreeSet<u64>,
}

pub struct Replica {
    pub state: State,
    /// The commands that this one has heard of, as the test keeps count.
    pub seen: BTreeSet<u64>,
    last: Version,
}

pub struct World {
    pub replicas: Vec<Replica>,
    messages: Vec<Message>,
    pub now_ms: u64,
    commands: u64,
}

/// A command that changed something, and all that was seen where it ran.
#[derive(Debug)]
pub struct Done {
    pub id: u64,
    pub version: Version,
    pub seen: BTreeSet<u64>,
    pub command: Command,
}

impl World {
    pub fn new() -> Self {
        let replica = |node| Replica {
            state: State::default(),
            seen: BTreeSet::new(),
            last: Version { node: node as u64 + 1, ..Version::default() },
        };
        Self { replicas: (0..REPLICAS).map(replica).collect(), messages: Vec::new(), now_ms: 1_000, commands: 0 }
    }

    pub fn step(&mut self, step: &Step) -> Option<Done> {
        match step {
            Step::Do(replica, command) => return self.perform(*replica, command),
            Step::Arrive(message, again) if !self.messages.is_empty() => {
                let message = self.messages.remove(message.index(self.messages.len()));
                self.arrive(&message);
                if *again {
                    self.messages.push(message);
                }
            }
            Step::Lose(message) if !self.messages.is_empty() => {
                self.messages.remove(message.index(self.messages.len()));
            }
            Step::Arrive(..) | Step::Lose(_) => {}
            Step::Level(one, other) => drop(self.level(*one, *other)),
            Step::Sweep(replica) => self.sweep(*replica),
            Step::Wait(ms) => self.now_ms += u64::from(*ms),
        }
        None
    }

    /// The partition heals: everybody compares with everybody, and buries what has expired, until all are equal.
    pub fn heal(&mut self) {
        for _ in 0..6 {
            let mut differed = false;
            (0..REPLICAS).for_each(|replica| self.sweep(replica));
            for (one, other) in [(0, 1), (1, 2), (2, 0)] {
                differed |= self.level(one, other);
            }
            if !differed {
                return;
            }
        }
        panic!(
            "the replicas do not become equal: {:#?}",
            self.replicas.iter().map(|one| &one.state).collect::<Vec<_>>()
        );
    }

    fn sweep(&mut self, replica: usize) {
        let state = &mut self.replicas[replica].state;
        if state.due_ms(1_000_000).is_some_and(|at| at <= self.now_ms) {
            state.bury();
        }
    }

    /// Whether they differed.
    fn level(&mut self, one: usize, other: usize) -> bool {
        let (a, b) = (&self.replicas[one].state, &self.replicas[other].state);
        let same = a.digest(KEY) == b.digest(KEY);
        assert_eq!(same, self.dump(one) == self.dump(other), "digests and states disagree\n{a:#?}\n{b:#?}");
        if same {
            return false;
        }
        let (to_other, to_one) = (self.whole(one, other), self.whole(other, one));
        self.arrive(&to_other);
        self.arrive(&to_one);
        true
    }

    fn whole(&self, from: usize, to: usize) -> Message {
        let replica = &self.replicas[from];
        let mut bytes = Vec::new();
        Update::State(replica.state.clone()).encode(&mut bytes);
        Message { from, to, bytes, carries: replica.seen.clone() }
    }

    fn arrive(&mut self, message: &Message) {
        let replica = &mut self.replicas[message.to];
        let before = replica.state.digest(KEY);
        match Update::decode(&message.bytes).expect("what was written can be read") {
            Update::State(state) => {
                let changed = replica.state.merge(state.clone());
                assert!(changed || before == replica.state.digest(KEY), "merge says whether it changed something");
                assert!(!replica.state.merge(state), "merging once more changes nothing");
                replica.seen.extend(&message.carries);
            }
            Update::Delta(delta) => match replica.state.apply(&delta) {
                Applied::Gap => {
                    assert_eq!(before, replica.state.digest(KEY));
                    let whole = self.whole(message.from, message.to);
                    self.messages.push(whole);
                }
                Applied::Changed => replica.seen.extend(&message.carries),
                Applied::Known => assert_eq!(before, replica.state.digest(KEY)),
            },
        }
        let replica = &mut self.replicas[message.to];
        let latest = replica.state.latest();
        if latest.time() > replica.last.time() {
            replica.last = Version { node: replica.last.node, ..latest };
        }
    }

    fn perform(&mut self, at: usize, command: &Command) -> Option<Done> {
        self.now_ms += 1;
        let replica = &mut self.replicas[at];
        let time = (replica.last.time() + 1).max(self.now_ms << 16).max(replica.state.latest().time() + 1);
        let version = Version::from_time(time, replica.last.node);
        let id = self.commands;
        let update = run(&mut replica.state, command, self.now_ms, version, id)?;
        replica.last = version;
        self.commands += 1;
        let done = Done { id, version, seen: replica.seen.clone(), command: command.clone() };
        replica.seen.insert(id);
        let mut bytes = Vec::new();
        update.encode(&mut bytes);
        let carries = match update {
            Update::State(_) => replica.seen.clone(),
            Update::Delta(_) => BTreeSet::from([id]),
        };
        for to in (0..REPLICAS).filter(|to| *to != at) {
            self.messages.push(Message { from: at, to, bytes: bytes.clone(), carries: carries.clone() });
        }
        Some(done)
    }

    /// All that replicas have to agree on, in words.
    pub fn dump(&self, replica: usize) -> String {
        match &self.replicas[replica].state {
            State::Register(register) => format!("register {:?}", register.version),
            State::Counter(counter) => format!("counter {counter:?}").replace("is_buried: true", "is_buried: false"),
            State::Collection(collection) => {
                let kind = (collection.newest() != Version::default()).then(|| collection.kind());
                let (floor, newest) = (collection.floor(), collection.newest());
                let (life, context) = (collection.life(), collection.context());
                let elements = elements(&self.replicas[replica].state);
                format!("{kind:?} {floor:?} {newest:?} {life:?} {context:?} {elements:?}")
            }
        }
    }
}

/// What readers see, whatever the expiry; in an order of its own unless the kind has one.
pub fn elements(state: &State) -> Vec<(Vec<u8>, String)> {
    let State::Collection(collection) = state else { return Vec::new() };
    let name = |bytes: &[u8]| bytes.to_vec();
    if let Some(list) = collection.list() {
        return list.iter().map(|value| (name(value), String::new())).collect();
    }
    let mut all: Vec<_> = match (collection.hash(), collection.set(), collection.sorted_set()) {
        (Some(hash), ..) => hash.iter().map(|(field, value)| (name(field), format!("{value:?}"))).collect(),
        (_, Some(set), _) => set.iter().map(|member| (name(member), String::new())).collect(),
        (.., Some(sorted_set)) => {
            let all: Vec<_> = sorted_set.iter().collect();
            assert!(all.is_sorted_by(|a, b| (a.1, a.0) < (b.1, b.0)), "{all:?}");
            for (rank, (member, score)) in all.iter().enumerate() {
                assert_eq!((sorted_set.rank(member), sorted_set.score(member)), (Some(rank), Some(*score)));
            }
            all.into_iter().map(|(member, score)| (name(member), score.to_string())).collect()
        }
        _ => Vec::new(),
    };
    all.sort();
    all
}

fn run(state: &mut State, command: &Command, now_ms: u64, version: Version, id: u64) -> Option<Update> {
    match command {
        Command::Set(value) => {
            *state = State::Register(Register::new(version, Bytes::from(value.to_string()), None));
            Some(Update::State(state.clone()))
        }
        Command::Del => state.remove(now_ms, version),
        Command::Expire(ms) => state.set_expiry(now_ms, version, Some(now_ms + u64::from(*ms))),
        Command::Persist => state.set_expiry(now_ms, version, None),
        Command::Incr(by) => {
            state.counter(now_ms).ok()??.add(version, (*by).into())?;
            Some(Update::State(state.clone()))
        }
        Command::Store(kind) => {
            let mut edit = state.overwrite(*kind, version);
            put(&mut edit, *kind, id);
            edit.finish().map(Update::Delta)
        }
        _ => {
            let kind = kind_of(command);
            if is_removal(command) && state.live_kind(now_ms) != Some(kind) {
                return None;
            }
            let mut edit = state.open(kind, now_ms, version).ok()?;
            change(&mut edit, command, id);
            edit.finish().map(Update::Delta)
        }
    }
}

fn put(edit: &mut Edit<'_>, kind: Kind, id: u64) {
    match kind {
        Kind::String | Kind::List => edit.push_back(id.to_string().as_bytes()),
        Kind::Hash => drop(edit.hash_set(b"stored", id.to_string().as_bytes())),
        Kind::Set => drop(edit.set_add(b"stored")),
        Kind::SortedSet => drop(edit.zset_put(b"stored", id as f64)),
    }
}

fn kind_of(command: &Command) -> Kind {
    match command {
        Command::HSet(..) | Command::HDel(_) => Kind::Hash,
        Command::SAdd(_) | Command::SRem(_) => Kind::Set,
        Command::ZAdd(..) | Command::ZRem(_) => Kind::SortedSet,
        _ => Kind::List,
    }
}

fn is_removal(command: &Command) -> bool {
    !matches!(command, Command::HSet(..) | Command::SAdd(_) | Command::ZAdd(..) | Command::LPush | Command::RPush)
}

/// Lists get the command's number as value, so that every element is known by its writer.
fn change(edit: &mut Edit<'_>, command: &Command, id: u64) {
    let value = id.to_string();
    let len = edit.collection().len();
    let index = |at: u8| usize::from(at) % len.max(1);
    match command {
        Command::HSet(field, value) => drop(edit.hash_set(&[*field], &[*value])),
        Command::HDel(field) => drop(edit.hash_remove(&[*field])),
        Command::SAdd(member) => drop(edit.set_add(&[*member])),
        Command::SRem(member) => drop(edit.set_remove(&[*member])),
        Command::ZAdd(member, score) => drop(edit.zset_put(&[*member], f64::from(*score))),
        Command::ZRem(member) => drop(edit.zset_remove(&[*member])),
        Command::LPush => edit.push_front(value.as_bytes()),
        Command::RPush => edit.push_back(value.as_bytes()),
        Command::LPop => drop(edit.pop_front()),
        Command::RPop => drop(edit.pop_back()),
        Command::LInsert(at) => edit.insert(index(*at), value.as_bytes()),
        Command::LSet(at) => drop(edit.set(index(*at), value.as_bytes())),
        Command::LRem(at) => drop(edit.remove(index(*at))),
        Command::LTrim(from, to) => edit.truncate(index(*from)..index(*to) + 1),
        _ => unreachable!("not about elements"),
    }
}
