# SPDX-License-Identifier: Apache-2.0
"""Memory when idle, and whether logins leave anything behind."""

import time
from concurrent.futures import ThreadPoolExecutor

from measure import Spread, anonymous_kib, private_kib
from support.service import Service
from table import Row
from world import CHEAP_HASH, Client, World

CLIENTS = 8
FIRST_LOGINS = 1_000
MORE_LOGINS = 9_000
# What a few of malloc's pages and the stacks of threads may still come to.
TOLERANCE_KIB = 128
_SETTLE_S = 1.0


def measure(world: World) -> list[Row]:
    with world.service(**CHEAP_HASH) as service:
        time.sleep(_SETTLE_S)
        pid = service.process.pid
        idle = anonymous_kib(pid)
        first = _after_logins(service, FIRST_LOGINS)
        second = _after_logins(service, MORE_LOGINS)
    return [
        Row("anonymous memory, idle", Spread.of([idle / 1024]), "MiB", bound=4),
        Row(f"private memory after {FIRST_LOGINS:,} logins", Spread.of([first / 1024]), "MiB"),
        Row(
            f"its growth by {MORE_LOGINS:,} logins more",
            Spread.of([second - first]),
            "KiB",
            digits=0,
            bound=TOLERANCE_KIB,
            note=f"no growth, within {TOLERANCE_KIB} KiB; buffers of password hashes are excluded",
        ),
    ]


def _after_logins(service: Service, count: int) -> int:
    """Private KiB after so many."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(lambda _n: _log_in_often(service, count // CLIENTS), range(CLIENTS)))
    time.sleep(_SETTLE_S)
    return private_kib(service.process.pid)


def _log_in_often(service: Service, count: int) -> None:
    client = Client(service)
    person = client.register()
    for _ in range(count):
        client.login(person)
    client.close()
