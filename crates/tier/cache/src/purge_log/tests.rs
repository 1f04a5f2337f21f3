use super::*;

fn tag(number: u64) -> Purge {
    Purge::Tag { app: "shop".into(), tag: number.to_string() }
}

fn node(number: u8) -> NodeId {
    NodeId::from_bytes([number; 16])
}

#[test]
fn who_was_away_gets_what_began_since() {
    let mut log = PurgeLog::new(9);
    let at: Vec<Position> = (0..5).map(|number| log.push(tag(number))).collect();
    assert_eq!(log.since(Some(at[2])), Some(vec![tag(3), tag(4)]));
    assert_eq!(log.since(Some(at[4])), Some(vec![]));
    assert_eq!(log.since(None).map(|all| all.len()), Some(5));
    assert_eq!(log.since(Some(Position { boot: 8, count: 4 })).map(|all| all.len()), Some(5), "of an earlier life");
}

#[test]
fn who_missed_more_than_is_kept_has_to_forget_all() {
    let mut log = PurgeLog::new(9);
    let first = log.push(tag(0));
    for number in 0..KEPT_MAX as u64 {
        log.push(tag(number));
    }
    assert_eq!(log.since(Some(first)).map(|all| all.len()), Some(KEPT_MAX));
    assert_eq!(log.since(None), None);
    log.push(Purge::App("x".repeat(KEPT_BYTES_MAX - 1_000)));
    assert_eq!(log.since(Some(first)), None, "bytes are bounded, too");
}

#[test]
fn a_purge_that_was_missed_is_noticed_at_the_next_one() {
    let mut heard = Heard::default();
    let at = |boot, count| Position { boot, count };
    assert!(heard.hear(node(1), at(5, 1)));
    assert!(heard.hear(node(1), at(5, 2)));
    assert!(heard.hear(node(1), at(5, 1)), "an old one again");
    assert_eq!(heard.of(node(1)), Some(at(5, 2)));
    assert!(!heard.hear(node(1), at(5, 4)));
    assert_eq!(heard.of(node(1)), Some(at(5, 2)), "until it has caught up");
    heard.catch_up(node(1), at(5, 4));
    heard.catch_up(node(1), at(5, 3));
    assert_eq!(heard.of(node(1)), Some(at(5, 4)));
    assert!(!heard.hear(node(1), at(6, 2)), "another life, whose first was missed");
    assert!(!heard.hear(node(2), at(1, 7)));
}
