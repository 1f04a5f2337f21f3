#!/usr/bin/env python3
"""The data tier's figures: Ringway beside Debian's redis-server 7 and memcached 1.6, the same work in the same minute.

    make bench                             all of it, after bench/run.py
    python3 bench/kv.py                    all of it, alone (needs target/release/ringway and target/release/ringway-loadgen)
    python3 bench/kv.py redis zipf         only these parts
    python3 bench/kv.py redis --only p16   only the rows whose name has that in it
    python3 bench/kv.py --json             one JSON document on standard output, the table on standard error

Ratios are of operations per CPU second of the server (all its threads, from the kernel's scheduler) unless a row says otherwise.
Servers on core 0, the load on core 1; in every repetition all servers have their turn; medians. bench/README.md says what each part does.
"""

import argparse
import json
import pathlib
import signal
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from kv_parts import clients, durable, hits, latency, replicated, speed  # noqa: E402
from kv_parts.report import Report  # noqa: E402
from kv_parts.servers import LOADGEN, RINGWAY, Machine, versions  # noqa: E402

PARTS = {
    "redis": speed.bench_redis,
    "memcached": speed.bench_memcached,
    "zipf": latency.bench_zipf,
    "memory": speed.bench_memory,
    "hits": hits.bench_hits,
    "durable": durable.bench_durable,
    "replicated": replicated.bench_replicated,
    "quorum": latency.bench_quorum,
    "outage": clients.bench_outage,
    "cores": speed.bench_cores,
    "idle": clients.bench_idle,
}


def options_of(words):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=f"{' '.join(PARTS)}; none: all")
    parser.add_argument("--only", default="", help="rows whose name has this in it (redis, memcached)")
    parser.add_argument("--rounds", type=int, default=3, help="repetitions, of which the median counts")
    parser.add_argument("--seconds", type=float, default=1.2, help="of one measurement")
    parser.add_argument("--keys", type=int, default=1_000_000, help="of 64 bytes; a fifth of it of 1 KiB")
    parser.add_argument("--idle", type=int, default=10_000, help="idle connections")
    parser.add_argument("--traces", type=pathlib.Path, help="directory of traces (*.txt, a line a request: KEY BYTES) for the hit ratio")
    parser.add_argument("--dir", type=pathlib.Path, help="where the servers keep their data; else the system's temporary directory")
    parser.add_argument("--nice", type=int, default=0, help="of all processes; -10 (root) where other work is on the machine")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(words)
    unknown = [part for part in options.parts if part not in PARTS]
    if unknown:
        parser.error(f"there is no part {unknown[0]}: {' '.join(PARTS)}")
    return options


def main():
    options = options_of(sys.argv[1:])
    for program in (RINGWAY, LOADGEN):
        if not program.exists():
            sys.exit(f"bench: {program} is not there: cargo build --release -p ringway -p ringway-loadgen (make bench does)")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    report = Report(versions())
    for part in options.parts or PARTS:
        report.begin(part)
        try:
            with Machine(options) as machine:
                PARTS[part](report, machine, options)
        except (RuntimeError, OSError, KeyError, ValueError, subprocess.SubprocessError) as fault:
            report.failed(f"{type(fault).__name__}: {fault}")
    report.table()
    if options.json:
        print(json.dumps(report.document(), indent=2))


if __name__ == "__main__":
    main()
