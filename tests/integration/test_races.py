# SPDX-License-Identifier: Apache-2.0
"""The same thing at the same moment from many clients: it happens once."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
from support import events
from support.client import Api, Reply
from support.journey import confirmed_person, login, new_email, new_password, new_person, register
from support.makers import ReceiverMaker, ServiceMaker
from support.poll import wait_until
from support.receiver import Receiver, token_of
from support.service import Service

CLIENTS = 64


def _at_once(count: int, act: Callable[[int], Reply]) -> list[Reply]:
    """All of them behind one barrier; a 503 is repeated, as a client would."""
    barrier = threading.Barrier(count)

    def run(number: int) -> Reply:
        barrier.wait(timeout=30)
        return _until_served(lambda: act(number))

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def _until_served(act: Callable[[], Reply]) -> Reply:
    return wait_until(
        lambda: None if (reply := act()).status == 503 else reply, "an answer but 503", 60, 0.05
    )


def _count_users(url: str, email: str) -> int:
    with psycopg.connect(url) as connection:
        query = "SELECT count(*) FROM users WHERE email_canonical = %s"
        return connection.execute(query, [email]).fetchone()[0]


def test_64_clients_register_and_confirm_one_address(
    make_service: ServiceMaker, make_receiver: ReceiverMaker
) -> None:
    """Each attempt is its own, with its own password; one of them becomes the account."""
    receiver = make_receiver()
    service = make_service(receiver).start()
    email = new_email()
    attempts = [
        {"email": email, "password": new_password(), "locale": f"en-n{number}"}
        for number in range(CLIENTS)
    ]

    registered = _at_once(CLIENTS, lambda n: service.api.post("/v1/register", attempts[n]))
    assert {reply.status for reply in registered} == {202}
    wait_until(lambda: _count_mail_requests(service.database_url) == 0, "mail requests seen to")
    wait_until(lambda: _count_outbox(service.database_url) == 0, "mails sent")
    password_of = {attempt["locale"]: attempt["password"] for attempt in attempts}
    bodies = [
        {"token": token_of(mail["data"]["link"]), "password": password_of[mail["data"]["locale"]]}
        for mail in receiver.find(events.VERIFICATION_REQUESTED, email=email)
    ]
    assert bodies

    confirmed = _at_once(
        len(bodies), lambda n: service.api.post("/v1/email-verification/confirm", bodies[n])
    )

    statuses = Counter(reply.status for reply in confirmed)
    assert statuses == {200: 1, 400: len(bodies) - 1}
    assert _count_users(service.database_url, email) == 1
    receiver.wait_for(events.REGISTERED, email=email)
    assert len(events.first_deliveries(receiver.find(events.REGISTERED, email=email))) == 1
    winner = bodies[[reply.status for reply in confirmed].index(200)]
    reply = service.api.post("/v1/login", {"email": email, "password": winner["password"]})
    assert reply.status == 200


def _count_mail_requests(url: str) -> int:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT count(*) FROM mail_requests").fetchone()[0]


def _count_outbox(url: str) -> int:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT count(*) FROM outbox").fetchone()[0]


def test_64_clients_register_one_address_in_optional_mode(
    make_service: ServiceMaker, make_receiver: ReceiverMaker
) -> None:
    receiver = make_receiver()
    service = make_service(receiver, US_EMAIL_VERIFICATION="optional").start()
    email = new_email()

    replies = _at_once(
        CLIENTS,
        lambda n: service.api.post("/v1/register", {"email": email, "password": new_password()}),
    )

    assert Counter(reply.status for reply in replies) == {201: 1, 409: CLIENTS - 1}
    assert _count_users(service.database_url, email) == 1
    receiver.wait_for(events.REGISTERED, email=email)


def test_confirm_races_with_itself(service: Service, receiver: Receiver) -> None:
    for _ in range(10):
        person = new_person()
        register(service.api, person)
        mail = receiver.wait_for(events.VERIFICATION_REQUESTED, email=person.email)
        body = {"token": token_of(mail["data"]["link"]), "password": person.password}

        replies = _at_once(
            8, lambda _n, body=body: service.api.post("/v1/email-verification/confirm", body)
        )

        assert Counter(reply.status for reply in replies) == {200: 1, 400: 7}
        event = receiver.wait_for(events.REGISTERED, email=person.email)
        assert _count_sessions(service.database_url, event["subject"]) == 1
        assert len(receiver.find(events.REGISTERED, email=person.email)) == 1
        login(service.api, person)


def _count_sessions(url: str, subject: str) -> int:
    with psycopg.connect(url) as connection:
        query = (
            "SELECT count(*) FROM sessions s JOIN users u ON u.id = s.user_id"
            " WHERE coalesce(u.subject, u.id::text) = %s"
        )
        return connection.execute(query, [subject]).fetchone()[0]


def test_logins_of_one_user_do_not_disturb_each_other(service: Service, receiver: Receiver) -> None:
    person = confirmed_person(service.api, receiver)
    replies = _at_once(32, lambda _n: service.api.post("/v1/login", person.credentials))
    assert {reply.status for reply in replies} == {200}
    assert len({reply.json()["session_id"] for reply in replies}) == 32


def test_logout_races_with_itself(service: Service, receiver: Receiver) -> None:
    person = confirmed_person(service.api, receiver)
    token = person.tokens["access_token"]
    replies = _at_once(16, lambda _n: service.api.post("/v1/logout", token=token))
    assert {reply.status for reply in replies} == {204}
    session = person.tokens["session_id"]
    receiver.wait_for(events.SESSION_REVOKED, session_id=session)
    assert len(receiver.find(events.SESSION_REVOKED, session_id=session)) == 1


def test_patches_of_one_user_are_each_whole(service: Service, receiver: Receiver) -> None:
    person = confirmed_person(service.api, receiver)
    token, api = person.tokens["access_token"], service.api
    locales = ["en", "fr", "de", "it"]

    def change(number: int) -> Reply:
        locale = locales[number % 4]
        return api.patch("/v1/me", {"name": f"name {locale}", "locale": locale}, token=token)

    assert {reply.status for reply in _at_once(32, change)} == {200}
    user = api.get("/v1/me", token=token).json()
    assert user["name"] == f"name {user['locale']}"


def test_more_requests_than_fit_are_refused_at_once(service: Service) -> None:
    """The queue of the hash lane is bounded: 503 with Retry-After, and everything else answers."""
    probe = Api("127.0.0.1", service.port)
    stop = threading.Event()
    seen: list[int] = []

    def watch() -> None:
        while not stop.is_set():
            seen.append(probe.get("/livez").status)

    watcher = threading.Thread(target=watch)
    watcher.start()
    body = {"email": new_email(), "password": new_password()}
    barrier = threading.Barrier(256)

    def attempt(_number: int) -> Reply:
        barrier.wait(timeout=60)
        return service.api.post("/v1/register", body)

    with ThreadPoolExecutor(256) as pool:
        replies = list(pool.map(attempt, range(256)))
    stop.set()
    watcher.join()
    statuses = Counter(reply.status for reply in replies)
    assert set(statuses) <= {202, 503}
    assert statuses[202] >= 32
    assert set(seen) == {200}
