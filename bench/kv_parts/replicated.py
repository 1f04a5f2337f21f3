"""What a write costs all replicas together."""

import statistics

from waiting import wait_for

from .report import Goal
from .servers import NETWORK, REDIS_PORT, redis_cli
from .speed import CONNS

GOAL = Goal(0.9, 0.6, less=True)


def redis_cluster(machine):
    """Three masters with a replica each, all on the servers' core."""
    flags = ["--appendonly", "no", "--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", "--repl-diskless-sync-delay", "0"]
    nodes = []
    for nth in range(2, 8):
        # On loopback all connections come from 127.0.0.1: a node has to be told who it is.
        own = ["--cluster-announce-ip", f"{NETWORK}.200.{nth}"]
        nodes.append(machine.redis(*flags, *own, nth=nth, port=REDIS_PORT + nth, name="redis cluster"))
    first, addresses = nodes[0], [node.addresses[0] for node in nodes]
    made = redis_cli(first, "--cluster", "create", *addresses, "--cluster-replicas", "1", "--cluster-yes")
    if made.returncode != 0:
        raise RuntimeError(f"redis-cli --cluster create: {made.stdout[-300:]} {made.stderr}")
    wait_for("the Redis Cluster", lambda: all("cluster_state:ok" in redis_cli(node, "cluster", "info").stdout for node in nodes))
    wait_for("its replicas", lambda: sum("master_link_status:up" in redis_cli(node, "info", "replication").stdout for node in nodes) == 3)
    first.processes = [process for node in nodes for process in node.processes]
    return first


def bench_replicated(report, machine, options):
    """Two nodes with two copies, against three masters with a replica each; a client that knows who has which key."""
    theirs = redis_cluster(machine)
    ours = machine.ring(2).bucket("copied", "--replicas", "2")
    for pipe in (1, 16):
        costs = {ours: [], theirs: []}
        for _ in range(options.rounds):
            for server in (ours, theirs):
                flags = {"addr": server.addresses[0], "cluster": True, "keys": 100_000, "conns": CONNS + 1, "pipe": pipe, "get": 0}
                seen = machine.load(server, secs=options.seconds, warmup=0.3, **flags)
                costs[server].append(1e6 / seen["ops_per_cpu_second"])
                report.keep(work=f"replicated SET p{pipe}", server=server.name, run=seen)
        note = f"{statistics.median(costs[ours]):.2f} / {statistics.median(costs[theirs]):.2f} us"
        value = statistics.median(one / other for one, other in zip(costs[ours], costs[theirs], strict=True))
        report.row(f"replicated SET 64 B, p{pipe}: CPU of all nodes over Redis Cluster's", value, GOAL, note)
