//! Driver: the table `redis`, `pcall` and the error handler as Redis has them, and `math.random`.

use std::ffi::{CStr, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};

use ringway_protocol::resp::RespVersion;
use sha1::{Digest, Sha1};

use crate::caller::LogLevel;
use crate::context::{Context, budget, context, make_room};
use crate::lua::*;
use crate::random::Random;
use crate::{deadline, from_reply, number_text};

/// Commands with more words are collected on the heap.
const WORDS_ON_STACK: usize = 16;

/// Fills the table on top.
///
/// # Safety
/// Raises.
pub unsafe fn install(lua: *mut lua_State) {
    set_function(lua, c"call", call);
    set_function(lua, c"pcall", call_protected);
    set_function(lua, c"log", log);
    set_number(lua, c"LOG_DEBUG", 0.0);
    set_number(lua, c"LOG_VERBOSE", 1.0);
    set_number(lua, c"LOG_NOTICE", 2.0);
    set_number(lua, c"LOG_WARNING", 3.0);
    let [major, minor, patch] = budget(lua).limits().redis_version;
    set_number(lua, c"REDIS_VERSION_NUM", f64::from(u32::from_be_bytes([0, major, minor, patch])));
    let [major, minor, patch] = [major, minor, patch].map(c_int::from);
    lua_pushfstring(lua, c"%d.%d.%d".as_ptr(), major, minor, patch);
    lua_setfield(lua, -2, c"REDIS_VERSION".as_ptr());
    set_function(lua, c"setresp", set_resp);
    set_function(lua, c"sha1hex", sha1hex);
    set_function(lua, c"error_reply", error_reply);
    set_function(lua, c"status_reply", status_reply);
    set_function(lua, c"set_repl", set_repl);
    set_number(lua, c"REPL_NONE", 0.0);
    set_number(lua, c"REPL_AOF", 1.0);
    set_number(lua, c"REPL_SLAVE", 2.0);
    set_number(lua, c"REPL_REPLICA", 2.0);
    set_number(lua, c"REPL_ALL", 3.0);
    set_function(lua, c"acl_check_cmd", acl_check_cmd);
    set_function(lua, c"breakpoint", breakpoint);
    set_function(lua, c"debug", debug);
    set_function(lua, c"replicate_commands", replicate_commands);
}

/// Replaces functions of `math`, the table on top.
///
/// # Safety
/// Raises.
pub unsafe fn install_random(lua: *mut lua_State) {
    set_function(lua, c"random", random);
    set_function(lua, c"randomseed", random_seed);
}

/// Pushes `{err = text}`, which stands for an error reply. `text` begins with a sign if it has a code of its own.
///
/// # Safety
/// Raises.
pub unsafe fn push_error(lua: *mut lua_State, text: &[u8]) {
    let (code, message) = split_error(text);
    let message = without_breaks(message);
    lua_createtable(lua, 0, 1);
    let scratch = &raw mut (*context(lua)).scratch;
    (*scratch).clear();
    (*scratch).extend_from_slice(code);
    (*scratch).push(b' ');
    (*scratch).extend_from_slice(message);
    // Redis builds the text as a C string.
    let visible = until_nul(&*scratch);
    push_bytes(lua, visible);
    lua_setfield(lua, -2, c"err".as_ptr());
}

fn split_error(text: &[u8]) -> (&[u8], &[u8]) {
    let Some(coded) = text.strip_prefix(b"-") else { return (b"ERR", text) };
    match memchr::memchr(b' ', until_nul(coded)) {
        Some(space) => (&coded[..space], &coded[space + 1..]),
        None => (b"ERR", coded),
    }
}

/// Without line breaks at either end.
fn without_breaks(text: &[u8]) -> &[u8] {
    let is_text = |byte: &u8| !matches!(byte, b'\r' | b'\n');
    let from = text.iter().position(is_text).unwrap_or(text.len());
    let to = text.iter().rposition(is_text).map_or(from, |last| last + 1);
    &text[from..to]
}

unsafe fn raise_error(lua: *mut lua_State, text: &CStr) -> ! {
    push_error(lua, text.to_bytes());
    lua_error(lua)
}

unsafe extern "C-unwind" fn call(lua: *mut lua_State) -> c_int {
    call_command(lua, true)
}

unsafe extern "C-unwind" fn call_protected(lua: *mut lua_State) -> c_int {
    call_command(lua, false)
}

unsafe fn call_command(lua: *mut lua_State, raises: bool) -> c_int {
    let context = context(lua);
    if (*context).caller.is_none() {
        raise_error(lua, c"redis.call/pcall can only be called inside a script invocation");
    }
    deadline::check(lua);
    let has_failed = match words_fault(lua) {
        Some(fault) => {
            lua_settop(lua, 0);
            push_error(lua, fault.to_bytes());
            true
        }
        None => {
            with_words(lua, context, |context, words| execute(context, words));
            if (*context).panic.is_some() {
                raise_plain(lua, c"a command failed badly");
            }
            lua_settop(lua, 0);
            let reply = reply_bytes(context);
            make_room(lua, reply.len());
            from_reply::push(lua, reply);
            reply.first() == Some(&b'-')
        }
    };
    if raises && has_failed {
        lua_error(lua);
    }
    1
}

/// What is wrong with the arguments on the stack.
unsafe fn words_fault(lua: *mut lua_State) -> Option<&'static CStr> {
    let count = lua_gettop(lua);
    if count == 0 {
        return Some(c"Please specify at least one argument for this redis lib call");
    }
    let are_words = (1..=count).all(|index| matches!(lua_type(lua, index), LUA_TSTRING | LUA_TNUMBER));
    (!are_words).then_some(c"Lua redis lib command arguments must be strings or integers")
}

/// Hands the arguments on the stack to `work`. Nothing in here raises.
unsafe fn with_words(lua: *mut lua_State, context: *mut Context, work: impl FnOnce(*mut Context, &[&[u8]])) {
    let count = lua_gettop(lua) as usize;
    let numbers = &raw mut (*context).scratch;
    (*numbers).clear();
    // All the room at once: the words point into it.
    (*numbers).reserve(count * number_text::LEN_MAX);
    let mut few: [&[u8]; WORDS_ON_STACK] = [&[]; WORDS_ON_STACK];
    let mut many: Vec<&[u8]> = Vec::new();
    let words = match few.get_mut(..count) {
        Some(words) => words,
        None => {
            many.resize(count, &[]);
            &mut many[..]
        }
    };
    for (index, word) in words.iter_mut().enumerate() {
        let place = index as c_int + 1;
        *word = match string_at(lua, place) {
            Some(bytes) => bytes,
            None => number_word(&mut *numbers, lua_tonumber(lua, place)),
        };
    }
    work(context, words);
}

unsafe fn number_word(numbers: &mut Vec<u8>, number: f64) -> &'static [u8] {
    let mut text = [0; number_text::LEN_MAX];
    let len = number_text::write(number, 17, &mut text);
    let from = numbers.len();
    numbers.extend_from_slice(&text[..len]);
    // SAFETY: the room was reserved before, so that it does not move, and is not cleared before the command has run.
    std::slice::from_raw_parts(numbers.as_ptr().add(from), len)
}

/// What was just answered, in one piece.
unsafe fn reply_bytes(context: *mut Context) -> &'static [u8] {
    let reply = &raw mut (*context).reply;
    if (*reply).plain().is_none() {
        // Large values are shared, in pieces.
        let whole = &raw mut (*context).scratch;
        (*whole).clear();
        (*reply).chunks().for_each(|chunk| (*whole).extend_from_slice(chunk));
        return &*whole;
    }
    (*reply).plain().unwrap_or_default()
}

/// A panic goes around the interpreter, not through it.
unsafe fn execute(context: *mut Context, words: &[&[u8]]) {
    let Some(caller) = (*context).caller else { return };
    (*context).reply.clear();
    let reply = &mut (*context).reply;
    let called = catch_unwind(AssertUnwindSafe(|| (*caller).call(words, reply)));
    if let Err(panic) = called {
        (*context).panic = Some(panic);
    }
}

/// The global `pcall`: errors of Redis reach the script as their text, as before Redis 7.
pub unsafe extern "C-unwind" fn protected_call(lua: *mut lua_State) -> c_int {
    let count = lua_gettop(lua);
    lua_pushboolean(lua, 1);
    lua_insert(lua, 1);
    if lua_pcall(lua, count - 1, LUA_MULTRET, 0) != LUA_OK {
        lua_remove(lua, 1);
        if lua_istable(lua, -1) != 0 {
            lua_getfield_(lua, -1, c"err".as_ptr());
            if lua_isstring(lua, -1) != 0 {
                lua_replace(lua, -2);
            }
        }
        lua_pushboolean(lua, 0);
        lua_insert(lua, 1);
    }
    lua_gettop(lua)
}

/// `__redis__err__handler`: makes a table of what was raised and notes where.
pub unsafe extern "C-unwind" fn on_error(lua: *mut lua_State) -> c_int {
    lua_settop(lua, 1);
    if lua_istable(lua, 1) == 0 {
        lua_createtable(lua, 0, 1);
        lua_pushliteral(lua, c"ERR ");
        push_text_of(lua, 1);
        lua_concat(lua, 2);
        lua_setfield(lua, -2, c"err".as_ptr());
        lua_replace(lua, 1);
    }
    let mut place: lua_Debug = std::mem::zeroed();
    let mut is_known = lua_getstack(lua, 1, &mut place) != 0;
    if is_known {
        lua_getinfo(lua, c"Sl".as_ptr(), &mut place);
        if CStr::from_ptr(place.what) == c"C" {
            // Who called it is what helps whoever reads this.
            is_known = lua_getstack(lua, 2, &mut place) != 0;
            if is_known {
                lua_getinfo(lua, c"Sl".as_ptr(), &mut place);
            }
        }
    }
    if is_known {
        push_bytes(lua, CStr::from_ptr(place.source).to_bytes());
        lua_setfield(lua, 1, c"source".as_ptr());
        lua_pushinteger(lua, place.currentline as lua_Integer);
        lua_setfield(lua, 1, c"line".as_ptr());
    }
    1
}

/// Lua's `tostring` of the value at `index`.
unsafe fn push_text_of(lua: *mut lua_State, index: c_int) {
    lua_getglobal_(lua, c"tostring".as_ptr());
    lua_pushvalue(lua, index);
    lua_call(lua, 1, 1);
}

unsafe extern "C-unwind" fn log(lua: *mut lua_State) -> c_int {
    let count = lua_gettop(lua);
    if count < 2 {
        raise_error(lua, c"redis.log() requires two arguments or more.");
    }
    if lua_isnumber(lua, 1) == 0 {
        raise_error(lua, c"First argument must be a number (log level).");
    }
    let level = match lua_tonumber(lua, 1) as i32 {
        0 => LogLevel::Debug,
        1 => LogLevel::Verbose,
        2 => LogLevel::Notice,
        3 => LogLevel::Warning,
        _ => raise_error(lua, c"Invalid debug level."),
    };
    let context = context(lua);
    (*context).scratch.clear();
    for index in 2..=count {
        if lua_isstring(lua, index) != 0 {
            let word = bytes_at(lua, index);
            let text = &mut (*context).scratch;
            if index > 2 {
                text.push(b' ');
            }
            text.extend_from_slice(word);
        }
    }
    if let Some(caller) = (*context).caller {
        let text = &(*context).scratch;
        let said = catch_unwind(AssertUnwindSafe(|| (*caller).log(level, text)));
        (*context).panic = said.err();
    }
    0
}

unsafe extern "C-unwind" fn set_resp(lua: *mut lua_State) -> c_int {
    if lua_gettop(lua) != 1 {
        raise_error(lua, c"redis.setresp() requires one argument.");
    }
    let version = match lua_tonumber(lua, 1) as i32 {
        2 => RespVersion::Two,
        3 => RespVersion::Three,
        _ => raise_error(lua, c"RESP version must be 2 or 3."),
    };
    (*context(lua)).reply.set_version(version);
    0
}

unsafe extern "C-unwind" fn sha1hex(lua: *mut lua_State) -> c_int {
    if lua_gettop(lua) != 1 {
        raise_error(lua, c"wrong number of arguments");
    }
    let bytes = if lua_isstring(lua, 1) != 0 { bytes_at(lua, 1) } else { &[] };
    let digest: [u8; 20] = Sha1::digest(bytes).into();
    let mut text = [0; 40];
    for (pair, byte) in text.chunks_exact_mut(2).zip(digest) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
    push_bytes(lua, &text);
    1
}

unsafe extern "C-unwind" fn error_reply(lua: *mut lua_State) -> c_int {
    if lua_gettop(lua) != 1 || lua_type(lua, 1) != LUA_TSTRING {
        push_error(lua, b"wrong number or type of arguments");
        return 1;
    }
    let text = bytes_at(lua, 1);
    if text.first() == Some(&b'-') {
        push_error(lua, text);
        return 1;
    }
    lua_pushliteral(lua, c"-");
    lua_pushvalue(lua, 1);
    lua_concat(lua, 2);
    let text = bytes_at(lua, -1);
    push_error(lua, text);
    1
}

unsafe extern "C-unwind" fn status_reply(lua: *mut lua_State) -> c_int {
    if lua_gettop(lua) != 1 || lua_type(lua, 1) != LUA_TSTRING {
        push_error(lua, b"wrong number or type of arguments");
        return 1;
    }
    lua_createtable(lua, 0, 1);
    lua_pushvalue(lua, 1);
    lua_setfield(lua, -2, c"ok".as_ptr());
    1
}

/// Everything a script writes is replicated; this only checks.
unsafe extern "C-unwind" fn set_repl(lua: *mut lua_State) -> c_int {
    if lua_gettop(lua) != 1 {
        raise_error(lua, c"redis.set_repl() requires two arguments.");
    }
    if lua_tonumber(lua, 1) as i32 & !3 != 0 {
        raise_error(lua, c"Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.");
    }
    0
}

unsafe extern "C-unwind" fn acl_check_cmd(lua: *mut lua_State) -> c_int {
    let context = context(lua);
    if let Some(fault) = words_fault(lua) {
        raise_error(lua, fault);
    }
    let mut is_known = false;
    with_words(lua, context, |context, words| {
        if let Some(caller) = (*context).caller {
            match catch_unwind(AssertUnwindSafe(|| (*caller).has_command(words))) {
                Ok(is) => is_known = is,
                Err(panic) => (*context).panic = Some(panic),
            }
        }
    });
    if !is_known {
        raise_error(lua, c"Invalid command passed to redis.acl_check_cmd()");
    }
    lua_pushboolean(lua, 1);
    1
}

unsafe extern "C-unwind" fn breakpoint(lua: *mut lua_State) -> c_int {
    lua_pushboolean(lua, 0);
    1
}

unsafe extern "C-unwind" fn debug(_lua: *mut lua_State) -> c_int {
    0
}

unsafe extern "C-unwind" fn replicate_commands(lua: *mut lua_State) -> c_int {
    lua_pushboolean(lua, 1);
    1
}

unsafe extern "C-unwind" fn random(lua: *mut lua_State) -> c_int {
    let fraction = (*context(lua)).random.fraction();
    match lua_gettop(lua) {
        0 => lua_pushnumber(lua, fraction),
        1 => {
            let high = check_int(lua, 1);
            if high < 1 {
                raise_argument(lua, 1, c"interval is empty");
            }
            lua_pushnumber(lua, (fraction * f64::from(high)).floor() + 1.0);
        }
        2 => {
            let (low, high) = (check_int(lua, 1), check_int(lua, 2));
            if low > high {
                raise_argument(lua, 2, c"interval is empty");
            }
            let span = high.wrapping_sub(low).wrapping_add(1);
            lua_pushnumber(lua, (fraction * f64::from(span)).floor() + f64::from(low));
        }
        _ => raise(lua, c"wrong number of arguments"),
    }
    1
}

unsafe extern "C-unwind" fn random_seed(lua: *mut lua_State) -> c_int {
    let seed = check_int(lua, 1);
    (*context(lua)).random = Random::seeded(seed);
    0
}
