"""What an operation costs: CPU seconds, bytes, and on both cores."""

import statistics
import time

from .report import Goal
from .servers import WITH_MEMCACHED, Server

PLAIN, PIPELINED, BY_MEMCACHED = Goal(1.10, 1.25), Goal(2.0, 3.0), Goal(1.8, 2.8)
CONNS = 50


class Work:
    def __init__(self, name, val, goal, **flags):
        self.name, self.val, self.goal, self.flags = name, val, goal, {"conns": CONNS, **flags}


def works(plain, pipelined):
    return [
        Work(f"{word} {size}, p{pipe}", val, goal, get=get, pipe=pipe)
        for val, size in ((64, "64 B"), (1024, "1 KiB"))
        for pipe, goal in ((1, plain), (16, pipelined))
        for word, get in (("GET", 100), ("SET", 0))
    ]


def keys_of(val, options):
    return options.keys if val < 1024 else options.keys // 5


def compare(report, machine, options, ours, theirs, all_works):
    """Every work on both, in turns."""
    wanted = [work for work in all_works if options.only in work.name]
    filled = None
    for work in wanted:
        keys = keys_of(work.val, options)
        if filled != work.val:
            for server in (ours, theirs):
                machine.fill(server, keys, work.val)
            filled = work.val
        seen, before = {ours: [], theirs: []}, ours.cpu_by_name()
        for _ in range(options.rounds):
            for server in (ours, theirs):
                seen[server].append(machine.load(server, keys=keys, val=work.val, secs=options.seconds, warmup=0.3, **work.flags))
        for server, runs in seen.items():
            report.keep(work=work.name, server=server.name, runs=runs)
        threads = {name: round(used - before.get(name, 0.0), 3) for name, used in ours.cpu_by_name().items()}
        report.keep(work=work.name, server=ours.name, cpu_seconds_by_thread=threads)
        rates = [[run["ops_per_cpu_second"] for run in seen[server]] for server in (ours, theirs)]
        idle = max(run["generator_cpu_seconds"] / run["seconds"] for run in seen[ours])
        report.ratio(f"{work.name}, {theirs.name}", *rates, work.goal, "the generator was the limit" if idle > 0.97 else "")


def bench_redis(report, machine, options):
    ours, theirs = machine.ring().bucket("speed"), machine.redis()
    compare(report, machine, options, ours, theirs, works(PLAIN, PIPELINED))


def bench_memcached(report, machine, options):
    """And a get of 16 keys, which is how memcached's own clients ask for many."""
    ours, theirs = machine.ring(flags=WITH_MEMCACHED).bucket("speed", proto="mc"), machine.memcached()
    several = Work("one get of 16 keys, 64 B", 64, None, get=100, pipe=1, multi=16)
    compare(report, machine, options, ours, theirs, [several, *works(None, BY_MEMCACHED)])


def bench_memory(report, machine, options):
    """Resident bytes of a million items of 16 + 64 bytes. Code and buffers are warm before."""
    for make, goal in ((lambda: machine.ring().bucket("memory"), Goal(145, 130, "B", less=True)), (machine.redis, None), (machine.memcached, None)):
        server = make()
        for pipe in (1, 100):
            machine.fill(server, 1000, 64)
        time.sleep(1)
        before = server.rss()
        machine.fill(server, options.keys, 64)
        time.sleep(2)
        per_item = (server.rss() - before) / options.keys
        if goal:
            report.row(f"bytes per item, {options.keys:,} of 16 B + 64 B", per_item, goal)
        else:
            report.told(f"bytes per item, {options.keys:,} of 16 B + 64 B: {server.name}", f"{per_item:.0f} B")


def bench_cores(report, machine, options):
    """One node on both cores against one on core 0, each time with the generator on the same cores. The generator takes its part of
    them, so what counts is the work done per CPU second, times how many cores the server used alike: 2.0 is a server that two cores
    serve twice as well as one. Two redis-servers that share nothing, each on a core of its own, tell how much of that there is to
    have. What the wall clock saw is told beside it."""
    ours = machine.ring(subnet=1, cores={0}).bucket("one"), machine.ring(subnet=2, cores={0, 1}).bucket("two")
    first, second, alone = (machine.redis(nth=nth, cores={core}) for nth, core in ((1, 0), (2, 1), (3, 0)))
    pair = Server("redis", "resp", first.addresses + second.addresses, first.processes + second.processes)
    for server in (*ours, first, second, alone):
        machine.fill(server, options.keys, 64)
    for pipe in (1, 16):
        flags = {"keys": options.keys, "conns": CONNS, "pipe": pipe, "get": 90, "secs": options.seconds, "warmup": 0.3}
        runs, shares = {server: [] for server in (*ours, alone, pair)}, {ours[1]: [], pair: []}
        for _ in range(options.rounds):
            for server in runs:
                before = server.cpu_seconds()
                runs[server].append(machine.load(server, cores={0, 1} if server in shares else {0}, **flags))
                used = sorted((seconds - before.get(thread, 0.0) for thread, seconds in server.cpu_seconds().items()), reverse=True)
                if server in shares:
                    shares[server].append(used[1] / used[0])
        of = lambda figure, server: [run[figure] for run in runs[server]]
        for (one, two), name, goal in ((ours, "", Goal(1.8, 2.0)), ((alone, pair), " by two redis-servers", None)):
            share = statistics.median(shares[two])
            doubled = [rate * (1 + share) for rate in of("ops_per_cpu_second", two)]
            note = f"the second thread did {100 * share:.0f} % of the first's"
            report.ratio(f"both cores against one{name}, 90 % GET, p{pipe}", doubled, of("ops_per_cpu_second", one), goal, note)
            wall = of("ops_per_second", two), of("ops_per_second", one)
            report.ratio(f"both cores against one{name}, 90 % GET, p{pipe}: wall", *wall, None, "per second")
            report.keep(work=f"cores p{pipe}{name}", one=runs[one], two=runs[two])
