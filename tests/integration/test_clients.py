# SPDX-License-Identifier: Apache-2.0
"""Registered clients: the command, secrets, their own tokens, users who log in through them."""

import base64
import re
import threading
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import psycopg
import pytest
from support.client import Api, Reply
from support.clients import (
    TOKEN,
    ask_token,
    basic,
    claims_of,
    client_command,
    client_token,
    create_client,
)
from support.journey import Person, confirmed_person, login
from support.makers import ServiceMaker
from support.poll import wait_until
from support.receiver import Receiver
from support.refresh_tokens import execute, refresh, refreshed, row_of, send_form
from support.service import Service, run_command
from support.tokens import verify_by_pyjwt

REVOKE = "/oauth2/revoke"
NOBODY = "01890a5d-ac96-774b-bcce-b302099a8057"
CREDENTIALS = {"grant_type": "client_credentials"}


@pytest.fixture(scope="module")
def person(service: Service, receiver: Receiver) -> Person:
    return confirmed_person(service.api, receiver)


@pytest.fixture(scope="module")
def orders(service: Service) -> dict[str, Any]:
    options = ("--audience", "orders,shop", "--scope", "users:read,orders:write")
    return create_client(service, "orders", *options)


@pytest.fixture
def app(service: Service) -> str:
    """A public client."""
    return create_client(service, "app", "--public")["client_id"]


def _assert_error(reply: Reply, status: int, error: str) -> None:
    assert (reply.status, reply.json()["error"]) == (status, error), reply
    if status == 401:
        assert reply.headers["www-authenticate"].startswith("Basic ")


def _audit(service: Service, subject: str) -> list[tuple[str, str]]:
    with psycopg.connect(service.database_url) as connection:
        query = "SELECT type, actor FROM audit WHERE subject = %s ORDER BY at"
        return connection.execute(query, [subject]).fetchall()


# The command.


def test_a_client_is_registered(service: Service, orders: dict[str, Any]) -> None:
    assert UUID(orders["client_id"]).version == 7
    assert re.fullmatch(r"uscs_[A-Za-z0-9_-]{43}", orders["client_secret"])
    rows = {row["client_id"]: row for row in client_command(service, "list")}
    row = rows[orders["client_id"]]
    assert (row["name"], row["public"]) == ("orders", False)
    assert (row["audience"], row["scope"]) == (["orders", "shop"], ["users:read", "orders:write"])
    assert (row["rotated_at"], row["disabled_at"]) == (None, None)
    assert orders["client_secret"] not in str(rows)
    ((kind, actor),) = _audit(service, orders["client_id"])
    assert kind == "client.created"
    assert actor.startswith("cli:")


def test_a_public_client_has_no_secret(service: Service) -> None:
    made = create_client(service, "spa", "--public")
    assert not made.get("client_secret")


@pytest.mark.parametrize(
    "arguments",
    [
        ("create",),
        ("create", ""),
        ("create", "x" * 101),
        ("create", "a\nb"),
        ("create", "x", "--scope", 'a"b'),
        ("create", "x", "--audience", "é"),
        ("create", "x", "--audience", "x" * 65),
        ("create", "x", "--audience", ",".join(f"a{i}" for i in range(17))),
        ("create", "x", "--audience", ",".join(f"a{i}" for i in range(40))),
        ("create", "x", "--public", "--scope", "users:read"),
        ("create", "x", "--public", "--audience", "shop"),
        ("rotate", "x"),
        ("disable", "first-party"),
    ],
)
def test_wrong_arguments_are_told(service: Service, arguments: tuple[str, ...]) -> None:
    before = len(client_command(service, "list"))
    done = run_command("client", *arguments, environment=service.environment())
    assert done.returncode == 2
    assert done.stderr.startswith("user-service client")
    assert len(client_command(service, "list")) == before


@pytest.mark.parametrize("command", ["rotate", "disable"])
def test_a_client_that_is_not_there(service: Service, command: str) -> None:
    done = run_command("client", command, NOBODY, environment=service.environment())
    assert (done.returncode, NOBODY in done.stderr) == (1, True)


def test_what_has_no_secret_is_not_rotated(service: Service, app: str) -> None:
    done = run_command("client", "rotate", app, environment=service.environment())
    assert (done.returncode, "secret" in done.stderr) == (1, True)


# Authentication (RFC 6749 section 2.3.1).


def test_by_basic_and_by_form(service: Service, orders: dict[str, Any]) -> None:
    assert ask_token(service.api, orders).status == 200
    assert send_form(service.api, TOKEN, CREDENTIALS | orders).status == 200
    both = CREDENTIALS | {"client_id": orders["client_id"]}  # its own id beside Basic is no second
    assert send_form(service.api, TOKEN, both, basic(orders)).status == 200


def test_not_by_both(service: Service, orders: dict[str, Any]) -> None:
    for form in (orders, {"client_secret": orders["client_secret"]}, {"client_id": NOBODY}):
        reply = send_form(service.api, TOKEN, CREDENTIALS | form, basic(orders))
        _assert_error(reply, 400, "invalid_request")


def test_basic_is_form_encoded(service: Service, orders: dict[str, Any]) -> None:
    """Each part may be escaped as a form is; a colon in the secret is the secret's."""
    escaped = "".join(f"%{byte:02x}" for byte in orders["client_id"].encode())
    for pair in (
        f"{escaped}:{orders['client_secret']}",
        f"{orders['client_id']}:{orders['client_secret'].replace('_', '%5F')}",
    ):
        header = {"Authorization": "basic " + base64.b64encode(pair.encode()).decode()}
        assert send_form(service.api, TOKEN, CREDENTIALS, header).status == 200


def _basic_text(text: bytes) -> str:
    return "Basic " + base64.b64encode(text).decode()


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic !",
        "Bearer x",
        _basic_text(b""),
        _basic_text(b"x"),
        _basic_text(b":"),
        _basic_text(b"first-party:"),
        _basic_text(b"first-party:x"),
        _basic_text(b"%zz:x"),
        _basic_text(b"\xff:x"),
        _basic_text(b"a:%00"),
        _basic_text(NOBODY.encode() + b":x"),
        _basic_text(b"x" * 900),
    ],
)
@pytest.mark.parametrize("path", [TOKEN, REVOKE])
def test_wrong_headers(service: Service, header: str, path: str) -> None:
    form = CREDENTIALS | {"token": "x"}
    reply = send_form(service.api, path, form, {"Authorization": header})
    _assert_error(reply, 401, "invalid_client")


def test_wrong_secrets(service: Service, orders: dict[str, Any], app: str) -> None:
    client_id, secret = orders["client_id"], orders["client_secret"]
    for wrong in (secret[:-1], secret + "x", secret.lower(), "x", "x" * 256):
        form = {"client_id": client_id, "client_secret": wrong}
        _assert_error(ask_token(service.api, form), 401, "invalid_client")
        _assert_error(send_form(service.api, TOKEN, CREDENTIALS | form), 401, "invalid_client")
    for other in (NOBODY, app, client_id.upper(), "first-party", "x"):
        form = {"client_id": other, "client_secret": secret}
        _assert_error(ask_token(service.api, form), 401, "invalid_client")
    reply = send_form(service.api, TOKEN, CREDENTIALS | {"client_id": client_id})
    _assert_error(reply, 401, "invalid_client")
    _assert_error(send_form(service.api, TOKEN, CREDENTIALS), 401, "invalid_client")


def test_two_secrets_live(service: Service) -> None:
    first = create_client(service, "rotating", "--audience", "shop")
    second = client_command(service, "rotate", first["client_id"])
    assert second["client_id"] == first["client_id"]
    assert ask_token(service.api, first).status == 200
    assert ask_token(service.api, second).status == 200
    third = client_command(service, "rotate", first["client_id"])
    _assert_error(ask_token(service.api, first), 401, "invalid_client")
    assert ask_token(service.api, second).status == 200
    assert ask_token(service.api, third).status == 200
    kinds = [kind for kind, _ in _audit(service, first["client_id"])]
    assert kinds == ["client.created", "client.rotated", "client.rotated"]


def test_a_secret_that_counts_is_never_refused(service: Service) -> None:
    """While secrets rotate, whoever takes over the newest one within a rotation gets tokens."""
    newest = [create_client(service, "busy", "--audience", "shop")]
    refused: list[Reply] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            client = newest[-1]
            reply = ask_token(service.api, client)
            if reply.status != 200 and client in newest[-2:]:
                refused.append(reply)
        service.api.close()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(8):
        newest.append(client_command(service, "rotate", newest[0]["client_id"]))
    stop.set()
    for thread in threads:
        thread.join()
    assert not refused


def test_two_rotations_at_once(service: Service) -> None:
    """Each is one row's conditional update: both secrets count, and the one before is gone."""
    first = create_client(service, "raced", "--audience", "shop")
    made: list[dict[str, Any]] = []

    def rotate() -> None:
        made.append(client_command(service, "rotate", first["client_id"]))

    threads = [threading.Thread(target=rotate) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [ask_token(service.api, client).status for client in made] == [200, 200]
    _assert_error(ask_token(service.api, first), 401, "invalid_client")


def test_a_disabled_client_gets_nothing(service: Service) -> None:
    client = create_client(service, "gone", "--audience", "shop", "--scope", "users:read")
    token = client_token(service.api, client)
    for _ in range(2):
        row = client_command(service, "disable", client["client_id"])
        assert row["disabled_at"] is not None
    _assert_error(ask_token(service.api, client), 401, "invalid_client")
    assert service.api.get(f"/v1/users?id={NOBODY}", token=token).code == "unauthenticated"
    done = run_command("client", "rotate", client["client_id"], environment=service.environment())
    assert done.returncode == 1


# Tokens of clients.


def test_the_token_of_a_client(service: Service, orders: dict[str, Any]) -> None:
    reply = ask_token(service.api, orders)
    assert (reply.status, reply.headers["pragma"]) == (200, "no-cache")
    answer = reply.json()
    assert set(answer) == {"access_token", "token_type", "expires_in", "scope"}
    assert (answer["expires_in"], answer["scope"]) == (300, "users:read orders:write")
    header, claims = verify_by_pyjwt(answer["access_token"], service.url, "orders")
    assert header["typ"] == "at+jwt"
    assert claims["aud"] == ["orders", "shop", service.url]
    assert claims["sub"] == claims["client_id"] == orders["client_id"]
    assert claims["scope"] == "users:read orders:write"
    assert not {"sid", "av", "roles", "auth_time", "amr"} & set(claims)
    assert claims["exp"] - claims["iat"] == 300


def test_scope_narrows(service: Service, orders: dict[str, Any]) -> None:
    for scope, audience in (
        ("orders:write", ["orders", "shop"]),
        ("users:read", ["orders", "shop", service.url]),
        ("orders:write users:read", ["orders", "shop", service.url]),
        ("orders:write orders:write", ["orders", "shop"]),
        ("", ["orders", "shop", service.url]),
    ):
        claims = claims_of(client_token(service.api, orders, scope=scope))
        assert claims["aud"] == audience
        assert set(claims["scope"].split()) == set((scope or "users:read orders:write").split())


@pytest.mark.parametrize(
    "scope",
    ["users:admin", "orders:write x", "Users:read", " users:read", "users:read ", "a  b", " "],
)
def test_scope_does_not_widen(service: Service, orders: dict[str, Any], scope: str) -> None:
    _assert_error(ask_token(service.api, orders, scope=scope), 400, "invalid_scope")


def test_administration_has_the_issuer_alone(service: Service) -> None:
    client = create_client(service, "ops", "--audience", "shop", "--scope", "users:admin,x")
    assert claims_of(client_token(service.api, client))["aud"] == service.url
    assert claims_of(client_token(service.api, client, scope="users:admin"))["aud"] == service.url
    assert claims_of(client_token(service.api, client, scope="x"))["aud"] == "shop"


def test_a_token_is_for_somebody(service: Service) -> None:
    client = create_client(service, "nobody's")
    _assert_error(ask_token(service.api, client), 400, "unauthorized_client")


def test_grants_are_told_apart(service: Service, orders: dict[str, Any], app: str) -> None:
    for client_id in (app, "first-party"):
        reply = send_form(service.api, TOKEN, CREDENTIALS | {"client_id": client_id})
        _assert_error(reply, 400, "unauthorized_client")
    form = {"grant_type": "refresh_token", "refresh_token": "x"}
    _assert_error(send_form(service.api, TOKEN, form, basic(orders)), 400, "unauthorized_client")
    for client_id, error in ((orders["client_id"], 400), (NOBODY, 401), ("x", 401)):
        reply = send_form(service.api, TOKEN, form | {"client_id": client_id})
        assert reply.status == error
    form = {"grant_type": "password"}
    _assert_error(send_form(service.api, TOKEN, form, basic(orders)), 400, "unsupported_grant_type")


def test_the_longest_client_gets_a_token(service: Service) -> None:
    words = [f"{i:02d}" + "w" * 45 for i in range(8)]
    client = create_client(
        service, "ü" * 100, "--audience", ",".join(words), "--scope", ",".join(words)
    )
    claims = claims_of(client_token(service.api, client))
    assert claims["aud"] == words
    assert claims["scope"].split() == words


def test_a_clients_token_cannot_be_revoked(
    service: Service, orders: dict[str, Any], person: Person
) -> None:
    token = client_token(service.api, orders)
    reply = send_form(service.api, REVOKE, {"token": token}, basic(orders))
    _assert_error(reply, 400, "unsupported_token_type")
    assert send_form(service.api, REVOKE, {"token": token}).status == 200  # another client's
    # A confidential client ends nobody's session.
    tokens = login(service.api, person)
    for other in (tokens["access_token"], tokens["refresh_token"]):
        assert send_form(service.api, REVOKE, {"token": other}, basic(orders)).status == 200
    assert service.api.get("/v1/me", token=tokens["access_token"]).status == 200
    refreshed(service.api, tokens["refresh_token"])
    reply = send_form(service.api, REVOKE, {"token": token, "client_id": orders["client_id"]})
    _assert_error(reply, 401, "invalid_client")


# Public clients: users log in through them.


def _login(service: Service, person: Person, client_id: str) -> Reply:
    return service.api.post("/v1/login", {**person.credentials, "client_id": client_id})


def test_users_log_in_through_it(service: Service, person: Person, app: str) -> None:
    tokens = _login(service, person, app).json()
    claims = claims_of(tokens["access_token"])
    assert (claims["client_id"], claims["aud"]) == (app, "shop")
    assert service.api.get("/v1/me", token=tokens["access_token"]).status == 200
    token = refreshed(service.api, tokens["refresh_token"], client_id=app)
    grant = {"grant_type": "refresh_token", "client_id": app}
    reply = send_form(service.api, TOKEN, grant | {"refresh_token": token})
    assert reply.status == 200
    token = reply.json()["refresh_token"]
    # To nobody else is it a token at all.
    assert refresh(service.api, token).code == "invalid_refresh_token"
    _assert_error(
        send_form(service.api, TOKEN, {"grant_type": "refresh_token", "refresh_token": token}),
        400,
        "invalid_grant",
    )
    assert send_form(service.api, REVOKE, {"token": token}).status == 200
    token = refreshed(service.api, token, client_id=app)
    assert send_form(service.api, REVOKE, {"token": token, "client_id": app}).status == 200
    assert refresh(service.api, token, client_id=app).code == "invalid_refresh_token"


def test_logout_through_it(service: Service, person: Person, app: str) -> None:
    tokens = _login(service, person, app).json()
    body = {"refresh_token": tokens["refresh_token"]}
    assert service.api.post("/v1/logout", body).code == "invalid_refresh_token"
    assert service.api.post("/v1/logout", body | {"client_id": NOBODY}).status == 401
    assert service.api.post("/v1/logout", body | {"client_id": app}).status == 204
    assert service.api.get("/v1/me", token=tokens["access_token"]).status == 401


def test_others_log_nobody_in(service: Service, person: Person, orders: dict[str, Any]) -> None:
    for client_id in (orders["client_id"], NOBODY, "x"):
        reply = _login(service, person, client_id)
        assert (reply.status, reply.json()["errors"][0]["pointer"]) == (422, "/client_id")


def test_a_disabled_app_ends_its_sessions(service: Service, person: Person, app: str) -> None:
    tokens = _login(service, person, app).json()
    kept = login(service.api, person)
    client_command(service, "disable", app)
    assert refresh(service.api, tokens["refresh_token"], client_id=app).status == 401
    form = {"grant_type": "refresh_token", "client_id": app}
    form["refresh_token"] = tokens["refresh_token"]
    reply = send_form(service.api, TOKEN, form)
    assert reply.status in (400, 401), reply
    wait_until(lambda: send_form(service.api, TOKEN, form).status == 401, "invalid_client", 5)
    _assert_error(send_form(service.api, TOKEN, form), 401, "invalid_client")
    assert _login(service, person, app).status == 422
    me = "/v1/me"
    wait_until(
        lambda: service.api.get(me, token=tokens["access_token"]).status == 401, "disabled", 5
    )
    row = row_of(service.database_url, tokens["session_id"])
    assert (row["generation"], row["revoked_at"]) == (0, None)  # refused, not taken as reuse
    refreshed(service.api, kept["refresh_token"])


# Several replicas: what one of them knows from the table, the others know at once, or soon.


def _introspect(replica: Service, client: dict[str, Any], token: str) -> Reply:
    return send_form(replica.api, "/oauth2/introspect", {"token": token}, basic(client))


def test_replicas_learn_of_changes(make_service: ServiceMaker) -> None:
    one = make_service(US_PUBLIC_URL="https://user.example.com").start()
    other = make_service(
        database_url=one.database_url, US_PUBLIC_URL="https://user.example.com"
    ).start()
    for _ in range(5):  # at once, though the other's memory is behind
        client = create_client(one, "gateway", "--audience", "shop")
        token = client_token(one.api, client)
        assert _introspect(other, client, token).json()["active"]
        assert other.api.get("/v1/auth/verify", token=token).status == 200
        rotated = client_command(one, "rotate", client["client_id"])
        assert _introspect(other, rotated, token).json()["active"]
        assert _introspect(one, client, token).json()["active"]
        client_command(one, "disable", client["client_id"])
        for replica in (one, other):  # the command is no replica: all hear of it from the feed
            _await_the_end(replica, rotated, token)


def _await_the_end(replica: Service, client: dict[str, Any], token: str) -> None:
    def is_over() -> bool:
        return replica.api.get("/v1/auth/verify", token=token).status == 401

    wait_until(is_over, "the token does not count", 1.0, 0.01)
    assert _introspect(replica, client, token).status == 401


def test_a_restart_knows_all_clients(make_service: ServiceMaker) -> None:
    service = make_service().start()
    kept = create_client(service, "kept", "--audience", "shop")
    gone = create_client(service, "gone", "--audience", "shop")
    tokens = [client_token(service.api, client) for client in (kept, gone)]
    service.stop()
    client_command(service, "disable", gone["client_id"])
    service.start()
    statuses = [service.api.get("/v1/auth/verify", token=t).status for t in tokens]
    assert statuses == [200, 401]


# GET /v1/users


@pytest.fixture(scope="module")
def reader(service: Service, orders: dict[str, Any]) -> str:
    return client_token(service.api, orders, scope="users:read")


def _users(service: Service, token: str, query: str) -> list[dict[str, Any]]:
    reply = service.api.get(f"/v1/users?{query}", token=token)
    assert reply.status == 200, reply
    assert reply.json()["next_cursor"] is None
    return reply.json()["items"]


def test_users_are_looked_up(
    service: Service, receiver: Receiver, reader: str, person: Person
) -> None:
    other = confirmed_person(service.api, receiver)
    third = confirmed_person(service.api, receiver)
    ids = [claims_of(p.tokens["access_token"])["sub"] for p in (person, other, third)]
    execute(service.database_url, "UPDATE users SET status = 'disabled' WHERE id = %s", ids[1])
    execute(service.database_url, "UPDATE users SET name = 'Ada' WHERE id = %s", ids[2])
    for order in ([0, 1, 2], [2, 0, 1], [1], [2, 1, 2, 1]):
        wanted = list(dict.fromkeys(ids[i] for i in order))
        for query in (
            urlencode([("id", ids[i]) for i in order]),
            "id=" + ",".join(ids[i] for i in order),
            "id=" + ids[order[0]] + "&id=" + "%2C".join(ids[i] for i in order),
            "x=1&id=&" + urlencode([("id", ids[i]) for i in order]),
        ):
            assert [item["id"] for item in _users(service, reader, query)] == wanted
    first, second, last = _users(service, reader, "id=" + ",".join(ids))
    assert first == {
        "id": ids[0],
        "name": None,
        "email": person.email,
        "email_verified": True,
        "status": "active",
    }
    assert (second["status"], last["name"]) == ("disabled", "Ada")


def test_unknown_users_are_left_out(service: Service, reader: str, person: Person) -> None:
    known = claims_of(person.tokens["access_token"])["sub"]
    for odd in (NOBODY, known.upper(), "x", "'; DROP TABLE users", "\U0001f600", known[:-1], "{}"):
        query = urlencode([("id", odd), ("id", known)])
        assert [item["id"] for item in _users(service, reader, query)] == [known]
        assert _users(service, reader, urlencode([("id", odd)])) == []


def test_imported_users_have_their_own_ids(
    service: Service, receiver: Receiver, reader: str
) -> None:
    """`sub` is the imported subject alone: the row's id names nobody."""
    imported = confirmed_person(service.api, receiver)
    row_id = claims_of(imported.tokens["access_token"])["sub"]
    execute(service.database_url, "UPDATE users SET subject = 'auth0|7' WHERE id = %s", row_id)
    assert [u["id"] for u in _users(service, reader, urlencode({"id": "auth0|7"}))] == ["auth0|7"]
    assert _users(service, reader, f"id={row_id}") == []


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?",
        "?id=",
        "?x=1",
        "?id=,",
        "?id=a,,b",
        "?id=" + "x" * 65,
        "?id=" + ",".join(f"u{i}" for i in range(51)),
        "?" + "&".join(f"id=u{i}" for i in range(51)),
    ],
)
def test_wrong_questions(service: Service, reader: str, query: str) -> None:
    reply = service.api.get(f"/v1/users{query}", token=reader)
    assert (reply.status, reply.json()["errors"][0]["pointer"]) == (422, "/id")


def test_as_many_as_may_be(service: Service, reader: str, person: Person) -> None:
    """Of the longest ids, in either form, with what proxies and tracing add."""
    known = claims_of(person.tokens["access_token"])["sub"]
    ids = [f"{i:064d}" for i in range(49)] + [known]
    headers = {"traceparent": f"00-{'1' * 32}-{'2' * 16}-01", "X-Forwarded-For": "192.0.2.1, " * 40}
    for query in ("id=" + ",".join(ids), urlencode([("id", one) for one in ids])):
        reply = service.api.get(f"/v1/users?{query}", token=reader, headers=headers)
        assert reply.status == 200, reply
        assert [u["id"] for u in reply.json()["items"]] == [known]


def test_a_question_that_is_too_long(service: Service, reader: str) -> None:
    """Refused by its length, before anything else looks at it."""
    plain = Api("127.0.0.1", service.port, checked=False)
    query = "&".join("id=" + "%F0%9F%98%80" * 64 for _ in range(100))
    assert plain.get(f"/v1/users?{query}", token=reader).status in (414, 431)
    plain.close()


@pytest.mark.parametrize("query", ["?id=%zz", "?id=%ff", "?id=%00", "?%zz=1&id=x"])
def test_malformed_questions(service: Service, reader: str, query: str) -> None:
    assert service.api.get(f"/v1/users{query}", token=reader).code == "malformed_request"


def test_who_may_ask(service: Service, orders: dict[str, Any], person: Person) -> None:
    path = f"/v1/users?id={NOBODY}"
    assert service.api.get(path).code == "unauthenticated"
    users = login(service.api, person)["access_token"]
    assert service.api.get(path, token=users).code == "unauthenticated"
    narrow = client_token(service.api, orders, scope="orders:write")
    assert service.api.get(path, token=narrow).code == "unauthenticated"
    admin = create_client(service, "admin only", "--scope", "users:admin")
    reply = service.api.get(path, token=client_token(service.api, admin))
    assert (reply.status, reply.code) == (403, "insufficient_scope")


def test_the_metadata_names_it(service: Service) -> None:
    answer = service.api.get("/.well-known/oauth-authorization-server").json()
    assert answer["grant_types_supported"] == ["refresh_token", "client_credentials"]
    methods = ["client_secret_basic", "client_secret_post", "none"]
    assert answer["token_endpoint_auth_methods_supported"] == methods
    assert answer["revocation_endpoint_auth_methods_supported"] == methods
