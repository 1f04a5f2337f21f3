//! Port: through which a script reaches the commands.

use ringway_protocol::resp::Out;

/// Executes what a script calls. One is made for each run and knows the script's keys, bucket and client.
pub trait Caller {
    /// Appends exactly one reply to `reply`, which is empty, in its version. Errors that Redis has only in scripts are the caller's to find:
    /// [`Self::UNKNOWN_COMMAND`] and the other constants are their texts.
    fn call(&mut self, words: &[&[u8]], reply: &mut Out);

    /// Whether there is such a command (`redis.acl_check_cmd`).
    fn has_command(&mut self, words: &[&[u8]]) -> bool;

    /// What the script has to say (`redis.log`).
    fn log(&mut self, _level: LogLevel, _text: &[u8]) {}
}

impl dyn Caller + '_ {
    pub const UNKNOWN_COMMAND: &'static str = "ERR Unknown Redis command called from script";
    pub const WRONG_ARITY: &'static str = "ERR Wrong number of args calling Redis command from script";
    pub const NOT_FROM_SCRIPTS: &'static str = "ERR This Redis command is not allowed from script";
    pub const READ_ONLY: &'static str = "ERR Write commands are not allowed from read-only scripts.";
    pub const NOT_DECLARED: &'static str = "ERR Script attempted to access keys that do not hash to the same slot";
}

/// The levels of `redis.log`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    Debug = 0,
    Verbose = 1,
    Notice = 2,
    Warning = 3,
}
