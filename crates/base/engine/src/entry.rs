//! Core: a key and what it holds, in one allocation. Unsafe inside.
//!
//! ```text
//! | time 8 | node 2 | key len 2 | value len 2 | form 1 | mark 1 | expiry 8, if any | body | key | value |
//! ```
//! A small register's value follows its key; a large one is a [`Bytes`] in the body, so that readers take it along without
//! copying. Counters and collections are a [`State`] in the body. 16 B + 64 B without expiry take the allocator 112 bytes, and
//! with one no more.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;

use bytes::Bytes;
use ringway_causality::Version;
use ringway_values::{State, size_class};

use crate::node_index::node_at;
use crate::register_ref::{Seen, Stored, Value};

/// Keys fit into a 16-bit length.
pub const KEY_LEN_MAX: usize = u16::MAX as usize;
/// Values from here on are not copied into the entry.
pub const SHARED_LEN_MIN: usize = 32 << 10;

const ALIGN: usize = 16;
const HEADER: usize = size_of::<Header>();
const EXPIRY: usize = size_of::<u64>();
/// An entry that is there; to find those that are not, in debug builds.
const ALIVE: u8 = 0xA5;
const FREED: u8 = 0xDD;

/// Points at an entry. Whoever has one may use it until [`Entry::free`], which its table sees to: an entry belongs to exactly one
/// slot of one table, and both are only touched under the shard's lock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Entry(NonNull<u8>);

#[repr(C)]
#[derive(Clone, Copy)]
struct Header {
    time: u64,
    node: u16,
    key_len: u16,
    value_len: u16,
    form: Form,
    mark: u8,
}

/// What follows the header, and where.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
struct Form(u8);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Body {
    Nothing,
    Inline,
    Shared,
    State,
}

/// What goes into an entry.
#[derive(Debug)]
pub(crate) enum Content<'a> {
    Register { time: u64, node: u16, expires_ms: Option<u64>, value: Option<Value<'a>> },
    State(State),
}

const _: () = assert!(HEADER == 16 && align_of::<State>() <= 8 && align_of::<Bytes>() <= 8);

impl Entry {
    pub(crate) fn new(key: &[u8], content: Content<'_>) -> Self {
        assert!(key.len() <= KEY_LEN_MAX, "a key of {} bytes", key.len());
        let header = Header::of(key.len(), &content);
        let layout = header.layout();
        // SAFETY: the layout is not empty.
        let address = unsafe { alloc(layout) };
        let Some(address) = NonNull::new(address) else { handle_alloc_error(layout) };
        let entry = Self(address);
        // SAFETY: freshly allocated for this header; header, key and content are all written before anything is read.
        unsafe {
            address.cast::<Header>().write(header);
            address.add(header.key_offset()).copy_from_nonoverlapping(pointer_to(key), key.len());
            entry.write(header, content);
        }
        entry
    }

    /// Puts something else under the same key: in place if it takes as much of the allocator.
    pub(crate) fn replace(self, content: Content<'_>) -> Self {
        let (old, new) = (self.header(), Header::of(self.key().len(), &content));
        if old.layout() != new.layout() || old.body() == Body::State || new.body() == Body::State {
            let fresh = Self::new(self.key(), content);
            // SAFETY: the caller goes on with `fresh`.
            unsafe { self.free() };
            return fresh;
        }
        // SAFETY: both forms fit into the allocation. The key is moved before anything is written over it, and the old body is
        // dropped before that.
        unsafe {
            self.drop_body(old);
            let (from, to) = (self.0.add(old.key_offset()), self.0.add(new.key_offset()));
            if from != to {
                to.copy_from(from, old.key_len.into());
            }
            self.0.cast::<Header>().write(new);
            self.write(new, content);
        }
        self
    }

    /// # Safety
    /// Nobody may use this entry, or a reference into it, afterwards.
    pub(crate) unsafe fn free(self) {
        let header = self.header();
        let layout = header.layout();
        // SAFETY: the caller's promise; the layout is that of the allocation, since `replace` keeps to it.
        unsafe {
            self.drop_body(header);
            if cfg!(debug_assertions) {
                self.0.write_bytes(FREED, layout.size());
            }
            dealloc(self.0.as_ptr(), layout);
        }
    }

    pub(crate) fn address(self) -> u64 {
        self.0.as_ptr().expose_provenance() as u64
    }

    /// The entry at an address that [`Entry::address`] gave.
    pub(crate) fn at(address: u64) -> Self {
        let address: *mut u8 = std::ptr::with_exposed_provenance_mut(address as usize);
        Self(NonNull::new(address).expect("slots of entries are not zero"))
    }

    #[inline]
    pub(crate) fn key(&self) -> &[u8] {
        let header = self.header();
        // SAFETY: the key lies there, and nobody writes while the shard's lock is held for reading it.
        unsafe { std::slice::from_raw_parts(self.0.add(header.key_offset()).as_ptr(), header.key_len.into()) }
    }

    #[inline]
    pub(crate) fn has_key(&self, key: &[u8]) -> bool {
        self.key() == key
    }

    #[inline]
    pub(crate) fn seen<'a>(self) -> Seen<'a> {
        let header = self.header();
        // SAFETY: `header` says what is there. `'a` ends with the borrow of the shard's lock: see `Locked::get`.
        let value = unsafe {
            match header.body() {
                Body::Nothing => None,
                Body::Inline => Some(Stored::Inline(std::slice::from_raw_parts(
                    self.0.add(header.value_offset()).as_ptr(),
                    header.value_len.into(),
                ))),
                Body::Shared => Some(Stored::Shared(self.body::<Bytes>(header).as_ref())),
                Body::State => return Seen::State(self.body::<State>(header).as_ref()),
            }
        };
        Seen::Register { version: header.version(), expires_ms: self.own_expiry(header), value }
    }

    /// The state of a counter or a collection, to be changed where it is.
    pub(crate) fn state_mut(&mut self) -> Option<&mut State> {
        let header = self.header();
        // SAFETY: `header` says that there is one; the caller holds the shard's lock for writing.
        (header.body() == Body::State).then(|| unsafe { self.body::<State>(header).as_mut() })
    }

    /// A register's tombstone of the same version.
    pub(crate) fn bury(self) -> Self {
        let header = self.header();
        let expires_ms = self.own_expiry(header);
        self.replace(Content::Register { time: header.time, node: header.node, expires_ms, value: None })
    }

    pub(crate) fn is_state(self) -> bool {
        self.header().body() == Body::State
    }

    /// The version of a register.
    pub(crate) fn register_version(self) -> Option<Version> {
        let header = self.header();
        (header.body() != Body::State).then(|| header.version())
    }

    /// What the allocator takes for it, values and collections included.
    pub(crate) fn bytes(self) -> u64 {
        let header = self.header();
        let heap = match self.seen() {
            Seen::Register { value: Some(Stored::Shared(bytes)), .. } => shared_bytes(bytes.len()),
            Seen::Register { .. } => 0,
            Seen::State(state) => state.heap_bytes(),
        };
        (header.layout().size() + heap) as u64
    }

    fn header(self) -> Header {
        // SAFETY: written by `new`.
        let header = unsafe { self.0.cast::<Header>().read() };
        debug_assert_eq!(header.mark, ALIVE, "an entry is used after it was freed");
        header
    }

    fn own_expiry(self, header: Header) -> Option<u64> {
        // SAFETY: the form says that it is there.
        header.form.has_expiry().then(|| unsafe { self.0.add(HEADER).cast::<u64>().read() })
    }

    unsafe fn body<T>(self, header: Header) -> NonNull<T> {
        // SAFETY: inside of the allocation, aligned to 8.
        unsafe { self.0.add(header.body_offset()).cast() }
    }

    /// All but header and key.
    unsafe fn write(self, header: Header, content: Content<'_>) {
        // SAFETY: the layout was made for this content; nothing that needs dropping is overwritten.
        unsafe {
            match content {
                Content::State(state) => self.body::<State>(header).write(state),
                Content::Register { expires_ms, value, .. } => {
                    if let Some(expires_ms) = expires_ms {
                        self.0.add(HEADER).cast::<u64>().write(expires_ms);
                    }
                    match (header.body(), value) {
                        (Body::Shared, Some(value)) => self.body::<Bytes>(header).write(value.into_bytes()),
                        (_, Some(value)) => {
                            let bytes = value.as_slice();
                            self.0.add(header.value_offset()).copy_from_nonoverlapping(pointer_to(bytes), bytes.len());
                        }
                        (_, None) => {}
                    }
                }
            }
        }
    }

    unsafe fn drop_body(self, header: Header) {
        // SAFETY: `header` says what is there; the caller frees or overwrites it.
        unsafe {
            match header.body() {
                Body::Nothing | Body::Inline => {}
                Body::Shared => self.body::<Bytes>(header).drop_in_place(),
                Body::State => self.body::<State>(header).drop_in_place(),
            }
        }
    }
}

impl Header {
    fn of(key_len: usize, content: &Content<'_>) -> Self {
        let (time, node, expiry, body, value_len) = match content {
            Content::State(_) => (0, 0, false, Body::State, 0),
            Content::Register { time, node, expires_ms, value } => {
                let (body, value_len) = match value {
                    None => (Body::Nothing, 0),
                    Some(value) if value.as_slice().len() < SHARED_LEN_MIN => (Body::Inline, value.as_slice().len()),
                    Some(_) => (Body::Shared, 0),
                };
                (*time, *node, expires_ms.is_some(), body, value_len)
            }
        };
        let form = Form::new(body, expiry);
        Self { time, node, key_len: key_len as u16, value_len: value_len as u16, form, mark: ALIVE }
    }

    fn version(self) -> Version {
        Version::from_time(self.time, node_at(self.node))
    }

    fn body(self) -> Body {
        self.form.body()
    }

    fn body_offset(self) -> usize {
        HEADER + if self.form.has_expiry() { EXPIRY } else { 0 }
    }

    fn key_offset(self) -> usize {
        self.body_offset()
            + match self.body() {
                Body::Nothing | Body::Inline => 0,
                Body::Shared => size_of::<Bytes>(),
                Body::State => size_of::<State>(),
            }
    }

    fn value_offset(self) -> usize {
        self.key_offset() + usize::from(self.key_len)
    }

    /// As much as the allocator would give anyhow, so that sizes which take the same have the same layout.
    fn layout(self) -> Layout {
        let size = size_class(self.value_offset() + usize::from(self.value_len));
        Layout::from_size_align(size, ALIGN).expect("some kilobytes")
    }
}

impl Form {
    const EXPIRY: u8 = 0b100;

    fn new(body: Body, expiry: bool) -> Self {
        Self(body as u8 | if expiry { Self::EXPIRY } else { 0 })
    }

    fn body(self) -> Body {
        match self.0 & 0b11 {
            0 => Body::Nothing,
            1 => Body::Inline,
            2 => Body::Shared,
            _ => Body::State,
        }
    }

    fn has_expiry(self) -> bool {
        self.0 & Self::EXPIRY != 0
    }
}

/// Counts those who share the bytes of a large value.
const SHARERS: usize = 24;

/// What the allocator takes for the bytes of a large value, and for counting those who share them.
fn shared_bytes(len: usize) -> usize {
    size_class(len) + size_class(SHARERS)
}

fn pointer_to(bytes: &[u8]) -> NonNull<u8> {
    NonNull::from_ref(bytes).cast()
}
