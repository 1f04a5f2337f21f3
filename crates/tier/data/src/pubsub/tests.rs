use ringway_protocol::resp::{Out, RespVersion};

use super::*;

fn name(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn said(channel: &str, message: &str) -> Publication {
    Publication { channel: name(channel), message: name(message), is_sharded: false }
}

fn read(inbox: &Inbox, version: RespVersion) -> String {
    let mut out = Out::new(version);
    inbox.take(usize::MAX).iter().for_each(|news| news.write(&mut out));
    String::from_utf8_lossy(&out.into_bytes()).replace("\r\n", " ")
}

#[test]
fn a_message_reaches_who_listens_to_its_channel_or_to_a_pattern_that_fits() {
    let pubsub = PubSub::default();
    let (one, two) = (Arc::new(Inbox::new(1)), Arc::new(Inbox::new(2)));
    pubsub.join(Names::Channels, &name("news"), &one);
    pubsub.join(Names::Patterns, &name("n*"), &one);
    pubsub.join(Names::Shards, &name("news"), &two);
    assert_eq!(pubsub.deliver(&said("news", "x"), 0), 2);
    assert_eq!(pubsub.deliver(&said("other", "x"), 0), 0);
    assert_eq!(pubsub.deliver(&Publication { is_sharded: true, ..said("news", "y") }, 0), 1);
    let pattern = "*4 $8 pmessage $2 n* $4 news $1 x ";
    assert_eq!(read(&one, RespVersion::Two), format!("*3 $7 message $4 news $1 x {pattern}"));
    assert_eq!(read(&two, RespVersion::Three), ">3 $8 smessage $4 news $1 y ");
}

#[test]
fn names_are_known_as_long_as_somebody_listens() {
    let pubsub = PubSub::default();
    let (one, two) = (Arc::new(Inbox::new(1)), Arc::new(Inbox::new(2)));
    pubsub.join(Names::Channels, &name("a"), &one);
    pubsub.join(Names::Channels, &name("a"), &one);
    pubsub.join(Names::Channels, &name("a"), &two);
    pubsub.join(Names::Channels, &name("b"), &two);
    assert_eq!(pubsub.counts(Names::Channels, &[name("a"), name("b"), name("c")]), [2, 1, 0]);
    assert_eq!(pubsub.names(Names::Channels, Some(b"[b-z]")), [name("b")]);
    pubsub.leave(Names::Channels, &name("a"), 1);
    pubsub.leave(Names::Channels, &name("b"), 2);
    pubsub.leave(Names::Channels, &name("b"), 2);
    assert_eq!(pubsub.names(Names::Channels, None), [name("a")]);
    pubsub.leave(Names::Channels, &name("a"), 2);
    assert_eq!(pubsub.deliver(&said("a", "x"), 0), 0);
    assert_eq!(pubsub.count.load(Ordering::SeqCst), 0);
}

#[test]
fn a_client_that_has_too_much_waiting_is_cut_off() {
    let pubsub = PubSub::default();
    let inbox = Arc::new(Inbox::new(1));
    pubsub.join(Names::Channels, &name("a"), &inbox);
    let large = "x".repeat(1 << 20);
    for _ in 0..31 {
        assert_eq!(pubsub.deliver(&said("a", &large), 0), 1);
    }
    assert!(!inbox.is_cut());
    pubsub.deliver(&said("a", &large), 0);
    assert!(inbox.is_cut());
    assert_eq!(inbox.take(usize::MAX), []);
    assert_eq!(pubsub.deliver(&said("a", "x"), 0), 0);
}

#[test]
fn a_client_that_has_much_waiting_for_long_is_cut_off() {
    let pubsub = PubSub::default();
    let inbox = Arc::new(Inbox::new(1));
    pubsub.join(Names::Channels, &name("a"), &inbox);
    let large = "x".repeat(9 << 20);
    pubsub.deliver(&said("a", &large), 0);
    pubsub.deliver(&said("a", "x"), 60_000);
    assert!(!inbox.is_cut());
    // It has caught up: the time begins anew.
    inbox.take(usize::MAX);
    pubsub.deliver(&said("a", &large), 70_000);
    pubsub.deliver(&said("a", "x"), 130_000);
    assert!(!inbox.is_cut());
    pubsub.deliver(&said("a", "x"), 130_001);
    assert!(inbox.is_cut());
}
