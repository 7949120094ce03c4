# SPDX-License-Identifier: Apache-2.0
"""Register, read the mail, confirm, log in, be trusted, log out; over real sockets all the way."""

import re
import time
import uuid
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from support import events
from support.journey import (
    confirm,
    confirmed_person,
    login,
    mail_token,
    new_email,
    new_password,
    new_person,
    register,
)
from support.makers import ReceiverMaker, ServiceMaker
from support.poll import wait_until
from support.receiver import Receiver, token_of
from support.service import Service
from support.tokens import verify_by_jose, verify_by_pyjwt


def test_register_confirm_login_me_patch_logout(service: Service, receiver: Receiver) -> None:
    api, person = service.api, new_person()

    register(api, person, name="Ada Lovelace", locale="en-GB")
    assert api.post("/v1/login", person.credentials).code == "invalid_credentials"  # pending
    mail = receiver.wait_for(events.VERIFICATION_REQUESTED, email=person.email)
    assert mail["source"] == service.url
    assert mail["data"]["locale"] == "en-GB"
    assert mail["data"]["link"].startswith(f"{service.url}/verify#token=ot1.")

    first = confirm(api, token_of(mail["data"]["link"]), person.password)
    me = api.get("/v1/me", token=first["access_token"])
    assert me.status == 200
    user = me.json()
    assert (user["email"], user["email_verified"]) == (person.email, True)
    assert (user["name"], user["locale"], user["roles"]) == ("Ada Lovelace", "en-GB", [])

    registered = receiver.wait_for(events.REGISTERED, email=person.email)
    assert registered["subject"] == user["id"] == mail["subject"]
    assert registered["data"] == {
        "email": person.email,
        "email_verified": True,
        "name": "Ada Lovelace",
        "locale": "en-GB",
    }

    second = login(api, person)
    assert second["session_id"] != first["session_id"]
    changed = api.patch(
        "/v1/me", {"name": "Ada King", "locale": None}, token=second["access_token"]
    )
    assert changed.status == 200
    assert (changed.json()["name"], changed.json()["locale"]) == ("Ada King", None)
    assert api.get("/v1/me", token=first["access_token"]).json() == changed.json()

    assert api.post("/v1/logout", token=second["access_token"]).status == 204
    revoked = receiver.wait_for(events.SESSION_REVOKED, session_id=second["session_id"])
    assert (revoked["subject"], revoked["data"]["reason"]) == (user["id"], "logout")
    assert api.get("/v1/me", token=second["access_token"]).code == "unauthenticated"
    assert api.get("/v1/me", token=first["access_token"]).status == 200
    assert api.post("/v1/logout", token=second["access_token"]).status == 204
    assert len(receiver.find(events.SESSION_REVOKED, session_id=second["session_id"])) == 1
    assert not receiver.find(events.VERIFIED, email=person.email)
    events.check_order(receiver.accepted())


@pytest.mark.parametrize("verify", [verify_by_pyjwt, verify_by_jose])
def test_access_token_is_trusted_through_jwks_alone(service, receiver, verify) -> None:
    person = confirmed_person(service.api, receiver)
    user = service.api.get("/v1/me", token=person.tokens["access_token"]).json()

    header, claims = verify(person.tokens["access_token"], service.url, "shop")

    assert (header["typ"], header["alg"]) == ("at+jwt", "ES256")
    assert claims["sub"] == user["id"]
    assert claims["sid"] == person.tokens["session_id"]
    assert claims["client_id"] == "first-party"
    assert claims["exp"] - claims["iat"] == person.tokens["expires_in"] == 300
    assert abs(claims["iat"] - time.time()) < 30
    assert claims["auth_time"] <= claims["iat"]
    assert claims["amr"] == ["pwd"]
    assert claims["roles"] == []
    assert isinstance(claims["scope"], str)
    assert isinstance(claims["av"], int)
    assert uuid.UUID(claims["jti"]) or claims["jti"]
    assert person.email not in str(claims)
    expected = {"iss", "sub", "aud", "client_id", "iat", "exp", "jti", "sid", "av"}
    assert set(claims) == expected | {"roles", "scope", "auth_time", "amr"}


@pytest.mark.parametrize("verify", [verify_by_pyjwt, verify_by_jose])
def test_another_audience_refuses_the_token(service, receiver, verify) -> None:
    person = confirmed_person(service.api, receiver)
    with pytest.raises((jwt.InvalidTokenError, ValueError)):
        verify(person.tokens["access_token"], service.url, "somebody-else")


def test_tokens_differ_and_have_their_final_form(service: Service, receiver: Receiver) -> None:
    person = confirmed_person(service.api, receiver)
    answers = [login(service.api, person) for _ in range(3)]
    form = re.compile(r"rt1\.([^.]+)\.([^.]+)\.(\d+)\.([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{22})")
    for answer in answers:
        found = form.fullmatch(answer["refresh_token"])
        assert found, answer["refresh_token"]
        assert found.group(1) == "k1"
        assert int(found.group(3)) == 0
        assert answer["refresh_expires_in"] == 7 * 24 * 3600
    for member in ("access_token", "refresh_token", "session_id"):
        assert len({answer[member] for answer in answers}) == 3


def test_a_token_of_a_mail_works_once(service: Service, receiver: Receiver) -> None:
    person = new_person()
    register(service.api, person)
    token = mail_token(receiver, person.email)
    confirm(service.api, token, person.password)

    again = service.api.post(
        "/v1/email-verification/confirm", {"token": token, "password": person.password}
    )

    assert (again.status, again.code) == (400, "invalid_token")


def test_a_wrong_password_does_not_use_the_token_up(service: Service, receiver: Receiver) -> None:
    person = new_person()
    register(service.api, person)
    token = mail_token(receiver, person.email)

    wrong = service.api.post(
        "/v1/email-verification/confirm", {"token": token, "password": new_password()}
    )

    assert (wrong.status, wrong.code) == (401, "invalid_credentials")
    confirm(service.api, token, person.password)


def test_every_altered_mail_token_is_refused(service: Service, receiver: Receiver) -> None:
    person = new_person()
    register(service.api, person)
    token = mail_token(receiver, person.email)
    altered = {
        token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        for at in range(0, len(token), 5)
    }
    altered |= {token + "A", token[:-1], token.upper(), token + ".", "." + token, token + " "}
    for wrong in altered:
        body = {"token": wrong, "password": person.password}
        answer = service.api.post("/v1/email-verification/confirm", body)
        assert (answer.status, answer.code) == (400, "invalid_token"), wrong
    confirm(service.api, token, person.password)


def test_mail_can_be_asked_for_again(service: Service, receiver: Receiver) -> None:
    person = new_person()
    register(service.api, person)
    first = receiver.wait_for(events.VERIFICATION_REQUESTED, email=person.email)

    reply = service.api.post("/v1/email-verification", {"email": person.email.upper()})

    assert (reply.status, reply.json()) == (202, {"status": "verification_sent"})
    assert receiver.find(events.VERIFICATION_REQUESTED, email=person.email)[0]["id"] == first["id"]


def test_registering_again_tells_only_the_owner(service: Service, receiver: Receiver) -> None:
    person = confirmed_person(service.api, receiver)
    again = {"email": person.email.swapcase(), "password": new_password()}
    reply = service.api.post("/v1/register", {**again, "locale": "fr"})
    assert (reply.status, reply.json()) == (202, {"status": "verification_sent"})

    mail = receiver.wait_for(events.REGISTRATION_REPEATED, email=person.email)

    user = service.api.get("/v1/me", token=person.tokens["access_token"]).json()
    assert mail["subject"] == user["id"]
    assert len(receiver.find(events.VERIFICATION_REQUESTED, email=person.email)) == 1
    login(service.api, person)
    assert service.api.post("/v1/login", again).code == "invalid_credentials"


def test_mail_expiry_is_in_the_future(service: Service, receiver: Receiver) -> None:
    person = new_person()
    register(service.api, person)
    mail = receiver.wait_for(events.VERIFICATION_REQUESTED, email=person.email)
    expires = datetime.fromisoformat(mail["data"]["expires_at"])
    now = datetime.now(UTC)
    assert now + timedelta(minutes=5) < expires <= now + timedelta(days=8)


@pytest.mark.parametrize(
    "written",
    [
        "UPPER.Case@Example.COM",
        "user+tag@example.com",
        "o'brien@sub.example.org",
        "user@例子.广告",
        "user@BÜCHER.example",
    ],
)
def test_addresses_are_compared_in_canonical_form(service, receiver, written: str) -> None:
    person = new_person()
    local, _, domain = written.partition("@")
    person.email = f"{local}{new_email().split('@')[0]}@{domain}"
    register(service.api, person)
    found = _mail_to(receiver, person.email)
    confirm(service.api, token_of(found["data"]["link"]), person.password)

    as_written, person.email = person.email, person.email.swapcase()
    tokens = login(service.api, person)

    email = service.api.get("/v1/me", token=tokens["access_token"]).json()["email"]
    assert email == found["data"]["email"] == as_written


def _mail_to(receiver: Receiver, email: str) -> dict:
    """By the local part: the domain may be spelled another way."""
    local = email.split("@")[0].lower()

    def look() -> list[dict]:
        mails = receiver.accepted(events.VERIFICATION_REQUESTED)
        return [mail for mail in mails if mail["data"]["email"].split("@")[0].lower() == local]

    return wait_until(look, f"mail to {email}")[0]


def test_optional_mode_creates_the_account_at_once(
    make_service: ServiceMaker, make_receiver: ReceiverMaker
) -> None:
    receiver = make_receiver()
    service = make_service(receiver, US_EMAIL_VERIFICATION="optional").start()
    api, person = service.api, new_person()

    created = api.post("/v1/register", {**person.credentials, "name": "Ada"})

    assert created.status == 201
    assert created.json()["email_verified"] is False
    registered = receiver.wait_for(events.REGISTERED, email=person.email)
    assert registered["data"]["email_verified"] is False
    again = api.post("/v1/register", {**person.credentials, "email": person.email.upper()})
    assert (again.status, again.code) == (409, "email_taken")
    tokens = login(api, person)
    assert api.get("/v1/me", token=tokens["access_token"]).json() == created.json()

    assert api.post("/v1/email-verification", {"email": person.email}).status == 202
    confirm(api, mail_token(receiver, person.email), person.password)

    verified = receiver.wait_for(events.VERIFIED, email=person.email)
    assert verified["subject"] == created.json()["id"]
    user = api.get("/v1/me", token=tokens["access_token"]).json()
    assert user["email_verified"] is True
    assert len(receiver.find(events.REGISTERED, email=person.email)) == 1
    events.check_order(receiver.accepted())


def test_unverified_account_is_told_so_only_with_its_password(
    make_service: ServiceMaker, make_receiver: ReceiverMaker
) -> None:
    receiver = make_receiver()
    optional = make_service(receiver, US_EMAIL_VERIFICATION="optional").start()
    person = new_person()
    assert optional.api.post("/v1/register", person.credentials).status == 201
    optional.stop()
    required = make_service(receiver, database_url=optional.database_url).start()

    wrong = required.api.post("/v1/login", {**person.credentials, "password": new_password()})
    assert (wrong.status, wrong.code) == (401, "invalid_credentials")
    right = required.api.post("/v1/login", person.credentials)
    assert (right.status, right.code) == (403, "email_unverified")

    assert required.api.post("/v1/email-verification", {"email": person.email}).status == 202
    confirm(required.api, mail_token(receiver, person.email), person.password)
    login(required.api, person)


def test_session_created_is_published_where_asked_for(
    make_service: ServiceMaker, make_receiver: ReceiverMaker
) -> None:
    receiver = make_receiver()
    service = make_service(receiver, US_EVENTS="user.registered,session.created").start()
    person = confirmed_person(service.api, receiver)
    tokens = login(service.api, person)
    created = receiver.wait_for(events.SESSION_CREATED, session_id=tokens["session_id"])
    assert created["data"]["client_id"] == "first-party"
    assert service.api.post("/v1/logout", token=tokens["access_token"]).status == 204
    login(service.api, person)
    receiver.wait_for(events.SESSION_CREATED, session_id=person.tokens["session_id"])
    assert not receiver.accepted(events.SESSION_REVOKED)


def test_links_of_mails_follow_the_template(
    make_service: ServiceMaker, make_receiver: ReceiverMaker
) -> None:
    receiver = make_receiver()
    template = "https://front.example/verify#token={token}"
    service = make_service(receiver, US_LINK_VERIFY=template).start()
    person = new_person()
    hostile = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil"}
    reply = service.api.request("POST", "/v1/register", person.credentials, headers=hostile)
    assert reply.status == 202
    mail = receiver.wait_for(events.VERIFICATION_REQUESTED, email=person.email)
    assert mail["data"]["link"].startswith("https://front.example/verify#token=ot1.")
    confirm(service.api, token_of(mail["data"]["link"]), person.password)


def test_a_logout_is_seen_by_every_replica_within_a_second(
    make_service: ServiceMaker, make_receiver: ReceiverMaker
) -> None:
    receiver = make_receiver()
    url = "http://replicas.example"
    first = make_service(receiver, US_PUBLIC_URL=url).start()
    second = make_service(receiver, database_url=first.database_url, US_PUBLIC_URL=url).start()
    person = confirmed_person(first.api, receiver)
    token = person.tokens["access_token"]
    assert second.api.get("/v1/me", token=token).status == 200

    assert first.api.post("/v1/logout", token=token).status == 204

    assert first.api.get("/v1/me", token=token).status == 401
    end = time.monotonic() + 1.0
    status = 200
    while status == 200 and time.monotonic() < end:
        status = second.api.get("/v1/me", token=token).status
    assert status == 401


def test_a_session_lives_through_a_restart(
    make_service: ServiceMaker, make_receiver: ReceiverMaker
) -> None:
    receiver = make_receiver()
    url = "http://restart.example"
    before = make_service(receiver, US_PUBLIC_URL=url).start()
    person = confirmed_person(before.api, receiver)
    before.stop()
    after = make_service(receiver, database_url=before.database_url, US_PUBLIC_URL=url).start()
    assert after.api.get("/v1/me", token=person.tokens["access_token"]).status == 200
    login(after.api, person)
