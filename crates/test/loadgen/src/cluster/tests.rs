use super::*;

fn slots(reply: &str) -> Result<Slots> {
    Slots::from_reply(&read(&mut BufReader::new(reply.as_bytes()), 0)?)
}

const TWO: &str = "*2\r\n*4\r\n:0\r\n:8191\r\n*3\r\n$9\r\n127.0.0.1\r\n:7001\r\n$2\r\nid\r\n*3\r\n$9\r\n127.0.0.1\r\n:7003\r\n$2\r\nid\r\n\
                   *3\r\n:8192\r\n:16383\r\n*3\r\n$9\r\n127.0.0.1\r\n:7002\r\n$2\r\nid\r\n";

#[test]
fn slots_belong_to_the_masters_that_the_cluster_names() {
    let slots = slots(TWO).expect("well formed");
    assert_eq!(slots.masters, ["127.0.0.1:7001".parse().expect("address"), "127.0.0.1:7002".parse().expect("address")]);
    assert_eq!((slots.owner(Slot(8191)), slots.owner(Slot(8192))), (Some(0), Some(1)));
}

#[test]
fn a_slot_without_a_master_is_a_fault() {
    assert!(slots(&TWO.replace(":16383", ":16382")).is_err());
}

#[test]
fn a_refusal_is_told() {
    let fault = slots("-ERR This instance has cluster support disabled\r\n").err().expect("a fault").to_string();
    assert!(fault.contains("cluster support disabled"), "{fault}");
}
