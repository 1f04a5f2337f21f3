//! Driver: one Lua state, and the run of one script in it.

use std::collections::HashMap;
use std::ffi::{c_int, c_void};
use std::marker::PhantomData;
use std::{mem, ptr};

use ringway_protocol::resp::Out;

use crate::budget::{self, Budget};
use crate::caller::Caller;
use crate::cjson;
use crate::context::{Context, context};
use crate::deadline;
use crate::error::Error;
use crate::library::Script;
use crate::limits::Limits;
use crate::lua::*;
use crate::sandbox::{self, Places};
use crate::sha::Sha;
use crate::to_reply::{Answer, TooLarge};

/// The least a state works with.
const MEMORY_BYTES_MIN: usize = 1 << 20;
/// A state that holds more than this part of its memory after a run is cleaned, and if that does not help, made anew.
const HELD_PART_MAX: usize = 2;

/// Runs scripts, one at a time. It stays on its thread.
pub struct ScriptHost {
    limits: Limits,
    /// Made when first needed, and again after one was spoilt.
    state: Option<State>,
}

/// What a script is handed.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    pub keys: &'a [&'a [u8]],
    pub args: &'a [&'a [u8]],
}

impl ScriptHost {
    pub fn new(limits: Limits) -> Self {
        let limits = Limits { memory_bytes: limits.memory_bytes.max(MEMORY_BYTES_MIN), ..limits };
        Self { limits, state: None }
    }

    /// Whether it compiles. Scripts are compiled when they run; this is for `SCRIPT LOAD`.
    pub fn compile(&mut self, script: &Script) -> Result<(), Error> {
        self.state()?.function(script).map(|_| ())
    }

    /// Runs it and appends exactly one reply, in the version of `out`.
    pub fn run(&mut self, script: &Script, input: Input<'_>, caller: &mut dyn Caller, out: &mut Out) {
        let ran = self.state().and_then(|state| state.function(script).map(|function| (state, function)));
        match ran {
            Ok((state, function)) => {
                let keeps = state.run(function, script.sha(), input, caller, out);
                if !keeps {
                    self.state = None;
                }
            }
            Err(error) => out.error(&error.to_string()),
        }
    }

    /// Bytes that the interpreter holds.
    pub fn memory(&self) -> usize {
        self.state.as_ref().map_or(0, |state| state.budget.used())
    }

    fn state(&mut self) -> Result<&mut State, Error> {
        // A panic left it in the middle of something.
        if self.state.as_ref().is_some_and(|state| state.is_running) {
            // Its stack is not what closing it would expect.
            let _spoilt = self.state.take().map(mem::ManuallyDrop::new);
        }
        if self.state.is_none() {
            self.state = Some(State::new(self.limits)?);
        }
        self.state.as_mut().ok_or(Error::Memory)
    }
}

struct State {
    lua: *mut lua_State,
    /// Both are pointed to from the state.
    budget: Box<Budget>,
    context: Box<Context>,
    places: Places,
    functions: HashMap<Sha, Function>,
    uses: u64,
    is_running: bool,
    /// The interpreter is for one thread.
    not_send: PhantomData<*mut ()>,
}

#[derive(Clone, Copy)]
struct Function {
    place: c_int,
    used: u64,
}

impl State {
    fn new(limits: Limits) -> Result<Self, Error> {
        let budget = Box::new(Budget::new(limits));
        let mut context = Box::new(Context::new());
        budget.context.set(&mut *context);
        // SAFETY: the allocator's userdata outlives the state: it is dropped after `State::drop` has closed it.
        let lua = unsafe { lua_newstate(budget::allocate, ptr::from_ref(&*budget).cast_mut().cast()) };
        if lua.is_null() {
            return Err(Error::Memory);
        }
        context.main = lua;
        let functions = HashMap::with_capacity(limits.functions.min(64));
        let mut state = Self {
            lua,
            budget,
            context,
            places: Places::default(),
            functions,
            uses: 0,
            is_running: false,
            not_send: PhantomData,
        };
        // SAFETY: the state is new and idle.
        let status = unsafe { lua_cpcall(lua, build, (&raw mut state.places).cast()) };
        if status != LUA_OK {
            return Err(Error::Memory);
        }
        Ok(state)
    }

    /// Where in the registry the compiled function is.
    fn function(&mut self, script: &Script) -> Result<c_int, Error> {
        self.uses += 1;
        if let Some(function) = self.functions.get_mut(&script.sha()) {
            function.used = self.uses;
            return Ok(function.place);
        }
        let oldest = self.oldest_function();
        let mut job = Compilation { code: script.code(), unref: oldest, place: LUA_NOREF };
        // SAFETY: the state is idle; the job outlives the call.
        let status = unsafe { lua_cpcall(self.lua, compile_job, (&raw mut job).cast()) };
        let place = job.place;
        if status == LUA_OK && place != LUA_NOREF {
            self.functions.insert(script.sha(), Function { place, used: self.uses });
            return Ok(place);
        }
        // SAFETY: what was raised is on the stack, a string.
        let text = unsafe {
            let text = string_at(self.lua, -1).map(|text| String::from_utf8_lossy(text).into_owned());
            lua_settop(self.lua, 0);
            text
        };
        Err(Error::Syntax(text.unwrap_or_default()))
    }

    /// Takes the function that was not used for longest out of the table if that is full.
    fn oldest_function(&mut self) -> c_int {
        if self.functions.len() < self.budget.limits().functions.max(1) {
            return LUA_NOREF;
        }
        let oldest = self.functions.iter().min_by_key(|(_, function)| function.used).map(|(sha, _)| *sha);
        oldest.and_then(|sha| self.functions.remove(&sha)).map_or(LUA_NOREF, |function| function.place)
    }

    /// Says whether the state is fit for another run.
    fn run(&mut self, function: c_int, sha: Sha, input: Input<'_>, caller: &mut dyn Caller, out: &mut Out) -> bool {
        let mark = out.mark();
        let reply_bytes = self.budget.limits().reply_bytes;
        let answer = Answer { out, bytes_max: mark.saturating_add(reply_bytes) };
        let mut job = Run { function, sha, places: self.places, input, answer, is_too_large: false };
        // SAFETY: it is taken back below, before the borrow ends.
        let caller: *mut (dyn Caller + 'static) = unsafe { mem::transmute(ptr::from_mut(caller)) };
        self.context.caller = Some(caller);
        self.context.stack_base = ptr::from_ref(&mark).addr();
        self.is_running = true;
        self.budget.start();
        // SAFETY: the state is idle; the job and all it refers to outlive the call.
        let status = unsafe {
            deadline::watch(self.lua);
            let status = lua_cpcall(self.lua, run_job, (&raw mut job).cast());
            deadline::unwatch(self.lua);
            lua_settop(self.lua, 0);
            status
        };
        let is_too_large = job.is_too_large;
        self.is_running = false;
        self.budget.stop();
        self.context.reset();
        // SAFETY: the settings belong to a function that is never collected.
        unsafe { self.context.json.write(cjson::Settings::default()) };
        let trouble = if self.budget.is_over() {
            Some(deadline::text(self.budget.limits().run_time))
        } else if is_too_large {
            Some(format!("ERR script's reply is larger than {reply_bytes} bytes"))
        } else if status != LUA_OK {
            Some(format!("ERR Error running script {sha}, not enough memory"))
        } else {
            None
        };
        if let Some(text) = trouble {
            out.cut_back(mark);
            out.error(&text);
        }
        if let Some(panic) = self.context.panic.take() {
            std::panic::resume_unwind(panic);
        }
        self.is_lean()
    }

    /// Whether enough memory is free, after a collection if need be.
    fn is_lean(&self) -> bool {
        let held_max = self.budget.limits().memory_bytes / HELD_PART_MAX;
        if self.budget.used() > held_max {
            // SAFETY: the state is idle; collecting does not raise, since there are no finalizers.
            unsafe { lua_gc(self.lua, LUA_GCCOLLECT, 0) };
        }
        self.budget.used() <= held_max
    }
}

impl Drop for State {
    fn drop(&mut self) {
        // SAFETY: nothing refers to the state any more, and the budget is dropped after this.
        unsafe { lua_close(self.lua) }
    }
}

unsafe extern "C-unwind" fn build(lua: *mut lua_State) -> c_int {
    let places = lua_touserdata(lua, 1).cast();
    lua_settop(lua, 0);
    sandbox::build(lua, places);
    0
}

struct Compilation<'a> {
    code: &'a [u8],
    unref: c_int,
    place: c_int,
}

unsafe fn job_of<T>(lua: *mut lua_State) -> *mut T {
    let job: *mut c_void = lua_touserdata(lua, 1);
    lua_settop(lua, 0);
    job.cast()
}

unsafe extern "C-unwind" fn compile_job(lua: *mut lua_State) -> c_int {
    let job: *mut Compilation<'_> = job_of(lua);
    luaL_unref(lua, LUA_REGISTRYINDEX, (*job).unref);
    if !compile(lua, (*job).code, c"@user_script") {
        lua_error(lua);
    }
    (*job).place = keep(lua);
    0
}

struct Run<'a> {
    function: c_int,
    sha: Sha,
    places: Places,
    input: Input<'a>,
    answer: Answer,
    is_too_large: bool,
}

unsafe extern "C-unwind" fn run_job(lua: *mut lua_State) -> c_int {
    let job: *mut Run<'_> = job_of(lua);
    lua_rawgeti_(lua, LUA_REGISTRYINDEX, (*job).places.error_handler);
    lua_rawgeti_(lua, LUA_REGISTRYINDEX, (*job).places.globals);
    set_words(lua, c"KEYS", (*job).input.keys);
    set_words(lua, c"ARGV", (*job).input.args);
    lua_pop(lua, 1);
    lua_rawgeti_(lua, LUA_REGISTRYINDEX, (*job).function);
    if lua_pcall(lua, 0, 1, 1) == LUA_OK {
        let written = (*job).answer.write(lua);
        (*job).is_too_large = matches!(written, Err(TooLarge));
    } else {
        write_raised(lua, &*job);
    }
    0
}

/// Sets a global, past the proxy.
unsafe fn set_words(lua: *mut lua_State, name: &'static std::ffi::CStr, words: &[&[u8]]) {
    lua_pushliteral(lua, name);
    lua_createtable(lua, words.len() as c_int, 0);
    for (index, word) in words.iter().enumerate() {
        push_bytes(lua, word);
        lua_rawseti_(lua, -2, index as c_int + 1);
    }
    lua_rawset(lua, -3);
}

/// The error on top is what the client gets, with the place where it was raised.
unsafe fn write_raised(lua: *mut lua_State, job: &Run<'_>) {
    let context = context(lua);
    let text = &raw mut (*context).scratch;
    (*text).clear();
    if lua_istable(lua, -1) != 0 {
        put_raised(lua, &mut *text, job.sha);
    }
    if (*text).is_empty() {
        (*text).extend_from_slice(b"ERR Error running script ");
        (*text).extend_from_slice(&job.sha.hex());
        (*text).extend_from_slice(b", ");
        let said = string_at(lua, -1).unwrap_or(b"execution failure");
        (*text).extend_from_slice(&until_nul(said)[..until_nul(said).len().min(100)]);
    }
    (*job.answer.out).error_bytes(&*text);
}

/// `{err = ..., source = ..., line = ...}`. Leaves nothing if it says nothing.
unsafe fn put_raised(lua: *mut lua_State, text: &mut Vec<u8>, sha: Sha) {
    lua_getfield_(lua, -1, c"err".as_ptr());
    lua_getfield_(lua, -2, c"source".as_ptr());
    lua_getfield_(lua, -3, c"line".as_ptr());
    if lua_isstring(lua, -3) == 0 {
        // Redis 7.0 ends here, with the whole server.
        return lua_pop(lua, 3);
    }
    text.extend_from_slice(until_nul(bytes_at(lua, -3)));
    if lua_isstring(lua, -2) != 0 && lua_isstring(lua, -1) != 0 {
        text.extend_from_slice(b" script: ");
        text.extend_from_slice(&sha.hex());
        text.extend_from_slice(b", on ");
        text.extend_from_slice(until_nul(bytes_at(lua, -2)));
        text.extend_from_slice(b":");
        text.extend_from_slice(until_nul(bytes_at(lua, -1)));
        text.extend_from_slice(b".");
    }
    lua_pop(lua, 3);
}

#[cfg(test)]
mod tests;
