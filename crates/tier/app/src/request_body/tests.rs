use std::io::Read;

use futures_util::{StreamExt, stream};
use http_body::Frame;
use http_body_util::StreamBody;

use super::*;

/// A body that does not say how long it is.
fn chunks(count: usize, len: usize) -> Body {
    let pieces = (0..count).map(move |_| Ok(Frame::data(Bytes::from(vec![b'x'; len]))));
    StreamBody::new(stream::iter(pieces).boxed()).boxed_unsync()
}

async fn measure(body: Body, declared: Option<u64>) -> RequestBody {
    RequestBody::measure(body, declared, &std::env::temp_dir()).await.unwrap()
}

#[tokio::test]
async fn a_known_length_is_streamed_and_an_unknown_one_found_out() {
    assert!(matches!(measure(ringway_ports::empty(), None).await, RequestBody::None));
    assert!(matches!(measure(ringway_ports::empty(), Some(0)).await, RequestBody::Whole(bytes) if bytes.is_empty()));
    assert!(matches!(measure(ringway_ports::full("abc"), None).await, RequestBody::Stream(_, 3)));
    assert!(matches!(measure(chunks(3, 5), Some(15)).await, RequestBody::Stream(_, 15)));
    assert!(matches!(measure(chunks(3, 5), None).await, RequestBody::Whole(bytes) if bytes.len() == 15));
}

#[tokio::test]
async fn a_large_body_of_unknown_length_goes_through_a_file() {
    let RequestBody::File(mut file, len) = measure(chunks(5, MEMORY_MAX / 3), None).await else { panic!("no file") };
    let mut read = Vec::new();
    file.read_to_end(&mut read).unwrap();
    assert_eq!((read.len() as u64, len), ((MEMORY_MAX / 3 * 5) as u64, (MEMORY_MAX / 3 * 5) as u64));
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    assert!(matches!(collect(chunks(3, 5), 14).await, Err(InvokeError::TooLarge(14))));
    assert_eq!(collect(chunks(3, 5), 15).await.unwrap().len(), 15);
}
