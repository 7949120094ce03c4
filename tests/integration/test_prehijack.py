# SPDX-License-Identifier: Apache-2.0
"""Somebody who knows only the victim's address gets nothing by registering it first."""

from support import events
from support.journey import (
    confirm,
    login,
    mail_token,
    new_email,
    new_password,
    new_person,
    register,
)
from support.poll import wait_until
from support.receiver import Receiver, token_of
from support.service import Service


def test_the_victims_click_does_not_complete_the_attackers_registration(
    service: Service, receiver: Receiver
) -> None:
    """The attacker registers the victim's address; the victim clicks the link in the mail."""
    email, attackers = new_email("victim"), new_password()
    reply = service.api.post("/v1/register", {"email": email, "password": attackers})
    assert reply.status == 202
    token = mail_token(receiver, email)

    # The victim does not know the attacker's password, and types one of their own.
    body = {"token": token, "password": new_password()}
    assert service.api.post("/v1/email-verification/confirm", body).code == "invalid_credentials"

    wrong = service.api.post("/v1/login", {"email": email, "password": attackers})
    assert wrong.code == "invalid_credentials"
    assert not receiver.find(events.REGISTERED, email=email)


def test_the_victims_own_registration_wins(service: Service, receiver: Receiver) -> None:
    """Both register; the victim confirms by the mail of their own attempt."""
    victim, attackers = new_person("victim"), new_password()
    first = {"email": victim.email, "password": attackers, "name": "Attacker"}
    assert service.api.post("/v1/register", first).status == 202
    receiver.wait_for(events.VERIFICATION_REQUESTED, email=victim.email)
    register(service.api, victim, name="Victim")
    mails = wait_until(
        lambda: (
            found
            if len(found := receiver.find(events.VERIFICATION_REQUESTED, email=victim.email)) == 2
            else None
        ),
        "two mails",
    )
    assert mails[0]["subject"] != mails[1]["subject"]

    body = {"token": token_of(mails[0]["data"]["link"]), "password": victim.password}
    assert service.api.post("/v1/email-verification/confirm", body).code == "invalid_credentials"
    tokens = confirm(service.api, token_of(mails[1]["data"]["link"]), victim.password)

    user = service.api.get("/v1/me", token=tokens["access_token"]).json()
    assert (user["id"], user["name"]) == (mails[1]["subject"], "Victim")
    wrong = service.api.post("/v1/login", {"email": victim.email, "password": attackers})
    assert wrong.code == "invalid_credentials"


def test_an_older_attempt_is_worth_nothing_afterwards(service: Service, receiver: Receiver) -> None:
    """Even with both its mail and its password, which the attacker does not have together."""
    victim, attackers = new_person("victim"), new_password()
    assert (
        service.api.post("/v1/register", {"email": victim.email, "password": attackers}).status
        == 202
    )
    attack = receiver.wait_for(events.VERIFICATION_REQUESTED, email=victim.email)
    register(service.api, victim)
    own = wait_until(
        lambda: [
            mail
            for mail in receiver.find(events.VERIFICATION_REQUESTED, email=victim.email)
            if mail["id"] != attack["id"]
        ],
        "the victim's mail",
    )[0]
    confirm(service.api, token_of(own["data"]["link"]), victim.password)

    body = {"token": token_of(attack["data"]["link"]), "password": attackers}
    late = service.api.post("/v1/email-verification/confirm", body)

    assert (late.status, late.code) == (400, "invalid_token")
    login(service.api, victim)
    wrong = service.api.post("/v1/login", {"email": victim.email, "password": attackers})
    assert wrong.code == "invalid_credentials"
    assert len(receiver.find(events.REGISTERED, email=victim.email)) == 1


def test_tokens_of_two_people_cannot_be_swapped(service: Service, receiver: Receiver) -> None:
    one, two = new_person("one"), new_person("two")
    register(service.api, one)
    register(service.api, two)
    token = mail_token(receiver, one.email)
    body = {"token": token, "password": two.password}
    assert service.api.post("/v1/email-verification/confirm", body).code == "invalid_credentials"
    confirm(service.api, mail_token(receiver, two.email), two.password)
    confirm(service.api, token, one.password)
