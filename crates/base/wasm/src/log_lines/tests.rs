use super::*;

fn lines_of(pieces: &[&[u8]]) -> Vec<String> {
    let mut cutter = LineCutter::default();
    let mut lines = Vec::new();
    for piece in pieces {
        cutter.push(piece, |line| lines.push(line.to_owned()));
    }
    cutter.finish(|line| lines.push(line.to_owned()));
    lines
}

#[test]
fn a_line_may_come_in_pieces() {
    assert_eq!(lines_of(&[b"on", b"e\ntw", b"o\r\n"]), ["one", "two"]);
}

#[test]
fn the_last_line_needs_no_end() {
    assert_eq!(lines_of(&[b"one\n\nthree"]), ["one", "", "three"]);
}

#[test]
fn bytes_that_are_no_text_do_no_harm() {
    assert_eq!(lines_of(&[b"a\xffb\n"]), ["a\u{fffd}b"]);
}

#[test]
fn a_line_without_end_comes_in_pieces() {
    let lines = lines_of(&[&[b'x'; LINE_BYTES_MAX + 1]]);
    assert_eq!(lines.iter().map(String::len).collect::<Vec<_>>(), [LINE_BYTES_MAX, 1]);
}

#[test]
fn too_much_output_is_dropped_and_said_once() {
    let piece = [b'x'; REQUEST_BYTES_MAX / 2 + 1];
    let lines = lines_of(&[&piece, &piece, &piece]);
    let dropped: Vec<_> = lines.iter().filter(|line| line.contains("dropped")).collect();
    assert_eq!(dropped.len(), 1);
    let kept: usize = lines.iter().filter(|line| !line.contains("dropped")).map(String::len).sum();
    assert_eq!(kept, REQUEST_BYTES_MAX);
}
