#!/usr/bin/env python3
"""The ring's figures: lookups and placement in the simulator, hops on live nodes, a live join under load.

    make bench                          all of it, after bench/run.py
    python3 bench/ring.py               all of it, alone (needs target/release/ringway, or RINGWAY=path)
    python3 bench/ring.py sim hops      only these parts: sim churn placement hops chord join resume
    python3 bench/ring.py --json        one JSON document on standard output, the table on standard error

Every figure names the command that makes it. Ratios and counts can be compared between machines; wall-clock figures are only as
quiet as the machine. Each part is bounded in time, all of them together take less than six minutes.
"""

import argparse
import binascii
import json
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import steady_load  # noqa: E402
from steady_load import SteadyLoad, fill  # noqa: E402
from waiting import wait_for  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
RINGWAY = pathlib.Path(os.environ.get("RINGWAY", ROOT / "target/release/ringway"))
VALUE_LEN = 1024


class Report:
    """Rows of what was wanted and what was seen."""

    def __init__(self):
        self.rows, self.details = [], {}

    def row(self, part, what, wanted, seen, is_met, command):
        self.rows.append({"part": part, "what": what, "wanted": wanted, "seen": seen, "met": is_met, "command": command})
        mark = {True: "yes", False: "NO", None: "-"}[is_met]
        print(f"{what:62} {wanted:>14} {seen:>22}  {mark}", file=sys.stderr, flush=True)

    def failed(self, part, why, command=""):
        self.row(part, f"{part}: {why.strip().splitlines()[-1][:90] if why.strip() else 'failed'}", "", "not measured", False, command)


def say(text):
    print(f"  {text}", file=sys.stderr, flush=True)


def number(value):
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def sim(*arguments, timeout=240):
    """`ringway sim ring ... --json`: the array, and the command as a person would type it."""
    words = ["sim", "ring", *arguments, "--json"]
    done = subprocess.run([RINGWAY, *words], capture_output=True, text=True, timeout=timeout)
    if done.returncode != 0:
        raise RuntimeError(done.stderr or done.stdout)
    return json.loads(done.stdout), "ringway " + " ".join(words)


# ---- the simulator ----


def bench_sim(report, options):
    """A million nodes: hops of each router, lookups per second of a core, the time to build it."""
    rows, command = sim("--nodes", str(options.nodes), "--routers", "all", "--seed", "1", "--timing")
    report.details["sim"] = rows
    by_router = {row["router"]: row for row in rows if "router" in row}
    for name, row in by_router.items():
        rate = row.get("lookups_per_cpu_second")
        say(f"{name:12} {row['hops_mean']:10.2f} hops, p99 {row['hops_p99']}, {row['state_entries_per_node']:,.0f} entries a node, "
            + (f"{rate:,.0f} lookups per CPU second, " if rate else "") + f"{row['wrong']} wrong, {row['lost']} lost of {row['lookups']:,}")
    fingers = by_router.get("fingers")
    if fingers is None:
        return report.failed("sim", "no router called fingers in the answer", command)
    mean, p99, rate = fingers["hops_mean"], fingers["hops_p99"], fingers.get("lookups_per_cpu_second") or 0
    report.row("sim", f"fingers, mean hops at {options.nodes:,} nodes", "<= 5.0", f"{mean:.2f}", mean <= 5.0, command)
    report.row("sim", "fingers, p99 hops", "<= 6", str(p99), p99 <= 6, command)
    report.row("sim", "simulated lookups per CPU second, fingers", ">= 500,000", number(rate), rate >= 500_000, command)
    bad = sum(row["wrong"] + row["lost"] for row in by_router.values())
    report.row("sim", "wrong or lost, all routers", "0", str(bad), bad == 0, command)
    # All but a thousand lookups of it is building the ring.
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    _, command = sim("--nodes", str(options.nodes), "--routers", "fingers", "--lookups", "1000", "--seed", "1")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    build = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    report.details["build_cpu_seconds"] = build
    report.row("sim", "building the converged ring, CPU seconds", "<= 10", f"{build:.1f}", build <= 10, command)
    textbook, command = sim("--nodes", str(options.nodes), "--routers", "fingers", "--base", "2", "--seed", "1")
    mean = next(row["hops_mean"] for row in textbook if row.get("router", "").startswith("fingers"))
    report.row("sim", "fingers of base 2 (the textbook's), mean hops", "10.8 +- 0.2", f"{mean:.2f}", abs(mean - 10.8) <= 0.2, command)


def bench_churn(report, options):
    """One join and one leave a second, a million lookups, message by message."""
    for nodes in ("100", "1000"):
        rows, command = sim("--nodes", nodes, "--churn", "1/s", "--lookups", str(options.lookups), "--seed", "1")
        report.details.setdefault("churn", []).extend(rows)
        for row in (row for row in rows if row.get("router") == "fingers"):
            bad = row["wrong"] + row["lost"]
            what = f"churn 1/s, {nodes} nodes: wrong or lost of {row['lookups']:,} lookups"
            report.row("churn", what, "0", str(bad), bad == 0, command)


def bench_placement(report, options):
    """What a join moves, and how even it stays after a hundred joins and leaves."""
    for placement in ("layout", "modulo", "chord", "vnodes:64"):
        rows, command = sim("--nodes", "200", "--placement", placement, "--seed", "1")
        report.details.setdefault("placement", []).extend(rows)
        for row in (row for row in rows if "moved_over_ideal" in row):
            moved, load = row["moved_over_ideal"], row["load_max_over_mean"]
            primary = row.get("primary_max_over_mean")
            say(f"{row['placement']:12} moved {moved:.2f}x the ideal, most loaded {load:.3f} of the mean"
                + (f", of primaries {primary:.3f}" if primary is not None else ""))
            if placement == "layout":
                report.row("placement", "moved over ideal", "<= 1.02", f"{moved:.3f}", moved <= 1.02, command)
                report.row("placement", "most loaded over mean, replicas", "<= 1.02", f"{load:.3f}", load <= 1.02, command)
                if primary is not None:
                    report.row("placement", "most loaded over mean, primaries", "<= 1.05", f"{primary:.3f}", primary <= 1.05, command)


# ---- live nodes ----


class Node:
    def __init__(self, cluster, nth):
        self.nth, self.name, self.ip = nth, f"n{nth}", f"127.60.{cluster.subnet}.{nth}"
        self.data, self.process, self.cluster = cluster.dir / f"n{nth}", None, cluster

    def start(self, *words):
        log = open(self.cluster.dir / f"{self.name}.log", "ab")
        command = [RINGWAY, *(words or ["node"]), "--name", self.name, "--bind", self.ip, "--data", self.data, "--threads", "1", "--log", "info", *self.cluster.flags]
        self.process = subprocess.Popen([str(word) for word in command], stdout=log, stderr=log, stdin=subprocess.DEVNULL, preexec_fn=lambda: os.nice(Cluster.nice))

    def kill(self):
        self.process.kill()
        self.process.wait()

    def cli(self, *words, timeout=60):
        return subprocess.run([RINGWAY, "--admin", self.data, *words], capture_output=True, text=True, timeout=timeout)

    def json(self, *words, timeout=60):
        done = self.cli("--json", *words, timeout=timeout)
        if done.returncode != 0:
            raise RuntimeError(f"ringway {' '.join(words)}: {done.stderr or done.stdout}")
        return json.loads(done.stdout)

    def metrics(self):
        """Sums over labels by name."""
        admin = json.loads((self.data / "admin.json").read_text())
        request = urllib.request.Request(admin["url"] + "/metrics", headers={"Authorization": f"Bearer {admin['token']}"})
        sums = {}
        for line in urllib.request.urlopen(request, timeout=5).read().decode().splitlines():
            if line and not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                name = name.split("{")[0]
                sums[name] = sums.get(name, 0.0) + float(value)
        return sums

    def rss_mb(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024


class Cluster:
    """Real nodes on loopback addresses of their own."""

    nice = 0

    def __init__(self, subnet, flags=()):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="ringway-ring-"))
        self.subnet, self.flags, self.nodes = subnet, flags, []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for node in self.nodes:
            if node.process and node.process.poll() is None:
                node.process.send_signal(signal.SIGKILL)
        for node in self.nodes:
            if node.process:
                node.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def add(self, wait=True):
        node = Node(self, len(self.nodes) + 1)
        if self.nodes:
            node.start("join", self.nodes[0].cli("token", "--quiet").stdout.strip())
        else:
            node.start("node")
        self.nodes.append(node)
        if wait:
            wait_for(f"{node.name} to answer", lambda: node.cli("status").returncode == 0)
            self.settle()
        return node

    def moving(self):
        return self.nodes[0].json("status")["ring"]["moving"]

    def settle(self, seconds=60):
        """Until all nodes are members, up, and nothing moves."""
        def settled():
            status = self.nodes[0].json("status")
            up = sum(node["reach"] == "up" for node in status["nodes"])
            return up == len(self.nodes) and status["ring"]["moving"] is None
        wait_for("the ring to settle", settled, seconds)


def hops_of(report, part, cluster, wanted):
    """Real lookups over the network, begun at several nodes."""
    size = len(cluster.nodes)
    for via, most in wanted.items():
        words = ["ring", "lookup", "--sample", "200", "--via", via]
        command = f"ringway {' '.join(words)} --json"
        samples = [node.json(*words)[0] for node in cluster.nodes[:: max(1, size // 5)]]
        report.details.setdefault(part, []).extend(samples)
        lost = sum(sample["lost"] + sample["wrong"] for sample in samples)
        mean = sum(sample["hops_mean"] for sample in samples) / len(samples)
        say(f"{via:12} {mean:.2f} hops, {samples[0]['state_entries_per_node']} entries a node, {sum(sample['time_us_mean'] for sample in samples) / len(samples):,.0f} us")
        met = None if most is None else mean <= most and lost == 0
        report.row(part, f"mean hops on {size} live nodes, {via}" + (f", {lost} lost" if lost else ""), f"<= {most}" if most else "", f"{mean:.2f}", met, command)


def bench_hops(report, options):
    """Twenty live nodes of a managed ring."""
    with Cluster(20) as cluster:
        began = time.monotonic()
        for _ in range(options.live):
            cluster.add()
        say(f"{options.live} nodes after {time.monotonic() - began:.0f} s, {sum(node.rss_mb() for node in cluster.nodes):,.0f} MB in all")
        hops_of(report, "hops", cluster, {"fingers": 2.0, "table": 1.0, "neighbours": None})


def bench_chord(report, options):
    """Twenty live nodes without an agreed layout."""
    with Cluster(21, ("--ring", "chord")) as cluster:
        for nth in range(options.live):
            node = cluster.add(wait=False)
            wait_for(f"{node.name} to answer", lambda: node.cli("status").returncode == 0)
            if nth == 0:
                continue
        cluster.settle(90)
        hops_of(report, "chord", cluster, {"fingers": 2.0, "neighbours": None})


# ---- a live join under load ----


def phase(load, seconds):
    """What the load saw in the next seconds."""
    since = load.mark()
    time.sleep(seconds)
    return load.seen(since)


def tell(name, seen):
    say(f"{name:34} {seen['requests']:7,} requests, {seen['failed']} failed, p50 {seen['p50_ms']:.2f} ms, p99 {seen['p99_ms']:.2f} ms, "
        f"p99.9 {seen['p999_ms']:.2f} ms, slowest {seen['max_ms']:.0f} ms, generator late by {seen['late_ms']:.1f} ms")


def until_settled(cluster, load, since, seconds):
    """Waits until nothing moves; the time it took."""
    began = time.monotonic()
    wait_for("the move to end", lambda: cluster.moving() is None, seconds, pause=1.0)
    return time.monotonic() - began


def fetched(node):
    """Bytes that a node has fetched because the ring moved, since it started."""
    return node.metrics().get("ringway_data_moved_bytes_total", 0.0)


def held(node, bucket):
    """Keys and bytes of a bucket on a node."""
    connection = fill.connect((node.ip, 7379), bucket)
    info = dict(line.split(":", 1) for line in connection.ask("INFO").decode().splitlines() if ":" in line)
    connection.close()
    return int(info["local_keys"]), int(info["local_bytes"])


def expected(node, keys):
    """How many of key:0 to key:KEYS-1 the agreed layout gives a node."""
    ring = node.json("ring")
    place = next(at for at, member in enumerate(ring["members"]) if member["name"] == node.name)
    holds = bytearray(ring.get("partitions", 4096))
    for arc in ring["arcs"]:
        if place in arc["owners"]:
            for partition in range(arc["from_partition"], arc["to_partition"] + 1):
                holds[partition] = 1
    return sum(holds[binascii.crc_hqx(b"key:%d" % number, 0) % 16384 // 4] for number in range(keys))


def whole_after(node, bucket, wanted, seconds=40):
    """How long until a node has all it is to have, by comparing with the others; the keys that are there then."""
    began = time.monotonic()
    while held(node, bucket)[0] < wanted and time.monotonic() - began < seconds:
        time.sleep(0.5)
    return time.monotonic() - began, held(node, bucket)[0]


def missing(node, bucket, keys):
    """How many keys are not found through a node."""
    connection, count = fill.connect((node.ip, 7379), bucket), 0
    for start in range(0, keys, 500):
        words = [b"key:%d" % number for number in range(start, min(start + 500, keys))]
        connection.socket.sendall(steady_load.command("EXISTS", *words))
        count += len(words) - int(connection.reply())
    connection.close()
    return count


def filled(cluster, name, megabytes, *more):
    """A bucket with that much in it."""
    bucket = cluster.nodes[0].json("bucket", "create", name, "--limit", f"{max(64, megabytes * 3)}MB", *more)
    keys = megabytes * 1_000_000 // VALUE_LEN
    for node in cluster.nodes:
        wait_for(f"{node.name} to hear of the bucket", lambda: fill.connect((node.ip, 7379), bucket).close() is None, 10)
    began = time.monotonic()
    fill([(node.ip, 7379) for node in cluster.nodes], bucket, keys, VALUE_LEN)
    say(f"{name}: {keys:,} keys of {VALUE_LEN} bytes after {time.monotonic() - began:.0f} s, {held(cluster.nodes[0], bucket)[1] / 1e6:,.0f} MB on a node")
    return bucket, keys


def bench_join(report, options):
    """A fourth node joins three that hold a gigabyte each, while clients go on."""
    command = "python3 bench/ring.py join"
    with Cluster(22) as cluster:
        for _ in range(3):
            cluster.add()
        bucket, keys = filled(cluster, "load", options.megabytes)
        if options.transfer_rate:
            cluster.nodes[0].cli("ring", "set", "--transfer-rate", options.transfer_rate)
        with SteadyLoad([(node.ip, 7379) for node in cluster.nodes], bucket, keys, VALUE_LEN, options.rate) as load:
            phase(load, 3)
            usual = phase(load, options.usual)
            tell("usual", usual)
            since, began = load.mark(), time.monotonic()
            joiner = cluster.add(wait=False)
            wait_for("the joiner to answer", lambda: joiner.cli("status").returncode == 0)
            wait_for("the move to begin or end", lambda: cluster.moving() is not None or held(joiner, bucket)[0] > keys // 2)
            until_settled(cluster, load, since, options.patience)
            took = time.monotonic() - began
            during = load.seen(since)
            tell("while the fourth node joins", during)
            after = phase(load, 3)
            tell("after", after)
            moved, (got_keys, got_bytes) = fetched(joiner), held(joiner, bucket)
        ratio = during["p99_ms"] / usual["p99_ms"]
        report.details["join"] = {"usual": usual, "during": during, "after": after, "seconds": took, "bytes_fetched": moved, "keys": got_keys, "bytes": got_bytes}
        say(f"took {took:.1f} s; the joiner holds {got_keys:,} keys, {got_bytes / 1e6:,.0f} MB, fetched {moved / 1e6:,.0f} MB")
        report.row("join", f"live join at {options.megabytes} MB a node: p99 over usual ({usual['p99_ms']:.1f} ms)", "<= 2", f"{ratio:.2f}", ratio <= 2, command)
        failed = usual["failed"] + during["failed"] + after["failed"]
        report.row("join", "live join: failed requests", "0", str(failed), failed == 0, command)
        wanted = expected(joiner, keys)
        report.details["join"]["expected_keys"] = wanted
        report.row("join", "live join: keys that the layout gives the new node over 3K/4", "<= 1.02", f"{wanted / (keys * 0.75):.3f}", wanted <= keys * 0.765, command)
        report.row("join", "live join: keys that are on the new node over those", "1.000", f"{got_keys / wanted:.3f}", got_keys == wanted, command)
        lost = missing(joiner, bucket, keys)
        report.row("join", "live join: keys not found through the new node", "0", str(lost), lost == 0, command)
        report.row("join", "live join: bytes fetched over bytes held", "<= 1.1", f"{moved / got_bytes:.2f}", moved <= got_bytes * 1.1, command)
        report.row("join", "live join: seconds", "", f"{took:.1f}", None, command)


def bench_resume(report, options):
    """The same on disk, with SIGKILL of the joiner in the middle, and of a source."""
    command = "python3 bench/ring.py resume"
    with Cluster(23) as cluster:
        for _ in range(3):
            cluster.add()
        bucket, keys = filled(cluster, "disk", options.disk_megabytes, "--storage", "disk")
        # Clients of the nodes that live on; those of a killed one lose their connection whatever the others do.
        with SteadyLoad([(node.ip, 7379) for node in cluster.nodes[:2]], bucket, keys, VALUE_LEN, options.rate // 2) as load:
            phase(load, 3)
            usual = phase(load, options.usual)
            tell("usual", usual)
            since = load.mark()
            joiner = cluster.add(wait=False)
            before = mid_transfer(cluster, joiner, bucket, keys)
            joiner.kill()
            say(f"SIGKILL of the joiner after {before / 1e6:,.0f} MB")
            wait_for("the joiner to be seen down", lambda: any(node["name"] == joiner.name and node["reach"] != "up" for node in cluster.nodes[0].json("status")["nodes"]), 20)
            joiner.start()
            wait_for("the joiner to answer", lambda: joiner.cli("status").returncode == 0)
            source = cluster.nodes[2]
            time.sleep(0.5)
            say("SIGKILL of a source" + (" while data moves" if cluster.moving() is not None else ""))
            source.kill()
            time.sleep(2)
            source.start()
            wait_for("the source to answer", lambda: source.cli("status").returncode == 0)
            cluster.settle(options.patience)
            during = load.seen(since)
            tell("join, both killed and back", during)
        again, (got_keys, got_bytes) = fetched(joiner), held(joiner, bucket)
        total = before + again
        report.details["resume"] = {"usual": usual, "during": during, "bytes_before": before, "bytes_after": again, "keys": got_keys, "bytes": got_bytes}
        say(f"the joiner holds {got_keys:,} keys, {got_bytes / 1e6:,.0f} MB; fetched {before / 1e6:,.0f} MB before and {again / 1e6:,.0f} MB after it was killed")
        report.row("resume", "SIGKILL of joiner and source: failed requests", "0", str(during["failed"]), during["failed"] == 0, command)
        wanted = expected(joiner, keys)
        lost = missing(joiner, bucket, keys)
        report.row("resume", "SIGKILL of joiner and source: keys not found through the joiner", "0", str(lost), lost == 0, command)
        took, there = whole_after(joiner, bucket, wanted)
        report.details["resume"].update({"expected_keys": wanted, "whole_after_s": took})
        report.row("resume", f"keys on the joiner over what is its own, after {took:.0f} s of comparing", "1.000", f"{there / wanted:.3f}", there == wanted, command)
        report.row("resume", "SIGKILL of joiner: bytes fetched in all over bytes held", "<= 1.3", f"{total / got_bytes:.2f}", total <= got_bytes * 1.3, command)


def mid_transfer(cluster, joiner, bucket, keys):
    """Waits until the joiner has about a third of what it is to get; the bytes fetched."""
    wait_for("the joiner to answer", lambda: joiner.cli("status").returncode == 0)
    wait_for("a third of the transfer", lambda: held(joiner, bucket)[0] > keys // 4, 60, pause=0.05)
    return fetched(joiner)


PARTS = {"sim": bench_sim, "churn": bench_churn, "placement": bench_placement, "hops": bench_hops, "chord": bench_chord, "join": bench_join, "resume": bench_resume}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=f"{' '.join(PARTS)}; none: all")
    parser.add_argument("--nodes", type=int, default=1_000_000, help="of the simulated ring")
    parser.add_argument("--lookups", type=int, default=1_000_000, help="under churn")
    parser.add_argument("--live", type=int, default=20, help="live nodes for the hops")
    parser.add_argument("--megabytes", type=int, default=1000, help="on each node before the join")
    parser.add_argument("--disk-megabytes", type=int, default=200, help="the same for the part with SIGKILL")
    parser.add_argument("--rate", type=int, default=2000, help="requests per second of the steady load")
    parser.add_argument("--usual", type=int, default=10, help="seconds for the usual p99")
    parser.add_argument("--transfer-rate", help="of the moves, as for `ringway ring set`; without it, Ringway's own")
    parser.add_argument("--patience", type=int, default=120, help="seconds that a move may take")
    parser.add_argument("--nice", type=int, default=0, help="of the nodes; -10 (root) where other work is on the machine")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    unknown = [part for part in options.parts if part not in PARTS]
    if unknown:
        sys.exit(f"bench: there is no part {unknown[0]}: {' '.join(PARTS)}")
    if not RINGWAY.exists():
        sys.exit("bench: build it first: cargo build --release -p ringway (make bench does)")
    report, Cluster.nice = Report(), options.nice
    print(f"{'the ring':62} {'wanted':>14} {'seen':>22}  met", file=sys.stderr)
    for part in options.parts or PARTS:
        try:
            PARTS[part](report, options)
        except (RuntimeError, OSError, KeyError, ValueError, StopIteration, subprocess.TimeoutExpired) as fault:
            report.failed(part, f"{type(fault).__name__}: {fault}")
    if options.json:
        print(json.dumps({"rows": report.rows, "details": report.details}, indent=2))


if __name__ == "__main__":
    main()
