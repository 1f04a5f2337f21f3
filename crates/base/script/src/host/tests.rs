use std::time::{Duration, Instant};

use ringway_protocol::resp::RespVersion;

use super::*;

/// Answers everything with OK and counts.
#[derive(Default)]
struct Counter {
    calls: usize,
    panics: bool,
}

impl Caller for Counter {
    fn call(&mut self, words: &[&[u8]], reply: &mut Out) {
        assert!(!self.panics, "the command is broken");
        self.calls += 1;
        match words[0] {
            b"large" => reply.shared(&vec![b'x'; 100_000].into()),
            _ => reply.ok(),
        }
    }

    fn has_command(&mut self, _words: &[&[u8]]) -> bool {
        true
    }
}

fn small() -> Limits {
    Limits {
        memory_bytes: 4 << 20,
        run_time: Duration::from_millis(200),
        reply_bytes: 1 << 20,
        functions: 4,
        ..Limits::default()
    }
}

fn check(host: &mut ScriptHost, script: &str) -> String {
    run(host, script, &mut Counter::default())
}

fn run(host: &mut ScriptHost, script: &str, caller: &mut dyn Caller) -> String {
    let script = Script::new(script.as_bytes().to_vec().into()).expect("no shebang");
    let mut out = Out::new(RespVersion::Two);
    host.run(&script, Input { keys: &[b"key"], args: &[] }, caller, &mut out);
    String::from_utf8_lossy(&out.into_bytes()).into_owned()
}

/// Each of these would run for ever, or nearly.
const RUNAWAYS: [&str; 17] = [
    "while true do end",
    "while true do pcall(function() while true do end end) end",
    "local function f() return f() end f()",
    "while true do redis.call('ping') end",
    "while true do pcall(redis.call, 'ping') end",
    "while true do xpcall(error, function() while true do end end) end",
    "local co = coroutine.wrap(function() while true do end end) while true do pcall(co) end",
    "while true do pcall(coroutine.wrap(function() while true do end end)) end",
    "while true do local s = string.rep('x', 1000000) end",
    "while true do collectgarbage() end",
    "return string.find(string.rep('a', 3000), string.rep('a*', 30) .. 'b')",
    "local s = string.rep('a', 1000000) while true do s:find('.-.-.-.-b') end",
    "table.insert({}, -2147483647, 1)",
    "local s = string.rep('a', 100000) while true do cjson.encode({s, s, s, s}) end",
    "local t = {} for i = 1, 100000 do t[i] = i end while true do next(t, 100000) pcall(table.sort, t) end",
    "return string.gsub(string.rep('a', 100000), '.-.-.-.-.-.-b', '')",
    "for w in string.gmatch(string.rep('a', 100000), '.-.-.-.-b') do end",
];

#[test]
fn a_script_that_runs_too_long_is_ended() {
    let mut host = ScriptHost::new(small());
    for script in RUNAWAYS {
        let began = Instant::now();
        let reply = check(&mut host, script);
        let took = began.elapsed();
        assert!(reply.starts_with("-ERR script ran longer than 200 ms and was ended"), "{script}: {reply}");
        assert!(took < Duration::from_secs(3), "{script}: {took:?}");
        assert_eq!(check(&mut host, "return 'fine'"), "$4\r\nfine\r\n", "{script}");
    }
}

#[test]
fn a_script_that_takes_too_much_memory_is_ended() {
    let mut host = ScriptHost::new(Limits { run_time: Duration::from_secs(20), ..small() });
    for script in [
        "local t = {} for i = 1, 1e9 do t[i] = i end",
        "local s = 'x' while true do s = s .. s end",
        "return string.rep('x', 1e9)",
        "return string.rep(string.rep('x', 1e6), 100)",
        "local t = {} for i = 1, 1e9 do t[i] = {} end",
        "local t = {} for i = 1, 1e9 do t[i] = string.rep('x', 1000) .. i end",
        "local t = {} for i = 1, 1e9 do t[i] = coroutine.create(function() end) end",
        "return ('x'):rep(1e6):gsub('x', ('y'):rep(1000))",
        "local t = {string.rep('x', 1e6)} for i = 1, 30 do t = {t, t} end return cjson.encode(t)",
        "local t = {} for i = 1, 100 do t[i] = string.rep('x', 1e4) end for i = 1, 6 do t = {t, t, t} end return cmsgpack.pack(t)",
        "return cjson.decode('[' .. ('1,'):rep(1e6) .. '1]')",
        "local t = {} for i = 1, 1e9 do t[i] = redis.call('large') end",
    ] {
        let reply = check(&mut host, script);
        assert!(reply.contains("not enough memory"), "{script}: {reply}");
        assert!(host.memory() < 4 << 20);
        assert_eq!(check(&mut host, "return 'fine'"), "$4\r\nfine\r\n", "{script}");
    }
}

#[test]
fn a_reply_that_is_too_large_is_an_error() {
    let mut host = ScriptHost::new(small());
    let bomb = "local t = {1} for i = 1, 40 do t = {t, t} end return t";
    assert_eq!(check(&mut host, bomb), "-ERR script's reply is larger than 1048576 bytes\r\n");
    let loops = "local t = {} t[1] = t return t";
    assert!(check(&mut host, loops).ends_with("-ERR reached lua stack limit\r\n"));
}

#[test]
fn nothing_deep_ends_the_process() {
    let mut host = ScriptHost::new(Limits { run_time: Duration::from_secs(2), ..Limits::default() });
    for script in [
        "return string.find(string.rep('a', 300000), string.rep('a?', 300000))",
        "return string.find(string.rep('a', 300000), '(' .. string.rep('.-', 100000) .. ')')",
        "cjson.decode_max_depth(1e9) return cjson.decode(string.rep('[', 1e6))",
        "cjson.encode_max_depth(1e9) local t = {} for i = 1, 1e5 do t = {t} end return cjson.encode(t)",
        "return cmsgpack.unpack(string.rep('\\145', 1e6))",
        "local s = 'return 1' for i = 1, 150 do s = '(' .. s .. ')' end return loadstring(string.rep('(', 1e5))()",
        "local f = function(f, n) return string.gsub('x', 'x', function() return f(f, n + 1) end) end return f(f, 1)",
        "local t t = setmetatable({}, {__index = function(_, k) return t[k + 1] end}) return t[1]",
        "local function f() return pcall(f) end return f()",
        "local function f() coroutine.wrap(f)() end f()",
        "local function f(...) return f(1, ...) end f()",
        "return loadstring('return ' .. string.rep('{', 1e5))()",
        "return unpack({}, -2147483648, 2147483647)",
        "return unpack({}, 1, 1e7)",
        "return string.rep('x', -2147483648)",
        "return table.concat({}, 'x', -2147483648, 2147483647)",
        "error(setmetatable({}, {__index = function() error('again') end}))",
        "error({})",
        "error({err = {}})",
        "error(redis)",
    ] {
        let reply = check(&mut host, script);
        assert!(!reply.is_empty(), "{script}");
        assert_eq!(check(&mut host, "return 'fine'"), "$4\r\nfine\r\n", "{script}");
    }
}

#[test]
fn a_script_leaves_nothing_behind() {
    let mut host = ScriptHost::new(Limits::default());
    for script in [
        "_G.x = 1",
        "rawset(_G, 'x', 1)",
        "rawset(string, 'format', 1)",
        "string.format = function() return 'evil' end",
        "getmetatable('').__index = {}",
        "rawset(getmetatable(''), '__index', {})",
        "getmetatable(_G).__index = function() return 1 end",
        "setmetatable(string, {__index = function() return 'evil' end})",
        "table.insert(string, 'x') table.insert(_G, 'x')",
        "pcall(rawset, _G, 'x', 1) pcall(table.insert, _G, 1) pcall(setmetatable, _G, nil)",
        "for k, v in pairs(_G) do if type(v) == 'table' then pcall(rawset, v, 'format', 1) end end",
        "cjson.encode_max_depth(1) cjson.encode_number_precision(3) cjson.decode_invalid_numbers(false)",
        "redis.setresp(3)",
        "table.sort(_G)",
        "table.remove(_G, 1)",
        "KEYS.x = 1 ARGV.x = 1 KEYS[2] = 'more'",
        "loadstring('x = 1')()",
        "coroutine.wrap(function() x = 1 end)()",
    ] {
        check(&mut host, script);
    }
    let probe = "return {rawget(_G, 'x') == nil, string.format('%s', 1), ('a'):upper(), cjson.encode({{1/3}}), #KEYS, \
                 KEYS.x == nil, next(string) ~= nil, #string, #_G, tostring(cjson.decode('nan')), false}";
    let reply = check(&mut host, probe);
    let lines: Vec<&str> = reply.split("\r\n").filter(|line| !line.starts_with('$') || *line == "$-1").collect();
    let cjson = "[[0.33333333333333]]";
    assert_eq!(lines, ["*11", ":1", "1", "A", cjson, ":1", ":1", ":1", ":0", ":0", "nan", "$-1", ""]);
}

#[test]
fn functions_are_kept_up_to_a_number() {
    let mut host = ScriptHost::new(small());
    for index in 0..2000 {
        assert_eq!(check(&mut host, &format!("return {index}")), format!(":{index}\r\n"));
    }
    assert_eq!(host.state.as_ref().map(|state| state.functions.len()), Some(4));
    assert!(host.memory() < 1 << 20, "{}", host.memory());
}

#[test]
fn a_command_that_panics_does_not_spoil_the_host() {
    let mut host = ScriptHost::new(small());
    let mut broken = Counter { panics: true, ..Counter::default() };
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        run(&mut host, "local ok = pcall(redis.call, 'ping') return 1", &mut broken)
    }));
    assert!(outcome.is_err());
    let mut counter = Counter::default();
    assert_eq!(run(&mut host, "return redis.call('ping')", &mut counter), "+OK\r\n");
    assert_eq!(counter.calls, 1);
}

#[test]
fn code_compiled_elsewhere_is_not_run() {
    let mut host = ScriptHost::new(Limits::default());
    let dumped = "local f = loadstring(string.dump(function() return 'ran' end)) return tostring(f)";
    assert_eq!(check(&mut host, dumped), "$3\r\nnil\r\n");
    let loaded = "local code = string.dump(function() return 'ran' end) return tostring(load(function() local c = code code = nil return c end))";
    assert_eq!(check(&mut host, loaded), "$3\r\nnil\r\n");
    let reply = check(&mut host, "\u{1b}Lua");
    assert!(reply.starts_with("-ERR Error compiling script (new function): user_script:1:"), "{reply}");
}

#[test]
fn large_values_arrive_whole() {
    let mut host = ScriptHost::new(Limits::default());
    assert_eq!(check(&mut host, "return #redis.call('large')"), ":100000\r\n");
}

#[test]
fn many_words_are_handed_over() {
    let mut host = ScriptHost::new(Limits::default());
    let script = "local t = {} for i = 1, 5000 do t[i] = i end return redis.call('rpush', unpack(t))";
    let mut counter = Counter::default();
    assert_eq!(run(&mut host, script, &mut counter), "+OK\r\n");
    assert_eq!(counter.calls, 1);
}
