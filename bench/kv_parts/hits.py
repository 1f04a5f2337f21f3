"""How much of a trace a tenth of its data holds."""

import json
import os
import subprocess

from .report import Goal, say
from .servers import ROOT

GOAL = Goal(1.0, 2.0, "points")


def bench_hits(report, machine, options):
    """The engine's own example plays traces into a bucket that is too small, and into an ideal LRU of the same bytes."""
    traces = sorted(options.traces.glob("*.txt")) if options.traces else []
    words = [word for trace in traces for word in ("--trace", trace)]
    command = ["cargo", "run", "--release", "--quiet", "--locked", "-p", "ringway-engine", "--example", "hit_ratio", "--", "--json", "--part", "0.1", *words]
    done = subprocess.run([str(word) for word in command], cwd=ROOT, capture_output=True, text=True, env={**os.environ, "NO_COLOR": "1"}, timeout=1200)
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-300:])
    for row in json.loads(done.stdout):
        report.keep(work="hits", run=row)
        gain = row["hit_percent"] - row["lru_percent"]
        report.row(f"hit ratio over LRU at a tenth: {row['trace']}", gain, GOAL, f"{row['hit_percent']:.1f} / {row['lru_percent']:.1f} % of {row['requests']:,}")
    if not traces:
        say("  synthetic traces only: --traces DIR plays recorded ones")
