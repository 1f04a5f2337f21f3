use super::*;

const LINE_MAX: usize = 16;

fn cut_with(mut cutter: LineCutter, pieces: &[&[u8]]) -> Vec<String> {
    let mut lines = Vec::new();
    for piece in pieces {
        cutter.push(piece, |line| lines.push(line.to_owned()));
    }
    cutter.finish(|line| lines.push(line.to_owned()));
    lines
}

fn cut(pieces: &[&[u8]]) -> Vec<String> {
    cut_with(LineCutter::new(LINE_MAX), pieces)
}

#[test]
fn a_line_may_come_in_pieces() {
    assert_eq!(cut(&[b"on", b"e\ntw", b"o\r\n", b"\nlast"]), ["one", "two", "", "last"]);
}

#[test]
fn the_lines_do_not_depend_on_the_pieces() {
    let text = b"one\n\ntwo\r\n a line that is longer than a line may be\nend";
    let whole = cut(&[text]);
    assert_eq!(whole.len(), 7);
    for at in 0..text.len() {
        assert_eq!(cut(&[&text[..at], &text[at..]]), whole, "cut at {at}");
    }
}

#[test]
fn bytes_that_are_no_text_do_no_harm() {
    assert_eq!(cut(&[b"a\xffb\n"]), ["a\u{fffd}b"]);
}

#[test]
fn a_line_without_end_comes_in_pieces() {
    let lines = cut(&[&[b'x'; LINE_MAX + 1]]);
    assert_eq!(lines.iter().map(String::len).collect::<Vec<_>>(), [LINE_MAX, 1]);
}

#[test]
fn too_much_output_is_dropped_and_said_once() {
    let cutter = LineCutter::new(LINE_MAX).with_bytes_max(10);
    let lines = cut_with(cutter, &[b"123456", b"123456", b"123456"]);
    assert_eq!(lines, ["1234561234", "further output is dropped: 10 bytes are kept"]);
}
