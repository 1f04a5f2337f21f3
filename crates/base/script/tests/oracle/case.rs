//! What a case is: in `cases.txt` as it is written by hand, in `recorded.json` with what Redis did.

use serde_json::{Value, json};

#[derive(Clone, Debug, Default)]
pub struct Case {
    pub name: String,
    /// Commands that come before it.
    pub setup: Vec<Vec<Vec<u8>>>,
    pub keys: Vec<Vec<u8>>,
    pub args: Vec<Vec<u8>>,
    /// The client's version of the protocol.
    pub version: u8,
    pub script: Vec<u8>,
}

/// A command of a script and its reply.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub version: u8,
    pub words: Vec<Vec<u8>>,
    pub reply: Vec<u8>,
}

#[derive(Clone, Debug)]
pub struct Recorded {
    pub case: Case,
    pub calls: Vec<Call>,
    pub reply: Vec<u8>,
}

/// Blocks between lines of dashes. A block: `#name`, lines with `!` (a command before it), `@keys`, `@args` (lists in JSON),
/// `@resp3`, then the script. A block whose first line begins with `>` is many cases, a script in each line.
#[allow(dead_code, reason = "one of the two programs reads, the other writes")]
pub fn parse_cases(text: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    for block in text.split("\n----\n") {
        let mut case = Case { version: 2, ..Case::default() };
        let mut lines = block.lines().peekable();
        while let Some(line) = lines.next_if(|line| is_head(line)) {
            read_head(&mut case, line);
        }
        if lines.peek().is_some_and(|line| line.starts_with('>')) {
            for (index, line) in lines.filter(|line| line.starts_with('>')).enumerate() {
                let name = format!("{} {}", case.name, index + 1);
                cases.push(Case { name, script: line[1..].trim_start().into(), ..case.clone() });
            }
            continue;
        }
        case.script = lines.collect::<Vec<_>>().join("\n").into_bytes();
        cases.push(case);
    }
    cases
}

fn is_head(line: &str) -> bool {
    line.is_empty() || line.starts_with(['#', '!', '@']) && !line.starts_with("#!")
}

fn read_head(case: &mut Case, line: &str) {
    let list = |text: &str| {
        let value: Value = serde_json::from_str(text).expect("a list");
        value.as_array().expect("a list").iter().map(bytes).collect()
    };
    if let Some(name) = line.strip_prefix('#') {
        case.name = name.trim().into();
    } else if let Some(command) = line.strip_prefix('!') {
        case.setup.push(command.split(' ').map(|word| word.as_bytes().to_vec()).collect());
    } else if let Some(keys) = line.strip_prefix("@keys ") {
        case.keys = list(keys);
    } else if let Some(args) = line.strip_prefix("@args ") {
        case.args = list(args);
    } else if line == "@resp3" {
        case.version = 3;
    }
}

#[allow(dead_code, reason = "one of the two programs reads, the other writes")]
pub fn parse_recorded(text: &str) -> Vec<Recorded> {
    let all: Value = serde_json::from_str(text).expect("JSON");
    all.as_array().expect("a list").iter().map(read_recorded).collect()
}

fn read_recorded(value: &Value) -> Recorded {
    let words = |value: &Value| value.as_array().expect("a list").iter().map(bytes).collect::<Vec<_>>();
    let calls = value["calls"].as_array().expect("a list").iter();
    Recorded {
        case: Case {
            name: value["name"].as_str().expect("a name").into(),
            setup: value["setup"].as_array().expect("a list").iter().map(words).collect(),
            keys: words(&value["keys"]),
            args: words(&value["args"]),
            version: value["version"].as_u64().expect("a version") as u8,
            script: bytes(&value["script"]),
        },
        calls: calls
            .map(|call| Call {
                version: call["version"].as_u64().expect("a version") as u8,
                words: words(&call["words"]),
                reply: bytes(&call["reply"]),
            })
            .collect(),
        reply: bytes(&value["reply"]),
    }
}

#[allow(dead_code, reason = "one of the two programs reads, the other writes")]
pub fn write_recorded(recorded: &[Recorded]) -> String {
    let words = |words: &[Vec<u8>]| words.iter().map(|word| text(word)).collect::<Vec<_>>();
    let lines: Vec<String> = recorded
        .iter()
        .map(|recorded| {
            let calls: Vec<Value> = recorded
                .calls
                .iter()
                .map(|call| json!({"version": call.version, "words": words(&call.words), "reply": text(&call.reply)}))
                .collect();
            let setup: Vec<_> = recorded.case.setup.iter().map(|command| words(command)).collect();
            json!({
                "name": recorded.case.name, "setup": setup, "keys": words(&recorded.case.keys), "args": words(&recorded.case.args),
                "version": recorded.case.version, "script": text(&recorded.case.script), "calls": calls,
                "reply": text(&recorded.reply),
            })
            .to_string()
        })
        .collect();
    format!("[\n{}\n]\n", lines.join(",\n"))
}

/// Each byte is a character below 256.
fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

fn bytes(value: &Value) -> Vec<u8> {
    value.as_str().expect("text").chars().map(|c| u8::try_from(c as u32).expect("a byte")).collect()
}
