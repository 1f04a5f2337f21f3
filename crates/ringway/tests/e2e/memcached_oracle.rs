//! Ringway's memcached door beside a real memcached: random programs of the text and meta protocols to both, the same answers from
//! both.
//!
//! `RINGWAY_FUZZ_SEED` and `RINGWAY_FUZZ_SECONDS` as for the Redis door. What may differ: the numbers of items (`cas`; each side is
//! asked with its own), a time to live by a little.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use ringway_testkit::Server;
use ringway_testkit::resp::quoted;

use crate::door::Door;
use crate::redis_oracle::grammar::fill;
use crate::redis_oracle::random::Random;
use crate::redis_oracle::words::Keys;

const SEED: u64 = 20_261_123;
const SECONDS: u64 = 120;
/// Programs, unless the time is given: the same on machines of any speed.
const PROGRAMS: u64 = 4000;
const FOUND_MAX: usize = 12;
const PROGRAM_LEN_MAX: usize = 14;
/// Answered by this alone: everything before it has been answered then.
const MARK: (&[u8], &[u8]) = (b"mn\r\n", b"MN\r\n");

/// `LEN` stands for the length of a value that follows on a line of its own, `CAS` for the number that this side has told
/// last, if that was of the same item.
const PATTERNS: &[&str] = &[
    "set $item $flags $until LEN noreply?",
    "set $item 0 0 LEN",
    "set n 0 0 LEN",
    "[add|replace] $item $flags $until LEN noreply?",
    "[append|prepend] $item $flags $until LEN noreply?",
    "cas $item $flags $until LEN $unique noreply?",
    "get $item+",
    "gets $item+",
    "gat $until $item+",
    "gats $until $item+",
    "[incr|decr] [n|n|$item] $delta noreply?",
    "delete $item noreply?",
    "touch $item $until noreply?",
    "mg $item [v|t|f|s|k|c|Oabc|q]*",
    "mg $item v c [f|t|s|k]*",
    "mg $item [v N30|v N30 c|v R30 t|v R1000|v T100 t|T0 v|v N0]",
    "ms $item LEN [T100|T0|T-1|F5|F0|c|k|Oxy|q]*",
    "ms $item LEN [ME|MA|MP|MR|MS|Mx|Mappend] [N100|T0]?",
    "ms $item LEN C$delta",
    "ms $item LEN CCAS I? c",
    "md $item [q|k|Oxy]*",
    "md $item [I T30|I|x|CCAS|C1|CCAS q]",
    "ma [n|n|$item] [v|t|c|q|k|Oxy]*",
    "ma [n|n|$item] v [D5|D0|MI|MD|M-|MD D100|N0 J7|N100 J7|T100 t|D18446744073709551615|Dabc|Mx|CCAS|C1]*",
    "mg [YQ==|Yg==|!|bm9uZQ==] b [v|t]*",
    "me $item",
    "frobnicate $item",
    "$item $flags $delta",
];
const VALUES: &[&str] = &["x", "", "10", "18446744073709551615", "0", "abc", "a\r\nb", "5", "99", " 7", "-1", "\0"];

/// Asked for when no number is known: older than any item's.
const NO_UNIQUE: &str = "1";
/// More seconds than this are a date. The clocks of both sides tick at different times, so how long it is until then may be a second
/// more in one of them, on either side of any limit.
const DURATION_MAX: i64 = 60 * 60 * 24 * 30;

/// One side: a connection, and the number it told last and in the reply about which key.
struct Side {
    stream: TcpStream,
    unique: String,
    unique_of: Vec<u8>,
}

impl Side {
    fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the door is open");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket takes a timeout");
        stream.set_nodelay(true).expect("a socket takes an option");
        Self { stream, unique: NO_UNIQUE.to_owned(), unique_of: Vec::new() }
    }

    /// What it says to this request; `MARK` is not part of it.
    fn ask(&mut self, request: &[u8]) -> String {
        let key = key_of(request).to_vec();
        // Numbers of two items are in an order, which `I` looks at. Ringway's are times of writes, and a touch is one (see
        // docs/memcached.md), so the order is not memcached's; nor is the number of what was touched the one it had.
        if key != self.unique_of {
            NO_UNIQUE.clone_into(&mut self.unique);
        }
        self.unique_of = key;
        let touches = is_touch(request);
        let request = replaced(request, b"CAS", self.unique.as_bytes());
        if touches {
            NO_UNIQUE.clone_into(&mut self.unique);
        }
        let mut answer = Vec::new();
        if self.stream.write_all(&[&request, MARK.0].concat()).is_err() {
            return "(closed)".to_owned();
        }
        let mut buffer = [0; 4096];
        while !answer.ends_with(MARK.1) {
            match self.stream.read(&mut buffer) {
                Ok(0) => return format!("{}(closed)", quoted(&answer)),
                Ok(count) => answer.extend_from_slice(&buffer[..count]),
                Err(error) => return format!("{}({error})", quoted(&answer)),
            }
        }
        answer.truncate(answer.len() - MARK.1.len());
        self.masked(&answer)
    }

    /// Item numbers are kept and hidden, times to live made coarse.
    fn masked(&mut self, answer: &[u8]) -> String {
        let mut lines = Vec::new();
        for line in quoted(answer).trim_matches('"').split("\\r\\n") {
            let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let meta = ["VA", "HD", "OK"].contains(&words[0].as_str());
            for (at, word) in words.iter_mut().enumerate().skip(1) {
                let number = word.get(1..).unwrap_or_default();
                let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
                if meta && word.starts_with('c') && is_number {
                    number.clone_into(&mut self.unique);
                    *word = "cCAS".to_owned();
                } else if meta && word.starts_with('t') && is_number {
                    *word = format!("t~{}", coarse(number.parse().unwrap_or(0)));
                } else if line.starts_with("ME ")
                    && ["cas=", "size=", "fetch="].iter().any(|name| word.starts_with(name))
                {
                    // What an item takes in memory is another thing in each, and Ringway does not tell when one was used.
                    *word = word.split('=').next().unwrap_or_default().to_owned();
                } else if let Some(Ok(seconds)) = word.strip_prefix("exp=").map(str::parse::<i64>) {
                    *word = format!("exp~{}", coarse(seconds));
                } else if line.starts_with("VALUE ") && at == 4 {
                    word.clone_into(&mut self.unique);
                    *word = "CAS".to_owned();
                }
            }
            lines.push(words.join(" "));
        }
        unpadded(&mut lines);
        lines.join(" | ")
    }
}

/// memcached pads what a decrement made shorter with spaces; Ringway, whose Redis clients see the same value, does not.
fn unpadded(lines: &mut [String]) {
    for at in 1..lines.len() {
        let number = lines[at].trim_end().to_owned();
        if lines[at].ends_with(' ') && number.bytes().all(|byte| byte.is_ascii_digit()) {
            lines[at - 1] = lines[at - 1].replacen(&lines[at].len().to_string(), &number.len().to_string(), 1);
            lines[at] = number;
        }
    }
}

/// Minutes; whatever is a date is one.
fn coarse(seconds: i64) -> i64 {
    match seconds.abs() {
        0..=DURATION_MAX => (seconds + 5 * seconds.signum()) / 60,
        _ => seconds.signum() * DURATION_MAX,
    }
}

/// The last one of `get` and its kin, whose number is the last that is told.
fn key_of(request: &[u8]) -> &[u8] {
    let line = request.split(|&byte| byte == b'\r').next().unwrap_or_default();
    let mut words = line.split(|&byte| byte == b' ');
    let is_of_many = words.next().is_some_and(|verb| verb.starts_with(b"g"));
    (if is_of_many { words.next_back() } else { words.next() }).unwrap_or_default()
}

/// Whether it may change an item's time to live, or tell the client to make it anew (a write, too, in Ringway).
fn is_touch(request: &[u8]) -> bool {
    [&b"gat"[..], b"touch", b"mg", b"md"].iter().any(|verb| request.starts_with(verb))
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    match bytes.windows(from.len()).position(|window| window == from) {
        Some(at) => [&bytes[..at], to, &bytes[at + from.len()..]].concat(),
        None => bytes.to_vec(),
    }
}

fn request(random: &mut Random) -> Vec<u8> {
    let pattern = random_pattern(random);
    let command = fill(random, pattern, Keys::Spread);
    let value = random.pick(VALUES);
    // Never too long: it would wait for the rest.
    let length =
        if random.percent(4) { random.between(-1, value.len() as i64).to_string() } else { value.len().to_string() };
    let mut words = command.words;
    let carries = words.iter().any(|word| word == b"LEN");
    words.iter_mut().filter(|word| *word == b"LEN").for_each(|word| *word = length.clone().into_bytes());
    if random.percent(3) && words.len() > 1 {
        words.pop();
    }
    let mut bytes = words.join(&b' ');
    bytes.extend_from_slice(b"\r\n");
    if carries {
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

fn random_pattern(random: &mut Random) -> &'static str {
    PATTERNS[random.below(PATTERNS.len())]
}

/// Which request of a program is answered otherwise, and both answers.
type Found = (usize, String, String);

/// The first.
fn play(memcached: SocketAddr, door: SocketAddr, program: &[Vec<u8>]) -> Option<Found> {
    let (mut memcached, mut door) = (Side::connect(memcached), Side::connect(door));
    memcached.ask(b"flush_all\r\n");
    door.ask(b"flush_all\r\n");
    program.iter().enumerate().find_map(|(at, request)| {
        let (expected, saw) = (memcached.ask(request), door.ask(request));
        (expected != saw).then_some((at, expected, saw))
    })
}

#[test]
fn random_programs_are_answered_as_memcached_answers_them() {
    let door = Door::open_with_memcached();
    let server = Server::memcached(&[]);
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let first = number("RINGWAY_FUZZ_SEED").unwrap_or(SEED);
    let seconds = number("RINGWAY_FUZZ_SECONDS");
    let until = Instant::now() + Duration::from_secs(seconds.unwrap_or(SECONDS));
    let programs = if seconds.is_some() { u64::MAX } else { PROGRAMS };
    let mut told: BTreeMap<String, String> = BTreeMap::new();
    let mut seed = first;
    while Instant::now() < until && seed - first < programs && told.len() < FOUND_MAX {
        let mut random = Random::new(seed);
        let mut program: Vec<Vec<u8>> = (0..2 + random.below(PROGRAM_LEN_MAX)).map(|_| request(&mut random)).collect();
        let ask = |program: &[Vec<u8>]| play(server.address, door.memcached[0], program);
        if let Some((at, expected, saw)) = ask(&program) {
            program.truncate(at + 1);
            let sign = |text: &str| text.chars().take(24).filter(|sign| !sign.is_ascii_digit()).collect::<String>();
            let name: String = program[at].iter().take(3).map(|&byte| char::from(byte)).collect();
            let signature = format!("{name} {} {}", sign(&expected), sign(&saw));
            // What is gone when it is asked again was the clock's tick in between.
            if !told.contains_key(&signature)
                && let Some(text) = shrunk(program, seed, &ask)
            {
                told.insert(signature, text);
            }
        }
        seed += 1;
    }
    println!("{} programs", seed - first);
    let all: Vec<String> = told.into_values().collect();
    assert!(all.is_empty(), "{} differences from memcached:\n\n{}", all.len(), all.join("\n"));
}

/// Without the requests that do not matter, told.
fn shrunk(mut program: Vec<Vec<u8>>, seed: u64, ask: &dyn Fn(&[Vec<u8>]) -> Option<Found>) -> Option<String> {
    let mut at = program.len();
    while at > 0 {
        at -= 1;
        let mut smaller = program.clone();
        smaller.remove(at);
        if ask(&smaller).is_some() {
            program = smaller;
            at = at.min(program.len());
        }
    }
    let (last, expected, saw) = ask(&program)?;
    let lines: String = program.iter().take(last + 1).map(|request| format!("    {}\n", quoted(request))).collect();
    Some(format!("seed {seed}:\n{lines}  memcached: {expected}\n  ringway:   {saw}\n"))
}
