"""The load: wrk, h2load and openssl's s_time, on core 1, each run with the CPU time that it cost."""

import re
import time
from dataclasses import dataclass

from .machine import cpu_seconds

UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}
HANDSHAKERS = 4


@dataclass
class Run:
    requests: int
    seconds: float
    load_cpu: float
    p50_ms: float | None = None
    p99_ms: float | None = None
    server_cpu: float = 0.0
    upstream_cpu: float = 0.0

    @property
    def per_cpu_second(self):
        return self.requests / self.server_cpu

    @property
    def per_total_cpu_second(self):
        return self.requests / (self.server_cpu + self.load_cpu + self.upstream_cpu)


def measured(load, machine, url, seconds, server, upstream):
    """One run, with what the server and the app behind it used meanwhile."""
    pids = server.pids()
    before = cpu_seconds(pids), cpu_seconds(upstream)
    run = load(machine, url, seconds)
    run.server_cpu, run.upstream_cpu = (cpu_seconds(of) - was for of, was in zip((pids, upstream), before))
    if run.requests == 0 or run.server_cpu <= 0:
        raise RuntimeError(f"{server.name}: {run.requests} requests, {run.server_cpu:.3f} CPU seconds")
    return run


def wrk(conns=64, *headers):
    def load(machine, url, seconds):
        words = [word for header in headers for word in ("-H", header)]
        (said,), cpu = machine.run(["wrk", "-t1", f"-c{conns}", f"-d{seconds}s", "--timeout", "10s", "--latency", *words, url])
        if "Non-2xx" in said or "Socket errors" in said:
            raise RuntimeError(f"wrk saw errors at {url}: {' '.join(said.split())}")
        requests, took = re.search(r"(\d+) requests in ([\d.]+\w+)", said).groups()
        return Run(int(requests), milliseconds(took) / 1e3, cpu, percentile(said, 50), percentile(said, 99))

    return load


def percentile(said, percent):
    return milliseconds(re.search(rf"^\s+{percent}%\s+(\S+)", said, re.MULTILINE).group(1))


def milliseconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(\w+)", text).groups()
    return float(number) * UNITS[unit]


def h2load(conns, streams):
    """It tells no percentiles without a line for each request: latency is left to wrk."""

    def load(machine, url, seconds):
        (said,), cpu = machine.run(["h2load", "-t1", f"-c{conns}", f"-m{streams}", "-D", f"{seconds}s", url])
        counts = {name: int(count) for count, name in re.findall(r"(\d+) (done|succeeded|failed|errored|timeout)\b", said)}
        if counts["succeeded"] != counts["done"] or counts["failed"] or "Application protocol: h2\n" not in said or "TLSv1.3" not in said:
            raise RuntimeError(f"h2load at {url}: {' '.join(said.split())}")
        return Run(counts["succeeded"], float(seconds), cpu)

    return load


def handshakes(machine, url, seconds):
    """Each connection is new to the server, and asks once. Not by wrk: that resumes sessions when it connects again."""
    address, path = re.fullmatch(r"https://([^/]+)(/.*)", url).groups()
    command = ["openssl", "s_time", "-connect", address, "-new", "-tls1_3", "-time", seconds, "-www", path]
    began = time.monotonic()
    told, cpu = machine.run(*[command] * HANDSHAKERS)
    took = time.monotonic() - began
    counts = [re.search(r"(\d+) connections in \d+ real seconds, (\d+) bytes read per connection", said) for said in told]
    if not all(counts) or any(int(count.group(2)) < 1024 for count in counts):
        raise RuntimeError(f"s_time at {url}: {' '.join(told[0].split())}")
    return Run(sum(int(count.group(1)) for count in counts), took, cpu)
