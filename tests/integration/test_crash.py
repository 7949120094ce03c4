# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the service and of PostgreSQL under load: what was acknowledged is there, and told.

Clients keep a history of what was acknowledged to them. At the end it is held against the database
and against what the receiver was told.
"""

import http.client
import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from support import events
from support.client import Api, Reply
from support.journey import Person, login, new_password, new_person
from support.makers import ReceiverMaker, ServiceMaker
from support.poll import wait_until
from support.postgres import Cluster
from support.receiver import Receiver, token_of
from support.service import Service
from support.stats import percentile, report

SERVICE_ROUNDS = 100
POSTGRES_ROUNDS = 20
CLIENTS = 8
READY_S = 1.0


class Clients:
    """Register, log in, rename, change or reset the password, log out; remember each 2xx."""

    def __init__(self, port: int, receiver: Receiver) -> None:
        self._receiver = receiver
        self._turns = itertools.count()
        self._api = Api("127.0.0.1", port, timeout_s=10)
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(CLIENTS)]
        self.registered: dict[str, str] = {}
        self.names: dict[str, str] = {}
        self.passwords: dict[str, str] = {}  # of those who changed theirs, the one that is sure
        self.changes: Counter[str] = Counter()
        self.resets = 0
        self.ended: list[str] = []
        self.refused: Counter[str] = Counter()
        self.faults: list[str] = []

    def __enter__(self) -> "Clients":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._live()
            except AssertionError as fault:
                self.faults.append(str(fault))
            except (OSError, http.client.HTTPException) as failure:
                self.refused[type(failure).__name__] += 1
                time.sleep(0.005)

    def _live(self) -> None:
        person = new_person()
        created = self._acknowledged(self._api.post("/v1/register", person.credentials), 201)
        if created is None:
            return
        self.registered[person.email] = created.json()["id"]
        login = self._acknowledged(self._api.post("/v1/login", person.credentials), 200)
        if login is None:
            return
        token = login.json()["access_token"]
        name = f"name of {person.email}"
        if self._acknowledged(self._api.patch("/v1/me", {"name": name}, token=token), 200):
            self.names[person.email] = name
        changed = self._change(person, token)
        if changed is None:
            return
        token = changed.json()["access_token"]
        if self._acknowledged(self._api.post("/v1/logout", token=token), 204):
            self.ended.append(changed.json()["session_id"])
        if next(self._turns) % 4 == 0:
            self._reset(person)

    def _change(self, person: Person, token: str) -> Reply | None:
        body = {"current_password": person.password, "new_password": new_password()}
        changed = self._acknowledged(self._api.post("/v1/me/password", body, token=token), 200)
        if changed is not None:
            self._note_password(person, body["new_password"])
        return changed

    def _reset(self, person: Person) -> None:
        asked = self._api.post("/v1/password-reset", {"email": person.email})
        if self._acknowledged(asked, 202) is None:
            return
        mail = self._mail(person.email)
        if mail is None:
            return
        # What is not acknowledged may have happened all the same.
        self.passwords.pop(person.email)
        body = {"token": token_of(mail["data"]["link"]), "new_password": new_password()}
        confirmed = self._api.post("/v1/password-reset/confirm", body)
        if self._acknowledged(confirmed, 204):
            self._note_password(person, body["new_password"])
            self.resets += 1

    def _mail(self, email: str) -> dict[str, Any] | None:
        end = time.monotonic() + 5
        while time.monotonic() < end and not self._stop.is_set():
            found = self._receiver.find(events.PASSWORD_RESET_REQUESTED, email=email)
            if found:
                return found[0]
            time.sleep(0.05)
        return None

    def _note_password(self, person: Person, password: str) -> None:
        self.passwords[person.email] = password
        self.changes[person.email] += 1

    def _acknowledged(self, reply: Reply, status: int) -> Reply | None:
        if reply.status == 503:
            self.refused["503"] += 1
            time.sleep(0.1)
            return None
        assert reply.status == status, reply
        return reply


@pytest.fixture(scope="module")
def durable(scratch: Path) -> Iterator[Cluster]:
    server = Cluster(scratch / "pg-durable", durable=True)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def shop(
    make_service: ServiceMaker, make_receiver: ReceiverMaker, durable: Cluster
) -> tuple[Service, Receiver]:
    receiver = make_receiver()
    settings = {
        "US_EMAIL_VERIFICATION": "optional",
        "US_ARGON2_MEMORY_KIB": "8192",
        "US_ARGON2_PASSES": "1",
    }
    url = durable.url(durable.create_database())
    return make_service(receiver, database_url=url, **settings).start(), receiver


@pytest.mark.timeout(400)
def test_kill_the_service(shop: tuple[Service, Receiver]) -> None:
    service, receiver = shop
    chance = random.Random(20)
    ready: list[float] = []
    with Clients(service.port, receiver) as clients:
        for number in range(SERVICE_ROUNDS):
            time.sleep(chance.uniform(0.0, 0.8))
            service.kill()
            started = time.monotonic()
            service.launch()
            if number % 10 != 9:  # some are killed again before they are ready
                service.wait_ready()
                ready.append(time.monotonic() - started)
        time.sleep(0.5)
    service.wait_ready()
    _assert_history(service, receiver, clients)
    report(
        f"kill -9 of the service: {SERVICE_ROUNDS} rounds, {len(clients.registered)} accounts,"
        f" {clients.changes.total()} new passwords ({clients.resets} by reset) and"
        f" {len(clients.ended)} logouts acknowledged, exec to ready p50"
        f" {percentile(ready, 0.5) * 1e3:.0f} ms, max {max(ready) * 1e3:.0f} ms"
    )
    assert max(ready) < READY_S


@pytest.mark.timeout(400)
def test_kill_postgresql(shop: tuple[Service, Receiver], durable: Cluster) -> None:
    service, receiver = shop
    chance = random.Random(21)
    back: list[float] = []
    with Clients(service.port, receiver) as clients:
        for _ in range(POSTGRES_ROUNDS):
            time.sleep(chance.uniform(0.2, 1.2))
            durable.kill()
            time.sleep(chance.uniform(0.0, 0.3))
            durable.start()
            started = time.monotonic()
            before = len(clients.registered)
            wait_until(
                lambda before=before: len(clients.registered) > before, "registers again", 15
            )
            back.append(time.monotonic() - started)
        time.sleep(0.5)
    service.wait_ready()
    _assert_history(service, receiver, clients)
    report(
        f"kill -9 of PostgreSQL: {POSTGRES_ROUNDS} rounds, {len(clients.registered)} accounts"
        f" acknowledged, first one after its return p50 {percentile(back, 0.5):.2f} s,"
        f" max {max(back):.2f} s"
    )
    assert max(back) < 5.0


def _assert_history(service: Service, receiver: Receiver, clients: Clients) -> None:
    assert not clients.faults, clients.faults[:3]
    assert len(clients.registered) >= 100, clients.refused
    with psycopg.connect(service.database_url, autocommit=True) as connection:
        pending = "SELECT count(*) FROM outbox"
        wait_until(lambda: connection.execute(pending).fetchone()[0] == 0, "outbox empty", 90, 0.1)
        outdated = connection.execute(
            "SELECT count(*) FROM sessions s JOIN users u ON u.id = s.user_id"
            " WHERE s.revoked_at IS NULL AND s.auth_ver <> u.auth_ver"
        ).fetchone()[0]
        assert outdated == 0, "sessions of a password that was changed"
        rows = connection.execute(
            "SELECT email_canonical, coalesce(subject, id::text), name, auth_ver - 1 FROM users"
        ).fetchall()
    users = {email: subject for email, subject, _name, _made in rows}
    names = {email: name for email, _subject, name, _made in rows}
    made = Counter({email: made for email, _subject, _name, made in rows if made > 0})

    lost = clients.registered.items() - users.items()
    assert not lost, f"{len(lost)} acknowledged accounts lost"
    unnamed = clients.names.items() - names.items()
    assert not unnamed, f"{len(unnamed)} acknowledged names lost"

    told = events.first_deliveries(receiver.accepted())
    registered = Counter(e["data"]["email"] for e in told if e["type"] == events.REGISTERED)
    assert registered == Counter(list(users)), "one registered event for each account, and no other"
    changed = Counter(e["data"]["email"] for e in told if e["type"] == events.PASSWORD_CHANGED)
    assert clients.changes <= changed, "each acknowledged change was told"
    assert changed == made, "one password_changed event for each change, and no other"
    assert clients.resets > 0
    for email, password in list(clients.passwords.items())[-200:]:
        login(service.api, Person(email, password))
    ended = Counter(e["data"]["session_id"] for e in told if e["type"] == events.SESSION_REVOKED)
    assert set(clients.ended) <= set(ended)
    assert set(ended.values()) <= {1}
    events.check_order(receiver.accepted())
