# SPDX-License-Identifier: Apache-2.0
"""Waiting with a deadline, and ports that nobody else is given meanwhile."""

import random
import socket
import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# Below the range that the kernel takes outgoing ports from (32768 on), so that a client socket of
# another test cannot take a port between the probe and the service's bind.
_PORT_FIRST, _PORT_LAST = 20000, 32000
_taken: set[int] = set()
_lock = threading.Lock()


def wait_until(
    probe: Callable[[], T], what: str, deadline_s: float = 10.0, interval_s: float = 0.01
) -> T:
    """The first true answer of `probe`; an AssertionError that says `what` was not reached."""
    end = time.monotonic() + deadline_s
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() >= end:
            raise AssertionError(f"not within {deadline_s:g} s: {what} (last answer: {found!r})")
        time.sleep(interval_s)


def free_port() -> int:
    """A loopback port that was free just now and that this process gives out once."""
    with _lock:
        while True:
            port = random.randint(_PORT_FIRST, _PORT_LAST)
            if port not in _taken and _is_free(port):
                _taken.add(port)
                return port


def free_ports(count: int) -> int:
    """The first of so many in a row, as free_port."""
    with _lock:
        while True:
            first = random.randint(_PORT_FIRST, _PORT_LAST - count)
            ports = set(range(first, first + count))
            if not ports & _taken and all(_is_free(port) for port in ports):
                _taken.update(ports)
                return first


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
