use bytes::BytesMut;
use proptest::prelude::*;

use super::*;
use crate::resp::RespVersion;

fn check(bytes: &[u8], reply: Reply) {
    assert_eq!(read_reply(bytes), Ok(Some((reply, bytes.len()))));
    assert_eq!(reply_len(bytes), Ok(Some(bytes.len())));
    for cut in 0..bytes.len() {
        assert_eq!(read_reply(&bytes[..cut]), Ok(None), "cut at {cut}");
        assert_eq!(reply_len(&bytes[..cut]), Ok(None), "cut at {cut}");
    }
}

#[test]
fn every_kind_of_both_versions_is_read() {
    check(b"+OK\r\n", Reply::OK);
    check(b"-ERR no\r\n", Reply::error("ERR no"));
    check(b":-12\r\n", Reply::Int(-12));
    check(b"$3\r\na\r\n\r\n", Reply::text("a\r\n"));
    check(b"$-1\r\n", Reply::Null);
    check(b"_\r\n", Reply::Null);
    check(b"*-1\r\n", Reply::NullArray);
    check(b"*2\r\n*0\r\n%1\r\n+a\r\n~1\r\n#t\r\n", {
        let map = Reply::Map(vec![(Reply::Simple("a".into()), Reply::Set(vec![Reply::Bool(true)]))]);
        Reply::Array(vec![Reply::Array(vec![]), map])
    });
    check(b">1\r\n,1.5\r\n", Reply::Push(vec![Reply::Double(1.5)]));
    check(b"=6\r\ntxt:hi\r\n", Reply::Verbatim("hi".into()));
    check(b"!6\r\nERR no\r\n", Reply::error("ERR no"));
    check(b"(123456789012345678901234567890\r\n", Reply::BigNumber("123456789012345678901234567890".into()));
    check(b"|1\r\n+ttl\r\n:3\r\n:7\r\n", Reply::Int(7));
    check(b",-inf\r\n", Reply::Double(f64::NEG_INFINITY));
}

#[test]
fn nesting_is_bounded_where_replies_are_built_and_free_where_they_are_measured() {
    let nested = |depth: usize| [b"*1\r\n".repeat(depth), b":1\r\n".to_vec()].concat();
    assert!(read_reply(&nested(REPLY_DEPTH_MAX)).is_ok());
    assert_eq!(read_reply(&nested(REPLY_DEPTH_MAX + 1)), Err(ReplyError::Depth));
    assert_eq!(read_reply(&b"|0\r\n".repeat(100_000)), Err(ReplyError::Depth));
    let deep = nested(100_000);
    assert_eq!(reply_len(&deep), Ok(Some(deep.len())));
}

#[test]
fn nonsense_is_an_error() {
    for (bytes, error) in [
        (&b"x\r\n"[..], ReplyError::Kind(b'x')),
        (b":x\r\n", ReplyError::Number),
        (b"$-2\r\n", ReplyError::Number),
        (b"*4294967296\r\n", ReplyError::Number),
        (b"%-1\r\n", ReplyError::Number),
        (b"#x\r\n", ReplyError::Number),
    ] {
        assert_eq!(read_reply(bytes), Err(error), "{}", bytes.escape_ascii());
    }
    assert_eq!(read_reply(&[b'+'; LINE_LEN_MAX + 1]), Err(ReplyError::LongLine));
}

#[test]
fn a_promise_of_four_billion_items_takes_no_memory() {
    assert_eq!(read_reply(b"*4294967295\r\n:1\r\n"), Ok(None));
    assert_eq!(reply_len(b"%4294967295\r\n%4294967295\r\n"), Ok(None));
}

fn any_reply() -> impl Strategy<Value = Reply> {
    let leaf = prop_oneof![
        "[a-zA-Z ]{0,12}".prop_map(|text| Reply::Simple(text.into())),
        "[A-Z]{1,5} [a-z ]{0,12}x".prop_map(|text| Reply::Error(text.into())),
        any::<i64>().prop_map(Reply::Int),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| Reply::Bulk(bytes.into())),
        any::<f64>().prop_filter("nan is not itself", |number| !number.is_nan()).prop_map(Reply::Double),
        any::<bool>().prop_map(Reply::Bool),
        Just(Reply::Null),
        "[a-z\r\n]{0,30}".prop_map(Reply::Verbatim),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Reply::Array),
            prop::collection::vec(inner.clone(), 0..6).prop_map(Reply::Set),
            prop::collection::vec((inner.clone(), inner), 0..4).prop_map(Reply::Map),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read(reply in any_reply()) {
        let mut out = BytesMut::new();
        reply.encode(RespVersion::Three, &mut out);
        prop_assert_eq!(read_reply(&out), Ok(Some((reply, out.len()))));
    }

    #[test]
    fn random_bytes_do_no_harm(bytes in prop::collection::vec(prop::sample::select(b"*$:+-_,#%~>|=!(0123456789\r\nx".to_vec()), 0..60)) {
        if let Ok(Some((_, used))) = read_reply(&bytes) {
            prop_assert_eq!(reply_len(&bytes), Ok(Some(used)));
        }
        if let Ok(Some(used)) = reply_len(&bytes) {
            prop_assert!(used <= bytes.len());
        }
    }
}
