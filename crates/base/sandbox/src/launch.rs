//! Driver: one fork and what happens in the child until it is the app's program. Runs in the spawner only.

use std::convert::Infallible;
use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::prctl::{set_no_new_privs, set_pdeathsig};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::unistd::{ForkResult, Pid, chdir, execve, fork, getppid, pipe2, setsid};

use crate::wire::Launch;

/// What the child may have to say about why it failed.
const WHY_MAX: u64 = 4096;

/// Starts the process. Returns when it runs its program, or why it does not.
pub fn launch(launch: &Launch, descriptors: &[OwnedFd]) -> Result<Pid, String> {
    let argv = c_strings(launch.argv.iter().cloned())?;
    let env = c_strings(launch.env.iter().map(|(name, value)| [name, &b"="[..], value].concat()))?;
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC).map_err(|errno| format!("no pipe: {}", errno.desc()))?;
    let spawner = Pid::this();
    // SAFETY: the spawner has a single thread, so the child is a full copy in which everything works, the allocator included.
    match unsafe { fork() } {
        Err(errno) => Err(format!("no new process: {}", errno.desc())),
        Ok(ForkResult::Child) => {
            let Err(why) = become_program(launch, &argv, &env, descriptors, spawner);
            let _ = File::from(writer).write_all(why.as_bytes());
            // SAFETY: ends the child at once; nothing of the spawner's is run a second time.
            unsafe { libc::_exit(127) }
        }
        Ok(ForkResult::Parent { child }) => {
            drop(writer);
            // The pipe closes by itself when the program is executed.
            let mut why = String::new();
            let _ = File::from(reader).take(WHY_MAX).read_to_string(&mut why);
            if why.is_empty() { Ok(child) } else { Err(why) }
        }
    }
}

fn become_program(
    launch: &Launch,
    argv: &[CString],
    env: &[CString],
    descriptors: &[OwnedFd],
    spawner: Pid,
) -> Result<Infallible, String> {
    let failed = |what: &str| {
        let what = what.to_owned();
        move |errno: Errno| format!("{what}: {}", errno.desc())
    };
    setsid().map_err(failed("no session"))?;
    set_pdeathsig(Signal::SIGKILL).map_err(failed("no death signal"))?;
    if getppid() != spawner {
        return Err("the spawner is gone".to_owned());
    }
    set_no_new_privs().map_err(failed("privileges cannot be given up"))?;
    default_signals().map_err(failed("signals"))?;
    lower(Resource::RLIMIT_CORE, 0).map_err(failed("limit on core dumps"))?;
    lower(Resource::RLIMIT_NOFILE, launch.open_files_max).map_err(failed("limit on open files"))?;
    for (target, descriptor) in descriptors.iter().enumerate() {
        // SAFETY: both are open; 0 to 2 are nobody's in this process. Errors are looked at.
        if unsafe { libc::dup2(descriptor.as_raw_fd(), target as i32) } < 0 {
            return Err(failed("standard streams")(Errno::last()));
        }
    }
    close_others_on_exec().map_err(failed("descriptors"))?;
    let cwd = Path::new(OsStr::from_bytes(&launch.cwd));
    chdir(cwd).map_err(failed(&format!("cannot enter {}", cwd.display())))?;
    launch.policy.enforce()?;
    let program = argv.first().ok_or("there is no program to run")?;
    execve(program, argv, env).map_err(|errno| cannot_run(program, errno))
}

fn cannot_run(program: &CString, errno: Errno) -> String {
    let help = match errno {
        Errno::ENOEXEC => ": a script needs a first line like #!/bin/sh",
        Errno::EACCES => ": is it executable?",
        Errno::ENOENT => " (or the interpreter that its first line names)",
        _ => "",
    };
    format!("cannot run {}: {}{help}", program.to_string_lossy(), errno.desc())
}

fn default_signals() -> nix::Result<()> {
    for number in 1..libc::SIGRTMAX() {
        // SAFETY: sets the default action, so no handler can be run. Those that cannot be set (SIGKILL, SIGSTOP) stay as they are.
        unsafe { libc::signal(number, libc::SIG_DFL) };
    }
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)
}

/// Never raises: that may need a privilege.
fn lower(resource: Resource, limit: u64) -> nix::Result<()> {
    let (_, hard) = getrlimit(resource)?;
    let limit = limit.min(hard);
    setrlimit(resource, limit, limit)
}

fn close_others_on_exec() -> nix::Result<()> {
    const FIRST: u32 = 3;
    // SAFETY: only marks descriptors of this process, which will use none of them after the exec.
    let result = unsafe { libc::syscall(libc::SYS_close_range, FIRST, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    Errno::result(result).map(drop)
}

fn c_strings(texts: impl Iterator<Item = Vec<u8>>) -> Result<Vec<CString>, String> {
    let c_string = |text| CString::new(text).map_err(|_| "an argument or variable contains a zero byte".to_owned());
    texts.map(c_string).collect()
}
