use ringway_ports::LogStream;

use super::*;

fn line(app: &str, text: &str) -> LogLine {
    LogLine {
        at_ms: 1,
        app: app.to_owned(),
        unit: "web".to_owned(),
        instance: format!("{app}/web#1"),
        stream: LogStream::Out,
        text: text.to_owned(),
    }
}

fn texts(part: &TailPart) -> Vec<&str> {
    part.lines.iter().map(|line| line.text.as_str()).collect()
}

#[test]
fn a_follower_sees_the_last_lines_first_and_then_each_new_one_once() {
    let mut tail = Tail::new(7);
    ["a", "b", "c"].iter().for_each(|text| tail.push(line("shop", text)));
    tail.push(line("other", "x"));
    let first = tail.read("shop", None, 2);
    assert_eq!(texts(&first), ["b", "c"]);
    tail.push(line("shop", "d"));
    let second = tail.read("shop", Some(first.cursor), 2);
    assert_eq!((texts(&second), second.lost), (vec!["d"], 0));
    assert!(tail.read("shop", Some(second.cursor), 2).lines.is_empty());
}

#[test]
fn what_does_not_fit_in_one_answer_comes_with_the_next() {
    let mut tail = Tail::new(7);
    let start = tail.read("shop", None, 0).cursor;
    (0..LINES_MAX + 5).for_each(|n| tail.push(line("shop", &n.to_string())));
    let first = tail.read("shop", Some(start), 0);
    let second = tail.read("shop", Some(first.cursor), 0);
    assert_eq!((first.lines.len(), second.lines.len()), (LINES_MAX, 5));
    assert_eq!(second.lines[0].text, LINES_MAX.to_string());
}

#[test]
fn a_follower_that_is_too_slow_learns_how_much_it_missed() {
    let mut tail = Tail::new(7);
    let start = tail.read("shop", None, 0).cursor;
    (0..KEPT_LINES_MAX + 3).for_each(|n| tail.push(line("shop", &n.to_string())));
    assert_eq!(tail.read("shop", Some(start), 0).lost, 3);
}

#[test]
fn lines_that_came_too_fast_to_be_seen_are_counted_once() {
    let mut tail = Tail::new(7);
    let start = tail.read("shop", None, 0).cursor;
    tail.push(line("shop", "a"));
    tail.skip(40);
    tail.push(line("other", "x"));
    let part = tail.read("shop", Some(start), 0);
    assert_eq!((texts(&part), part.lost), (vec!["a"], 40));
    assert_eq!(tail.read("shop", Some(part.cursor), 0).lost, 0);
}

#[test]
fn after_a_restart_everything_is_new() {
    let mut tail = Tail::new(8);
    tail.push(line("shop", "a"));
    let part = tail.read("shop", Some(Cursor { run: 7, next: 900 }), 0);
    assert_eq!((texts(&part), part.lost), (vec!["a"], 0));
}

#[test]
fn bytes_are_bounded_too() {
    let mut tail = Tail::new(7);
    let long = "x".repeat(KEPT_BYTES_MAX / 4);
    (0..9).for_each(|_| tail.push(line("shop", &long)));
    assert!(tail.bytes <= KEPT_BYTES_MAX && tail.lines.len() == 4);
}
