//! PUBLISH and SUBSCRIBE, through any node.

use crate::client::{Client, Reply, array};
use crate::world::World;

fn frame(kind: &str, words: &[&str]) -> String {
    let items: String = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
    format!("{kind}{}\r\n{items}", words.len())
}

fn confirmed(kind: &str, what: &str, name: &str, count: usize) -> String {
    format!("{kind}3\r\n${}\r\n{what}\r\n${}\r\n{name}\r\n:{count}\r\n", what.len(), name.len())
}

#[tokio::test]
async fn a_message_reaches_those_who_listen_at_any_node() {
    let world = World::new(3).await;
    world.bucket("b", |_| {});
    world.bucket("other", |_| {});
    world.heard_of("b").await;
    let mut one = Client::authenticated(world.at(1).redis, "b").await;
    let mut two = Client::authenticated(world.at(2).redis, "b").await;
    let mut stranger = Client::authenticated(world.at(2).redis, "other").await;
    let mut speaker = Client::authenticated(world.at(3).redis, "b").await;
    one.check(
        "SUBSCRIBE news sport\r\n",
        &(confirmed("*", "subscribe", "news", 1) + &confirmed("*", "subscribe", "sport", 2)),
    )
    .await;
    two.check("HELLO 3\r\n", "%7\r\n").await;
    while !two.line().await.contains("modules") {}
    two.check("PSUBSCRIBE n*\r\n", &("*0\r\n".to_owned() + &confirmed(">", "psubscribe", "n*", 1))).await;
    stranger.check("SUBSCRIBE news\r\n", &confirmed("*", "subscribe", "news", 1)).await;

    assert_eq!(speaker.ask(&["PUBLISH", "news", "hello"]).await, Reply::Int(2));
    one.expect(&frame("*", &["message", "news", "hello"])).await;
    two.expect(&frame(">", &["pmessage", "n*", "news", "hello"])).await;
    assert_eq!(speaker.ask(&["PUBLISH", "silence", "hello"]).await, Reply::Int(0));

    assert_eq!(speaker.ask(&["PUBSUB", "NUMSUB", "news", "sport", "x"]).await.items()[1], Reply::Int(1));
    assert_eq!(speaker.ask(&["PUBSUB", "NUMPAT"]).await, Reply::Int(1));
    let channels = speaker.ask(&["PUBSUB", "CHANNELS"]).await;
    assert_eq!(channels.items(), [Reply::Text("news".into()), Reply::Text("sport".into())]);
    assert_eq!(speaker.ask(&["PUBSUB", "CHANNELS", "s*"]).await.items().len(), 1);

    one.check("UNSUBSCRIBE news\r\n", &confirmed("*", "unsubscribe", "news", 1)).await;
    assert_eq!(speaker.ask(&["PUBLISH", "news", "again"]).await, Reply::Int(1));
    drop(two);
    // It is gone when the node has noticed.
    while speaker.ask(&["PUBLISH", "news", "anybody?"]).await != Reply::Int(0) {
        tokio::task::yield_now().await;
    }
    // In version 3 replies and messages are told apart, so a client may say and do anything while it listens.
    let mut all = Client::authenticated(world.at(1).redis, "b").await;
    all.check("HELLO 3\r\n", "%7\r\n").await;
    while !all.line().await.contains("modules") {}
    all.check(
        "SUBSCRIBE c\r\nSET k v\r\nGET k\r\n",
        &("*0\r\n".to_owned() + &confirmed(">", "subscribe", "c", 1) + "+OK\r\n$1\r\nv\r\n"),
    )
    .await;
}

#[tokio::test]
async fn a_client_of_version_two_that_listens_can_do_little_else() {
    let world = World::new(1).await;
    world.bucket("b", |_| {});
    let mut client = Client::authenticated(world.at(1).redis, "b").await;
    client.check("SUBSCRIBE a\r\n", &confirmed("*", "subscribe", "a", 1)).await;
    let only = "only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context";
    client.check("GET k\r\n", &format!("-ERR Can't execute 'get': {only}\r\n")).await;
    client.check("PING\r\n", "*2\r\n$4\r\npong\r\n$0\r\n\r\n").await;
    client.check("PING x\r\n", "*2\r\n$4\r\npong\r\n$1\r\nx\r\n").await;
    client.check("UNSUBSCRIBE\r\n", &confirmed("*", "unsubscribe", "a", 0)).await;
    client.check("UNSUBSCRIBE\r\n", "*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n").await;
    client.check("PING\r\nGET k\r\n", "+PONG\r\n$-1\r\n").await;
    client.check("SSUBSCRIBE s\r\n", &confirmed("*", "ssubscribe", "s", 1)).await;
    client.check("RESET\r\n", "+RESET\r\n").await;
    client.check("GET k\r\n", "-NOAUTH Authentication required.\r\n").await;
}

#[tokio::test]
async fn scripts_and_transactions_say_things_too() {
    let world = World::new(3).await;
    world.bucket("b", |_| {});
    world.heard_of("b").await;
    let mut listener = Client::authenticated(world.at(1).redis, "b").await;
    listener.check("SUBSCRIBE c\r\n", &confirmed("*", "subscribe", "c", 1)).await;
    let mut speaker = Client::authenticated(world.at(2).redis, "b").await;
    for key in ["a", "b", "c", "d", "e", "f"] {
        speaker.ask(&["EVAL", "return redis.call('publish', 'c', KEYS[1])", "1", key]).await;
        listener.expect(&frame("*", &["message", "c", key])).await;
    }
    speaker.send(format!("MULTI\r\n{}EXEC\r\n", array(&["PUBLISH", "c", "x"])).as_bytes()).await;
    speaker.expect("+OK\r\n+QUEUED\r\n*1\r\n:1\r\n").await;
    listener.expect(&frame("*", &["message", "c", "x"])).await;
}

#[tokio::test]
async fn shard_channels_are_apart_from_others() {
    let world = World::new(2).await;
    world.bucket("b", |_| {});
    world.heard_of("b").await;
    let mut listener = Client::authenticated(world.at(1).redis, "b").await;
    listener.check("SSUBSCRIBE c\r\n", &confirmed("*", "ssubscribe", "c", 1)).await;
    let mut speaker = Client::authenticated(world.at(2).redis, "b").await;
    assert_eq!(speaker.ask(&["PUBLISH", "c", "x"]).await, Reply::Int(0));
    assert_eq!(speaker.ask(&["SPUBLISH", "c", "y"]).await, Reply::Int(1));
    listener.expect(&frame("*", &["smessage", "c", "y"])).await;
    assert_eq!(speaker.ask(&["PUBSUB", "SHARDCHANNELS"]).await.items(), [Reply::Text("c".into())]);
    assert_eq!(speaker.ask(&["PUBSUB", "SHARDNUMSUB", "c"]).await.items()[1], Reply::Int(1));
    assert_eq!(speaker.ask(&["PUBSUB", "NUMSUB", "c"]).await.items()[1], Reply::Int(0));
}

#[tokio::test]
async fn a_listener_that_does_not_read_is_cut_off() {
    let world = World::new(1).await;
    world.bucket("b", |_| {});
    let mut listener = Client::authenticated(world.at(1).redis, "b").await;
    listener.check("SUBSCRIBE c\r\n", &confirmed("*", "subscribe", "c", 1)).await;
    let mut speaker = Client::authenticated(world.at(1).redis, "b").await;
    let large = "x".repeat(1 << 20);
    let mut said = 0;
    while speaker.ask(&["PUBLISH", "c", &large]).await == Reply::Int(1) {
        said += 1;
        assert!(said < 100, "it still gets messages");
    }
    assert!(said > 30, "{said}");
    while speaker.ask(&["PUBSUB", "NUMSUB", "c"]).await.items()[1] != Reply::Int(0) {
        tokio::task::yield_now().await;
    }
}
