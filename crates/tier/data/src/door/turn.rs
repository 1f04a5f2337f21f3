//! Core: what several clients of one core have said by now, run together.
//!
//! The commands of all of them are parsed and looked at first, so that the memory of one client's keys is on its way while others'
//! commands are still being parsed; then each client's commands run one after another. Only what can be run here and at once has a
//! turn ([`super::local`]); who says anything else goes the long way with all of it. Clients of both doors have turns together.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use ringway_protocol::memcache as memcached;
use ringway_protocol::resp::{Limits, Out, Parsed, RespVersion, Words, parse};
use ringway_ring::Partition;

use crate::DataTier;
use crate::bucket::Bucket;
use crate::call::{Scene, Written};
use crate::door::client::{Client, Instead};
use crate::door::local::{Found, Local, run_found};
use crate::door::memcache::{Step, places_of, run_step};
use crate::door::output::OUTPUT_LEN_MAX;
use crate::memcache::LIMITS;
use crate::view::View;

/// Commands of one client in one turn; who has said more goes the long way.
const COMMANDS_MAX: usize = 256;

pub(super) struct Turn<'a> {
    tier: &'a DataTier,
    view: Arc<View>,
    /// What is run on each bucket is run with one of these.
    locals: Vec<Local<'a>>,
    commands: Vec<Command>,
    /// Of Redis' commands.
    words: Vec<&'a [u8]>,
    /// Of memcached's.
    steps: Vec<Step<'a>>,
    /// Where their keys are.
    places: Vec<Partition>,
}

struct Command {
    what: What,
    /// Where it ends in what its client has said.
    end: usize,
}

enum What {
    Redis { found: Found, words: Range<usize> },
    Memcached { step: usize, places: Range<usize> },
}

/// What is asked by one client.
pub(super) struct Asked {
    /// Which bucket of those that the turn is about.
    group: usize,
    version: RespVersion,
    commands: Range<usize>,
    /// How much of what it has said that is. The rest is the beginning of a command.
    used: usize,
}

/// How it went with what one client has asked.
pub(super) struct Answered {
    /// What its commands were, in bytes. More is left to be run if that is not all that was asked.
    pub(super) used: usize,
    pub(super) is_all: bool,
    /// The replies may go when what the group has written is settled; these, if it cannot be.
    pub(super) waits_for: Option<(usize, Instead)>,
    /// A command has panicked: nothing is known about what it did.
    pub(super) is_broken: bool,
}

/// What was written to one bucket, and what it was written with.
pub(super) type Wrote<'a> = (Local<'a>, Written);

impl Asked {
    pub(super) fn used(&self) -> usize {
        self.used
    }
}

impl<'a> Turn<'a> {
    pub(super) fn new(tier: &'a DataTier) -> Self {
        let (locals, commands, words) = (Vec::new(), Vec::new(), Vec::new());
        Self { tier, view: tier.view(), locals, commands, words, steps: Vec::new(), places: Vec::new() }
    }

    /// How many commands have a turn.
    pub(super) fn len(&self) -> usize {
        self.commands.len()
    }

    /// Takes all complete commands that a client has said. `None` if they need the long way.
    pub(super) fn take(&mut self, client: &mut Client, bytes: &'a [u8], words: &mut Words) -> Option<Asked> {
        if !client.takes_the_short_way() {
            return None;
        }
        let group = self.group_of(client.bucket_in(&self.view)?)?;
        let before = (self.commands.len(), self.words.len(), self.steps.len(), self.places.len());
        let used = match client {
            Client::Redis(_) => self.parse_redis(group, bytes, words),
            Client::Memcached(_) => self.parse_memcached(group, bytes),
        };
        let Some(used) = used else {
            self.commands.truncate(before.0);
            self.words.truncate(before.1);
            self.steps.truncate(before.2);
            self.places.truncate(before.3);
            return None;
        };
        Some(Asked { group, version: client.version(), commands: before.0..self.commands.len(), used })
    }

    fn group_of(&mut self, bucket: &Arc<Bucket>) -> Option<usize> {
        if let Some(known) = self.locals.iter().position(|local| Arc::ptr_eq(local.bucket(), bucket)) {
            return Some(known);
        }
        let local = Local::begin_with(self.tier, self.view.clone(), bucket.clone())?;
        if bucket.spec.ops_per_second.is_some() {
            return None;
        }
        self.locals.push(local);
        Some(self.locals.len() - 1)
    }

    /// How many bytes the complete commands have; `None` if one of them cannot be run just so.
    fn parse_redis(&mut self, group: usize, bytes: &'a [u8], words: &mut Words) -> Option<usize> {
        let (mut used, first) = (0, self.commands.len());
        while used < bytes.len() {
            let rest = &bytes[used..];
            if rest[0] != b'*' || self.commands.len() - first == COMMANDS_MAX {
                return None;
            }
            match parse(rest, &Limits::AUTHENTICATED, words) {
                Parsed::Complete { used: len } => {
                    let from = self.words.len();
                    self.words.extend(words.args(rest).iter().map(|word| part_of(bytes, word)));
                    used += len;
                    self.look_at(group, from, used)?;
                }
                Parsed::Empty { used: len } => used += len,
                Parsed::Incomplete { .. } => {
                    words.clear();
                    break;
                }
                Parsed::Error(_) => return None,
            }
        }
        Some(used)
    }

    fn look_at(&mut self, group: usize, from: usize, end: usize) -> Option<()> {
        let (local, args) = (&self.locals[group], &self.words[from..]);
        let found = local.look_at(args);
        match found {
            Found::NotHere => return None,
            Found::At(_, partition) => local.bucket().store().prefetch_lines(partition, args[1]),
            Found::Plain(_) | Found::Wrong(_) => {}
        }
        let words = from..self.words.len();
        self.commands.push(Command { what: What::Redis { found, words }, end });
        Some(())
    }

    /// The same for memcached.
    fn parse_memcached(&mut self, group: usize, bytes: &'a [u8]) -> Option<usize> {
        let (mut used, first) = (0, self.commands.len());
        while used < bytes.len() {
            if self.commands.len() - first == COMMANDS_MAX {
                return None;
            }
            match memcached::parse(&bytes[used..], &LIMITS, 0) {
                memcached::Parsed::Complete { used: len, request } => {
                    let step = Step::of(request, &bytes[used..used + len]);
                    used += len;
                    self.look_at_step(group, step, used)?;
                }
                // Half a header of the binary protocol is answered, too.
                memcached::Parsed::Incomplete { .. } if bytes[used] != 0x80 => break,
                _ => return None,
            }
        }
        Some(used)
    }

    fn look_at_step(&mut self, group: usize, step: Step<'a>, end: usize) -> Option<()> {
        let (local, from) = (&self.locals[group], self.places.len());
        if !places_of(local, &step, &mut self.places) {
            return None;
        }
        let store = local.bucket().store();
        step.keys().zip(&self.places[from..]).for_each(|(key, partition)| store.prefetch_lines(*partition, key));
        let what = What::Memcached { step: self.steps.len(), places: from..self.places.len() };
        self.steps.push(step);
        self.commands.push(Command { what, end });
        Some(())
    }

    /// Runs what all of them have asked. `answer` is told of each, with its number and its replies. What was written, by bucket.
    pub(super) fn run(
        self,
        asked: &[Asked],
        out: &mut Out,
        mut answer: impl FnMut(usize, Answered, &mut Out),
    ) -> Vec<Wrote<'a>> {
        let prefetch = |(group, local): (usize, &Local<'_>)| {
            let keys = self.keys_of(asked, group);
            local.bucket().store().prefetch(&keys);
            (keys.len(), 0)
        };
        // Of each bucket: keys, and bytes that were said and answered about them.
        let mut traffic: Vec<(usize, usize)> = self.locals.iter().enumerate().map(prefetch).collect();
        let mut written: Vec<Written> = self.locals.iter().map(|_| Written::default()).collect();
        let locals = self.locals.iter().zip(&mut written);
        let scenes: Vec<Scene<'_>> = locals.map(|(local, written)| local.scene(None, written)).collect();
        let mut ran = 0;
        for (number, asked) in asked.iter().enumerate() {
            let (local, scene) = (&self.locals[asked.group], &scenes[asked.group]);
            let written = &mut written[asked.group];
            let before = written.count;
            out.set_version(asked.version);
            let len = out.len();
            let (own, mut answered) = self.run_one(scene, written, asked, out);
            traffic[asked.group].1 += answered.used + out.len().saturating_sub(len);
            ran += own;
            if written.count > before && local.must_wait(written) {
                answered.waits_for = Some((asked.group, self.instead_of(asked, own)));
            }
            answer(number, answered, out);
        }
        self.tier.stats.note_commands(ran);
        for (local, (keys, bytes)) in self.locals.iter().zip(traffic) {
            local.bucket().store().note_traffic(keys, bytes);
        }
        drop(scenes);
        self.locals.into_iter().zip(written).collect()
    }

    /// Where the keys of one bucket are that this turn is about.
    fn keys_of(&self, asked: &[Asked], group: usize) -> Vec<(Partition, &[u8])> {
        let mut keys = Vec::with_capacity(self.commands.len());
        for asked in asked.iter().filter(|asked| asked.group == group) {
            for command in &self.commands[asked.commands.clone()] {
                match &command.what {
                    What::Redis { found: Found::At(_, partition), words } => {
                        keys.push((*partition, self.words[words.start + 1]));
                    }
                    What::Redis { .. } => {}
                    What::Memcached { step, places } => {
                        keys.extend(self.places[places.clone()].iter().copied().zip(self.steps[*step].keys()));
                    }
                }
            }
        }
        keys
    }

    /// Runs a client's commands, until their replies are long. How many.
    fn run_one(&self, scene: &Scene<'_>, written: &mut Written, asked: &Asked, out: &mut Out) -> (usize, Answered) {
        let (mut ran, commands) = (0, &self.commands[asked.commands.clone()]);
        let mut answered = Answered { used: 0, is_all: false, waits_for: None, is_broken: false };
        for Command { what, end } in commands {
            if out.len() >= OUTPUT_LEN_MAX || answered.is_broken {
                break;
            }
            // One client's trouble must not be that of all others of this core.
            let run = AssertUnwindSafe(|| self.run_command(scene, written, what, out));
            answered.is_broken = catch_unwind(run).is_err();
            (ran, answered.used) = (ran + 1, *end);
        }
        answered.is_all = ran == commands.len();
        if answered.is_all {
            answered.used = asked.used;
        }
        (ran, answered)
    }

    #[inline]
    fn run_command(&self, scene: &Scene<'_>, written: &mut Written, what: &What, out: &mut Out) {
        match what {
            What::Redis { found, words } => run_found(scene, written, found, &self.words[words.clone()], out),
            What::Memcached { step, places } => {
                run_step(scene, written, &self.steps[*step], &self.places[places.clone()], out);
            }
        }
    }

    /// For the first `ran` of a client's commands.
    fn instead_of(&self, asked: &Asked, ran: usize) -> Instead {
        let commands = &self.commands[asked.commands.clone()][..ran];
        let step_of = |command: &Command| match command.what {
            What::Memcached { step, .. } => Some(&self.steps[step]),
            What::Redis { .. } => None,
        };
        match commands.first().and_then(step_of) {
            Some(_) => Instead::Memcached(commands.iter().filter_map(step_of).filter_map(Step::instead).collect()),
            None => Instead::Redis(ran),
        }
    }
}

/// The same bytes, as a part of the input for as long as that is there.
pub(super) fn part_of<'a>(input: &'a [u8], word: &[u8]) -> &'a [u8] {
    let at = word.as_ptr() as usize - input.as_ptr() as usize;
    &input[at..at + word.len()]
}
