use expect_test::{Expect, expect};

use super::*;
use crate::memcache::{Limits, Parsed, Request, parse};

const ITEM: Item = Item {
    len: 2,
    flags: 5,
    cas: 22,
    ttl: None,
    is_hit: false,
    idle: 0,
    is_won: false,
    is_stale: false,
    is_being_made: false,
};

fn answered(request: &str, write: impl Fn(&mut Out, &Meta<'_>)) -> String {
    let limits = Limits { line_len_max: 1000, value_len_max: 1000 };
    let Parsed::Complete { request: Request::Meta(meta), .. } = parse(request.as_bytes(), &limits, 0) else {
        panic!("{request} is no meta command");
    };
    let mut out = Out::default();
    write(&mut out, &meta);
    out.into_bytes().escape_ascii().to_string()
}

fn check(request: &str, item: Item, value: Option<&[u8]>, expected: &Expect) {
    expected.assert_eq(&answered(request, |out, asked| meta(out, asked, &item, value.map(Value::Slice))));
}

/// As memcached 1.6.18 answered.
#[test]
fn flags_are_answered_in_their_order() {
    let hi = Some(&b"hi"[..]);
    check("mg k v s t f k h l c O\r\n", ITEM, hi, &expect![r"VA 2 s2 t-1 f5 kk h0 l0 c22 O\r\nhi\r\n"]);
    check("mg Zm9v b v k\r\n", ITEM, hi, &expect![r"VA 2 kZm9v b\r\nhi\r\n"]);
    let won = Item { ttl: Some(30), cas: 28, is_stale: true, is_won: true, ..ITEM };
    check("mg k v t c\r\n", won, hi, &expect![r"VA 2 t30 c28 X W\r\nhi\r\n"]);
    let waiting = Item { is_stale: true, is_being_made: true, ..ITEM };
    check("mg k\r\n", waiting, None, &expect![r"HD Z X\r\n"]);
}

#[test]
fn codes_bring_back_key_and_opaque_token() {
    let code = |request, code| answered(request, |out, meta| meta_code(out, meta, code));
    assert_eq!(code("mg nope k O1 t v\r\n", "EN"), r"EN knope O1\r\n");
    assert_eq!(code("ma nope C1 O5 k\r\n", "EX"), r"EX O5 knope\r\n");
    assert_eq!(
        answered("ms k 2 T0 F5 k c O9\r\nhi\r\n", |out, meta| meta_stored(out, meta, "HD", 22)),
        r"HD kk c22 O9\r\n"
    );
}

#[test]
fn hits_are_told_with_flags_and_number() {
    let mut out = Out::default();
    value(&mut out, b"k", 7, None, Value::Slice(b"a\r\n"));
    value(&mut out, b"k", u32::MAX, Some(u64::MAX), Value::Slice(b""));
    stat(&mut out, "pid", "1");
    count(&mut out, 18);
    line(&mut out, "END");
    let expected =
        "VALUE k 7 3\r\na\r\n\r\nVALUE k 4294967295 0 18446744073709551615\r\n\r\nSTAT pid 1\r\n18\r\nEND\r\n";
    assert_eq!(out.into_bytes(), expected);
}

#[test]
fn a_large_value_is_not_copied() {
    let large = Bytes::from(vec![b'v'; SHARED_LEN_MIN]);
    let mut out = Out::default();
    value(&mut out, b"k", 0, None, Value::Shared(&large));
    assert!(out.chunks().any(|chunk| chunk.as_ptr() == large.as_ptr()));
}
