# SPDX-License-Identifier: Apache-2.0
"""nginx and Apache in front of an upstream that records what arrives.

Each runs in the foreground in a folder of its own, on loopback, and is stopped by its pid.
"""

import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from .client import Api
from .poll import free_port, wait_until

FOUR = ("X-Auth-Subject", "X-Auth-Session", "X-Auth-Roles", "X-Auth-Scope")
_MODULES = Path("/usr/lib/apache2/modules")


@dataclass(frozen=True)
class Arrived:
    """One request that came through."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        """Values of a header, with `_` for `-` as many frameworks read it."""
        wanted = name.lower()
        return [v for k, v in self.headers if k.lower().replace("_", "-") == wanted]


class Upstream:
    """Answers `status` to everything."""

    def __init__(self) -> None:
        self.status = 200
        self.port = free_port()
        self.arrived: list[Arrived] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), _handler_for(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def authority(self) -> str:
        return f"127.0.0.1:{self.port}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler_for(upstream: Upstream) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            upstream.arrived.append(
                Arrived(self.command, self.path, list(self.headers.items()), body)
            )
            self.send_response(upstream.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = answer  # noqa: N815

        def log_message(self, *_arguments: object) -> None:
            """Silent."""

    return Handler


@contextmanager
def nginx(folder: Path, block: str, port: int) -> Iterator[Api]:
    """`block` is what stands in http { }."""
    folder.mkdir()
    paths = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"    {name}_temp_path {folder}/{name};\n" for name in paths)
    config = folder / "nginx.conf"
    config.write_text(
        f"daemon off;\nuser root;\nworker_processes 1;\npid {folder}/nginx.pid;\n"
        f"events {{ worker_connections 64; }}\n"
        f"http {{\n    access_log off;\n{temporary}{block}}}\n"
    )
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    assert program, "no nginx; run: make deps, or make test"
    command = [program, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(config)]
    with _running(command, folder, port) as api:
        yield api


@contextmanager
def apache(folder: Path, block: str, port: int, modules: list[str]) -> Iterator[Api]:
    """`block` is the inside of a virtual host."""
    folder.mkdir()
    wanted = [  # and what the block is about
        "mpm_event",
        "authn_core",
        "authz_core",
        "authz_user",
        "proxy",
        "proxy_http",
        "headers",
    ]
    loads = "".join(
        f"LoadModule {name}_module {_MODULES}/mod_{name}.so\n" for name in [*wanted, *modules]
    )
    config = folder / "apache.conf"
    config.write_text(
        f"ServerRoot {folder}\nServerName 127.0.0.1\nPidFile {folder}/apache.pid\n"
        f"DefaultRuntimeDir {folder}\nErrorLog {folder}/error.log\nListen 127.0.0.1:{port}\n"
        f"{loads}User nobody\nGroup nogroup\nStartServers 1\nThreadsPerChild 8\nServerLimit 1\n"
        f"MaxRequestWorkers 8\n<VirtualHost 127.0.0.1:{port}>\n{block}</VirtualHost>\n"
    )
    command = ["/usr/sbin/apache2", "-D", "FOREGROUND", "-f", str(config)]
    with _running(command, folder, port) as api:
        yield api


@contextmanager
def _running(command: list[str], folder: Path, port: int) -> Iterator[Api]:
    api = Api("127.0.0.1", port, checked=False, timeout_s=20)
    with (folder / "output.log").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=folder)
    try:
        wait_until(lambda: _is_up(process, api, folder), f"{command[0]} up, see {folder}")
        yield api
    finally:
        api.close()
        process.terminate()
        process.wait(timeout=20)


def _is_up(process: subprocess.Popen[bytes], api: Api, folder: Path) -> bool:
    assert process.poll() is None, "".join(
        path.read_text(errors="replace") for path in sorted(folder.glob("*.log"))
    )
    try:
        api.get("/")
    except OSError:
        return False
    return True
