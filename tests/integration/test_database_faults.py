# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL away, gone meanwhile, hung: 503 in time, and well again without a restart."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from support.client import Reply
from support.journey import confirmed_person, login, mail_token, new_person
from support.makers import ReceiverMaker, ServiceMaker
from support.poll import wait_until
from support.postgres import Cluster
from support.receiver import Receiver
from support.service import Service

# The deadline of a request, and some for a busy machine.
ANSWER_S = 6.0
RECOVER_S = 15.0


@pytest.fixture(scope="module")
def fragile(scratch: Path) -> Iterator[Cluster]:
    server = Cluster(scratch / "pg-fragile")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def target(make_receiver: ReceiverMaker) -> Receiver:
    return make_receiver()


@pytest.fixture
def shop(make_service: ServiceMaker, target: Receiver, fragile: Cluster) -> Service:
    url = fragile.url(fragile.create_database())
    return make_service(target, database_url=url).start()


def _needs_database(service: Service, token: str) -> list[Reply]:
    """One request a lane and route, all at once; each has to answer in time."""
    person = new_person()
    calls = [
        lambda: service.api.post("/v1/register", person.credentials),
        lambda: service.api.post("/v1/login", person.credentials),
        lambda: service.api.post("/v1/email-verification", {"email": person.email}),
        lambda: service.api.patch("/v1/me", {"name": "x"}, token=token),
        lambda: service.api.get("/v1/me", token=token),
        lambda: service.api.post("/v1/logout", token=token),
    ]
    started = time.monotonic()
    with ThreadPoolExecutor(len(calls)) as pool:
        replies = list(pool.map(lambda call: call(), calls))
    assert time.monotonic() - started < ANSWER_S
    return replies


def _assert_refused(service: Service, token: str) -> None:
    replies = _needs_database(service, token)
    assert {reply.status for reply in replies} == {503}, [reply.status for reply in replies]
    assert {reply.code for reply in replies} <= {"unavailable", "overloaded"}
    assert all(int(reply.headers["retry-after"]) >= 1 for reply in replies)
    assert service.api.get("/livez").status == 200
    assert service.api.get("/.well-known/jwks.json").status == 200


def _assert_well(service: Service, receiver: Receiver) -> None:
    """Ready again; a worker that still waits to connect may refuse once more."""
    started = time.monotonic()
    service.wait_ready(RECOVER_S)
    person = new_person()
    wait_until(
        lambda: service.api.post("/v1/register", person.credentials).status == 202,
        "registers again",
        RECOVER_S,
        0.05,
    )
    token = mail_token(receiver, person.email, RECOVER_S)
    body = {"token": token, "password": person.password}
    wait_until(
        lambda: service.api.post("/v1/email-verification/confirm", body).status == 200,
        "confirms again",
        RECOVER_S,
        0.05,
    )
    assert time.monotonic() - started < RECOVER_S


def test_away_at_start(make_service: ServiceMaker, target: Receiver, fragile: Cluster) -> None:
    url = fragile.url(fragile.create_database())
    fragile.stop()
    try:
        shop = make_service(target, database_url=url)
        shop.launch()
        wait_until(lambda: shop.ops_status("/livez") == 200, "alive without a database", 10)
        assert shop.ops_status("/readyz") == 503
        assert shop.api.get("/livez").status == 200
        reply = shop.api.post("/v1/login", new_person().credentials)
        assert reply.status == 503
    finally:
        fragile.start()
    _assert_well(shop, target)


def test_gone_and_back(shop: Service, target: Receiver, fragile: Cluster) -> None:
    person = confirmed_person(shop.api, target)
    for end in (fragile.kill, fragile.stop):
        end()
        try:
            wait_until(lambda: shop.ops_status("/readyz") == 503, "not ready", RECOVER_S)
            _assert_refused(shop, person.tokens["access_token"])
        finally:
            fragile.start()
        _assert_well(shop, target)
        login(shop.api, person)


def test_hung(shop: Service, target: Receiver, fragile: Cluster) -> None:
    person = confirmed_person(shop.api, target)
    fragile.pause()
    try:
        for _ in range(2):
            _assert_refused(shop, person.tokens["access_token"])
        assert shop.ops_status("/livez") == 200
        wait_until(lambda: shop.ops_status("/readyz") == 503, "not ready", RECOVER_S)
    finally:
        fragile.resume()
    _assert_well(shop, target)
    login(shop.api, person)


def test_hung_while_nobody_asks(shop: Service, fragile: Cluster) -> None:
    """Readiness does not wait for a request to find out."""
    fragile.pause()
    try:
        wait_until(lambda: shop.ops_status("/readyz") == 503, "not ready", RECOVER_S)
    finally:
        fragile.resume()
    wait_until(lambda: shop.ops_status("/readyz") == 200, "ready again", RECOVER_S)


def test_a_flood_meets_a_hung_database(shop: Service, target: Receiver, fragile: Cluster) -> None:
    """More requests than the queues hold: each is answered, none of them late."""
    fragile.pause()
    try:
        started = time.monotonic()

        def attempt(_number: int) -> float:
            before = time.monotonic()
            reply = shop.api.post("/v1/email-verification", {"email": "flood@example.com"})
            assert reply.status == 503
            return time.monotonic() - before

        with ThreadPoolExecutor(200) as pool:
            slowest = max(pool.map(attempt, range(600)))
        assert slowest < ANSWER_S
        assert time.monotonic() - started < 4 * ANSWER_S
    finally:
        fragile.resume()
    _assert_well(shop, target)


def test_closed_connections_are_not_noticed(
    shop: Service, target: Receiver, fragile: Cluster
) -> None:
    """A worker looks at its connection before it takes work: no request fails for an idle one."""
    person = confirmed_person(shop.api, target)
    for _ in range(5):
        with fragile.connect() as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                [psycopg.conninfo.conninfo_to_dict(shop.database_url)["dbname"]],
            )
        time.sleep(0.2)  # for the kernel to tell the service
        assert shop.api.get("/v1/me", token=person.tokens["access_token"]).status == 200
        login(shop.api, person)


def test_a_locked_row_costs_its_own_request_only(
    shop: Service, target: Receiver, fragile: Cluster
) -> None:
    person, other = (confirmed_person(shop.api, target) for _ in range(2))
    with psycopg.connect(shop.database_url) as blocker:
        blocker.execute("SELECT 1 FROM users WHERE email_canonical = %s FOR UPDATE", [person.email])
        started = time.monotonic()
        reply = shop.api.patch("/v1/me", {"name": "x"}, token=person.tokens["access_token"])
        assert reply.status == 503
        assert time.monotonic() - started < ANSWER_S
        login(shop.api, other)
        blocker.rollback()
    reply = shop.api.patch("/v1/me", {"name": "y"}, token=person.tokens["access_token"])
    assert (reply.status, reply.json()["name"]) == (200, "y")


def test_a_server_that_only_reads(shop: Service, target: Receiver, fragile: Cluster) -> None:
    """As during a failover: writes are refused as unavailable, and work afterwards."""
    person = confirmed_person(shop.api, target)
    name = psycopg.conninfo.conninfo_to_dict(shop.database_url)["dbname"]
    with fragile.connect() as connection:
        connection.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        _end_connections(connection, name)
        wait_until(
            lambda: shop.api.post("/v1/login", person.credentials).status == 503,
            "logins refused",
            RECOVER_S,
        )
        connection.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
        _end_connections(connection, name)
    wait_until(
        lambda: shop.api.post("/v1/login", person.credentials).status == 200,
        "logins work",
        RECOVER_S,
    )


def _end_connections(connection: psycopg.Connection, name: str) -> None:
    connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
    )
