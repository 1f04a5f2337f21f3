//! Core: what travels to the acting primary: a command whose keys are all in one partition, or several that are one.
//!
//! Words travel as the client has sent them, and the reply comes back in the client's own version of the protocol, so nothing is
//! taken apart and put together on the way.

use bytes::Bytes;
use ringway_ring::Partition;
use serde::{Deserialize, Serialize};

use crate::command::{self, Spec};
use crate::memcache;
use crate::share::{SHARED_LEN_MIN, share};

/// The words of a command, its name first; kept for as long as it is on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Words(pub(crate) Vec<Bytes>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Unit {
    partition: u16,
    pub(crate) body: Body,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Body {
    One(Words),
    /// MULTI ... EXEC: one array of replies, or a null one if a watched key has changed.
    Transaction {
        watched: Vec<Watched>,
        commands: Vec<Words>,
    },
    /// The fingerprints of these keys, in an array.
    Watch(Vec<Bytes>),
    /// A request of the memcached protocol about this key, as it came; its reply is of that protocol, too.
    Memcache {
        key: Bytes,
        request: Bytes,
    },
}

/// A key and what it was like when it was watched ([`crate::call::Keys::fingerprint`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Watched {
    pub(crate) key: Bytes,
    pub(crate) fingerprint: u64,
}

/// Replies without a value are about so long at most.
const SHORT_REPLY_LEN: usize = 96;
/// A reply may be as long as this before it is asked for alone.
const LONG_REPLY_LEN: usize = 1 << 20;

impl Words {
    pub(crate) fn of(words: &[&[u8]]) -> Self {
        Self(words.iter().map(|word| Bytes::copy_from_slice(word)).collect())
    }

    pub(crate) fn as_slices(&self) -> Vec<&[u8]> {
        self.0.iter().map(|word| &word[..]).collect()
    }

    fn spec(&self) -> Option<&'static Spec> {
        Spec::named(self.0.first()?)
    }

    fn len(&self) -> usize {
        self.0.iter().map(|word| word.len() + 4).sum::<usize>() + 16
    }
}

impl Unit {
    pub(crate) fn new(partition: Partition, body: Body) -> Self {
        Self { partition: partition.0, body }
    }

    pub(crate) fn one(partition: Partition, words: &[&[u8]]) -> Self {
        Self::new(partition, Body::One(Words::of(words)))
    }

    /// The same with words that may stay in the buffer they came in.
    pub(crate) fn sharing(partition: Partition, words: &[&[u8]], source: Option<&Bytes>) -> Self {
        Self::new(partition, Body::One(Words(words.iter().map(|word| share(word, source)).collect())))
    }

    /// What long values of it may be parts of.
    pub(crate) fn source(&self) -> Option<&Bytes> {
        let longest = match &self.body {
            Body::One(words) => words.0.iter().max_by_key(|word| word.len())?,
            Body::Memcache { request, .. } => request,
            Body::Transaction { .. } | Body::Watch(_) => return None,
        };
        (longest.len() >= SHARED_LEN_MIN).then_some(longest)
    }

    /// `None` if another node has sent nonsense.
    pub(crate) fn partition(&self) -> Option<Partition> {
        Partition::all().nth(usize::from(self.partition))
    }

    /// Of one that was made here.
    pub(crate) fn own_partition(&self) -> Partition {
        Partition(self.partition)
    }

    fn commands(&self) -> &[Words] {
        match &self.body {
            Body::One(words) => std::slice::from_ref(words),
            Body::Transaction { commands, .. } => commands,
            Body::Watch(_) | Body::Memcache { .. } => &[],
        }
    }

    /// About how many bytes it takes in a message.
    pub(crate) fn len(&self) -> usize {
        let watched: usize = match &self.body {
            Body::Transaction { watched, .. } => watched.iter().map(|watched| watched.key.len() + 12).sum(),
            Body::Watch(keys) => keys.iter().map(|key| key.len() + 4).sum(),
            Body::Memcache { key, request } => key.len() + request.len() + 8,
            Body::One(_) => 0,
        };
        self.commands().iter().map(Words::len).sum::<usize>() + watched + 8
    }

    /// About how many bytes its reply takes at most, as far as that can be said.
    pub(crate) fn reply_len_max(&self) -> usize {
        if let Body::Memcache { request, .. } = &self.body {
            return if memcache::replies_shortly(request) { SHORT_REPLY_LEN } else { LONG_REPLY_LEN };
        }
        let of = |words: &Words| match words.spec() {
            Some(spec) if spec.replies_shortly() => SHORT_REPLY_LEN,
            _ => LONG_REPLY_LEN,
        };
        self.commands().iter().map(of).sum::<usize>().clamp(SHORT_REPLY_LEN, LONG_REPLY_LEN)
    }

    /// Whether it leaves the keys as they are.
    pub(crate) fn only_reads(&self) -> bool {
        match &self.body {
            Body::Memcache { request, .. } => memcache::read(request).is_some_and(|asked| memcache::only_reads(&asked)),
            _ => self.commands().iter().all(|words| words.spec().is_some_and(Spec::only_reads)),
        }
    }

    /// Whether doing it twice leaves the same as doing it once, so that it may be tried again when no answer came.
    pub(crate) fn is_repeatable(&self) -> bool {
        if let Body::Memcache { request, .. } = &self.body {
            return memcache::read(request).is_some_and(|request| memcache::is_repeatable(&request));
        }
        self.commands().iter().all(|words| words.spec().is_some_and(|spec| spec.is_repeatable(&words.as_slices())))
    }

    /// Its keys.
    pub(crate) fn keys(&self) -> Vec<Bytes> {
        let of = |words: &Words| {
            let slices = words.as_slices();
            let at = words.spec().and_then(|spec| command::key_positions(spec, &slices).ok()).unwrap_or_default();
            at.into_iter().filter_map(|at| words.0.get(at).cloned()).collect::<Vec<_>>()
        };
        let mut keys: Vec<Bytes> = self.commands().iter().flat_map(of).collect();
        match &self.body {
            Body::Transaction { watched, .. } => keys.extend(watched.iter().map(|watched| watched.key.clone())),
            Body::Watch(watched) => keys.extend(watched.iter().cloned()),
            Body::Memcache { key, .. } => keys.push(key.clone()),
            Body::One(_) => {}
        }
        keys
    }
}
