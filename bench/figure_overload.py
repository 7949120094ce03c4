# SPDX-License-Identifier: Apache-2.0
"""Answers from memory while logins arrive at ten times the capacity, against an idle service.

The service has one core. The probe sends at a steady rate and runs at real-time priority where that
is allowed: what it waits for a CPU of its own is no part of the figure.
"""

import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from measure import OTHER_CORES, SUBJECT_CORES, Spread, percentile, pinned
from support.service import Service
from table import Row
from world import PASSWORD, Client, World, tool

ROUNDS = 9
ROUND_S = 2
CAPACITY_S = 3.0
CAPACITY_CLIENTS = 8
PROBES_PER_S = 400
PROBE_CONNECTIONS = 8
STORM_TIMES = 10
STORM_CONNECTIONS = 512
PEOPLE = 8
PATHS = {"livez": "/livez", "jwks": "/.well-known/jwks.json"}


@dataclass(frozen=True)
class Answer:
    status: int
    ms: float


class Load:
    """One running generator, at most a few seconds over its time."""

    def __init__(self, service: Service, per_s: int, connections: int, files: list[Path]) -> None:
        numbers = map(str, (service.port, per_s, ROUND_S, connections))
        with pinned(OTHER_CORES):
            self.process = subprocess.Popen(
                [tool("load"), *numbers, *map(str, files)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )

    def hurry(self) -> "Load":
        with suppress(PermissionError):
            os.sched_setscheduler(self.process.pid, os.SCHED_FIFO, os.sched_param(1))
        return self

    def answers(self) -> list[Answer]:
        try:
            out, errors = self.process.communicate(timeout=ROUND_S + 15)
        finally:
            self.process.kill()
        assert self.process.returncode == 0, errors
        lines = (line.split() for line in out.splitlines())
        return [Answer(int(status), int(us) / 1e3) for status, us in lines]


def measure(world: World) -> list[Row]:
    with world.service(SUBJECT_CORES) as service:
        client = Client(service)
        people = [client.register() for _ in range(PEOPLE)]
        client.close()
        capacity = capacity_of(service, people)
        probes = {name: [_get(world.folder / name, path)] for name, path in PATHS.items()}
        logins = [login_request(world.folder / f"login-{n}", p) for n, p in enumerate(people)]
        storm_per_s = int(capacity * STORM_TIMES)
        rounds = [_round(service, probes, logins, storm_per_s) for _ in range(ROUNDS)]
    return _rows(capacity, rounds)


@dataclass(frozen=True)
class Round:
    quiet: dict[str, list[Answer]]
    loaded: dict[str, list[Answer]]
    logins: list[Answer]


def _round(
    service: Service, probes: dict[str, list[Path]], logins: list[Path], storm_per_s: int
) -> Round:
    quiet = _probe(service, probes)
    storm = Load(service, storm_per_s, STORM_CONNECTIONS, logins)
    loaded = _probe(service, probes)
    return Round(quiet, loaded, storm.answers())


def _probe(service: Service, probes: dict[str, list[Path]]) -> dict[str, list[Answer]]:
    running = {
        name: Load(service, PROBES_PER_S // len(probes), PROBE_CONNECTIONS, files).hurry()
        for name, files in probes.items()
    }
    return {name: load.answers() for name, load in running.items()}


def _rows(capacity: float, rounds: list[Round]) -> list[Row]:
    rows = [Row("logins per second that one core takes", Spread.of([capacity]), "", digits=0)]
    for name, path in PATHS.items():
        quiet = [p99(one.quiet[name]) for one in rounds]
        loaded = [p99(one.loaded[name]) for one in rounds]
        ratios = [after / before for before, after in zip(quiet, loaded, strict=True)]
        rows += [
            Row(f"`{path}` p99, idle service", Spread.of(quiet), "ms"),
            Row(f"`{path}` p99, logins at {STORM_TIMES} times capacity", Spread.of(loaded), "ms"),
            Row(f"`{path}` p99, the second / the first", Spread.of(ratios), "×", bound=3),
        ]
    refused = [[a for a in one.logins if a.status == 503] for one in rounds]
    slowest = Spread.of([p99(one) for one in refused])
    shares = [100 * len(a) / len(one.logins) for a, one in zip(refused, rounds, strict=True)]
    return [
        *rows,
        Row("refused logins, answered 503", Spread.of(shares), "%", digits=0),
        Row("refused logins, p99 until the 503", slowest, "ms", digits=1, bound=50),
    ]


def p99(answers: list[Answer]) -> float:
    assert answers and all(answer.status in (200, 503) for answer in answers), answers[:5]
    return percentile([answer.ms for answer in answers], 0.99)


def capacity_of(service: Service, people: list[dict[str, str]]) -> float:
    """Logins per second of clients that wait for their answers."""
    end = time.monotonic() + CAPACITY_S

    def log_in_on(number: int) -> int:
        client = Client(service)
        count = 0
        while time.monotonic() < end:
            client.login(people[number % PEOPLE])
            count += 1
        client.close()
        return count

    with ThreadPoolExecutor(CAPACITY_CLIENTS) as pool:
        return sum(pool.map(log_in_on, range(CAPACITY_CLIENTS))) / CAPACITY_S


def _get(file: Path, path: str) -> Path:
    file.write_bytes(f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
    return file


def login_request(file: Path, person: dict[str, str]) -> Path:
    body = f'{{"email":"{person["email"]}","password":"{PASSWORD}"}}'
    head = (
        "POST /v1/login HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    file.write_bytes((head + body).encode())
    return file
