"""What clients see: the loss of a node, and what it costs to have many of them that say nothing."""

import pathlib
import random
import resource
import threading
import time

import steady_load

from .report import Goal, say

THREADS_PER_NODE = 3
PAUSE = 0.002
CLIENT_DEADLINE = 5.0


class Client(threading.Thread):
    """One request after the other at one node; what fails is tried once more, at the next node."""

    def __init__(self, nth, addresses, bucket, end):
        super().__init__(daemon=True)
        self.nth, self.addresses, self.bucket, self.end = nth, addresses, bucket, end
        self.at, self.connection, self.lot = nth % len(addresses), None, random.Random(nth)
        self.seen, self.retried, self.failed, self.acknowledged = [], 0, [], {}

    def run(self):
        number = 0
        while time.monotonic() < self.end():
            number += 1
            key, value = f"client:{self.nth}:{self.lot.randrange(2000)}", f"{number}"
            words = ("SET", key, value) if number % 2 else ("GET", key)
            began = time.monotonic()
            if self.ask(words) and words[0] == "SET":
                self.acknowledged[key] = value
            self.seen.append((began, time.monotonic() - began))
            time.sleep(PAUSE)

    def ask(self, words):
        """Whether it was done, at the second try at most."""
        for last in (False, True):
            try:
                if self.connection is None:
                    self.connection = steady_load.Connection(self.addresses[self.at], self.bucket)
                    self.connection.socket.settimeout(CLIENT_DEADLINE)
                self.connection.ask(*words)
                return True
            except (OSError, RuntimeError) as fault:
                self.next_node()
                if last:
                    self.failed.append(f"{type(fault).__name__}: {fault}")
                self.retried += not last
        # The value that a failed SET leaves is not known.
        self.acknowledged.pop(words[1], None)
        return False

    def next_node(self):
        if self.connection:
            self.connection.close()
        self.connection, self.at = None, (self.at + 1) % len(self.addresses)


def bench_outage(report, machine, options):
    """SIGKILL of one node of three, under clients of all three."""
    ring = machine.ring(3, {0, 1})
    server = ring.bucket("outage", "--replicas", "3")
    name, token = server.auth.split(":")
    bucket, addresses = {"name": name, "token": token}, [(node.ip, 7379) for node in ring.nodes]
    end = [time.monotonic() + 60]
    clients = [Client(nth, addresses, bucket, lambda: end[0]) for nth in range(THREADS_PER_NODE * len(addresses))]
    for client in clients:
        client.start()
    time.sleep(3)
    killed = time.monotonic()
    machine.kill(ring.nodes[1].process)
    time.sleep(6)
    end[0] = time.monotonic()
    for client in clients:
        client.join(4 * CLIENT_DEADLINE)
    before = [took for client in clients for began, took in client.seen if began + took < killed]
    after = [took for client in clients for began, took in client.seen if began + took >= killed]
    failed, retried = [why for client in clients for why in client.failed], sum(client.retried for client in clients)
    lost = missing(addresses[0], bucket, clients)
    worst = 1000 * max(after)
    say(f"  {len(before):,} requests before, slowest {1000 * max(before):.1f} ms; {len(after):,} after, slowest {worst:.1f} ms; {retried} tried again; {failed[:2]}")
    report.keep(before=len(before), slowest_before_ms=1000 * max(before), after=len(after), slowest_ms=worst, retried=retried, failed=failed, lost=lost)
    report.row("three nodes, SIGKILL of one: failed requests", len(failed), Goal(0, 0, "", less=True), f"{retried} of {len(after):,} needed the second try")
    report.row("three nodes, SIGKILL of one: slowest request", worst, Goal(100, None, "ms", less=True), f"before it {1000 * max(before):.1f} ms")
    report.row("three nodes, SIGKILL of one: acknowledged writes lost", lost, Goal(0, 0, "", less=True), f"of {sum(len(client.acknowledged) for client in clients):,} keys")


def missing(address, bucket, clients):
    connection = steady_load.Connection(address, bucket)
    lost = sum(connection.ask("GET", key) != value.encode() for client in clients for key, value in client.acknowledged.items())
    connection.close()
    return lost


def bench_idle(report, machine, options):
    """Connections that were used once, each with its own account of who it is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    # A node keeps half of the files that it may have for the other door.
    count = min(options.idle, hard // 2 - 100)
    mega = 30 * count / 10_000
    ring = machine.ring()
    made = ring.bucket("idle")
    name, token = made.auth.split(":")
    for server, goal in ((made, Goal(mega, None, "MB", less=True)), (machine.redis(), None)):
        host, port = server.addresses[0].split(":")
        bucket = {"name": name, "token": token} if server is made else None
        for conns in (1, 50):
            machine.load(server, fill=True, keys=1000, conns=conns)
        time.sleep(1)
        before, open_ones = server.rss(), []
        for _ in range(count):
            open_ones.append(used_once((host, int(port)), bucket))
        time.sleep(2)
        used = (server.rss() - before) / 1e6
        threads = len(list(pathlib.Path(f"/proc/{server.pids()[0]}/task").iterdir()))
        for one in open_ones:
            one.close()
        text = f"{count:,} idle connections"
        if goal:
            report.row(text, used, goal, f"{threads} threads")
        else:
            report.told(f"{text}: {server.name}", f"{used:.1f} MB")
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def used_once(address, bucket):
    """A socket over which one GET went."""
    connection = steady_load.Connection(address, bucket)
    connection.ask("GET", "key:000000000001")
    connection.reader.close()
    return connection.socket
