# SPDX-License-Identifier: Apache-2.0
"""Events that were refused for good are listed, and sent again."""

import json
import uuid

import psycopg
import pytest
from support import events
from support.administrators import Administrator, command, machine_administrator
from support.journey import confirmed_person, new_person
from support.makers import ReceiverMaker, ServiceMaker
from support.poll import wait_until
from support.receiver import Answer, Receiver
from support.service import Service, run_command

_DEAD_S = 60.0


@pytest.fixture(scope="module")
def admin(service: Service) -> Administrator:
    return machine_administrator(service)


def _insert(service: Service, count: int, columns: str = "", values: str = "") -> None:
    """Events that are not due for an hour, each of its own subject."""
    with psycopg.connect(service.database_url, autocommit=True) as connection:
        connection.execute(
            f"INSERT INTO outbox (id, subject, type, is_ordered, data, attempts, due_at{columns})"
            " SELECT gen_random_uuid(), gen_random_uuid(), 'user.verified', true,"
            " '{\"email\":\"a@b.de\"}', 3, now() + interval '1 hour'"
            f"{values} FROM generate_series(1, %s)",
            [count],
        )


def _kill(service: Service, receiver: Receiver, count: int) -> list[str]:
    """So many accounts whose event the receiver refuses for good; the events' ids."""
    receiver.script(
        lambda event: Answer(400) if event["type"] == events.REGISTERED else Answer(204)
    )
    for _ in range(count):
        assert service.api.post("/v1/register", new_person().credentials).status == 201

    def dead() -> list[str]:
        with psycopg.connect(service.database_url) as connection:
            rows = connection.execute("SELECT id FROM outbox WHERE dead_at IS NOT NULL").fetchall()
        return [str(row[0]) for row in rows] if len(rows) == count else []

    return wait_until(dead, "dead letters", _DEAD_S, 0.1)


def test_a_dead_letter_is_listed_and_sent_again(
    make_service: ServiceMaker, make_receiver: ReceiverMaker
) -> None:
    receiver = make_receiver()
    service = make_service(receiver, US_EMAIL_VERIFICATION="optional").start()
    admin = machine_administrator(service)
    ids = _kill(service, receiver, 3)

    listed = list(admin.walk("/events", state="dead", limit="2"))
    assert sorted(item["id"] for item in listed) == sorted(ids)
    for item in listed:
        assert item["type"] == events.REGISTERED
        assert (item["state"], item["due_at"], item["attempts"]) == ("dead", None, 3)
        assert "400" in item["last_error"]
    assert list(admin.walk("/events", state="pending")) == []

    refused = admin.ask("POST", f"/events/{listed[0]['id']}/redeliver")
    assert refused.status == 204
    wait_until(
        lambda: [a for a in receiver.attempts if a.event["id"] == listed[0]["id"]][3:],
        "tried again, and refused again",
    )
    receiver.answer()
    for item in listed[1:]:
        assert admin.ask("POST", f"/events/{item['id']}/redeliver").status == 204
        receiver.wait_for(events.REGISTERED, id=item["id"])
    assert admin.ask("POST", f"/events/{listed[1]['id']}/redeliver").code == "not_found"
    trail = list(admin.walk("/audit", type="event.redelivered"))
    assert {row["detail"]["event_id"] for row in trail} == set(ids)
    assert {row["subject"] for row in trail} == {item["subject"] for item in listed}


def test_the_command_sends_all_dead_ones_again(
    make_service: ServiceMaker, make_receiver: ReceiverMaker
) -> None:
    receiver = make_receiver()
    service = make_service(receiver, US_EMAIL_VERIFICATION="optional").start()
    ids = _kill(service, receiver, 3)
    assert [row["id"] for row in command(service, "events", "list")] == sorted(ids)
    receiver.answer()

    assert command(service, "events", "redeliver", ids[0]) == {"redelivered": 1}
    receiver.wait_for(events.REGISTERED, id=ids[0])
    assert command(service, "events", "redeliver", "--all-dead") == {"redelivered": 2}
    for one in ids[1:]:
        receiver.wait_for(events.REGISTERED, id=one)
    assert command(service, "events", "redeliver", "--all-dead") == {"redelivered": 0}
    with psycopg.connect(service.database_url) as connection:
        actors = {row[0] for row in connection.execute("SELECT actor FROM audit")}
    assert len(actors) == 1
    assert actors.pop().startswith("cli:")


def test_lists_go_by_state(service, admin) -> None:
    _insert(service, 5)
    _insert(service, 4, ", parked_at", ", now()")
    _insert(service, 3, ", dead_at, last_error", ", now(), 'answered 422'")
    for state, wanted in (("pending", 9), ("dead", 3), ("pending,dead", 12), ("", 12)):
        query = {"state": state} if state else {}
        found = list(admin.walk("/events", limit="2", **query))
        assert len({item["id"] for item in found}) == len(found) == wanted, state
        assert [i["created_at"] for i in found] == sorted(i["created_at"] for i in found)
    parked = [item for item in admin.walk("/events") if item["parked"]]
    assert len(parked) == 4
    assert admin.ask("POST", f"/events/{parked[0]['id']}/redeliver").status == 204
    waiting = next(i for i in admin.walk("/events", state="pending") if not i["parked"])
    assert admin.ask("POST", f"/events/{waiting['id']}/redeliver").code == "not_found"
    cursor = admin.get("/events", limit="1", state="dead").json()["next_cursor"]
    assert admin.get("/events", cursor=cursor, state="pending").status == 422


def test_a_page_as_long_as_it_may_be_is_whole(service, admin) -> None:
    _insert(service, 230, ", dead_at, last_error", ", now(), repeat('e', 250)")
    found = admin.get("/events", limit="200", state="dead").json()["items"]
    assert len({item["id"] for item in found}) == len(found) > 100
    assert all(item["type"] and item["created_at"] for item in found)


@pytest.mark.parametrize("event", ["x", str(uuid.UUID(int=7))])
def test_an_event_that_is_none(service, admin, event: str) -> None:
    assert admin.ask("POST", f"/events/{event}/redeliver").code == "not_found"
    done = run_command(
        "events", "redeliver", event, environment={"US_DATABASE_URL": service.database_url}
    )
    assert done.returncode == (2 if event == "x" else 1)
    assert event in done.stderr


@pytest.mark.parametrize(
    "arguments", [["list", "--state", "lost"], ["redeliver"], ["redeliver", "x", "--all-dead"]]
)
def test_the_command_is_misused(service, arguments: list[str]) -> None:
    done = run_command("events", *arguments, environment={"US_DATABASE_URL": service.database_url})
    assert (done.returncode, done.stdout) == (2, "")


def test_what_an_event_says_of_its_user_is_not_shown(service, receiver, admin) -> None:
    person = confirmed_person(service.api, receiver)
    receiver.answer(Answer(503))
    assert service.api.post("/v1/register", person.credentials).status == 202
    waiting: list[dict] = []

    def has_failed() -> bool:
        waiting[:] = admin.walk("/events", state="pending")
        mail = "com.mallhive.user.registration_repeated.v1"
        return any(item["type"] == mail and item["attempts"] > 0 for item in waiting)

    wait_until(has_failed, "a failed mail")
    receiver.answer()
    assert person.email not in json.dumps(waiting)
