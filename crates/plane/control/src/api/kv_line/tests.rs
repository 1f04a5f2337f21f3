use super::*;

fn record(key: &'static [u8], value: KvValue) -> KvRecord {
    KvRecord { key: Bytes::from_static(key), value, expires_ms: None, continues: false }
}

fn bytes(text: &'static [u8]) -> Bytes {
    Bytes::from_static(text)
}

fn text_of(record: KvRecord) -> String {
    let mut out = Vec::new();
    RecordLine::of(record).into_iter().for_each(|line| KvLine::Record(line).write(&mut out));
    String::from_utf8(out).unwrap()
}

/// What comes of the lines when they are read again.
fn read_back(text: &str) -> Vec<KvRecord> {
    let record = |line: &str| match KvLine::parse(line.as_bytes()) {
        Ok(KvLine::Record(line)) => line.record().unwrap(),
        other => panic!("{line} is {other:?}"),
    };
    text.lines().map(record).collect()
}

#[test]
fn every_type_is_one_line_that_reads_back() {
    let records = [
        KvRecord { expires_ms: Some(1_760_000_000_000), ..record(b"s", KvValue::String(bytes(b"h\xc3\xa9llo\n"))) },
        record(b"\xff\0", KvValue::String(bytes(b""))),
        record(b"l", KvValue::List(vec![bytes(b"a"), bytes(b"\xfe"), bytes(b"a")])),
        record(b"h", KvValue::Hash(vec![(bytes(b"f"), bytes(b"1"))])),
        record(b"t", KvValue::Set(vec![bytes(b"m")])),
        record(b"z", KvValue::SortedSet(vec![(bytes(b"a"), 0.1), (bytes(b"b"), f64::NEG_INFINITY)])),
    ];
    let text: String = records.iter().cloned().map(text_of).collect();
    expect_test::expect![[r#"
        {"key":"s","type":"string","value":"héllo\n","expires_ms":1760000000000}
        {"key":{"base64":"/wA="},"type":"string","value":""}
        {"key":"l","type":"list","value":["a",{"base64":"/g=="},"a"]}
        {"key":"h","type":"hash","value":[["f","1"]]}
        {"key":"t","type":"set","value":["m"]}
        {"key":"z","type":"zset","value":[["a","0.1"],["b","-inf"]]}
    "#]]
    .assert_eq(&text);
    assert_eq!(read_back(&text), records);
}

#[test]
fn a_score_comes_back_to_the_last_bit() {
    for bits in [1u64, 0x3fb9_9999_9999_999a, 0x3fb9_9999_9999_9999, 0x7fef_ffff_ffff_ffff, 0x8000_0000_0000_0000] {
        let score = f64::from_bits(bits);
        let back = read_back(&text_of(record(b"z", KvValue::SortedSet(vec![(bytes(b"m"), score)]))));
        let KvValue::SortedSet(members) = &back[0].value else { panic!("{back:?}") };
        assert_eq!(members[0].1.to_bits(), bits);
    }
}

#[test]
fn a_long_text_is_cut_between_characters_and_a_long_blob_anywhere() {
    let text = Bytes::from("aé".repeat(PIECE_BYTES_MAX));
    let lines = text_of(record(b"k", KvValue::String(text.clone())));
    assert!(!lines.contains("base64") && lines.lines().all(|line| line.len() < LINE_BYTES_MAX));
    let blob = Bytes::from(vec![0xfe; 2 * PIECE_BYTES_MAX + 1]);
    for (value, pieces) in [(text, 4), (blob, 3)] {
        let lines = RecordLine::of(record(b"k", KvValue::String(value.clone())));
        assert_eq!(lines.len(), pieces);
        let flags: Vec<(bool, bool)> = lines.iter().map(|line| (line.continues, line.more)).collect();
        assert_eq!((flags[0], flags[1], flags[pieces - 1]), ((false, true), (true, true), (true, false)));
        let mut whole = Vec::new();
        for line in lines {
            let KvValue::String(piece) = line.record().unwrap().value else { panic!("not a string") };
            whole.extend_from_slice(&piece);
        }
        assert_eq!(whole, value);
    }
}

#[test]
fn a_large_collection_takes_several_lines_and_loses_nothing() {
    let members: Vec<Bytes> = (0..200_000).map(|number| Bytes::from(format!("member:{number}"))).collect();
    let lines = RecordLine::of(record(b"t", KvValue::Set(members.clone())));
    assert!(lines.len() > 4, "{}", lines.len());
    let back: Vec<Bytes> = lines
        .into_iter()
        .flat_map(|line| match line.record().unwrap().value {
            KvValue::Set(part) => part,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(back, members);
}

#[test]
fn the_worst_text_fits_a_line() {
    let worst = Bytes::from(vec![1u8; PIECE_BYTES_MAX]);
    assert!(text_of(record(b"k", KvValue::String(worst))).len() < LINE_BYTES_MAX);
}

#[test]
fn what_is_no_record_is_told_apart_and_what_is_nothing_is_refused() {
    let head = KvLine::head("b", 5);
    for line in [head, KvLine::Page { cursor: 7, keys: 2 }, KvLine::Done { done: true, keys: 2 }] {
        let mut text = Vec::new();
        line.write(&mut text);
        assert_eq!(KvLine::parse(&text), Ok(line));
    }
    let said = |line: &str| match KvLine::parse(line.as_bytes()) {
        Ok(KvLine::Record(line)) => line.record().unwrap_err().to_string(),
        Ok(other) => panic!("{other:?}"),
        Err(error) => error.to_string(),
    };
    for (line, expected) in [
        ("{", "EOF"),
        ("REDIS0011", "expected value"),
        (r#"{"key":"a"}"#, "has not the fields"),
        (r#"{"key":"a","type":"stream","value":[]}"#, "has not the fields"),
        (r#"{"key":"a","type":"list","value":[]}"#, "an empty list"),
        (r#"{"key":"a","type":"string","value":{"base64":"?"}}"#, "`?` is not base64"),
        (r#"{"key":"a","type":"zset","value":[["m","NaN"]]}"#, "`NaN` is not a score"),
    ] {
        assert!(said(line).contains(expected), "{line}: {}", said(line));
    }
}
