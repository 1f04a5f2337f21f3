use super::*;

#[test]
fn what_it_was_read_from_is_what_it_shows() {
    for text in
        ["least_loaded", "round_robin", "sticky", "hash:client", "hash:path", "hash:cookie.sid", "hash:header.x-user"]
    {
        assert_eq!(text.parse::<Balance>().unwrap().to_string(), text);
    }
    assert_eq!(Hedge::parse("50ms").unwrap().to_string(), "50ms");
}

#[test]
fn a_slip_is_answered_with_what_was_meant() {
    let help = |text: &str| text.parse::<Balance>().unwrap_err().help.unwrap();
    assert_eq!(help("round_robbin"), "did you mean `round_robin`?");
    assert!(help("random").contains("`hash:cookie.NAME`"));
    for text in ["hash:cookie.", "hash:cookie.a b", "hash:ip", "hash:"] {
        assert!(help(text).contains("`hash:client`"), "{text}");
    }
}
