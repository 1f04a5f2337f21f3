//! Driver: runs a program to its end, bounded in time, and keeps what it said.

use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(90);

/// A program that ended.
#[derive(Debug, Clone)]
pub struct Finished {
    pub success: bool,
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Finished {
    /// Standard output of a program that must succeed.
    pub fn ok(self) -> String {
        assert!(self.success, "exit {:?}\nstdout: {}\nstderr: {}", self.code, self.out, self.err);
        self.out
    }

    /// Standard error of a program that must fail.
    pub fn fails(self) -> String {
        assert!(!self.success, "was to fail\nstdout: {}\nstderr: {}", self.out, self.err);
        self.err
    }
}

pub fn run(program: impl AsRef<Path>, arguments: &[&str]) -> Finished {
    run_in(Path::new("."), program, arguments)
}

pub fn run_in(dir: &Path, program: impl AsRef<Path>, arguments: &[&str]) -> Finished {
    finish(Command::new(program.as_ref()).args(arguments).current_dir(dir))
}

/// Runs a prepared command; killed after 90 s.
pub fn finish(command: &mut Command) -> Finished {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    let reader = |pipe: Option<Box<dyn std::io::Read + Send>>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(mut pipe) = pipe {
                let _ = pipe.read_to_end(&mut bytes);
            }
            String::from_utf8_lossy(&bytes).into_owned()
        })
    };
    let out = reader(child.stdout.take().map(|pipe| Box::new(pipe) as _));
    let err = reader(child.stderr.take().map(|pipe| Box::new(pipe) as _));
    let start = Instant::now();
    let status = loop {
        match child.try_wait().expect("the child is ours") {
            Some(status) => break status,
            None if start.elapsed() > PATIENCE => {
                let _ = child.kill();
                panic!("{command:?} did not end within {PATIENCE:?}");
            }
            None => std::thread::park_timeout(Duration::from_millis(10)),
        }
    };
    let text = |thread: std::thread::JoinHandle<String>| thread.join().expect("the reader does not panic");
    Finished { success: status.success(), code: status.code(), out: text(out), err: text(err) }
}
