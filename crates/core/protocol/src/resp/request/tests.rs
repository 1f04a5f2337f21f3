use proptest::prelude::*;

use super::*;

type Parsed = (Vec<Vec<Vec<u8>>>, Option<ProtocolError>);

/// Feeds `bytes` cut at `cuts`, and returns the commands and the error that ended them.
fn parse(bytes: &[u8], cuts: &[usize], limits: Limits) -> Parsed {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).chain([0, bytes.len()]).collect();
    cuts.sort_unstable();
    let (mut parser, mut buffer, mut commands) = (RequestParser::new(limits), BytesMut::new(), Vec::new());
    for piece in cuts.windows(2) {
        buffer.extend_from_slice(&bytes[piece[0]..piece[1]]);
        loop {
            match parser.next(&mut buffer) {
                Ok(Some(request)) => commands.push(request.args.iter().map(|arg| arg.to_vec()).collect()),
                Ok(None) => break,
                Err(error) => return (commands, Some(error)),
            }
        }
    }
    (commands, None)
}

fn check(bytes: &[u8], commands: &[&[&str]], error: Option<ProtocolError>) {
    let expected: Vec<Vec<Vec<u8>>> =
        commands.iter().map(|args| args.iter().map(|arg| arg.as_bytes().to_vec()).collect()).collect();
    assert_eq!(parse(bytes, &[], Limits::AUTHENTICATED), (expected, error));
}

#[test]
fn commands_come_as_arrays_or_as_lines() {
    check(b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\nPING\r\n*1\r\n$0\r\n\r\n", &[&["GET", "k"], &["PING"], &[""]], None);
    check(b"\r\n*0\r\n*-1\r\n  SET a \"b c\\x41\\n\" 'd\\'e' \n", &[&["SET", "a", "b cA\n", "d'e"]], None);
}

#[test]
fn a_promise_of_4_gb_is_refused_before_anything_is_allocated() {
    let (commands, error) = parse(b"*2\r\n$3\r\nGET\r\n$4294967296\r\n", &[], Limits::AUTHENTICATED);
    assert!(commands.is_empty());
    assert_eq!(error.unwrap().to_string(), "Protocol error: invalid bulk length");
    let unknown = parse(b"*2\r\n$4\r\nAUTH\r\n$4294967296\r\n", &[], Limits::UNAUTHENTICATED);
    assert_eq!(unknown.1, Some(ProtocolError::BulkLen));
}

#[test]
fn somebody_unknown_may_send_little() {
    let check = |bytes: &[u8], error| assert_eq!(parse(bytes, &[], Limits::UNAUTHENTICATED).1, error);
    check(b"*11\r\n", Some(ProtocolError::UnauthenticatedArgCount));
    check(b"*2\r\n$4\r\nAUTH\r\n$16385\r\n", Some(ProtocolError::UnauthenticatedBulkLen));
    check(b"*10\r\n$16384\r\n", None);
}

#[test]
fn nonsense_is_named_as_redis_names_it() {
    check(b"*x\r\n", &[], Some(ProtocolError::ArgCount));
    check(b"*2147483648\r\n", &[], Some(ProtocolError::ArgCount));
    check(b"*1\r\n:1\r\n", &[], Some(ProtocolError::NotBulk(b':')));
    check(b"*1\r\n$-1\r\n", &[], Some(ProtocolError::BulkLen));
    check(b"*1\r\n$01\r\n", &[], Some(ProtocolError::BulkLen));
    check(b"GET \"a\r\n", &[], Some(ProtocolError::Quotes));
    check(&[b'x'; LINE_LEN_MAX + 1], &[], Some(ProtocolError::LongLine));
    check(&[&b"*1"[..], &[b'1'; LINE_LEN_MAX]].concat(), &[], Some(ProtocolError::LongArgCount));
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
        prop_assert_eq!(parse(&encoded(&commands), &cuts, Limits::AUTHENTICATED), (commands, None));
    }

    #[test]
    fn any_split_of_any_bytes_gives_the_same_and_does_not_panic(
        bytes in "(\\*[0-9]\r\n|\\$[0-9]\r\n|[a-z\"' \\\\]{0,4}|\r\n|\n|-){0,20}",
        cuts in prop::collection::vec(any::<usize>(), 0..8),
    ) {
        prop_assert_eq!(parse(bytes.as_bytes(), &cuts, Limits::AUTHENTICATED), parse(bytes.as_bytes(), &[], Limits::AUTHENTICATED));
    }
}
