//! Core: what several clients of one core have said by now, run together.
//!
//! The commands of all of them are parsed and looked at first, so that the memory of one client's keys is on its way while others'
//! commands are still being parsed; then each client's commands run one after another. Only what can be run here and at once has a
//! turn ([`super::local`]); who says anything else goes the long way with all of it.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use ringway_protocol::resp::{Limits, Out, Parsed, RespVersion, Words, parse};
use ringway_ring::Partition;

use crate::DataTier;
use crate::bucket::Bucket;
use crate::call::{Scene, Written};
use crate::door::local::{Found, Local, run_found};
use crate::door::output::OUTPUT_LEN_MAX;
use crate::door::session::Session;
use crate::view::View;

/// Commands of one client in one turn; who has said more goes the long way.
const COMMANDS_MAX: usize = 256;

pub(super) struct Turn<'a> {
    tier: &'a DataTier,
    view: Arc<View>,
    groups: Vec<Group<'a>>,
    words: Vec<&'a [u8]>,
    commands: Vec<Command>,
}

/// What is run on one bucket.
struct Group<'a> {
    local: Local<'a>,
    keys: Vec<(Partition, &'a [u8])>,
}

struct Command {
    words: Range<usize>,
    /// Where it ends in what its client has said.
    end: usize,
    found: Found,
}

/// What is asked by one client.
pub(super) struct Asked {
    group: usize,
    version: RespVersion,
    commands: Range<usize>,
    /// How much of what it has said that is. The rest is the beginning of a command.
    used: usize,
}

/// How it went with what one client has asked.
pub(super) struct Answered {
    /// So many of its commands have replies.
    pub(super) ran: usize,
    /// What they were, in bytes. More is left to be run if that is not all that was asked.
    pub(super) used: usize,
    pub(super) is_all: bool,
    /// The replies may go when what the group has written is settled.
    pub(super) waits_for: Option<usize>,
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
        Self { tier, view: tier.view(), groups: Vec::new(), words: Vec::new(), commands: Vec::new() }
    }

    /// How many commands have a turn.
    pub(super) fn len(&self) -> usize {
        self.commands.len()
    }

    /// Takes all complete commands that a client has said. `None` if they need the long way.
    pub(super) fn take(&mut self, session: &mut Session, bytes: &'a [u8], words: &mut Words) -> Option<Asked> {
        if !session.takes_the_short_way() {
            return None;
        }
        let group = self.group_of(session.bucket_in(&self.view)?)?;
        let (commands, all_words, keys) = (self.commands.len(), self.words.len(), self.groups[group].keys.len());
        match self.parse(group, bytes, words) {
            Some(used) => {
                Some(Asked { group, version: session.version(), commands: commands..self.commands.len(), used })
            }
            None => {
                self.commands.truncate(commands);
                self.words.truncate(all_words);
                self.groups[group].keys.truncate(keys);
                None
            }
        }
    }

    fn group_of(&mut self, bucket: &Arc<Bucket>) -> Option<usize> {
        if let Some(known) = self.groups.iter().position(|group| Arc::ptr_eq(group.local.bucket(), bucket)) {
            return Some(known);
        }
        let local = Local::begin_with(self.tier, self.view.clone(), bucket.clone())?;
        if bucket.spec.ops_per_second.is_some() {
            return None;
        }
        self.groups.push(Group { local, keys: Vec::new() });
        Some(self.groups.len() - 1)
    }

    /// How many bytes the complete commands have; `None` if one of them cannot be run just so.
    fn parse(&mut self, group: usize, bytes: &'a [u8], words: &mut Words) -> Option<usize> {
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
        let (Group { local, keys }, args) = (&mut self.groups[group], &self.words[from..]);
        let found = local.look_at(args);
        match found {
            Found::NotHere => return None,
            Found::At(_, partition) => {
                local.bucket().store().prefetch_lines(partition, args[1]);
                keys.push((partition, args[1]));
            }
            Found::Plain(_) | Found::Wrong(_) => {}
        }
        self.commands.push(Command { words: from..self.words.len(), end, found });
        Some(())
    }

    /// Runs what all of them have asked. `answer` is told of each, with its number and its replies. What was written, by bucket.
    pub(super) fn run(
        self,
        asked: &[Asked],
        out: &mut Out,
        mut answer: impl FnMut(usize, Answered, &mut Out),
    ) -> Vec<Wrote<'a>> {
        for Group { local, keys } in &self.groups {
            local.bucket().store().prefetch(keys);
        }
        let mut written: Vec<Written> = self.groups.iter().map(|_| Written::default()).collect();
        let groups = self.groups.iter().zip(&mut written);
        let scenes: Vec<Scene<'_>> = groups.map(|(group, written)| group.local.scene(None, written)).collect();
        let mut ran = 0;
        let mut commands = self.commands.into_iter();
        for (number, asked) in asked.iter().enumerate() {
            let (scene, written) = (&scenes[asked.group], &mut written[asked.group]);
            out.set_version(asked.version);
            let own = commands.by_ref().take(asked.commands.len());
            let answered = run_one(scene, written, &self.words, own, asked, out);
            ran += answered.ran;
            let must_wait = answered.waits_for.is_some() && self.groups[asked.group].local.must_wait(written);
            answer(number, Answered { waits_for: must_wait.then_some(asked.group), ..answered }, out);
        }
        self.tier.stats.note_commands(ran);
        drop(scenes);
        self.groups.into_iter().map(|group| group.local).zip(written).collect()
    }
}

/// Runs a client's commands, until their replies are long. All of `commands` are taken.
fn run_one(
    scene: &Scene<'_>,
    written: &mut Written,
    words: &[&[u8]],
    commands: impl Iterator<Item = Command>,
    asked: &Asked,
    out: &mut Out,
) -> Answered {
    let (before, len) = (written.count, asked.commands.len());
    let mut answered = Answered { ran: 0, used: 0, is_all: false, waits_for: None, is_broken: false };
    for Command { words: at, end, found } in commands {
        if out.len() >= OUTPUT_LEN_MAX || answered.is_broken {
            continue;
        }
        // One client's trouble must not be that of all others of this core.
        let run = AssertUnwindSafe(|| run_found(scene, written, found, &words[at], out));
        answered.is_broken = catch_unwind(run).is_err();
        (answered.ran, answered.used) = (answered.ran + 1, end);
    }
    answered.is_all = answered.ran == len;
    if answered.is_all {
        answered.used = asked.used;
    }
    answered.waits_for = (written.count > before).then_some(asked.group);
    answered
}

/// The same bytes, as a part of the input for as long as that is there.
pub(super) fn part_of<'a>(input: &'a [u8], word: &[u8]) -> &'a [u8] {
    let at = word.as_ptr() as usize - input.as_ptr() as usize;
    &input[at..at + word.len()]
}
