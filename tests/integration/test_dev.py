# SPDX-License-Identifier: Apache-2.0
"""`user-service dev`, as a newcomer meets it: start, register, read the mail, stop, start again."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from support.dev import Dev, status_of
from support.journey import Person, confirm, login, new_person
from support.ledger import LEDGER
from support.paths import BINARY
from support.poll import free_port, wait_until
from support.receiver import token_of
from support.service import base_environment


@pytest.fixture(scope="module")
def folder(scratch: Path) -> Path:
    made = scratch / "dev"
    made.mkdir()
    return made


@pytest.fixture
def started(folder: Path) -> Iterator[list[Dev]]:
    """Whatever a failed test leaves is killed."""
    running: list[Dev] = []
    yield running
    for dev in running:
        if dev.process.poll() is None:
            dev.kill()


def _register(dev: Dev) -> Person:
    person = new_person()
    assert dev.api.post("/v1/register", person.credentials).status == 202
    link = dev.mail_link(person.email)
    LEDGER.add(token_of(link))
    assert requests.get(link, timeout=10).status_code == 200  # the built-in page
    person.tokens = confirm(dev.api, token_of(link), person.password)
    return person


def test_a_user_outlives_the_service(folder: Path, started: list[Dev]) -> None:
    data = folder / "data"
    first = Dev(folder, data)
    started.append(first)
    first.wait_ready()
    person = _register(first)
    inbox = first.place("inbox")
    mails = requests.get(f"{inbox}/mails", timeout=10).json()
    mails = mails if isinstance(mails, list) else mails["items"]
    assert [mail for mail in mails if mail["to"] == person.email]
    assert requests.get(f"{inbox}/events", timeout=10).status_code == 200
    assert "<html" in requests.get(inbox, timeout=10).text.lower()
    for path in ("/docs", "/openapi.json", "/verify"):
        assert first.api.get(path).status == 200
    first.interrupt()
    wait_until(lambda: status_of(inbox) == 0, "inbox gone")

    second = Dev(folder, data)
    started.append(second)
    second.wait_ready()
    login(second.api, person)
    second.interrupt()


def test_it_comes_back_after_a_crash(folder: Path, started: list[Dev]) -> None:
    """Killed, so that nothing was tidied up: pid files and sockets are stale."""
    data = folder / "crash"
    first = Dev(folder, data)
    started.append(first)
    first.wait_ready()
    person = _register(first)
    first.kill()

    second = Dev(folder, data)
    started.append(second)
    second.wait_ready()
    login(second.api, person)
    second.interrupt()


def test_data_of_another_postgresql_is_refused(folder: Path) -> None:
    data = folder / "other"
    data.mkdir()
    for place in (data, data / "postgres", data / "pg"):
        place.mkdir(exist_ok=True)
        (place / "PG_VERSION").write_text("9\n")
    command = [str(BINARY), "dev", "--data", str(data), "--port", str(free_port())]
    done = subprocess.run(
        command, env=base_environment(), capture_output=True, text=True, timeout=30
    )
    assert done.returncode > 0
    assert "9" in done.stderr
    assert (data / "PG_VERSION").read_text() == "9\n"
