"""Ringway as a user runs it: one node, an app of 1,000 routes, metrics on, one trace in a hundred sampled."""

import json
import os
import pathlib
import re
import signal
import subprocess
import urllib.request

from kv_parts.servers import LOADGEN, RINGWAY
from waiting import wait_for

from .machine import LOAD_CORES, tree

IP, SINK = "127.77.0.1", "127.77.0.250:4318"
SAMPLED = 0.01


class Ringway:
    name = "ringway"

    def __init__(self, machine, site):
        self.machine, self.data = machine, machine.dir / "node"
        machine.servers[self.name] = self
        sink = machine.start("sink", [LOADGEN, "upstream", "--listen", SINK], LOAD_CORES)
        env = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{SINK}", "OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": str(SAMPLED),
        }
        flags = ["--name", "bench", "--bind", IP, "--data", self.data, "--threads", "1", "--log", "warn"]
        flags += ["--tls-cert", site.certificate, "--tls-key", site.key]
        self.instances = []
        self.process = machine.start("ringway", [RINGWAY, "node", *flags], env=env)
        wait_for("the node to answer", lambda: self.is_up(sink))
        self.cli("deploy", site.app)
        wait_for("the site", lambda: self.sees("/1k.html") and self.sees("/app/1k"))
        self.upstream = next(one["port"] for node in self.json("ps")["nodes"] for one in node["instances"] if one["unit"] == "app" and one["port"])
        # The app's processes are neither the front end's CPU time nor to outlive it.
        self.instances = [pid for pid in tree(self.process.pid) if pid not in self.pids()]
        for pid in self.instances:
            machine.prefer(pid)

    def is_up(self, sink):
        for name, process in (("ringway", self.process), ("sink", sink)):
            if process.poll() is not None:
                raise SystemExit(f"bench: {name} ended at once: {self.machine.log_of(name)}")
        return subprocess.run([RINGWAY, "--admin", self.data, "status"], capture_output=True, timeout=30).returncode == 0

    def sees(self, path):
        return urllib.request.urlopen(self.url(path), timeout=5).status == 200

    def cli(self, *words):
        done = subprocess.run([str(word) for word in (RINGWAY, "--admin", self.data, *words)], capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            raise RuntimeError(f"ringway {' '.join(map(str, words))}: {done.stderr or done.stdout}")
        return done.stdout

    def json(self, *words):
        return json.loads(self.cli("--json", *words))

    def url(self, path, tls=False):
        return f"https://{IP}:8443{path}" if tls else f"http://{IP}:8080{path}"

    def pids(self):
        """Node and spawner, without the app's own processes: other servers do not have those."""
        spawners = [pid for pid in tree(self.process.pid)[1:] if b"__spawner" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()]
        return [self.process.pid, *spawners]

    def metrics(self):
        """Sums over labels."""
        text = urllib.request.urlopen(f"http://{IP}:7400/metrics", timeout=5).read().decode()
        sums = {}
        for name, value in re.findall(r"^(\w+)(?:\{.*\})? (\S+)$", text, re.MULTILINE):
            sums[name] = sums.get(name, 0.0) + float(value)
        return sums

    def stop(self):
        """Before the rest: a node ends its own instances, and what it left is no one else's to end."""
        self.machine.stop(self.process)
        left = [pid for pid in self.instances if "upstream" in command_line(pid)]
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        if left:
            raise RuntimeError(f"the node had ended and its app had not: processes {left}")

    @staticmethod
    def version():
        return subprocess.run([RINGWAY, "--version"], capture_output=True, text=True, check=True).stdout.strip()


def command_line(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
