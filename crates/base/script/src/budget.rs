//! Driver: the memory and the time of one state. It is the interpreter's allocator, and asked by its hook.

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr;
use std::time::{Duration, Instant};

use crate::context::Context;
use crate::limits::Limits;

/// After so many bytes the clock is looked at: making strings of megabytes is one instruction.
const BYTES_BETWEEN_LOOKS: usize = 4 << 20;
/// What a script may still take when its time is over, so that the error that ends it can be made.
const LAST_BYTES: usize = 64 << 10;

/// Shared by the allocator and everything else on the state's thread; nothing in it is borrowed across a call.
#[derive(Debug)]
pub struct Budget {
    limits: Limits,
    used: Cell<usize>,
    since_look: Cell<usize>,
    deadline: Cell<Option<Instant>>,
    last_look: Cell<Option<Instant>>,
    is_over: Cell<bool>,
    /// More than this is a reason to collect: this Lua does not do so by itself when memory ends.
    collect_above: Cell<usize>,
    /// Null until the state is built.
    pub context: Cell<*mut Context>,
}

impl Budget {
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            used: Cell::new(0),
            since_look: Cell::new(0),
            deadline: Cell::new(None),
            last_look: Cell::new(None),
            is_over: Cell::new(false),
            collect_above: Cell::new(limits.memory_bytes / 2),
            context: Cell::new(ptr::null_mut()),
        }
    }

    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    pub fn used(&self) -> usize {
        self.used.get()
    }

    /// Whether to collect before so many bytes are taken.
    pub fn is_scarce(&self, more: usize) -> bool {
        self.used.get().saturating_add(more) > self.collect_above.get()
    }

    /// Not again before an eighth of the whole is taken.
    pub fn collected(&self) {
        let limit = self.limits.memory_bytes;
        self.collect_above.set((self.used.get() + limit / 8).max(limit / 2));
    }

    pub fn start(&self) {
        let now = Instant::now();
        self.deadline.set(Some(now + self.limits.run_time));
        self.last_look.set(Some(now));
        self.since_look.set(0);
        self.is_over.set(false);
        self.collect_above.set(self.limits.memory_bytes / 2);
    }

    pub fn stop(&self) {
        self.deadline.set(None);
    }

    /// Whether the running script's time is over. Once it is, it stays so.
    pub fn look(&self) -> bool {
        if self.is_over.get() {
            return true;
        }
        let Some(deadline) = self.deadline.get() else { return false };
        self.since_look.set(0);
        let now = Instant::now();
        self.last_look.set(Some(now));
        self.is_over.set(now >= deadline);
        self.is_over.get()
    }

    pub fn is_over(&self) -> bool {
        self.is_over.get()
    }

    pub fn since_last_look(&self) -> Duration {
        self.last_look.get().map_or(Duration::ZERO, |at| at.elapsed())
    }

    /// Whether `more` bytes may be taken.
    fn grants(&self, more: usize) -> bool {
        if self.used.get().saturating_add(more) > self.limits.memory_bytes {
            return false;
        }
        self.since_look.set(self.since_look.get() + more);
        let looks = self.since_look.get() > BYTES_BETWEEN_LOOKS;
        !((looks && self.look() || self.is_over.get()) && more > LAST_BYTES)
    }
}

/// The interpreter's allocator: `userdata` is the state's [`Budget`].
///
/// # Safety
/// As `lua_Alloc` demands: `block` is null or came from here with `old_len` bytes.
pub unsafe extern "C" fn allocate(
    userdata: *mut c_void,
    block: *mut c_void,
    old_len: usize,
    new_len: usize,
) -> *mut c_void {
    // SAFETY: the state is closed before its budget is dropped.
    let budget = &*userdata.cast::<Budget>();
    if new_len == 0 {
        budget.used.set(budget.used.get() - old_len);
        libc::free(block);
        return ptr::null_mut();
    }
    if new_len > old_len && !budget.grants(new_len - old_len) {
        return ptr::null_mut();
    }
    let moved = libc::realloc(block, new_len);
    if !moved.is_null() {
        budget.used.set(budget.used.get() - old_len + new_len);
        return moved;
    }
    // The interpreter relies on shrinking.
    if new_len <= old_len { block } else { ptr::null_mut() }
}
