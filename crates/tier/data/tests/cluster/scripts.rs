//! EVAL, EVALSHA and SCRIPT, through any node.

use crate::client::{Client, Reply, array};
use crate::world::World;

const GET: &str = "return redis.call('get', KEYS[1])";
const UNKNOWN: &str = "NOSCRIPT No matching script. Please use EVAL.";

fn text(text: &str) -> Reply {
    Reply::Text(text.to_owned())
}

#[tokio::test]
async fn a_script_runs_where_its_keys_are_and_is_known_everywhere() {
    let world = World::new(3).await;
    world.bucket("b", |_| {});
    world.heard_of("b").await;
    let mut clients = Vec::new();
    for node in 1..=3 {
        clients.push(Client::authenticated(world.at(node).redis, "b").await);
    }
    let sha = clients[0].ask(&["SCRIPT", "LOAD", GET]).await.text().to_owned();
    for number in 0..30 {
        let (key, at) = (format!("key{number}"), number % 3);
        assert_eq!(clients[at].ask(&["SET", &key, &key]).await, text("OK"));
        assert_eq!(clients[(at + 1) % 3].ask(&["EVALSHA", &sha, "1", &key]).await, text(&key));
        assert_eq!(clients[(at + 2) % 3].ask(&["EVAL_RO", GET, "1", &key]).await, text(&key));
    }
    for client in &mut clients {
        assert_eq!(
            client.ask(&["SCRIPT", "EXISTS", &sha, &sha.replace('a', "0")]).await.items(),
            [Reply::Int(1), Reply::Int(0)]
        );
    }
    assert_eq!(clients[1].ask(&["SCRIPT", "FLUSH"]).await, text("OK"));
    for client in &mut clients {
        assert_eq!(client.ask(&["EVALSHA", &sha, "1", "key1"]).await, Reply::Error(UNKNOWN.to_owned()));
        assert_eq!(client.ask(&["SCRIPT", "EXISTS", &sha]).await.items(), [Reply::Int(0)]);
    }
}

#[tokio::test]
async fn a_script_that_its_keys_node_lacks_is_brought_there() {
    let world = World::new(3).await;
    world.bucket("b", |_| {});
    world.heard_of("b").await;
    let mut client = Client::authenticated(world.at(1).redis, "b").await;
    // Known only where this key is executed: the others ask.
    let sha = "4e6d8fc8bb01276962cce5371fa795a7763657ae";
    assert_eq!(client.ask(&["EVALSHA", sha, "1", "one"]).await, Reply::Error(UNKNOWN.to_owned()));
    assert_eq!(client.ask(&["EVAL", GET, "1", "one"]).await, Reply::Null);
    for number in 0..20 {
        assert_eq!(client.ask(&["EVALSHA", sha, "1", &format!("key{number}")]).await, Reply::Null);
    }
    client.send(b"MULTI\r\n").await;
    client.expect("+OK\r\n").await;
    client.send(array(&["EVALSHA", sha, "1", "another"]).as_bytes()).await;
    client.check("EXEC\r\n", "+QUEUED\r\n*1\r\n$-1\r\n").await;
}

#[tokio::test]
async fn a_script_may_leave_its_keys_unsaid_if_they_are_in_one_place() {
    let world = World::new(3).await;
    world.bucket("b", |_| {});
    world.bucket("t", |spec| spec.together = true);
    world.heard_of("b").await;
    let mut client = Client::authenticated(world.at(1).redis, "b").await;
    for number in 0..20 {
        let script = format!("redis.call('set', '{{{number}}}a', 1) return redis.call('incr', '{{{number}}}a')");
        assert_eq!(client.ask(&["EVAL", &script, "0"]).await, Reply::Int(2), "{script}");
    }
    let apart = "redis.call('set', 'a', 1) return redis.call('set', 'b', 1)";
    let refused = client.ask(&["EVAL", apart, "0"]).await;
    assert!(
        refused.text().starts_with("ERR Script attempted to access a non local key in a cluster node"),
        "{refused:?}"
    );
    let mut client = Client::authenticated(world.at(2).redis, "t").await;
    assert_eq!(client.ask(&["EVAL", apart, "0"]).await, text("OK"));
    assert_eq!(client.ask(&["EVAL", apart, "2", "x", "y"]).await, text("OK"));
}

#[tokio::test]
async fn what_a_script_writes_is_on_the_replicas() {
    let mut world = World::new(3).await;
    world.bucket("b", |spec| spec.replicas = 3);
    world.heard_of("b").await;
    let mut client = Client::authenticated(world.at(1).redis, "b").await;
    let script = "redis.call('rpush', KEYS[1], 'a', 'b') redis.call('hset', KEYS[2], 'f', 1) error('and then')";
    client.ask(&["EVAL", script, "2", "{k}list", "{k}hash"]).await;
    world.kill(2).await;
    world.kill(3).await;
    world.gossip();
    assert_eq!(client.ask(&["LRANGE", "{k}list", "0", "-1"]).await.items(), [text("a"), text("b")]);
    assert_eq!(client.ask(&["HGET", "{k}hash", "f"]).await, text("1"));
}
