"""Servers of a benchmark: each a process of its own session on the cores it is given, stopped by its own id."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

from waiting import wait_for

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
RINGWAY = pathlib.Path(os.environ.get("RINGWAY", ROOT / "target/release/ringway"))
LOADGEN = pathlib.Path(os.environ.get("RINGWAY_LOADGEN", ROOT / "target/release/ringway-loadgen"))
SERVER_CORES, LOAD_CORES = {0}, {1}
REDIS_PORT, MEMCACHED_PORT = 6399, 11299
DOOR_PORTS = {"resp": 7379, "mc": 7311}
WITH_MEMCACHED = ["--memcache", DOOR_PORTS["mc"]]
NETWORK = "127.93"


def versions():
    first = lambda *command: subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    return [first(RINGWAY, "--version"), " ".join(first("redis-server", "--version").split()[:3]), first("memcached", "--version")]


class Server:
    """Something with a Redis or a memcached door, in one process or several."""

    def __init__(self, name, proto, addresses, processes, auth=None):
        self.name, self.proto, self.addresses, self.processes, self.auth = name, proto, addresses, processes, auth

    def pids(self):
        return [process.pid for process in self.processes]

    def cpu_seconds(self):
        """Of all threads, by thread."""
        seconds = {}
        for pid in self.pids():
            for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                try:
                    seconds[task.name] = int((task / "schedstat").read_text().split()[0]) / 1e9
                except (FileNotFoundError, ProcessLookupError):
                    pass
        return seconds

    def cpu_by_name(self):
        """Of all threads, by what they are called."""
        seconds, tasks = {}, {task: pid for pid in self.pids() for task in os.listdir(f"/proc/{pid}/task")}
        for task, used in self.cpu_seconds().items():
            name = pathlib.Path(f"/proc/{tasks.get(task, task)}/task/{task}/comm")
            name = name.read_text().strip() if name.exists() else "ended"
            seconds[name] = seconds.get(name, 0.0) + used
        return seconds

    def rss(self):
        """Bytes."""
        status = [pathlib.Path(f"/proc/{pid}/status").read_text() for pid in self.pids()]
        return sum(int(text.split("VmRSS:")[1].split()[0]) * 1024 for text in status)


class Node:
    """One Ringway process."""

    def __init__(self, machine, subnet, nth, cores, flags):
        self.machine, self.nth, self.cores, self.flags = machine, nth, cores, flags
        self.name, self.ip, self.data = f"n{nth}", f"{NETWORK}.{subnet}.{nth}", machine.dir / f"ringway-{subnet}-{nth}"
        self.process = None

    def start(self, *words):
        command = [RINGWAY, *(words or ["node"]), "--name", self.name, "--bind", self.ip, "--data", self.data, "--threads", "1", "--log", "warn", *self.flags]
        self.process = self.machine.spawn(f"ringway-{self.ip}", command, self.cores)
        wait_for(f"{self.name} to answer", self.answers)

    def answers(self):
        if self.process.poll() is not None:
            said = (self.machine.dir / f"ringway-{self.ip}.log").read_text().split()
            raise subprocess.SubprocessError(f"the node ended: {' '.join(said)[-300:]}")
        return self.cli("status").returncode == 0

    def cli(self, *words):
        return subprocess.run([str(RINGWAY), "--admin", str(self.data), *map(str, words)], capture_output=True, text=True, timeout=60)

    def json(self, *words):
        done = self.cli("--json", *words)
        if done.returncode != 0:
            raise RuntimeError(f"ringway {' '.join(map(str, words))}: {done.stderr or done.stdout}")
        return json.loads(done.stdout)


class Ring:
    """Ringway nodes that know each other."""

    def __init__(self, machine, subnet, count, cores, flags):
        self.nodes = [Node(machine, subnet, nth + 1, cores, flags) for nth in range(count)]
        self.nodes[0].start()
        for node in self.nodes[1:]:
            node.start("join", self.nodes[0].cli("token", "--quiet").stdout.strip())
        wait_for("the ring to settle", self.is_settled)

    def is_settled(self):
        status = self.nodes[0].json("status")
        return sum(node["reach"] == "up" for node in status["nodes"]) == len(self.nodes) and status["ring"]["moving"] is None

    def bucket(self, name, *flags, proto="resp", limit="2GB"):
        """A new bucket, as a server that speaks one of the two protocols; all nodes know it."""
        made = self.nodes[0].json("bucket", "create", name, "--limit", limit, *flags)
        return self.door(f"{made['name']}:{made['token']}", proto)

    def door(self, auth, proto):
        addresses = [f"{node.ip}:{DOOR_PORTS[proto]}" for node in self.nodes]
        server = Server("ringway", proto, addresses, [node.process for node in self.nodes], auth)
        for address in addresses:
            probe = Server("ringway", proto, [address], [], auth)
            wait_for(f"the bucket at {address}", lambda: self.nodes[0].machine.load(probe, fill=True, keys=1, conns=1, pid=[])["stored"] == 1)
        return server


class Machine:
    """What a part of the benchmark starts; all of it ends with the part."""

    def __init__(self, options):
        self.options, self.processes = options, []
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="ringway-kv-", dir=options.dir))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            self.kill(process)
        shutil.rmtree(self.dir, ignore_errors=True)

    def kill(self, process):
        """At once: what the servers hold is thrown away. A node's spawner ends with it."""
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait()

    def spawn(self, name, command, cores):
        log = open(self.dir / f"{name}.log", "ab")
        process = subprocess.Popen(
            [str(word) for word in command], stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.dir,
            start_new_session=True, preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )
        self.processes.append(process)
        self.prefer(process.pid)
        return process

    def prefer(self, pid):
        """Sessions share the cores as groups: the group's share is what `--nice` sets."""
        if self.options.nice:
            os.setpriority(os.PRIO_PROCESS, pid, self.options.nice)
            group = pathlib.Path(f"/proc/{pid}/autogroup")
            if group.exists():
                group.write_text(str(self.options.nice))

    def redis(self, *flags, nth=1, port=REDIS_PORT, cores=SERVER_CORES, name="redis"):
        ip, home = f"{NETWORK}.200.{nth}", self.dir / f"redis-{nth}"
        home.mkdir()
        command = ["redis-server", "--port", port, "--bind", ip, "--dir", home, "--save", "", "--maxclients", "20000", *(flags or ["--appendonly", "no"])]
        server = Server(name, "resp", [f"{ip}:{port}"], [self.spawn(f"redis-{nth}", command, cores)])
        wait_for(f"redis-server at {ip}", lambda: redis_cli(server, "ping").stdout.strip() == "PONG")
        return server

    def memcached(self, cores=SERVER_CORES):
        ip = f"{NETWORK}.201.1"
        command = ["memcached", "-l", ip, "-p", MEMCACHED_PORT, "-U", "0", "-t", "1", "-m", "2048", "-c", "20000", *(["-u", "root"] if os.geteuid() == 0 else [])]
        server = Server("memcached", "mc", [f"{ip}:{MEMCACHED_PORT}"], [self.spawn("memcached", command, cores)])
        wait_for("memcached", lambda: self.load(server, fill=True, keys=1, conns=1, pid=[])["stored"] == 1)
        return server

    def ring(self, count=1, cores=SERVER_CORES, subnet=1, flags=()):
        return Ring(self, subnet, count, cores, flags)

    def load(self, server, cores=LOAD_CORES, **flags):
        """One run of the generator. Any error in it makes its figures worthless."""
        flags = {"proto": server.proto, "addr": ",".join(server.addresses), "pid": server.pids(), "auth": server.auth, **flags}
        words = [word for name, value in flags.items() for word in flag(name, value)]
        run = subprocess.Popen(
            [str(LOADGEN), *words, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True, preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )
        self.processes.append(run)
        self.prefer(run.pid)
        out, error = run.communicate(timeout=180)
        self.processes.remove(run)
        if run.returncode != 0:
            raise RuntimeError(f"{server.name}: {error.strip()}")
        seen = json.loads(out)
        if seen["errors"]:
            raise RuntimeError(f"{server.name}: {seen['errors']} errors, the first: {seen['error']}")
        if not flags.get("fill") and seen["misses"] > seen["ops"] * 0.001:
            raise RuntimeError(f"{server.name}: {seen['misses']} of {seen['ops']} were not found")
        return seen

    def fill(self, server, keys, val, **flags):
        return self.load(server, fill=True, keys=keys, val=val, conns=20, pipe=100, **flags)


def flag(name, value):
    """As the generator's command line has it."""
    if value is None or value is False or value == []:
        return []
    if value is True:
        return [f"--{name}"]
    return [f"--{name}", ",".join(map(str, value)) if isinstance(value, list) else str(value)]


def redis_cli(server, *words):
    host, port = server.addresses[0].split(":")
    return subprocess.run(["redis-cli", "-h", host, "-p", port, *map(str, words)], capture_output=True, text=True, timeout=30)
