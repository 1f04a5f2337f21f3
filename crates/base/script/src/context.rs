//! Core: what functions that scripts call share while one script runs.

use std::any::Any;
use std::ffi::c_void;
use std::ptr;

use mlua_sys::{LUA_GCCOLLECT, lua_State, lua_gc, lua_getallocf};
use ringway_protocol::resp::{Out, RespVersion};

use crate::budget::Budget;
use crate::caller::Caller;
use crate::cjson;
use crate::random::Random;

/// A buffer that grew past this is given back after the run.
const KEPT_BYTES_MAX: usize = 64 << 10;

/// Reached from any function through [`context`]. Fields are borrowed for one expression, never across a call that may run Lua.
pub struct Context {
    /// The thread of the state that scripts begin on; coroutines have others.
    pub main: *mut lua_State,
    /// Where the machine's stack was when the script began.
    pub stack_base: usize,
    /// Set while a script runs.
    pub caller: Option<*mut (dyn Caller + 'static)>,
    pub random: Random,
    /// The settings of the shared `cjson`, in the interpreter's memory.
    pub json: *mut cjson::Settings,
    /// Bytes under construction, by one function at a time.
    pub scratch: Vec<u8>,
    /// The reply of the command just called, in the version that `redis.setresp` chose.
    pub reply: Out,
    /// The read-only tables, as scripts have them.
    pub proxies: Vec<*const c_void>,
    /// What a command panicked with; it goes on when the interpreter is left.
    pub panic: Option<Box<dyn Any + Send>>,
}

impl Context {
    pub fn new() -> Self {
        Self {
            main: ptr::null_mut(),
            stack_base: 0,
            caller: None,
            random: Random::default(),
            json: ptr::null_mut(),
            scratch: Vec::new(),
            reply: Out::default(),
            proxies: Vec::new(),
            panic: None,
        }
    }

    /// Makes everything as it was before the script.
    pub fn reset(&mut self) {
        self.caller = None;
        if self.scratch.capacity() > KEPT_BYTES_MAX {
            self.scratch = Vec::new();
        }
        self.reply.clear();
        self.reply.set_version(RespVersion::Two);
    }
}

/// # Safety
/// `lua` is a state that [`crate::host`] made.
#[inline]
pub unsafe fn budget(lua: *mut lua_State) -> &'static Budget {
    let mut userdata = ptr::null_mut();
    lua_getallocf(lua, &mut userdata);
    &*userdata.cast::<Budget>()
}

/// # Safety
/// `lua` is a state that [`crate::host`] made.
#[inline]
pub unsafe fn context(lua: *mut lua_State) -> *mut Context {
    budget(lua).context.get()
}

/// Collects garbage if `more` bytes would make memory scarce.
///
/// # Safety
/// What is not on the stack or otherwise reachable may go.
pub unsafe fn make_room(lua: *mut lua_State, more: usize) {
    let budget = budget(lua);
    if budget.is_scarce(more) {
        lua_gc(lua, LUA_GCCOLLECT, 0);
        budget.collected();
    }
}
