//! Many clients of one core, of both doors, served in turns: what one says, and how it says it, is nothing to the others.

use std::time::Duration;

use ringway_ports::MemcacheDoors;

use crate::client::{Client, array};
use crate::world::World;

const DEADLINE: Duration = Duration::from_secs(10);
const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";

async fn world(nodes: u8) -> World {
    let world = World::new(nodes).await;
    world.bucket("b", |spec| spec.replicas = nodes);
    world.heard_of("b").await;
    world
}

fn random(below: usize) -> usize {
    (ringway_rt::random::number() % below as u64) as usize
}

/// What a client says about keys of its own, and what it is answered: now and then something that needs more than its turn.
fn conversation(client: usize, len: usize) -> (String, String) {
    let (mut said, mut replies, mut sum) = (String::new(), String::new(), 0);
    for nth in 0..len {
        let (text, count) = (format!("text:{client}"), format!("count:{client}"));
        let value = "x".repeat(random(if nth % 7 == 0 { 40_000 } else { 100 }));
        let (words, reply) = match random(12) {
            0..=4 => (vec!["SET", &text, &value], "+OK\r\n".to_owned()),
            5..=7 => {
                sum += 1;
                (vec!["INCR", &count], format!(":{sum}\r\n"))
            }
            8 => (vec!["GET", "nothing"], "$-1\r\n".to_owned()),
            9 => (vec!["LPUSH", &count, "x"], WRONG_TYPE.to_owned()),
            10 => (vec!["ECHO", &value], format!("${}\r\n{value}\r\n", value.len())),
            _ => (vec!["MULTI"], "+OK\r\n".to_owned()),
        };
        if words == ["LPUSH", &count, "x"] && sum == 0 {
            continue;
        }
        said += &array(&words);
        replies += &reply;
        if words == ["MULTI"] {
            said += &(array(&["SET", &text, "y"]) + &array(&["EXEC"]) + &array(&["MGET", &text, "nothing"]));
            replies += "+QUEUED\r\n*1\r\n+OK\r\n*2\r\n$1\r\ny\r\n$-1\r\n";
        }
    }
    (said, replies)
}

/// The same at memcached's door.
fn memcached_conversation(client: usize, len: usize) -> (String, String) {
    let (text, count) = (format!("item:{client}"), format!("number:{client}"));
    let (mut said, mut replies) = (format!("set {count} 0 0 1\r\n0\r\n"), "STORED\r\n".to_owned());
    let (mut value, mut sum) = (None::<String>, 0);
    for nth in 0..len {
        let (asked, reply) = match random(13) {
            0..=3 => {
                let new = "x".repeat(random(if nth % 7 == 0 { 40_000 } else { 100 }));
                let asked = format!("set {text} {client} 0 {}\r\n{new}\r\n", new.len());
                value = Some(new);
                (asked, "STORED\r\n".to_owned())
            }
            4..=6 => {
                sum += 1;
                (format!("incr {count} 1\r\n"), format!("{sum}\r\n"))
            }
            7..=8 => {
                let seen = value.iter().map(|value| format!("VALUE {text} {client} {}\r\n{value}\r\n", value.len()));
                let seen: String = seen.collect();
                (
                    format!("get nothing {text} {count}\r\n"),
                    format!("{seen}VALUE {count} 0 {}\r\n{sum}\r\nEND\r\n", sum.to_string().len()),
                )
            }
            9 => (
                format!("mg {count} v q\r\nmg nothing v q\r\nmn\r\n"),
                format!("VA {}\r\n{sum}\r\nMN\r\n", sum.to_string().len()),
            ),
            // None of these has a turn with others.
            10 => ("set k 0 0 3\r\nabcdefgh\r\n".to_owned(), "CLIENT_ERROR bad data chunk\r\nERROR\r\n".to_owned()),
            11 => ("stats items\r\n".to_owned(), "END\r\n".to_owned()),
            _ => ("what\r\n".to_owned(), "ERROR\r\n".to_owned()),
        };
        said += &asked;
        replies += &reply;
    }
    (said, replies)
}

/// Says it in pieces that end anywhere.
async fn talk(mut client: Client, said: String, replies: String) {
    let mut rest = said.as_bytes();
    while !rest.is_empty() {
        let (piece, after) = rest.split_at((1 + random(if random(4) == 0 { 3000 } else { 60 })).min(rest.len()));
        client.send(piece).await;
        rest = after;
        tokio::task::yield_now().await;
    }
    client.expect(&replies).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn words_that_come_in_any_pieces_are_answered_in_order_for_each_client() {
    for nodes in [1, 2] {
        let world = world(nodes).await;
        let mut talks = Vec::new();
        for number in 0..24 {
            let client = Client::authenticated(world.at(1).redis, "b").await;
            let (said, replies) = conversation(number, 60);
            talks.push(tokio::spawn(talk(client, said, replies)));
            let client = Client::connect(world.at(1).tier.address("b").unwrap()).await;
            let (said, replies) = memcached_conversation(number, 60);
            talks.push(tokio::spawn(talk(client, said, replies)));
        }
        for talk in talks {
            talk.await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_closes_after_its_last_word_has_its_replies_and_is_gone() {
    // Of two nodes each write is waited for: the client closes meanwhile.
    for nodes in [1, 2] {
        let world = world(nodes).await;
        let mut clients = Vec::new();
        for _ in 0..20 {
            let mut client = Client::authenticated(world.at(1).redis, "b").await;
            // Served with others from here on.
            client.check(&array(&["PING"]), "+PONG\r\n").await;
            clients.push((client, array(&["SET", "k", "v"]) + &array(&["GET", "k"]), "+OK\r\n$1\r\nv\r\n"));
            let mut client = Client::connect(world.at(1).tier.address("b").unwrap()).await;
            client.check("get nothing\r\n", "END\r\n").await;
            let said = "set m 0 0 1\r\nv\r\nget m\r\n".to_owned();
            clients.push((client, said, "STORED\r\nVALUE m 0 1\r\nv\r\nEND\r\n"));
        }
        for (number, (client, said, _)) in clients.iter_mut().enumerate() {
            client.send(said.as_bytes()).await;
            if number % 3 == 0 {
                client.end().await;
            }
        }
        for (number, (client, _, replies)) in clients.iter_mut().enumerate() {
            client.expect(replies).await;
            if number % 3 == 0 {
                client.expect_end().await;
            }
        }
        drop(clients);
        only_one_is_left(&world).await;
    }
}

async fn only_one_is_left(world: &World) {
    let mut last = Client::authenticated(world.at(1).redis, "b").await;
    let is_alone = async { while !last.ask(&["INFO", "clients"]).await.text().contains("connected_clients:1\r\n") {} };
    tokio::time::timeout(DEADLINE, is_alone).await.expect("nobody is counted who is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_does_not_stop_the_others() {
    let world = world(1).await;
    let value = "x".repeat(20_000);
    let mut others = Vec::new();
    for _ in 0..8 {
        let mut client = Client::authenticated(world.at(1).redis, "b").await;
        client.check(&array(&["SET", "k", &value]), "+OK\r\n").await;
        others.push(client);
    }
    let mut deaf = Client::authenticated(world.at(1).redis, "b").await;
    let many = array(&["GET", "k"]).repeat(2000);
    deaf.send(many.as_bytes()).await;
    let one = format!("${}\r\n{value}\r\n", value.len());
    for _ in 0..50 {
        for client in &mut others {
            client.check(&array(&["GET", "k"]), &one).await;
        }
    }
    deaf.expect(&one.repeat(2000)).await;
}
