# SPDX-License-Identifier: Apache-2.0
"""Starts `user-service dev` and stops it by its pid; what it prints goes to files."""

import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import requests

from .client import Api
from .events import VERIFICATION_REQUESTED
from .ledger import LEDGER
from .paths import BINARY
from .poll import free_ports, wait_until
from .service import base_environment

_READY_S = 60.0
_STOP_S = 40.0


def _hear_all_signals() -> None:
    """A run under nohup, or of some CI, would hand on that SIGHUP is ignored."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


class Dev:
    """One `dev` process. `command` is what starts the binary, for another user or the like."""

    def __init__(
        self,
        folder: Path,
        data: Path,
        command: tuple[str, ...] = (str(BINARY),),
        settings: dict[str, str] | None = None,
        replicas: int = 1,
        **popen: Any,
    ) -> None:
        self.port = free_ports(replicas)
        self.ops_port = free_ports(replicas)
        self.data = data
        self.output = folder / f"dev-{self.port}.out"
        self._errors = folder / f"dev-{self.port}.err"
        line = [*command, "dev", "--data", str(data), "--port", str(self.port)]
        if replicas > 1:
            line += ["--replicas", str(replicas)]
        environment = base_environment() | {"US_OPS_LISTEN": f"127.0.0.1:{self.ops_port}"}
        environment |= settings or {}
        with self.output.open("wb") as out, self._errors.open("wb") as err:
            self.process = subprocess.Popen(
                line,
                env=environment,
                stdout=out,
                stderr=err,
                preexec_fn=_hear_all_signals,
                **popen,
            )
        self.replicas = [Api("127.0.0.1", self.port + i) for i in range(replicas)]
        self.api = self.replicas[0]

    @property
    def errors(self) -> str:
        return self._errors.read_text()

    def place(self, name: str) -> str:
        """The URL that it prints under this name."""

        def look() -> str | None:
            assert self.process.poll() is None, self.errors[-2000:]
            return next(iter(self.places(name)), None)

        return wait_until(look, f"line {name!r}, see {self._errors}", _READY_S)

    def places(self, name: str) -> list[str]:
        """All URLs that it has printed under this name."""
        return re.findall(rf"^{name} (http://\S+)$", self.output.read_text(), re.MULTILINE)

    def wait_ready(self) -> "Dev":
        assert self.place("api") == f"http://127.0.0.1:{self.port}"
        self.place("ops")
        for i in range(len(self.replicas)):
            ready = f"http://127.0.0.1:{self.ops_port + i}/readyz"
            wait_until(lambda url=ready: status_of(url) == 200, "ready", _READY_S)
        return self

    def mail_link(self, email: str, event_type: str = VERIFICATION_REQUESTED) -> str:
        line = re.compile(
            rf"^mail to={re.escape(email)} type={re.escape(event_type)} link=(\S+)$",
            re.MULTILINE,
        )
        found = wait_until(lambda: line.search(self.output.read_text()), f"mail to {email}")
        return found.group(1)

    def interrupt(self, number: signal.Signals = signal.SIGINT) -> None:
        self._close()
        self.process.send_signal(number)
        assert self.process.wait(timeout=_STOP_S) == 0, self.errors[-2000:]
        self._check_log()

    def _close(self) -> None:
        for api in self.replicas:
            api.close()

    def _check_log(self) -> None:
        """No sanitizer's report and no secret among what the service logged."""
        logs = list(self.data.glob("service*.log"))
        for log in logs:
            text = log.read_text(errors="replace")
            assert "Sanitizer" not in text, text[-3000:]
            assert "runtime error" not in text, text[-3000:]
        if len(LEDGER) > 0:
            assert LEDGER.find_in(logs, self.output.with_suffix(".grep")) == []

    def kill(self) -> None:
        self._close()
        self.process.kill()
        self.process.wait()

    def wait_end(self) -> int:
        """The exit status of one that ends by itself."""
        self._close()
        return self.process.wait(timeout=_STOP_S)

    def children(self) -> dict[int, str]:
        """Its direct children, pid to the name of their program."""
        return {pid: name for pid, (parent, name) in processes().items() if self._is_own(parent)}

    def family(self) -> set[int]:
        """All that descend from it."""
        found = {self.process.pid}
        everybody = processes()
        while True:
            more = {pid for pid, (parent, _) in everybody.items() if parent in found} - found
            if not more:
                return found - {self.process.pid}
            found |= more

    def _is_own(self, parent: int) -> bool:
        return parent == self.process.pid


def processes() -> dict[int, tuple[int, str]]:
    """Pid to parent and name, of all but zombies."""
    found = {}
    for place in Path("/proc").iterdir():
        if not place.name.isdigit():
            continue
        try:
            stat = (place / "stat").read_text()
        except OSError:
            continue
        name = stat[stat.index("(") + 1 : stat.rindex(")")]
        state, parent = stat[stat.rindex(")") + 2 :].split()[:2]
        if state != "Z":
            found[int(place.name)] = (int(parent), name)
    return found


def status_of(url: str) -> int:
    """0 without an answer."""
    try:
        return requests.get(url, timeout=5).status_code
    except requests.RequestException:
        return 0
