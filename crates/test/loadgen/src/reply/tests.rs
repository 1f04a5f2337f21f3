use super::*;

const KEY: &str = "key:000000000001";

/// The answer, and that no proper beginning of it is taken for one.
fn check(proto: Proto, asked: Asked, bytes: &str) -> Result<Answer, Unexpected> {
    let replies = Replies::new(proto, 3);
    let (answer, len) = replies.first(asked, format!("{bytes}next").as_bytes())?.expect("it is whole");
    assert_eq!(len, bytes.len());
    for end in 0..bytes.len() {
        assert_eq!(replies.first(asked, &bytes.as_bytes()[..end]), Ok(None), "{:?}", &bytes[..end]);
    }
    Ok(answer)
}

#[test]
fn redis_replies() {
    assert_eq!(check(Proto::Resp, Asked::Get, "$3\r\nabc\r\n"), Ok(Answer::Hit));
    assert_eq!(check(Proto::Resp, Asked::Get, "$-1\r\n"), Ok(Answer::Miss));
    assert_eq!(check(Proto::Resp, Asked::Get, "_\r\n"), Ok(Answer::Miss));
    assert_eq!(check(Proto::Resp, Asked::Get, "-MOVED 1 a:1\r\n"), Ok(Answer::Refused));
    assert_eq!(check(Proto::Resp, Asked::Set, "+OK\r\n"), Ok(Answer::Stored));
    assert_eq!(check(Proto::Resp, Asked::Set, "-OOM full\r\n"), Ok(Answer::Refused));
}

#[test]
fn memcached_replies() {
    assert_eq!(check(Proto::Mc, Asked::Get, &format!("VALUE {KEY} 0 3\r\nabc\r\nEND\r\n")), Ok(Answer::Hit));
    assert_eq!(check(Proto::Mc, Asked::Get, "END\r\n"), Ok(Answer::Miss));
    assert_eq!(check(Proto::Mc, Asked::Set, "STORED\r\n"), Ok(Answer::Stored));
    assert_eq!(check(Proto::Mc, Asked::Set, "SERVER_ERROR out of memory\r\n"), Ok(Answer::Refused));
}

#[test]
fn a_reply_of_another_kind_or_length_is_not_counted() {
    for (proto, asked, bytes) in [
        (Proto::Resp, Asked::Get, "+OK\r\n"),
        (Proto::Resp, Asked::Get, "$4\r\nabcd\r\n"),
        (Proto::Resp, Asked::Get, "$3\r\nabcde"),
        (Proto::Resp, Asked::Set, "$3\r\nabc\r\n"),
        (Proto::Mc, Asked::Get, "STORED\r\n"),
        (Proto::Mc, Asked::Get, "VALUE key:000000000001 0 4\r\nabcd\r\nEND\r\n"),
        (Proto::Mc, Asked::Set, "NOT_STORED\r\n"),
    ] {
        assert!(Replies::new(proto, 3).first(asked, bytes.as_bytes()).is_err(), "{bytes:?}");
    }
}

#[test]
fn a_get_of_several_keys_ends_with_end() {
    let (replies, bytes) = (Replies::new(Proto::Mc, 3), format!("VALUE {KEY} 0 3\r\nabc\r\nEND\r\n"));
    let (hit, len) = replies.first(Asked::Several(2), bytes.as_bytes()).expect("a value").expect("whole");
    assert_eq!(hit, Answer::Hit);
    assert_eq!(replies.first(Asked::Several(1), &bytes.as_bytes()[len..]), Ok(Some((Answer::Miss, 5))));
    assert!(replies.first(Asked::Several(0), bytes.as_bytes()).is_err(), "more values than keys");
}
