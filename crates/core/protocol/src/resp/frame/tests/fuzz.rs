//! Seeded streams, the same at every run: whatever comes, in whatever pieces, the parser does what Redis does.

use super::*;
use crate::dice::Dice;

/// Pieces of the protocol in no order.
#[rustfmt::skip]
const PIECES: &[&[u8]] = &[
    b"*1\r\n", b"*2\r\n", b"*3\r\n", b"*0\r\n", b"*-1\r\n", b"*11\r\n", b"*2147483648\r\n", b"*", b"$", b"$0\r\n\r\n",
    b"$1\r\na\r\n", b"$3\r\nGET\r\n", b"$10\r\n0123456789\r\n", b"$5\r\n\r\n\r\n*\r\n", b"$-1\r\n", b"$536870913\r\n", b"$16385\r\n",
    b"$99999999999999999999\r\n", b"$007\r\n", b"\r\n", b"\n", b"\r", b"PING\r\n", b"get a b\n", b"set \"a b\" 'c'\r\n",
    b"x \"\\x41\\", b"'", b"\"", b"\\", b" ", b"\0", b"\xff", b":1\r\n", b"+OK\r\n", b"\x0b", b"a", b"9",
];

fn stream(dice: &mut Dice) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..dice.roll(24) {
        match dice.roll(3) {
            0 => {
                let args = (0..=dice.roll(4)).map(|_| vec![b'k'; dice.roll(120)]).collect();
                bytes.extend(encoded(&[args]));
            }
            _ => bytes.extend(dice.pick(PIECES)),
        }
    }
    dice.spoil(&mut bytes, b"*$\r\n0129-\"' ");
    bytes
}

#[test]
fn streams_with_faults_are_read_as_redis_reads_them() {
    let (mut commands, mut errors) = (0, std::collections::HashSet::new());
    for seed in 0..20_000 {
        let dice = &mut Dice::new(seed);
        let bytes = stream(dice);
        let limits = if dice.roll(4) == 0 { Limits::UNAUTHENTICATED } else { Limits::AUTHENTICATED };
        let expected = reference::commands(&bytes, limits);
        let shown = bytes.escape_ascii();
        assert_eq!(parse_all(&bytes, &[], limits), expected, "seed {seed}: {shown}");
        let cuts: Vec<usize> = (0..dice.roll(12)).map(|_| dice.roll(bytes.len() + 1)).collect();
        assert_eq!(parse_all(&bytes, &cuts, limits), expected, "seed {seed}, cut at {cuts:?}: {shown}");
        commands += expected.0.len();
        errors.extend(expected.1.map(|error| error.to_string().split("got").next().map(str::to_owned)));
    }
    // The streams are worth something: they have commands, and all errors but those of long lines.
    assert!(commands > 20_000 && errors.len() == 6, "{commands} commands, {errors:?}");
}

#[test]
fn every_split_in_two_gives_the_same_as_the_whole() {
    for seed in 0..1000 {
        let bytes = stream(&mut Dice::new(seed));
        let whole = parse_all(&bytes, &[], Limits::AUTHENTICATED);
        for cut in 0..bytes.len() {
            assert_eq!(parse_all(&bytes, &[cut], Limits::AUTHENTICATED), whole, "seed {seed}, cut at {cut}");
        }
        let everywhere: Vec<usize> = (0..bytes.len()).collect();
        assert_eq!(parse_all(&bytes, &everywhere, Limits::AUTHENTICATED), whole, "seed {seed}, byte by byte");
    }
}

#[test]
fn random_bytes_do_no_harm() {
    for seed in 0..20_000 {
        let dice = &mut Dice::new(seed);
        let bytes: Vec<u8> = (0..dice.roll(200)).map(|_| dice.roll(256) as u8).collect();
        assert_eq!(parse_all(&bytes, &[], Limits::AUTHENTICATED), reference::commands(&bytes, Limits::AUTHENTICATED));
    }
}
