# SPDX-License-Identifier: Apache-2.0
"""CPU of an answer from memory against nginx with a file of the same size, on the same core."""

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from measure import OTHER_CORES, SUBJECT_CORES, Spread, cpu_ns, pinned
from support.poll import free_port, wait_until
from table import Row
from world import Client, World

ROUNDS = 5
ROUND_S = 2  # wrk counts whole seconds
CONNECTIONS = 16
PATHS = {"/livez": "livez", "/.well-known/jwks.json": "jwks.json"}

_NGINX = """
worker_processes 1;
daemon off;
user root;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log {logs}/access.log;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 100000000;
    default_type application/json;
    server {{ listen 127.0.0.1:{port}; root {folder}/files; }}
}}
"""


@dataclass(frozen=True)
class Target:
    port: int
    pids: tuple[int, ...]


def measure(world: World) -> list[Row]:
    costs: dict[str, list[tuple[float, float]]] = {path: [] for path in PATHS}
    # Answers from memory ask no database: its workers would only add their idle checks.
    with world.service(SUBJECT_CORES) as service:
        client = Client(service)
        bodies = {name: client.get(path) for path, name in PATHS.items()}
        client.close()
        ours = Target(service.port, (service.process.pid,))
        with _nginx(world, bodies) as nginx:
            for path, name in PATHS.items():
                _cost_ns(ours, path)
                _cost_ns(nginx, f"/{name}")
            for _ in range(ROUNDS):
                for path, name in PATHS.items():
                    costs[path].append((_cost_ns(ours, path), _cost_ns(nginx, f"/{name}")))
    return [row for path, pairs in costs.items() for row in _rows(path, pairs)]


def _rows(path: str, pairs: list[tuple[float, float]]) -> list[Row]:
    ours = Spread.of([own / 1e3 for own, _ in pairs])
    theirs = Spread.of([other / 1e3 for _, other in pairs])
    ratio = Spread.of([own / other for own, other in pairs])
    return [
        Row(f"`{path}`, CPU", ours, "µs", digits=1),
        Row(f"nginx, a file as large as `{path}`, CPU", theirs, "µs", digits=1),
        Row(f"`{path}` / nginx", ratio, "×", bound=1.5),
    ]


@contextmanager
def _nginx(world: World, bodies: dict[str, bytes]) -> Iterator[Target]:
    folder = world.folder / "nginx"
    port = free_port()
    (folder / "files").mkdir(parents=True)
    for name, body in bodies.items():
        (folder / "files" / name).write_bytes(body)
    settings = folder / "nginx.conf"
    settings.write_text(_NGINX.format(folder=folder, logs=world.logs, port=port))
    line = ["nginx", "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(settings)]
    with pinned(SUBJECT_CORES):
        process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    try:
        wait_until(lambda: process.poll() is not None or children.read_text(), "nginx started")
        assert process.poll() is None, (folder / "error.log").read_text()
        worker = int(children.read_text())
        yield Target(port, (process.pid, worker))
    finally:
        process.terminate()
        process.wait(timeout=10)


def _cost_ns(target: Target, path: str) -> float:
    """CPU of one request."""
    url = f"http://127.0.0.1:{target.port}{path}"
    line = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{ROUND_S}s", url]
    before = cpu_ns(*target.pids)
    with pinned(OTHER_CORES):
        done = subprocess.run(line, capture_output=True, text=True, check=True, timeout=60)
    time.sleep(0.05)  # connections are closed, and the process is off the CPU
    used = cpu_ns(*target.pids) - before
    assert "Non-2xx" not in done.stdout, done.stdout
    return used / int(re.search(r"(\d+) requests in", done.stdout).group(1))
