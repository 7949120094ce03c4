# SPDX-License-Identifier: Apache-2.0
"""`user-service dev --replicas N`: several processes that are one service."""

import os
import re
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import requests
from support.dev import Dev, processes, status_of
from support.journey import Person, confirm, login, new_person
from support.ledger import LEDGER
from support.paths import BINARY
from support.poll import free_ports, wait_until
from support.receiver import token_of
from support.refresh_tokens import refreshed
from support.service import base_environment


@pytest.fixture(scope="module")
def folder(scratch: Path) -> Path:
    made = scratch / "replicas"
    made.mkdir()
    return made


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[[int], Dev]]:
    """Starts one with so many replicas; whatever a failed test leaves is killed."""
    started: list[Dev] = []

    def run(replicas: int) -> Dev:
        started.append(Dev(folder, folder / "data", replicas=replicas))
        return started[-1].wait_ready()

    yield run
    for dev in started:
        if dev.process.poll() is None:
            dev.kill()


def _services(dev: Dev) -> list[int]:
    """Their pids by number."""
    found = {pid for pid, name in dev.children().items() if name != "postgres"}
    return sorted(found, key=lambda pid: _listen(pid))


def _environment(pid: int) -> dict[str, str]:
    text = Path(f"/proc/{pid}/environ").read_text()
    return dict(entry.split("=", 1) for entry in text.split("\0") if "=" in entry)


def _listen(pid: int) -> str:
    return _environment(pid)["US_HTTP_LISTEN"]


def _confirmed(dev: Dev) -> Person:
    """Registered through the first replica, confirmed through the last."""
    person = new_person()
    assert dev.replicas[0].post("/v1/register", person.credentials).status == 202
    token = token_of(dev.mail_link(person.email))
    LEDGER.add(token)
    confirm(dev.replicas[-1], token, person.password)
    return person


def test_three_are_one_service(start: Callable[[int], Dev]) -> None:
    dev = start(3)
    assert dev.places("api") == [f"http://127.0.0.1:{dev.port + i}" for i in range(3)]
    assert dev.places("ops") == [f"http://127.0.0.1:{dev.ops_port + i}" for i in range(3)]
    assert len(dev.places("inbox")) == 1
    person = _confirmed(dev)
    tokens = login(dev.replicas[2], person)
    token = refreshed(dev.replicas[1], tokens["refresh_token"])
    for api in dev.replicas:
        token = refreshed(api, token)
        assert api.get("/v1/me", token=tokens["access_token"]).status == 200
        metadata = api.get("/.well-known/oauth-authorization-server").json()
        assert metadata["issuer"] == f"http://127.0.0.1:{dev.port}"
    keys = {api.get("/.well-known/jwks.json").body for api in dev.replicas}
    assert len(keys) == 1
    mails = requests.get(f"{dev.place('inbox')}/mails", timeout=10).json()
    assert person.email in str(mails)
    family = dev.family()
    dev.interrupt()
    assert not family & processes().keys()
    assert [status_of(url) for url in dev.places("ops")] == [0, 0, 0]
    logs = [dev.data / name for name in ("service.log", "service-1.log", "service-2.log")]
    for i, log in enumerate(logs):
        text = log.read_text()
        assert f":{dev.port + i}" in text
        assert '"stopped"' in text.splitlines()[-1]
        assert re.search(r'"/v1/me"|"/v1/me', text)


def test_they_differ_in_their_listeners_only(start: Callable[[int], Dev]) -> None:
    dev = start(3)
    services = _services(dev)
    listens = [_listen(pid) for pid in services]
    assert listens == [f"127.0.0.1:{dev.port + i}" for i in range(3)]
    settings = [_environment(pid) for pid in services]
    for one in settings:
        del one["US_HTTP_LISTEN"], one["US_OPS_LISTEN"]
    assert settings[0] == settings[1] == settings[2]
    dev.interrupt()


def test_the_database_has_room_for_all(start: Callable[[int], Dev]) -> None:
    dev = start(8)
    url = (dev.data / "database").read_text()
    with psycopg.connect(url, autocommit=True) as connection:
        most = int(connection.execute("SHOW max_connections").fetchone()[0])
        opened = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'user-service'"
        wait_until(
            lambda: connection.execute(opened).fetchone()[0] > 8 * 8, "all workers connected", 30.0
        )
    threads = len(list(Path(f"/proc/{_services(dev)[0]}/task").iterdir()))
    assert most >= 8 * threads  # no thread has more than one connection
    dev.interrupt()


@pytest.mark.parametrize("number", [0, 2])
def test_one_that_dies_ends_it(start: Callable[[int], Dev], number: int) -> None:
    dev = start(3)
    family = dev.family()
    os.kill(_services(dev)[number], signal.SIGKILL)
    assert dev.wait_end() == 1
    assert f"replica {number} was ended by signal 9" in dev.errors
    assert "the last lines of" in dev.errors
    wait_until(lambda: not family & processes().keys(), "all processes gone", 30.0)


def test_a_killed_dev_leaves_no_process(start: Callable[[int], Dev]) -> None:
    dev = start(2)
    family = dev.family()
    dev.kill()
    wait_until(lambda: not family & processes().keys(), "all processes gone", 30.0)


def _refused(folder: Path, *arguments: str, **settings: str) -> str:
    command = [str(BINARY), "dev", "--data", str(folder / "refused"), *arguments]
    environment = base_environment() | settings
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30)
    assert done.returncode in (1, 2)
    assert not (folder / "refused/postgres").exists()
    return done.stderr


@pytest.mark.parametrize("count", ["0", "9", "-1", "two", ""])
def test_a_number_that_is_none_is_refused(folder: Path, count: str) -> None:
    assert f'--replicas takes 1 to 8, got "{count}"' in _refused(folder, "--replicas", count)


def test_ports_are_checked_beforehand(folder: Path) -> None:
    port, ops = free_ports(3), free_ports(3)
    listen = {"US_OPS_LISTEN": f"127.0.0.1:{ops}"}
    three = ("--replicas", "3", "--port")
    with socket.create_server(("127.0.0.1", port + 2)):
        said = _refused(folder, *three, str(port), **listen)
    assert f"port {port + 2} for the API is taken" in said
    with socket.create_server(("127.0.0.1", ops + 1)):
        said = _refused(folder, *three, str(port), **listen)
    assert f"port {ops + 1} for the operations listener is taken" in said
    said = _refused(folder, *three, str(ops - 2), **listen)
    assert f"API ports from {ops - 2} and operations ports from {ops} on overlap" in said
    assert "go up to 65536, above 65535" in _refused(folder, *three, "65534", **listen)
