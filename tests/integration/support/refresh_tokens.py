# SPDX-License-Identifier: Apache-2.0
"""Refresh tokens, presented and made: what the service should make of them is computed here anew.

rt1.<kid>.<sid>.<generation>.<secret>.<tag>, the tag over all before it and the client's id, each
secret an HMAC of the one before it.
"""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import psycopg
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from .client import Api, Reply
from .secret_files import SecretFiles
from .service import Service

CLIENT = "first-party"
REFRESH = "/v1/refresh"


def refresh(api: Api, token: str, key: str | None = None, **more: Any) -> Reply:
    headers = {} if key is None else {"Idempotency-Key": key}
    return api.post(REFRESH, {"refresh_token": token, **more}, headers=headers)


def refreshed(api: Api, token: str, key: str | None = None, **more: Any) -> str:
    """The successor."""
    reply = refresh(api, token, key, **more)
    assert reply.status == 200, reply
    return reply.json()["refresh_token"]


def assert_refused(api: Api, token: str, key: str | None = None, **more: Any) -> None:
    reply = refresh(api, token, key, **more)
    assert (reply.status, reply.code) == (401, "invalid_refresh_token"), reply
    assert reply.headers["www-authenticate"] == 'Bearer realm="user-service"'


def send_form(
    api: Api, path: str, parameters: dict[str, str], headers: dict[str, str] | None = None
) -> Reply:
    media = {"Content-Type": "application/x-www-form-urlencoded"}
    return api.request(
        "POST", path, body=urlencode(parameters).encode(), headers=media | (headers or {})
    )


@dataclass(frozen=True)
class Parts:
    kid: str
    sid: str
    generation: int
    secret: bytes

    @property
    def digest(self) -> bytes:
        """What the row keeps."""
        return hashlib.sha256(self.secret).digest()


def parts_of(token: str) -> Parts:
    version, kid, sid, generation, secret, _tag = token.split(".")
    assert version == "rt1"
    return Parts(kid, sid, int(generation), base64.urlsafe_b64decode(secret + "="))


class RefreshForge:
    """Has the service's own keys."""

    def __init__(self, secrets: SecretFiles) -> None:
        keyring = json.loads(Path(secrets.keyring.removeprefix("file:")).read_text())
        self._roots = {kid: base64.b64decode(key) for kid, key in keyring["keys"].items()}

    def seal(self, parts: Parts, client_id: str = CLIENT) -> str:
        secret = _base64url(parts.secret)
        return self.seal_text(
            f"rt1.{parts.kid}.{parts.sid}.{parts.generation}.{secret}.", client_id
        )

    def seal_text(self, head: str, client_id: str = CLIENT, kid: str = "k1") -> str:
        """`head` with the tag that belongs to it, whatever it says."""
        tag = self._mac(kid, b"refresh", (head + client_id).encode())[:16]
        return head + _base64url(tag)

    def successor(self, token: str, client_id: str = CLIENT) -> str:
        parts = parts_of(token)
        link = UUID(parts.sid).bytes + parts.generation.to_bytes(8, "big") + parts.secret
        secret = self._mac(parts.kid, b"chain", link)
        return self.seal(replace(parts, generation=parts.generation + 1, secret=secret), client_id)

    def _mac(self, kid: str, label: bytes, data: bytes) -> bytes:
        key = HKDF(SHA256(), 32, None, label).derive(self._roots[kid])
        return hmac.digest(key, data, "sha256")


def row_of(url: str, session_id: str) -> dict[str, Any]:
    """The session's row and where it stands: another place, and it was written to."""
    with psycopg.connect(url, row_factory=psycopg.rows.dict_row) as connection:
        query = "SELECT ctid::text, xmin::text, s.* FROM sessions s WHERE id = %s"
        return connection.execute(query, [session_id]).fetchone()


def execute(url: str, statement: str, *values: Any) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(statement, values)


def set_back(url: str, current: str, previous: str | None) -> None:
    """The row as a backup would have it that was made when `current` was the current token."""
    before = parts_of(previous).digest if previous else None
    execute(
        url,
        "UPDATE sessions SET generation = %s, token_hash = %s, prev_hash = %s, idem_hash = NULL"
        " WHERE id = %s",
        parts_of(current).generation,
        parts_of(current).digest,
        before,
        parts_of(current).sid,
    )


def counted(service: Service, result: str) -> float:
    """How many refreshes of the service came to this."""
    sample = f'user_service_refreshes_total{{result="{result}"}} '
    lines = service.metrics().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(sample))


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
