use super::*;

/// Two numbers and their sum, as redis-server 7.0.15 answers.
const RECORDED: &str = include_str!("recorded.txt");

fn added(a: &str, b: &str) -> String {
    let read = |text: &str| text.parse::<f64>().unwrap();
    sum((read(a), a.as_bytes()), (read(b), b.as_bytes()))
}

#[test]
fn sums_are_those_of_redis() {
    for line in RECORDED.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        assert_eq!(added(words[0], words[1]), words[2], "{line}");
    }
}

#[test]
fn sums_that_people_expect() {
    for (a, b, expected) in [
        ("0.1", "0.2", "0.3"),
        ("10.5", "0.1", "10.6"),
        ("5.0e3", "2.0e2", "5200"),
        ("-1", "1", "0"),
        ("-0", "0", "0"),
        ("1e20", "-1e20", "0"),
        ("1e-18", "0", "0"),
        ("1e30", "1", "1000000000000000000024696061952"),
        ("0x10", "1", "17"),
    ] {
        let number = |text: &str| if text == "0x10" { 16.0 } else { text.parse().unwrap() };
        assert_eq!(sum((number(a), a.as_bytes()), (number(b), b.as_bytes())), expected, "{a} + {b}");
    }
}
