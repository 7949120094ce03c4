# SPDX-License-Identifier: Apache-2.0
"""Starts `user-service serve` and stops it by its pid. Logs go to a file a service."""

import itertools
import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .client import Api
from .paths import BINARY
from .poll import free_port, wait_until
from .secret_files import SecretFiles

_READY_S = 20.0
_STOP_S = 40.0
_numbers = itertools.count(1)
_SANITIZERS = ("AddressSanitizer", "UndefinedBehaviorSanitizer", "ThreadSanitizer", "runtime error")


def base_environment() -> dict[str, str]:
    """Nothing of the caller's `US_` variables; what sanitizers and loaders need stays."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS")
    return {name: os.environ[name] for name in kept if name in os.environ}


@dataclass
class Service:
    """One `serve` process. `stop` checks that it ended well."""

    folder: Path
    database_url: str
    secrets: SecretFiles
    settings: dict[str, str] = field(default_factory=dict)
    port: int = 0
    ops_port: int = 0

    def __post_init__(self) -> None:
        self.port = self.port or free_port()
        self.ops_port = self.ops_port or free_port()
        self.log = self.folder / f"serve-{next(_numbers):04d}.log"
        self.api = Api("127.0.0.1", self.port)
        self.ops = Api("127.0.0.1", self.ops_port, checked=False, timeout_s=5)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return self.settings.get("US_PUBLIC_URL", f"http://127.0.0.1:{self.port}")

    def environment(self) -> dict[str, str]:
        defaults = {
            "US_HTTP_LISTEN": f"127.0.0.1:{self.port}",
            "US_OPS_LISTEN": f"127.0.0.1:{self.ops_port}",
            "US_PUBLIC_URL": self.url,
            "US_DATABASE_URL": self.database_url,
            "US_AUDIENCE": "shop",
            **self.secrets.environment(),
        }
        return base_environment() | defaults | self.settings

    def start(self, ready: bool = True) -> "Service":
        self.launch()
        if ready:
            self.wait_ready()
        return self

    def launch(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(BINARY), "serve"], env=self.environment(), stdout=log, stderr=log
            )

    def wait_ready(self, deadline_s: float = _READY_S) -> None:
        wait_until(self.is_ready, f"service ready, see {self.log}", deadline_s, 0.005)

    def is_ready(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"service ended by {self.process.returncode}:\n{self.tail()}")
        return self.ops_status("/readyz") == 200

    def ops_status(self, path: str) -> int:
        """0 without an answer."""
        try:
            return self.ops.get(path).status
        except Exception:
            return 0

    def metrics(self) -> str:
        return self.ops.get("/metrics").body.decode()

    def metric(self, name: str) -> float:
        """Sum over all labels; 0 where there is no such sample."""
        lines = (line for line in self.metrics().splitlines() if not line.startswith("#"))
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if _name_of(line) == name)

    def stop(self, deadline_s: float = _STOP_S) -> None:
        """SIGTERM; the service drains and ends with 0. No error where it was stopped before."""
        self.api.close()
        self.ops.close()
        if self.process is None:
            return
        process, self.process = self.process, None
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(timeout=deadline_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(
                f"still running {deadline_s:g} s after SIGTERM, {self.log}"
            ) from None
        assert code == 0, f"ended by {code} after SIGTERM:\n{self.tail()}"
        self.check_sanitizers()

    def kill(self) -> None:
        """SIGKILL, whatever it is doing."""
        self.api.close()
        self.ops.close()
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def check_sanitizers(self) -> None:
        text = self.log.read_text(errors="replace")
        found = [word for word in _SANITIZERS if word in text]
        assert not found, f"{found} in {self.log}:\n{self.tail()}"

    def log_records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]


def _name_of(sample: str) -> str:
    return sample.split("{", 1)[0].split(" ", 1)[0]


def run_command(
    *arguments: str,
    environment: dict[str, str] | None = None,
    stdin: str = "",
    timeout_s: float = 30,
) -> subprocess.CompletedProcess[str]:
    """One subcommand to its end."""
    return subprocess.run(
        [str(BINARY), *arguments],
        env=base_environment() | (environment or {}),
        input=stdin,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout_s,
    )


def elapsed(since: float) -> float:
    return time.monotonic() - since
