use super::*;
use bytes::Bytes;
use ringway_protocol::resp::{Reply, RespVersion, read_reply};

#[test]
fn commands_are_found_by_name_in_any_case() {
    for spec in specs() {
        assert_eq!(Spec::named(spec.name.to_uppercase().as_bytes()).map(|found| found.name), Some(spec.name));
        assert_eq!(Spec::named(spec.name.as_bytes()).map(|found| found.name), Some(spec.name));
    }
    assert!(Spec::named(b"nosuch").is_none() && Spec::named(&[b'x'; 100]).is_none());
}

#[test]
fn each_name_is_there_once() {
    let mut names: Vec<&str> = specs().map(|spec| spec.name).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn clients_are_told_where_the_keys_are() {
    for (name, arity, flag, places) in [
        ("get", 2, "readonly", [1, 1, 1]),
        ("mget", -2, "readonly", [1, -1, 1]),
        ("mset", -3, "write", [1, -1, 2]),
        ("unlink", -2, "write", [1, -1, 1]),
        ("flushall", -1, "write", [0, 0, 0]),
    ] {
        let mut out = Out::new(RespVersion::Two);
        Spec::named(name.as_bytes()).unwrap().tell(&mut out);
        let Reply::Array(told) = read_reply(&out.into_bytes()).unwrap().unwrap().0 else { panic!("{name}") };
        let expected = [Reply::text(name), Reply::Int(arity), Reply::Array(vec![Reply::Simple(flag.into())])];
        assert_eq!(told[..3], expected);
        assert_eq!(told[3..6], places.map(Reply::Int));
    }
}

#[test]
fn key_positions_follow_the_words() {
    let at = |line: &str| {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        key_positions(Spec::of(&words).unwrap(), &words).unwrap()
    };
    assert_eq!(at("GET a"), [1]);
    assert_eq!(at("MSET a 1 b 2"), [1, 3]);
    assert_eq!(at("DEL a b c"), [1, 2, 3]);
    assert_eq!(at("RENAME a b"), [1, 2]);
    assert_eq!(at("PING"), [0; 0]);
}

#[test]
fn wrong_commands_are_refused_as_redis_refuses_them() {
    let refused = |line: &str| {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        Spec::of(&words).err().map(|fail| fail.reply())
    };
    let check = |line, text: &'static str| assert_eq!(refused(line), Some(Bytes::from(text)), "{line}");
    check("NOSUCH a b", "-ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b' \r\n");
    check("get", "-ERR wrong number of arguments for 'get' command\r\n");
    check("GET a b", "-ERR wrong number of arguments for 'get' command\r\n");
    assert_eq!(refused("GET a"), None);
}

#[test]
fn the_page_of_the_documentation_names_all_commands() {
    expect_test::expect_file!["../../../../../docs/redis-commands.md"].assert_eq(&docs());
}
