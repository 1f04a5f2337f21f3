//! core: reads `[function.NAME]`.

use super::section::Section;
use super::values::check_env;
use crate::function::{Function, FunctionRun};
use crate::invalid::Invalid;
use crate::relative_path::relative_path;

const CONCURRENCY_MAX: u32 = 10_000;
const INSTANCES_MAX: u32 = 10_000;

/// The keys of which a function has exactly one.
const RUN_KEYS: [&str; 3] = ["wasm", "lambda", "cgi"];

pub(super) fn read(mut section: Section<'_, '_>) -> Option<Function> {
    let run = read_run(&mut section);
    let mut function = Function::new(run.clone().unwrap_or(FunctionRun::Wasm { file: String::new() }));
    function.build = section.command("build");
    function.timeout = section.timeout("timeout").unwrap_or(function.timeout);
    function.memory = section.bytes("memory").unwrap_or(function.memory);
    function.concurrency = section.count("concurrency", 1..=CONCURRENCY_MAX).unwrap_or(function.concurrency);
    function.idle = section.timeout("idle").unwrap_or(function.idle);
    function.env = section.string_map("env", check_env);
    function.instances_max = section.count("instances_max", 1..=INSTANCES_MAX).unwrap_or(function.instances_max);
    section.finish();
    run.map(|_| function)
}

fn read_run(section: &mut Section<'_, '_>) -> Option<FunctionRun> {
    let wasm = section.read("wasm", "a file such as \"hello.wasm\"", relative_path);
    let lambda = section.command("lambda");
    let cgi = section.read("cgi", "a script such as \"hello.sh\"", relative_path);
    let given: Vec<&str> = RUN_KEYS.into_iter().filter(|key| section.has(key)).collect();
    match given[..] {
        [] => {
            let message = format!("nothing to run{}", section.place());
            let help = "set one of `wasm = \"FILE\"`, `lambda = \"COMMAND\"` or `cgi = \"SCRIPT\"`";
            let span = section.span().clone();
            section.report.fault(&span, Invalid::new(message).help(help));
        }
        [key] => section.remember(key),
        [first, second, ..] => {
            let message = format!("`{second}`{}, which has `{first}` already", section.place());
            section.fault(second, Invalid::new(message).help("a function runs one thing: keep one of them"));
        }
    }
    wasm.map(|file| FunctionRun::Wasm { file })
        .or(lambda.map(|command| FunctionRun::Lambda { command }))
        .or(cgi.map(|script| FunctionRun::Cgi { script }))
}
