# SPDX-License-Identifier: Apache-2.0
"""What a refresh costs: CPU of the service, WAL of the database, how many a second, and how it
fares while logins arrive at ten times the capacity.

Each token's successor is a function of it, so whole chains are made beforehand and presented in
turns: the sessions' first tokens, then their second ones, and so on.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
from figure_overload import (
    PEOPLE,
    ROUND_S,
    STORM_CONNECTIONS,
    STORM_TIMES,
    Answer,
    Load,
    capacity_of,
    login_request,
    p99,
)
from measure import SUBJECT_CORES, Spread, cpu_ns
from support.refresh_tokens import RefreshForge
from support.service import Service
from table import Row
from world import CHEAP_HASH, Client, World

ROUNDS = 5
# Divides each number of requests below, so that no token is presented twice; and is far more than
# there are connections, so that a token is presented when the one before it was answered.
SESSIONS = 100
CONNECTIONS = 16
RATE_PER_S = 200
COSTED_PER_S = 1000
FLOOD_PER_S = 20000
FLOOD_TOKENS = 40000


class Chains:
    """The next tokens of all sessions, in the order in which they are presented."""

    def __init__(self, world: World, service: Service) -> None:
        self._folder = world.folder
        self._forge = RefreshForge(world.secrets)
        client = Client(service)
        person = client.register()
        self._tokens = [client.tokens(person)["refresh_token"] for _ in range(SESSIONS)]
        client.close()

    def take(self, count: int) -> Path:
        file = self._folder / "refreshes"
        file.write_bytes(b"".join(self._requests(count)))
        return file

    def _requests(self, count: int) -> Iterator[bytes]:
        for _ in range(count // SESSIONS):
            yield from (_request(token) for token in self._tokens)
            self._tokens = [self._forge.successor(token) for token in self._tokens]


def measure(world: World) -> list[Row]:
    with world.service(SUBJECT_CORES) as service:
        chains = Chains(world, service)
        cpu, wal = _costs(service, chains)
        quiet, loaded = _beside_logins(world, service, chains)
    flood = [_flood(world) for _ in range(3)]
    ratio = [after / before for before, after in zip(quiet, loaded, strict=True)]
    return [
        Row("refresh, CPU of the service", Spread.of(cpu), "µs", digits=0, bound=120),
        Row("refresh, WAL without full-page images", Spread.of(wal), "bytes", digits=0, bound=900),
        Row(
            "refreshes per second, service and PostgreSQL a core each",
            Spread.of(flood),
            "",
            digits=0,
        ),
        Row("refresh p99, idle service", Spread.of(quiet), "ms"),
        Row(f"refresh p99, logins at {STORM_TIMES} times capacity", Spread.of(loaded), "ms"),
        Row("refresh p99, the second / the first", Spread.of(ratio), "×", bound=3),
    ]


def _costs(service: Service, chains: Chains) -> tuple[list[float], list[float]]:
    """Microseconds of CPU and bytes of WAL, a refresh, over the rounds."""
    cpu, wal = [], []
    count = COSTED_PER_S * ROUND_S
    with psycopg.connect(service.database_url, autocommit=True) as connection:
        for _ in range(ROUNDS):
            file = chains.take(count)
            _settle(connection)
            cpu_before, wal_before = cpu_ns(service.process.pid), _wal(connection)
            answers = Load(service, COSTED_PER_S, CONNECTIONS, [file]).answers()
            time.sleep(0.05)
            cpu.append((cpu_ns(service.process.pid) - cpu_before) / 1e3 / count)
            wal.append((_wal(connection) - wal_before) / count)
            _all_good(answers)
    return cpu, wal


def _settle(connection: psycopg.Connection) -> None:
    connection.execute("CHECKPOINT")
    connection.execute("SELECT pg_stat_force_next_flush()")


def _wal(connection: psycopg.Connection) -> int:
    """Bytes written so far, less the full-page images that a checkpoint causes."""
    query = "SELECT wal_bytes, wal_fpi FROM pg_stat_wal"
    connection.execute("SELECT pg_stat_force_next_flush()")
    written, images = connection.execute(query).fetchone()
    return int(written) - int(images) * 8192


def _beside_logins(
    world: World, service: Service, chains: Chains
) -> tuple[list[float], list[float]]:
    client = Client(service)
    people = [client.register() for _ in range(PEOPLE)]
    client.close()
    logins = [login_request(world.folder / f"login-{n}", one) for n, one in enumerate(people)]
    storm_per_s = int(capacity_of(service, people) * STORM_TIMES)
    quiet, loaded = [], []
    for _ in range(ROUNDS):
        quiet.append(p99(_probe(service, chains)))
        storm = Load(service, storm_per_s, STORM_CONNECTIONS, logins)
        loaded.append(p99(_probe(service, chains)))
        storm.answers()
    return quiet, loaded


def _probe(service: Service, chains: Chains) -> list[Answer]:
    file = chains.take(RATE_PER_S * ROUND_S)
    answers = Load(service, RATE_PER_S, CONNECTIONS, [file]).hurry().answers()
    _all_good(answers)
    return answers


def _flood(world: World) -> float:
    """As many as come through; what finds all connections busy waits for its turn."""
    with world.service(SUBJECT_CORES, **CHEAP_HASH) as service:
        file = Chains(world, service).take(FLOOD_TOKENS)
        load = Load(service, FLOOD_PER_S, CONNECTIONS, [file])
        answers = load.answers()
    _all_good(answers)
    return len(answers) / ROUND_S


def _all_good(answers: list[Answer]) -> None:
    bad = [answer for answer in answers if answer.status != 200]
    assert len(bad) <= len(answers) // 100, (len(bad), bad[:3])


def _request(token: str) -> bytes:
    body = f'{{"refresh_token":"{token}"}}'
    head = (
        "POST /v1/refresh HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return (head + body).encode() + b"\0"
