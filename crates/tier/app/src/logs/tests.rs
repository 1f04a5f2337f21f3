use proptest::prelude::*;

use super::*;

fn source() -> Source {
    Source { app: "shop".into(), unit: "web".into(), instance: "shop/web#1".into() }
}

fn cut(pieces: &[&[u8]]) -> Vec<String> {
    let mut cutter = LineCutter::default();
    let mut lines = Vec::new();
    for piece in pieces {
        cutter.push(piece, |line| lines.push(line.to_owned()));
    }
    cutter.finish(|line| lines.push(line.to_owned()));
    lines
}

#[test]
fn lines_are_cut_at_line_ends_wherever_the_pieces_end() {
    assert_eq!(cut(&[b"one\ntw", b"o\r\n\nthree"]), ["one", "two", "", "three"]);
    assert_eq!(cut(&[b"\xff\n"]), ["\u{fffd}"]);
    let long = vec![b'x'; LINE_BYTES_MAX + 5];
    assert_eq!(cut(&[&long]).iter().map(String::len).collect::<Vec<_>>(), [LINE_BYTES_MAX, 5]);
}

proptest! {
    #[test]
    fn the_lines_do_not_depend_on_the_pieces(text in "[a-c\n]{0,60}", at in 0usize..60) {
        let at = at.min(text.len());
        prop_assert_eq!(cut(&[text.as_bytes()]), cut(&[&text.as_bytes()[..at], &text.as_bytes()[at..]]));
    }
}

#[test]
fn the_oldest_lines_of_an_app_are_forgotten() {
    let logs = Logs::default();
    for number in 0..LINES_MAX + 3 {
        logs.add(&source(), LogStream::Out, &number.to_string());
    }
    let recent = logs.recent("shop", usize::MAX);
    assert_eq!((recent.len(), recent[0].text.as_str()), (LINES_MAX, "3"));
    assert_eq!(logs.recent("shop", 1)[0].text, (LINES_MAX + 2).to_string());
    assert!(logs.recent("other", 5).is_empty());
    logs.retain(|_| false);
    assert!(logs.recent("shop", 5).is_empty());
}

#[test]
fn few_long_lines_are_bounded_by_their_bytes() {
    let logs = Logs::default();
    let long = "x".repeat(LINE_BYTES_MAX);
    for _ in 0..1_000 {
        logs.add(&source(), LogStream::Err, &long);
    }
    assert_eq!(logs.recent("shop", usize::MAX).len(), BYTES_MAX / LINE_BYTES_MAX);
}

#[tokio::test]
async fn a_follower_sees_lines_as_they_come() {
    let logs = Arc::new(Logs::default());
    let mut follower = logs.follow();
    Arc::clone(&logs).pump(source(), LogStream::Out, &b"hello\nworld"[..]).await;
    assert_eq!(follower.recv().await.unwrap().text, "hello");
    assert_eq!(follower.recv().await.unwrap().text, "world");
}
