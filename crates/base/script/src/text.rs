//! Driver: bytes that grow in the interpreter's own memory. An error may jump over one: the interpreter collects what it held.

use std::ffi::c_int;
use std::{ptr, slice};

use crate::context::make_room;
use crate::lua::{lua_State, lua_gettop, lua_newuserdata, lua_replace, push_bytes};

/// Lives in a place of the Lua stack that it is made in.
pub struct Text {
    place: c_int,
    start: *mut u8,
    len: usize,
    capacity: usize,
}

impl Text {
    /// Pushes one value, which has to stay where it is until the end.
    ///
    /// # Safety
    /// Raises. As everything here, it has no destructor.
    pub unsafe fn new(lua: *mut lua_State, capacity: usize) -> Self {
        // Once for itself, once for the string it becomes.
        make_room(lua, capacity * 2);
        let start = lua_newuserdata(lua, capacity).cast();
        Self { place: lua_gettop(lua), start, len: 0, capacity }
    }

    /// # Safety
    /// Raises.
    pub unsafe fn push(&mut self, lua: *mut lua_State, bytes: &[u8]) {
        if self.capacity - self.len < bytes.len() {
            self.grow(lua, bytes.len());
        }
        ptr::copy_nonoverlapping(bytes.as_ptr(), self.start.add(self.len), bytes.len());
        self.len += bytes.len();
    }

    #[cold]
    unsafe fn grow(&mut self, lua: *mut lua_State, more: usize) {
        let capacity = (self.len + more) * 2;
        make_room(lua, capacity * 2);
        let larger = lua_newuserdata(lua, capacity).cast();
        ptr::copy_nonoverlapping(self.start, larger, self.len);
        lua_replace(lua, self.place);
        (self.start, self.capacity) = (larger, capacity);
    }

    /// Pushes what it holds as a string.
    ///
    /// # Safety
    /// Raises.
    pub unsafe fn finish(&self, lua: *mut lua_State) {
        push_bytes(lua, slice::from_raw_parts(self.start, self.len));
    }
}
