use ringway_causality::Version;
use ringway_values::Register;

use super::*;

fn register(value: Option<&'static str>, expires_ms: Option<u64>) -> State {
    let version = Version { wall_ms: 1, ..Version::default() };
    let value = value.map(|text| Bytes::from_static(text.as_bytes()));
    State::Register(Register { version, value, expires_ms, marks: 0 })
}

fn text(unit: &Unit) -> String {
    let Body::Transaction { watched, commands } = &unit.body else { panic!("{unit:?}") };
    let words = |words: &Words| {
        words.0.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect::<Vec<_>>().join(" ")
    };
    let lines: Vec<String> = commands.iter().map(words).collect();
    format!("{}{}", if watched.is_empty() { "" } else { "if it is not there: " }, lines.join("; "))
}

fn record(value: KvValue) -> KvRecord {
    KvRecord { value, expires_ms: None, ..KvRecord::empty(Bytes::from_static(b"k")) }
}

#[test]
fn what_a_client_would_not_see_is_not_exported() {
    let key = Bytes::from_static(b"k");
    assert_eq!(record_of(key.clone(), &register(None, None), 10), None);
    assert_eq!(record_of(key.clone(), &register(Some("v"), Some(10)), 10), None);
    let seen = record_of(key.clone(), &register(Some("v"), Some(11)), 10).expect("it is there");
    assert_eq!((seen.value, seen.expires_ms), (KvValue::String(Bytes::from_static(b"v")), Some(11)));
    let big = big_key(key, &register(Some("four"), None), 10).expect("it is there");
    assert_eq!((big.kind, big.len), (KvKind::String, 4));
}

#[test]
fn every_type_is_written_as_one_transaction() {
    let b = |text: &'static str| Bytes::from_static(text.as_bytes());
    let one = |value, existing| text(&unit_of(record(value), Partition(7), existing));
    assert_eq!(one(KvValue::String(b("v")), Existing::Replace), "DEL k; SET k v");
    assert_eq!(one(KvValue::String(b("v")), Existing::Keep), "if it is not there: DEL k; SET k v");
    assert_eq!(one(KvValue::List(vec![b("a"), b("b")]), Existing::Replace), "DEL k; RPUSH k a b");
    assert_eq!(one(KvValue::Hash(vec![(b("f"), b("v"))]), Existing::Replace), "DEL k; HSET k f v");
    assert_eq!(one(KvValue::Set(vec![b("m")]), Existing::Replace), "DEL k; SADD k m");
    let members = vec![(b("m"), 0.1), (b("n"), f64::NEG_INFINITY)];
    assert_eq!(one(KvValue::SortedSet(members), Existing::Replace), "DEL k; ZADD k 0.1 m -inf n");
    let more = KvRecord { continues: true, expires_ms: Some(99), ..record(KvValue::String(b("v"))) };
    assert_eq!(text(&unit_of(more, Partition(7), Existing::Keep)), "APPEND k v; PEXPIREAT k 99");
}

#[test]
fn a_tombstone_is_no_big_key() {
    assert_eq!(big_key(Bytes::from_static(b"k"), &register(None, None), 10), None);
}
