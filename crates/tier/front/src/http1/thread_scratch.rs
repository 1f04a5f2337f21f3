//! Driver: what all connections of a thread use in turn, while one of them is being polled: room to read into, buffers to write
//! from, the table of answers at hand.

use std::cell::RefCell;

use ringway_protocol::http1::FieldSpan;
use ringway_rt::random;

use crate::hot::HotTable;

const READ_LEN: usize = 64 << 10;
/// Buffers to write from that nobody uses.
const SPARE_MAX: usize = 64;

pub struct Scratch {
    pub read: Box<[u8]>,
    pub fields: Vec<FieldSpan>,
    pub hot: HotTable,
    pub hot_key: Vec<u8>,
    spare: Vec<Vec<u8>>,
    date: Date,
    ids: Ids,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::new());
}

/// Nobody who is called from `use_it` may use the scratch as well.
pub fn with_scratch<T>(use_it: impl FnOnce(&mut Scratch) -> T) -> T {
    SCRATCH.with_borrow_mut(use_it)
}

impl Scratch {
    fn new() -> Self {
        Self {
            read: vec![0; READ_LEN].into_boxed_slice(),
            fields: Vec::with_capacity(32),
            hot: HotTable::new(0),
            hot_key: Vec::new(),
            spare: Vec::new(),
            date: Date::default(),
            ids: Ids::new(),
        }
    }

    pub fn buffer(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_else(|| Vec::with_capacity(4 << 10))
    }

    pub fn give_back(&mut self, mut buffer: Vec<u8>) {
        if self.spare.len() < SPARE_MAX {
            buffer.clear();
            self.spare.push(buffer);
        }
    }

    /// For `Date`.
    pub fn date(&mut self, now_ms: u64) -> &[u8; 29] {
        self.date.at(now_ms / 1000)
    }

    pub fn next_id(&mut self) -> u64 {
        self.ids.next()
    }
}

/// Made once a second.
#[derive(Default)]
struct Date {
    second: u64,
    text: Option<[u8; 29]>,
}

impl Date {
    fn at(&mut self, second: u64) -> &[u8; 29] {
        if second != self.second {
            (self.second, self.text) = (second, None);
        }
        self.text.get_or_insert_with(|| {
            let time = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(second);
            httpdate::fmt_http_date(time).as_bytes().try_into().unwrap_or(*b"Thu, 01 Jan 1970 00:00:00 GMT")
        })
    }
}

/// Numbers that no other thread or node gives again, soon or at all: a random beginning, and steps that visit all 64 bits.
struct Ids {
    next: u64,
}

impl Ids {
    /// The golden ratio, as in Weyl's sequence.
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

    fn new() -> Self {
        Self { next: random::number() }
    }

    fn next(&mut self) -> u64 {
        self.next = self.next.wrapping_add(Self::STEP);
        // The finaliser of SplitMix64 (Steele et al. 2014): neighbours look unrelated.
        let mut id = self.next;
        id = (id ^ (id >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        id = (id ^ (id >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        id ^ (id >> 31)
    }
}

/// In 16 digits.
pub fn write_hex(number: u64, out: &mut [u8; 16]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (at, place) in out.iter_mut().enumerate() {
        *place = DIGITS[(number >> (60 - 4 * at)) as usize & 15];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_is_the_one_of_this_second() {
        let text =
            with_scratch(|scratch| String::from_utf8(scratch.date(ringway_rt::clock::wall_ms()).to_vec()).unwrap());
        let told = httpdate::parse_http_date(&text).unwrap();
        assert!(told.elapsed().unwrap() < std::time::Duration::from_secs(5), "{text}");
    }

    #[test]
    fn numbers_are_written_with_all_their_digits() {
        let mut text = [0; 16];
        write_hex(0x0123_4567_89ab_cdef, &mut text);
        assert_eq!(&text, b"0123456789abcdef");
    }

    #[test]
    fn ids_do_not_repeat() {
        let ids: std::collections::HashSet<u64> =
            with_scratch(|scratch| (0..10_000).map(|_| scratch.next_id()).collect());
        assert_eq!(ids.len(), 10_000);
    }
}
