# SPDX-License-Identifier: Apache-2.0
"""Machine clients and users with the right to administrate, and what an administrator asks."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import psycopg

from .client import Reply
from .ledger import LEDGER
from .machine_clients import MachineClient
from .service import Service, run_command
from .token_forge import TokenForge

SCOPE = "users:admin"


def create_client(service: Service, *options: str) -> MachineClient:
    made = command(service, "client", "create", "test", *options)
    LEDGER.add(made["client_secret"])
    return MachineClient(made["client_id"], made["client_secret"])


def command(service: Service, *arguments: str) -> Any:
    """What an operator's command prints as JSON."""
    done = run_command(*arguments, "--json", environment={"US_DATABASE_URL": service.database_url})
    assert (done.returncode, done.stderr) == (0, ""), done
    return json.loads(done.stdout)


def client_token(service: Service, client: MachineClient, scope: str = SCOPE) -> str:
    body = urlencode({"grant_type": "client_credentials", "scope": scope}).encode()
    reply = service.api.request(
        "POST",
        "/oauth2/token",
        body=body,
        headers={
            "Content-Type": "application/x-www-form-urlencoded",
            "Authorization": client.basic,
        },
    )
    assert reply.status == 200, reply
    return reply.json()["access_token"]


def user_token(service: Service, tokens: dict[str, Any]) -> str:
    """As a user with the role and a second factor gets one: signed with the service's own key."""
    forge = TokenForge(tokens["access_token"], service.secrets)
    return forge.sign(aud=service.url, scope=SCOPE, roles=["admin"], amr=["pwd", "otp"])


class Administrator:
    """Asks a service with one token."""

    def __init__(self, service: Service, token: str) -> None:
        self.service = service
        self.token = token

    def ask(self, method: str, path: str, value: Any = None, **options: Any) -> Reply:
        return self.service.api.request(
            method, f"/v1/admin{path}", value, token=self.token, **options
        )

    def get(self, path: str, **query: str) -> Reply:
        return self.ask("GET", path + (f"?{urlencode(query)}" if query else ""))

    def user(self, sub: str, action: str = "", method: str = "POST", value: Any = None) -> Reply:
        return self.ask(method, f"/users/{quote(sub, safe='')}{action}", value)

    def walk(self, path: str, **query: str) -> Iterator[dict[str, Any]]:
        """All items, page by page."""
        cursor: dict[str, str] = {}
        while True:
            reply = self.get(path, **query, **cursor)
            assert reply.status == 200, reply
            page = reply.json()
            yield from page["items"]
            if page["next_cursor"] is None:
                return
            cursor = {"cursor": page["next_cursor"]}


def machine_administrator(service: Service) -> Administrator:
    return Administrator(service, client_token(service, create_client(service, "--scope", SCOPE)))


def subject_of(service: Service, email: str) -> str:
    with psycopg.connect(service.database_url) as connection:
        row = connection.execute(
            "SELECT coalesce(subject, id::text) FROM users WHERE email = %s", [email]
        ).fetchone()
    assert row is not None, email
    return row[0]
