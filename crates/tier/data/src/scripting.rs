//! Driver: runs scripts where their keys are, under the lock of these keys' partition.
//!
//! Each thread that runs commands has an interpreter of its own for each bucket it runs scripts of, so that nothing of one bucket is
//! ever in reach of another's scripts.

use std::cell::RefCell;
use std::sync::Arc;

use bytes::Bytes;
use ringway_protocol::resp::Out;
use ringway_ring::Partition;
use ringway_script::{Caller, Error, Input, Limits, LogLevel, Script, ScriptHost, Sha};
use tracing::debug;

use crate::call::{Args, Call, Keys};
use crate::command::{Run, SessionKind, Spec, key_positions, lacks_part, select};
use crate::execute;
use crate::fail::{Fail, Ran};
use crate::pubsub::Publication;

/// Interpreters of one thread: of the buckets whose scripts ran last.
const HOSTS_MAX: usize = 8;
/// As INFO says it.
const REDIS_VERSION: [u8; 3] = [7, 2, 0];
/// Of what a script has to say, so much is logged.
const LOGGED_LEN_MAX: usize = 1024;
/// Before the number of the partition that a script without keys wants to be run in. Never leaves the node that the client asked.
const ELSEWHERE: &str = "RINGWAY-ELSEWHERE ";
const NOT_LOCAL: &str = "ERR Script attempted to access a non local key in a cluster node";

thread_local! {
    static HOSTS: RefCell<Vec<(Arc<str>, u64, ScriptHost)>> = const { RefCell::new(Vec::new()) };
}

fn limits() -> Limits {
    Limits { redis_version: REDIS_VERSION, ..Limits::default() }
}

/// Lends the thread's interpreter for a bucket. One that panics is lost.
fn with_host<R>(name: &Arc<str>, created_ms: u64, work: impl FnOnce(&mut ScriptHost) -> R) -> R {
    let found = HOSTS.with_borrow_mut(|hosts| {
        let at = hosts.iter().position(|(of, created, _)| *created == created_ms && of == name)?;
        Some(hosts.remove(at))
    });
    let mut entry = found.unwrap_or_else(|| (name.clone(), created_ms, ScriptHost::new(limits())));
    let result = work(&mut entry.2);
    HOSTS.with_borrow_mut(|hosts| {
        hosts.insert(0, entry);
        hosts.truncate(HOSTS_MAX);
    });
    result
}

/// The script of these words, kept from now on, if it compiles.
pub(crate) fn keep(bucket: &crate::bucket::Bucket, body: &[u8]) -> Result<Arc<Script>, Error> {
    let (scripts, sha) = (&bucket.held.scripts, Sha::of(body));
    if let Some(known) = scripts.get(&sha) {
        return Ok(known);
    }
    let script = Script::with_sha(sha, Bytes::copy_from_slice(body))?;
    with_host(&bucket.name, bucket.held.created_ms, |host| host.compile(&script))?;
    scripts.insert(script)
}

impl From<Error> for Fail {
    fn from(error: Error) -> Self {
        Fail::of(error.to_string())
    }
}

/// Runs a script with the locked keys; `call.out` gets its reply. `is_read` is what the client has promised (EVAL_RO).
pub(crate) fn run(call: &mut Call<'_, '_>, script: &Script, input: Input<'_>, is_read: bool) -> Ran {
    let flags = script.flags();
    if is_read && flags.declared && !flags.no_writes {
        return Err(Fail::new("ERR Can not execute a script with write flag using *_ro command."));
    }
    let may_move = input.keys.is_empty() && call.keys.is_movable();
    let bucket = call.keys.bucket();
    let (name, created_ms) = (bucket.name.clone(), bucket.held.created_ms);
    let mark = call.out.mark();
    let mut commands = Commands { keys: call.keys, is_read: is_read || flags.no_writes, may_move, wants: None };
    with_host(&name, created_ms, |host| host.run(script, input, &mut commands, call.out));
    if let Some(partition) = commands.wants {
        call.out.cut_back(mark);
        call.out.error(&format!("{ELSEWHERE}{}", partition.0));
    }
    Ok(())
}

/// Where a script would rather be run, if that is its reply.
pub(crate) fn elsewhere(reply: &[u8]) -> Option<Partition> {
    let text = std::str::from_utf8(reply).ok()?.strip_prefix('-')?;
    let number: u16 = text.strip_prefix(ELSEWHERE)?.trim_end().parse().ok()?;
    Partition::all().nth(usize::from(number))
}

/// What the client is told when that does not help.
pub(crate) fn not_local() -> Bytes {
    Fail::new(NOT_LOCAL).reply()
}

/// The commands of one script.
struct Commands<'c, 'k> {
    keys: &'c mut Keys<'k>,
    is_read: bool,
    /// It has named no keys and done nothing yet: it may be run where the first one it asks for is.
    may_move: bool,
    wants: Option<Partition>,
}

impl Commands<'_, '_> {
    fn find(&mut self, words: Args<'_>) -> Result<&'static Spec, String> {
        let spec = Spec::named(words[0]).ok_or_else(|| <dyn Caller>::UNKNOWN_COMMAND.to_owned())?;
        if lacks_part(spec, words) {
            return Err(<dyn Caller>::UNKNOWN_COMMAND.to_owned());
        }
        if Spec::of(words).is_err() {
            return Err(<dyn Caller>::WRONG_ARITY.to_owned());
        }
        if spec.is_barred_from_scripts() {
            return Err(<dyn Caller>::NOT_FROM_SCRIPTS.to_owned());
        }
        if self.is_read && spec.writes() {
            return Err(<dyn Caller>::READ_ONLY.to_owned());
        }
        let places = key_positions(spec, words).map_err(|Fail(text)| text.into_owned())?;
        for at in places {
            let key = words[at];
            if !self.keys.has_place_for(key) {
                if self.may_move {
                    self.wants.get_or_insert(self.keys.bucket().partition_of(key));
                }
                return Err(NOT_LOCAL.to_owned());
            }
            self.may_move = false;
        }
        Ok(spec)
    }

    /// Whoever listens on this node has it at once, those elsewhere when the script has ended.
    fn publish(&mut self, words: Args<'_>, is_sharded: bool, reply: &mut Out) {
        self.may_move = false;
        let [channel, message] = [words[1], words[2]].map(Bytes::copy_from_slice);
        reply.int(self.keys.publish(Publication { channel, message, is_sharded }) as i64);
    }
}

impl Caller for Commands<'_, '_> {
    fn call(&mut self, words: &[&[u8]], reply: &mut Out) {
        if self.wants.is_some() {
            // What it does from here on does not count: it is run again.
            return reply.error(NOT_LOCAL);
        }
        match self.find(words) {
            Err(text) => reply.error(&text),
            Ok(spec) => match spec.run {
                Run::Session(SessionKind::Publish { is_sharded }) => self.publish(words, is_sharded, reply),
                Run::Session(SessionKind::Select) => match select(words[1]) {
                    Ok(()) => reply.ok(),
                    Err(fail) => reply.error(&fail.0),
                },
                Run::Session(_) | Run::Whole(_) => reply.error(<dyn Caller>::NOT_FROM_SCRIPTS),
                _ => execute::run(&mut Call { keys: self.keys, out: reply }, spec, words),
            },
        }
    }

    fn has_command(&mut self, words: &[&[u8]]) -> bool {
        Spec::named(words[0]).is_some()
    }

    fn log(&mut self, level: LogLevel, text: &[u8]) {
        let text = String::from_utf8_lossy(&text[..text.len().min(LOGGED_LEN_MAX)]);
        debug!(bucket = %self.keys.bucket().name, ?level, %text, "a script says");
    }
}

#[cfg(test)]
mod tests;
