use expect_test::{Expect, expect};

use super::*;

fn check(reply: &Reply, two: Expect, three: Expect) {
    let encoded = |version| {
        let mut out = BytesMut::new();
        reply.encode(version, &mut out);
        out.escape_ascii().to_string()
    };
    two.assert_eq(&encoded(RespVersion::Two));
    three.assert_eq(&encoded(RespVersion::Three));
}

#[test]
fn each_version_gets_its_own_null_and_map() {
    let map = vec![(Reply::text("a"), Reply::Null), (Reply::text("b"), Reply::Array(vec![Reply::Int(-12)]))];
    check(
        &Reply::Map(map),
        expect![[r"*4\r\n$1\r\na\r\n$-1\r\n$1\r\nb\r\n*1\r\n:-12\r\n"]],
        expect![[r"%2\r\n$1\r\na\r\n_\r\n$1\r\nb\r\n*1\r\n:-12\r\n"]],
    );
    check(&Reply::Verbatim("hi".into()), expect![[r"$2\r\nhi\r\n"]], expect![[r"=6\r\ntxt:hi\r\n"]]);
}

#[test]
fn the_smallest_and_the_largest_number_are_written_whole() {
    check(&Reply::Int(i64::MIN), expect![[r":-9223372036854775808\r\n"]], expect![[r":-9223372036854775808\r\n"]]);
    check(&Reply::Int(i64::MAX), expect![[r":9223372036854775807\r\n"]], expect![[r":9223372036854775807\r\n"]]);
}

#[test]
fn an_error_cannot_smuggle_in_another_reply() {
    check(
        &Reply::Error("ERR bad 'x\r\n+OK'".into()),
        expect![[r"-ERR bad \'x  +OK\'\r\n"]],
        expect![[r"-ERR bad \'x  +OK\'\r\n"]],
    );
}
