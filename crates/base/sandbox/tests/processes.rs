//! Real processes behind a real spawner.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use ringway_sandbox::{Child, Command, Error, Exit, Input, Outcome, Output, Policy, Spawner};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const SPAWNER: &str = env!("CARGO_BIN_EXE_sandbox-spawner-for-tests");
const PATIENCE: Duration = Duration::from_secs(20);

async fn spawner() -> Spawner {
    Spawner::start(Path::new(SPAWNER), [ringway_sandbox::SPAWNER_ARGUMENT]).await.unwrap()
}

fn shell(line: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.argv.extend([b"-c".to_vec(), line.as_bytes().to_vec()]);
    command.env = vec![("PATH".to_owned(), b"/usr/bin:/bin".to_vec())];
    command.output = Output::Pipe;
    command.errors = Output::Pipe;
    command
}

async fn finish(mut child: Child) -> (String, String, Exit) {
    let (mut out, mut err) = (String::new(), String::new());
    child.output.take().unwrap().read_to_string(&mut out).await.unwrap();
    child.errors.take().unwrap().read_to_string(&mut err).await.unwrap();
    let exit = tokio::time::timeout(PATIENCE, child.wait()).await.unwrap();
    (out, err, exit)
}

async fn run(spawner: &Spawner, command: Command) -> (String, String, Exit) {
    finish(spawner.spawn(command).await.unwrap()).await
}

/// Waits until the process is gone (or a zombie that nobody has collected yet).
async fn gone(pid: i32) {
    tokio::time::timeout(PATIENCE, async {
        loop {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            if stat.is_empty() || stat.contains(") Z ") {
                return;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap_or_else(|_| panic!("process {pid} still lives"));
}

/// Reads one line that is a process id.
async fn read_pid(child: &mut Child) -> i32 {
    let mut line = Vec::new();
    let output = child.output.as_mut().unwrap();
    while !line.ends_with(b"\n") {
        line.push(output.read_u8().await.unwrap());
    }
    String::from_utf8(line).unwrap().trim().parse().unwrap()
}

fn temp_dir() -> PathBuf {
    let dir = std::env::temp_dir().join(format!("ringway-sandbox-{:016x}", ringway_rt::random::number()));
    std::fs::create_dir_all(&dir).unwrap();
    dir.canonicalize().unwrap()
}

#[tokio::test]
async fn a_process_gets_its_input_environment_and_directory_and_nothing_else() {
    let spawner = spawner().await;
    let mut command =
        shell("read line; echo \"$line $GREETING\"; pwd; env | sort; echo oops >&2; ls /proc/self/fd | wc -l; exit 3");
    command.env.push(("GREETING".to_owned(), b"world".to_vec()));
    command.cwd = PathBuf::from("/usr");
    command.input = Input::Pipe;
    let mut child = spawner.spawn(command).await.unwrap();
    child.input.take().unwrap().write_all(b"hello\n").await.unwrap();
    let (out, err, exit) = finish(child).await;
    // `ls` itself has a fourth one open: the directory.
    assert_eq!(out, "hello world\n/usr\nGREETING=world\nPATH=/usr/bin:/bin\nPWD=/usr\n4\n");
    assert_eq!(err, "oops\n");
    assert_eq!(exit.outcome, Outcome::Code(3));
    assert_eq!(exit.to_string(), "exited with status 3");
    assert!(exit.memory_peak > 0);
}

#[tokio::test]
async fn why_a_program_does_not_start_is_said() {
    let spawner = spawner().await;
    let dir = temp_dir();
    std::fs::write(dir.join("plain"), "hello").unwrap();
    let refused = |program: PathBuf| {
        let spawner = spawner.clone();
        async move {
            match spawner.spawn(Command::new(program.into_os_string().into_encoded_bytes())).await {
                Err(Error::Refused(why)) => why,
                other => panic!("{other:?}"),
            }
        }
    };
    assert!(refused(dir.join("none")).await.contains("No such file"));
    assert!(refused(dir.join("plain")).await.contains("is it executable?"));
    let mut nowhere = shell("true");
    nowhere.cwd = dir.join("none");
    let error = spawner.spawn(nowhere).await.unwrap_err().to_string();
    assert!(error.starts_with("cannot enter "), "{error}");
    // Nothing else is disturbed.
    assert!(run(&spawner, shell("true")).await.2.is_success());
    std::fs::remove_dir_all(&dir).unwrap();
}

#[tokio::test]
async fn an_environment_that_is_too_large_is_refused_before_it_is_sent() {
    let spawner = spawner().await;
    let mut command = shell("true");
    command.env.push(("BIG".to_owned(), vec![b'x'; 200_000]));
    assert!(matches!(spawner.spawn(command).await, Err(Error::TooLarge { .. })));
    assert!(run(&spawner, shell("true")).await.2.is_success());
}

#[tokio::test]
async fn a_process_that_ignores_sigterm_is_ended_by_sigkill() {
    let spawner = spawner().await;
    let mut child = spawner.spawn(shell("trap '' TERM; echo $$; while :; do sleep 1; done")).await.unwrap();
    read_pid(&mut child).await;
    child.terminate();
    let still_there = tokio::time::timeout(Duration::from_millis(300), child.wait()).await;
    assert!(still_there.is_err(), "{still_there:?}");
    child.kill();
    let exit = tokio::time::timeout(PATIENCE, child.wait()).await.unwrap();
    assert_eq!(exit.to_string(), "was ended by SIGKILL");
}

#[tokio::test]
async fn the_signals_that_the_spawner_blocks_reach_the_processes() {
    let spawner = spawner().await;
    let mut child = spawner.spawn(shell("echo $$; exec sleep 1000")).await.unwrap();
    read_pid(&mut child).await;
    child.terminate();
    assert_eq!(tokio::time::timeout(PATIENCE, child.wait()).await.unwrap().outcome, Outcome::Signal(15));
}

#[tokio::test]
async fn what_a_process_leaves_behind_goes_with_it() {
    let spawner = spawner().await;
    let mut child = spawner.spawn(shell("sleep 1000 & echo $!")).await.unwrap();
    let left_behind = read_pid(&mut child).await;
    assert!(tokio::time::timeout(PATIENCE, child.wait()).await.unwrap().is_success());
    gone(left_behind).await;
}

#[tokio::test]
async fn a_dropped_child_is_killed_with_its_group() {
    let spawner = spawner().await;
    let mut child = spawner.spawn(shell("sleep 1000 & echo $!; wait")).await.unwrap();
    let (leader, member) = (child.pid() as i32, read_pid(&mut child).await);
    drop(child);
    gone(leader).await;
    gone(member).await;
}

#[tokio::test]
async fn private_directories_cannot_be_read_and_only_own_directories_written() {
    let spawner = spawner().await;
    if spawner.isolation().contains("no landlock") {
        return;
    }
    let dir = temp_dir();
    for name in ["data/keys", "data/releases/shop/1", "data/apps/shop"] {
        std::fs::create_dir_all(dir.join(name)).unwrap();
    }
    std::fs::write(dir.join("data/keys/node.pem"), "secret").unwrap();
    std::fs::write(dir.join("data/releases/shop/1/page"), "page").unwrap();
    let mut command = shell(
        "cat data/keys/node.pem; cat data/releases/shop/1/page; echo; ls data; echo x > data/apps/shop/mine && cat data/apps/shop/mine; \
         echo x > data/releases/shop/1/page; echo x > outside; cat /etc/passwd > /dev/null && echo etc",
    );
    command.cwd = dir.clone();
    command.policy = Policy {
        private: vec![dir.join("data")],
        read: vec![dir.join("data/releases/shop/1")],
        write: vec![dir.join("data/apps/shop")],
    };
    let (out, err, _) = run(&spawner, command).await;
    assert_eq!(out, "page\nx\netc\n", "{err}");
    assert_eq!(err.matches("ermission denied").count(), 4, "{err}");
    std::fs::remove_dir_all(&dir).unwrap();
}

#[tokio::test]
async fn a_fenced_process_cannot_signal_others() {
    let spawner = spawner().await;
    if !spawner.isolation().contains("signals") {
        return;
    }
    let mut victim = spawner.spawn(shell("echo $$; exec sleep 1000")).await.unwrap();
    let pid = read_pid(&mut victim).await;
    let (_, err, exit) = run(&spawner, shell(&format!("kill -9 {pid}"))).await;
    assert!(!exit.is_success(), "{err}");
    victim.terminate();
    assert_eq!(tokio::time::timeout(PATIENCE, victim.wait()).await.unwrap().outcome, Outcome::Signal(15));
}

#[tokio::test]
async fn when_the_spawner_dies_its_children_die_and_a_new_one_is_started() {
    let spawner = spawner().await;
    let mut child = spawner.spawn(shell("sleep 1000 & echo $!; echo $PPID; wait")).await.unwrap();
    let (leader, member) = (child.pid() as i32, read_pid(&mut child).await);
    let spawner_pid = read_pid(&mut child).await;
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(spawner_pid), nix::sys::signal::Signal::SIGKILL).unwrap();
    assert_eq!(tokio::time::timeout(PATIENCE, child.wait()).await.unwrap().outcome, Outcome::Lost);
    gone(leader).await;
    gone(member).await;
    let (out, _, _) = run(&spawner, shell("echo again")).await;
    assert_eq!(out, "again\n");
}

#[tokio::test]
async fn when_the_node_goes_no_process_is_left_not_even_one_that_left_its_group() {
    let spawner = spawner().await;
    let mut child = spawner.spawn(shell("setsid sleep 1000 & echo $!; wait")).await.unwrap();
    let (leader, runaway) = (child.pid() as i32, read_pid(&mut child).await);
    spawner.stop(PATIENCE).await;
    gone(leader).await;
    gone(runaway).await;
    assert!(matches!(spawner.spawn(shell("true")).await, Err(Error::Stopping)));
}

#[tokio::test]
async fn many_processes_at_once_are_told_apart() {
    let spawner = spawner().await;
    let runs = (0..40).map(|number| {
        let spawner = spawner.clone();
        tokio::spawn(async move {
            let (out, _, exit) = run(&spawner, shell(&format!("echo {number}; exit {number}"))).await;
            assert_eq!((out, exit.outcome), (format!("{number}\n"), Outcome::Code(number)));
        })
    });
    for run in runs.collect::<Vec<_>>() {
        run.await.unwrap();
    }
}
