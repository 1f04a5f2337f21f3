"""What a part starts, and the end of it: processes of their own sessions, each stopped by its own id."""

import ctypes
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

SERVER_CORES, LOAD_CORES = {0}, {1}
STOP_SECONDS = 15
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


class Machine:
    def __init__(self, options):
        self.options, self.processes, self.servers = options, [], {}
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="ringway-front-"))
        # Some peers' workers run as a user of their own.
        self.dir.chmod(0o755)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """Also at Ctrl-C, and a second one does not cut it short."""
        was = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            for server in self.servers.values():
                server.stop()
        finally:
            for process in list(reversed(self.processes)):
                self.stop(process)
            shutil.rmtree(self.dir, ignore_errors=True)
            signal.signal(signal.SIGINT, was)

    def start(self, name, command, cores=SERVER_CORES, env=None, out=None):
        """`out`: where its standard output goes, if not to its log, NAME.log."""
        log = open(self.dir / f"{name}.log", "ab")
        process = subprocess.Popen(
            [str(word) for word in command], stdout=out or log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.dir, env={**os.environ, **(env or {})},
            start_new_session=True, preexec_fn=lambda: settle(cores), text=out is not None,
        )
        self.processes.append(process)
        self.prefer(process.pid)
        return process

    def stop(self, process):
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self.processes.remove(process)

    def prefer(self, pid):
        """Sessions share the cores as groups: the group's share is what `--nice` sets."""
        if self.options.nice:
            os.setpriority(os.PRIO_PROCESS, pid, self.options.nice)
            group = pathlib.Path(f"/proc/{pid}/autogroup")
            if group.exists():
                group.write_text(str(self.options.nice))

    def run(self, *commands):
        """Load generators on the load's core, all at once: what each said, and the CPU seconds of all."""
        name = pathlib.Path(commands[0][0]).name
        running = [self.start(name, command, LOAD_CORES, out=subprocess.PIPE) for command in commands]
        said, used = zip(*[self.result(name, process) for process in running])
        return said, sum(used)

    def result(self, name, process):
        said = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        process.stdout.close()
        self.processes.remove(process)
        if process.returncode != 0:
            raise RuntimeError(f"{' '.join(map(str, process.args))} failed: {said.strip()} {self.log_of(name)}")
        return said, used.ru_utime + used.ru_stime

    def log_of(self, name):
        """The end of it, in one line."""
        return " ".join((self.dir / f"{name}.log").read_text(errors="replace").split())[-300:]


def settle(cores):
    """In the new process: it stays on its cores, and does not outlive the benchmark even if that is killed."""
    os.sched_setaffinity(0, cores)
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def cpu_seconds(pids):
    """Of all their threads, from the kernel's scheduler."""
    nanoseconds = 0
    for pid in pids:
        for task in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"):
            try:
                nanoseconds += int(task.read_text().split()[0])
            except (FileNotFoundError, ProcessLookupError):
                pass
    return nanoseconds / 1e9


def tree(pid):
    """A process and all below it."""
    found, todo = [], [pid]
    while todo:
        pid = todo.pop()
        found.append(pid)
        for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
            try:
                todo += [int(child) for child in task.read_text().split()]
            except (FileNotFoundError, ProcessLookupError):
                pass
    return found


def pss(pids):
    """Bytes of memory, pages that several share counted by their share."""
    rollups = [pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in pids]
    return sum(int(text.split("\nPss:")[1].split()[0]) * 1024 for text in rollups)
