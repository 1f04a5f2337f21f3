"""What is served: the app's directory with a routing table of 1,000 routes, and a certificate."""

import shutil
import subprocess

from kv_parts.servers import LOADGEN

ROUTES = 1000
SIZES = {"1k.html": 1 << 10, "64k.html": 64 << 10, "10m.bin": 10 << 20}


class Site:
    def __init__(self, directory):
        self.app, self.www = directory / "site", directory / "site/public"
        self.certificate, self.key = directory / "bench.pem", directory / "bench.key"
        self.www.mkdir(parents=True)
        for name, size in SIZES.items():
            (self.www / name).write_bytes(b"x" * size)
        # A copy: an instance sees its app's directory, not where this repository is built.
        shutil.copy(LOADGEN, self.app / "upstream")
        (self.app / "ringway.toml").write_text(manifest())
        make_certificate(self.certificate, self.key)


def manifest():
    """The routes that are measured come last of 1,000: exact ones and prefixes, to files and to the service."""
    measured = [route("/app/*", "app"), route("/cached/*", "app"), route("/", "static:public")]
    others = [other_route(nth) for nth in range(ROUTES - len(measured))]
    service = '[service.app]\nrun = "exec taskset -c 1 ./upstream upstream --listen 127.0.0.1:$PORT"\nreplicas = { min = 1, max = 1 }\n'
    return 'name = "site"\n' + "".join(others + measured) + service


def other_route(nth):
    path = f"/area-{nth % 40}/page-{nth}"
    return route(path if nth % 2 else f"{path}/*", "static:public" if nth % 3 else "app")


def route(path, to):
    return f'[[route]]\npath = "{path}"\nto = "{to}"\n'


def make_certificate(certificate, key):
    """P-256, as most sites have."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )
