use proptest::prelude::*;

use super::*;

fn reply(json: &str) -> Response<Bytes> {
    http_reply(json.as_bytes()).unwrap()
}

#[test]
fn an_answer_with_a_status_is_a_whole_response() {
    let response = reply(
        r#"{"statusCode":201,"headers":{"X-A":"1","content-length":"99","X-N":5},
            "multiValueHeaders":{"x-b":["1","2"],"x-a":["3"]},"cookies":["a=1","b=2"],"body":"hi"}"#,
    );
    assert_eq!(response.status(), 201);
    assert_eq!(response.body(), "hi");
    let values = |name: &str| response.headers().get_all(name).iter().cloned().collect::<Vec<_>>();
    assert_eq!(values("x-a"), ["3"]);
    assert_eq!(values("x-b"), ["1", "2"]);
    assert_eq!(values("x-n"), ["5"]);
    assert_eq!(values("set-cookie"), ["a=1", "b=2"]);
    assert!(values("content-length").is_empty());
    assert_eq!(values("content-type"), ["application/json"]);
}

#[test]
fn bodies_may_be_base64_or_json() {
    assert_eq!(reply(r#"{"statusCode":200,"body":"/wA=","isBase64Encoded":true}"#).body().as_ref(), b"\xff\x00");
    assert_eq!(reply(r#"{"statusCode":"200","body":{"a":1}}"#).body(), r#"{"a":1}"#);
    assert_eq!(reply(r#"{"statusCode":204}"#).body(), "");
}

#[test]
fn any_other_json_is_the_body() {
    for json in [r#"{"ok":true}"#, "[1,2]", r#""text""#, "null", "3"] {
        let response = reply(json);
        assert_eq!((response.status().as_u16(), response.body().as_ref()), (200, json.as_bytes()));
        assert_eq!(response.headers()["content-type"], "application/json");
    }
    assert_eq!(reply("").body(), "null");
}

#[test]
fn what_is_no_response_is_said() {
    let error = |json: &str| http_reply(json.as_bytes()).unwrap_err();
    assert!(matches!(error("hello"), ReplyError::NoJson(_)));
    assert_eq!(error(r#"{"statusCode":42}"#), ReplyError::Status(42));
    assert_eq!(error(r#"{"statusCode":200,"body":"?","isBase64Encoded":true}"#), ReplyError::Base64);
    assert_eq!(error(r#"{"statusCode":200,"headers":{"a b":"1"}}"#), ReplyError::Header("a b".to_owned()));
    assert_eq!(error(r#"{"statusCode":200,"headers":{"a":"1\r\nb: 2"}}"#), ReplyError::Header("a".to_owned()));
    assert!(matches!(error(r#"{"statusCode":200,"headers":3}"#), ReplyError::NoResponse(_)));
}

#[test]
fn a_streamed_answer_has_its_head_before_eight_zero_bytes() {
    let answer =
        Bytes::from_static(b"{\"statusCode\":202,\"headers\":{\"content-type\":\"text/plain\"}}\0\0\0\0\0\0\0\0hello");
    let response = streamed_reply(&answer).unwrap();
    assert_eq!((response.status().as_u16(), response.body().as_ref()), (202, &b"hello"[..]));
    assert!(streamed_reply(&Bytes::from_static(b"{}")).is_err());
}

proptest! {
    #[test]
    fn no_answer_makes_it_panic(answer in "\\{\"statusCode\": ?[0-9\"-]{0,5},\"(headers|body|cookies)\": ?[\\[\\]{}\":a-z0-9 ]{0,20}\\}") {
        let _ = http_reply(answer.as_bytes());
    }
}
