//! The memcached door, as its clients see it.

use std::time::Duration;

use bytes::Bytes;
use ringway_ports::{KvPattern, MemcacheDoors};

use crate::client::Client;
use crate::world::{TOKEN, World};

async fn world(nodes: u8) -> World {
    let world = World::new(nodes).await;
    world.bucket("b", |spec| spec.replicas = nodes.min(2));
    world.heard_of("b").await;
    world
}

async fn client(world: &World, node: u8) -> Client {
    let address = world.at(node).tier.address("b").expect("the bucket has a door");
    Client::connect(address).await
}

/// As memcached 1.6.18 answered the same, but for numbers of items.
#[tokio::test(flavor = "multi_thread")]
async fn classic_commands_do_what_they_do_in_memcached() {
    let world = world(1).await;
    let mut client = client(&world, 1).await;
    for (request, reply) in [
        ("get k\r\n", "END\r\n"),
        ("set k 5 0 3\r\nabc\r\nget k\r\n", "STORED\r\nVALUE k 5 3\r\nabc\r\nEND\r\n"),
        ("add k 0 0 1\r\nz\r\nadd n 0 0 1\r\nz\r\n", "NOT_STORED\r\nSTORED\r\n"),
        ("replace n 7 0 2\r\nyy\r\nreplace nope 0 0 1\r\na\r\n", "STORED\r\nNOT_STORED\r\n"),
        (
            "append n 0 0 1\r\na\r\nprepend n 0 0 1\r\np\r\nappend nope 0 0 1\r\na\r\n",
            "STORED\r\nSTORED\r\nNOT_STORED\r\n",
        ),
        ("get n k nope\r\n", "VALUE n 7 4\r\npyya\r\nVALUE k 5 3\r\nabc\r\nEND\r\n"),
        ("cas nope 0 0 1 5\r\na\r\ncas k 0 0 1 5\r\na\r\n", "NOT_FOUND\r\nEXISTS\r\n"),
        (
            "incr k 1\r\nincr nope 1\r\n",
            "CLIENT_ERROR cannot increment or decrement non-numeric value\r\nNOT_FOUND\r\n",
        ),
        ("set i 0 0 2\r\n10\r\nincr i 5\r\ndecr i 20\r\nget i\r\n", "STORED\r\n15\r\n0\r\nVALUE i 0 1\r\n0\r\nEND\r\n"),
        ("set i 0 0 20\r\n18446744073709551615\r\nincr i 2\r\n", "STORED\r\n1\r\n"),
        ("set i 9 0 2\r\n10\r\nincr i 1\r\nget i\r\n", "STORED\r\n11\r\nVALUE i 9 2\r\n11\r\nEND\r\n"),
        ("touch k 100\r\ntouch nope 1\r\ngat 0 k nope\r\n", "TOUCHED\r\nNOT_FOUND\r\nVALUE k 5 3\r\nabc\r\nEND\r\n"),
        ("delete k\r\ndelete k\r\nget k\r\n", "DELETED\r\nNOT_FOUND\r\nEND\r\n"),
        ("set e 0 -1 1\r\na\r\nget e\r\nset e 0 1000000000 1\r\na\r\nget e\r\n", "STORED\r\nEND\r\nSTORED\r\nEND\r\n"),
        (
            "set q 0 0 1 noreply\r\na\r\nincr q 1 noreply\r\ndelete n noreply\r\nget q n\r\n",
            "VALUE q 0 1\r\na\r\nEND\r\n",
        ),
        (
            "version\r\nverbosity 1\r\nshutdown\r\nmn\r\n",
            "VERSION 1.6.18\r\nOK\r\nERROR: shutdown not enabled\r\nMN\r\n",
        ),
        ("flush_all\r\nget q\r\nflush_all 0 noreply\r\nmn\r\n", "OK\r\nEND\r\nMN\r\n"),
        ("stats reset\r\nstats items\r\nstats foo\r\n", "RESET\r\nEND\r\nERROR\r\n"),
        ("set k 0 0 3\r\nabcdefgh\r\nget k\r\n", "CLIENT_ERROR bad data chunk\r\nERROR\r\nEND\r\n"),
    ] {
        client.check(request, reply).await;
    }
    client.send(b"quit\r\n").await;
    client.expect_end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn meta_commands_do_what_they_do_in_memcached() {
    let world = world(1).await;
    let mut client = client(&world, 1).await;
    for (request, reply) in [
        ("mg k\r\nmg k v q\r\nmn\r\n", "EN\r\nMN\r\n"),
        ("ms k 2 T0 F5 k O9\r\nhi\r\nmg k s v t f k O1\r\n", "HD kk O9\r\nVA 2 s2 t-1 f5 kk O1\r\nhi\r\n"),
        ("ms k 1 ME\r\nx\r\nms n 1 MR\r\nx\r\nms n 1 C1\r\nx\r\nms k 1 C1\r\nx\r\n", "NS\r\nNS\r\nNF\r\nEX\r\n"),
        ("ms k 1 MA q\r\n!\r\nms k 1 MP\r\n>\r\nmg k v\r\n", "HD\r\nVA 4\r\n>hi!\r\n"),
        ("mg k T100 t v\r\nmg k t\r\n", "VA 4 t100\r\n>hi!\r\nHD t100\r\n"),
        ("ms Zm9v 1 b k\r\nx\r\nmg foo k v\r\nmd Zm9v b q\r\nmg foo\r\n", "HD kZm9v b\r\nVA 1 kfoo\r\nx\r\nEN\r\n"),
        ("md nope\r\nmd nope q\r\nmd k C1\r\nmd k q\r\nmn\r\n", "NF\r\nNF\r\nEX\r\nMN\r\n"),
        (
            "ma n\r\nma n N0 J13 v t\r\nma n v\r\nma n MD D5 v\r\nma n M- D500 v\r\n",
            "NF\r\nVA 2 t-1\r\n13\r\nVA 2\r\n14\r\nVA 1\r\n9\r\nVA 1\r\n0\r\n",
        ),
        ("ma n C1 O5 k\r\nma n q\r\nma n T10 t v\r\n", "EX O5 kn\r\nVA 1 t10\r\n2\r\n"),
        // Whoever misses first fills the gap; the others are told that somebody does.
        (
            "mg g N30 v t\r\nmg g N30 v\r\nms g 1\r\nx\r\nmg g v N30\r\n",
            "VA 0 t30 W\r\n\r\nVA 0 Z\r\n\r\nHD\r\nVA 1\r\nx\r\n",
        ),
        (
            "set r 0 20 1\r\na\r\nmg r R30 v\r\nmg r R30 v\r\nmg r v\r\n",
            "STORED\r\nVA 1 W\r\na\r\nVA 1 Z\r\na\r\nVA 1 Z\r\na\r\n",
        ),
        ("mg w N30\r\nappend w 0 0 1\r\na\r\nmg w v\r\n", "HD W\r\nSTORED\r\nVA 1\r\na\r\n"),
        (
            "md r I T30\r\nmg r v t\r\nmg r v\r\nms r 1\r\nb\r\nmg r v\r\n",
            "HD\r\nVA 1 t30 X W\r\na\r\nVA 1 Z X\r\na\r\nHD\r\nVA 1\r\nb\r\n",
        ),
    ] {
        client.check(request, reply).await;
    }
}

/// The number of an item, from the reply to `mg KEY c`.
async fn cas(client: &mut Client, key: &str) -> u64 {
    client.send(format!("mg {key} c\r\n").as_bytes()).await;
    let line = client.line().await;
    let number = line.strip_prefix("HD c").and_then(|rest| rest.split(' ').next()?.parse().ok());
    number.unwrap_or_else(|| panic!("{line}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_is_good_for_one_write() {
    let world = world(1).await;
    let mut client = client(&world, 1).await;
    client.check("set k 0 0 1\r\na\r\n", "STORED\r\n").await;
    let first = cas(&mut client, "k").await;
    client.check("gets k\r\n", &format!("VALUE k 0 1 {first}\r\na\r\nEND\r\n")).await;
    client.check(&format!("cas k 0 0 1 {first}\r\nb\r\ncas k 0 0 1 {first}\r\nc\r\n"), "STORED\r\nEXISTS\r\n").await;
    let second = cas(&mut client, "k").await;
    assert!(second > first);
    // Somebody who has seen an older one may write with I, but what is written is stale.
    client.check(&format!("ms k 1 C{first} I\r\nd\r\nmg k v\r\n"), "HD\r\nVA 1 X W\r\nd\r\n").await;
    let third = cas(&mut client, "k").await;
    client.check(&format!("md k C{second}\r\nmd k C{third}\r\n"), "EX\r\nHD\r\n").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_other_nodes_are_reached_through_any() {
    let world = world(3).await;
    let mut clients = [client(&world, 1).await, client(&world, 2).await, client(&world, 3).await];
    let keys: Vec<String> = (0..100).map(|number| format!("key{number}")).collect();
    let sets: String = keys.iter().map(|key| format!("set {key} 7 0 {}\r\n{key}\r\n", key.len())).collect();
    clients[0].check(&sets, &"STORED\r\n".repeat(100)).await;
    let hits: String = keys.iter().map(|key| format!("VALUE {key} 7 {}\r\n{key}\r\n", key.len())).collect();
    for client in &mut clients {
        client.check(&format!("get {} nope\r\nmn\r\n", keys.join(" ")), &format!("{hits}END\r\nMN\r\n")).await;
    }
    let quiet: String = keys.iter().map(|key| format!("ms {key} 1 q MA\r\n!\r\n")).collect();
    clients[1].check(&format!("{quiet}mn\r\n"), "MN\r\n").await;
    clients[2]
        .check("mg key1 v f k O1\r\ndelete key1\r\nget key1\r\n", "VA 5 f7 kkey1 O1\r\nkey1!\r\nDELETED\r\nEND\r\n")
        .await;
    clients[0].check("flush_all\r\nget key2 key3\r\n", "OK\r\nEND\r\n").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_clients_and_memcached_clients_see_the_same_strings() {
    let world = world(1).await;
    let mut memcached = client(&world, 1).await;
    let mut redis = Client::authenticated(world.at(1).redis, "b").await;
    memcached.check("set k 5 0 3\r\nabc\r\n", "STORED\r\n").await;
    // What a Redis client says about the expiry leaves the flags alone; what it writes has none.
    redis.check("EXPIRE k 100\r\n", ":1\r\n").await;
    memcached.check("get k\r\n", "VALUE k 5 3\r\nabc\r\nEND\r\n").await;
    redis.check("GET k\r\nTTL k\r\nAPPEND k d\r\n", "$3\r\nabc\r\n:100\r\n:4\r\n").await;
    memcached.check("get k\r\n", "VALUE k 0 4\r\nabcd\r\nEND\r\n").await;
    redis.check("SET k x\r\nSET n 5\r\nINCR n\r\n", "+OK\r\n+OK\r\n:6\r\n").await;
    memcached.check("get k\r\nincr n 4\r\n", "VALUE k 0 1\r\nx\r\nEND\r\n10\r\n").await;
    redis.check("GET n\r\n", "$2\r\n10\r\n").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_swallowed_and_the_connection_goes_on() {
    let world = world(1).await;
    let mut client = client(&world, 1).await;
    client.check("set k 0 0 1\r\na\r\n", "STORED\r\n").await;
    let len = (512 << 20) + 1;
    client.send(format!("set k 0 0 {len}\r\n").as_bytes()).await;
    client.expect("SERVER_ERROR object too large for cache\r\n").await;
    let chunk = vec![b'x'; 1 << 20];
    for _ in 0..512 {
        client.send(&chunk).await;
    }
    client.check("x\r\nget k\r\n", "END\r\n").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_has_its_own_address_on_each_node() {
    let world = world(2).await;
    world.bucket("other", |_| {});
    world.heard_of("other").await;
    let address = |node: u8, bucket: &str| world.at(node).tier.address(bucket);
    let one = address(1, "b");
    assert!(one.is_some() && one == address(1, "b"));
    assert_ne!(one, address(2, "b"));
    assert_ne!(one, address(1, "other"));
    assert_eq!(address(1, "nope"), None);
    let mut client = client(&world, 1).await;
    client.check("set k 0 0 1\r\na\r\n", "STORED\r\n").await;
    let mut other = Client::connect(address(1, "other").unwrap()).await;
    other.check("get k\r\n", "END\r\n").await;
}

/// As memcached answers with `-Y`.
#[tokio::test(flavor = "multi_thread")]
async fn at_the_door_for_everybody_a_token_has_to_be_said_first() {
    let world = world(1).await;
    let mut client = Client::connect(world.at(1).memcache).await;
    let login = |text: &str| format!("set auth 0 0 {}\r\n{text}\r\n", text.len());
    for (request, reply) in [
        ("get k\r\n".to_owned(), "CLIENT_ERROR unauthenticated\r\n"),
        ("version\r\n".to_owned(), "CLIENT_ERROR unauthenticated\r\n"),
        (login("b"), "CLIENT_ERROR bad authentication token format\r\n"),
        (login("b wrong"), "CLIENT_ERROR authentication failure\r\n"),
        (login(&format!("other {TOKEN}")), "CLIENT_ERROR authentication failure\r\n"),
        (
            format!("{}set k 0 0 1\r\na\r\nget auth k\r\n", login(&format!("b {TOKEN}"))),
            "STORED\r\nSTORED\r\nVALUE k 0 1\r\na\r\nEND\r\n",
        ),
    ] {
        client.check(&request, reply).await;
    }
    let mut unknown = Client::connect(world.at(1).memcache).await;
    unknown.check("set auth 0 0 2000\r\n", "CLIENT_ERROR unauthenticated\r\n").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_with_all_its_clients_takes_no_more() {
    let world = world(1).await;
    world.bucket("small", |spec| spec.connections = Some(1));
    world.heard_of("small").await;
    let address = world.at(1).tier.address("small").unwrap();
    let mut first = Client::connect(address).await;
    first.check("get k\r\n", "END\r\n").await;
    let mut second = Client::connect(address).await;
    second.expect("SERVER_ERROR max number of clients of bucket small reached\r\n").await;
    second.expect_end().await;
    first.check("get k\r\n", "END\r\n").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hits_and_misses_are_counted() {
    let world = world(1).await;
    let mut client = client(&world, 1).await;
    client
        .check("set k 0 0 1\r\na\r\nget k nope k\r\n", "STORED\r\nVALUE k 0 1\r\na\r\nVALUE k 0 1\r\na\r\nEND\r\n")
        .await;
    client.send(b"stats\r\n").await;
    let mut told = Vec::new();
    while told.last().is_none_or(|line| line != "END") {
        told.push(client.line().await);
    }
    for line in ["STAT get_hits 2", "STAT get_misses 1", "STAT curr_items 1"] {
        assert!(told.iter().any(|told| told == line), "{line} is not in {told:?}");
    }
}

/// One use in 64 in a row is looked at for hot keys: of 200 of one key at least two are.
#[tokio::test(flavor = "multi_thread")]
async fn what_memcached_clients_do_is_in_the_figures_of_the_bucket() {
    let world = world(1).await;
    let mut client = client(&world, 1).await;
    client.check("set k 0 0 1\r\na\r\nadd k 0 0 1\r\nb\r\n", "STORED\r\nNOT_STORED\r\n").await;
    let stats = world.kv(1).stats("b").unwrap();
    assert_eq!((stats.ops, stats.hits, stats.misses), (2, 0, 0), "what only looks whether it may write is no read");
    client.check("get k nope\r\nmg k v\r\nmg nope v\r\n", "VALUE k 0 1\r\na\r\nEND\r\nVA 1\r\na\r\nEN\r\n").await;
    let stats = world.kv(1).stats("b").unwrap();
    assert_eq!((stats.ops, stats.hits, stats.misses), (6, 2, 2), "a get is a command for each of its keys");
    for _ in 0..200 {
        client.check("get hot\r\n", "END\r\n").await;
    }
    let top = world.kv(1).top("b", 5).await.unwrap();
    assert_eq!(world.kv(1).stats("b").unwrap().ops, 206);
    assert_eq!(top.hot.first().map(|hot| &hot.key[..]), Some(&b"hot"[..]), "{top:?}");
    assert!(top.ops_per_second > 0.0, "{top:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_watch_a_bucket_hear_what_memcached_clients_change_in_redis_words() {
    let world = world(1).await;
    let mut client = client(&world, 1).await;
    let all = || KvPattern::Glob(Bytes::from_static(b"*"));
    let from = world.kv(1).changes("b", all(), None, Duration::ZERO).await.unwrap().next;
    let changed = [
        ("set k 0 0 1\r\n7\r\n", "STORED\r\n", "set"),
        ("append k 0 0 1\r\n0\r\n", "STORED\r\n", "append"),
        ("incr k 1\r\n", "71\r\n", "incrby"),
        ("decr k 1\r\n", "70\r\n", "incrby"),
        ("touch k 100\r\n", "TOUCHED\r\n", "expire"),
        ("gat 200 k\r\n", "VALUE k 0 2\r\n70\r\nEND\r\n", "expire"),
        ("delete k\r\n", "DELETED\r\n", "del"),
        ("ms k 1\r\n1\r\n", "HD\r\n", "set"),
        ("ms k 1 MA\r\n2\r\n", "HD\r\n", "append"),
        ("ms k 1 MP\r\n3\r\n", "HD\r\n", "append"),
        ("ma k v\r\n", "VA 3\r\n313\r\n", "incrby"),
        ("mg k T100 v\r\n", "VA 3\r\n313\r\n", "expire"),
        ("md k\r\n", "HD\r\n", "del"),
    ];
    for (request, reply, _) in changed {
        client.check(request, reply).await;
    }
    client.check("get k\r\nmg k v\r\ntouch k 1\r\n", "END\r\nEN\r\nNOT_FOUND\r\n").await;
    let told = world.kv(1).changes("b", all(), Some(from), Duration::ZERO).await.unwrap().changes;
    let events: Vec<_> = told.iter().map(|change| &*change.event).collect();
    assert_eq!(events, changed.map(|(_, _, event)| event));
}
