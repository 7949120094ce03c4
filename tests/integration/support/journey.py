# SPDX-License-Identifier: Apache-2.0
"""Steps that many tests take: register, read the mail, confirm, log in."""

import itertools
import secrets
from dataclasses import dataclass
from typing import Any

from .client import Api
from .events import PASSWORD_RESET_REQUESTED, VERIFICATION_REQUESTED
from .ledger import LEDGER
from .poll import wait_until
from .receiver import Receiver, token_of

_run = secrets.token_hex(4)
_numbers = itertools.count(1)


@dataclass
class Person:
    """Somebody who registers. Each has an address of their own."""

    email: str
    password: str
    tokens: dict[str, Any] | None = None

    @property
    def credentials(self) -> dict[str, str]:
        return {"email": self.email, "password": self.password}


def new_email(stem: str = "user") -> str:
    return f"{stem}-{_run}-{next(_numbers)}@example.com"


def new_password() -> str:
    password = f"Pw-{secrets.token_hex(12)}"
    LEDGER.add(password)
    return password


def new_person(stem: str = "user") -> Person:
    return Person(new_email(stem), new_password())


def register(api: Api, person: Person, **more: Any) -> None:
    reply = api.post("/v1/register", {**person.credentials, **more})
    assert reply.status == 202, reply
    assert reply.json() == {"status": "verification_sent"}


def mail_token(receiver: Receiver, email: str, deadline_s: float = 10.0) -> str:
    """The token of the first verification mail to this address."""
    mail = receiver.wait_for(VERIFICATION_REQUESTED, deadline_s, email=email)
    return token_of(mail["data"]["link"])


def reset_token(api: Api, receiver: Receiver, email: str) -> str:
    """Asks for a reset; the token of the mail that comes of it."""
    before = len(receiver.find(PASSWORD_RESET_REQUESTED, email=email))
    reply = api.post("/v1/password-reset", {"email": email})
    assert reply.status == 202, reply
    assert reply.json() == {"status": "reset_sent"}
    mails = wait_until(
        lambda: receiver.find(PASSWORD_RESET_REQUESTED, email=email)[before:], "mail of a reset"
    )
    return token_of(mails[0]["data"]["link"])


def confirm(api: Api, token: str, password: str) -> dict[str, Any]:
    reply = api.post("/v1/email-verification/confirm", {"token": token, "password": password})
    assert reply.status == 200, reply
    return reply.json()


def login(api: Api, person: Person) -> dict[str, Any]:
    reply = api.post("/v1/login", person.credentials)
    assert reply.status == 200, reply
    return reply.json()


def confirmed_person(api: Api, receiver: Receiver, stem: str = "user") -> Person:
    """Registered, confirmed, with the tokens of the confirmation."""
    person = new_person(stem)
    register(api, person)
    person.tokens = confirm(api, mail_token(receiver, person.email), person.password)
    return person
