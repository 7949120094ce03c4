# SPDX-License-Identifier: Apache-2.0
"""Each change of an administrator or operator leaves a row: who did what to whom, from where."""

import psycopg
import pytest
from support.administrators import (
    SCOPE,
    Administrator,
    command,
    create_client,
    machine_administrator,
    subject_of,
    user_token,
)
from support.journey import confirmed_person, login
from support.poll import wait_until
from support.service import Service


@pytest.fixture(scope="module")
def admin(service: Service) -> Administrator:
    return machine_administrator(service)


def _trail(admin: Administrator, sub: str) -> list[dict]:
    """The oldest first."""
    return list(admin.walk("/audit", subject=sub))[::-1]


def test_every_change_of_a_user_is_there(service, receiver, admin) -> None:
    person = confirmed_person(service.api, receiver)
    sub = subject_of(service, person.email)
    session = login(service.api, person)
    changes = [
        ("user.roles_changed", "PUT", f"/users/{sub}/roles", {"roles": ["support"]}),
        ("user.roles_changed", "PUT", f"/users/{sub}/roles", {"roles": ["sales"]}),
        ("user.disabled", "POST", f"/users/{sub}/disable", None),
        ("user.enabled", "POST", f"/users/{sub}/enable", None),
    ]
    replies = [admin.ask(method, path, value) for _, method, path, value in changes]
    session = login(service.api, person)
    replies.append(admin.ask("DELETE", f"/sessions/{session['session_id']}"))
    replies.append(admin.ask("DELETE", f"/users/{sub}/sessions"))

    rows = _trail(admin, sub)

    assert [row["type"] for row in rows] == [
        *(change[0] for change in changes),
        "session.ended",
        "user.sessions_ended",
    ]
    clients = {row["actor"] for row in rows}
    assert len(clients) == 1
    assert clients <= {row["client_id"] for row in command(service, "client", "list")}
    assert [row["request_id"] for row in rows] == [r.headers["x-request-id"] for r in replies]
    assert {row["network"] for row in rows} == {"127.0.0.1"}
    assert rows[0]["detail"] == {"added": ["support"], "removed": []}
    assert rows[1]["detail"] == {"added": ["sales"], "removed": ["support"]}
    assert rows[2]["detail"] is None
    assert rows[4]["detail"] == {"session_id": session["session_id"]}


def test_a_user_who_administrates_is_named(service, receiver, admin) -> None:
    boss = confirmed_person(service.api, receiver)
    person = confirmed_person(service.api, receiver)
    sub = subject_of(service, person.email)
    own = Administrator(service, user_token(service, boss.tokens))
    assert own.user(sub, "/disable").status == 204
    assert [row["actor"] for row in _trail(admin, sub)] == [subject_of(service, boss.email)]


def test_a_row_is_found_by_its_request(service, receiver, admin) -> None:
    person = confirmed_person(service.api, receiver)
    sub = subject_of(service, person.email)
    request_id = admin.user(sub, "/disable").headers["x-request-id"]
    rows = admin.get("/audit", request_id=request_id).json()["items"]
    assert [(row["type"], row["subject"]) for row in rows] == [("user.disabled", sub)]
    assert admin.get("/audit", request_id=request_id, type="user.enabled").json()["items"] == []
    assert admin.get("/audit", request_id="x").json()["items"] == []


def test_an_operator_is_named(service, receiver, admin) -> None:
    person = confirmed_person(service.api, receiver)
    command(service, "user", "disable", person.email)
    rows = _trail(admin, subject_of(service, person.email))
    assert [row["type"] for row in rows] == ["user.disabled"]
    assert rows[0]["actor"].startswith("cli:")
    assert (rows[0]["request_id"], rows[0]["network"]) == (None, None)


def test_what_is_refused_leaves_no_row(service, receiver, admin) -> None:
    person = confirmed_person(service.api, receiver)
    sub = subject_of(service, person.email)
    assert admin.user(sub, "/roles", "PUT", {"roles": ["A"]}).status == 422
    assert admin.user(sub, "/enable").status == 204
    stranger = Administrator(service, person.tokens["access_token"])
    assert stranger.user(sub, "/disable").status == 401
    assert _trail(admin, sub) == []


def test_pages_follow_each_other_while_rows_come(service, admin) -> None:
    def append(count: int) -> None:
        for _ in range(count):
            create_client(service, "--scope", SCOPE)

    append(5)
    before = [row["id"] for row in admin.walk("/audit", limit="200", type="client.created")]
    seen = []
    for row in admin.walk("/audit", limit="2", type="client.created"):
        if len(seen) == 3:
            append(2)
        seen.append(row["id"])
    assert seen == before
    assert seen == sorted(seen, reverse=True)


def test_old_rows_go_and_young_ones_stay(make_service) -> None:
    """By the service's own janitor, which comes a few seconds after its start."""
    service = make_service(
        US_AUDIT_RETENTION="30d", US_NOTIFICATION_URL="http://127.0.0.1:9/events"
    ).start()
    for _ in range(2):
        create_client(service)
    service.stop()
    with psycopg.connect(service.database_url, autocommit=True) as connection:
        connection.execute(
            "UPDATE audit SET at = at - interval '31 days'"
            " WHERE id = (SELECT id FROM audit ORDER BY id LIMIT 1)"
        )

        def count() -> int:
            return connection.execute("SELECT count(*) FROM audit").fetchone()[0]

        assert count() == 2
        service.start()
        wait_until(lambda: count() == 1, "the old row gone", 30.0, 0.2)
