use super::*;
use crate::op::{ExpireOnly, Expiry, Set, SetOnly};

fn planned(line: &str) -> Plan {
    let args: Vec<Bytes> = line.split(' ').map(|word| Bytes::copy_from_slice(word.as_bytes())).collect();
    plan(&args)
}

fn refused(line: &str, text: &str) {
    assert_eq!(planned(line), Plan::Reply(Reply::Error(text.to_owned().into())), "{line}");
}

#[test]
fn commands_are_found_by_name_and_told_with_the_place_of_their_keys() {
    assert!(SPECS.is_sorted_by_key(|spec| spec.name));
    for spec in SPECS {
        assert_eq!(Spec::named(spec.name.to_uppercase().as_bytes()).map(|found| found.name), Some(spec.name));
    }
    for (name, words, flag, [first, last, step]) in [
        ("get", 2, "readonly", [1, 1, 1]),
        ("mget", -2, "readonly", [1, -1, 1]),
        ("MSET", -3, "write", [1, -1, 2]),
        ("unlink", -2, "write", [1, -1, 1]),
        ("flushall", -1, "write", [0, 0, 0]),
    ] {
        let mut told = vec![Reply::text(name.to_lowercase()), Reply::Int(words)];
        told.push(Reply::Array(vec![Reply::Simple(flag.into())]));
        told.extend([first, last, step].map(Reply::Int));
        told.extend([const { Reply::Array(Vec::new()) }; 4]);
        assert_eq!(Spec::named(name.as_bytes()).map(Spec::told), Some(Reply::Array(told)));
    }
    assert!(Spec::named(b"nosuch").is_none() && Spec::named(&[b'x'; 100]).is_none());
}

#[test]
fn wrong_commands_are_refused_as_redis_refuses_them() {
    refused("NOSUCH a b", "ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b' ");
    refused("get", "ERR wrong number of arguments for 'get' command");
    refused("GET a b", "ERR wrong number of arguments for 'get' command");
    refused("MSET a 1 b", "ERR wrong number of arguments for 'mset' command");
    refused("SET a b EX 0", "ERR invalid expire time in 'set' command");
    refused("SET a b EX x", "ERR value is not an integer or out of range");
    refused("SET a b EX 9223372036854775807", "ERR invalid expire time in 'set' command");
    refused("SETEX a -1 b", "ERR invalid expire time in 'setex' command");
    refused("SET a b NX XX", "ERR syntax error");
    refused("SET a b EX 1 PX 1", "ERR syntax error");
    refused("SET a b KEEPTTL EX 1", "ERR syntax error");
    refused("INCRBY a 1.5", "ERR value is not an integer or out of range");
    refused("SCAN x", "ERR invalid cursor");
    refused("SCAN 0 COUNT 0", "ERR syntax error");
    refused("FLUSHALL foo", "ERR syntax error");
    refused("FLUSHDB SYNC ASYNC", "ERR syntax error");
    refused("EXPIRE a 1 NX GT", "ERR NX and XX, GT or LT options at the same time are not compatible");
    refused("EXPIRE a 1 GT LT", "ERR GT and LT options at the same time are not compatible");
    refused("EXPIRE a 1 ZZ", "ERR Unsupported option ZZ");
}

#[test]
fn set_takes_its_options_in_any_case_and_order() {
    let set = Set {
        value: "b".into(),
        expiry: Expiry::At(5_000),
        only: Some(SetOnly::IfMissing),
        get: true,
        as_number: false,
    };
    assert_eq!(planned("set a b nx exat 5 get"), Plan::Keyed(Op::new("a".into(), Action::Set(set))));
}

#[test]
fn a_time_in_the_past_is_allowed_where_it_means_delete() {
    let action = Action::ExpireAt { at_ms: 0, only: Some(ExpireOnly::Later) };
    assert_eq!(planned("PEXPIREAT a -5 gt"), Plan::Keyed(Op::new("a".into(), action)));
}

#[test]
fn one_failed_key_fails_the_command() {
    let replies = || vec![Reply::Int(1), Reply::error("ERR x"), Reply::Int(1)].into_iter();
    for kind in [Gather::Sum, Gather::List, Gather::Ok] {
        assert_eq!(gather(kind, replies()), Reply::error("ERR x"));
    }
    assert_eq!(gather(Gather::Sum, replies().filter(|reply| !reply.is_error())), Reply::Int(2));
}

#[test]
fn options_may_be_repeated_and_combined_where_they_do_not_contradict_one_another() {
    for (line, expected) in [
        ("PEXPIREAT a 5 NX NX", ExpireOnly::WithoutExpiry),
        ("PEXPIREAT a 5 XX GT GT", ExpireOnly::Later),
        ("PEXPIREAT a 5 LT xx", ExpireOnly::SoonerWithExpiry),
    ] {
        let action = Action::ExpireAt { at_ms: 5, only: Some(expected) };
        assert_eq!(planned(line), Plan::Keyed(Op::new("a".into(), action)), "{line}");
    }
    assert_eq!(planned("SET a b XX KEEPTTL XX KEEPTTL"), planned("SET a b XX KEEPTTL"));
    assert_eq!(planned("SET a b NX NX"), planned("SET a b NX"));
    assert_eq!(planned("FLUSHALL async"), Plan::Whole(Whole::Flush));
}
