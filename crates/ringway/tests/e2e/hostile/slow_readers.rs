//! Clients that ask and do not read, or promise and do not send.

use ringway_testkit::resp::frame;
use ringway_testkit::{Client, Reply, wait_for};

use super::memory::resident;
use super::others_are_served;
use crate::door::{Door, is_stood_in_for};

const MIB: u64 = 1 << 20;

#[test]
fn clients_that_never_read_are_not_stored_for_and_slow_nobody() {
    let door = Door::open(2, &[]);
    let mut client = door.client(0);
    client.call(&["SET", "large", &"x".repeat(1 << 20)]).expect("it is set");
    let before = resident(door.pid());
    // Each asks for a hundred megabytes. Redis keeps what a normal client does not read without limit.
    let asked = frame(&["GET", "large"]).repeat(100);
    let mut deaf: Vec<Client> = (0..if is_stood_in_for() { 3 } else { 20 }).map(|_| door.client(0)).collect();
    for one in &mut deaf {
        one.write(&asked).expect("the door reads");
    }
    others_are_served(&door);
    let after = resident(door.pid());
    assert!(is_stood_in_for() || after < before + 256 * MIB, "from {} to {} MiB", before / MIB, after / MIB);
    // One that reads late gets all of it, unless it has been cut off.
    if let Ok(first) = deaf[0].read() {
        assert!(matches!(first, Reply::Bulk(bytes) if bytes.len() == 1 << 20));
    }
    drop(deaf);
    others_are_served(&door);
}

#[test]
fn a_subscriber_that_never_reads_is_cut_off() {
    let door = Door::open(1, &[]);
    let mut deaf = door.client(0);
    deaf.call(&["SUBSCRIBE", "news"]).expect("it is subscribed");
    let mut hears = door.client(0);
    hears.call(&["SUBSCRIBE", "other"]).expect("it is subscribed");
    let before = resident(door.pid());
    let mut client = door.client(0);
    let news = "x".repeat(1 << 20);
    // Redis' limits for subscribers: 32 MB at once, 8 MB for 60 s.
    let mut heard = 0;
    for _ in 0..120 {
        match client.call(&["PUBLISH", "news", &news]).expect("the publisher is served") {
            Reply::Integer(count) => heard = count,
            other => panic!("{other}"),
        }
    }
    assert_eq!(heard, 0, "it is no subscriber any more");
    assert_eq!(client.call(&["PUBLISH", "other", "hello"]).expect("others are served"), Reply::Integer(1));
    let told = hears.read().expect("others are told").to_string();
    assert_eq!(told, "[\"message\", \"other\", \"hello\"]");
    wait_for("what it did not read to be forgotten", || {
        let after = resident(door.pid());
        if after < before + 100 * MIB { Ok(()) } else { Err(format!("from {} to {} MiB", before / MIB, after / MIB)) }
    });
}

#[test]
fn clients_that_promise_much_and_stop_are_given_nothing_for_it() {
    let door = Door::open(2, &[]);
    let before = resident(door.pid());
    let mut stopped: Vec<Client> = (0..100).map(|_| door.client(0)).collect();
    let endings: [&[u8]; 4] = [
        b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\nabc",
        b"*1000000\r\n$4\r\nMGET\r\n$1\r\nk\r\n",
        b"*3\r\n$3\r\nSET\r\n$1\r",
        b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nhel",
    ];
    for (at, one) in stopped.iter_mut().enumerate() {
        one.write(endings[at % endings.len()]).expect("the door reads");
    }
    others_are_served(&door);
    let after = resident(door.pid());
    assert!(is_stood_in_for() || after < before + 64 * MIB, "from {} to {} MiB", before / MIB, after / MIB);
    // One that goes on is answered.
    stopped[3].write(b"lo\r\n").expect("the door reads");
    assert_eq!(stopped[3].read().expect("it is answered").to_string(), "+OK");
    assert_eq!(door.client(1).call(&["GET", "k"]).expect("an answer").to_string(), "\"hello\"");
}
