# SPDX-License-Identifier: Apache-2.0
"""Bytes over a socket, and a strict reader of what comes back.

Reads answers one after the other (RFC 9112 section 6): the number of answers and whether the peer
closed are results, not side effects.
"""

import re
import socket
import time
from contextlib import suppress
from dataclasses import dataclass, field

_HEADER_MAX_BYTES = 64 * 1024


@dataclass
class RawAnswer:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class RawResult:
    answers: list[RawAnswer] = field(default_factory=list)
    closed: bool = False
    rest: bytes = b""

    @property
    def statuses(self) -> list[int]:
        return [answer.status for answer in self.answers]


def connect(port: int, timeout_s: float = 10.0) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=timeout_s)


def exchange(port: int, data: bytes, quiet_s: float = 0.25, head: bool = False) -> RawResult:
    """Sends all and reads until the peer closes or says nothing for `quiet_s` after an answer."""
    with connect(port) as sock:
        with suppress(OSError):  # refused before the end; the answer may still be there
            sock.sendall(data)
        return read_answers(sock, quiet_s, head)


def read_answers(
    sock: socket.socket, quiet_s: float, head: bool = False, first_s: float = 3.0
) -> RawResult:
    """The first answer may take `first_s`; after that silence for `quiet_s` ends it."""
    result = RawResult()
    received = b""
    end = time.monotonic() + first_s
    while True:
        sock.settimeout(max(0.001, end - time.monotonic()))
        try:
            block = sock.recv(65536)
        except TimeoutError:
            break
        except OSError:
            result.closed = True
            break
        if not block:
            result.closed = True
            break
        received += block
        received = _take_answers(received, result, head)
        if result.answers:
            end = time.monotonic() + quiet_s
    result.rest = received
    return result


def read_one(sock: socket.socket) -> RawAnswer:
    """The next answer and nothing behind it; no waiting beyond its last byte."""
    received = b""
    while True:
        block = sock.recv(65536)
        assert block, f"closed after {received!r}"
        received += block
        taken = _take_one(received, head=False)
        if taken is not None:
            assert not taken[1], f"more than an answer: {taken[1]!r}"
            return taken[0]


def _take_answers(received: bytes, result: RawResult, head: bool) -> bytes:
    while True:
        taken = _take_one(received, head)
        if taken is None:
            return received
        answer, received = taken
        result.answers.append(answer)


def _take_one(received: bytes, head: bool) -> tuple[RawAnswer, bytes] | None:
    end = received.find(b"\r\n\r\n")
    if end < 0:
        assert len(received) < _HEADER_MAX_BYTES, f"no end of header: {received[:200]!r}"
        return None
    lines = received[:end].decode("latin-1").split("\r\n")
    found = re.fullmatch(r"HTTP/1\.1 ([1-5][0-9][0-9]) [^\r\n]*", lines[0])
    assert found, f"no status line: {lines[0]!r}"
    status = int(found.group(1))
    headers = dict(_header(line) for line in lines[1:])
    length = _body_length(status, headers, head)
    body = received[end + 4 :]
    if len(body) < length:
        return None
    return RawAnswer(status, headers, body[:length]), body[length:]


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    assert colon and re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name), f"bad field {line!r}"
    return name.lower(), value.strip(" \t")


def _body_length(status: int, headers: dict[str, str], head: bool) -> int:
    assert "transfer-encoding" not in headers, "the service knows every body's length"
    if head or status < 200 or status in (204, 304):
        return 0
    return int(headers["content-length"])
