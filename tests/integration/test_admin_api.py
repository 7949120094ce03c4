# SPDX-License-Identifier: Apache-2.0
"""Administrators find users, disable and enable them, set roles and end sessions."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import psycopg
import pytest
from support import events
from support.administrators import (
    SCOPE,
    Administrator,
    client_token,
    create_client,
    machine_administrator,
    subject_of,
    user_token,
)
from support.client import Reply
from support.journey import Person, confirmed_person, login
from support.machine_clients import MachineClient
from support.openapi import document
from support.poll import wait_until
from support.receiver import Receiver
from support.service import Service
from support.token_forge import TokenForge


@pytest.fixture(scope="module")
def admin(service: Service) -> Administrator:
    return machine_administrator(service)


def _person(service: Service, receiver: Receiver) -> tuple[Person, str]:
    person = confirmed_person(service.api, receiver)
    return person, subject_of(service, person.email)


def _do(service: Service, sql: str, *values: object) -> None:
    with psycopg.connect(service.database_url, autocommit=True) as connection:
        connection.execute(sql, values)


def _count(service: Service, sql: str, *values: object) -> int:
    with psycopg.connect(service.database_url) as connection:
        return connection.execute(f"SELECT count(*) FROM {sql}", values).fetchone()[0]


def _refresh(service: Service, tokens: dict) -> Reply:
    return service.api.post("/v1/refresh", {"refresh_token": tokens["refresh_token"]})


# Who may.


ROUTES = [
    (method.upper(), path.replace("{id}", str(uuid.UUID(int=7))))
    for path, item in document()["paths"].items()
    for method in item
    if path.startswith("/v1/admin/") and method in ("get", "post", "put", "delete")
]


def _body(path: str) -> dict | None:
    return {"/roles": {"roles": []}, "/clients": {"name": "x"}}.get(path[path.rindex("/") :])


def _ask(service: Service, method: str, path: str, token: str | None) -> Reply:
    value = _body(path) if method in ("POST", "PUT") else None
    return service.api.request(method, path, value, token=token)


@pytest.fixture(scope="module")
def strangers(service: Service, receiver: Receiver) -> dict[str, tuple[str | None, int, str]]:
    """Tokens that are no administrator's: each with status and code that it gets."""
    person = confirmed_person(service.api, receiver)
    disabled = create_client(service, "--scope", SCOPE)
    disabled_token = client_token(service, disabled)
    _do(service, "UPDATE clients SET disabled_at = now() WHERE id = %s", disabled.id)
    ended = login(service.api, person)
    ended_token = user_token(service, ended)
    assert service.api.post("/v1/logout", token=ended["access_token"]).status == 204
    reader = create_client(service, "--scope", "users:read", "--audience", "shop")
    other = create_client(service, "--scope", f"other {SCOPE}", "--audience", "shop")
    return {
        "none": (None, 401, "unauthenticated"),
        "a user's": (person.tokens["access_token"], 401, "unauthenticated"),
        "a client's with another scope": (
            client_token(service, reader, "users:read"),
            401,
            "unauthenticated",
        ),
        "a client's with more audiences": (
            client_token(service, other, "other"),
            401,
            "unauthenticated",
        ),
        "a disabled client's": (disabled_token, 401, "unauthenticated"),
        "an administrator's whose session ended": (ended_token, 401, "unauthenticated"),
        "a refresh token": (person.tokens["refresh_token"], 401, "unauthenticated"),
    }


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_nobody_else_gets_in(service, admin, strangers, method: str, path: str) -> None:
    for name, (token, status, code) in strangers.items():
        refused = _ask(service, method, path, token)
        assert (refused.status, refused.code) == (status, code), name
    allowed = _ask(service, method, path, admin.token)
    assert allowed.status in (200, 201, 204, 404), allowed


def test_the_scope_alone_is_missing(service, receiver) -> None:
    person, _ = _person(service, receiver)
    token = user_token(service, person.tokens)
    assert Administrator(service, token).get("/users", limit="1").status == 200
    forge = TokenForge(person.tokens["access_token"], service.secrets)
    without = forge.sign(aud=service.url, scope="", roles=["admin"])
    refused = Administrator(service, without).get("/users")
    assert (refused.status, refused.code) == (403, "insufficient_scope")
    both = forge.sign(aud=[service.url, "shop"], scope=SCOPE)
    assert Administrator(service, both).get("/users").status == 401


def test_a_disabled_administrator_is_out_at_once(service, receiver, admin) -> None:
    person, sub = _person(service, receiver)
    other = Administrator(service, user_token(service, person.tokens))
    assert other.get("/users", limit="1").status == 200
    assert admin.user(sub, "/disable").status == 204
    assert other.get("/users", limit="1").status == 401


def _lock_waiters(service: Service) -> int:
    return _count(service, "pg_locks WHERE locktype = 'advisory' AND NOT granted")


@pytest.mark.parametrize("kind", ["client", "user"])
def test_an_administrator_disabled_while_a_change_waits_changes_nothing(
    service, receiver, admin, kind: str
) -> None:
    """Whoever disabled them has been told so; the change was begun before."""
    _, sub = _person(service, receiver)
    person, own_sub = _person(service, receiver)
    client = create_client(service, "--scope", SCOPE)
    token = {
        "client": lambda: client_token(service, client),
        "user": lambda: user_token(service, person.tokens),
    }[kind]()
    path = {"client": f"/clients/{client.id}/disable", "user": f"/users/{own_sub}/disable"}[kind]
    other = Administrator(service, token)
    with psycopg.connect(service.database_url) as holding, ThreadPoolExecutor(1) as pool:
        holding.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 7102))", [sub])
        asked = pool.submit(other.user, sub, "/roles", "PUT", {"roles": ["admin"]})
        wait_until(lambda: _lock_waiters(service) == 1, "the change waits", 4.0, 0.01)
        assert admin.ask("POST", path).status == 204
        holding.rollback()
        refused = asked.result()
    assert (refused.status, refused.code) == (401, "unauthenticated")
    assert admin.user(sub, method="GET").json()["roles"] == []
    assert _count(service, "audit WHERE type = 'user.roles_changed' AND subject = %s", sub) == 0


# Finding.


def test_a_user_is_found_by_address(service, receiver, admin) -> None:
    person, sub = _person(service, receiver)
    for spelling in (person.email, person.email.upper()):
        items = admin.get("/users", email=spelling).json()["items"]
        assert [item["id"] for item in items] == [sub]
    user = items[0]
    assert user == admin.user(sub, method="GET").json()
    assert user["email"] == person.email
    assert (user["status"], user["roles"], user["email_verified"]) == ("active", [], True)
    assert admin.get("/users", email=person.email, status="active").json()["items"] == [user]
    assert admin.get("/users", email=person.email, status="disabled").json()["items"] == []
    assert admin.get("/users", email="nobody@example.com").json()["items"] == []


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/users", {"email": "no address"}),
        ("/users", {"status": "gone"}),
        ("/users", {"limit": "0"}),
        ("/users", {"limit": "201"}),
        ("/users", {"cursor": "k1.x.y"}),
        ("/audit", {"limit": "x"}),
        ("/events", {"state": "lost"}),
        ("/clients", {"cursor": "x"}),
    ],
)
def test_wrong_questions_are_told(admin, path: str, query: dict[str, str]) -> None:
    refused = admin.get(path, **query)
    assert (refused.status, refused.code) == (422, "validation_failed")
    assert refused.json()["errors"][0]["pointer"] == f"/{next(iter(query))}"


def test_what_nobody_knows_is_ignored(admin) -> None:
    assert admin.get("/users", color="red").status == 200


@pytest.mark.parametrize("status", ["", "active", "disabled"])
def test_a_walk_has_no_gap_and_no_repeat(make_service, status: str) -> None:
    service = make_service(US_NOTIFICATION_URL="http://127.0.0.1:9/events").start()
    admin = machine_administrator(service)

    def insert(count: int) -> None:
        _do(
            service,
            "INSERT INTO users (id, email, email_canonical, password_hash, name, status)"
            " SELECT gen_random_uuid(), e, e, 'x', repeat('\"', 200),"
            " CASE n %% 2 WHEN 0 THEN 'active' ELSE 'disabled' END"
            " FROM generate_series(1, %s) n,"
            " LATERAL (SELECT n || '-' || gen_random_uuid() || '@x.org') t(e)",
            count,
        )

    insert(450)
    before = f"users WHERE {status!r} IN ('', status)"
    with psycopg.connect(service.database_url) as connection:
        there = {row[0] for row in connection.execute(f"SELECT id::text FROM {before}")}
    seen = []
    filters = {"status": status} if status else {}
    for item in admin.walk("/users", limit="200", **filters):
        if len(seen) % 50 == 0:
            insert(7)
        seen.append(item["id"])
        assert status in ("", item["status"])
    assert len(seen) == len(set(seen))
    assert there <= set(seen)


def test_a_cursor_is_good_for_its_own_list_only(service, receiver, admin) -> None:
    for _ in range(2):
        _person(service, receiver)
    cursor = admin.get("/users", limit="1").json()["next_cursor"]
    assert admin.get("/users", cursor=cursor).status == 200
    assert admin.get("/users", cursor=cursor, status="active").status == 422
    assert admin.get("/audit", cursor=cursor).status == 422
    flipped = cursor[:-1] + ("A" if cursor[-1] != "A" else "B")
    assert admin.get("/users", cursor=flipped).status == 422


@pytest.mark.parametrize("sub", ["nobody", str(uuid.UUID(int=7)), "%00", "a%20b", "x" * 300, "%C3"])
def test_nobody_is_nobody(admin, sub: str) -> None:
    for method, action, value in (
        ("GET", "", None),
        ("POST", "/disable", None),
        ("POST", "/enable", None),
        ("PUT", "/roles", {"roles": []}),
        ("GET", "/sessions", None),
        ("DELETE", "/sessions", None),
    ):
        if sub == "%00":  # refused before it is a request
            continue
        refused = admin.ask(method, f"/users/{sub}{action}", value)
        assert (refused.status, refused.code) == (404, "not_found"), (method, action)


# Changing.


def test_a_disabled_user_is_out_at_once(service, receiver, admin) -> None:
    person, sub = _person(service, receiver)
    others = login(service.api, person)
    assert admin.user(sub, "/disable").status == 204

    for tokens in (person.tokens, others):
        assert service.api.get("/v1/me", token=tokens["access_token"]).code == "unauthenticated"
        assert _refresh(service, tokens).code == "invalid_refresh_token"
        receiver.wait_for(
            events.SESSION_REVOKED, session_id=tokens["session_id"], reason="ended_by_admin"
        )
        assert service.api.get("/v1/auth/verify", token=tokens["access_token"]).status == 401
    uniform = service.api.post("/v1/login", {**person.credentials, "password": "not the password"})
    refused = service.api.post("/v1/login", person.credentials)
    assert (refused.status, refused.code) == (401, "invalid_credentials")
    assert refused.json()["detail"] == uniform.json()["detail"]
    event = receiver.wait_for(events.DISABLED, subject=sub)
    assert event["data"] == {"reason": "disabled_by_admin"}
    assert admin.user(sub, method="GET").json()["status"] == "disabled"


def test_disabling_again_tells_nothing(service, receiver, admin) -> None:
    _, sub = _person(service, receiver)
    for _ in range(3):
        assert admin.user(sub, "/disable").status == 204
    assert _count(service, "audit WHERE type = 'user.disabled' AND subject = %s", sub) == 1
    assert admin.user(sub, "/enable").status == 204
    assert admin.user(sub, "/enable").status == 204
    assert _count(service, "audit WHERE type = 'user.enabled' AND subject = %s", sub) == 1
    receiver.wait_for(events.DISABLED, subject=sub)
    assert len(events.first_deliveries(receiver.find(events.DISABLED, subject=sub))) == 1


def test_a_cycle_of_disable_and_enable(service, receiver, admin) -> None:
    person, sub = _person(service, receiver)
    for _ in range(3):
        tokens = login(service.api, person)
        assert service.api.get("/v1/me", token=tokens["access_token"]).status == 200
        assert admin.user(sub, "/disable").status == 204
        assert service.api.post("/v1/login", person.credentials).status == 401
        assert admin.user(sub, "/enable").status == 204
        assert service.api.get("/v1/me", token=tokens["access_token"]).status == 401
        assert _refresh(service, tokens).status == 401
    assert login(service.api, person)


def _forget_failures(service: Service) -> None:
    with psycopg.connect(service.database_url) as connection:
        connection.execute("DELETE FROM throttle")


def test_no_login_outlives_a_disable(make_service, make_receiver) -> None:
    """Whatever a storm of logins and refreshes was answered, nothing of it counts afterwards."""
    receiver = make_receiver()
    service = make_service(receiver, US_ARGON2_MEMORY_KIB="7168", US_ARGON2_PASSES="1").start()
    admin = machine_administrator(service)
    person, sub = _person(service, receiver)
    given: list[dict] = []
    over = threading.Event()

    def storm() -> None:
        tokens = None
        while not over.is_set():
            reply = (
                service.api.post("/v1/login", person.credentials)
                if tokens is None
                else _refresh(service, tokens)
            )
            assert reply.status in (200, 401, 429, 503), reply
            tokens = reply.json() if reply.status == 200 and tokens is None else None
            if reply.status == 200:
                given.append(reply.json())

    with ThreadPoolExecutor(6) as pool:
        storms = [pool.submit(storm) for _ in range(6)]
        for _ in range(10):
            count = len(given)
            wait_until(lambda count=count: len(given) > count + 6, "logins", 20.0, 0.01)
            assert admin.user(sub, "/disable").status == 204
            answered = list(given)
            for tokens in answered[-20:]:
                assert service.api.get("/v1/me", token=tokens["access_token"]).status == 401
                path = "/v1/auth/verify"
                assert service.api.get(path, token=tokens["access_token"]).status == 401
            assert _count(service, "sessions WHERE revoked_at IS NULL") == 0
            assert admin.user(sub, "/enable").status == 204
            _forget_failures(service)  # as a quarter of an hour would
        over.set()
        for one in storms:
            one.result()


def test_roles(service, receiver, admin) -> None:
    person, sub = _person(service, receiver)

    assert admin.user(sub, "/roles", "PUT", {"roles": ["support", "a:b_c-1"]}).status == 204
    assert service.api.get("/v1/me", token=person.tokens["access_token"]).status == 200
    renewed = _refresh(service, person.tokens).json()
    me = service.api.get("/v1/me", token=renewed["access_token"]).json()
    assert me["roles"] == ["support", "a:b_c-1"]
    assert admin.user(sub, "/roles", "PUT", {"roles": ["a:b_c-1", "support"]}).status == 204
    assert service.api.get("/v1/me", token=renewed["access_token"]).status == 200

    assert admin.user(sub, "/roles", "PUT", {"roles": ["support"]}).status == 204
    assert service.api.get("/v1/me", token=renewed["access_token"]).status == 401
    assert _refresh(service, renewed).status == 401
    receiver.wait_for(events.SESSION_REVOKED, session_id=renewed["session_id"])
    assert admin.user(sub, method="GET").json()["roles"] == ["support"]
    assert login(service.api, person)


@pytest.mark.parametrize(
    "value",
    [
        {"roles": ["A"]},
        {"roles": ["a", "a"]},
        {"roles": [f"r{n}" for n in range(17)]},
        {"roles": [f"r{n}" for n in range(40)]},
        {"roles": [""]},
        {"roles": ["x" * 33]},
        {"roles": "support"},
        {"roles": [1]},
        {"roles": None},
        {},
        {"roles": [], "more": 1},
    ],
)
def test_roles_that_are_none(service, receiver, admin, value: dict) -> None:
    person, sub = _person(service, receiver)
    refused = admin.user(sub, "/roles", "PUT", value)
    assert (refused.status, refused.code) == (422, "validation_failed")
    assert service.api.get("/v1/me", token=person.tokens["access_token"]).status == 200


def test_administrators_do_not_lock_themselves_out(service, receiver, admin) -> None:
    person, sub = _person(service, receiver)
    assert admin.user(sub, "/roles", "PUT", {"roles": ["admin", "support"]}).status == 204
    own = Administrator(service, user_token(service, person.tokens))
    for refused in (own.user(sub, "/disable"), own.user(sub, "/roles", "PUT", {"roles": []})):
        assert (refused.status, refused.code) == (409, "own_account")
    assert own.user(sub, "/roles", "PUT", {"roles": ["admin", "support", "x"]}).status == 204
    assert admin.user(sub, "/disable").status == 204


def test_an_administrator_without_the_role_is_out(service, receiver, admin) -> None:
    person, sub = _person(service, receiver)
    assert admin.user(sub, "/roles", "PUT", {"roles": ["admin"]}).status == 204
    own = Administrator(service, user_token(service, person.tokens))
    assert own.get("/users", limit="1").status == 200
    assert admin.user(sub, "/roles", "PUT", {"roles": []}).status == 204
    assert own.get("/users", limit="1").status == 401


def test_sessions(service, receiver, admin) -> None:
    person, sub = _person(service, receiver)
    sessions = [person.tokens, login(service.api, person), login(service.api, person)]
    newest_first = [session["session_id"] for session in reversed(sessions)]
    own = Administrator(service, user_token(service, sessions[1]))
    listed = list(own.walk(f"/users/{sub}/sessions", limit="2"))
    assert [item["id"] for item in listed] == newest_first
    assert [item["current"] for item in listed] == [False, True, False]

    first = sessions[0]
    path = f"/sessions/{first['session_id']}"
    assert admin.ask("DELETE", path).status == 204
    assert admin.ask("DELETE", path).status == 204
    assert service.api.get("/v1/me", token=first["access_token"]).status == 401
    assert _refresh(service, first).status == 401
    event = receiver.wait_for(events.SESSION_REVOKED, session_id=first["session_id"])
    assert event["data"]["reason"] == "ended_by_admin"
    assert service.api.get("/v1/me", token=sessions[1]["access_token"]).status == 200

    assert admin.user(sub, "/sessions", "DELETE").status == 204
    assert list(admin.walk(f"/users/{sub}/sessions")) == []
    for session in sessions[1:]:
        assert service.api.get("/v1/me", token=session["access_token"]).status == 401
        assert service.api.get("/v1/auth/verify", token=session["access_token"]).status == 401
        receiver.wait_for(events.SESSION_REVOKED, session_id=session["session_id"])
    assert len(receiver.find(events.SESSION_REVOKED, session_id=first["session_id"])) == 1
    assert login(service.api, person)


@pytest.mark.parametrize("session", ["x", str(uuid.UUID(int=7))])
def test_a_session_that_is_none(admin, session: str) -> None:
    assert admin.ask("DELETE", f"/sessions/{session}").code == "not_found"


def test_an_imported_user_is_known_by_its_subject(service, receiver, admin) -> None:
    person, sub = _person(service, receiver)
    imported = f"auth0|{sub[:8]} é"
    _do(service, "UPDATE users SET subject = %s WHERE id = %s", imported, sub)
    assert admin.ask("GET", f"/users/{sub}").status == 404
    assert admin.ask("GET", f"/users/{quote(imported)}").json()["id"] == imported
    tokens = login(service.api, person)
    assert admin.user(imported, "/disable").status == 204
    assert service.api.get("/v1/me", token=tokens["access_token"]).status == 401
    receiver.wait_for(events.DISABLED, subject=imported)


def test_other_replicas_hear_of_it(make_service, make_receiver) -> None:
    receiver = make_receiver()
    first = make_service(receiver).start()
    second = make_service(
        receiver, database_url=first.database_url, US_PUBLIC_URL=first.url
    ).start()
    admin = machine_administrator(first)
    person, sub = _person(first, receiver)
    token = person.tokens["access_token"]
    assert second.api.get("/v1/auth/verify", token=token).status == 200
    assert admin.user(sub, "/disable").status == 204
    assert first.api.get("/v1/auth/verify", token=token).status == 401
    wait_until(
        lambda: second.api.get("/v1/auth/verify", token=token).status == 401, "told", 2.0, 0.01
    )


# Clients.


def test_clients(service, admin) -> None:
    wanted = {"name": "orders", "audience": ["orders"], "scope": ["orders:read", "users:read"]}
    made = admin.ask("POST", "/clients", wanted)
    assert made.status == 201
    client_id = made.json()["client_id"]
    shown = admin.get(f"/clients/{client_id}").json()
    assert shown.items() >= {**wanted, "public": False, "disabled_at": None}.items()
    assert client_id in [item["client_id"] for item in admin.walk("/clients", limit="1")]

    rotated = admin.ask("POST", f"/clients/{client_id}/rotate")
    assert rotated.status == 200
    assert rotated.json()["client_secret"] != made.json()["client_secret"]
    for answer in (made, rotated):
        client = MachineClient(client_id, answer.json()["client_secret"])
        assert client_token(service, client, "orders:read")

    for _ in range(2):
        assert admin.ask("POST", f"/clients/{client_id}/disable").status == 204
    assert admin.get(f"/clients/{client_id}").json()["disabled_at"] is not None
    refused = admin.ask("POST", f"/clients/{client_id}/rotate")
    assert (refused.status, refused.code) == (409, "client_conflict")
    types = [row["type"] for row in admin.walk("/audit", subject=client_id)]
    assert types == ["client.disabled", "client.rotated", "client.created"]


def test_a_public_client_has_no_secret(admin) -> None:
    made = admin.ask("POST", "/clients", {"name": "app", "public": True}).json()
    assert made["client_secret"] is None
    assert admin.ask("POST", f"/clients/{made['client_id']}/rotate").code == "client_conflict"


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"name": ""},
        {"name": "x" * 101},
        {"name": "a\nb"},
        {"name": "x", "scope": ["a b"]},
        {"name": "x", "scope": ["a", "a"]},
        {"name": "x", "audience": "a"},
        {"name": "x", "public": True, "scope": ["a"]},
        {"name": "x", "public": "yes"},
        {"name": "x", "secret": "mine"},
    ],
)
def test_clients_that_are_none(admin, value: dict) -> None:
    refused = admin.ask("POST", "/clients", value)
    assert (refused.status, refused.code) == (422, "validation_failed")


@pytest.mark.parametrize("client", ["x", str(uuid.UUID(int=7)), "first-party"])
def test_a_client_that_is_none(admin, client: str) -> None:
    assert admin.get(f"/clients/{client}").code == "not_found"
    assert admin.ask("POST", f"/clients/{client}/rotate").code == "not_found"
    assert admin.ask("POST", f"/clients/{client}/disable").code == "not_found"
