use proptest::prelude::*;

use super::*;

/// The data, the trailers and what is left, fed `piece` bytes at a time.
fn run(length: BodyLength, bytes: &[u8], piece: usize) -> Result<(Vec<u8>, HeaderMap, Vec<u8>), BadBody> {
    let mut decoder = BodyDecoder::new(length);
    let (mut input, mut data, mut trailers) = (BytesMut::new(), Vec::new(), HeaderMap::new());
    let mut parts = bytes.chunks(piece);
    loop {
        match decoder.decode(&mut input)? {
            Decoded::Data(bytes) => data.extend_from_slice(&bytes),
            Decoded::Trailers(map) => trailers = map,
            Decoded::End => break,
            Decoded::More => match parts.next() {
                Some(part) => input.extend_from_slice(part),
                None => return if decoder.may_close() { Ok((data, trailers, Vec::new())) } else { Err(BadBody) },
            },
        }
    }
    parts.for_each(|part| input.extend_from_slice(part));
    Ok((data, trailers, input.to_vec()))
}

fn check(length: BodyLength, bytes: &str, data: &str, left: &str) {
    for piece in [1, 2, 3, 1000] {
        let (got, _, rest) = run(length, bytes.as_bytes(), piece).unwrap();
        assert_eq!((String::from_utf8(got).unwrap(), String::from_utf8(rest).unwrap()), (data.into(), left.into()));
    }
}

#[test]
fn a_body_ends_where_its_length_says() {
    check(BodyLength::None, "GET /", "", "GET /");
    check(BodyLength::Known(3), "abcGET /", "abc", "GET /");
    check(BodyLength::UntilClose, "all of it", "all of it", "");
}

#[test]
fn chunks_are_joined() {
    check(BodyLength::Chunked, "3\r\nabc\r\n0\r\n\r\nGET /", "abc", "GET /");
    check(BodyLength::Chunked, "1;a=b\r\nx\r\n00A;c=\"d\"\r\n0123456789\r\n0\r\n\r\n", "x0123456789", "");
}

#[test]
fn trailers_come_last_and_cannot_change_the_message() {
    let bytes = b"1\r\nx\r\n0\r\ngrpc-status: 0\r\nContent-Length: 5\r\nHost: evil\r\nX: y\r\n\r\n";
    for piece in [1, 100] {
        let (_, trailers, _) = run(BodyLength::Chunked, bytes, piece).unwrap();
        assert_eq!(trailers.len(), 2);
        assert_eq!((&trailers["grpc-status"], &trailers["x"]), (&"0".parse().unwrap(), &"y".parse().unwrap()));
    }
}

#[test]
fn malformed_chunks_are_refused() {
    for bytes in [
        "\r\n",
        "zz\r\n",
        " 1\r\nx\r\n0\r\n\r\n",
        "1 \r\nx\r\n0\r\n\r\n",
        "-1\r\nx",
        "0x1\r\nx",
        "1\nx\r\n0\r\n\r\n",
        "1\r\nxy\r\n0\r\n\r\n",
        "1\r\nx\n0\r\n\r\n",
        "1\r\nx\r\n0\r\n\n",
        "1;a\nb\r\nx\r\n0\r\n\r\n",
        "ffffffffffffffff\r\n",
        "0\r\nno colon\r\n\r\n",
        "0\r\na b: c\r\n\r\n",
        "1\r\nx\r\n0\r\n",
    ] {
        for piece in [1, 1000] {
            assert_eq!(run(BodyLength::Chunked, bytes.as_bytes(), piece).map(drop), Err(BadBody), "{bytes:?}");
        }
    }
}

#[test]
fn what_is_around_the_data_has_a_bound() {
    let extension = format!("1;{}\r\nx\r\n0\r\n\r\n", "a".repeat(NOISE_MAX + 1));
    let trailer = format!("0\r\na: {}\r\n\r\n", "b".repeat(NOISE_MAX));
    for bytes in [extension, trailer] {
        assert!(run(BodyLength::Chunked, bytes.as_bytes(), 1000).is_err());
    }
}

proptest! {
    #[test]
    fn what_is_written_in_chunks_is_read_back(parts in prop::collection::vec("[a-z]{1,40}", 0..8), piece in 1usize..50) {
        let mut bytes = Vec::new();
        for part in &parts {
            super::super::write_chunk_start(&mut bytes, part.len());
            bytes.extend_from_slice(part.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        super::super::write_last_chunk(&mut bytes, None);
        bytes.extend_from_slice(b"next");
        let (data, _, rest) = run(BodyLength::Chunked, &bytes, piece).unwrap();
        prop_assert_eq!(data, parts.concat().into_bytes());
        prop_assert_eq!(rest, b"next");
    }

    #[test]
    fn no_bytes_make_it_panic_or_give_more_than_came(bytes in prop::collection::vec(any::<u8>(), 0..200), piece in 1usize..50) {
        if let Ok((data, _, rest)) = run(BodyLength::Chunked, &bytes, piece) {
            prop_assert!(data.len() + rest.len() <= bytes.len());
        }
    }
}
