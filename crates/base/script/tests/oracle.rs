//! Scripts are answered as by Redis 7.0.15: `oracle/recorded.json` has what that answered to them, and to each of their commands.

#[path = "oracle/case.rs"]
mod case;

use case::{Call, Recorded};
use ringway_protocol::resp::{Out, RespVersion};
use ringway_script::{Caller, Input, Limits, Script, ScriptHost};

/// Answers as Redis did, as long as the script says what it said then.
struct Replay<'a> {
    calls: std::slice::Iter<'a, Call>,
    surprise: Option<String>,
}

impl Caller for Replay<'_> {
    fn call(&mut self, words: &[&[u8]], reply: &mut Out) {
        let call = self.calls.next();
        let is_same = |call: &&Call| call.words == words && call.version == reply.version().number();
        match call.filter(is_same) {
            Some(call) => reply.raw(&call.reply),
            None => {
                let said: Vec<_> = words.iter().map(|word| String::from_utf8_lossy(word)).collect();
                self.surprise = Some(format!("calls {said:?}, then it was {call:?}"));
                reply.error("ERR not in the recording");
            }
        }
    }

    fn has_command(&mut self, words: &[&[u8]]) -> bool {
        words[0] != b"nope"
    }
}

fn fault(host: &mut ScriptHost, recorded: &Recorded) -> Option<String> {
    let case = &recorded.case;
    let mut out = Out::new(RespVersion::from_number(case.version));
    let keys: Vec<&[u8]> = case.keys.iter().map(Vec::as_slice).collect();
    let args: Vec<&[u8]> = case.args.iter().map(Vec::as_slice).collect();
    let mut replay = Replay { calls: recorded.calls.iter(), surprise: None };
    match Script::new(case.script.clone().into()) {
        Ok(script) => host.run(&script, Input { keys: &keys, args: &args }, &mut replay, &mut out),
        Err(error) => out.error(&error.to_string()),
    }
    if replay.surprise.is_some() {
        return replay.surprise;
    }
    let reply = out.into_bytes();
    if replay.calls.next().is_some() || *reply != *recorded.reply {
        let (ours, theirs) = (String::from_utf8_lossy(&reply), String::from_utf8_lossy(&recorded.reply));
        return Some(format!("answers {ours:?}, Redis {theirs:?}"));
    }
    None
}

#[test]
fn scripts_answer_as_in_redis() {
    let recorded = case::parse_recorded(include_str!("oracle/recorded.json"));
    assert!(recorded.len() > 300, "only {} cases", recorded.len());
    // One after the other in one state, as on a node: none may see what another left.
    let mut host = ScriptHost::new(Limits::default());
    let faults: Vec<String> = recorded
        .iter()
        .filter_map(|recorded| fault(&mut host, recorded).map(|fault| format!("{}: {fault}", recorded.case.name)))
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
