use expect_test::{Expect, expect};

use super::*;

fn check(write: impl Fn(&mut Out), two: &Expect, three: &Expect) {
    let written = |version| {
        let mut out = Out::new(version);
        write(&mut out);
        out.into_bytes().escape_ascii().to_string()
    };
    two.assert_eq(&written(RespVersion::Two));
    three.assert_eq(&written(RespVersion::Three));
}

#[test]
fn each_version_gets_its_own_kinds() {
    check(
        |out| {
            out.map(1);
            out.bulk(b"k");
            out.set(1);
            out.double(0.1);
            out.push(2);
            out.null();
            out.null_array();
        },
        &expect![[r"*2\r\n$1\r\nk\r\n*1\r\n$19\r\n0.10000000000000001\r\n*2\r\n$-1\r\n*-1\r\n"]],
        &expect![[r"%1\r\n$1\r\nk\r\n~1\r\n,0.10000000000000001\r\n>2\r\n_\r\n_\r\n"]],
    );
    check(
        |out| {
            out.bool(true);
            out.bool(false);
            out.big_number("18446744073709551616");
            out.verbatim("hi");
            out.double(f64::NEG_INFINITY);
        },
        &expect![[r":1\r\n:0\r\n$20\r\n18446744073709551616\r\n$2\r\nhi\r\n$4\r\n-inf\r\n"]],
        &expect![[r"#t\r\n#f\r\n(18446744073709551616\r\n=6\r\ntxt:hi\r\n,-inf\r\n"]],
    );
}

#[test]
fn lengths_of_any_size_have_their_digits() {
    for len in [0, 9, 10, 99, 100, 4321] {
        let mut out = Out::default();
        out.bulk(&vec![b'v'; len]);
        assert_eq!(out.into_bytes(), format!("${len}\r\n{}\r\n", "v".repeat(len)));
    }
}

#[test]
fn an_error_cannot_smuggle_in_another_reply() {
    let same = expect![[r"-ERR bad \'x  +OK\'\r\n-ERR end\r\n-\r\n"]];
    check(
        |out| {
            out.error("ERR bad 'x\r\n+OK'");
            out.error("ERR end\r\n");
            out.error("\r\n");
        },
        &same,
        &same,
    );
}

#[test]
fn an_array_may_be_counted_while_it_is_written() {
    let same = expect![[r"+OK\r\n*12\r\n:0\r\n:1\r\n:2\r\n:3\r\n:4\r\n:5\r\n:6\r\n:7\r\n:8\r\n:9\r\n:10\r\n:11\r\n"]];
    check(
        |out| {
            out.ok();
            let mark = out.mark();
            (0..12).for_each(|number| out.int(number));
            out.array_from(mark, 12);
            let mark = out.mark();
            out.bulk(b"never said");
            out.cut_back(mark);
        },
        &same,
        &same,
    );
}

/// What is written around two large shared values, and the marks before each step.
fn with_large_values(value: &Bytes) -> (Out, Vec<usize>) {
    let (mut out, mut marks) = (Out::default(), Vec::new());
    out.ok();
    out.advance(3);
    for step in 0..7 {
        marks.push(out.mark());
        match step {
            2 | 3 | 5 => out.shared(value),
            _ => out.int(step),
        }
    }
    (out, marks)
}

#[test]
fn a_large_value_is_sent_without_being_copied() {
    let value = Bytes::from(vec![b'v'; SHARED_LEN_MIN]);
    let (out, _) = with_large_values(&value);
    let shared = out.chunks().filter(|chunk| chunk.as_ptr() == value.as_ptr()).count();
    assert_eq!(shared, 3);
    assert!(out.plain().is_none());
    let bulk = format!("$32768\r\n{}\r\n", "v".repeat(SHARED_LEN_MIN));
    assert_eq!(out.into_bytes(), format!("\r\n:0\r\n:1\r\n{bulk}{bulk}:4\r\n{bulk}:6\r\n"));
}

#[test]
fn marks_hold_across_large_values() {
    let value = Bytes::from(vec![b'v'; SHARED_LEN_MIN]);
    let whole = with_large_values(&value).0.into_bytes();
    for step in 0..7 {
        let (mut out, marks) = with_large_values(&value);
        let mark = marks[step];
        out.array_from(mark, 12);
        let arrayed = [&whole[..mark], b"*12\r\n", &whole[mark..]].concat();
        assert_eq!(out.len(), arrayed.len());
        assert!(out.into_bytes() == arrayed, "array from step {step}");

        let (mut out, _) = with_large_values(&value);
        out.cut_back(mark);
        out.int(77);
        assert_eq!(out.len(), mark + 5);
        assert!(out.into_bytes() == [&whole[..mark], b":77\r\n"].concat(), "cut back to step {step}");
    }
}

#[test]
fn it_may_be_sent_in_any_pieces() {
    let value = Bytes::from(vec![b'v'; SHARED_LEN_MIN]);
    let whole = with_large_values(&value).0.into_bytes();
    for piece in [1, 3, 1000, 40_000, 1 << 20] {
        let (mut out, _) = with_large_values(&value);
        let mut sent = Vec::new();
        while !out.is_empty() {
            let mut slices = [IoSlice::new(&[]); 3];
            let filled = out.slices(&mut slices);
            let seen: Vec<u8> = slices[..filled].iter().flat_map(|slice| slice.iter().copied()).take(piece).collect();
            sent.extend_from_slice(&seen);
            out.advance(seen.len());
            assert_eq!(out.len(), whole.len() - sent.len());
        }
        assert!(whole == sent, "pieces of {piece}");
    }
}

#[test]
fn the_room_of_a_large_reply_is_given_back() {
    let mut out = Out::default();
    out.bulk(&vec![b'v'; KEPT_LEN_MAX + 1]);
    out.advance(out.len());
    assert_eq!(out.tail.capacity(), 0);
}
