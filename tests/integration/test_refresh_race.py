# SPDX-License-Identifier: Apache-2.0
"""One refresh token from 64 clients at once over two replicas, and replicas that are killed.

`make fault` (FAULT=1) runs the races as long as a release should see them.
"""

import http.client
import itertools
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from support import events, openapi
from support.burst import Burst
from support.client import Api, Reply
from support.journey import Person, login, new_person
from support.ledger import LEDGER
from support.makers import ReceiverMaker, ServiceMaker
from support.poll import wait_until
from support.postgres import Cluster
from support.receiver import Receiver
from support.refresh_tokens import (
    REFRESH,
    RefreshForge,
    assert_refused,
    parts_of,
    refresh,
    row_of,
)
from support.secret_files import SecretFiles
from support.stats import percentile, report

pytestmark = pytest.mark.fault
CLIENTS = 64
FAULT = os.environ.get("FAULT") == "1"
ROUNDS = 10000 if FAULT else 2000
ENDED_ROUNDS = 10000 if FAULT else 2000
KILLS = 200 if FAULT else 30
POSTGRES_KILLS = 40 if FAULT else 8
SESSIONS = 8
PUBLIC_URL = "http://replicas.example"
CHEAP = {
    "US_PUBLIC_URL": PUBLIC_URL,
    "US_EMAIL_VERIFICATION": "optional",
    "US_ARGON2_MEMORY_KIB": "8192",
    "US_ARGON2_PASSES": "1",
}


class Shop:
    """Two replicas over one database, a receiver, and a user."""

    def __init__(
        self, make: ServiceMaker, receiver: Receiver, url: str | None = None, **settings: str
    ) -> None:
        settings = CHEAP | settings
        self.receiver = receiver
        first = make(receiver, database_url=url, **settings).start()
        second = make(receiver, database_url=first.database_url, **settings).start()
        self.replicas = [first, second]
        self.url = first.database_url
        self.api = first.api
        self.person: Person = new_person()
        assert first.api.post("/v1/register", self.person.credentials).status == 201

    @property
    def ports(self) -> list[int]:
        return [replica.port for replica in self.replicas]

    def open(self) -> str:
        """The first refresh token of a new session."""
        return login(self.api, self.person)["refresh_token"]

    def reuse_events(self) -> Counter[str]:
        """How often each session was told of, when all has been published."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            pending = "SELECT count(*) FROM outbox"
            wait_until(lambda: connection.execute(pending).fetchone()[0] == 0, "outbox empty", 60)
        told = events.first_deliveries(self.receiver.accepted(events.SESSION_REUSE_DETECTED))
        return Counter(event["data"]["session_id"] for event in told)


@pytest.fixture
def burst_of() -> Iterator[list[Burst]]:
    made: list[Burst] = []
    yield made
    for burst in made:
        burst.close()


def _answers(burst: Burst, token: str, key: str | None = None) -> tuple[Counter[int], set[str]]:
    """Statuses and distinct successors; the first answer of each status is held to the contract."""
    headers = {} if key is None else {"Idempotency-Key": key}
    replies = burst.post(REFRESH, {"refresh_token": token}, headers)
    samples: dict[int, Reply] = {reply.status: reply for reply in replies}
    for reply in samples.values():
        openapi.check_answer("POST", REFRESH, reply.status, reply.headers, reply.body)
    successors = {reply.json()["refresh_token"] for reply in replies if reply.status == 200}
    LEDGER.add(token, *successors)
    return Counter(reply.status for reply in replies), successors


@pytest.mark.timeout(3600)
def test_many_with_one_token_get_one_successor(
    make_service: ServiceMaker,
    make_receiver: ReceiverMaker,
    secret_files: SecretFiles,
    burst_of: list[Burst],
) -> None:
    shop, forge = Shop(make_service, make_receiver()), RefreshForge(secret_files)
    burst = Burst(shop.ports, CLIENTS)
    burst_of.append(burst)
    token = shop.open()
    statuses: Counter[int] = Counter()
    spent: list[float] = []
    for generation in range(1, ROUNDS + 1):
        began = time.monotonic()
        seen, successors = _answers(burst, token)
        spent.append(time.monotonic() - began)
        statuses += seen
        assert successors == {forge.successor(token)}, generation
        token = successors.pop()
    row = row_of(shop.url, parts_of(token).sid)
    assert (row["generation"], row["revoked_at"]) == (ROUNDS, None)
    assert row["token_hash"] == parts_of(token).digest
    # Not answered in time is allowed on a busy machine, and no more than that.
    assert set(statuses) <= {200, 503}
    assert statuses[200] > 0.95 * statuses.total()
    assert shop.reuse_events() == Counter()
    report(
        f"refresh race, {CLIENTS} clients, 2 replicas, {ROUNDS} rounds: one successor each;"
        f" {dict(statuses)}, a round p50 {percentile(spent, 0.5) * 1e3:.0f} ms,"
        f" p99 {percentile(spent, 0.99) * 1e3:.0f} ms"
    )


@pytest.mark.timeout(3600)
def test_without_grace_many_with_one_token_end_the_session(
    make_service: ServiceMaker,
    make_receiver: ReceiverMaker,
    secret_files: SecretFiles,
    burst_of: list[Burst],
) -> None:
    shop = Shop(make_service, make_receiver(), US_REFRESH_GRACE="0s")
    forge = RefreshForge(secret_files)
    burst = Burst(shop.ports, CLIENTS)
    burst_of.append(burst)
    statuses: Counter[int] = Counter()
    ended = set()
    for _ in range(ENDED_ROUNDS):
        token = shop.open()
        seen, successors = _answers(burst, token)
        statuses += seen
        assert seen[200] <= 1
        assert seen[401] >= 1
        assert successors <= {forge.successor(token)}
        row = row_of(shop.url, parts_of(token).sid)
        assert (row["generation"], row["revoked_at"] is None) == (1, False)
        assert_refused(shop.api, forge.successor(token))
        ended.add(parts_of(token).sid)
    assert shop.reuse_events() == Counter(list(ended))
    assert set(statuses) <= {200, 401, 503}
    report(f"refresh race without grace, {ENDED_ROUNDS} rounds: {dict(statuses)}, each told once")


def test_without_grace_one_key_from_many_is_one_request(
    make_service: ServiceMaker,
    make_receiver: ReceiverMaker,
    secret_files: SecretFiles,
    burst_of: list[Burst],
) -> None:
    shop = Shop(make_service, make_receiver(), US_REFRESH_GRACE="0s")
    forge = RefreshForge(secret_files)
    burst = Burst(shop.ports, CLIENTS)
    burst_of.append(burst)
    token = shop.open()
    for number in range(50):
        seen, successors = _answers(burst, token, f"key-{number}")
        assert set(seen) <= {200, 503}
        assert successors == {forge.successor(token)}
        token = successors.pop()
    assert row_of(shop.url, parts_of(token).sid)["generation"] == 50
    assert shop.reuse_events() == Counter()


def test_refresh_races_with_logout(
    make_service: ServiceMaker, make_receiver: ReceiverMaker, secret_files: SecretFiles
) -> None:
    """Whichever comes first, after the logout no token of the session is good."""
    shop, forge = Shop(make_service, make_receiver()), RefreshForge(secret_files)
    statuses: Counter[int] = Counter()
    for _ in range(60):
        token = shop.open()
        barrier = threading.Barrier(2)
        seen: list[int] = []

        def rotate(token: str = token, barrier=barrier, seen=seen) -> None:
            barrier.wait(timeout=30)
            seen.append(refresh(shop.replicas[0].api, token).status)

        thread = threading.Thread(target=rotate)
        thread.start()
        barrier.wait(timeout=30)
        reply = shop.replicas[1].api.post("/v1/logout", {"refresh_token": token})
        thread.join()
        assert reply.status == 204
        assert_refused(shop.api, token)
        assert_refused(shop.api, forge.successor(token))
        statuses.update(seen)
    assert set(statuses) <= {200, 401}
    assert shop.reuse_events() == Counter()
    report(f"refresh against logout, 60 rounds: {dict(statuses)}")


class Client(threading.Thread):
    """Refreshes again and again, and repeats what was not answered until it is."""

    def __init__(self, ports: list[int], token: str, forge: RefreshForge, keys: bool) -> None:
        super().__init__()
        self._apis = itertools.cycle([Api("127.0.0.1", port, timeout_s=10) for port in ports])
        self._forge = forge
        self._keys = keys
        self._stopping = threading.Event()
        self.token = token
        self.fault: str | None = None
        self.repeated = 0

    def run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._rotate()
        except Exception as fault:
            self.fault = repr(fault)

    def stop(self) -> None:
        self._stopping.set()
        self.join()

    def goes_on(self) -> bool:
        """False while the outcome is not known."""
        reply = self._try(None)
        assert reply is None or reply.status == 200, reply
        return reply is not None

    def _rotate(self) -> None:
        key = f"key-{parts_of(self.token).generation}" if self._keys else None
        deadline = time.monotonic() + 30
        while (reply := self._try(key)) is None:
            assert time.monotonic() < deadline, "no answer for long"
            self.repeated += 1
            time.sleep(0.01)
        assert reply.status == 200, f"session lost: {reply}"
        assert reply.json()["refresh_token"] == self._forge.successor(self.token)
        self.token = reply.json()["refresh_token"]

    def _try(self, key: str | None) -> Reply | None:
        """None where the outcome is not known. Each attempt asks the other replica."""
        try:
            reply = refresh(next(self._apis), self.token, key)
        except (OSError, http.client.HTTPException):
            return None
        return None if reply.status == 503 else reply


@pytest.fixture(scope="module")
def durable(scratch: Path) -> Iterator[Cluster]:
    server = Cluster(scratch / "pg-refresh", durable=True)
    server.start()
    yield server
    server.stop()


def _run_clients(shop: Shop, forge: RefreshForge, keys: bool) -> list[Client]:
    clients = [Client(shop.ports, shop.open(), forge, keys) for _ in range(SESSIONS)]
    for client in clients:
        client.start()
    return clients


def _assert_nothing_lost(shop: Shop, clients: list[Client], what: str) -> None:
    for client in clients:
        client.stop()
    assert [client.fault for client in clients if client.fault] == []
    for client in clients:
        row = row_of(shop.url, parts_of(client.token).sid)
        assert row["generation"] == parts_of(client.token).generation
        assert row["token_hash"] == parts_of(client.token).digest
        assert row["revoked_at"] is None
        wait_until(lambda client=client: client.goes_on(), "the session goes on")
    assert shop.reuse_events() == Counter()
    rotations = sum(parts_of(client.token).generation for client in clients)
    repeated = sum(client.repeated for client in clients)
    assert repeated > 0, "nothing was interrupted"
    report(f"{what}: {rotations} rotations, {repeated} repeated, no session lost, none forked")


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("keys", [False, True], ids=["grace", "keys"])
def test_kill_the_service(
    make_service: ServiceMaker,
    make_receiver: ReceiverMaker,
    secret_files: SecretFiles,
    keys: bool,
) -> None:
    """With grace a plain client gets through, and without it one that sends Idempotency-Key."""
    shop = Shop(make_service, make_receiver(), US_REFRESH_GRACE="0s" if keys else "60s")
    chance = random.Random(22)
    clients = _run_clients(shop, RefreshForge(secret_files), keys)
    for number in range(KILLS):
        replica = shop.replicas[number % 2]
        time.sleep(chance.uniform(0.0, 0.15))
        replica.kill()
        time.sleep(chance.uniform(0.0, 0.05))
        replica.launch()
        replica.wait_ready()
    _assert_nothing_lost(shop, clients, f"kill -9 of a replica, {KILLS} times")


@pytest.mark.timeout(3600)
def test_kill_postgresql(
    make_service: ServiceMaker,
    make_receiver: ReceiverMaker,
    secret_files: SecretFiles,
    durable: Cluster,
) -> None:
    url = durable.url(durable.create_database())
    shop = Shop(make_service, make_receiver(), url)
    chance = random.Random(23)
    clients = _run_clients(shop, RefreshForge(secret_files), keys=False)
    for _ in range(POSTGRES_KILLS):
        time.sleep(chance.uniform(0.1, 0.4))
        durable.kill()
        durable.start()
        before = clients[0].token
        wait_until(lambda before=before: clients[0].token != before, "refreshes again", 15)
    _assert_nothing_lost(shop, clients, f"kill -9 of PostgreSQL, {POSTGRES_KILLS} times")
