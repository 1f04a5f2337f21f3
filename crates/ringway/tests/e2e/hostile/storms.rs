//! Many connections that come and go.

use std::net::TcpStream;

use ringway_testkit::{Client, wait_for};

use super::memory::{open_files, resident};
use super::others_are_served;
use crate::door::Door;

#[test]
fn a_reconnect_storm_leaves_nothing_behind() {
    let door = Door::open(2, &[]);
    others_are_served(&door);
    let (files, memory) = (open_files(door.pid()), resident(door.pid()));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let door = &door;
            scope.spawn(move || {
                for number in 0..400 {
                    match number % 4 {
                        // Comes and goes without a word.
                        0 => drop(TcpStream::connect(door.addresses[0]).expect("the door is open")),
                        // Goes in the middle of a frame.
                        1 => {
                            let mut client = Client::connect(door.addresses[0]).expect("the door is open");
                            client.write(b"*2\r\n$4\r\nAUTH\r\n$99").expect("the door reads");
                        }
                        // Does not wait for its answers.
                        2 => door.client(0).write(&b"PING\r\n".repeat(50)).expect("the door reads"),
                        _ => drop(door.client(thread).call(&["PING"]).expect("it is served")),
                    }
                }
            });
        }
    });
    others_are_served(&door);
    wait_for("the connections to be forgotten", || {
        let now = open_files(door.pid());
        if now <= files + 5 { Ok(()) } else { Err(format!("{files} files open before, {now} now")) }
    });
    let now = resident(door.pid());
    assert!(now < memory + (64 << 20), "{} to {} MiB", memory >> 20, now >> 20);
}
