# SPDX-License-Identifier: Apache-2.0
"""HTTP client of the tests: one kept connection a thread; every answer is checked by the contract.

What it sends and gets that is secret goes to the ledger.
"""

import http.client
import json
import threading
from dataclasses import dataclass
from typing import Any

from . import openapi
from .ledger import LEDGER

_SECRET_MEMBERS = (
    "password",
    "current_password",
    "new_password",
    "token",
    "access_token",
    "refresh_token",
    "mfa_token",
    "secret",
    "otpauth_uri",
)


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str | None:
        """The problem's code, None where this is no problem."""
        if "problem+json" not in self.headers.get("content-type", ""):
            return None
        return self.json()["code"]


class Api:
    """Thread-safe. `checked=False` for answers that are no part of the document (operations)."""

    def __init__(self, host: str, port: int, checked: bool = True, timeout_s: float = 30.0) -> None:
        self.host = host
        self.port = port
        self._checked = checked
        self._timeout_s = timeout_s
        self._local = threading.local()

    def request(
        self,
        method: str,
        path: str,
        value: Any = None,
        *,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        token: str | None = None,
    ) -> Reply:
        """Sends `value` as JSON, or `body` as it is. OSError or HTTPException without an answer."""
        sent = dict(headers or {})
        if value is not None:
            body = json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
            _remember(value)
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        reply = self._exchange(method, path, body, sent)
        if self._checked:
            openapi.check_answer(method, path, reply.status, reply.headers, reply.body)
        if reply.headers.get("content-type", "").startswith("application/json") and reply.body:
            _remember(reply.json())
        return reply

    def get(self, path: str, **options: Any) -> Reply:
        return self.request("GET", path, **options)

    def post(self, path: str, value: Any = None, **options: Any) -> Reply:
        return self.request("POST", path, value, **options)

    def patch(self, path: str, value: Any = None, **options: Any) -> Reply:
        return self.request("PATCH", path, value, **options)

    def close(self) -> None:
        """Closes this thread's connection."""
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None

    def _exchange(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> Reply:
        connection = self._connection()
        try:
            connection.request(method, path, body=body, headers=headers)
            answer = connection.getresponse()
            received = answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        names = {name.lower(): value for name, value in answer.getheaders()}
        return Reply(answer.status, names, received)

    def _connection(self) -> http.client.HTTPConnection:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = http.client.HTTPConnection(self.host, self.port, timeout=self._timeout_s)
            self._local.connection = connection
        return connection


def _remember(value: Any) -> None:
    if isinstance(value, dict):
        LEDGER.add(*(v for k, v in value.items() if k in _SECRET_MEMBERS and isinstance(v, str)))
