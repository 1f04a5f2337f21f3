use super::*;

fn written(proto: Proto, asked: Asked, key: u32) -> String {
    let mut out = b"before".to_vec();
    Requests::new(proto, 3).write(asked, key, &mut out);
    String::from_utf8(out.split_off(6)).expect("text").replace(&String::from_utf8(value(3)).expect("text"), "VAL")
}

#[test]
fn requests_are_what_the_protocols_say() {
    assert_eq!(written(Proto::Resp, Asked::Get, 7), "*2\r\n$3\r\nGET\r\n$16\r\nkey:000000000007\r\n");
    assert_eq!(
        written(Proto::Resp, Asked::Set, u32::MAX),
        "*3\r\n$3\r\nSET\r\n$16\r\nkey:004294967295\r\n$3\r\nVAL\r\n"
    );
    assert_eq!(written(Proto::Mc, Asked::Get, 120), "get key:000000000120\r\n");
    assert_eq!(written(Proto::Mc, Asked::Set, 0), "set key:000000000000 0 0 3\r\nVAL\r\n");
}

#[test]
fn one_get_asks_for_several_keys() {
    let mut out = Vec::new();
    write_several([1, 20].into_iter(), &mut out);
    assert_eq!(out, b"get key:000000000001 key:000000000020\r\n");
}
