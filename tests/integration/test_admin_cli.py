# SPDX-License-Identifier: Apache-2.0
"""`user-service user …`: what an operator does to users from the command line."""

import subprocess
import time
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from support import events
from support.administrators import command, subject_of
from support.journey import confirmed_person, login
from support.poll import wait_until
from support.service import Service, run_command


def _user(service: Service, *arguments: str) -> dict:
    return command(service, "user", *arguments)


def _run(service: Service, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_command("user", *arguments, environment={"US_DATABASE_URL": service.database_url})


def _me(service: Service, tokens: dict) -> int:
    return service.api.get("/v1/me", token=tokens["access_token"]).status


def _refresh(service: Service, tokens: dict) -> int:
    return service.api.post("/v1/refresh", {"refresh_token": tokens["refresh_token"]}).status


def test_show(service, receiver) -> None:
    person = confirmed_person(service.api, receiver)
    sub = subject_of(service, person.email)
    shown = _user(service, "show", person.email)
    assert shown == _user(service, "show", person.email.upper()) == _user(service, "show", sub)
    assert (shown["id"], shown["email"], shown["status"]) == (sub, person.email, "active")
    assert set(shown) == {
        "id",
        "email",
        "email_verified",
        "name",
        "locale",
        "roles",
        "status",
        "created_at",
    }
    text = _run(service, "show", person.email).stdout
    assert person.email in text
    assert "argon2" not in text


def test_grant_and_revoke_a_role(service, receiver) -> None:
    person = confirmed_person(service.api, receiver)
    assert _user(service, "grant", person.email, "admin")["roles"] == ["admin"]
    assert _user(service, "grant", person.email, "admin")["roles"] == ["admin"]
    assert _user(service, "grant", person.email, "support")["roles"] == ["admin", "support"]
    assert _me(service, person.tokens) == 200
    assert _user(service, "revoke-role", person.email, "admin")["roles"] == ["support"]
    assert _me(service, person.tokens) == 401
    assert _refresh(service, person.tokens) == 401
    tokens = login(service.api, person)
    assert service.api.get("/v1/me", token=tokens["access_token"]).json()["roles"] == ["support"]


def test_disable_and_enable(service, receiver) -> None:
    person = confirmed_person(service.api, receiver)
    sub = subject_of(service, person.email)
    token = person.tokens["access_token"]
    assert service.api.get("/v1/auth/verify", token=token).status == 200

    assert _user(service, "disable", sub)["status"] == "disabled"

    assert _me(service, person.tokens) == 401
    assert _refresh(service, person.tokens) == 401
    wait_until(
        lambda: service.api.get("/v1/auth/verify", token=token).status == 401, "told", 2.0, 0.01
    )
    event = receiver.wait_for(events.DISABLED, subject=sub)
    assert event["data"] == {"reason": "disabled_by_operator"}
    receiver.wait_for(events.SESSION_REVOKED, session_id=person.tokens["session_id"])
    assert _user(service, "disable", person.email)["status"] == "disabled"
    assert service.api.post("/v1/login", person.credentials).status == 401
    assert _user(service, "enable", person.email)["status"] == "active"
    assert login(service.api, person)


def test_end_a_users_sessions(service, receiver) -> None:
    person = confirmed_person(service.api, receiver)
    sessions = [person.tokens, login(service.api, person)]
    assert _user(service, "revoke-sessions", person.email)["status"] == "active"
    for session in sessions:
        assert _me(service, session) == 401
        assert _refresh(service, session) == 401
        receiver.wait_for(events.SESSION_REVOKED, session_id=session["session_id"])
    assert login(service.api, person)


def test_end_all_that_began_before(make_service, make_receiver) -> None:
    """As after a restore: more than a batch of them, and those that began later stay."""
    receiver = make_receiver()
    service = make_service(receiver).start()
    crowd = confirmed_person(service.api, receiver)  # a login would bound its own sessions
    person = confirmed_person(service.api, receiver)
    with psycopg.connect(service.database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO sessions (id, user_id, client_id, kid, token_hash, auth_ver, auth_time,"
            " amr, created_at, idle_expires_at, absolute_expires_at)"
            " SELECT gen_random_uuid(), u.id, 'first-party', 'k1', '', 1, now(), '{pwd}', now(),"
            " now() + interval '1 day', now() + interval '1 day'"
            " FROM users u, generate_series(1, 25000) WHERE u.email = %s",
            (crowd.email,),
        )
        at = connection.execute("SELECT clock_timestamp()").fetchone()[0]
    later = login(service.api, person)

    started = time.monotonic()
    ended = _user(service, "revoke-sessions", "--all", "--before", at.isoformat())

    assert ended == {"ended": 25002}
    assert time.monotonic() - started < 20
    assert _refresh(service, person.tokens) == 401
    assert _me(service, person.tokens) == 401
    assert _me(service, later) == 200
    wait_until(
        lambda: (
            service.api.get("/v1/auth/verify", token=person.tokens["access_token"]).status == 401
        ),
        "told",
        5.0,
        0.02,
    )
    assert service.api.get("/v1/auth/verify", token=later["access_token"]).status == 200
    assert receiver.find(events.SESSION_REVOKED) == []
    assert _user(service, "revoke-sessions", "--all", "--before", at.isoformat()) == {"ended": 0}
    with psycopg.connect(service.database_url) as connection:
        rows = connection.execute(
            "SELECT actor, detail::json ->> 'before' FROM audit WHERE type = 'sessions.ended'"
        ).fetchall()
    assert len(rows) == 2
    assert rows[0][0].startswith("cli:")
    told = datetime.fromisoformat(rows[0][1])
    assert abs(told - at.astimezone(UTC)) < timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "nobody@example.com"], 'no user has the address or id "nobody@example.com"'),
        (["disable", "5f0c8a6e-3d3c-4c53-8d2b-0f8a2b1c9d3e"], "no user has the address or id"),
        (["grant", "nobody", "admin"], "no user has the address or id"),
    ],
)
def test_nobody(service, arguments: list[str], said: str) -> None:
    done = _run(service, *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["grant", "a@example.com", "Admin"], "ROLE has 1 to 32 of a-z"),
        (["revoke-role", "a@example.com", "a b"], "ROLE has 1 to 32 of a-z"),
        (["revoke-sessions"], "a user, or --all and --before"),
        (["revoke-sessions", "a@example.com", "--before", "2026-01-31T23:59:59Z"], "a user, or"),
        (["revoke-sessions", "a@example.com", "--all"], "either a user or --all"),
        (["revoke-sessions", "--all"], "--before takes a time as in 2026-01-31T23:59:59Z"),
        (["revoke-sessions", "--all", "--before", "yesterday"], 'got "yesterday"'),
    ],
)
def test_what_is_misunderstood(service, arguments: list[str], said: str) -> None:
    done = _run(service, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "usage: user-service user" in done.stderr


def test_no_session_ends_by_a_time_to_come(service, receiver) -> None:
    person = confirmed_person(service.api, receiver)
    for soon in (timedelta(seconds=30), timedelta(days=25000)):
        text = (datetime.now(UTC) + soon).strftime("%Y-%m-%dT%H:%M:%SZ")
        done = _run(service, "revoke-sessions", "--all", "--before", text)
        assert (done.returncode, done.stdout) == (1, "")
        assert f'a time that has passed, by the database\'s clock; "{text}"' in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert _refresh(service, person.tokens) == 200
    with psycopg.connect(service.database_url) as connection:
        told = connection.execute(
            "SELECT count(*) FROM audit WHERE type = 'sessions.ended'"
            " AND (detail::json ->> 'before')::timestamptz > clock_timestamp()"
        ).fetchone()
    assert told == (0,)


def test_a_seventeenth_role(service, receiver) -> None:
    person = confirmed_person(service.api, receiver)
    for number in range(16):
        _user(service, "grant", person.email, f"r{number}")
    done = _run(service, "grant", person.email, "r16")
    assert done.returncode == 1
    assert "at most 16 roles" in done.stderr
