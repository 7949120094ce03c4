# SPDX-License-Identifier: Apache-2.0
"""One request from many clients in the same instant: each has sent all but its last byte before.

That is a tighter barrier than threads can have, and cheap enough for thousands of rounds.
"""

import json
import select
import socket
import time

from .client import Reply

_ANSWER_S = 30.0


class Burst:
    """Kept connections to several ports, in turn. Not for several threads."""

    def __init__(self, ports: list[int], clients: int) -> None:
        self._ports = [ports[number % len(ports)] for number in range(clients)]
        self._sockets = [_connect(port) for port in self._ports]

    def post(self, path: str, value: object, headers: dict[str, str] | None = None) -> list[Reply]:
        """All answers, in the order of the clients."""
        body = json.dumps(value).encode()
        more = "".join(f"{name}: {text}\r\n" for name, text in (headers or {}).items())
        head = (
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n{more}\r\n"
        )
        request = head.encode() + body
        for each in self._sockets:
            each.sendall(request[:-1])
        for each in self._sockets:
            each.sendall(request[-1:])
        return self._receive()

    def close(self) -> None:
        for each in self._sockets:
            each.close()

    def _receive(self) -> list[Reply]:
        received = {each.fileno(): b"" for each in self._sockets}
        replies: dict[int, Reply] = {}
        poll = select.poll()
        by_fd = {each.fileno(): each for each in self._sockets}
        for fd in by_fd:
            poll.register(fd, select.POLLIN)
        deadline = time.monotonic() + _ANSWER_S
        while len(replies) < len(self._sockets):
            assert time.monotonic() < deadline, f"{len(replies)} of {len(self._sockets)} answers"
            for fd, _events in poll.poll(1000):
                some = by_fd[fd].recv(65536)
                assert some, "the service hung up"
                received[fd] += some
                reply = _parse(received[fd])
                if reply is not None:
                    replies[fd] = reply
                    poll.unregister(fd)
        return [replies[each.fileno()] for each in self._sockets]


def _connect(port: int) -> socket.socket:
    made = socket.create_connection(("127.0.0.1", port), timeout=_ANSWER_S)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def _parse(data: bytes) -> Reply | None:
    """None until it is whole."""
    head, end, body = data.partition(b"\r\n\r\n")
    if not end:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = [line.partition(":")[::2] for line in lines]
    headers = {name.lower(): value.strip() for name, value in pairs}
    length = int(headers.get("content-length", 0))
    if len(body) < length:
        return None
    assert len(body) == length, "more than one answer"
    return Reply(int(first.split(" ")[1]), headers, body)
