//! Seeded streams, the same at every run: whatever comes, in whatever pieces, gives the same requests.

use super::*;
use crate::dice::Dice;

#[rustfmt::skip]
const PIECES: &[&[u8]] = &[
    b"get ", b"gets ", b"gat 5 ", b"gats x ", b"set ", b"add ", b"cas ", b"append ", b"incr ", b"decr ", b"delete ", b"touch ", b"flush_all", b"stats",
    b"version", b"verbosity ", b"quit", b"mg ", b"ms ", b"md ", b"ma ", b"mn", b"me ", b"k", b"key ", b" 0 0 ", b"3\r\nabc\r\n", b"0\r\n\r\n", b"2000000\r\n",
    b"-1", b"99999999999999999999", b" noreply", b"\r\n", b"\n", b"\r", b" ", b"v ", b"b ", b"Zm9v ", b"T30 ", b"N0 ", b"Cx ", b"MS ", b"O1 ", b"q ", b"\0", b"\xff",
    b"\t", b"HTTP/1.1",
];

fn stream(dice: &mut Dice) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..dice.roll(40) {
        match dice.roll(6) {
            0 => bytes.extend_from_slice(b"\r\n"),
            1 => {
                let len = dice.roll(30);
                bytes.extend(format!("set k 0 0 {len}\r\n{}\r\n", "x".repeat(len)).bytes());
            }
            _ => bytes.extend_from_slice(dice.pick(PIECES)),
        }
    }
    dice.spoil(&mut bytes, b" \r\n0129-kvbTC\x80");
    bytes
}

#[test]
fn streams_with_faults_are_read_the_same_in_any_pieces() {
    let mut kinds = std::collections::HashSet::new();
    for seed in 0..20_000 {
        let dice = &mut Dice::new(seed);
        let bytes = stream(dice);
        let whole = read(&bytes, &[]);
        let cuts: Vec<usize> = (0..dice.roll(12)).map(|_| dice.roll(bytes.len() + 1)).collect();
        assert_eq!(read(&bytes, &cuts), whole, "seed {seed}, cut at {cuts:?}: {}", bytes.escape_ascii());
        kinds.extend(whole.iter().filter_map(|told| told.split([' ', '{', '(']).next().map(str::to_owned)));
    }
    // The streams are worth something: they get to most of what there is.
    assert!(kinds.len() > 20, "{kinds:?}");
}

#[test]
fn every_split_in_two_gives_the_same_as_the_whole() {
    for seed in 0..1000 {
        let bytes = stream(&mut Dice::new(seed));
        let whole = read(&bytes, &[]);
        for cut in 0..bytes.len() {
            assert_eq!(read(&bytes, &[cut]), whole, "seed {seed}, cut at {cut}: {}", bytes.escape_ascii());
        }
        let everywhere: Vec<usize> = (0..bytes.len()).collect();
        assert_eq!(read(&bytes, &everywhere), whole, "seed {seed}, byte by byte");
    }
}

#[test]
fn random_bytes_do_no_harm() {
    for seed in 0..20_000 {
        let dice = &mut Dice::new(seed);
        let bytes: Vec<u8> = (0..dice.roll(300)).map(|_| dice.roll(256) as u8).collect();
        read(&bytes, &[]);
    }
}
