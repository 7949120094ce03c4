# SPDX-License-Identifier: Apache-2.0
"""Plays the Notification Service: checks each delivery and answers as a script says.

A delivery that is not signed, or not what its schema has, is a fault of the run: `check` raises it.
"""

import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from standardwebhooks import Webhook

from .events import check_event
from .ledger import LEDGER
from .poll import free_port, wait_until


@dataclass(frozen=True)
class Answer:
    """What to say to one delivery. `reset` drops the connection without a word."""

    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    body_bytes: int = 0
    close: bool = False
    reset: bool = False

    @property
    def accepts(self) -> bool:
        return 200 <= self.status < 300 and not self.reset


@dataclass(frozen=True)
class Attempt:
    at: float
    headers: dict[str, str]
    event: dict[str, Any]
    answer: Answer


Script = Callable[[dict[str, Any]], Answer]
ACCEPT = Answer()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """The service may hang up on us; that is its right, and not worth a trace."""


class Receiver:
    """Thread-safe. `secrets` are all that a delivery has to be signed with."""

    def __init__(self, secrets: tuple[str, ...], path: str = "/events") -> None:
        self.port = free_port()
        self.path = path
        self.faults: list[str] = []
        self._webhooks = [Webhook(secret) for secret in secrets]
        self._attempts: list[Attempt] = []
        self._script: Script = lambda _event: ACCEPT
        self._lock = threading.Lock()
        self._server: _Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.path}"

    @property
    def attempts(self) -> list[Attempt]:
        with self._lock:
            return list(self._attempts)

    def accepted(self, event_type: str | None = None) -> list[dict[str, Any]]:
        """Events answered with 2xx, in the order they came, repetitions included."""
        return [
            attempt.event
            for attempt in self.attempts
            if attempt.answer.accepts and event_type in (None, attempt.event["type"])
        ]

    def script(self, script: Script) -> None:
        """What to answer from now on; called under the lock, so it may count."""
        with self._lock:
            self._script = script

    def answer(self, answer: Answer = ACCEPT) -> None:
        self.script(lambda _event: answer)

    def up(self) -> None:
        self._server = _Server(("127.0.0.1", self.port), _handler_for(self))
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def down(self) -> None:
        """Nobody listens any more."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def check(self) -> None:
        assert not self.faults, f"{len(self.faults)} bad deliveries, first: {self.faults[0]}"

    def wait_for(self, event_type: str, deadline_s: float = 10.0, **members: Any) -> dict[str, Any]:
        """The first accepted event of this type with these members (of itself or of its data)."""
        return wait_until(
            lambda: next(iter(self.find(event_type, **members)), None),
            f"event {event_type} with {members}; {len(self.attempts)} attempts so far",
            deadline_s,
        )

    def find(self, event_type: str, **members: Any) -> list[dict[str, Any]]:
        return [
            event
            for event in self.accepted(event_type)
            if all({**event, **event["data"]}.get(k) == v for k, v in members.items())
        ]

    def take(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        """Checks and records one delivery and says what to answer."""
        at = time.monotonic()
        try:
            event = self._checked(path, headers, body)
        except Exception as fault:
            self.faults.append(f"{type(fault).__name__}: {fault}; {headers}; {body[:500]!r}")
            return Answer(status=204)
        with self._lock:
            answer = self._script(event)
            self._attempts.append(Attempt(at, headers, event, answer))
        return answer

    def _checked(self, path: str, headers: dict[str, str], body: bytes) -> dict[str, Any]:
        assert path == self.path, f"posted to {path}"
        media = headers.get("content-type", "").split(";")[0].strip()
        assert media == "application/cloudevents+json", f"content type {media!r}"
        for webhook in self._webhooks:
            webhook.verify(body, headers)
        event = json.loads(body)
        link = event.get("data", {}).get("link")
        if link:
            LEDGER.add(token_of(link))
        check_event(event, body)
        assert headers["webhook-id"] == event["id"]
        return event


def token_of(link: str) -> str:
    """The token of a mail's link, which stands in the fragment: no server is sent it."""
    return urlsplit(link).fragment.removeprefix("token=")


def _handler_for(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = receiver.take(self.path, headers, body)
            time.sleep(answer.delay_s)
            self.close_connection = answer.close or answer.reset
            if not answer.reset:
                with suppress(OSError):
                    self._send(answer)

        def _send(self, answer: Answer) -> None:
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if answer.status != 204:
                self.send_header("Content-Length", str(answer.body_bytes))
            self.end_headers()
            block = b"x" * 65536
            for _ in range(answer.body_bytes // len(block)):
                self.wfile.write(block)
            self.wfile.write(block[: answer.body_bytes % len(block)])

        def log_message(self, *_arguments: object) -> None:
            """Silent."""

    return Handler
