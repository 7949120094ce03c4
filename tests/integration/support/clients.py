# SPDX-License-Identifier: Apache-2.0
"""Registered clients: the operator's command, and what the clients send."""

import base64
import json
from typing import Any
from urllib.parse import quote_plus

import jwt

from .client import Api, Reply
from .ledger import LEDGER
from .refresh_tokens import send_form
from .service import Service, run_command

TOKEN = "/oauth2/token"


def client_command(service: Service, *arguments: str) -> Any:
    """What `user-service client … --json` prints."""
    done = run_command("client", *arguments, "--json", environment=service.environment())
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    if isinstance(answer, dict) and answer.get("client_secret"):
        LEDGER.add(answer["client_secret"])
    return answer


def create_client(service: Service, name: str, *options: str) -> dict[str, Any]:
    """client_id and client_secret."""
    return client_command(service, "create", name, *options)


def basic(client: dict[str, Any]) -> dict[str, str]:
    """RFC 6749 section 2.3.1: form-encoded, then RFC 7617."""
    pair = f"{quote_plus(client['client_id'])}:{quote_plus(client['client_secret'])}"
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def ask_token(api: Api, client: dict[str, Any], **more: str) -> Reply:
    form = {"grant_type": "client_credentials", **more}
    return send_form(api, TOKEN, form, basic(client))


def client_token(api: Api, client: dict[str, Any], **more: str) -> str:
    reply = ask_token(api, client, **more)
    assert reply.status == 200, reply
    return reply.json()["access_token"]


def claims_of(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})
