"""A Redis client on one page: enough RESP2 for GET, SET, MGET, INCR and DEL.

    redis = Redis("redis://cart:token@127.0.0.1:7379")
    redis("SET", "greeting", "hello", "EX", 60)

Any node answers for any key, and a connection may end when its node does. So a command is tried once more on a new
connection. It may then have run twice: use commands that do not mind (an INCR leaves a gap in the numbers, no more).
Each thread has its own connection, which is all that `threading.local` is here for.
"""
import socket
import threading
from urllib.parse import unquote, urlsplit

TIMEOUT_SECONDS = 3


class RespError(Exception):
    """The server answered with an error; the connection is still good."""


class Redis(threading.local):
    def __init__(self, url):
        self.url, self.stream = urlsplit(url), None

    def __call__(self, *command):
        try:
            return self.ask(command)
        except OSError:
            self.stream = None
            return self.ask(command)

    def ask(self, command):
        if self.stream is None:
            self.connect()
        return self.exchange(command)

    def connect(self):
        sock = socket.create_connection((self.url.hostname, self.url.port or 6379), TIMEOUT_SECONDS)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream = sock.makefile("rwb")
        sock.close()  # of the two handles the stream is the one we keep
        if self.url.password:
            try:
                self.exchange(("AUTH", unquote(self.url.username or "default"), unquote(self.url.password)))
            except RespError:
                self.stream = None  # refused: ask again next time instead of going on as a stranger
                raise

    def exchange(self, command):
        words = [str(word).encode() for word in command]
        self.stream.write(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))
        self.stream.flush()
        return self.read()

    def read(self):
        line = self.stream.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the connection ended")
        kind, rest = line[:1], line[1:-2].decode()
        if kind == b"-":
            raise RespError(rest)
        if kind == b"+":
            return rest
        if kind == b":":
            return int(rest)
        if kind == b"*":
            return [self.read() for _ in range(int(rest))]
        length = int(rest)  # what is left is "$", a string of so many bytes, or none at all
        if length < 0:
            return None
        text = self.stream.read(length + 2)
        if len(text) < length + 2:
            raise ConnectionError("the connection ended")
        return text[:-2].decode()
