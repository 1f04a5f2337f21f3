"""Writes that are on disk before they are answered."""

import os
import subprocess

from .report import Goal
from .speed import CONNS

GOAL = Goal(1.0, 1.3)
# Longer than the pauses after which what is in the log is brought into the database: that is to be paid within the run.
SECONDS_MIN = 6
IN_MEMORY = ("tmpfs", "ramfs")


def bench_durable(report, machine, options):
    """Against `appendfsync always`; both on the same file system, both one fsync for many writes if they can."""
    kind = subprocess.run(["stat", "-f", "-c", "%T", str(machine.dir)], capture_output=True, text=True, check=True).stdout.strip()
    if kind in IN_MEMORY:
        raise RuntimeError(f"{machine.dir} is on {kind}, where fsync costs nothing: choose another with --dir")
    theirs = machine.redis("--appendonly", "yes", "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0")
    ours = machine.ring().bucket("durable", "--storage", "disk", "--durability", "sync", "--replicas", "1")
    for val, size in ((1024, "1 KiB"), (64, "64 B")):
        runs = {ours: [], theirs: []}
        for _ in range(max(options.rounds, 3)):
            for server in (ours, theirs):
                # What the one has written is not to be the other's wait.
                os.sync()
                runs[server].append(machine.load(server, keys=100_000, val=val, conns=CONNS, get=0, secs=max(options.seconds, SECONDS_MIN), warmup=0.3))
        for server in (ours, theirs):
            report.keep(work=f"durable SET {size}", server=server.name, runs=runs[server])
        of = lambda figure: [[run[figure] for run in runs[server]] for server in (ours, theirs)]
        report.ratio(f"SET {size}, fsync before the answer: per CPU second", *of("ops_per_cpu_second"), GOAL)
        report.ratio(f"SET {size}, fsync before the answer: wall", *of("ops_per_second"), GOAL, "per second")
        report.ratio(f"SET {size}, fsync before the answer: p99", *of("p99_us"), None, "us")
