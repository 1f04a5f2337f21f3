//! What a Redis client sees.

use std::sync::Arc;

use ringway_manifest::Bytes as ByteSize;

use crate::client::{Client, array};
use crate::world::{World, eventually, key, write_keys};

#[tokio::test]
async fn nobody_gets_in_without_the_token_and_wrong_ones_are_refused_as_redis_does() {
    let world = World::new(1).await;
    world.bucket("shop.cart", |_| {});
    let mut client = Client::connect(world.at(1).redis).await;
    client.check("GET k\r\n", "-NOAUTH Authentication required.\r\n").await;
    client.check("PING\r\n", "-NOAUTH Authentication required.\r\n").await;
    let wrong = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
    client.check("AUTH shop.cart wrong\r\n", wrong).await;
    client.check("AUTH other token-of-the-bucket\r\n", wrong).await;
    client.check("AUTH token-of-the-bucket\r\n", "+OK\r\n").await;
    client.check("PING\r\n", "+PONG\r\n").await;
    client.check("RESET\r\n", "+RESET\r\n").await;
    client.check("GET k\r\n", "-NOAUTH Authentication required.\r\n").await;
    world.bucket("other", |_| {});
    client.check("AUTH token-of-the-bucket\r\n", wrong).await;
    client.check("QUIT\r\n", "+OK\r\n").await;
    client.expect_end().await;
}

#[tokio::test]
async fn commands_answer_as_redis_does() {
    let world = World::new(1).await;
    world.bucket("b", |_| {});
    let mut client = Client::authenticated(world.at(1).redis, "b").await;
    for (request, reply) in [
        ("SET k v\r\n", "+OK\r\n"),
        ("GET k\r\n", "$1\r\nv\r\n"),
        ("GET missing\r\n", "$-1\r\n"),
        ("SET k w NX\r\n", "$-1\r\n"),
        ("SET k w XX GET\r\n", "$1\r\nv\r\n"),
        ("SETNX k x\r\n", ":0\r\n"),
        ("TTL k\r\n", ":-1\r\n"),
        ("TTL missing\r\n", ":-2\r\n"),
        ("EXPIRE k 100\r\n", ":1\r\n"),
        ("TTL k\r\n", ":100\r\n"),
        ("SET k w KEEPTTL\r\n", "+OK\r\n"),
        ("TTL k\r\n", ":100\r\n"),
        ("EXPIRE k 50 XX LT\r\n", ":1\r\n"),
        ("PEXPIREAT k 99999999999600\r\n", ":1\r\n"),
        ("EXPIRETIME k\r\n", ":100000000000\r\n"),
        ("PERSIST k\r\n", ":1\r\n"),
        ("EXPIRE k 50 XX LT\r\n", ":0\r\n"),
        ("TTL k\r\n", ":-1\r\n"),
        ("APPEND k !!\r\n", ":3\r\n"),
        ("STRLEN k\r\n", ":3\r\n"),
        ("GETRANGE k 0 -2\r\n", "$2\r\nw!\r\n"),
        ("SETRANGE k 1 xyz\r\n", ":4\r\n"),
        ("GETDEL k\r\n", "$4\r\nwxyz\r\n"),
        ("EXISTS k\r\n", ":0\r\n"),
        ("INCR n\r\n", ":1\r\n"),
        ("INCRBY n 41\r\n", ":42\r\n"),
        ("DECR n\r\n", ":41\r\n"),
        ("TYPE n\r\n", "+string\r\n"),
        ("TYPE k\r\n", "+none\r\n"),
        ("SET s x\r\n", "+OK\r\n"),
        ("INCR s\r\n", "-ERR value is not an integer or out of range\r\n"),
        ("SET s 9223372036854775807\r\n", "+OK\r\n"),
        ("INCR s\r\n", "-ERR increment or decrement would overflow\r\n"),
        ("MSET a 1 b 2 c 3\r\n", "+OK\r\n"),
        ("MGET a missing c\r\n", "*3\r\n$1\r\n1\r\n$-1\r\n$1\r\n3\r\n"),
        ("DBSIZE\r\n", ":5\r\n"),
        ("DEL a b missing\r\n", ":2\r\n"),
        ("EXISTS c c\r\n", ":2\r\n"),
        ("KEYS c*\r\n", "*1\r\n$1\r\nc\r\n"),
        ("SELECT 1\r\n", "-ERR DB index is out of range\r\n"),
        ("ECHO hi\r\n", "$2\r\nhi\r\n"),
        ("CLIENT SETNAME me\r\n", "+OK\r\n"),
        ("CLIENT GETNAME\r\n", "$2\r\nme\r\n"),
        ("CLUSTER KEYSLOT foo\r\n", ":12182\r\n"),
        ("CONFIG GET save\r\n", "*2\r\n$4\r\nsave\r\n$0\r\n\r\n"),
        (
            "COMMAND INFO nosuch ttl\r\n",
            "*2\r\n$-1\r\n*10\r\n$3\r\nttl\r\n:2\r\n*1\r\n+readonly\r\n:1\r\n:1\r\n:1\r\n*0\r\n*0\r\n*0\r\n*0\r\n",
        ),
        (
            "COMMAND DOCS get\r\n",
            "*2\r\n$3\r\nget\r\n*4\r\n$7\r\nsummary\r\n$8\r\na string\r\n$5\r\ngroup\r\n$6\r\nstring\r\n",
        ),
        ("FLUSHDB\r\n", "+OK\r\n"),
        ("DBSIZE\r\n", ":0\r\n"),
        ("SCAN 0\r\n", "*2\r\n$1\r\n0\r\n*0\r\n"),
    ] {
        client.check(request, reply).await;
    }
}

#[tokio::test]
async fn a_client_that_chose_version_3_gets_its_nulls_and_maps() {
    let world = World::new(1).await;
    world.bucket("b", |_| {});
    let mut client = Client::connect(world.at(1).redis).await;
    client.check("HELLO 9\r\n", "-NOPROTO unsupported protocol version\r\n").await;
    client
        .send(b"HELLO 3 AUTH b token-of-the-bucket SETNAME me\r\nGET k\r\nCONFIG GET save\r\nHELLO 2\r\nGET k\r\n")
        .await;
    let hello = |proto| {
        format!(
            "$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.2.0\r\n$5\r\nproto\r\n:{proto}\r\n$2\r\nid\r\n:1\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n"
        )
    };
    client.expect(&format!("%7\r\n{}", hello(3))).await;
    client.expect("_\r\n%1\r\n$4\r\nsave\r\n$0\r\n\r\n").await;
    client.expect(&format!("*14\r\n{}", hello(2))).await;
    client.expect("$-1\r\n").await;
}

#[tokio::test]
async fn a_promise_of_4_gb_is_answered_with_an_error_and_the_end() {
    let world = World::new(1).await;
    world.bucket("b", |_| {});
    let mut client = Client::authenticated(world.at(1).redis, "b").await;
    client.send(b"PING\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4294967296\r\n").await;
    client.expect("+PONG\r\n-ERR Protocol error: invalid bulk length\r\n").await;
    client.expect_end().await;
}

#[tokio::test]
async fn one_client_too_many_is_told_so() {
    let world = World::new(1).await;
    let address = world.at(1).redis;
    let mut clients = Vec::new();
    for _ in 0..100 {
        let mut client = Client::connect(address).await;
        client.check("PING\r\n", "-NOAUTH Authentication required.\r\n").await;
        clients.push(client);
    }
    let mut refused = Client::connect(address).await;
    refused.expect("-ERR max number of clients reached\r\n").await;
    refused.expect_end().await;
}

#[tokio::test]
async fn a_long_pipeline_is_answered_in_order_whoever_owns_the_keys() {
    let world = World::new(3).await;
    world.bucket("b", |_| {});
    let mut client = Client::authenticated(world.at(2).redis, "b").await;
    let (mut requests, mut replies) = (String::new(), String::new());
    for number in 0..3_000 {
        requests += &array(&["SET", &format!("k{number}"), &number.to_string()]);
        requests += &array(&["INCR", &format!("k{number}")]);
        replies += &format!("+OK\r\n:{}\r\n", number + 1);
        if number % 500 == 0 {
            requests += "PING\r\n";
            replies += "+PONG\r\n";
        }
    }
    client.send(requests.as_bytes()).await;
    client.expect(&replies).await;
}

#[tokio::test]
async fn a_key_written_through_one_node_is_read_through_another() {
    let world = World::new(3).await;
    world.bucket("b", |_| {});
    let mut clients = Vec::new();
    for number in 1..=3 {
        clients.push(Client::authenticated(world.at(number).redis, "b").await);
    }
    for number in 0..60 {
        let value = format!("{number}");
        clients[number % 3].check(&array(&["SET", &format!("k{number}"), &value]), "+OK\r\n").await;
        let reply = format!("${}\r\n{value}\r\n", value.len());
        clients[(number + 1) % 3].check(&array(&["GET", &format!("k{number}")]), &reply).await;
    }
    clients[0].check("DBSIZE\r\n", ":60\r\n").await;
    clients[1].check("MGET k1 k2 k3\r\n", "*3\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n").await;
    clients[2].check("FLUSHALL\r\n", "+OK\r\n").await;
    clients[1].check("DBSIZE\r\n", ":0\r\n").await;
}

#[tokio::test]
async fn a_scan_walks_every_key_once_over_all_nodes() {
    let world = World::new(3).await;
    world.bucket("b", |spec| spec.replicas = 2);
    write_keys(&world, "b", &[1, 2, 3], 500).await;
    let (mut keys, mut cursor) = (Vec::new(), 0);
    loop {
        let page = world.kv(3).scan("b", cursor, 17).await.unwrap();
        assert!(!page.keys.is_empty() || page.cursor == 0);
        keys.extend(page.keys);
        cursor = page.cursor;
        if cursor == 0 {
            break;
        }
    }
    keys.sort();
    let mut expected: Vec<_> = (0..500).map(key).collect();
    expected.sort();
    assert_eq!(keys, expected);
}

#[tokio::test]
async fn counters_count_exactly_and_one_of_many_gets_the_lock() {
    let world = Arc::new(World::new(3).await);
    world.bucket("b", |_| {});
    let mut tasks = Vec::new();
    for number in 0..12 {
        let world = world.clone();
        tasks.push(tokio::spawn(async move {
            let mut client = Client::authenticated(world.at(number % 3 + 1).redis, "b").await;
            for _ in 0..100 {
                client.send(b"INCR n\r\n").await;
                client.expect(":").await;
                client.skip_line().await;
            }
            client.send(b"SET lock me NX PX 100000\r\n").await;
            client.skip_line().await == "+OK"
        }));
    }
    let mut locks = 0;
    for task in tasks {
        locks += usize::from(task.await.unwrap());
    }
    assert_eq!(locks, 1);
    let mut client = Client::authenticated(world.at(1).redis, "b").await;
    client.check("GET n\r\n", "$4\r\n1200\r\n").await;
}

#[tokio::test]
async fn what_expires_is_gone_everywhere_and_then_forgotten() {
    let world = World::new(3).await;
    world.bucket("b", |spec| spec.ttl = Some(std::time::Duration::from_millis(300)));
    let mut client = Client::authenticated(world.at(1).redis, "b").await;
    client.check("SET short v PX 50\r\n", "+OK\r\n").await;
    client.check("SET default v\r\n", "+OK\r\n").await;
    client.check("SET kept v EX 1000\r\n", "+OK\r\n").await;
    for number in 1..=3 {
        let kv = world.kv(number);
        assert_eq!(kv.get("b", "kept".into()).await.unwrap(), Some("v".into()));
        let gone = async |key: &'static str| {
            while kv.get("b", key.into()).await.unwrap().is_some() {
                tokio::task::yield_now().await;
            }
        };
        tokio::join!(gone("short"), gone("default"));
    }
    world.usage_is("b", &[(1, 1), (2, 1), (3, 1)]).await;
}

#[tokio::test]
async fn a_full_memory_bucket_evicts_and_stays_within_its_limit_on_every_node() {
    let world = World::new(3).await;
    world.bucket("b", |spec| spec.limit = ByteSize(300_000));
    for number in 0..400 {
        world.kv(1).set("b", key(number), vec![b'x'; 2_000].into(), None).await.unwrap();
        for node in 1..=3 {
            let (_, bytes) = world.kv(node).usage("b").unwrap();
            assert!(bytes <= 300_000, "{bytes} bytes on node {node}");
        }
    }
    eventually(|| (1..=3).all(|node| world.kv(node).usage("b").unwrap().1 > 200_000)).await.unwrap();
    assert!(world.kv(2).get("b", key(399)).await.unwrap().is_some());
}

#[tokio::test]
async fn slots_cover_the_ring_with_addresses_a_client_can_use() {
    let world = World::new(2).await;
    world.bucket("b", |_| {});
    let mut client = Client::authenticated(world.at(1).redis, "b").await;
    client.send(b"CLUSTER INFO\r\nCLUSTER NODES\r\nPING\r\n").await;
    let mut text = String::new();
    while !text.contains("+PONG") {
        text.push_str(&client.skip_line().await);
        text.push('\n');
    }
    assert!(text.contains("cluster_state:ok"), "{text}");
    assert!(text.contains("cluster_slots_ok:16384"), "{text}");
    for number in 1..=2 {
        assert!(text.contains(&format!("{}@7000", world.at(number).redis)), "{text}");
    }
}

#[tokio::test]
async fn replies_that_are_together_too_long_to_hold_come_in_order_and_one_command_may_not_have_them() {
    let world = World::new(3).await;
    world.bucket("b", |spec| spec.replicas = 2);
    let mut client = Client::authenticated(world.at(1).redis, "b").await;
    let (value, names) = ("x".repeat(6_000_000), ["one", "two", "three", "four"]);
    for key in names {
        client.check(&array(&["SET", key, &value]), "+OK\r\n").await;
    }
    let requests: String = (0..40).map(|nth| format!("GET {}\r\nINCR n\r\n", names[nth % 4])).collect();
    client.send(requests.as_bytes()).await;
    for nth in 0..40 {
        client.expect(&format!("$6000000\r\n{value}\r\n:{}\r\n", nth + 1)).await;
    }
    let many: Vec<&str> = ["MGET"].into_iter().chain((0..12).map(|nth| names[nth % 4])).collect();
    let too_long = "-ERR the replies of this command are together longer than 64 MiB: ask for fewer keys at once\r\n";
    client.check(&format!("{}PING\r\n", array(&many)), &format!("{too_long}+PONG\r\n")).await;
    let items = format!("$6000000\r\n{value}\r\n").repeat(4);
    client.check(&array(&many[..5]), &format!("*4\r\n{items}")).await;
}

#[tokio::test]
async fn nothing_more_is_run_for_a_client_that_does_not_read_or_has_closed() {
    let world = World::new(1).await;
    world.bucket("b", |_| {});
    let mut client = Client::authenticated(world.at(1).redis, "b").await;
    client.check(&array(&["SET", "k", &"x".repeat(6_000_000)]), "+OK\r\n").await;
    client.send("GET k\r\nINCR n\r\n".repeat(250).as_bytes()).await;
    client.expect("$6000000\r\n").await;
    drop(client);
    let mut other = Client::authenticated(world.at(1).redis, "b").await;
    let mut info = String::new();
    while !info.contains("connected_clients:1\n") {
        info.clear();
        other.send(b"INFO\r\nPING\r\n").await;
        while !info.ends_with("+PONG\n") {
            info = info + &other.skip_line().await + "\n";
        }
    }
    other.send(b"INCR n\r\n").await;
    let count: u32 = other.skip_line().await.trim_start_matches(':').parse().unwrap();
    assert!(count < 50, "{count} were run");
}
