# SPDX-License-Identifier: Apache-2.0
"""What the figures are taken on: a durable PostgreSQL, secrets, services, and a thin client."""

import http.client
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from measure import ALL_CORES, OTHER_CORES, pinned
from support.paths import BUILD
from support.postgres import Cluster
from support.secret_files import write_secret_files
from support.service import Service

PASSWORD = "correct horse battery staple"
ARGON2_MEMORY_KIB = 19456
ARGON2_PASSES = 2
# Where the hash is not what is measured: less of it gives more requests in the same time.
CHEAP_HASH = {"US_ARGON2_MEMORY_KIB": "7168", "US_ARGON2_PASSES": "1"}
_MEMORY = Path("/dev/shm")


class World:
    """Not for several threads at once."""

    def __init__(self) -> None:
        self.folder = _new_folder(Path("/tmp"))
        # A pod's log goes into a pipe; a file on the disk would wait while PostgreSQL syncs it.
        self.logs = _new_folder(_MEMORY if os.access(_MEMORY, os.W_OK) else self.folder)
        self.secrets = write_secret_files(self.folder / "secrets")
        self.cluster = Cluster(self.folder / "pg", durable=True)
        with pinned(OTHER_CORES):
            self.cluster.start()

    def close(self) -> None:
        self.cluster.stop()
        shutil.rmtree(self.logs, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def database(self) -> str:
        return self.cluster.url(self.cluster.create_database())

    def make_service(self, database_url: str, **settings: str) -> Service:
        """Made, not started. Accounts need no confirmation, and no event is published."""
        quiet = {"US_EMAIL_VERIFICATION": "optional", "US_EVENTS": "user.verified"}
        return Service(self.logs, database_url, self.secrets, quiet | settings)

    @contextmanager
    def service(self, cores: Sequence[int] = ALL_CORES, **settings: str) -> Iterator[Service]:
        """A ready one on a fresh database. Its log goes with it: it may be large."""
        made = self.make_service(self.database(), **settings)
        try:
            with pinned(cores):
                made.launch()
            made.wait_ready()
            yield made
            made.stop()
        finally:
            made.kill()
            made.log.unlink(missing_ok=True)


def _new_folder(where: Path) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="us-bench-", dir=where))
    folder.chmod(0o755)
    return folder


class Client:
    """One kept connection. Not for several threads."""

    def __init__(self, service: Service) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)

    def post(self, path: str, value: Any) -> tuple[int, bytes]:
        headers = {"Content-Type": "application/json"}
        self._connection.request("POST", path, json.dumps(value), headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def get(self, path: str) -> bytes:
        self._connection.request("GET", path)
        return self._connection.getresponse().read()

    def register(self) -> dict[str, str]:
        """What a new account logs in with."""
        person = {"email": f"bench-{secrets.token_hex(6)}@example.com", "password": PASSWORD}
        status, body = self.post("/v1/register", person)
        assert status == 201, body
        return person

    def login(self, person: dict[str, str]) -> None:
        self.tokens(person)

    def tokens(self, person: dict[str, str]) -> dict[str, Any]:
        """What a login answers."""
        status, body = self.post("/v1/login", person)
        assert status == 200, body
        return json.loads(body)

    def close(self) -> None:
        self._connection.close()


def tool(name: str) -> str:
    """A program of this folder, built."""
    return str(BUILD / "bench" / name)
