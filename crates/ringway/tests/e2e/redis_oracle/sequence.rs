//! Core: a random sequence of commands on two connections, from a seed.

use super::commands::{GROUPS, Group};
use super::grammar::{Command, fill};
use super::random::Random;
use super::words::{self, Keys};

const STEPS_MAX: usize = 30;
/// Runs a command from Lua: what it answers goes through both conversions.
pub const WRAP: [&str; 2] = ["return redis.pcall(unpack(ARGV))", "return redis.call(unpack(ARGV))"];
/// Commands of several keys that are split by key where these are of several slots.
const SPLIT: &[&str] = &["MGET", "MSET", "DEL", "UNLINK", "EXISTS", "TOUCH"];

/// Commands that take any number of keys of one slot: a word more is a key of another.
const MANY_KEYS: &[&str] =
    &["MSETNX", "SINTER", "SUNION", "SDIFF", "SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE", "WATCH", "BLPOP", "BRPOP"];
/// Commands about the whole bucket, which change it: not in scripts ([`super::differences`]).
const WHOLE: &[&str] = &["FLUSHALL", "FLUSHDB"];

#[derive(Debug, Clone)]
pub struct Sequence {
    pub keys: Keys,
    /// 2 or 3.
    pub resp: u8,
    /// Commands that follow each other on one connection are written at once.
    pub pipelined: bool,
    /// Which node each connection goes to, modulo their number.
    pub nodes: [usize; 2],
    pub steps: Vec<Step>,
}

/// Commands that make sense only together: one that takes something at random, and the removal of what is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub connection: usize,
    pub commands: Vec<Command>,
}

pub struct Generator<'a> {
    pub random: Random,
    /// Commands that are not to be drawn.
    pub without: &'a dyn Fn(&str) -> bool,
    keys: Keys,
    focus: Vec<&'static Group>,
}

impl<'a> Generator<'a> {
    pub fn new(seed: u64, without: &'a dyn Fn(&str) -> bool) -> Self {
        Self { random: Random::new(seed), without, keys: Keys::Tagged, focus: Vec::new() }
    }

    pub fn sequence(&mut self, together: bool) -> Sequence {
        let choices: &[Keys] = if together { &[Keys::Together] } else { &[Keys::Tagged, Keys::Tagged, Keys::Spread] };
        self.keys = choices[self.random.below(choices.len())];
        self.focus = (0..1 + self.random.below(2)).map(|_| group(&mut self.random)).collect();
        let mut sequence = Sequence {
            keys: self.keys,
            resp: 2 + self.random.below(2) as u8,
            pipelined: self.random.percent(40),
            nodes: [self.random.below(64), self.random.below(64)],
            steps: Vec::new(),
        };
        let length = 3 + self.random.below(STEPS_MAX);
        while sequence.steps.len() < length {
            let connection = usize::from(self.random.percent(12));
            let whole = self.keys != Keys::Spread;
            match self.random.below(100) {
                0..4 if whole => self.transaction(connection, &mut sequence.steps),
                4..6 => {
                    let stray = self.random.pick(&["MULTI", "EXEC", "DISCARD", "UNWATCH"]);
                    if !(self.without)(stray) && (whole || stray != "MULTI") {
                        sequence.steps.push(Step { connection, commands: vec![Command::of(&[stray])] });
                    }
                }
                6..12 => {
                    let command = self.command();
                    sequence.steps.push(self.wrapped(connection, command));
                }
                _ => {
                    let command = self.command();
                    sequence.steps.push(step(connection, command));
                }
            }
        }
        sequence
    }

    /// WATCH and MULTI and EXEC, mostly in order.
    fn transaction(&mut self, connection: usize, steps: &mut Vec<Step>) {
        if (self.without)("MULTI") {
            return;
        }
        let alone = |words: &[&str]| Step { connection, commands: vec![Command::of(words)] };
        if self.random.percent(40) && !(self.without)("WATCH") {
            let watch = fill(&mut self.random, "WATCH $key+", self.keys);
            steps.push(step(connection, watch));
            if self.random.percent(60) {
                let command = self.command();
                steps.push(step(1 - connection, command));
            }
        }
        steps.push(alone(&["MULTI"]));
        for _ in 0..self.random.below(4) {
            let command = self.command();
            steps.push(step(connection, command));
        }
        let end = if self.random.percent(85) { "EXEC" } else { "DISCARD" };
        steps.push(alone(&[end]));
    }

    fn wrapped(&mut self, connection: usize, command: Command) -> Step {
        if (self.without)("EVAL") || WHOLE.contains(&command.name().as_str()) || !self.is_of_one_slot(&command) {
            return step(connection, command);
        }
        let inner = command.name();
        let keys: Vec<Vec<u8>> = command.keys.iter().filter_map(|&at| command.words.get(at).cloned()).collect();
        let script = self.random.pick(&WRAP);
        let mut words = vec![b"EVAL".to_vec(), script.as_bytes().to_vec(), keys.len().to_string().into_bytes()];
        let at = words.len()..words.len() + keys.len();
        words.extend(keys);
        words.extend(command.words);
        let mut step = Step { connection, commands: vec![Command { words, keys: at.collect() }] };
        clear_after_random(&inner, &mut step);
        step
    }

    /// A command that this sequence may have.
    fn command(&mut self) -> Command {
        loop {
            let drawn = group(&mut self.random);
            let group = if self.random.percent(70) { self.focus[self.random.below(self.focus.len())] } else { drawn };
            let pattern = self.random.pick(group.patterns);
            let mut command = fill(&mut self.random, pattern, self.keys);
            if self.random.percent(5) {
                self.break_a_little(&mut command);
            }
            if !(self.without)(&command.name()) && self.may_run(&command) {
                return command;
            }
        }
    }

    fn may_run(&self, command: &Command) -> bool {
        self.is_of_one_slot(command) || SPLIT.contains(&command.name().as_str())
    }

    fn is_of_one_slot(&self, command: &Command) -> bool {
        let keys: Vec<&Vec<u8>> = command.keys.iter().filter_map(|&at| command.words.get(at)).collect();
        self.keys != Keys::Spread || keys.windows(2).all(|pair| pair[0] == pair[1])
    }

    /// Wrong arity, odd words, other capitals. Never the time that a command blocks for.
    fn break_a_little(&mut self, command: &mut Command) {
        let name = command.name();
        let blocks = name.starts_with('B') || name.starts_with('b');
        let many_keys =
            MANY_KEYS.contains(&name.as_str()) || (SPLIT.contains(&name.as_str()) && self.keys == Keys::Tagged);
        let blocks = blocks || (many_keys && self.keys != Keys::Together);
        match self.random.below(5) {
            0 if command.words.len() > 1 => {
                let last = command.words.len() - 1;
                command.words.truncate(last);
                command.keys.retain(|&at| at < last);
            }
            1 if !blocks => command.words.push(words::odd(&mut self.random)),
            2 if !blocks && command.words.len() > 1 => {
                let at = 1 + self.random.below(command.words.len() - 1);
                if !command.keys.contains(&at) {
                    command.words[at] = words::odd(&mut self.random);
                }
            }
            3 => command.words.truncate(1),
            _ => command.words[0] = command.words[0].to_ascii_lowercase(),
        }
        command.keys.retain(|&at| at < command.words.len());
    }
}

fn step(connection: usize, command: Command) -> Step {
    let name = command.name();
    let mut step = Step { connection, commands: vec![command] };
    clear_after_random(&name, &mut step);
    step
}

/// What SPOP leaves differs: it is removed at once.
fn clear_after_random(name: &str, step: &mut Step) {
    let Some(key) = step.commands.first().and_then(|command| command.words.get(*command.keys.first()?)).cloned() else {
        return;
    };
    if name == "SPOP" {
        step.commands.push(Command { words: vec![b"DEL".to_vec(), key], keys: vec![1] });
    }
}

fn group(random: &mut Random) -> &'static Group {
    let mut at = random.below(GROUPS.iter().map(|group| group.weight).sum());
    for group in GROUPS {
        match at.checked_sub(group.weight) {
            Some(less) => at = less,
            None => return group,
        }
    }
    unreachable!("the weights have been summed")
}
