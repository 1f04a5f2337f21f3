"""The shop without Ringway, for its tests and for work on its pages: python3 examples/shop/tests/fake_ring.py

Stands in for the platform, one node and no guarantees: a Redis door (only the commands the real one knows), the route
table of ringway.toml by hand, the two services as child processes, and the two functions and the CGI script in their
simplest form.
"""
import json
import os
import signal
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

SHOP = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(SHOP))
import receipt  # noqa: E402

UNIT_CENTS = {"mug": 1250, "tee": 2400, "poster": 1800, "sticker": 300, "tote": 1600, "cap": 2100}
TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


class FakeRedis(socketserver.ThreadingTCPServer):
    daemon_threads = allow_reuse_address = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), RedisDoor)
        self.values, self.ends, self.lock, self.connections = {}, {}, threading.Lock(), []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, bucket):
        return "redis://%s:secret@127.0.0.1:%d" % (bucket, self.server_address[1])

    def drop_connections(self):
        """What a client sees when its node dies."""
        for connection in self.connections:
            try:
                connection.shutdown(2)
            except OSError:
                pass  # it had gone by itself

    def do(self, bucket, name, *words):
        keys = [(bucket, word) for word in words]
        with self.lock:
            for key in [key for key, end in self.ends.items() if end < time.monotonic()]:
                self.values.pop(key, None), self.ends.pop(key)
            if name in ("PING", "AUTH"):
                return "+OK"
            if name in ("GET", "MGET"):
                found = [self.values.get(key) for key in keys]
                return found if name == "MGET" else found[0]
            if name == "DEL":
                return sum(self.values.pop(key, None) is not None for key in keys)
            if name == "INCR":
                self.values[keys[0]] = str(int(self.values.get(keys[0], 0)) + 1)
                return int(self.values[keys[0]])
            if name == "SET":
                return self.set(keys[0], words[1], list(words[2:]))
        return "-ERR unknown command"

    def set(self, key, value, options):
        if "NX" in options and key in self.values:
            return None
        self.values[key] = value
        self.ends.pop(key, None)
        for unit, seconds in (("EX", 1), ("PX", 0.001)):
            if unit in options:
                self.ends[key] = time.monotonic() + int(options[options.index(unit) + 1]) * seconds
        return "+OK"


class RedisDoor(socketserver.StreamRequestHandler):
    def handle(self):
        self.server.connections.append(self.connection)
        bucket = None
        while True:
            line = self.rfile.readline()
            if not line:
                return
            words = []
            for _ in range(int(line[1:])):
                size = int(self.rfile.readline()[1:])
                words.append(self.rfile.read(size + 2)[:-2].decode())
            if words[0] == "AUTH" and words[2] == "secret":
                bucket = words[1]
            reply = self.server.do(bucket, *words) if bucket else "-NOAUTH who are you"
            self.wfile.write(self.encode(reply))

    def encode(self, reply):
        if reply is None:
            return b"$-1\r\n"
        if isinstance(reply, int):
            return b":%d\r\n" % reply
        if isinstance(reply, list):
            return b"*%d\r\n" % len(reply) + b"".join(map(self.encode, reply))
        if reply in ("+OK", "-ERR unknown command", "-NOAUTH who are you"):
            return reply.encode() + b"\r\n"
        return b"$%d\r\n%s\r\n" % (len(reply.encode()), reply.encode())


class FakeRing(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port=0, carts=2):
        super().__init__(("127.0.0.1", port), Front)
        self.redis, self.broken, self.turn = FakeRedis(), set(), 0
        self.home = tempfile.TemporaryDirectory()
        buckets = {"REDIS_URL_" + name.upper(): self.redis.url(name) for name in ("cart", "orders", "guestbook")}
        self.env = {"PATH": os.environ["PATH"], "PORT": "0", "REDIS_URL": self.redis.url("cart"), **buckets,
                    "RINGWAY_URL": "http://127.0.0.1:%d" % self.server_port, "RINGWAY_HOST": "shop.localhost",
                    "DATABASE_URL": "sqlite:///%s/shop.sqlite3" % self.home.name, "PYTHONDONTWRITEBYTECODE": "1"}
        threading.Thread(target=self.serve_forever, daemon=True).start()
        self.children = []
        self.catalogs = self.start("catalog.py", 2)  # together, on purpose: both find an empty database
        self.carts = self.start("cart.py", carts)

    def start(self, script, count):
        """The addresses of `count` fresh processes, once they listen."""
        fresh = [subprocess.Popen([sys.executable, script], cwd=SHOP, env=self.env, text=True, stdout=subprocess.PIPE)
                 for _ in range(count)]
        self.children += fresh
        ports = [child.stdout.readline().rpartition(":")[2].strip() for child in fresh]
        assert all(ports), script + " did not start"
        return ["http://127.0.0.1:" + port for port in ports]

    def stop(self):
        """Asks every child to stop; their exit codes."""
        for child in self.children:
            child.terminate()
        codes = [child.wait(10) for child in self.children]
        for child in self.children:
            child.stdout.close()
        for server in (self, self.redis):
            server.shutdown(), server.server_close()
        self.home.cleanup()
        return codes

    def next_of(self, addresses):
        self.turn += 1
        return addresses[self.turn % len(addresses)]


class Front(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path, body = urlsplit(self.path).path, self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if path in self.server.broken:
            return self.send(503, {}, b"broken on purpose")
        if path.startswith("/api/products"):
            return self.forward(self.server.catalogs, body)
        if path.startswith("/api/"):
            return self.forward(self.server.carts, body)
        known = {"/price": self.price, "/receipt": self.receipt, "/guestbook": self.cgi}
        return known.get(path, self.static)(body)

    do_HEAD = do_POST = do_GET

    def forward(self, addresses, body):
        ask = urllib.request.Request(self.server.next_of(addresses) + self.path, body or None, dict(self.headers),
                                     method=self.command)
        try:
            reply = urllib.request.urlopen(ask, timeout=10)
        except urllib.error.HTTPError as error:
            reply = error
        with reply:
            self.send(reply.status, dict(reply.headers), reply.read())

    def price(self, body):
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        sku, qty = query.get("sku"), query.get("qty", "")
        if sku not in UNIT_CENTS or not qty.isdecimal() or int(qty) < 1:
            return self.send_json(400, {"error": "bad price question"})
        qty, unit = int(qty), UNIT_CENTS[sku]
        percent = 20 if qty >= 10 else 10 if qty >= 3 else 0
        self.send_json(200, {"sku": sku, "qty": qty, "unit_cents": unit, "discount_percent": percent,
                             "total_cents": unit * qty * (100 - percent) // 100})

    def receipt(self, body):
        event = {"version": "2.0", "rawPath": "/receipt", "body": body.decode(), "isBase64Encoded": False,
                 "requestContext": {"http": {"method": self.command, "path": "/receipt"}}}
        reply = receipt.handler(event, None)
        self.send(reply["statusCode"], reply["headers"], reply["body"].encode())

    def cgi(self, body):
        env = {**self.server.env, "REQUEST_METHOD": self.command, "CONTENT_LENGTH": str(len(body)),
               "HTTP_ACCEPT": self.headers.get("Accept", ""), "GATEWAY_INTERFACE": "CGI/1.1"}
        done = subprocess.run([sys.executable, str(SHOP / "cgi-bin" / "guestbook")], input=body, env=env, timeout=10,
                              stdout=subprocess.PIPE)
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send(int(headers.pop("Status")[:3]), headers, body)

    def static(self, body):
        name = urlsplit(self.path).path.lstrip("/") or "index.html"
        file = (SHOP / "public" / name).resolve()
        if SHOP / "public" not in file.parents or not file.is_file():
            return self.send(404, {}, b"nothing here")
        self.send(200, {"Content-Type": TYPES.get(file.suffix, "application/octet-stream")}, file.read_bytes())

    def send_json(self, status, value):
        self.send(status, {"Content-Type": "application/json"}, json.dumps(value).encode())

    def send(self, status, headers, body):
        self.send_response(status)
        for name, text in headers.items():
            if name.lower() not in ("content-length", "connection", "date", "server"):
                self.send_header(name, text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if self.command != "HEAD" else b"")

    def log_message(self, form, *values):
        pass


if __name__ == "__main__":
    ring = FakeRing(int(sys.argv[1]) if len(sys.argv) > 1 else 8080)
    print("the shop is open: http://127.0.0.1:%d (ctrl-c closes it)" % ring.server_port)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    stop.wait()
    ring.stop()
