"""How long an operation takes: figures of the wall clock, only as quiet as the machine."""

from .report import Goal
from .servers import WITH_MEMCACHED
from .speed import CONNS

# Of what the slower server can do: at all of it, no open loop ever comes to rest.
SHARE = 0.9


def bench_zipf(report, machine, options):
    """p99 at 90 % of the rate that the slower of the two can do, both at that same rate, by the clock."""
    for subnet, theirs in enumerate((machine.redis(), machine.memcached()), start=1):
        ours = machine.ring(subnet=subnet, flags=WITH_MEMCACHED if theirs.proto == "mc" else ()).bucket("zipf", proto=theirs.proto)
        flags = {"keys": options.keys, "conns": CONNS, "pipe": 16, "get": 95, "dist": "zipf", "secs": options.seconds, "warmup": 0.3}
        for server in (ours, theirs):
            machine.fill(server, options.keys, 64)
        p99 = {ours: [], theirs: []}
        for _ in range(options.rounds):
            most = {server: machine.load(server, **flags)["ops_per_second"] for server in (ours, theirs)}
            rate = SHARE * min(most.values())
            for server in (ours, theirs):
                seen = machine.load(server, rate=round(rate), **flags)
                p99[server].append(seen["p99_us"])
                report.keep(work="zipf", server=server.name, most=most[server], run=seen)
        note = f"us, at {rate:,.0f}/s"
        report.ratio(f"zipf 0.99, 95 % GET, p16: wall p99 over {theirs.name}'s", p99[ours], p99[theirs], Goal(1.0, 0.5, less=True), note)


def bench_quorum(report, machine, options):
    """A write that three nodes have, against one that one has; one client that waits for each answer."""
    both = {0, 1}
    one = machine.ring(1, both, subnet=1).bucket("alone", "--replicas", "1")
    three = machine.ring(3, both, subnet=2).bucket("copied", "--replicas", "3")
    for how, cluster in (("asked at its primary", True), ("asked at any node", False)):
        p50 = {one: [], three: []}
        for _ in range(max(options.rounds, 5)):
            for server in (one, three):
                # The connection goes to the first node: with --cluster only that node's keys are written.
                flags = {"addr": server.addresses[0], "cluster": cluster, "keys": 100_000, "conns": 1, "get": 0}
                seen = machine.load(server, cores=both, secs=options.seconds, warmup=0.3, **flags)
                p50[server].append(seen["p50_us"])
                report.keep(work=f"a write {how}", server=f"{len(server.addresses)} nodes", run=seen)
        report.ratio(f"a write on 3 nodes, {how}: p50 over that on one", p50[three], p50[one], Goal(3.0, 2.0, less=True), "us")
