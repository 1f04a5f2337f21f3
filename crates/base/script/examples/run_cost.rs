//! What a script costs besides its commands: five lines with two of them, and a command that does nothing.

use std::time::Instant;

use ringway_protocol::resp::{Out, RespVersion};
use ringway_script::{Caller, Input, Library, Limits, Script, ScriptHost, Sha};

const LOCK: &str = "local token = redis.call('get', KEYS[1])
if token == ARGV[1] then
  return redis.call('del', KEYS[1])
end
return 0";
const RUNS: u32 = 200_000;

struct Nothing;

impl Caller for Nothing {
    fn call(&mut self, words: &[&[u8]], reply: &mut Out) {
        match words[0] {
            b"get" => reply.bulk(b"token"),
            _ => reply.int(1),
        }
    }

    fn has_command(&mut self, _words: &[&[u8]]) -> bool {
        true
    }
}

fn main() {
    let library = Library::new(1 << 20);
    let script = library.insert(Script::new(LOCK.into()).expect("no shebang")).expect("fits");
    let hex = script.sha().hex();
    let mut host = ScriptHost::new(Limits::default());
    let mut out = Out::new(RespVersion::Two);
    for round in 0..5 {
        let began = Instant::now();
        for _ in 0..RUNS {
            let sha = Sha::from_hex(&hex).expect("hex");
            let script = library.get(&sha).expect("is there");
            host.run(&script, Input { keys: &[b"lock"], args: &[b"token"] }, &mut Nothing, &mut out);
            assert_eq!(out.plain(), Some(&b":1\r\n"[..]));
            out.clear();
        }
        println!("round {round}: {:?} a run, {} bytes held", began.elapsed() / RUNS, host.memory());
    }
}
