# SPDX-License-Identifier: Apache-2.0
"""The rules of refresh tokens, one by one."""

import base64
import secrets
import uuid
from dataclasses import replace
from typing import Any

import jwt
import psycopg
import pytest
from support import events
from support.journey import Person, confirmed_person, login
from support.makers import ReceiverMaker, ServiceMaker
from support.poll import wait_until
from support.postgres import Cluster
from support.receiver import Receiver
from support.refresh_tokens import (
    REFRESH,
    RefreshForge,
    assert_refused,
    counted,
    execute,
    parts_of,
    refresh,
    refreshed,
    row_of,
    set_back,
)
from support.secret_files import SecretFiles
from support.service import Service
from support.statements import of_requests, statements_logged


@pytest.fixture(scope="module")
def forge(secret_files: SecretFiles) -> RefreshForge:
    return RefreshForge(secret_files)


@pytest.fixture(scope="module")
def person(service: Service, receiver: Receiver) -> Person:
    return confirmed_person(service.api, receiver)


@pytest.fixture
def first(service: Service, person: Person) -> str:
    """The first refresh token of a new session."""
    return login(service.api, person)["refresh_token"]


@pytest.fixture(scope="module")
def strict(service: Service, receiver: Receiver, secret_files: SecretFiles, log_folder: Any):
    """A replica of the service without grace."""
    settings = {
        "US_PUBLIC_URL": service.url,
        "US_REFRESH_GRACE": "0s",
        "US_NOTIFICATION_URL": receiver.url,
    }
    running = Service(log_folder, service.database_url, secret_files, settings).start()
    yield running
    running.stop()


def _reuse_events(receiver: Receiver, token: str) -> list[dict[str, Any]]:
    found = receiver.find(events.SESSION_REUSE_DETECTED, session_id=parts_of(token).sid)
    return events.first_deliveries(found)


def _assert_told_once(service: Service, receiver: Receiver, token: str) -> dict[str, Any]:
    receiver.wait_for(events.SESSION_REUSE_DETECTED, session_id=parts_of(token).sid)
    _wait_outbox(service)
    [event] = _reuse_events(receiver, token)
    return event


def _assert_not_told(service: Service, receiver: Receiver, token: str) -> None:
    _wait_outbox(service)
    assert not _reuse_events(receiver, token)


def _wait_outbox(service: Service) -> None:
    """Whatever was to be published has been."""
    with psycopg.connect(service.database_url, autocommit=True) as connection:
        query = "SELECT count(*) FROM outbox"
        wait_until(lambda: connection.execute(query).fetchone()[0] == 0, "outbox empty")


def _chain(service: Service, token: str, length: int) -> list[str]:
    """The token and its successors."""
    tokens = [token]
    for _ in range(length):
        tokens.append(refreshed(service.api, tokens[-1]))
    return tokens


def test_each_answer_has_the_successor(
    service: Service, person: Person, forge: RefreshForge
) -> None:
    tokens = login(service.api, person)
    before = jwt.decode(tokens["access_token"], options={"verify_signature": False})
    for generation in range(1, 6):
        token = tokens["refresh_token"]
        tokens = refresh(service.api, token).json()
        assert tokens["refresh_token"] == forge.successor(token)
        assert parts_of(tokens["refresh_token"]).generation == generation
        assert tokens["session_id"] == before["sid"]
        assert (tokens["expires_in"], tokens["refresh_expires_in"]) == (300, 7 * 24 * 3600)
        assert service.api.get("/v1/me", token=tokens["access_token"]).status == 200
    after = jwt.decode(tokens["access_token"], options={"verify_signature": False})
    same = {"iss", "sub", "aud", "client_id", "sid", "av", "roles", "scope", "auth_time", "amr"}
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    assert after["jti"] != before["jti"]
    row = row_of(service.database_url, tokens["session_id"])
    assert row["token_hash"] == parts_of(tokens["refresh_token"]).digest
    assert row["prev_hash"] == parts_of(token).digest


def test_the_previous_token_has_the_same_successor(
    service: Service, receiver: Receiver, first: str
) -> None:
    """A second tab, a lost answer: nothing forks, and nothing is written."""
    second = refreshed(service.api, first)
    row = row_of(service.database_url, parts_of(first).sid)
    for key in (None, "some-key", None, "other-key"):
        assert refreshed(service.api, first, key) == second
    assert row_of(service.database_url, parts_of(first).sid) == row
    third = refreshed(service.api, second)
    assert refreshed(service.api, second) == third
    _assert_not_told(service, receiver, first)


def test_an_old_token_ends_the_session_and_tells_once(
    service: Service, receiver: Receiver, person: Person, first: str
) -> None:
    other = login(service.api, person)["refresh_token"]
    tokens = _chain(service, first, 3)
    access = refresh(service.api, tokens[3]).json()["access_token"]
    counts = counted(service, "reuse_detected")

    assert_refused(service.api, tokens[1])

    for token in (*tokens, tokens[1], first):
        assert_refused(service.api, token)
    assert service.api.get("/v1/me", token=access).code == "unauthenticated"
    event = _assert_told_once(service, receiver, first)
    claims = jwt.decode(access, options={"verify_signature": False})
    assert event["subject"] == claims["sub"]
    assert event["data"] == {"session_id": claims["sid"], "client_id": "first-party"}
    assert not receiver.find(events.SESSION_REVOKED, session_id=claims["sid"])
    assert counted(service, "reuse_detected") == counts + 1
    refreshed(service.api, other)  # the user's other session is none of it


def test_the_grace_ends(service: Service, receiver: Receiver, first: str) -> None:
    second = refreshed(service.api, first)
    sid = parts_of(first).sid
    later = "UPDATE sessions SET rotated_at = rotated_at - %s * interval '1 s' WHERE id = %s"
    execute(service.database_url, later, 50, sid)
    assert refreshed(service.api, first) == second
    execute(service.database_url, later, 11, sid)
    assert_refused(service.api, first)
    assert_refused(service.api, second)
    _assert_told_once(service, receiver, first)


def test_without_grace_a_repetition_without_key_is_reuse(
    strict: Service, receiver: Receiver, first: str
) -> None:
    second = refreshed(strict.api, first)
    assert_refused(strict.api, first)
    assert_refused(strict.api, second)
    _assert_told_once(strict, receiver, first)


def test_without_grace_the_same_key_is_the_same_request(
    strict: Service, receiver: Receiver, first: str
) -> None:
    second = refreshed(strict.api, first, "key-1")
    execute(
        strict.database_url,
        "UPDATE sessions SET rotated_at = rotated_at - interval '1 d' WHERE id = %s",
        parts_of(first).sid,
    )
    for _ in range(3):
        assert refreshed(strict.api, first, "key-1") == second
    third = refreshed(strict.api, second, "key-2")
    assert refreshed(strict.api, second, "key-2") == third
    _assert_not_told(strict, receiver, first)
    assert_refused(strict.api, second, "key-1")  # of the rotation before
    assert_refused(strict.api, third)
    _assert_told_once(strict, receiver, first)


@pytest.mark.parametrize("key", [None, "", "key-2", "Key-1", '"key-1"'])
def test_without_grace_another_key_is_reuse(
    strict: Service, receiver: Receiver, first: str, key: str | None
) -> None:
    refreshed(strict.api, first, "key-1")
    assert_refused(strict.api, first, key)
    _assert_told_once(strict, receiver, first)


def test_an_empty_key_is_none(strict: Service, receiver: Receiver, first: str) -> None:
    refreshed(strict.api, first, "")
    assert_refused(strict.api, first, "")
    _assert_told_once(strict, receiver, first)


def test_keys_of_two_sessions_have_nothing_to_do_with_each_other(
    strict: Service, person: Person
) -> None:
    tokens = [login(strict.api, person)["refresh_token"] for _ in range(2)]
    first, second = (refreshed(strict.api, token, "same") for token in tokens)
    assert first != second
    assert [refreshed(strict.api, token, "same") for token in tokens] == [first, second]


def test_rotation_through_two_replicas(service: Service, strict: Service, first: str) -> None:
    token = first
    for number in range(10):
        token = refreshed((service, strict)[number % 2].api, token)
    assert parts_of(token).generation == 10


def _forgeries(forge: RefreshForge, token: str) -> dict[str, str]:
    """None of them is genuine; most are as near as can be."""
    parts = parts_of(token)
    version, kid, sid, generation, secret, tag = token.split(".")
    own = secrets.token_bytes(32)
    found = {
        "tag": token[:-1] + ("A" if token[-1] != "A" else "Q"),
        "tag of zeros": ".".join([version, kid, sid, generation, secret, "A" * 22]),
        "no tag": ".".join([version, kid, sid, generation, secret, ""]),
        "short tag": token[:-2],
        "secret": ".".join([version, kid, sid, generation, _text(own), tag]),
        "generation": ".".join([version, kid, sid, str(parts.generation + 1), secret, tag]),
        "far generation": ".".join([version, kid, sid, "9" * 18, secret, tag]),
        "session": ".".join([version, kid, str(uuid.uuid4()), generation, secret, tag]),
        "unknown kid": ".".join([version, "k2", sid, generation, secret, tag]),
        "kid of a path": ".".join([version, "../../etc/passwd", sid, generation, secret, tag]),
        "kid of SQL": ".".join([version, "k1'--", sid, generation, secret, tag]),
        "version": ".".join(["rt2", kid, sid, generation, secret, tag]),
        "upper case": token.upper(),
        "for another client": forge.seal(parts, "somebody-else"),
        "not even a token": "x",
        "an access token": "eyJhbGciOiJFUzI1NiJ9.e30.c2ln",
        "many dots": "." * 500,
    }
    for name, head in {
        "genuine tag, version 2": f"rt2.{kid}.{sid}.{generation}.{secret}.",
        "genuine tag, generation 01": f"rt1.{kid}.{sid}.01.{secret}.",
        "genuine tag, generation -1": f"rt1.{kid}.{sid}.-1.{secret}.",
        "genuine tag, no UUID": f"rt1.{kid}.0.{generation}.{secret}.",
        "genuine tag, short secret": f"rt1.{kid}.{sid}.{generation}.{secret[:-2]}.",
    }.items():
        found[name] = forge.seal_text(head)
    assert forge.seal(parts) == token
    assert token not in found.values()
    return found


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def test_a_forgery_does_not_reach_the_database(
    service: Service, cluster: Cluster, forge: RefreshForge, first: str
) -> None:
    """The server logs each statement; the service's own clock work is all that may be there."""
    tokens = _chain(service, first, 3)
    row = row_of(service.database_url, parts_of(first).sid)
    forged = [text for token in tokens for text in _forgeries(forge, token).values()]
    with statements_logged(cluster, service) as statements:
        counts = counted(service, "forged")
        statements()
        for token in forged:
            assert_refused(service.api, token)
            reply = service.api.post("/v1/logout", {"refresh_token": token})
            assert (reply.status, reply.code) == (401, "invalid_refresh_token")
        assert_refused(service.api, tokens[3], client_id="somebody-else")
        seen = statements()
        assert row_of(service.database_url, parts_of(first).sid) == row
        last = refreshed(service.api, tokens[3])
        genuine = statements()

    assert len(forged) > 80
    assert not of_requests(seen), seen
    assert {one: count for one, count in genuine.items() if one.startswith("session_")} == {
        "session_rotate": 1  # a genuine one is one statement
    }
    assert counted(service, "forged") == counts + len(forged) + 1
    assert last == forge.successor(tokens[3])


def test_junk_secrets_with_a_genuine_tag_end_nothing_but_their_own(
    service: Service, receiver: Receiver, forge: RefreshForge, first: str
) -> None:
    """Who has the tag's key still has no secret: of a later generation it is refused, no more."""
    second = refreshed(service.api, first)
    row = row_of(service.database_url, parts_of(first).sid)
    junk = replace(parts_of(second), generation=7, secret=secrets.token_bytes(32))
    assert_refused(service.api, forge.seal(junk))
    assert row_of(service.database_url, parts_of(first).sid) == row
    refreshed(service.api, second)
    _assert_not_told(service, receiver, first)


def test_a_restored_database_ends_nothing(
    service: Service, receiver: Receiver, forge: RefreshForge, first: str
) -> None:
    tokens = _chain(service, first, 5)
    set_back(service.database_url, tokens[2], tokens[1])
    row = row_of(service.database_url, parts_of(first).sid)
    counts = counted(service, "ahead_of_database")

    for token in tokens[3:]:
        assert_refused(service.api, token)

    assert row_of(service.database_url, parts_of(first).sid) == row
    assert counted(service, "ahead_of_database") == counts + 3
    assert refreshed(service.api, tokens[2]) == tokens[3]  # who had that goes on as before
    _assert_not_told(service, receiver, first)


ENDS = {
    "disabled": (
        "UPDATE users SET status = 'disabled' WHERE id = %s",
        "UPDATE users SET status = 'active' WHERE id = %s",
    ),
    "credentials changed": (
        "UPDATE users SET auth_ver = auth_ver + 1 WHERE id = %s",
        "UPDATE users SET auth_ver = auth_ver - 1 WHERE id = %s",
    ),
    "idle for long": (
        "UPDATE sessions SET idle_expires_at = clock_timestamp() WHERE user_id = %s",
        "UPDATE sessions SET idle_expires_at = clock_timestamp() + interval '1 h'"
        " WHERE user_id = %s",
    ),
    "at its end": (
        "UPDATE sessions SET absolute_expires_at = clock_timestamp() WHERE user_id = %s",
        "UPDATE sessions SET absolute_expires_at = clock_timestamp() + interval '1 h'"
        " WHERE user_id = %s",
    ),
}


@pytest.mark.parametrize("why", ENDS)
def test_what_ends_a_session_ends_its_tokens(
    service: Service, receiver: Receiver, first: str, why: str
) -> None:
    tokens = _chain(service, first, 3)
    user = row_of(service.database_url, parts_of(first).sid)["user_id"]
    begin, end = ENDS[why]
    execute(service.database_url, begin, user)
    row = row_of(service.database_url, parts_of(first).sid)
    counts = counted(service, "ended")
    for token in tokens:
        assert_refused(service.api, token)
    assert row_of(service.database_url, parts_of(first).sid) == row
    assert counted(service, "ended") == counts + 4
    execute(service.database_url, end, user)
    assert refreshed(service.api, tokens[2]) == tokens[3]
    _assert_not_told(service, receiver, first)


def test_a_session_that_is_gone(service: Service, receiver: Receiver, first: str) -> None:
    tokens = _chain(service, first, 2)
    execute(service.database_url, "DELETE FROM sessions WHERE id = %s", parts_of(first).sid)
    for token in tokens:
        assert_refused(service.api, token)
        assert service.api.post("/v1/logout", {"refresh_token": token}).status == 204
    _assert_not_told(service, receiver, first)


def test_lifetimes(make_service: ServiceMaker, make_receiver: ReceiverMaker) -> None:
    """Each refresh moves the idle end on, and never beyond the absolute one."""
    settings = {"US_REFRESH_IDLE_TTL": "10m", "US_REFRESH_ABSOLUTE_TTL": "15m"}
    receiver = make_receiver()
    service = make_service(receiver, **settings).start()
    tokens = confirmed_person(service.api, receiver).tokens
    assert tokens["refresh_expires_in"] == 600
    aged = (
        "UPDATE sessions SET idle_expires_at = idle_expires_at - interval '6 min',"
        " absolute_expires_at = absolute_expires_at - interval '6 min'"
    )
    left = []
    for _ in range(2):
        execute(service.database_url, aged)
        tokens = refresh(service.api, tokens["refresh_token"]).json()
        left.append(tokens["refresh_expires_in"])
    assert 535 <= left[0] <= 540
    assert 175 <= left[1] <= 180
    execute(service.database_url, aged)
    assert_refused(service.api, tokens["refresh_token"])


def test_roles_are_those_of_now(service: Service, receiver: Receiver) -> None:
    person = confirmed_person(service.api, receiver)
    execute(
        service.database_url,
        "UPDATE users SET roles = '{support}' WHERE email_canonical = %s",
        person.email,
    )
    answer = refresh(service.api, person.tokens["refresh_token"]).json()
    claims = jwt.decode(answer["access_token"], options={"verify_signature": False})
    assert claims["roles"] == ["support"]


def test_clients_are_kept_apart(
    service: Service, receiver: Receiver, forge: RefreshForge, first: str
) -> None:
    sid = parts_of(first).sid
    execute(service.database_url, "UPDATE sessions SET client_id = 'spa' WHERE id = %s", sid)
    assert_refused(service.api, first)  # its tag is right, and its session another client's
    token = forge.seal(parts_of(first), "spa")
    row = row_of(service.database_url, parts_of(token).sid)
    assert_refused(service.api, token)
    assert_refused(service.api, token, client_id="spa2")
    logout = {"refresh_token": token}
    assert service.api.post("/v1/logout", logout).code == "invalid_refresh_token"
    assert row_of(service.database_url, parts_of(token).sid) == row
    token = refreshed(service.api, token, client_id="spa")
    assert service.api.post("/v1/logout", {**logout, "client_id": "spa"}).status == 204
    assert_refused(service.api, token, client_id="spa")
    _assert_not_told(service, receiver, token)


BAD_BODIES: dict[str, tuple[Any, str, str]] = {
    "nothing": ({}, "/refresh_token", "required"),
    "null": ({"refresh_token": None}, "/refresh_token", "wrong_type"),
    "number": ({"refresh_token": 1}, "/refresh_token", "wrong_type"),
    "empty": ({"refresh_token": ""}, "/refresh_token", "too_short"),
    "long": ({"refresh_token": "x" * 513}, "/refresh_token", "too_long"),
    "unknown": ({"refresh_token": "x", "grant_type": "x"}, "/grant_type", "unknown_member"),
    "no client": ({"refresh_token": "x", "client_id": ""}, "/client_id", "too_short"),
    "long client": ({"refresh_token": "x", "client_id": "c" * 65}, "/client_id", "too_long"),
}


@pytest.mark.parametrize("name", BAD_BODIES)
def test_bad_bodies(service: Service, name: str) -> None:
    body, pointer, code = BAD_BODIES[name]
    reply = service.api.post(REFRESH, body)
    assert reply.status == 422
    assert (pointer, code) in [(e["pointer"], e["code"]) for e in reply.json()["errors"]]


def test_a_restart_makes_no_old_token_good(
    make_service: ServiceMaker, make_receiver: ReceiverMaker
) -> None:
    receiver = make_receiver()
    service = make_service(receiver).start()
    first = confirmed_person(service.api, receiver).tokens["refresh_token"]
    tokens = _chain(service, first, 3)
    service.kill()
    service.start()
    assert refreshed(service.api, tokens[2]) == tokens[3]
    service.kill()
    service.start()
    assert_refused(service.api, tokens[1])
    assert_refused(service.api, tokens[3])
    _assert_told_once(service, receiver, first)
