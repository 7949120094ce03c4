# SPDX-License-Identifier: Apache-2.0
"""Users see and end their own sessions, and prove their password again where it matters."""

import uuid

import psycopg
import pytest
from support import events
from support.client import Api, Reply
from support.journey import Person, confirmed_person, login
from support.receiver import Receiver
from support.service import Service
from support.tokens import verify_by_pyjwt


def _list(api: Api, token: str, query: str = "") -> Reply:
    return api.get(f"/v1/me/sessions{query}", token=token)


def _ids(reply: Reply) -> list[str]:
    assert reply.status == 200, reply
    return [item["id"] for item in reply.json()["items"]]


def _several(service: Service, receiver: Receiver, count: int) -> tuple[Person, list[dict]]:
    """A person with `count` sessions, the oldest first."""
    person = confirmed_person(service.api, receiver)
    return person, [person.tokens, *(login(service.api, person) for _ in range(count - 1))]


def _age(service: Service, session_id: str, column: str) -> None:
    with psycopg.connect(service.database_url, autocommit=True) as connection:
        connection.execute(
            f"UPDATE sessions SET {column} = clock_timestamp() - interval '1 second' WHERE id = %s",
            (session_id,),
        )


def test_list_shows_the_newest_first_and_marks_ones_own(service, receiver) -> None:
    _, sessions = _several(service, receiver, 3)

    reply = _list(service.api, sessions[1]["access_token"])

    assert _ids(reply) == [session["session_id"] for session in reversed(sessions)]
    items = reply.json()["items"]
    assert [item["current"] for item in items] == [False, True, False]
    assert {item["ip"] for item in items} == {"127.0.0.1"}
    assert {item["last_refreshed_at"] for item in items} == {None}
    assert reply.json()["next_cursor"] is None


def test_list_shows_when_a_session_was_refreshed(service, receiver) -> None:
    person = confirmed_person(service.api, receiver)
    service.api.post("/v1/refresh", {"refresh_token": person.tokens["refresh_token"]})
    item = _list(service.api, person.tokens["access_token"]).json()["items"][0]
    assert item["last_refreshed_at"] > item["created_at"]


def test_pages_follow_each_other_without_gap_or_repeat(service, receiver) -> None:
    _, sessions = _several(service, receiver, 5)
    token = sessions[0]["access_token"]
    seen, query = [], "?limit=2"
    while query:
        reply = _list(service.api, token, query)
        seen.append(_ids(reply))
        cursor = reply.json()["next_cursor"]
        query = f"?limit=2&cursor={cursor}" if cursor else ""
    assert [len(page) for page in seen] == [2, 2, 1]
    newest_first = [session["session_id"] for session in reversed(sessions)]
    assert [one for page in seen for one in page] == newest_first


@pytest.mark.parametrize(
    "query", ["?limit=0", "?limit=201", "?limit=-1", "?limit=x", "?cursor=x", "?cursor=k1.x.y"]
)
def test_a_page_that_cannot_be_is_refused(service, receiver, query: str) -> None:
    person = confirmed_person(service.api, receiver)
    assert _list(service.api, person.tokens["access_token"], query).code == "validation_failed"


def test_a_cursor_is_good_for_its_own_list_only(service, receiver) -> None:
    _, sessions = _several(service, receiver, 2)
    other = confirmed_person(service.api, receiver)
    cursor = _list(service.api, sessions[0]["access_token"], "?limit=1").json()["next_cursor"]

    assert _list(service.api, other.tokens["access_token"], f"?cursor={cursor}").status == 422
    flipped = cursor[:-1] + ("A" if cursor[-1] != "A" else "B")
    assert _list(service.api, sessions[0]["access_token"], f"?cursor={flipped}").status == 422


def test_end_one(service, receiver) -> None:
    _, sessions = _several(service, receiver, 2)
    acting, other = sessions[0]["access_token"], sessions[1]

    path = f"/v1/me/sessions/{other['session_id']}"
    assert service.api.request("DELETE", path, token=acting).status == 204
    assert service.api.get("/v1/me", token=other["access_token"]).code == "unauthenticated"
    assert service.api.get("/v1/me", token=acting).status == 200
    refused = service.api.post("/v1/refresh", {"refresh_token": other["refresh_token"]})
    assert refused.code == "invalid_refresh_token"
    event = receiver.wait_for(events.SESSION_REVOKED, session_id=other["session_id"])
    assert event["data"]["reason"] == "ended_by_user"
    assert service.api.request("DELETE", path, token=acting).code == "not_found"


@pytest.mark.parametrize("what", ["a stranger's", "nobody's", "no id"])
def test_end_one_that_is_not_ones_own(service, receiver, what: str) -> None:
    person = confirmed_person(service.api, receiver)
    stranger = confirmed_person(service.api, receiver)
    target = {
        "a stranger's": stranger.tokens["session_id"],
        "nobody's": str(uuid.uuid4()),
        "no id": "x",
    }[what]
    path = f"/v1/me/sessions/{target}"
    refused = service.api.request("DELETE", path, token=person.tokens["access_token"])
    assert refused.code == "not_found"
    assert service.api.get("/v1/me", token=stranger.tokens["access_token"]).status == 200


def test_end_the_others(service, receiver) -> None:
    _, sessions = _several(service, receiver, 3)
    stranger = confirmed_person(service.api, receiver)
    acting = sessions[1]

    ended = service.api.request("DELETE", "/v1/me/sessions", token=acting["access_token"])

    assert ended.status == 204
    assert _ids(_list(service.api, acting["access_token"])) == [acting["session_id"]]
    for session in (sessions[0], sessions[2]):
        receiver.wait_for(events.SESSION_REVOKED, session_id=session["session_id"])
        assert service.api.get("/v1/me", token=session["access_token"]).status == 401
    assert service.api.get("/v1/me", token=stranger.tokens["access_token"]).status == 200
    assert not receiver.find(events.SESSION_REVOKED, session_id=acting["session_id"])


def test_ending_the_others_asks_for_a_fresh_password(make_service, make_receiver) -> None:
    """A token of more than five minutes ago; the clock of the service is moved, not ours."""
    receiver = make_receiver()
    service = make_service(receiver, US_ACCESS_TOKEN_TTL="1h").start()
    person = confirmed_person(service.api, receiver)
    other = f"/v1/me/sessions/{login(service.api, person)['session_id']}"
    with psycopg.connect(service.database_url, autocommit=True) as connection:
        connection.execute("UPDATE sessions SET auth_time = auth_time - interval '6 minutes'")
    old = service.api.post("/v1/refresh", {"refresh_token": person.tokens["refresh_token"]}).json()

    refused = service.api.request("DELETE", "/v1/me/sessions", token=old["access_token"])
    assert refused.code == "reauth_required"
    refused = service.api.request("DELETE", other, token=old["access_token"])
    assert refused.code == "reauth_required"
    wrong = service.api.post(
        "/v1/me/reauth", {"password": "not the password"}, token=old["access_token"]
    )
    assert wrong.code == "invalid_credentials"
    fresh = service.api.post(
        "/v1/me/reauth", {"password": person.password}, token=old["access_token"]
    )
    assert fresh.status == 200
    assert set(fresh.json()) == {"access_token", "token_type", "expires_in"}
    _, before = verify_by_pyjwt(old["access_token"], service.url, "shop")
    _, after = verify_by_pyjwt(fresh.json()["access_token"], service.url, "shop")
    assert after["sid"] == before["sid"]
    assert after["auth_time"] >= before["auth_time"] + 360
    token = fresh.json()["access_token"]
    assert service.api.request("DELETE", other, token=token).status == 204
    assert service.api.request("DELETE", "/v1/me/sessions", token=token).status == 204
    own = f"/v1/me/sessions/{old['session_id']}"
    assert service.api.request("DELETE", own, token=old["access_token"]).status == 204


@pytest.mark.parametrize("column", ["revoked_at", "idle_expires_at", "absolute_expires_at"])
def test_a_session_that_has_ended_does_nothing(service, receiver, column: str) -> None:
    _, sessions = _several(service, receiver, 2)
    ended, other = sessions
    _age(service, ended["session_id"], column)
    token = ended["access_token"]

    assert _list(service.api, token).code == "unauthenticated"
    one = f"/v1/me/sessions/{other['session_id']}"
    assert service.api.request("DELETE", one, token=token).code == "unauthenticated"
    assert service.api.request("DELETE", "/v1/me/sessions", token=token).code == "unauthenticated"
    assert service.api.get("/v1/me", token=other["access_token"]).status == 200
    assert ended["session_id"] not in _ids(_list(service.api, other["access_token"]))
