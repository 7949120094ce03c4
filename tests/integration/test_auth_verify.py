# SPDX-License-Identifier: Apache-2.0
"""Forward authentication: `/v1/auth/verify`, and below it for gateways that keep the path."""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jwt
import psycopg
import pytest
from support.client import Reply
from support.journey import Person, confirmed_person, login
from support.makers import ReceiverMaker, ServiceMaker
from support.poll import wait_until
from support.postgres import Cluster
from support.raw_http import exchange
from support.receiver import Receiver
from support.secret_files import SecretFiles
from support.service import Service
from support.statements import of_requests, statements_logged
from support.token_forge import AUDIENCES, TokenForge, hostile_tokens

VERIFY = "/v1/auth/verify"
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
HEADERS = ("x-auth-subject", "x-auth-session", "x-auth-roles", "x-auth-scope")
# Revocations are to be seen within a second; the rest is for a busy machine.
SEEN_S = 3.0
# A second that memory may vouch for, and the time of an answer.
ANSWER_S = 2.5


@pytest.fixture(scope="module")
def person(service: Service, receiver: Receiver) -> Person:
    return confirmed_person(service.api, receiver)


@pytest.fixture(scope="module")
def token(person: Person) -> str:
    return person.tokens["access_token"]


@pytest.fixture(scope="module")
def forge(token: str, secret_files: SecretFiles) -> TokenForge:
    return TokenForge(token, secret_files)


def _claims(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


def _values(reply: Reply) -> tuple[str, ...]:
    assert (reply.status, reply.body) == (200, b""), reply
    return tuple(reply.headers[name] for name in HEADERS)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("path", [VERIFY, f"{VERIFY}/", f"{VERIFY}/any/thing"])
def test_methods(service: Service, token: str, method: str, path: str) -> None:
    claims = _claims(token)
    reply = service.api.request(method, path, token=token)
    assert _values(reply) == (claims["sub"], claims["sid"], "-", "-")
    refused = service.api.request(method, path)
    assert refused.status == 401
    assert refused.headers["www-authenticate"].startswith("Bearer")
    assert not set(HEADERS) & set(refused.headers)


@pytest.mark.parametrize("method", ["BREW", "PROPFIND", "TRACE"])
def test_methods_that_nobody_knows(service: Service, token: str, method: str) -> None:
    for path in (VERIFY, f"{VERIFY}/x"):
        assert service.api.request(method, path, token=token).status in (405, 501)


@pytest.mark.parametrize(
    "below",
    [
        *("/", "//", "//x//y", "/./x", "/../../v1/me", "/%2e%2e/x", "/a;b=c", "/a\\b", "/%2F%5c"),
        *("/%00", "/%", "/%zz", "/*", "/{path}", "/" + "x" * 3000, "/x?", "/x?scope=a&role=b"),
        *("/x?aud=nobody", "/?scope=nothing", "/x?%zz=%&scope=%00", "/x?scope=a&scope=a"),
        *("/http://evil.example/", "/@evil.example", "/~'\"<>|^`[]!$&()+,:"),
    ],
)
def test_what_is_below_is_the_callers(service: Service, token: str, below: str) -> None:
    """Neither the path nor the query is looked at; and none of them leads elsewhere."""
    assert service.api.get(VERIFY + below, token=token).status == 200
    assert service.api.get(VERIFY + below).status == 401


@pytest.mark.parametrize("path", ["/v1/auth/verify2", "/v1/auth", "/v1/auth/", "/v1/auth/Verify"])
def test_what_is_beside_it_is_nothing(service: Service, token: str, path: str) -> None:
    assert service.api.get(path, token=token).status == 404


@pytest.mark.parametrize("path", ["/v1/auth//verify", "/v1/./auth/verify", "/v1/auth/verify;x"])
def test_what_is_above_follows_the_rules_of_paths(service: Service, token: str, path: str) -> None:
    head = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"
    assert exchange(service.port, head.encode()).statuses == [400]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b"{"),
        ("application/x-www-form-urlencoded", b"scope=a&scope=b&%zz"),
        ("text/plain", b"\xff\x00"),
        ("", b"x" * 16000),
    ],
)
def test_bodies_are_ignored(service: Service, token: str, kind: str, body: bytes) -> None:
    for path in (VERIFY, f"{VERIFY}/upload"):
        for method in ("POST", "PUT", "PATCH", "DELETE", "GET"):
            headers = {"Content-Type": kind}
            reply = service.api.request(method, path, body=body, headers=headers, token=token)
            assert reply.status == 200


def test_spoofed_headers_are_not_believed(service: Service, token: str) -> None:
    spoofed = dict.fromkeys((name.title() for name in HEADERS), "admin")
    spoofed |= {"X-Forwarded-User": "admin", "X-Original-URI": "/x?token=y", "Cookie": "a=b"}
    claims = _claims(token)
    reply = service.api.get(VERIFY, headers=spoofed, token=token)
    assert _values(reply) == (claims["sub"], claims["sid"], "-", "-")
    assert service.api.get(VERIFY, headers=spoofed).status == 401
    assert service.api.get(f"{VERIFY}?access_token={token}").status == 401


def test_answers_are_not_kept_by_others(service: Service, token: str) -> None:
    for reply in (service.api.get(VERIFY, token=token), service.api.get(VERIFY)):
        assert reply.headers["cache-control"] == "no-store"


def test_good_answers_do_not_flood_the_log(service: Service, token: str) -> None:
    def lines() -> int:
        return service.log.read_text().count('"/v1/auth/verify"')

    before = lines()
    for _ in range(5):
        assert service.api.get(VERIFY, token=token).status == 200
    assert service.api.get(VERIFY).status == 401
    assert lines() == before + 1


# Scope, role and audience.


@pytest.fixture(scope="module")
def rich(forge: TokenForge) -> str:
    return forge.sign(roles=["admin", "support"], scope="read write:all", aud=["shop", "stock"])


def test_roles_and_scopes_are_told(service: Service, rich: str) -> None:
    assert _values(service.api.get(VERIFY, token=rich))[2:] == ("admin support", "read write:all")


@pytest.mark.parametrize(
    "query",
    [
        *("", "?", "?scope=read", "?scope=write:all,read", "?scope=write%3Aall"),
        *(
            "?role=admin",
            "?role=support,admin",
            "?aud=shop",
            "?aud=stock,shop",
            "?aud=stock%2Cshop",
        ),
        *("?scope=read&role=admin&aud=shop", "?other=x", "?x&y=%20", "?scope=read&scopes=none"),
        *("?role=admin,,", "?role=admin,%20support"),
    ],
)
def test_what_is_asked_for_is_there(service: Service, rich: str, query: str) -> None:
    for method in ("GET", "POST", "HEAD"):
        assert service.api.request(method, VERIFY + query, token=rich).status == 200


@pytest.mark.parametrize(
    "query", ["?aud=", "?role=,", "?scope", "?scope=read&aud=", "?role=%20&x=1"]
)
def test_to_ask_for_nothing_is_an_error(service: Service, rich: str, query: str) -> None:
    """A gateway's variable that was empty must not let everybody through."""
    assert service.api.get(VERIFY + query, token=rich).code == "malformed_request"


@pytest.mark.parametrize(
    ("query", "scope"),
    [
        ("?scope=rea", "rea"),
        ("?scope=reads", "reads"),
        ("?scope=READ", "READ"),
        ("?scope=read,nothing", "read nothing"),
        ("?scope=read+write:all", None),
        ("?scope=%22%5C%0d%0aX:y", None),
        ("?scope=admin", "admin"),
        ("?role=read", None),
        ("?role=root", None),
        ("?role=admin,root", None),
        ("?role=admin+support", None),
        ("?role=%C3%A9", None),
        ("?scope=none&aud=shop", "none"),
        ("?scope=" + "s" * 1000, None),
    ],
)
def test_a_scope_or_role_is_lacking(
    service: Service, rich: str, query: str, scope: str | None
) -> None:
    """RFC 6750 section 3.1."""
    reply = service.api.get(VERIFY + query, token=rich)
    assert (reply.status, reply.code) == (403, "insufficient_scope")
    expected = 'Bearer realm="user-service", error="insufficient_scope"'
    if scope is not None:
        expected += f', scope="{scope}"'
    assert reply.headers["www-authenticate"] == expected
    assert not set(HEADERS) & set(reply.headers)


@pytest.mark.parametrize("query", ["?aud=other", "?aud=sho", "?aud=shop,other", "?aud=shop+stock"])
def test_another_audience(service: Service, rich: str, query: str) -> None:
    for more in ("", "&scope=nothing", "&role=admin"):
        reply = service.api.get(VERIFY + query + more, token=rich)
        assert (reply.status, reply.code) == (401, "unauthenticated")


@pytest.mark.parametrize(
    "query",
    ["?scope=%", "?scope=%zz", "?scope=%ff", "?role=%00", "?aud=a&aud=a", "?role=" + "r" * 1100],
)
def test_a_question_that_cannot_be_read(service: Service, rich: str, query: str) -> None:
    """Not a guess: a gateway that is set up wrongly lets nobody in."""
    reply = service.api.get(VERIFY + query, token=rich)
    assert (reply.status, reply.code) == (400, "malformed_request")


def test_any_audience_will_do_unless_asked_for(service: Service, forge: TokenForge) -> None:
    for claims in AUDIENCES.values():
        token = forge.sign(**claims)
        assert service.api.get(VERIFY, token=token).status == 200
        assert service.api.get("/v1/me", token=token).status == 401
        assert service.api.get(f"{VERIFY}?aud=shop", token=token).status == 401


# Values that are no header values.


@pytest.mark.parametrize(
    ("subject", "shown"),
    [
        ("legacy|42", "legacy|42"),
        ("-", "%2D"),
        ("--", "--"),
        ("100%", "100%25"),
        ("a b", "a%20b"),
        ("é", "%C3%A9"),
        ("%C3%A9", "%25C3%25A9"),
        ("x\r\nX-Auth-Roles: admin", "x%0D%0AX-Auth-Roles:%20admin"),
        ("\x7f\t", "%7F%09"),
        ("𝄞" * 64, "%F0%9D%84%9E" * 64),
    ],
)
def test_imported_subjects(service: Service, receiver: Receiver, subject: str, shown: str) -> None:
    """Two subjects never look alike, and none is more than one value."""
    person = confirmed_person(service.api, receiver)
    with psycopg.connect(service.database_url, autocommit=True) as connection:
        connection.execute(
            "UPDATE users SET subject = %s WHERE email_canonical = %s", [subject, person.email]
        )
    token = login(service.api, person)["access_token"]
    reply = service.api.get(VERIFY, token=token)
    assert _values(reply) == (shown, _claims(token)["sid"], "-", "-")


def test_long_values(service: Service, forge: TokenForge) -> None:
    """All or no answer: a value that is cut off would be another one."""
    scope = "s" * 1000
    assert _values(service.api.get(VERIFY, token=forge.sign(scope=scope)))[3] == scope
    token = forge.sign(scope="s" * 1000, roles=["r" * 500])
    assert service.api.get(VERIFY, token=token).status == 500


# Tokens that nobody may take.


def test_hostile_tokens_never_reach_the_database(
    service: Service, cluster: Cluster, forge: TokenForge
) -> None:
    hostile = hostile_tokens(forge)
    with statements_logged(cluster, service) as statements:

        def asks_memory() -> bool:
            statements()
            assert service.api.get(VERIFY, token=forge.token).status == 200
            return not of_requests(statements())

        wait_until(asks_memory, "the session is judged from memory")
        for name, text in hostile.items():
            for path in (VERIFY, f"{VERIFY}/x?aud=shop", "/v1/me"):
                reply = service.api.get(path, headers={"Authorization": f"Bearer {text}"})
                assert (reply.status, reply.code) == (401, "unauthenticated"), name
                assert 'error="invalid_token"' in reply.headers["www-authenticate"]
        seen = of_requests(statements())
    assert len(hostile) > 60
    assert not seen, seen


def test_other_credentials(service: Service, person: Person, token: str) -> None:
    for authorization in (
        *("", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "Token abc", f"Basic {token}"),
        *(f"Bearer{token}", f"Bearer {token} x", f"Bearer {token},{token}", token),
        f"Bearer {person.tokens['refresh_token']}",
    ):
        reply = service.api.get(VERIFY, headers={"Authorization": authorization})
        assert reply.status == 401, authorization
    for scheme in ("bearer", "BEARER"):
        headers = {"Authorization": f"{scheme} {token}"}
        assert service.api.get(VERIFY, headers=headers).status == 200


def test_two_authorizations(service: Service, token: str) -> None:
    line = f"Authorization: Bearer {token}\r\n"
    head = f"GET {VERIFY}/x HTTP/1.1\r\nHost: x\r\n{line}{line}\r\n"
    assert exchange(service.port, head.encode()).statuses == [400]


def test_a_token_seen_before_expires_all_the_same(service: Service, forge: TokenForge) -> None:
    token = forge.sign(exp=int(time.time()) + 2)
    assert service.api.get(VERIFY, token=token).status == 200
    wait_until(lambda: service.api.get(VERIFY, token=token).status == 401, "expired", 4.0)


def test_checks_are_counted(service: Service, forge: TokenForge) -> None:
    def counts() -> dict[str, float]:
        found = {}
        for line in service.metrics().splitlines():
            if line.startswith("user_service_token_checks_total{"):
                name, value = line.rsplit(" ", 1)
                found[name.split('"')[1]] = float(value)
        return found

    before, token = counts(), forge.sign(jti="counted")
    assert service.api.get(VERIFY, token=token).status == 200
    assert service.api.get(VERIFY, token=token).status == 200
    assert service.api.get(VERIFY, token="x").status == 401
    after = counts()
    for result in ("verified", "cached", "refused"):
        assert after[result] == before.get(result, 0) + 1, result


# Tokens that do not count any more.

_END = {
    "session ended": (
        "UPDATE sessions SET revoked_at = clock_timestamp() WHERE id = %(sid)s",
        "INSERT INTO revocations (session_id, expires_at)"
        " VALUES (%(sid)s, clock_timestamp() + interval '10 min')",
    ),
    "user disabled": (
        "UPDATE users SET status = 'disabled', auth_ver = auth_ver + 1"
        " WHERE id = (SELECT user_id FROM sessions WHERE id = %(sid)s)",
        "INSERT INTO revocations (subject, min_auth_ver, expires_at)"
        " VALUES (%(sub)s, %(av)s + 1, clock_timestamp() + interval '10 min')",
    ),
    "auth_ver raised": (
        "UPDATE users SET auth_ver = auth_ver + 1"
        " WHERE id = (SELECT user_id FROM sessions WHERE id = %(sid)s)",
        "INSERT INTO revocations (subject, min_auth_ver, expires_at)"
        " VALUES (%(sub)s, %(av)s + 1, clock_timestamp() + interval '10 min')",
    ),
}


@pytest.mark.parametrize("name", _END)
def test_ended(service: Service, receiver: Receiver, name: str) -> None:
    token = confirmed_person(service.api, receiver).tokens["access_token"]
    other = confirmed_person(service.api, receiver).tokens["access_token"]
    assert service.api.get(VERIFY, token=token).status == 200
    with psycopg.connect(service.database_url, autocommit=True) as connection:
        for statement in _END[name]:
            connection.execute(statement, _claims(token))
    for path in (VERIFY, f"{VERIFY}/x", f"{VERIFY}?scope=more"):
        wait_until(
            lambda p=path: service.api.get(p, token=token).status == 401, f"{name}: {path}", SEEN_S
        )
    for _ in range(20):
        assert service.api.get(VERIFY, token=token).status == 401
    assert service.api.get(VERIFY, token=other).status == 200


def test_a_logout_counts_at_once(service: Service, receiver: Receiver) -> None:
    """Where it was, without waiting for the feed."""
    token = confirmed_person(service.api, receiver).tokens["access_token"]
    assert service.api.get(VERIFY, token=token).status == 200
    assert service.api.post("/v1/logout", token=token).status == 204
    assert service.api.get(VERIFY, token=token).status == 401


# The database away.


@pytest.fixture
def fragile(scratch: Path) -> Iterator[Cluster]:
    server = Cluster(scratch / f"pg-verify-{time.monotonic_ns()}")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def shop(
    make_service: ServiceMaker, make_receiver: ReceiverMaker, fragile: Cluster
) -> tuple[Service, str]:
    receiver = make_receiver()
    url = fragile.url(fragile.create_database())
    service = make_service(receiver, database_url=url).start()
    return service, confirmed_person(service.api, receiver).tokens["access_token"]


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_without_database(shop: tuple[Service, str], fragile: Cluster, how: str) -> None:
    service, token = shop
    assert service.api.get(VERIFY, token=token).status == 200
    _take_away(fragile, how)
    _assert_503_from_now_on(service, token)
    fragile.start()
    wait_until(lambda: service.api.get(VERIFY, token=token).status == 200, "well again", 15.0)


def test_with_a_database_that_hangs(shop: tuple[Service, str], fragile: Cluster) -> None:
    """A gateway's callers wait for it: it says so sooner than other routes do."""
    service, token = shop
    fragile.pause()
    try:
        wait_until(lambda: service.api.get(VERIFY, token=token).status == 503, "503", 5.0)
        started = time.monotonic()
        assert service.api.get(VERIFY, token=token).status == 503
        assert time.monotonic() - started < ANSWER_S
        _assert_503_from_now_on(service, token)
    finally:
        fragile.resume()
    wait_until(lambda: service.api.get(VERIFY, token=token).status == 200, "well again", 15.0)


def _take_away(cluster: Cluster, how: str) -> None:
    take: dict[str, Callable[[], None]] = {"stopped": cluster.stop, "killed": cluster.kill}
    take[how]()


def _assert_503_from_now_on(service: Service, token: str) -> None:
    """Memory may vouch for as long as US_REVOCATION_STALE_MAX and no longer."""
    wait_until(lambda: service.api.get(VERIFY, token=token).status == 503, "503", ANSWER_S)
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: service.api.get(VERIFY, token=token), range(40)))
    assert {reply.status for reply in replies} == {503}
    assert all(int(reply.headers["retry-after"]) >= 1 for reply in replies)
    assert service.api.get(VERIFY).status == 401  # what is no token is told from memory
    assert service.api.get(VERIFY, token="x").status == 401


def test_reports_are_documents(service: Service) -> None:
    """RFC 9457, whatever the method."""
    for method in METHODS:
        reply = service.api.request(method, VERIFY)
        if method != "HEAD":
            assert json.loads(reply.body)["code"] == "unauthenticated"
