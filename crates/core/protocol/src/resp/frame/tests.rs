use proptest::prelude::*;

use super::*;

mod fuzz;
mod reference;

type Commands = Vec<Vec<Vec<u8>>>;
type Outcome = (Commands, Option<ProtocolError>);

/// Feeds `bytes` cut at `cuts`, and returns the commands and the error that ended them. Tries again only when the parser says so.
fn parse_all(bytes: &[u8], cuts: &[usize], limits: Limits) -> Outcome {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).chain([bytes.len()]).collect();
    cuts.sort_unstable();
    let (mut words, mut commands, mut from, mut needed) = (Words::new(), Vec::new(), 0, 0);
    for cut in cuts {
        while cut - from >= needed {
            let input = &bytes[from..cut];
            let used = match parse(input, &limits, &mut words) {
                Parsed::Complete { used } => {
                    commands.push(words.args(input).iter().map(<[u8]>::to_vec).collect());
                    used
                }
                Parsed::Empty { used } => used,
                Parsed::Incomplete { needed: at } => {
                    assert!(at > input.len(), "asks for {at} bytes and has {}", input.len());
                    needed = at;
                    continue;
                }
                Parsed::Error(error) => return (commands, Some(error)),
            };
            assert!(used > 0 && used <= input.len());
            (from, needed) = (from + used, 0);
        }
    }
    (commands, None)
}

fn check(bytes: &[u8], commands: &[&[&str]], error: Option<ProtocolError>) {
    let expected: Commands =
        commands.iter().map(|args| args.iter().map(|arg| arg.as_bytes().to_vec()).collect()).collect();
    let expected = (expected, error);
    assert_eq!(parse_all(bytes, &[], Limits::AUTHENTICATED), expected);
    let everywhere: Vec<usize> = (0..bytes.len().min(200)).collect();
    assert_eq!(parse_all(bytes, &everywhere, Limits::AUTHENTICATED), expected, "byte by byte");
}

#[test]
fn commands_come_as_arrays_or_as_lines() {
    check(b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\nPING\r\n*1\r\n$0\r\n\r\n", &[&["GET", "k"], &["PING"], &[""]], None);
    check(b"\r\n*0\r\n*-1\r\n  SET a \"b c\\x41\\n\" 'd\\'e' \n", &[&["SET", "a", "b cA\n", "d'e"]], None);
}

#[test]
fn lengths_of_one_to_ten_digits_are_read() {
    for len in [0, 9, 10, 99, 100, 999, 1000, 9999, 10_000, 123_456] {
        let value = "v".repeat(len);
        let bytes = format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${len}\r\n{value}\r\nPING\n");
        check(bytes.as_bytes(), &[&["SET", "k", &value], &["PING"]], None);
    }
    let many: Vec<&str> = vec!["a"; 1234];
    let bytes = format!("*1234\r\n{}", "$1\r\na\r\n".repeat(1234));
    check(bytes.as_bytes(), &[&many], None);
}

#[test]
fn a_promise_of_4_gb_is_refused_before_anything_is_allocated() {
    check(b"*2\r\n$3\r\nGET\r\n$4294967296\r\n", &[], Some(ProtocolError::BulkLen));
    check(b"*2\r\n$3\r\nGET\r\n$536870913\r\n", &[], Some(ProtocolError::BulkLen));
    assert_eq!(ProtocolError::BulkLen.to_string(), "Protocol error: invalid bulk length");
    let unknown = parse_all(b"*2\r\n$4\r\nAUTH\r\n$4294967296\r\n", &[], Limits::UNAUTHENTICATED);
    assert_eq!(unknown.1, Some(ProtocolError::BulkLen));
}

#[test]
fn two_billion_promised_arguments_take_no_memory() {
    let mut words = Words::new();
    let outcome = parse(b"*2147483647\r\n$1\r\na\r\n", &Limits::AUTHENTICATED, &mut words);
    assert_eq!(outcome, Parsed::Incomplete { needed: 21 });
    assert!(words.held_bytes() < 1024, "{} bytes", words.held_bytes());
    check(b"*2147483648\r\n", &[], Some(ProtocolError::ArgCount));
}

#[test]
fn a_command_that_would_be_too_large_as_a_whole_is_refused() {
    let limits = Limits { command_len_max: 1000, ..Limits::AUTHENTICATED };
    let bytes = format!("*3\r\n$3\r\nSET\r\n$500\r\n{}\r\n$480\r\n", "k".repeat(500));
    assert_eq!(parse_all(bytes.as_bytes(), &[], limits).1, Some(ProtocolError::LongCommand));
    let bytes = bytes.replace("$480", "$440");
    assert_eq!(parse_all(bytes.as_bytes(), &[], limits).1, None);
}

#[test]
fn a_large_argument_is_not_looked_at_before_it_is_whole() {
    let mut words = Words::new();
    let start = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\nabc";
    let needed = start.len() - 3 + (512 << 20) + 2;
    assert_eq!(parse(start, &Limits::AUTHENTICATED, &mut words), Parsed::Incomplete { needed });
}

#[test]
fn many_arguments_are_looked_at_once_however_many_reads_they_take() {
    let bytes = [b"*100000\r\n".to_vec(), b"$3\r\nabc\r\n".repeat(100_000)].concat();
    let mut words = Words::new();
    let mut looks = 0;
    for end in (0..bytes.len()).step_by(1000).skip(1) {
        let known = words.len();
        // What is before the remembered place may be anything by now: it is not read.
        let mut input = bytes[..end].to_vec();
        if known > 2 {
            input[..(known - 1) * 9].fill(b'!');
        }
        assert!(matches!(parse(&input, &Limits::AUTHENTICATED, &mut words), Parsed::Incomplete { .. }));
        looks += words.len() - known;
    }
    assert!(looks < 100_000);
    assert_eq!(parse(&bytes, &Limits::AUTHENTICATED, &mut words), Parsed::Complete { used: bytes.len() });
    assert!(words.args(&bytes).iter().all(|word| word == b"abc") && words.len() == 100_000);
}

#[test]
fn the_room_of_a_huge_command_is_given_back_with_the_next_one() {
    let bytes = [b"*100000\r\n".to_vec(), b"$3\r\nabc\r\n".repeat(100_000)].concat();
    let mut words = Words::new();
    assert!(matches!(parse(&bytes, &Limits::AUTHENTICATED, &mut words), Parsed::Complete { .. }));
    assert!(matches!(parse(b"*1\r\n$4\r\nPING\r\n", &Limits::AUTHENTICATED, &mut words), Parsed::Complete { .. }));
    assert!(words.held_bytes() < 1024);
}

#[test]
fn somebody_unknown_may_send_little() {
    let check = |bytes: &[u8], error| assert_eq!(parse_all(bytes, &[], Limits::UNAUTHENTICATED).1, error);
    check(b"*11\r\n", Some(ProtocolError::UnauthenticatedArgCount));
    check(b"*2\r\n$4\r\nAUTH\r\n$16385\r\n", Some(ProtocolError::UnauthenticatedBulkLen));
    check(b"*10\r\n$16384\r\n", None);
}

#[test]
fn nonsense_is_named_as_redis_names_it() {
    check(b"*x\r\n", &[], Some(ProtocolError::ArgCount));
    check(b"*+1\r\n$4\r\nPING\r\n", &[], Some(ProtocolError::ArgCount));
    check(b"*01\r\n$4\r\nPING\r\n", &[], Some(ProtocolError::ArgCount));
    check(b"*1\r\n:1\r\n", &[], Some(ProtocolError::NotBulk(b':')));
    check(b"*1\r\n\r\n", &[], Some(ProtocolError::NotBulk(b'\r')));
    check(b"*1\r\n$-1\r\n", &[], Some(ProtocolError::BulkLen));
    check(b"*1\r\n$01\r\n", &[], Some(ProtocolError::BulkLen));
    check(b"*1\r\n$\r\n", &[], Some(ProtocolError::BulkLen));
    check(b"GET \"a\r\n", &[], Some(ProtocolError::Quotes));
    check(b"GET \"a\"b\r\n", &[], Some(ProtocolError::Quotes));
    check(&[b'x'; LINE_LEN_MAX + 1], &[], Some(ProtocolError::LongLine));
    check(&[&b"*1"[..], &[b'1'; LINE_LEN_MAX]].concat(), &[], Some(ProtocolError::LongArgCount));
    check(&[&b"*1\r\n$1"[..], &[b'1'; LINE_LEN_MAX]].concat(), &[], Some(ProtocolError::LongBulkLen));
}

#[test]
fn the_reply_to_nonsense_is_one_line() {
    let told = |error: ProtocolError| {
        let mut out = crate::resp::Out::default();
        error.write(&mut out);
        out.into_bytes().escape_ascii().to_string()
    };
    assert_eq!(told(ProtocolError::NotBulk(b'\r')), r"-ERR Protocol error: expected \'$\', got \' \'\r\n");
    assert_eq!(told(ProtocolError::NotBulk(0xff)), r"-ERR Protocol error: expected \'$\', got \'\xff\'\r\n");
    assert_eq!(told(ProtocolError::BulkLen), r"-ERR Protocol error: invalid bulk length\r\n");
}

#[test]
fn words_of_a_line_are_quoted_as_in_redis() {
    check(b"a \"\" ''\n", &[&["a", "", ""]], None);
    check(b"a\"b c\"  'x y'\x0b z\n", &[&["ab c", "x y", "z"]], None);
    check(b"\"\\xzz\\x4\\\\\\\"\" '\\n\\'' \\n\r\n", &[&["xzzx4\\\"", "\\n'", "\\n"]], None);
    check(b"a\x0bb\r\n", &[&["a\x0bb"]], None);
}

fn encoded(commands: &[Vec<Vec<u8>>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for args in commands {
        bytes.extend(format!("*{}\r\n", args.len()).bytes());
        for arg in args {
            bytes.extend(format!("${}\r\n", arg.len()).bytes());
            bytes.extend(arg);
            bytes.extend(b"\r\n");
        }
    }
    bytes
}

proptest! {
    #[test]
    fn any_split_of_the_bytes_gives_the_same_commands(
        commands in prop::collection::vec(prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 1..5), 0..6),
        cuts in prop::collection::vec(any::<usize>(), 0..12),
    ) {
        prop_assert_eq!(parse_all(&encoded(&commands), &cuts, Limits::AUTHENTICATED), (commands, None));
    }
}
