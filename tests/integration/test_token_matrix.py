# SPDX-License-Identifier: Apache-2.0
"""Every class of token at every place that takes one: only those that belong there are let in."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import psycopg
import pytest
from support.client import Reply
from support.clients import basic, claims_of, client_token, create_client
from support.journey import (
    Person,
    confirmed_person,
    login,
    mail_token,
    new_password,
    new_person,
    register,
    reset_token,
)
from support.mfa import Authenticator, enrol, forget_uses, pretend, unenrol
from support.receiver import Receiver
from support.refresh_tokens import execute, send_form
from support.service import Service, run_command
from support.token_places import (
    ACCESS,
    ADMIN,
    CLASSES,
    CLIENT,
    MFA,
    ONE_TIME,
    PLACES,
    REFRESH,
    RESET,
    Case,
    Place,
)

FORM = "application/x-www-form-urlencoded"


@dataclass
class World:
    """Who acts, and on what. The acting user is an administrator with a second factor."""

    service: Service
    receiver: Receiver
    actor: Person
    other: Person
    guarded: Person  # has a second factor
    authenticator: Authenticator
    client: dict[str, Any]
    spares: dict[str, str]  # one-time tokens that are never used up

    @property
    def other_sub(self) -> str:
        return claims_of(self.other.tokens["access_token"])["sub"]


@pytest.fixture(scope="module")
def world(service: Service, receiver: Receiver) -> World:
    actor = confirmed_person(service.api, receiver, "actor")
    execute(
        service.database_url,
        "UPDATE users SET roles = '{admin}' WHERE email_canonical = %s",
        actor.email,
    )
    client = create_client(service, "reader", "--audience", "shop", "--scope", "users:read")
    pending = new_person("pending")
    forgetful = confirmed_person(service.api, receiver, "forgetful")
    register(service.api, pending)
    guarded = confirmed_person(service.api, receiver, "guarded")
    authenticator, _ = enrol(service.api, guarded.tokens["access_token"])
    return World(
        service,
        receiver,
        actor,
        confirmed_person(service.api, receiver, "other"),
        guarded,
        authenticator,
        client,
        {
            ONE_TIME: mail_token(receiver, pending.email),
            RESET: reset_token(service.api, receiver, forgetful.email),
        },
    )


def _session(world: World) -> dict[str, Any]:
    """Of the acting user, as a login with a second factor leaves it."""
    tokens = login(world.service.api, world.actor)
    execute(
        world.service.database_url,
        "UPDATE sessions SET amr = '{pwd,otp}' WHERE id = %s",
        tokens["session_id"],
    )
    return tokens


def _token(world: World, kind: str, fits: bool) -> tuple[str, str]:
    """One of this class, fresh, and the password of whom it belongs to."""
    api = world.service.api
    if kind == CLIENT:
        return client_token(api, world.client), world.actor.password
    if kind == MFA:
        forget_uses(world.service, world.guarded)
        reply = api.post("/v1/login", world.guarded.credentials)
        assert reply.code == "mfa_required", reply
        return reply.json()["mfa_token"], world.guarded.password
    if kind in world.spares and not fits:
        return world.spares[kind], world.actor.password
    if kind == RESET:
        person = confirmed_person(api, world.receiver, "forgetful")
        return reset_token(api, world.receiver, person.email), new_password()
    if kind == ONE_TIME:
        person = new_person("fresh")
        register(api, person)
        return mail_token(world.receiver, person.email), person.password
    tokens = _session(world)
    if kind == ADMIN:
        form = {"grant_type": "refresh_token", "scope": "users:admin"}
        form["refresh_token"] = tokens["refresh_token"]
        pretend(world.service, claims_of(tokens["access_token"])["sub"])
        reply = send_form(api, "/oauth2/token", form)
        unenrol(world.service, world.actor.email)
        assert reply.status == 200, reply
        return reply.json()["access_token"], world.actor.password
    return {ACCESS: tokens["access_token"], REFRESH: tokens["refresh_token"]}[
        kind
    ], world.actor.password


def _dead_letter(world: World) -> str:
    with psycopg.connect(world.service.database_url) as connection:
        query = (
            "INSERT INTO outbox (id, subject, type, is_ordered, data, dead_at)"
            " VALUES (gen_random_uuid(), gen_random_uuid()::text, 'user.disabled', true,"
            """ '{"reason":"test"}', clock_timestamp()) RETURNING id"""
        )
        return str(connection.execute(query).fetchone()[0])


def _code(world: World, kind: str, path: str) -> str:
    """Of the factor that the request is about."""
    if kind == MFA:
        return world.authenticator.code()
    if not path.endswith("/totp/confirm"):
        return "123456"
    begun = world.service.api.post("/v1/me/mfa/totp", token=_session(world)["access_token"])
    assert begun.status == 201, begun
    return Authenticator(begun.json()["secret"]).code()


def _case(world: World, kind: str, fits: bool, path: str = "") -> Case:
    service = world.service
    unenrol(service, world.actor.email)
    execute(service.database_url, "UPDATE users SET status = 'active'")
    foreign = login(service.api, world.other)
    token, password = _token(world, kind, fits)
    code = _code(world, kind, path)
    session = _session(world)
    if path.endswith(("/recovery-codes", "/oauth2/token")):
        pretend(service, claims_of(session["access_token"])["sub"])
    return Case(
        token=token,
        password=password,
        user=world.other_sub,
        session=session["session_id"],
        foreign_session=foreign["session_id"],
        client=create_client(service, "spare", "--audience", "x")["client_id"],
        code=code,
        event=_dead_letter(world),
        introspector=basic(world.client),
    )


def _send(world: World, method: str, path: str, place: Place, case: Case) -> Reply:
    request = place.request(case)
    headers = dict(request.headers)
    body = None if request.body is None else json.dumps(request.body).encode()
    if request.form is not None:
        body = urlencode(request.form).encode()
        headers["Content-Type"] = FORM
    return world.service.api.request(method, request.path or path, body=body, headers=headers)


def _blank() -> Case:
    return Case(*[""] * 8, introspector={})


def _is_yes(place: Place, reply: Reply) -> bool:
    if not 200 <= reply.status < 300:
        return False
    return place.says_yes is None or place.says_yes(reply.body)


def _rows() -> list[tuple[str, str, int, str]]:
    return [
        (method, path, number, kind)
        for (method, path), places in PLACES.items()
        for number in range(len(places))
        for kind in CLASSES
    ]


def test_every_route_has_a_row() -> None:
    done = run_command("routes", "--json")
    routes = {(row["method"], row["path"]): row for row in json.loads(done.stdout)}
    missing = routes.keys() - PLACES.keys()
    assert not missing, f"say in support/token_places.py which tokens these take: {missing}"
    assert not PLACES.keys() - routes.keys()
    for key, row in routes.items():
        assert row["auth"] == "public" or PLACES[key], key


@pytest.mark.parametrize(
    ("method", "path", "number", "kind"), _rows(), ids=lambda value: str(value)
)
def test_only_the_right_class_is_let_in(
    world: World, method: str, path: str, number: int, kind: str
) -> None:
    place = PLACES[method, path][number]
    fits = kind in place.accepted
    reply = _send(world, method, path, place, _case(world, kind, fits, path))
    assert _is_yes(place, reply) == fits, reply
    if not fits and "Authorization" in place.request(_blank()).headers:
        assert reply.status in (401, 403), reply  # refused as a token, not for something else


@pytest.mark.parametrize("kind", CLASSES)
def test_revocation_ends_what_it_is_shown(world: World, kind: str) -> None:
    """RFC 7009 answers 200 for whatever is no token here: what counts is which session ends."""
    execute(world.service.database_url, "UPDATE users SET status = 'active'")
    execute(world.service.database_url, "DELETE FROM sessions")
    world.other.tokens = login(world.service.api, world.other)
    token, _ = _token(world, kind, fits=False)
    reply = send_form(world.service.api, "/oauth2/revoke", {"token": token})
    assert (reply.status, reply.body) == (200, b"")
    with psycopg.connect(world.service.database_url) as connection:
        query = "SELECT count(*) FROM sessions WHERE revoked_at IS NOT NULL"
        (ended,) = connection.execute(query).fetchone()
    assert ended == (1 if kind in (ACCESS, ADMIN, REFRESH) else 0)
