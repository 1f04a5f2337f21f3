"""A steady load on Redis doors, and a loader. Raw sockets and the standard library alone, so that the generator costs little.

The load is an open loop: requests go out by the clock, whether or not earlier ones were answered, so a stall is seen by all the
requests that fall into it. Latency runs from the write of a request to its reply. Half of the requests are GETs, half SETs, of
keys drawn by lot. A request failed if its reply is an error, its connection broke, or it took longer than five seconds.
"""

import multiprocessing
import os
import random
import selectors
import socket
import threading
import time
from collections import deque

CONNECTIONS_PER_NODE = 4
DEADLINE = 5.0
TICK = 0.0005
FILL_PIPELINE = 64


def command(*words):
    parts = [f"*{len(words)}\r\n".encode()]
    for word in words:
        word = word if isinstance(word, bytes) else str(word).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(word), word))
    return b"".join(parts)


class Connection:
    """Blocking; for a few questions."""

    def __init__(self, address, bucket):
        self.socket = socket.create_connection(address, timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = self.socket.makefile("rb")
        if bucket:
            self.ask("AUTH", bucket["name"], bucket["token"])

    def ask(self, *words):
        self.socket.sendall(command(*words))
        return self.reply()

    def reply(self):
        line = self.reader.readline()
        if not line:
            raise OSError("the node closed the connection")
        if line[:1] == b"-":
            raise RuntimeError(line[1:].decode().strip())
        if line[:1] == b"$":
            length = int(line[1:])
            return self.reader.read(length + 2)[:-2] if length >= 0 else None
        return line[1:-2]

    def close(self):
        self.socket.close()


def _fill_part(address, bucket, first, last, value_len):
    connection, value = Connection(address, bucket), random.Random(first).randbytes(value_len)
    tail = b"$%d\r\n%s\r\n" % (value_len, value)
    for start in range(first, last, FILL_PIPELINE):
        batch = range(start, min(start + FILL_PIPELINE, last))
        keys = [b"key:%d" % number for number in batch]
        connection.socket.sendall(b"".join(b"*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n%s" % (len(key), key, tail) for key in keys))
        for _ in keys:
            connection.reply()
    connection.close()


def fill(addresses, bucket, keys, value_len):
    """Writes key:0 to key:KEYS-1 through all nodes at once."""
    workers, jobs = 2 * len(addresses), []
    for nth in range(workers):
        part = (addresses[nth % len(addresses)], bucket, keys * nth // workers, keys * (nth + 1) // workers, value_len)
        jobs.append(multiprocessing.Process(target=_fill_part, args=part))
        jobs[-1].start()
    for job in jobs:
        job.join()
        if job.exitcode != 0:
            raise RuntimeError("the data could not be written: see above")


fill.connect = Connection


class SteadyLoad:
    """Runs in a process of its own from `with` on; [`SteadyLoad.seen`] tells what it saw since a mark."""

    def __init__(self, addresses, bucket, keys, value_len, rate):
        self.arguments = (addresses, bucket, keys, value_len, rate)

    def __enter__(self):
        self.ours, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=_run, args=(theirs, *self.arguments), daemon=True)
        self.process.start()
        self.rows, self.lock = [], threading.Lock()
        threading.Thread(target=self._collect, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.ours.send("stop")
        self.process.join(DEADLINE + 2)
        self.process.kill()

    def _collect(self):
        while True:
            try:
                row = self.ours.recv()
            except (EOFError, OSError):
                return
            with self.lock:
                self.rows.append(row)

    def mark(self):
        """Now; a second of the load is whole or not at all, so this waits for the next."""
        count = len(self.rows)
        deadline = time.monotonic() + 5
        while len(self.rows) == count and time.monotonic() < deadline:
            time.sleep(0.01)
        return len(self.rows)

    def seen(self, since):
        self.mark()
        with self.lock:
            rows = self.rows[since:]
        latencies = sorted(latency for row in rows for latency in row["latencies"])
        if not latencies:
            raise RuntimeError("the load generator stopped")
        at = lambda part: 1000 * latencies[min(len(latencies) - 1, int(len(latencies) * part))]
        per_second = [1000 * sorted(row["latencies"])[int(len(row["latencies"]) * 0.99)] for row in rows if row["latencies"]]
        return {
            "seconds": len(rows), "requests": len(latencies), "failed": sum(row["failed"] for row in rows),
            "why": next((row["why"] for row in rows if row["why"]), None),
            "p50_ms": round(at(0.5), 3), "p99_ms": round(at(0.99), 3), "p999_ms": round(at(0.999), 3), "max_ms": round(1000 * latencies[-1], 1),
            "late_ms": round(1000 * max(row["late"] for row in rows), 1), "p99_ms_by_second": [round(value, 2) for value in per_second],
        }


class _Socket:
    """Non-blocking; replies come in the order of the requests."""

    def __init__(self, address, bucket):
        self.socket = Connection(address, bucket).socket
        self.socket.setblocking(False)
        self.waiting, self.unsent, self.unread = deque(), bytearray(), bytearray()

    def send(self, now, bytes_):
        self.waiting.append(now)
        self.unsent += bytes_
        self.flush()

    def flush(self):
        try:
            while self.unsent:
                del self.unsent[: self.socket.send(self.unsent)]
        except BlockingIOError:
            pass

    def read(self, now, row):
        while True:
            try:
                piece = self.socket.recv(1 << 16)
            except BlockingIOError:
                break
            if not piece:
                raise OSError("the node closed the connection")
            self.unread += piece
        at, unread = 0, self.unread
        while True:
            end = unread.find(b"\r\n", at)
            if end < 0:
                break
            kind, after = unread[at], end + 2
            if kind == 36 and unread[at + 1] != 45:  # $LENGTH, and not -1
                after += int(unread[at + 1 : end]) + 2
                if len(unread) < after:
                    break
            latency = now - self.waiting.popleft()
            row["latencies"].append(latency)
            if kind == 45 or latency > DEADLINE:
                row["failed"] += 1
                row["why"] = row["why"] or (bytes(unread[at:end]).decode() if kind == 45 else f"answered after {latency:.1f} s")
            at = after
        del unread[:at]


def _run(pipe, addresses, bucket, keys, value_len, rate):
    try:
        # Requests are to wait for the nodes, not for the generator to get a turn; only root may ask for that.
        os.nice(-15)
    except OSError:
        pass
    lot, value = random.Random(1), random.Random(2).randbytes(value_len)
    sockets = [_Socket(address, bucket) for address in addresses for _ in range(CONNECTIONS_PER_NODE)]
    poll = selectors.DefaultSelector()
    for each in sockets:
        poll.register(each.socket, selectors.EVENT_READ, each)
    fresh = lambda: {"latencies": [], "failed": 0, "why": None, "late": 0.0}
    row, nth = fresh(), 0
    due = second = time.monotonic()
    second += 1
    while not pipe.poll():
        now = time.monotonic()
        row["late"] = max(row["late"], now - due)
        while due <= now:
            key = b"key:%d" % lot.randrange(keys)
            words = command("SET", key, value) if nth % 2 else command("GET", key)
            try:
                sockets[lot.randrange(len(sockets))].send(time.monotonic(), words)
            except OSError as fault:
                row["failed"] += 1
                row["why"] = row["why"] or str(fault)
            nth, due = nth + 1, due + 1 / rate
        for ready, _ in poll.select(max(0.0, min(due - time.monotonic(), TICK))):
            each = ready.data
            try:
                each.read(time.monotonic(), row)
            except OSError as fault:
                row["failed"] += len(each.waiting)
                row["why"] = row["why"] or str(fault)
                each.waiting.clear()
                poll.unregister(each.socket)
                sockets.remove(each)
                if not sockets:
                    return
        for each in sockets:
            if each.unsent:
                each.flush()
        if now >= second:
            overdue = sum(1 for each in sockets if each.waiting and now - each.waiting[0] > DEADLINE)
            if overdue:
                row["failed"] += overdue
                row["why"] = row["why"] or f"no answer for {DEADLINE} s"
            pipe.send(row)
            row, second = fresh(), second + 1
