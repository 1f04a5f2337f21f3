"""What a client costs that has asked once and says nothing more: bytes of the node for each connection."""

import resource
import socket
import ssl
import time

from kv_parts.report import Goal

from .load import wrk
from .machine import pss
from .ringway import IP, Ringway
from .site import Site

PER_ADDRESS = 250
SETTLE_SECONDS = 3
REQUEST = b"GET /1k.html HTTP/1.1\r\nHost: localhost\r\n\r\n"
SAMPLE = 97


def bench_idle(report, machine, options):
    measure(report, machine, 9_000, Goal(2_500, unit="B", less=True), tls=False)


def bench_idle_tls(report, machine, options):
    measure(report, machine, 2_000, Goal(20_000, unit="B", less=True), tls=True)


def measure(report, machine, count, goal, tls):
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    ringway = Ringway(machine, Site(machine.dir))
    # Code, buffers and the allocator's first pages are not the connections'.
    wrk()(machine, ringway.url("/1k.html", tls), 2)
    time.sleep(SETTLE_SECONDS)
    before, clients = pss(ringway.pids()), []
    try:
        for nth in range(count):
            clients.append(client(nth, tls))
            ask(clients[-1])
        time.sleep(SETTLE_SECONDS)
        after = pss(ringway.pids())
        for one in clients[::SAMPLE]:
            ask(one)
    finally:
        for one in clients:
            one.close()
    kind = "TLS " if tls else ""
    report.keep(connections=count, tls=tls, before=before, after=after)
    report.row(f"bytes per idle {kind}keep-alive connection ({count:,})", (after - before) / count, goal, f"{before >> 20} MiB before")


def client(nth, tls):
    """Each address has a few: a server may limit what one client can have."""
    here = f"127.78.{nth // PER_ADDRESS // 250}.{nth // PER_ADDRESS % 250 + 1}"
    plain = socket.create_connection((IP, 8443 if tls else 8080), timeout=10, source_address=(here, 0))
    return CONTEXT.wrap_socket(plain, server_hostname="localhost") if tls else plain


def ask(one):
    one.sendall(REQUEST)
    seen = b""
    while (end := seen.find(b"\r\n\r\n")) < 0 or len(seen) < end + 4 + 1024:
        piece = one.recv(1 << 16)
        if not piece:
            raise RuntimeError(f"an idle connection was closed after {len(seen)} bytes: {seen[:80]}")
        seen += piece
    if not seen.startswith(b"HTTP/1.1 200 "):
        raise RuntimeError(f"an idle connection is answered {seen[:80]}")


CONTEXT = ssl._create_unverified_context()
