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

    /// A line for the shell, which makes way for the program it names.
    pub fn shell(line: &str) -> Self {
        let mut command = Self::new("/bin/sh");
        command.argv.extend([b"-c".to_vec(), format!("exec {line}").into_bytes()]);
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
