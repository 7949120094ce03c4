# SPDX-License-Identifier: Apache-2.0
"""Machine clients put into the table as `client create` does it, and what they ask."""

import base64
import hashlib
import secrets
import time
import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import psycopg

from .client import Api, Reply
from .ledger import LEDGER

INTROSPECT = "/oauth2/introspect"
INACTIVE = b'{"active":false}'


@dataclass(frozen=True)
class MachineClient:
    id: str
    secret: str

    @property
    def basic(self) -> str:
        return "Basic " + base64.b64encode(f"{self.id}:{self.secret}".encode()).decode()


def add_client(
    database_url: str, audience: tuple[str, ...] = ("shop",), public: bool = False
) -> MachineClient:
    """Known to every replica a moment later."""
    client = MachineClient(_uuid7(), f"uscs_{secrets.token_urlsafe(32)}")
    LEDGER.add(client.secret)
    digest = None if public else hashlib.sha256(client.secret.encode()).digest()
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO clients (id, name, is_public, secret_hash, audience)"
            " VALUES (%s, 'test', %s, %s, %s)",
            [client.id, public, digest, [] if public else list(audience)],
        )
        tell_change(connection, "clients")
    return client


def tell_change(connection: psycopg.Connection, changed: str) -> None:
    connection.execute(
        "INSERT INTO revocations (changed, expires_at)"
        " VALUES (%s, clock_timestamp() + interval '10 min')",
        [changed],
    )


def introspect(api: Api, client: MachineClient | None, token: str, **form: str) -> Reply:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    if client is not None:
        headers["Authorization"] = client.basic
    body = urlencode({"token": token, **form}).encode()
    return api.request("POST", INTROSPECT, body=body, headers=headers)


def active(api: Api, client: MachineClient, token: str) -> dict[str, Any]:
    reply = introspect(api, client, token)
    assert reply.status == 200, reply
    answer = reply.json()
    assert answer["active"] is True, reply
    return answer


def _uuid7() -> str:
    number = time.time_ns() // 1_000_000 << 80 | secrets.randbits(80)
    number = number & ~(0xF << 76) | 0x7 << 76
    return str(uuid.UUID(int=number & ~(0x3 << 62) | 0x2 << 62))
