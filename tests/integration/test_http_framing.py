# SPDX-License-Identifier: Apache-2.0
"""Raw bytes: how many requests the service sees in them, how it answers, whether it hangs up.

Two parties that see different requests in the same bytes are how requests are smuggled; hence the
number of answers and the state of the connection count as much as the status.
"""

import socket
import threading
import time
from collections.abc import Callable

import pytest
from support import raw_bodies, raw_heads
from support.makers import ServiceMaker
from support.poll import wait_until
from support.raw_case import (
    BODY,
    HOST,
    JSON,
    LAST_CHUNK,
    SMUGGLED,
    Raw,
    chunked,
    get,
    message,
    sized,
)
from support.raw_http import connect, exchange, read_answers, read_one
from support.service import Service

CASES = [*raw_heads.CASES, *raw_bodies.CASES]


def test_the_table_is_whole() -> None:
    assert len(CASES) >= 100
    assert len({case.name for case in CASES}) == len(CASES)
    assert all(case.clause.split()[0].isdigit() for case in CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_raw_request(service: Service, case: Raw) -> None:
    result = exchange(service.port, case.data, quiet_s=0.15, head=case.head)
    seen = (result.statuses, "closed" if result.closed else "open")
    if case.is_no_http and not result.answers:
        assert (result.closed, result.rest) == (True, b"")
        return
    assert result.statuses, f"RFC {case.clause}: no answer, {seen[1]}"
    assert result.statuses[0] in case.statuses, f"RFC {case.clause}: {seen}"
    if case.name == "expectation":
        assert result.statuses[-1] == 202, seen
        return
    assert len(result.answers) == case.answers, f"RFC {case.clause}: {seen}"
    assert case.closed in (None, result.closed), f"RFC {case.clause}: {seen}"
    assert not result.rest


def test_a_chunk_of_2_to_63_bytes_hides_nothing(service: Service) -> None:
    """RFC 9112 section 7.1: refused, or else all that comes is its data and never a request."""
    data = chunked(b"8000000000000000\r\n" + BODY + b"\r\n" + LAST_CHUNK) + SMUGGLED
    result = exchange(service.port, data, quiet_s=0.15)
    assert result.statuses in ([], [400], [413])


def test_bytes_one_by_one(service: Service) -> None:
    with connect(service.port) as sock:
        for byte in sized(b"%d" % len(BODY)):
            sock.sendall(bytes([byte]))
        assert read_answers(sock, 0.05).statuses == [202]


def test_a_connection_is_reused(service: Service) -> None:
    with connect(service.port) as sock:
        for _ in range(200):
            sock.sendall(get())
            assert read_one(sock).status == 200


def test_a_client_that_leaves(service: Service) -> None:
    for data in (get(), sized(b"%d" % len(BODY)), sized(b"100"), b"GET /live", b"\r\n", b""):
        for _ in range(20):
            with connect(service.port) as sock:
                sock.sendall(data)
    assert exchange(service.port, get()).statuses == [200]


def _head_drip(port: int) -> float:
    """Seconds until the service hangs up on a head that does not end."""
    return _drip(port, b"GET /livez HTTP/1.1\r\nHost: a\r\n", b"X-A: b\r\n", 0.5)


def _body_drip(port: int) -> float:
    head = message(b"POST /v1/email-verification HTTP/1.1", HOST, JSON, b"Content-Length: 1000")
    return _drip(port, head, b" ", 0.5)


def _chunk_drip(port: int) -> float:
    fields = (HOST, JSON, b"Transfer-Encoding: chunked")
    head = message(b"POST /v1/email-verification HTTP/1.1", *fields)
    return _drip(port, head, b"1\r\n \r\n", 0.5)


def _silent(port: int) -> float:
    """A head that stops in its middle and says nothing more."""
    return _drip(port, b"GET /livez HTTP/1.1\r\nHos", b"", 0.5)


def _drip(port: int, head: bytes, drop: bytes, every_s: float) -> float:
    started = time.monotonic()
    with connect(port) as sock:
        sock.settimeout(every_s)
        sock.sendall(head)
        while time.monotonic() - started < 45:
            try:
                if not sock.recv(65536):
                    break
            except TimeoutError:
                pass
            except OSError:
                break
            try:
                sock.sendall(drop)
            except OSError:
                break
    return time.monotonic() - started


def _slow_read(port: int) -> float:
    """Asks for much and takes nothing: the service must not keep it for ever."""
    started = time.monotonic()
    with connect(port) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.sendall(get(target=b"/docs/swagger-ui-bundle.js") * 30)
        while not _is_reset(sock) and time.monotonic() - started < 60:
            time.sleep(0.2)
    return time.monotonic() - started


def _is_reset(sock: socket.socket) -> bool:
    """Whether the peer has closed, without reading what it sent."""
    try:
        sock.sendall(b"\r\n")
    except OSError:
        return True
    return False


SLOW: list[tuple[Callable[[int], float], float, float]] = [
    (_head_drip, 3, 9),
    (_silent, 3, 9),
    (_body_drip, 10, 20),
    (_chunk_drip, 10, 20),
    (_slow_read, 20, 45),
]


@pytest.mark.timeout(120)
def test_slow_peers_are_cut_and_others_served(make_service: ServiceMaker) -> None:
    """Head 5 s, body 15 s, answer 30 s; 40 of each at once, and a quick client beside them."""
    service = make_service(US_DOCS="on").start()
    took: dict[str, list[float]] = {act.__name__: [] for act, _, _ in SLOW}

    def run(act: Callable[[int], float]) -> None:
        took[act.__name__].append(act(service.port))

    threads = [threading.Thread(target=run, args=(act,)) for act, _, _ in SLOW for _ in range(40)]
    for thread in threads:
        thread.start()
    quick = []
    while any(thread.is_alive() for thread in threads):
        started = time.monotonic()
        with connect(service.port) as sock:
            sock.sendall(get())
            assert read_one(sock).status == 200
        quick.append(time.monotonic() - started)
        time.sleep(0.05)
    for act, least, most in SLOW:
        times = took[act.__name__]
        assert len(times) == 40
        assert least <= min(times), (act.__name__, min(times))
        assert max(times) <= most, (act.__name__, max(times))
    assert sorted(quick)[len(quick) * 99 // 100] < 0.5


def test_the_service_is_well_after_all_this(service: Service) -> None:
    wait_until(service.is_ready, "service ready")
    assert exchange(service.port, get()).statuses == [200]
