//! Core: what is to be run.

use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::policy::Policy;
use crate::wire::Launch;

/// Unless asked for otherwise; a lower limit of the node's own holds as well.
const OPEN_FILES_MAX: u64 = 65_536;

/// A process to be started. Nothing is inherited: what is not said here is not there.
#[derive(Debug)]
pub struct Command {
    /// The first is the absolute path of the program.
    pub argv: Vec<Vec<u8>>,
    pub env: Vec<(String, Vec<u8>)>,
    pub cwd: PathBuf,
    pub input: Input,
    pub output: Output,
    pub errors: Output,
    pub open_files_max: u64,
    pub policy: Policy,
}

#[derive(Debug)]
pub enum Input {
    Nothing,
    Pipe,
    File(File),
}

#[derive(Debug)]
pub enum Output {
    Nowhere,
    Pipe,
}

impl Command {
    /// `program` with nothing: no input, no output, no environment, in `/`.
    pub fn new(program: impl Into<Vec<u8>>) -> Self {
        Self {
            argv: vec![program.into()],
            env: Vec::new(),
            cwd: PathBuf::from("/"),
            input: Input::Nothing,
            output: Output::Nowhere,
            errors: Output::Nowhere,
            open_files_max: OPEN_FILES_MAX,
            policy: Policy::default(),
        }
    }

    /// A line for the shell. It makes way for a simple command; for others (`cd x && ./run`, `MODE=fast ./run`) it stays, and
    /// outlives SIGTERM until its child has ended, since the group is killed with its leader.
    pub fn shell(line: &str) -> Self {
        let script = if is_simple(line) { format!("exec {line}") } else { format!("trap 'exit 143' TERM\n{line}") };
        let mut command = Self::new("/bin/sh");
        command.argv.extend([b"-c".to_vec(), script.into_bytes()]);
        command
    }

    pub(crate) fn into_launch(self, id: u64) -> Launch {
        Launch {
            id,
            argv: self.argv,
            env: self.env.into_iter().map(|(name, value)| (name.into_bytes(), value)).collect(),
            cwd: self.cwd.as_os_str().as_bytes().to_vec(),
            open_files_max: self.open_files_max,
            policy: self.policy,
        }
    }
}

const OF_THE_SHELL: &[&str] =
    &["cd", "exec", "export", "set", "ulimit", "umask", "if", "while", "until", "for", "case", "trap", "echo", "test"];

/// Whether `exec` may stand in front: one command, which begins with a program's name or path.
fn is_simple(line: &str) -> bool {
    let first = line.split_whitespace().next().unwrap_or_default();
    let is_program = first.contains('/') || first.chars().all(|c| c.is_ascii_alphanumeric() || "-_.+".contains(c));
    !first.is_empty() && is_program && !OF_THE_SHELL.contains(&first) && !line.contains([';', '&', '|', '\n', '(', '{'])
}

#[cfg(test)]
mod tests {
    use super::is_simple;

    #[test]
    fn exec_stands_only_in_front_of_a_simple_command() {
        for simple in ["./search --port $PORT", "python3 -m http.server $PORT", "node app.js > log"] {
            assert!(is_simple(simple), "{simple}");
        }
        for other in [
            "cd web && ./run",
            "MODE=fast ./run",
            "echo x; exit 7",
            "a | b",
            "exec ./run",
            "while true; do x; done",
            "",
        ] {
            assert!(!is_simple(other), "{other}");
        }
    }
}
