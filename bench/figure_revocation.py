# SPDX-License-Identifier: Apache-2.0
"""A million revocations: memory, start, look-ups; what comes beyond; what the idle feed costs."""

import http.client
import json
import subprocess
import time

import psycopg
from measure import SUBJECT_CORES, Spread, anonymous_kib, cpu_ns, percentile, pinned
from support.poll import wait_until
from support.service import Service
from table import Row
from world import CHEAP_HASH, Client, World, tool

MOST = 1_000_000  # REVOCATION_MAX
BEYOND = 20_000
ROUNDS = 5
CHECKS = 1000
_READY_S = 60.0
_IDLE_S = 10.0
_VERIFY = "/v1/auth/verify"


def measure(world: World) -> list[Row]:
    database = world.cluster.create_database()
    url = world.cluster.url(database)
    settings = CHEAP_HASH | {"US_PUBLIC_URL": "http://bench.example"}
    service = world.make_service(url, **settings)
    with pinned(SUBJECT_CORES):
        service.start()
    try:
        empty_kib = anonymous_kib(service.process.pid)
        token = _token(service)
        idle = Spread.of([_idle_us_per_s(service) for _ in range(ROUNDS)])
        alone = _check_us(service, token)
    finally:
        service.kill()
    _revoke(url, MOST)
    starts = [_start(world.make_service(url, **settings)) for _ in range(ROUNDS)]
    full = world.make_service(url, **settings)
    with pinned(SUBJECT_CORES):
        full.launch()
    try:
        full.wait_ready(_READY_S)
        from_memory = _check_us(full, token)
        _revoke(url, BEYOND)
        wait_until(lambda: _dropped(full) == BEYOND, "what is beyond was read", 30)
        assert full.metric("user_service_revocations") == MOST
        deferred = _check_us(full, token)
    finally:
        full.kill()
    return [
        *_look_ups(),
        Row("1 M revocations, anonymous memory above an empty set", _mib(starts, empty_kib), "MiB"),
        Row("1 M revocations, exec to ready", Spread.of([s for s, _ in starts]), "s"),
        Row("check of a token, no revocations, p50", alone, "µs", digits=0),
        Row("check of a token, 1 M revocations, p50", from_memory, "µs", digits=0),
        Row(
            "check of a token, more than fit, p50",
            deferred,
            "µs",
            digits=0,
            note="each asks the database, until what did not fit has expired",
        ),
        Row(
            "idle, CPU of the whole process",
            idle,
            "µs/s",
            digits=0,
            note="four reads of the feed a second are most of it",
        ),
    ]


def _mib(starts: list[tuple[float, int]], empty_kib: int) -> Spread:
    return Spread.of([(kib - empty_kib) / 1024 for _, kib in starts])


def _look_ups() -> list[Row]:
    found, missed, slow = zip(*(_look_up_ns() for _ in range(ROUNDS)), strict=True)
    return [
        Row("look-up among 1 M revocations, not revoked, CPU", Spread.of(missed), "ns", digits=0),
        Row("look-up among 1 M revocations, revoked, CPU", Spread.of(found), "ns", digits=0),
        Row("look-up while 1 M are added, p99", Spread.of(slow), "ns", digits=0),
    ]


def _look_up_ns() -> list[float]:
    line = [tool("revocation_cost"), str(MOST)]
    done = subprocess.run(line, capture_output=True, text=True, check=True, timeout=120)
    return [float(number) for number in done.stdout.split()]


def _token(service: Service) -> str:
    client = Client(service)
    person = client.register()
    status, body = client.post("/v1/login", person)
    assert status == 200, body
    client.close()
    return json.loads(body)["access_token"]


def _revoke(url: str, count: int) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO revocations (session_id, expires_at)"
            " SELECT gen_random_uuid(), clock_timestamp() + interval '1 h'"
            " FROM generate_series(1, %s)",
            [count],
        )


def _start(service: Service) -> tuple[float, int]:
    """Seconds, and anonymous KiB afterwards."""
    started = time.monotonic()
    with pinned(SUBJECT_CORES):
        service.launch()
    try:
        service.wait_ready(_READY_S)
        taken = time.monotonic() - started
        assert service.metric("user_service_revocations") == MOST
        return taken, anonymous_kib(service.process.pid)
    finally:
        service.kill()
        service.log.unlink()


def _check_us(service: Service, token: str) -> Spread:
    """Time of a check over a kept connection: the median of each round."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=10)
    headers = {"Authorization": f"Bearer {token}"}
    rounds = []
    for _ in range(ROUNDS):
        times = []
        for _ in range(CHECKS // ROUNDS):
            before = time.perf_counter()
            connection.request("GET", _VERIFY, headers=headers)
            answer = connection.getresponse()
            answer.read()
            times.append((time.perf_counter() - before) * 1e6)
            assert answer.status == 200, answer.status
        rounds.append(percentile(times, 0.5))
    connection.close()
    return Spread.of(rounds)


def _dropped(service: Service) -> float:
    return service.metric("user_service_revocations_dropped_total")


def _idle_us_per_s(service: Service) -> float:
    """Of the whole process while nobody asks anything."""
    before = cpu_ns(service.process.pid)
    time.sleep(_IDLE_S / ROUNDS)
    return (cpu_ns(service.process.pid) - before) / 1e3 / (_IDLE_S / ROUNDS)
