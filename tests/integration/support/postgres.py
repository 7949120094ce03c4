# SPDX-License-Identifier: Apache-2.0
"""A private PostgreSQL: unix socket only, own folder, stopped by pid.

`durable=False` gives up what only a power failure could take (fsync). Tests that kill the server
ask for `durable=True`.
"""

import itertools
import os
import pwd
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psycopg

from .poll import wait_until

_READY_S = 30.0
_numbers = itertools.count(1)


def newest_bin() -> Path:
    """The newest installed server's folder, as Debian lays them out."""
    found = [p for p in Path("/usr/lib/postgresql").glob("*/bin") if (p / "postgres").exists()]
    if not found:
        raise RuntimeError("no PostgreSQL server found below /usr/lib/postgresql; run: make deps")
    return max(found, key=lambda p: int(p.parent.name))


def server_user() -> str | None:
    """initdb refuses root: then the account that Debian's package makes, else nobody."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


class Cluster:
    """One PostgreSQL server. Not for several threads at once, but for `url`."""

    def __init__(self, folder: Path, durable: bool = False) -> None:
        self.folder = folder
        self.durable = durable
        self._user = server_user()
        self._bin = newest_bin()
        self._process: subprocess.Popen[bytes] | None = None
        self.folder.mkdir(parents=True)
        self.folder.chmod(0o755)
        if self._user:
            shutil.chown(self.folder, self._user)
        self._initdb()

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.folder / "postgres.log"

    def url(self, database: str) -> str:
        return f"postgresql://owner@/{database}?host={self.folder}"

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        return psycopg.connect(self.url(database), autocommit=True, connect_timeout=5)

    def create_database(self, stem: str = "us") -> str:
        """A fresh database's name."""
        name = f"{stem}_{next(_numbers)}"
        with self.connect() as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return name

    def start(self) -> None:
        log = self.log.open("ab")
        command = [str(self._bin / "postgres"), "-D", str(self.data), *self._settings()]
        self._process = subprocess.Popen(
            command, stdout=log, stderr=log, cwd=self.folder, **self._as_user()
        )
        log.close()
        wait_until(self._answers, f"PostgreSQL ready, see {self.log}", _READY_S)

    def stop(self) -> None:
        """Fast shutdown; no error where it is down already."""
        if self._process is None:
            return
        self.resume()
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def kill(self) -> None:
        """SIGKILL to the server and all its children, as a machine that dies."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)  # so that it starts no further child
        children = self._children()
        for pid in [self._process.pid, *children]:
            _signal(pid, signal.SIGKILL)
        self._process.wait(timeout=10)
        wait_until(lambda: not any(_alive(pid) for pid in children), "killed backends gone")
        self._process = None

    def pause(self) -> None:
        """Hung, not gone: connections stay open and nothing answers."""
        assert self._process is not None
        for pid in [self._process.pid, *self._children()]:
            _signal(pid, signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        for pid in [*self._children(), self._process.pid]:
            _signal(pid, signal.SIGCONT)

    def _initdb(self) -> None:
        command = [
            str(self._bin / "initdb"),
            *("-D", str(self.data), "-U", "owner", "-A", "trust", "--locale=C", "-E", "UTF8"),
            *([] if self.durable else ["-N"]),
        ]
        subprocess.run(command, check=True, capture_output=True, cwd=self.folder, **self._as_user())

    def _settings(self) -> list[str]:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.folder),
            "unix_socket_permissions": "0777",
            "max_connections": "200",
            "log_min_messages": "warning",
            "log_line_prefix": "%m [%p] %d ",
        }
        if not self.durable:
            settings |= {"fsync": "off", "full_page_writes": "off"}
        return [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]

    def _as_user(self) -> dict[str, object]:
        if self._user is None:
            return {}
        entry = pwd.getpwnam(self._user)
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(f"PostgreSQL ended:\n{self.log.read_text()[-2000:]}")
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _children(self) -> list[int]:
        assert self._process is not None
        parent = self._process.pid
        return [pid for pid in _pids() if _parent_of(pid) == parent]


def _pids() -> list[int]:
    return [int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit()]


def _parent_of(pid: int) -> int | None:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    found = re.search(r"^PPid:\s+(\d+)", status, re.MULTILINE)
    return int(found.group(1)) if found else None


def _alive(pid: int) -> bool:
    """False for a zombie too: what holds memory and files is gone by then."""
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        time.sleep(0)
