use proptest::prelude::*;

use super::*;

fn head(text: &str) -> ResponseHead {
    let (head, len) = parse_head(text.as_bytes()).unwrap().expect("the head is complete");
    assert_eq!(&text[len..], "body");
    head
}

fn error(text: &str) -> HeadError {
    parse_head(text.as_bytes()).unwrap_err()
}

#[test]
fn a_document_is_200_and_a_status_is_what_it_says() {
    let document = head("Content-Type: text/plain\nX-A: 1\nX-A: 2\n\nbody");
    assert_eq!(document.status, 200);
    assert_eq!(document.headers.get_all("x-a").iter().count(), 2);
    let missing = head("Status: 404 Not Found\r\nContent-Length: 4\r\n\r\nbody");
    assert_eq!((missing.status.as_u16(), missing.content_length), (404, Some(4)));
    assert!(!missing.headers.contains_key("status"));
}

#[test]
fn a_location_is_a_redirect_unless_the_status_says_otherwise() {
    assert_eq!(head("Location: http://example.org/\n\nbody").status, 302);
    assert_eq!(head("Location: /elsewhere\n\nbody").status, 302);
    assert_eq!(head("Location: /elsewhere\nStatus: 303 See Other\n\nbody").status, 303);
}

#[test]
fn fields_about_the_connection_are_dropped() {
    let head = head("Content-Type: a/b\nConnection: close\nTransfer-Encoding: chunked\nKeep-Alive: 5\n\nbody");
    assert_eq!(head.headers.keys().collect::<Vec<_>>(), ["content-type"]);
}

#[test]
fn garbage_is_told_from_what_is_not_finished() {
    assert_eq!(parse_head(b""), Ok(None));
    assert_eq!(parse_head(b"Content-Ty"), Ok(None));
    assert_eq!(parse_head(b"Content-Type: text/plain\n"), Ok(None));
    assert_eq!(parse_head(b"Content-Type: text/plain\r"), Ok(None));
    assert_eq!(error("<html>hello"), HeadError::NoField("<html>hello".to_owned()));
    assert_eq!(error("hello world\n\n"), HeadError::NoField("hello world".to_owned()));
    assert_eq!(error("HTTP/1.1 200 OK\r\n"), HeadError::StatusLine);
    assert_eq!(error("Status: 99\n\n"), HeadError::Status("99".to_owned()));
    assert_eq!(error("Status: 101 Switching\n\n"), HeadError::Status("101 Switching".to_owned()));
    assert_eq!(error("\nhello"), HeadError::NoCgiField);
    assert_eq!(error("X-A: 1\n\n"), HeadError::NoCgiField);
    assert_eq!(error(&"X-A: 1\n".repeat(20_000)), HeadError::TooLong);
}

proptest! {
    #[test]
    fn no_output_makes_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse_head(&bytes);
    }

    #[test]
    fn nothing_that_looks_like_a_head_makes_the_parser_panic(text in "[A-Za-z:/ \r\n0-9\u{e4}-]{0,200}") {
        if let Ok(Some((_, len))) = parse_head(text.as_bytes()) {
            prop_assert!(len <= text.len());
        }
    }

    #[test]
    fn a_head_is_the_same_whatever_follows(rest in "[a-z\n]{0,50}") {
        let text = format!("Content-Type: a/b\n\n{rest}");
        prop_assert_eq!(parse_head(text.as_bytes()).unwrap().unwrap().1, 19);
    }
}
