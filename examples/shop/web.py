"""A small server for JSON services, on the standard library: routes, limits, and a clean stop.

    app = App("catalog")

    @app.route("GET", "/api/products/([a-z]+)")
    def product(request, sku): return {"sku": sku}

    app.run()

A route returns what goes out as JSON, or raises `Problem(404, "no such thing")`. One thread serves one connection; the
front end keeps connections open and reuses them, so that is cheap.
"""
import json
import os
import re
import signal
import sys
import threading
import time
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

BODY_BYTES_MAX = 16 * 1024
CONNECTIONS_MAX = 100
IDLE_SECONDS_MAX = 60
STOP_SECONDS_MAX = 3


class Problem(Exception):
    """Becomes a reply with this status and {"error": text}."""

    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


class Request:
    def __init__(self, method, path, headers, body):
        self.method, self.path, self.headers, self.body = method, path, headers, body
        self.reply_headers = {}

    def json(self):
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            raise Problem(400, "the body is not JSON") from None
        if not isinstance(value, dict):
            raise Problem(400, "the body must be a JSON object")
        return value


class App:
    def __init__(self, name):
        self.name, self.routes = name, []
        self.route("GET", "/up")(lambda request: {"up": True})

    def route(self, method, pattern):
        def add(function):
            self.routes.append((method, re.compile(pattern), function))
            return function
        return add

    def answer(self, request):
        """The status and the value of the reply."""
        wanted = "GET" if request.method == "HEAD" else request.method
        known = [(method, found, function) for method, pattern, function in self.routes
                 for found in [pattern.fullmatch(request.path)] if found]
        try:
            for method, found, function in known:
                if method == wanted:
                    return 200, function(request, *found.groups())
            raise Problem(405, "try " + known[0][0]) if known else Problem(404, "nothing here")
        except Problem as problem:
            return problem.status, {"error": str(problem)}
        except Exception:  # a fault of ours costs one reply, not the service
            traceback.print_exc()
            return 500, {"error": "something broke on our side"}

    def run(self):
        """Serves on $PORT until SIGTERM; then lets the requests in flight finish."""
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        server = Server(self, int(os.environ["PORT"]))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print("%s listens on 127.0.0.1:%d" % (self.name, server.server_port), flush=True)
        stop.wait()
        threading.Thread(target=server.shutdown, daemon=True).start()
        deadline = time.monotonic() + STOP_SECONDS_MAX
        while server.in_flight and time.monotonic() < deadline:
            time.sleep(0.01)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, app, port):
        super().__init__(("127.0.0.1", port), Handler)
        self.app, self.in_flight, self.lock = app, 0, threading.Lock()
        self.room = threading.Semaphore(CONNECTIONS_MAX)  # who comes later waits in the listen queue

    def process_request(self, request, client_address):
        self.room.acquire()
        super().process_request(request, client_address)

    def process_request_thread(self, request, client_address):
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.room.release()

    def count(self, step):
        with self.lock:
            self.in_flight += step


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS_MAX
    wbufsize = -1                   # headers and body leave in one packet
    disable_nagle_algorithm = True

    def do_GET(self):
        self.server.count(+1)
        try:
            self.reply(*self.ask())
        finally:
            self.server.count(-1)

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def ask(self):
        try:
            body = self.read_body()
        except Problem as problem:
            self.close_connection = True  # part of the body may still be on its way
            return problem.status, {"error": str(problem)}, {}
        request = Request(self.command, urlsplit(self.path).path, self.headers, body)
        return self.server.app.answer(request) + (request.reply_headers,)

    def read_body(self):
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return self.read_chunks()
        return self.rfile.read(self.limit(self.headers.get("Content-Length") or "0", 10))

    def read_chunks(self):
        body = b""
        while True:
            size = self.limit(self.rfile.readline(100).split(b";")[0], 16)
            body += self.rfile.read(size)
            self.limit(str(len(body)), 10)
            self.rfile.readline(100)
            if size == 0:
                return body

    def limit(self, digits, base):
        try:
            size = int(digits, base)
        except ValueError:
            size = -1
        if size < 0:
            raise Problem(400, "the length of the body makes no sense")
        if size > BODY_BYTES_MAX:
            self.rfile.read(min(size, 64 * BODY_BYTES_MAX))  # a sender that cannot finish would not hear us
            raise Problem(413, "the body is over %d bytes" % BODY_BYTES_MAX)
        return size

    def reply(self, status, value, headers):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Served-By", "%s:%d" % (self.server.app.name, self.server.server_port))
        for name, text in headers.items():
            self.send_header(name, text)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_request(self, code="-", size="-"):
        pass  # the front end keeps the access log

    def log_message(self, form, *values):
        print("%s: %s" % (self.server.app.name, form % values), file=sys.stderr)
