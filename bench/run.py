#!/usr/bin/env python3
"""Ringway beside nginx and redis-server: the same work, the same minute, ratios of requests per CPU second of the server.

Server on core 0, load on core 1, rounds interleaved, medians. Wall-clock figures depend on what else the machine does; the CPU
time of the server (the sum over its processes and threads, from the kernel's scheduler) much less so: compare `per CPU s`.

    make bench                       all of it
    python3 bench/run.py static get  only these works
    python3 bench/run.py --rounds 5 --seconds 2 --json
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
RINGWAY = pathlib.Path(os.environ.get("RINGWAY", ROOT / "target/release/ringway"))
SERVER_CORE, LOAD_CORE = "0", "1"
RINGWAY_IP, PEER_IP = "127.77.0.1", "127.77.0.2"

NGINX_CONF = """
worker_processes 1; daemon off; pid {dir}/nginx.pid; error_log {dir}/error.log;
events {{ worker_connections 4096; }}
http {{
  include /etc/nginx/mime.types; access_log off; sendfile on; tcp_nopush off; tcp_nodelay on;
  keepalive_requests 1000000000; keepalive_timeout 600s; open_file_cache max=10000 inactive=600s; open_file_cache_valid 60s;
  client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2; fastcgi_temp_path {dir}/t3; uwsgi_temp_path {dir}/t4; scgi_temp_path {dir}/t5;
  upstream app {{ server 127.0.0.1:{upstream}; keepalive 128; keepalive_requests 1000000000; }}
  server {{
    listen {ip}:8080; root {www};
    location /app/ {{ proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
}}
"""


class Server:
    """A process (with its children) on the server core."""

    def __init__(self, name, command, cwd, env=None):
        self.name = name
        self.log = open(cwd / f"{name}.log", "wb")
        self.process = subprocess.Popen(
            ["taskset", "-c", SERVER_CORE, *map(str, command)], cwd=cwd, stdout=self.log, stderr=self.log, env={**os.environ, **(env or {})}
        )

    def pids(self):
        found, todo = [], [self.process.pid]
        while todo:
            pid = todo.pop()
            found.append(pid)
            for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
                todo += [int(child) for child in task.read_text().split()]
        return found

    def cpu_seconds(self, only=None):
        total = 0
        for pid in only or self.pids():
            for task in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"):
                try:
                    total += int(task.read_text().split()[0])
                except (FileNotFoundError, ProcessLookupError):
                    pass
        return total / 1e9

    def rss_mb(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()


def wait_for(what, probe, seconds=30):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if probe():
                return
        except OSError:
            pass
        time.sleep(0.05)
    sys.exit(f"bench: waited {seconds} s for {what}")


def reaches(url):
    return lambda: urllib.request.urlopen(url, timeout=1).status == 200


def wrk(url, seconds):
    said = subprocess.run(
        ["taskset", "-c", LOAD_CORE, "wrk", "-t1", "-c64", f"-d{seconds}s", "--latency", url], capture_output=True, text=True, check=True
    ).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        sys.exit(f"bench: wrk saw errors:\n{said}")
    return int(re.search(r"(\d+) requests in", said).group(1)), re.search(r"99%\s+(\S+)", said).group(1)


def redis_benchmark(address, auth, test, pipeline, count):
    host, port = address
    said = subprocess.run(
        ["taskset", "-c", LOAD_CORE, "redis-benchmark", "-h", host, "-p", port, *auth, "-t", test, "-n", str(count), "-c", "50", "-P", str(pipeline),
         "-d", "64", "-r", "100000", "--csv"],
        capture_output=True, text=True, check=True,
    ).stdout
    row = [line for line in said.splitlines() if line.startswith(f'"{test.upper()}"')][0]
    return count, row.replace('"', "").split(",")[6] + "ms"


class Bench:
    def __init__(self, arguments):
        self.arguments = arguments
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="ringway-bench-"))
        self.servers = {}
        self.rows = []

    def start(self):
        site = self.dir / "site"
        (site / "public").mkdir(parents=True)
        (site / "public/1k.html").write_bytes(b"x" * 1024)
        (site / "public/64k.html").write_bytes(b"x" * 65536)
        shutil.copy(ROOT / "bench/upstream.py", site / "upstream.py")
        shutil.copy(ROOT / "examples/shop/price.wasm", site / "price.wasm")
        (site / "ringway.toml").write_text(
            'name = "site"\n[[route]]\npath = "/"\nto = "static:public"\n[[route]]\npath = "/app/*"\nto = "app"\n'
            '[[route]]\npath = "/price"\nto = "price"\n[service.app]\nrun = "exec taskset -c 1 python3 upstream.py"\n[function.price]\nwasm = "price.wasm"\n'
        )
        self.ringway = Server("ringway", [RINGWAY, "node", "--name", "bench", "--bind", RINGWAY_IP, "--data", self.dir / "node", "--threads", "1", "--log", "warn"], self.dir)
        wait_for("ringway", lambda: self.cli("status"))
        self.cli("deploy", str(site))
        wait_for("the site", reaches(f"http://{RINGWAY_IP}:8080/1k.html"))
        bucket = json.loads(self.cli("--json", "bucket", "create", "bench", "--limit", "512MB"))
        self.auth = ["--user", bucket["name"], "-a", bucket["token"]]
        upstream = json.loads(self.cli("--json", "ps"))
        port = next(i["port"] for node in upstream["nodes"] for i in node["instances"] if i["unit"] == "app" and i["port"])
        conf = self.dir / "nginx.conf"
        conf.write_text(NGINX_CONF.format(dir=self.dir, ip=PEER_IP, www=site / "public", upstream=port))
        os.chmod(self.dir, 0o755)
        self.nginx = Server("nginx", ["nginx", "-c", conf], self.dir)
        self.redis = Server("redis", ["redis-server", "--port", "6399", "--bind", PEER_IP, "--save", "", "--appendonly", "no"], self.dir)
        wait_for("nginx", reaches(f"http://{PEER_IP}:8080/1k.html"))
        wait_for("redis", lambda: subprocess.run(["redis-cli", "-h", PEER_IP, "-p", "6399", "ping"], capture_output=True).returncode == 0)

    def cli(self, *arguments):
        done = subprocess.run([RINGWAY, "--admin", self.dir / "node", *arguments], capture_output=True, text=True)
        return done.stdout if done.returncode == 0 else None

    def idle(self, seconds=10):
        """CPU and memory of a node with a deployed app that nobody asks for anything."""
        own = [self.ringway.process.pid] + [pid for pid in self.ringway.pids() if b"__spawner" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()]
        before = self.ringway.cpu_seconds(own)
        time.sleep(seconds)
        used = self.ringway.cpu_seconds(own) - before
        return {"cpu_percent": 100 * used / seconds, "rss_mb": self.ringway.rss_mb()}

    def compare(self, work, peer, load):
        figures = {"ringway": [], peer.name: []}
        for _ in range(self.arguments.rounds):
            for server in (self.ringway, peer):
                own = [server.process.pid] if server is self.ringway else None
                before, start = server.cpu_seconds(own), time.monotonic()
                done, p99 = load(server is self.ringway)
                cpu, wall = server.cpu_seconds(own) - before, time.monotonic() - start
                figures[server.name].append((done / cpu, done / wall, p99))
        ours, theirs = (statistics.median(row[0] for row in figures[name]) for name in ("ringway", peer.name))
        row = {"work": work, "peer": peer.name, "ringway_per_cpu_s": round(ours), "peer_per_cpu_s": round(theirs), "ratio": round(ours / theirs, 2),
               "ringway_p99": figures["ringway"][-1][2], "peer_p99": figures[peer.name][-1][2]}
        self.rows.append(row)
        print(f"{work:22} {ours:12,.0f} {theirs:12,.0f}  {row['ratio']:5.2f}x {peer.name:7} p99 {row['ringway_p99']} / {row['peer_p99']}", file=sys.stderr, flush=True)

    def run(self):
        seconds = self.arguments.seconds
        http = lambda path: lambda ours: wrk(f"http://{RINGWAY_IP if ours else PEER_IP}:8080{path}", seconds)
        def kv(test, pipeline):
            count = 60_000 * seconds * (4 if pipeline > 1 else 1)
            return lambda ours: redis_benchmark((RINGWAY_IP, "7379") if ours else (PEER_IP, "6399"), self.auth if ours else [], test, pipeline, count)
        works = {
            "static": ("static 1 KiB", self.nginx, http("/1k.html")),
            "static64": ("static 64 KiB", self.nginx, http("/64k.html")),
            "proxy": ("proxy 1 KiB", self.nginx, http("/app/1k")),
            "set": ("SET 64 B", self.redis, kv("set", 1)),
            "get": ("GET 64 B", self.redis, kv("get", 1)),
            "set16": ("SET 64 B, pipeline 16", self.redis, kv("set", 16)),
            "get16": ("GET 64 B, pipeline 16", self.redis, kv("get", 16)),
        }
        wanted = self.arguments.works or list(works)
        print(f"{'work':22} {'ringway':>12} {'peer':>12}   ratio (requests per CPU second of the server)", file=sys.stderr)
        for name in wanted:
            self.compare(*works[name])
        wasm = self.alone("wasm function", http("/price?sku=mug&qty=3"))
        idle = self.idle()
        print(f"idle: {idle['cpu_percent']:.2f} % of a core, {idle['rss_mb']:.0f} MB after the load", file=sys.stderr)
        return {"rows": self.rows, "alone": [wasm], "idle": idle}

    def alone(self, work, load):
        """Work that no peer here does."""
        own = [self.ringway.process.pid]
        before = self.ringway.cpu_seconds(own)
        done, p99 = load(True)
        row = {"work": work, "ringway_per_cpu_s": round(done / (self.ringway.cpu_seconds(own) - before)), "ringway_p99": p99}
        print(f"{work:22} {row['ringway_per_cpu_s']:12,} {'':12}         p99 {p99}", file=sys.stderr)
        return row

    def stop(self):
        for server in (getattr(self, name, None) for name in ("nginx", "redis", "ringway")):
            if server:
                server.stop()
        shutil.rmtree(self.dir, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("works", nargs="*", help="static static64 proxy set get set16 get16; none: all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if not RINGWAY.exists():
        sys.exit("bench: build it first: cargo build --release -p ringway (make bench does)")
    bench = Bench(arguments)
    try:
        bench.start()
        result = bench.run()
        if arguments.json:
            print(json.dumps(result, indent=2))
    finally:
        bench.stop()


if __name__ == "__main__":
    main()
