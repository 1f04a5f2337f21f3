//! Values of many megabytes, through every node, beside small ones.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::task::JoinHandle;

use crate::client::{Client, array};
use crate::world::{World, disk};

const LEN: usize = 48 << 20;

/// Asks for small things, one after the other.
struct Small {
    answered: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
    asking: JoinHandle<()>,
}

impl Small {
    async fn begin(redis: SocketAddr) -> Self {
        let (answered, is_over) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let (counter, over) = (answered.clone(), is_over.clone());
        let mut client = Client::authenticated(redis, "b").await;
        let asking = tokio::spawn(async move {
            for number in 0.. {
                let key = format!("small:{}", number % 50);
                client.check(&(array(&["SET", &key, "x"]) + &array(&["GET", &key])), "+OK\r\n$1\r\nx\r\n").await;
                counter.fetch_add(1, Ordering::Relaxed);
                if over.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        Self { answered, is_over, asking }
    }

    fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }

    async fn end(self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.asking.await.unwrap();
    }
}

fn command(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

async fn come_whole_through_every_node(meanwhile_min: usize, change: impl FnOnce(&mut ringway_manifest::Bucket)) {
    let world = World::new(3).await;
    world.bucket("b", |spec| {
        spec.replicas = 3;
        spec.limit = ringway_manifest::Bytes(1 << 30);
        change(spec);
    });
    world.heard_of("b").await;
    let value: Vec<u8> = (0..LEN).map(|at| (at / 7) as u8).collect();
    let reply = [format!("${LEN}\r\n").as_bytes(), &value, b"\r\n"].concat();
    let mut clients = Vec::new();
    for number in 1..=3 {
        clients.push(Client::authenticated(world.at(number).redis, "b").await);
    }
    let small = Small::begin(world.at(2).redis).await;
    // Of these keys each node executes some: the value goes to another node, and from there to two.
    for (nth, key) in ["a", "b", "c", "d"].iter().enumerate() {
        let before = small.answered();
        clients[nth % 3].send(&command(&[b"SET", key.as_bytes(), &value])).await;
        clients[nth % 3].expect("+OK\r\n").await;
        let meanwhile = small.answered() - before;
        assert!(meanwhile >= meanwhile_min, "{meanwhile} were answered while a long value was on its way");
        for client in &mut clients {
            client.send(&command(&[b"GET", key.as_bytes()])).await;
            client.expect_bytes(&reply).await;
        }
        clients[nth % 3].check(&array(&["DEL", key]), ":1\r\n").await;
    }
    small.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_values_come_whole_through_every_node_and_hold_nobody_up() {
    come_whole_through_every_node(3, |_| {}).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_values_come_whole_to_and_from_the_disk() {
    // The others may wait for the same log, but are not refused.
    come_whole_through_every_node(0, disk).await;
}
