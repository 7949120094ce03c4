# SPDX-License-Identifier: Apache-2.0
"""From exec to the first answer "ready", on a database that is migrated already."""

import socket
import time

from measure import Spread
from support.service import Service
from table import Row
from world import World

STARTS = 20
_DEADLINE_S = 20.0
_ASK_EVERY_S = 0.001
_QUESTION = b"GET /readyz HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n"


def measure(world: World) -> list[Row]:
    url = world.database()
    _start_ms(world.make_service(url))  # migrates
    times = [_start_ms(world.make_service(url)) for _ in range(STARTS)]
    return [
        Row("exec to first ready, migrated database", Spread.of(times), "ms", digits=0, bound=150)
    ]


def _start_ms(service: Service) -> float:
    started = time.monotonic()
    service.launch()
    try:
        while not _is_ready(service.ops_port):
            assert time.monotonic() - started < _DEADLINE_S, service.tail()
            time.sleep(_ASK_EVERY_S)
        return (time.monotonic() - started) * 1e3
    finally:
        service.kill()  # a graceful stop takes its drain time
        service.log.unlink()


def _is_ready(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as sock:
            sock.sendall(_QUESTION)
            return sock.recv(4096).startswith(b"HTTP/1.1 200 ")
    except OSError:
        return False
