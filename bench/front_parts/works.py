"""What is asked of the servers, of which peers a figure is wanted, and the comparison."""

import re
import ssl
import statistics
import urllib.request
from dataclasses import asdict, dataclass, field
from typing import Callable

from kv_parts.report import Goal, say
from waiting import wait_for

from .load import h2load, handshakes, measured, wrk
from .peers import PEERS
from .ringway import SAMPLED, Ringway
from .site import Site

WARM_UP_SECONDS = 1
# The app behind a proxy needs several microseconds for a request; behind a cache it is not asked.
UPSTREAM_ASKED, UPSTREAM_IDLE = 1e-6, 0.1e-6
# Of a few requests the load may not have seen the end.
COUNTED_LEAST, FEATURES_SECONDS = 0.98, 15


@dataclass
class Work:
    title: str
    path: str
    goals: dict
    load: Callable = field(default_factory=wrk)
    tls: bool = False
    # What is compared: the CPU time of the server, or of all there is.
    by_total: bool = False
    # Whether the app behind the server is asked; None: there is none.
    asked: bool | None = None

    def url(self, server):
        """HAProxy has no files: what it sends over TLS comes from its cache."""
        path = "/cached/1k" if self.tls and server.name.startswith("haproxy") else self.path
        return server.url(path, self.tls)


WORKS = {
    "static1k": Work("static 1 KiB", "/1k.html", {"nginx": 1.5, "caddy": 10, "bare": None}),
    "static64k": Work("static 64 KiB", "/64k.html", {"nginx": 1.3, "nginx-copying": None, "bare": None}),
    "static10m": Work("static 10 MiB, total CPU", "/10m.bin", {"nginx": 1.2, "nginx-copying": None, "bare": None}, wrk(8), by_total=True),
    "proxy1k": Work("proxy 1 KiB", "/app/private/1k", {"nginx": 1.15, "haproxy": 1.15, "haproxy-debian": None, "caddy": 6}, asked=True),
    "proxy64k": Work("proxy 64 KiB", "/app/private/64k", {"nginx": 1.05, "haproxy": 1.3, "haproxy-debian": None}, asked=True),
    "cache1k": Work("cache hit 1 KiB", "/cached/1k", {"nginx": 2.0, "haproxy": 1.45, "haproxy-debian": None, "varnish": 3.9, "squid": 10, "bare": None}, asked=False),
    "cache64k": Work("cache hit 64 KiB", "/cached/64k", {"nginx": 1.4, "haproxy": 1.4, "haproxy-debian": None, "varnish": 2.7, "bare": None}, asked=False),
    "tls1k": Work("TLS 1.3, 1 KiB", "/1k.html", {"nginx": 1.35, "haproxy": 1.5, "haproxy-debian": None}, tls=True),
    "handshakes": Work("full TLS handshakes", "/1k.html", {"nginx": 1.35, "haproxy": 1.35, "haproxy-debian": None}, handshakes, tls=True),
    "resumed": Work("resumed TLS handshakes", "/1k.html", {"nginx": None, "haproxy": None}, wrk(16, "Connection: close"), tls=True),
    "h2": Work("HTTP/2 over TLS, 16 x 32", "/1k.html", {"nginx": 2.8, "haproxy": 1.3, "haproxy-debian": None, "h2o": 0.8}, h2load(16, 32), tls=True),
}


def peers_of(work, options):
    return [peer for peer in work.goals if peer in options.peers]


def bench(work, report, machine, options):
    site = Site(machine.dir)
    ringway = Ringway(machine, site)
    peers = [PEERS[name](machine, site, ringway.upstream) for name in peers_of(work, options)]
    servers = [ringway, *peers] if can_be_measured(work, ringway, report) else peers
    for server in servers:
        check(work, server)
        work.load(machine, work.url(server), WARM_UP_SECONDS)
    runs, before = {server.name: [] for server in servers}, ringway.metrics()
    for nth in range(options.rounds):
        # Back and forth, so that what drifts does not always hit the same.
        for server in servers[:: -1 if nth % 2 else 1]:
            run = measured(work.load, machine, work.url(server), options.seconds, server, ringway.instances)
            check_upstream(work, server, run)
            runs[server.name].append(run)
    for name, seen in runs.items():
        report.keep(work=work.title, server=name, runs=[asdict(run) for run in seen])
        say(line(name, seen))
    if ringway not in servers:
        return
    check_features(ringway, before, sum(run.requests for run in runs[ringway.name]), report)
    for name in peers_of(work, options):
        rates = [[run.per_total_cpu_second if work.by_total else run.per_cpu_second for run in runs[of]] for of in (ringway.name, name)]
        wanted = work.goals[name]
        report.ratio(f"{work.title}, {name}", *rates, Goal(wanted) if wanted else None)


def can_be_measured(work, ringway, report):
    """What is to come from the cache must: said plainly, and the peers are measured all the same."""
    status = check(work, ringway)
    if work.asked is not False or re.search(r";\s*hit\b", status):
        return True
    report.failed(f"not cached: ringway says {status or 'nothing'} in Cache-Status at the third request")
    return False


def check(work, server):
    """It answers, as a whole; the Cache-Status of the third answer."""
    for _ in range(3):
        unverified = ssl._create_unverified_context() if work.tls else None
        with urllib.request.urlopen(work.url(server), timeout=10, context=unverified) as answer:
            status, length = answer.headers.get("Cache-Status", ""), len(answer.read())
    if length < 1024:
        raise RuntimeError(f"{server.name} answers {work.url(server)} with {length} bytes")
    return status


def check_upstream(work, server, run):
    each = run.upstream_cpu / run.requests
    if work.asked is True and each < UPSTREAM_ASKED:
        raise RuntimeError(f"{server.name}: the app used {each * 1e6:.2f} us for each request: this was not proxied")
    if work.asked is False and each > UPSTREAM_IDLE:
        raise RuntimeError(f"{server.name}: the app used {each * 1e6:.2f} us for each request: not cached")


def check_features(ringway, before, requests, report):
    """It did count its requests, and send the sampled traces; both come in batches."""
    names = "ringway_front_requests_total", "ringway_observe_spans_exported_total", "ringway_observe_spans_dropped_total"

    def seen():
        now = ringway.metrics()
        return [now.get(name, 0.0) - before.get(name, 0.0) for name in names]

    wait_for(f"{requests:,} requests in the metrics", lambda: seen()[0] >= requests * COUNTED_LEAST, FEATURES_SECONDS)
    # Drawn by lot: four standard deviations below the mean at least.
    traces = requests * SAMPLED
    wait_for("the sampled traces at the collector", lambda: sum(seen()[1:]) >= traces - 4 * traces**0.5, FEATURES_SECONDS)
    counted, exported, dropped = seen()
    report.keep(counted=counted, spans_exported=exported, spans_dropped=dropped, requests=requests)
    say(f"   of {requests:,} requests {counted:,.0f} are in the metrics; {exported:,.0f} spans exported, {dropped:,.0f} dropped")


def line(name, runs):
    """Medians of the rounds; `best` is the round that was disturbed least."""
    of = lambda figure: statistics.median(map(figure, runs))
    latency = "" if runs[0].p50_ms is None else f"  p50 {of(lambda run: run.p50_ms):.2f} p99 {of(lambda run: run.p99_ms):.2f} ms"
    rate = of(lambda run: run.per_cpu_second)
    return (
        f"   {name:16} {of(lambda run: run.requests / run.seconds):>9,.0f}/s {rate:>9,.0f} per CPU s, best {max(run.per_cpu_second for run in runs):>9,.0f}"
        f"  {1e6 / rate:>8.2f} us, total {1e6 / of(lambda run: run.per_total_cpu_second):>8.2f} us"
        f"  busy {100 * of(lambda run: run.server_cpu / run.seconds):>3.0f} %, load {100 * of(lambda run: run.load_cpu / run.seconds):>3.0f} %{latency}"
    )
