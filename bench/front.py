#!/usr/bin/env python3
"""The front end's and the cache's figures: Ringway beside nginx, HAProxy, Varnish, Squid, h2o and Caddy, the same work in the same minute.

    make bench                                  all of it, among the other benchmarks
    python3 bench/front.py                      all of it, alone (needs target/release/ringway and target/release/ringway-loadgen)
    python3 bench/front.py static1k h2          only these parts
    python3 bench/front.py --peers nginx,h2o    only these peers
    python3 bench/front.py --nice -15           (root) on a machine that does other things
    python3 bench/front.py --json FILE          rows and every single run, too

Ratios are of requests per CPU second of the server (all its processes and threads, from the kernel's scheduler) unless a row says
otherwise. Server on core 0, the load on core 1; in every round all servers have their turn; medians. bench/README.md says more.

Not called http.py: that is a module of Python's own, which the programs of this directory need.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
from functools import partial

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from front_parts import idle, works  # noqa: E402
from front_parts.machine import Machine  # noqa: E402
from front_parts.peers import PEERS  # noqa: E402
from front_parts.ringway import Ringway  # noqa: E402
from front_parts.table import table  # noqa: E402
from kv_parts.report import Report, say  # noqa: E402
from kv_parts.servers import LOADGEN, RINGWAY  # noqa: E402

PARTS = {name: partial(works.bench, work) for name, work in works.WORKS.items()} | {"idle": idle.bench_idle, "idletls": idle.bench_idle_tls}
TOOLS = ["wrk", "h2load", "openssl"]


def options_of(words):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=f"{' '.join(PARTS)}; none: all")
    parser.add_argument("--rounds", type=int, default=5, help="of which the median counts")
    parser.add_argument("--seconds", type=int, default=2, help="of one measurement")
    parser.add_argument("--peers", type=lambda text: text.split(","), default=list(PEERS), help=f"of {','.join(PEERS)}")
    parser.add_argument("--nice", type=int, default=0, help="of all processes; -15 (root) where other work is on the machine")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="everything that was seen")
    options = parser.parse_args(words)
    for name, known in ((options.parts, PARTS), (options.peers, PEERS)):
        unknown = [word for word in name if word not in known]
        if unknown:
            parser.error(f"there is no {unknown[0]}: {' '.join(known)}")
    if options.rounds < 1 or options.seconds < 1:
        parser.error("--rounds and --seconds are at least 1")
    options.parts = options.parts or list(PARTS)
    return options


def wanted_peers(options):
    compared = [works.WORKS[part] for part in options.parts if part in works.WORKS]
    return [PEERS[name] for name in options.peers if any(name in work.goals for work in compared)]


def main():
    options = options_of(sys.argv[1:])
    for program in (RINGWAY, LOADGEN):
        if not program.exists():
            sys.exit(f"bench: {program} is not there: cargo build --release -p ringway -p ringway-loadgen (make bench does)")
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing:
        sys.exit(f"bench: there is no {missing[0]}: run `scripts/setup bench`")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    others = f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}"
    report = Report([Ringway.version(), *(peer.version() for peer in wanted_peers(options)), others])
    try:
        for part in options.parts:
            measure(part, report, options)
    finally:
        table(works.WORKS, report)
        if options.json:
            options.json.write_text(json.dumps(report.document(), indent=2))


def measure(part, report, options):
    report.begin(part)
    try:
        with Machine(options) as machine:
            PARTS[part](report, machine, options)
    except RuntimeError as fault:
        report.failed(str(fault))
    except (OSError, KeyError, ValueError, AttributeError, subprocess.SubprocessError) as fault:
        report.failed(f"{type(fault).__name__}: {fault}")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        say("bench: stopped; what was started has ended")
        sys.exit(130)
