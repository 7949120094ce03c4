# SPDX-License-Identifier: Apache-2.0
"""Token introspection (RFC 7662): who may ask, what each client is told, what nobody is told."""

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jwt
import psycopg
import pytest
from support.client import Reply
from support.journey import confirmed_person
from support.machine_clients import (
    INACTIVE,
    INTROSPECT,
    MachineClient,
    active,
    add_client,
    introspect,
    tell_change,
)
from support.makers import ReceiverMaker, ServiceMaker
from support.poll import wait_until
from support.postgres import Cluster
from support.receiver import Receiver
from support.secret_files import SecretFiles
from support.service import Service
from support.statements import of_requests, statements_logged
from support.token_forge import TokenForge, hostile_tokens

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
# Changes are to be seen within a second; the rest is for a busy machine.
SEEN_S = 3.0


@pytest.fixture(scope="module")
def token(service: Service, receiver: Receiver) -> str:
    return confirmed_person(service.api, receiver).tokens["access_token"]


@pytest.fixture(scope="module")
def forge(token: str, secret_files: SecretFiles) -> TokenForge:
    return TokenForge(token, secret_files)


@pytest.fixture(scope="module")
def shop(service: Service, token: str) -> MachineClient:
    """For audience `shop`, which the users' tokens are for."""
    return _known(service, add_client(service.database_url), token)


@pytest.fixture(scope="module")
def stock(service: Service, token: str) -> MachineClient:
    return _known(service, add_client(service.database_url, ("stock", "store")), token)


def _known(service: Service, client: MachineClient, token: str) -> MachineClient:
    """In memory: what memory does not know is looked up in the table."""
    wait_until(lambda: introspect(service.api, client, token).status == 200, "client is known")
    return client


def _claims(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


def _post(service: Service, form: dict[str, str], headers: dict[str, str] | None = None) -> Reply:
    body = urlencode(form).encode()
    return service.api.request("POST", INTROSPECT, body=body, headers={**FORM, **(headers or {})})


def _assert_inactive(reply: Reply) -> None:
    """Exactly this, whatever the reason."""
    assert (reply.status, reply.body) == (200, INACTIVE), reply
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["cache-control"] == "no-store"


def test_an_active_token(service: Service, shop: MachineClient, token: str) -> None:
    claims = _claims(token)
    reply = introspect(service.api, shop, token)
    assert reply.headers["cache-control"] == "no-store"
    names = ("scope", "client_id", "exp", "iat", "sub", "aud", "iss", "jti", "sid", "roles")
    expected = {name: claims[name] for name in (*names, "auth_time")}
    assert reply.json() == {"active": True, "token_type": "Bearer", **expected}


def test_the_hint_is_ignored(service: Service, shop: MachineClient, token: str) -> None:
    """RFC 7662 section 2.1."""
    for hint in ("access_token", "refresh_token", "x", ""):
        assert introspect(service.api, shop, token, token_type_hint=hint).json()["active"] is True
    assert introspect(service.api, shop, token, unknown="x").json()["active"] is True


def test_roles_scope_and_audiences(
    service: Service, shop: MachineClient, forge: TokenForge
) -> None:
    token = forge.sign(roles=["admin", "support"], scope="a b", aud=["store", "shop"])
    answer = active(service.api, shop, token)
    assert answer["roles"] == ["admin", "support"]
    assert answer["scope"] == "a b"
    assert answer["aud"] == ["store", "shop"]


# Who may ask.


def test_authentication_by_form(service: Service, shop: MachineClient, token: str) -> None:
    form = {"token": token, "client_id": shop.id, "client_secret": shop.secret}
    assert _post(service, form).json()["active"] is True
    assert _post(service, {**form, "client_secret": shop.secret + "x"}).status == 401


def test_who_may_not_ask(
    service: Service, shop: MachineClient, stock: MachineClient, token: str
) -> None:
    public = add_client(service.database_url, public=True)
    nobody = "00000000-0000-7000-8000-000000000000"
    for client in (
        None,
        MachineClient(shop.id, ""),
        MachineClient(shop.id, "x"),
        MachineClient(shop.id, shop.secret[:-1]),
        MachineClient(shop.id, f"{shop.secret}x"),
        MachineClient(shop.id, stock.secret),
        MachineClient(shop.id.upper(), stock.secret),
        MachineClient(nobody, shop.secret),
        MachineClient("' OR 1=1 --", shop.secret),
        MachineClient("", ""),
        MachineClient(public.id, public.secret),
        MachineClient("first-party", ""),
        MachineClient("first-party", "x"),
    ):
        for text in (token, "x"):
            reply = introspect(service.api, client, text)
            assert (reply.status, reply.json()["error"]) == (401, "invalid_client"), client
            assert reply.headers["www-authenticate"].startswith("Basic")


def test_what_is_no_authentication(service: Service, shop: MachineClient, token: str) -> None:
    for authorization in ("", "Basic", "Basic !", "Basic eA==", f"Bearer {token}", shop.secret):
        reply = _post(service, {"token": token}, {"Authorization": authorization})
        assert (reply.status, reply.json()["error"]) == (401, "invalid_client"), authorization
    for form in ({"client_id": shop.id}, {"client_id": "first-party"}, {"client_secret": "x"}):
        assert _post(service, {"token": token, **form}).status == 401


def test_two_ways_at_once(service: Service, shop: MachineClient, token: str) -> None:
    """RFC 6749 section 2.3."""
    reply = introspect(service.api, shop, token, client_id=shop.id, client_secret=shop.secret)
    assert (reply.status, reply.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("body", ["", "token=", "x=y", "token=a&token=b", "token=%zz", "token=%ff"])
def test_requests_that_cannot_be_read(service: Service, shop: MachineClient, body: str) -> None:
    headers = {**FORM, "Authorization": shop.basic}
    reply = service.api.request("POST", INTROSPECT, body=body.encode(), headers=headers)
    assert (reply.status, reply.json()["error"]) == (400, "invalid_request")


def test_it_is_a_form_and_a_post(service: Service, shop: MachineClient, token: str) -> None:
    """RFC 7662 section 2.1; a token in a URL would be in logs."""
    headers = {"Authorization": shop.basic}
    reply = service.api.post(INTROSPECT, {"token": token}, headers=headers)
    assert reply.status == 415
    assert service.api.get(f"{INTROSPECT}?token={token}", headers=headers).status == 405
    headers |= FORM
    reply = service.api.request("POST", f"{INTROSPECT}?token={token}", body=b"", headers=headers)
    assert reply.status == 400


def test_good_answers_do_not_flood_the_log(
    service: Service, shop: MachineClient, token: str
) -> None:
    def lines() -> int:
        return service.log.read_text().count(f'"{INTROSPECT}"')

    before = lines()
    for text in (token, "x", token):
        assert introspect(service.api, shop, text).status == 200
    assert introspect(service.api, None, token).status == 401
    assert lines() == before + 1


# What a client is not told.


def test_tokens_for_others(
    service: Service, shop: MachineClient, stock: MachineClient, forge: TokenForge
) -> None:
    issuer = service.url
    both = add_client(service.database_url, ("shop", issuer))
    _known(service, both, forge.token)
    for audience, told in {
        "shop": (shop, both),
        "stock": (stock,),
        "store": (stock,),
        ("shop", "stock"): (shop, stock, both),
        issuer: (both,),
        (issuer, "other"): (both,),
        "shopx": (),
        "sho": (),
        "shop stock": (),
        "": (),
        "*": (),
        (): (),
    }.items():
        value = list(audience) if isinstance(audience, tuple) else audience
        token = forge.sign(aud=value)
        for client in (shop, stock, both):
            reply = introspect(service.api, client, token)
            if client in told:
                assert reply.json()["active"] is True, (audience, reply)
                assert reply.json()["aud"] in (value, value[0])
            else:
                _assert_inactive(reply)


def test_a_client_without_audience_is_told_nothing(service: Service, token: str) -> None:
    client = _known(service, add_client(service.database_url, ()), token)
    _assert_inactive(introspect(service.api, client, token))


def test_hostile_tokens_never_reach_the_database(
    service: Service, cluster: Cluster, shop: MachineClient, forge: TokenForge
) -> None:
    hostile = hostile_tokens(forge) | {
        "10 KB kid": forge.sign({"kid": "k" * 7000}),
        "garbage": "x" * 12000,
        "text": "\N{SNOWMAN}" * 100,
        "for others": forge.sign(aud="elsewhere"),
        "SQL": "'; DROP TABLE users; --",
        "path": "../../../../etc/passwd",
        "one-time": "ot1.k1.registration.00000000-0000-7000-8000-000000000000.x",
    }
    with statements_logged(cluster, service) as statements:

        def asks_memory() -> bool:
            statements()
            assert active(service.api, shop, forge.token)
            return not of_requests(statements())

        wait_until(asks_memory, "client and session are judged from memory")
        for text in hostile.values():
            _assert_inactive(introspect(service.api, shop, text))
        seen = of_requests(statements())
    assert not seen, seen


def test_refresh_tokens_are_not_told_of(
    service: Service, receiver: Receiver, shop: MachineClient
) -> None:
    person = confirmed_person(service.api, receiver)
    for hint in ("refresh_token", "access_token"):
        reply = introspect(service.api, shop, person.tokens["refresh_token"], token_type_hint=hint)
        _assert_inactive(reply)


# What does not count any more.


def test_an_ended_session(service: Service, receiver: Receiver, shop: MachineClient) -> None:
    token = confirmed_person(service.api, receiver).tokens["access_token"]
    assert active(service.api, shop, token)
    assert service.api.post("/v1/logout", token=token).status == 204
    _assert_inactive(introspect(service.api, shop, token))


def test_a_disabled_user(service: Service, receiver: Receiver, shop: MachineClient) -> None:
    token = confirmed_person(service.api, receiver).tokens["access_token"]
    assert active(service.api, shop, token)
    with psycopg.connect(service.database_url, autocommit=True) as connection:
        connection.execute(
            "UPDATE users SET status = 'disabled', auth_ver = auth_ver + 1"
            " WHERE id = (SELECT user_id FROM sessions WHERE id = %(sid)s)",
            _claims(token),
        )
        connection.execute(
            "INSERT INTO revocations (subject, min_auth_ver, expires_at)"
            " VALUES (%(sub)s, %(av)s + 1, clock_timestamp() + interval '10 min')",
            _claims(token),
        )
    wait_until(lambda: introspect(service.api, shop, token).body == INACTIVE, "inactive", SEEN_S)
    for _ in range(10):
        _assert_inactive(introspect(service.api, shop, token))


def test_an_expired_token(service: Service, shop: MachineClient, forge: TokenForge) -> None:
    token = forge.sign(exp=int(time.time()) + 2)
    assert active(service.api, shop, token)
    wait_until(lambda: introspect(service.api, shop, token).body == INACTIVE, "expired", 4.0)


def test_a_disabled_client(service: Service, token: str) -> None:
    client = _known(service, add_client(service.database_url), token)
    with psycopg.connect(service.database_url, autocommit=True) as connection:
        connection.execute(
            "UPDATE clients SET disabled_at = clock_timestamp() WHERE id = %s", [client.id]
        )
        tell_change(connection, "clients")
    wait_until(lambda: introspect(service.api, client, token).status == 401, "refused", SEEN_S)


def test_two_secrets_while_one_is_rotated(service: Service, token: str) -> None:
    client = _known(service, add_client(service.database_url), token)
    fresh = MachineClient(client.id, "uscs_" + "r" * 43)
    with psycopg.connect(service.database_url, autocommit=True) as connection:
        connection.execute(
            "UPDATE clients SET prev_secret_hash = secret_hash, secret_hash = %s WHERE id = %s",
            [hashlib.sha256(fresh.secret.encode()).digest(), client.id],
        )
        tell_change(connection, "clients")
    wait_until(lambda: introspect(service.api, fresh, token).status == 200, "known", SEEN_S)
    assert active(service.api, client, token)


# The database away.


@pytest.fixture
def fragile(scratch: Path) -> Iterator[Cluster]:
    server = Cluster(scratch / f"pg-introspect-{time.monotonic_ns()}")
    server.start()
    yield server
    server.stop()


def test_without_database(
    make_service: ServiceMaker, make_receiver: ReceiverMaker, fragile: Cluster
) -> None:
    receiver = make_receiver()
    url = fragile.url(fragile.create_database())
    service = make_service(receiver, database_url=url).start()
    token = confirmed_person(service.api, receiver).tokens["access_token"]
    client = _known(service, add_client(service.database_url), token)
    assert active(service.api, client, token)
    fragile.stop()
    wait_until(lambda: introspect(service.api, client, token).status == 503, "503", 4.0)
    for _ in range(20):
        reply = introspect(service.api, client, token)
        assert (reply.status, reply.json()["error"]) == (503, "temporarily_unavailable")
        assert int(reply.headers["retry-after"]) >= 1
    fragile.start()
    wait_until(lambda: introspect(service.api, client, token).status == 200, "well again", 15.0)
    assert active(service.api, client, token)
