//! Core: random words of a kind: mostly plain ones, some that break things.

use super::random::Random;
use super::scripts::SCRIPTS;

/// Which keys a sequence uses: what Ringway can run depends on their slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// All in one slot: everything is possible.
    Tagged,
    /// Anywhere, and the bucket is split: only what has one key, or is split by key.
    Spread,
    /// Anywhere, and the bucket keeps them together: everything is possible.
    Together,
}

const FAMILIES: &[&str] = &["s1", "s2", "n1", "n2", "l1", "l2", "h1", "h2", "t1", "t2", "z1", "z2", "m"];
const MEMBERS: &[&str] = &["a", "b", "c", "d", "e", "f", "A", "aa", "ab", "10", "2", "-5", "", "a\0b", "a\r\nb", "é"];
const FIELDS: &[&str] = &["f1", "f2", "f3", "n", "m", "", "f\n1"];
const VALUES: &[&str] =
    &["x", "hello", "", "10", "-3", "3.25", "a\r\nb", "\0", "ключ", "a b", "\"", "9223372036854775807"];
// Nothing between a million and 2^62: a server would really reserve or send that much.
const INTEGERS: &[&str] = &[
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "99999999999999999999",
    "9223372036854775800",
    " 1",
    "1 ",
    "+1",
    "01",
    "-0",
    "",
    "1.0",
    "1e3",
    "abc",
    "0x10",
    "--1",
];
const FLOATS: &[&str] = &[
    "0.1",
    "0.2",
    "-1.5",
    "3",
    "1e3",
    "1e-7",
    "1e300",
    "1.7e308",
    "1e400",
    "inf",
    "-inf",
    "+inf",
    "nan",
    "infinity",
    "",
    " 1",
    "1 ",
    "abc",
    "0x10",
    "-0",
    "-0.0",
    "5e-324",
    "123456789.123456789",
    "0.30000000000000004",
    "1e17",
    "1e21",
    "3.0",
    ".5",
    "5.",
    "99999999999999999999",
];

/// A word of this kind, and whether it is a key.
pub fn word(random: &mut Random, kind: &str, keys: Keys) -> (Vec<u8>, bool) {
    if let Some(family) = kind.strip_prefix("key") {
        return (key(random, family.strip_prefix('.'), keys).into_bytes(), true);
    }
    let text: String = match kind {
        "value" if random.percent(4) => "long ".repeat(random.below(60)),
        "value" if random.percent(3) => return (vec![0xff, 0xfe, b'\n', 0x80], false),
        "value" => random.pick(VALUES).into(),
        "member" => random.pick(MEMBERS).into(),
        "field" => random.pick(FIELDS).into(),
        "digit" => random.between(0, 9).to_string(),
        "integer" if random.percent(15) => random.pick(INTEGERS).into(),
        "integer" => random.between(-20, 20).to_string(),
        "number" => random.pick(INTEGERS).into(),
        "index" if random.percent(8) => random.pick(INTEGERS).into(),
        "index" => random.between(-6, 6).to_string(),
        "count" if random.percent(8) => random.pick(INTEGERS).into(),
        "count" => random.between(-1, 5).to_string(),
        // Negative ones are honoured: that many members come, repeated.
        "sample" if random.percent(8) => {
            random.pick(&["", "abc", "-9223372036854775808", "1.0", "9223372036854775808"]).into()
        }
        "sample" => random.between(-6, 6).to_string(),
        "offset" if random.percent(10) => random.pick(&["-1", "536870912", "9223372036854775807", "abc", ""]).into(),
        "offset" => random.between(0, 12).to_string(),
        "float" | "score" if random.percent(30) => random.pick(FLOATS).into(),
        "float" | "score" => (random.between(-12, 12) as f64 / 4.0).to_string(),
        "from" | "to" if random.percent(10) => random.pick(&["(abc", "abc", "", "(", "nan", "((1", "[1"]).into(),
        "from" => random.pick(&["-inf", "-3", "(-1", "0", "(0", "1", "(1.5", "2.25", "+inf"]).into(),
        "to" => random.pick(&["+inf", "inf", "3", "(3", "2.5", "1", "(1", "0", "-inf", "(inf"]).into(),
        "lex" if random.percent(8) => random.pick(&["", "a", "*", "--", "[", "("]).into(),
        "lex" => random.pick(&["-", "+", "[a", "(a", "[b", "(b", "[c", "[d", "(e", "[aa", "(A"]).into(),
        "seconds" if random.percent(12) => random.pick(INTEGERS).into(),
        "seconds" => random.pick(&["100", "1000", "200", "-1", "0", "9000000000"]).into(),
        "millis" if random.percent(12) => random.pick(INTEGERS).into(),
        "millis" => random.pick(&["100000", "1000000", "250000", "-1", "0"]).into(),
        "at" if random.percent(8) => random.pick(INTEGERS).into(),
        "at" => random.pick(&["4102444800", "4102444900", "1", "0", "-1", "1600000000"]).into(),
        "at_ms" if random.percent(8) => random.pick(INTEGERS).into(),
        "at_ms" => random.pick(&["4102444800000", "4102444800123", "1", "0", "1600000000000"]).into(),
        "blink" => random.pick(&["0.01", "0.02", "0.01", "-1", "abc", "nan", "inf", "1e400", ""]).into(),
        "pattern" => random
            .pick(&["*", "a*", "?", "[ab]", "[^a]", "f?", "*1*", "\\*", "h[12]", "[a-c]*", "", "*[", "[z-a]"])
            .into(),
        "type" => random.pick(&["string", "list", "hash", "set", "zset", "stream", "frob", "LIST"]).into(),
        "script" => random.pick(SCRIPTS).into(),
        "sha" => random
            .pick(&[
                "e0e1f9fabfc9d4800c877a703b823ac0578ff8db",
                "E0E1F9FABFC9D4800C877A703B823AC0578FF8DB",
                "ffffffffffffffffffffffffffffffffffffffff",
                "short",
            ])
            .into(),
        "item" => random.pick(&["a", "a", "b", "b", "n", "n", "none"]).into(),
        "flags" if random.percent(10) => random.pick(&["4294967295", "-1", "abc", "99999999999999999999"]).into(),
        "flags" => random.pick(&["0", "0", "1", "65535"]).into(),
        "until" if random.percent(8) => random.pick(&["abc", "1.5", "99999999999999999999", ""]).into(),
        "until" => random.pick(&["0", "0", "0", "100", "-1", "2000000000", "1000000000"]).into(),
        "delta" if random.percent(15) => random.pick(&["abc", "-1", "18446744073709551616", "1.5"]).into(),
        "delta" => random.pick(&["1", "0", "5", "100", "18446744073709551615"]).into(),
        "unique" => random.pick(&["CAS", "CAS", "0", "1", "abc", "18446744073709551615"]).into(),
        _ => panic!("no kind of word: {kind}"),
    };
    (text.into_bytes(), false)
}

/// Every key that a sequence may have used.
pub fn all_keys(keys: Keys) -> Vec<String> {
    FAMILIES.iter().chain(&["x1", "x2"]).map(|family| named(family, keys)).collect()
}

/// A key that likely holds what its family says (`h`: a hash).
fn key(random: &mut Random, family: Option<&str>, keys: Keys) -> String {
    let name = match family {
        Some(family) if family == "x" || random.percent(92) => format!("{family}{}", random.between(1, 2)),
        _ => random.pick(FAMILIES).to_owned(),
    };
    named(&name, keys)
}

fn named(name: &str, keys: Keys) -> String {
    match keys {
        Keys::Tagged => format!("{{t}}{name}"),
        Keys::Spread | Keys::Together => name.to_owned(),
    }
}

/// What is put where another word was, or after the last.
pub fn odd(random: &mut Random) -> Vec<u8> {
    random
        .pick(&["", "abc", "-1", "9223372036854775808", "GET", "LIMIT", "NX", "WITHSCORES", "COUNT", "X"])
        .as_bytes()
        .to_vec()
}
