//! Core: where Ringway answers otherwise than Redis on purpose, each with its reason. The page `docs/redis-differences.md` is
//! made from this list, and the fuzzer lets pass what is in it and nothing else.

use ringway_testkit::Reply;

use super::grammar::Command;

pub struct Difference {
    /// What a user types.
    pub what: &'static str,
    pub redis: &'static str,
    pub ringway: &'static str,
    pub why: &'static str,
    /// Whether these replies, Redis' and Ringway's, are this difference.
    pub allows: fn(&Command, &Reply, &Reply) -> bool,
}

pub const DIFFERENCES: &[Difference] = &[
    Difference {
        what: "`DBSIZE`",
        redis: "counts keys that have expired and that nobody has looked at since",
        ringway: "counts what can be read",
        why: "what has expired is gone, whether somebody looks or not",
        allows: |command, redis, ringway| match (redis, ringway) {
            (Reply::Integer(redis), Reply::Integer(ringway)) => command.name() == "DBSIZE" && ringway < redis,
            _ => false,
        },
    },
    Difference {
        what: "error texts that quote what was sent, with a NUL byte in it",
        redis: "cuts the quotation at the NUL",
        ringway: "shows a space",
        why: "the rest of what was sent helps to find it",
        allows: |command, redis, ringway| {
            let quotes = |reply: &Reply| matches!(reply, Reply::Error(text) if text.starts_with("ERR un") || text.starts_with("ERR Un"));
            quotes(redis) && quotes(ringway) && command.words.iter().any(|word| word.contains(&0))
        },
    },
    Difference {
        what: "`KEYS`, `SCAN`, `DBSIZE`, `RANDOMKEY`, `FLUSHDB`, `FLUSHALL` in a script",
        redis: "run",
        ringway: "`This Redis command is not allowed from script`",
        why: "a script runs where its keys are, and these are about keys on all nodes",
        allows: |command, _, ringway| {
            ["KEYS", "SCAN", "DBSIZE", "RANDOMKEY", "FLUSHDB", "FLUSHALL"].contains(&command.name().as_str())
                && matches!(ringway, Reply::Error(text) if text.contains("not allowed from script"))
        },
    },
    Difference {
        what: "`HELLO`",
        redis: "its version",
        ringway: "7.2.0",
        why: "libraries ask for the version to know which commands there are",
        allows: |command, redis, ringway| {
            let without = |reply: &Reply| {
                reply.to_string().replace("7.0.15", "7.2.0").split("\"id\"").map(after_number).collect::<String>()
            };
            command.name() == "HELLO" && without(redis) == without(ringway)
        },
    },
];

/// What follows the number that this begins with.
fn after_number(text: &str) -> String {
    text.trim_start_matches(|sign: char| !sign.is_ascii_alphabetic() && sign != '"').to_owned()
}

/// The page.
pub fn page() -> String {
    let mut page = PAGE.to_owned();
    for Difference { what, redis, ringway, why, .. } in DIFFERENCES {
        page += &format!("| {what} | {redis} | {ringway} | {why} |\n");
    }
    page
}

const PAGE: &str = "# Where Ringway's Redis door answers otherwise than Redis

Random sequences of commands are sent to a real redis-server 7 and to three Ringway nodes in the test suite, and the replies
compared byte for byte. Not compared: the order of what has none (members of sets and hashes, keys, cursors), which member or key
is picked at random, and two seconds of a time to live. What is left is this list; it is made from the one that the test lets pass.

| what | Redis 7 | Ringway | why |
|---|---|---|---|
";
