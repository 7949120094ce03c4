# SPDX-License-Identifier: Apache-2.0
"""Passwords that are changed, forgotten and made anew, from outside."""

import random
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from support import events
from support.bodies import ME, ME_PASSWORD, RESET, RESET_CONFIRM, assert_finding
from support.client import Reply
from support.journey import (
    Person,
    confirm,
    confirmed_person,
    login,
    mail_token,
    new_password,
    new_person,
    register,
    reset_token,
)
from support.makers import ReceiverMaker, ServiceMaker
from support.poll import wait_until
from support.receiver import Receiver, token_of
from support.service import Service
from support.tokens import verify_by_pyjwt

# bcrypt of "correct horse battery staple".
BCRYPT = "$2b$05$abcdefghijklmnopqrstuuFiPhXf1sVd3pCCRO.uVh34H/qI/ZsuS"


def change(service: Service, person: Person, password: str) -> Reply:
    body = {"current_password": person.password, "new_password": password}
    return service.api.post(ME_PASSWORD, body, token=person.tokens["access_token"])


def reset(service: Service, token: str, password: str) -> Reply:
    return service.api.post(RESET_CONFIRM, {"token": token, "new_password": password})


def is_live(service: Service, tokens: dict[str, Any]) -> tuple[bool, bool]:
    """Its access token, its refresh token."""
    access = service.api.get(ME, token=tokens["access_token"]).status == 200
    body = {"refresh_token": tokens["refresh_token"]}
    return access, service.api.post("/v1/refresh", body).status == 200


def assert_wrong(service: Service, person: Person, password: str) -> None:
    reply = service.api.post("/v1/login", {"email": person.email, "password": password})
    assert (reply.status, reply.code) == (401, "invalid_credentials")


def sessions_told(receiver: Receiver, subject: str) -> dict[str, str]:
    """Session -> why it ended."""
    told = receiver.find(events.SESSION_REVOKED, subject=subject)
    return {event["data"]["session_id"]: event["data"]["reason"] for event in told}


def test_a_change_leaves_one_session(service: Service, receiver: Receiver) -> None:
    person = confirmed_person(service.api, receiver)
    others = [login(service.api, person) for _ in range(2)]
    old, password = person.password, new_password()
    subject = service.api.get(ME, token=person.tokens["access_token"]).json()["id"]

    reply = change(service, person, password)

    assert reply.status == 200, reply
    tokens = reply.json()
    for ended in (person.tokens, *others):
        verified = service.api.get("/v1/auth/verify", token=ended["access_token"])
        assert verified.status == 401  # at once, though it is answered from memory
        assert is_live(service, ended) == (False, False)
    verified = service.api.get("/v1/auth/verify", token=tokens["access_token"])
    assert verified.headers["x-auth-subject"] == subject
    assert is_live(service, tokens) == (True, True)
    before, after = (
        verify_by_pyjwt(granted["access_token"], service.url, "shop")[1]
        for granted in (person.tokens, tokens)
    )
    assert after["av"] == before["av"] + 1
    assert after["sid"] != before["sid"]
    assert_wrong(service, person, old)
    person.password = password
    login(service.api, person)

    changed = receiver.wait_for(events.PASSWORD_CHANGED, subject=subject)
    assert changed["data"] == {"email": person.email, "locale": None, "reason": "changed"}
    ids = {ended["session_id"] for ended in (person.tokens, *others)}
    wait_until(lambda: set(sessions_told(receiver, subject)) == ids, "sessions told")
    assert set(sessions_told(receiver, subject).values()) == {"password_changed"}


def test_a_change_wants_the_current_password(service: Service, receiver: Receiver) -> None:
    person = confirmed_person(service.api, receiver)
    body = {"current_password": new_password(), "new_password": new_password()}
    reply = service.api.post(ME_PASSWORD, body, token=person.tokens["access_token"])
    assert (reply.status, reply.code) == (401, "invalid_credentials")
    assert service.api.post(ME_PASSWORD, body).code == "unauthenticated"
    for password, code in (
        ("too short", "password_too_short"),
        ("1qaz2wsx3edc4rfv", "password_too_common"),
        (person.email, "password_contains_email"),
        ("mallhive" * 3, "password_contains_service_name"),
        ("x" * 257, "password_too_long"),
    ):
        assert_finding(change(service, person, password), "/new_password", code)
    assert is_live(service, person.tokens) == (True, True)
    login(service.api, person)


def test_a_forgotten_password(service: Service, receiver: Receiver) -> None:
    person = confirmed_person(service.api, receiver)
    other = login(service.api, person)
    old, password = person.password, new_password()
    token = reset_token(service.api, receiver, person.email)
    assert is_live(service, person.tokens) == (True, True)  # asking changes nothing
    login(service.api, person)

    assert_finding(reset(service, token, "too short"), "/new_password", "password_too_short")
    assert_finding(
        reset(service, token, person.email.upper()), "/new_password", "password_contains_email"
    )
    reply = reset(service, token, password)

    assert (reply.status, reply.body) == (204, b"")
    for ended in (person.tokens, other):
        assert is_live(service, ended) == (False, False)
    assert_wrong(service, person, old)
    again = reset(service, token, new_password())
    assert (again.status, again.code) == (400, "invalid_token")
    person.password = password
    login(service.api, person)
    changed = receiver.wait_for(events.PASSWORD_CHANGED, email=person.email)
    assert changed["data"]["reason"] == "reset"
    told = wait_until(
        lambda: found if len(found := sessions_told(receiver, changed["subject"])) == 3 else None,
        "sessions told",
    )
    assert set(told.values()) == {"password_reset"}
    mail = receiver.find(events.PASSWORD_RESET_REQUESTED, email=person.email)[0]
    assert mail["data"]["link"].startswith(f"{service.url}/reset#token=ot1.")


def test_a_change_ends_what_was_mailed_before(service: Service, receiver: Receiver) -> None:
    person = confirmed_person(service.api, receiver)
    token = reset_token(service.api, receiver, person.email)
    newer = reset_token(service.api, receiver, person.email)
    person.tokens = change(service, person, password := new_password()).json()
    person.password = password
    for mailed in (token, newer):
        assert reset(service, mailed, new_password()).code == "invalid_token"
    assert is_live(service, person.tokens) == (True, True)


def test_nobody_else_is_sent_a_mail(
    make_service: ServiceMaker, make_receiver: ReceiverMaker
) -> None:
    """Unknown, pending, disabled: the answer is the same, and no mail comes."""
    receiver = make_receiver()
    service = make_service(receiver).start()
    disabled = confirmed_person(service.api, receiver, "disabled")
    pending, unknown = new_person("pending"), new_person("unknown")
    register(service.api, pending)
    mail_token(receiver, pending.email)
    known = confirmed_person(service.api, receiver, "known")
    with psycopg.connect(service.database_url, autocommit=True) as connection:
        connection.execute(
            "UPDATE users SET status = 'disabled' WHERE email_canonical = %s", [disabled.email]
        )
        bodies = set()
        for person in (disabled, pending, unknown):
            bodies.add(service.api.post(RESET, {"email": person.email}).body)
        reset_token(service.api, receiver, known.email)
        count = "SELECT count(*) FROM mail_requests"
        wait_until(lambda: connection.execute(count).fetchone()[0] == 0, "requests answered")
        count = "SELECT count(*) FROM outbox"
        wait_until(lambda: connection.execute(count).fetchone()[0] == 0, "outbox empty")
    assert len(bodies) == 1
    mails = receiver.find(events.PASSWORD_RESET_REQUESTED)
    assert [mail["data"]["email"] for mail in mails] == [known.email]


def test_a_reset_verifies_and_takes_the_account_back(
    make_service: ServiceMaker, make_receiver: ReceiverMaker
) -> None:
    """Somebody made an account with the victim's address and stays logged in; the victim resets."""
    receiver = make_receiver()
    service = make_service(receiver, US_EMAIL_VERIFICATION="optional").start()
    attacker = new_person("victim")
    assert service.api.post("/v1/register", attacker.credentials).status == 201
    attacker.tokens = login(service.api, attacker)
    verification = mail_token(receiver, attacker.email)

    victim = Person(attacker.email, new_password())
    token = reset_token(service.api, receiver, victim.email)
    assert reset(service, token, victim.password).status == 204

    assert is_live(service, attacker.tokens) == (False, False)
    assert_wrong(service, victim, attacker.password)
    body = {"token": verification, "password": attacker.password}
    late = service.api.post("/v1/email-verification/confirm", body)
    assert late.code == "invalid_token"
    victim.tokens = login(service.api, victim)
    user = service.api.get(ME, token=victim.tokens["access_token"]).json()
    assert user["email_verified"]
    receiver.wait_for(events.VERIFIED, subject=user["id"])


@pytest.mark.parametrize("purpose", ["registration", "verification"])
def test_a_token_of_another_purpose_is_none(
    make_service: ServiceMaker, make_receiver: ReceiverMaker, purpose: str
) -> None:
    receiver = make_receiver()
    mode = "required" if purpose == "registration" else "optional"
    service = make_service(receiver, US_EMAIL_VERIFICATION=mode).start()
    person = new_person()
    service.api.post("/v1/register", person.credentials)
    token = mail_token(receiver, person.email)
    assert f".{purpose}." in token
    assert reset(service, token, new_password()).code == "invalid_token"
    forged = token.replace(f".{purpose}.", ".reset.")
    assert reset(service, forged, new_password()).code == "invalid_token"
    confirm(service.api, token, person.password)
    mailed = reset_token(service.api, receiver, person.email)
    body = {"token": mailed, "password": person.password}
    assert service.api.post("/v1/email-verification/confirm", body).code == "invalid_token"
    assert reset(service, mailed, new_password()).status == 204


def test_a_token_that_was_tampered_with_is_none(service: Service, receiver: Receiver) -> None:
    person = confirmed_person(service.api, receiver)
    token = reset_token(service.api, receiver, person.email)
    chance = random.Random(5)
    for at in chance.sample(range(len(token)), 40):
        other = chance.choice([c for c in "ABCabc019-_." if c != token[at]])
        reply = reset(service, token[:at] + other + token[at + 1 :], new_password())
        assert (reply.status, reply.code) == (400, "invalid_token")
    assert reset(service, token + "A", new_password()).code == "invalid_token"
    assert reset(service, token, new_password()).status == 204


def test_an_expired_token_is_none(service: Service, receiver: Receiver) -> None:
    person = confirmed_person(service.api, receiver)
    token = reset_token(service.api, receiver, person.email)
    with psycopg.connect(service.database_url) as connection:
        connection.execute(
            "UPDATE one_time_tokens t SET expires_at = clock_timestamp() FROM users u"
            " WHERE u.id = t.user_id AND u.email_canonical = %s",
            [person.email],
        )
    assert reset(service, token, new_password()).code == "invalid_token"
    login(service.api, person)


def test_the_link_follows_the_template_and_no_header(
    make_service: ServiceMaker, make_receiver: ReceiverMaker
) -> None:
    receiver = make_receiver()
    template = "https://front.example/forgotten?from=mail#token={token}"
    service = make_service(receiver, US_LINK_RESET=template).start()
    person = confirmed_person(service.api, receiver)
    hostile = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil"}
    reply = service.api.request("POST", RESET, {"email": person.email}, headers=hostile)
    assert reply.status == 202
    mail = receiver.wait_for(events.PASSWORD_RESET_REQUESTED, email=person.email)
    link = mail["data"]["link"]
    assert link.startswith("https://front.example/forgotten?from=mail#token=ot1.")
    assert reset(service, token_of(link), new_password()).status == 204


def test_mails_are_sent_and_events_are_chosen(
    make_service: ServiceMaker, make_receiver: ReceiverMaker
) -> None:
    receiver = make_receiver()
    service = make_service(receiver, US_EVENTS="user.verified").start()
    person = confirmed_person(service.api, receiver)
    token = reset_token(service.api, receiver, person.email)
    assert reset(service, token, new_password()).status == 204
    with psycopg.connect(service.database_url, autocommit=True) as connection:
        count = "SELECT count(*) FROM outbox"
        wait_until(lambda: connection.execute(count).fetchone()[0] == 0, "outbox empty")
    types = {event["type"] for event in receiver.accepted()}
    assert types == {events.VERIFICATION_REQUESTED, events.PASSWORD_RESET_REQUESTED}


def test_of_resets_at_once_one_wins(service: Service, receiver: Receiver) -> None:
    for _ in range(5):
        person = confirmed_person(service.api, receiver)
        tokens = [reset_token(service.api, receiver, person.email) for _ in range(2)] * 2
        passwords = [new_password() for _ in tokens]
        with ThreadPoolExecutor(4) as pool:
            replies = list(pool.map(lambda t, p: reset(service, t, p), tokens, passwords))
        won = [p for reply, p in zip(replies, passwords, strict=True) if reply.status == 204]
        assert len(won) == 1
        assert sorted(reply.status for reply in replies) == [204, 400, 400, 400]
        login(service.api, Person(person.email, won[0]))


def test_an_imported_hash_is_made_anew_by_the_login(service: Service, receiver: Receiver) -> None:
    person = confirmed_person(service.api, receiver)
    person.password = "correct horse battery staple"
    row = "SELECT password_hash, pepper_kid FROM users WHERE email_canonical = %s"
    with psycopg.connect(service.database_url, autocommit=True) as connection:
        connection.execute(
            "UPDATE users SET password_hash = %s, pepper_kid = NULL WHERE email_canonical = %s",
            [BCRYPT, person.email],
        )
        assert_wrong(service, person, "correct horse battery stapl")
        assert connection.execute(row, [person.email]).fetchone() == (BCRYPT, None)
        before = service.metric("user_service_password_rehashes_total")
        with ThreadPoolExecutor(4) as pool:
            replies = list(pool.map(lambda _n: login(service.api, person), range(4)))
        made, kid = connection.execute(row, [person.email]).fetchone()
        assert made.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
        assert kid == "k1"
        assert 1 <= service.metric("user_service_password_rehashes_total") - before <= 4
        login(service.api, person)
        assert connection.execute(row, [person.email]).fetchone() == (made, kid)
    for tokens in replies:
        assert is_live(service, tokens) == (True, True)


def test_changed_costs_come_with_the_next_login(
    make_service: ServiceMaker, make_receiver: ReceiverMaker
) -> None:
    receiver = make_receiver()
    url = "http://cost.example"
    cheap = make_service(
        receiver, US_PUBLIC_URL=url, US_ARGON2_MEMORY_KIB="8192", US_ARGON2_PASSES="1"
    ).start()
    person = confirmed_person(cheap.api, receiver)
    cheap.stop()
    dear = make_service(receiver, database_url=cheap.database_url, US_PUBLIC_URL=url).start()
    login(dear.api, person)
    login(dear.api, person)
    with psycopg.connect(dear.database_url) as connection:
        hashes = connection.execute("SELECT password_hash FROM users").fetchall()
    assert [made.startswith("$argon2id$v=19$m=19456,t=2,p=1$") for (made,) in hashes] == [True]
    assert dear.metric("user_service_password_rehashes_total") == 1


def test_a_change_is_seen_by_every_replica_within_a_second(
    make_service: ServiceMaker, make_receiver: ReceiverMaker
) -> None:
    receiver = make_receiver()
    url = "http://replicas.example"
    first = make_service(receiver, US_PUBLIC_URL=url).start()
    second = make_service(receiver, database_url=first.database_url, US_PUBLIC_URL=url).start()
    person = confirmed_person(first.api, receiver)
    token = person.tokens["access_token"]
    verify = "/v1/auth/verify"
    assert second.api.get(verify, token=token).status == 200
    assert change(first, person, new_password()).status == 200
    assert first.api.get(verify, token=token).status == 401
    end = time.monotonic() + 1.0
    status = 200
    while status == 200 and time.monotonic() < end:
        status = second.api.get(verify, token=token).status
    assert status == 401
    assert second.api.get(ME, token=token).status == 401
