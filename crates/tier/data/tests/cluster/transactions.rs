//! MULTI, EXEC and WATCH, through any node.

use ringway_manifest::Bucket as Spec;

use crate::client::Client;
use crate::world::World;

fn together(spec: &mut Spec) {
    spec.together = true;
}

#[tokio::test]
async fn what_is_queued_runs_as_one_wherever_the_keys_are() {
    let world = World::new(3).await;
    world.bucket("b", |_| {});
    for node in 1..=3 {
        let mut client = Client::authenticated(world.at(node).redis, "b").await;
        let key = format!("{{{node}}}");
        client.send(format!("MULTI\r\nSET {key}a 1\r\nINCR {key}a\r\nGET {key}a\r\nPING\r\nEXEC\r\n").as_bytes()).await;
        client
            .expect("+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*4\r\n+OK\r\n:2\r\n$1\r\n2\r\n+PONG\r\n")
            .await;
    }
}

#[tokio::test]
async fn keys_in_several_slots_are_refused_unless_the_bucket_is_kept_together() {
    let world = World::new(2).await;
    world.bucket("b", |_| {});
    world.bucket("t", together);
    let transaction = "MULTI\r\nSET a 1\r\nSET b 2\r\nEXEC\r\n";
    let mut client = Client::authenticated(world.at(1).redis, "b").await;
    client.send(transaction.as_bytes()).await;
    client.expect("+OK\r\n+QUEUED\r\n+QUEUED\r\n-CROSSSLOT Keys in request don't hash to the same slot\r\n").await;
    client.check("GET a\r\nRENAME a b\r\n", "$-1\r\n-CROSSSLOT Keys in request don't hash to the same slot\r\n").await;
    for node in 1..=2 {
        let mut client = Client::authenticated(world.at(node).redis, "t").await;
        client.send(transaction.as_bytes()).await;
        client.expect("+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n+OK\r\n").await;
        client.check("RENAME a c\r\nGET c\r\nMGET b c\r\n", "+OK\r\n$1\r\n1\r\n*2\r\n$1\r\n2\r\n$1\r\n1\r\n").await;
    }
}

#[tokio::test]
async fn nothing_is_done_if_a_watched_key_has_changed() {
    let world = World::new(3).await;
    world.bucket("b", |_| {});
    let (mut one, mut other) =
        (Client::authenticated(world.at(1).redis, "b").await, Client::authenticated(world.at(2).redis, "b").await);
    one.check("SET k 1\r\nWATCH k\r\nMULTI\r\nINCR k\r\n", "+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n").await;
    other.check("SET k 1\r\n", "+OK\r\n").await;
    one.check("EXEC\r\nGET k\r\n", "*-1\r\n$1\r\n1\r\n").await;
    one.check("WATCH k\r\nMULTI\r\nINCR k\r\nEXEC\r\n", "+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n:2\r\n").await;
    one.check(
        "WATCH k\r\nUNWATCH\r\nSET k 5\r\nMULTI\r\nINCR k\r\nEXEC\r\n",
        "+OK\r\n+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n:6\r\n",
    )
    .await;
}

#[tokio::test]
async fn a_wrong_command_spoils_a_transaction_and_a_failing_one_does_not() {
    let world = World::new(1).await;
    world.bucket("b", |_| {});
    let mut client = Client::authenticated(world.at(1).redis, "b").await;
    let spoilt = "MULTI\r\nNOSUCH\r\nSET k 1\r\nEXEC\r\n";
    client.send(spoilt.as_bytes()).await;
    client
        .expect(
            "+OK\r\n-ERR unknown command 'NOSUCH', with args beginning with: \r\n+QUEUED\r\n\
             -EXECABORT Transaction discarded because of previous errors.\r\n",
        )
        .await;
    client.check("GET k\r\nSET s text\r\n", "$-1\r\n+OK\r\n").await;
    let failing = "MULTI\r\nSET {s}a 1\r\nINCR s\r\nSET {s}b 2\r\nEXEC\r\n";
    client.send(failing.as_bytes()).await;
    client
        .expect(
            "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n+OK\r\n\
             -ERR value is not an integer or out of range\r\n+OK\r\n",
        )
        .await;
    client
        .check(
            "EXEC\r\nDISCARD\r\nMULTI\r\nMULTI\r\nWATCH k\r\nDISCARD\r\n",
            "-ERR EXEC without MULTI\r\n-ERR DISCARD without MULTI\r\n+OK\r\n-ERR MULTI calls can not be nested\r\n\
             -ERR WATCH inside MULTI is not allowed\r\n+OK\r\n",
        )
        .await;
    client
        .check("MULTI\r\nDBSIZE\r\nGET {s}a\r\nEXEC\r\n", "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:3\r\n$1\r\n1\r\n")
        .await;
}

#[tokio::test]
async fn quotas_hold_clients_and_operations_back() {
    let world = World::new(1).await;
    world.bucket("b", |spec| {
        spec.connections = Some(1);
        spec.ops_per_second = Some(10);
    });
    let mut client = Client::authenticated(world.at(1).redis, "b").await;
    let mut refused = Client::connect(world.at(1).redis).await;
    refused.check("AUTH b token-of-the-bucket\r\n", "-ERR max number of clients of bucket b reached\r\n").await;
    let began = std::time::Instant::now();
    client.check(&"PING\r\n".repeat(12), &"+PONG\r\n".repeat(12)).await;
    client.check("PING\r\n", "+PONG\r\n").await;
    assert!(began.elapsed() >= std::time::Duration::from_millis(500), "{:?}", began.elapsed());
    drop(client);
    loop {
        refused.send(b"AUTH b token-of-the-bucket\r\n").await;
        if refused.line().await.starts_with("+OK") {
            break;
        }
    }
}
