# SPDX-License-Identifier: Apache-2.0
"""Guessing passwords: how often, from where, and that nobody else suffers for it."""

import http.client
import json
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from support import events
from support.bodies import ME_PASSWORD, RESET, RESET_CONFIRM
from support.client import Reply
from support.journey import (
    Person,
    confirmed_person,
    login,
    mail_token,
    new_email,
    new_password,
    new_person,
    register,
    reset_token,
)
from support.makers import ReceiverMaker, ServiceMaker
from support.networks import TRUSTED, new_address, via
from support.poll import wait_until
from support.postgres import Cluster
from support.receiver import Receiver
from support.secret_files import SecretFiles
from support.service import Service

LOGIN = "/v1/login"
REAUTH = "/v1/me/reauth"
CONFIRM = "/v1/email-verification/confirm"


@pytest.fixture(scope="module")
def fronted(
    cluster: Cluster, secret_files: SecretFiles, log_folder: Path, receiver: Receiver
) -> Iterator[Service]:
    """A service with proxies in front, which tell the client's address."""
    maker = ServiceMaker(cluster, secret_files, log_folder)
    yield maker(receiver, **TRUSTED).start()
    maker.close()


def attempt(service: Service, email: str, password: str, address: str) -> Reply:
    body = {"email": email, "password": password}
    return service.api.post(LOGIN, body, headers=via(address))


def guess(service: Service, email: str, address: str) -> int:
    return attempt(service, email, new_password(), address).status


def face(reply: Reply) -> tuple[int, dict[str, str], bytes]:
    """All of an answer but what names the single request."""
    headers = {k: v for k, v in reply.headers.items() if k not in ("date", "x-request-id")}
    return reply.status, headers, reply.body.replace(reply.headers["x-request-id"].encode(), b"")


def query(service: Service, sql: str) -> int:
    with psycopg.connect(service.database_url) as connection:
        return connection.execute(sql).fetchone()[0]


def change(service: Service, sql: str) -> None:
    with psycopg.connect(service.database_url) as connection:
        connection.execute(sql)


def throttled(service: Service, kind: str) -> float:
    name = f'user_service_throttled_total{{kind="{kind}"}}'
    lines = [line for line in service.metrics().splitlines() if line.startswith(name)]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


def test_the_sixth_attempt_from_a_network_is_refused(service: Service, receiver: Receiver) -> None:
    """Known, unknown, pending, disabled: the same answers, whatever the password."""
    known = confirmed_person(service.api, receiver, "length-a")
    pending = new_person("length-b")
    register(service.api, pending)
    disabled = confirmed_person(service.api, receiver, "length-c")
    change(service, f"UPDATE users SET status = 'disabled' WHERE email = '{disabled.email}'")
    before = throttled(service, "network")
    faces = []
    for person in (known, pending, disabled, new_person("length-d")):
        for _ in range(5):
            reply = service.api.post(LOGIN, {"email": person.email, "password": new_password()})
            assert (reply.status, reply.code) == (401, "invalid_credentials")
        for password in (new_password(), person.password):
            body = {"email": person.email, "password": password}
            faces.append(face(service.api.post(LOGIN, body)))
    assert faces[0][0] == 429
    assert faces[0][1]["retry-after"] == "900"
    assert json.loads(faces[0][2])["code"] == "too_many_attempts"
    assert all(one == faces[0] for one in faces)
    assert throttled(service, "network") - before == 8
    login(service.api, confirmed_person(service.api, receiver))  # others come from there as before


def test_all_places_that_check_a_password_share_the_count(
    service: Service, receiver: Receiver
) -> None:
    person = confirmed_person(service.api, receiver)
    token, wrong = person.tokens["access_token"], new_password()
    change_body = {"current_password": wrong, "new_password": new_password()}
    replies = [
        service.api.post(LOGIN, {"email": person.email, "password": wrong}),
        service.api.post(REAUTH, {"password": wrong}, token=token),
        service.api.post(REAUTH, {"password": wrong}, token=token),
        service.api.post(ME_PASSWORD, change_body, token=token),
        service.api.post(ME_PASSWORD, change_body, token=token),
    ]
    assert {reply.status for reply in replies} == {401}
    right = {"current_password": person.password, "new_password": new_password()}
    refused = [
        service.api.post(LOGIN, person.credentials),
        service.api.post(REAUTH, {"password": person.password}, token=token),
        service.api.post(ME_PASSWORD, right, token=token),
    ]
    assert {(reply.status, reply.code) for reply in refused} == {(429, "too_many_attempts")}


def test_the_confirmation_counts_too(service: Service, receiver: Receiver) -> None:
    person = new_person()
    register(service.api, person)
    body = {"token": mail_token(receiver, person.email), "password": new_password()}
    for _ in range(5):
        assert service.api.post(CONFIRM, body).status == 401
    body["password"] = person.password
    assert service.api.post(CONFIRM, body).status == 429
    change(service, "UPDATE throttle SET until = until - interval '15 min'")
    assert service.api.post(CONFIRM, body).status == 200


def test_a_success_ends_the_count(service: Service, receiver: Receiver) -> None:
    person = confirmed_person(service.api, receiver)
    for _ in range(3):
        for _ in range(4):
            body = {"email": person.email, "password": new_password()}
            assert service.api.post(LOGIN, body).status == 401
        login(service.api, person)
    reply = service.api.post(REAUTH, {"password": new_password()}, token=_token(service, person))
    assert reply.status == 401


def _token(service: Service, person: Person) -> str:
    return login(service.api, person)["access_token"]


def test_from_a_thousand_networks_a_hundred_guesses(fronted: Service, receiver: Receiver) -> None:
    """After them the user still gets in, from where they have come before; others as ever."""
    home, person = new_address(), confirmed_person(fronted.api, receiver)
    assert attempt(fronted, person.email, person.password, home).status == 200
    unknown = new_email()
    for email in (person.email, unknown):
        statuses = Counter(guess(fronted, email, new_address()) for _ in range(1000))
        assert statuses == {401: 100, 429: 900}
    faces = [
        face(attempt(fronted, email, person.password, new_address()))
        for email in (person.email, unknown)
    ]
    assert faces[0][0] == 429
    assert faces[0] == faces[1]
    neighbour = home.rsplit(".", 1)[0] + ".200"
    assert attempt(fronted, person.email, person.password, neighbour).status == 200
    # That ended the row of failures: the attacker has its hundred again, and no more.
    statuses = Counter(guess(fronted, person.email, new_address()) for _ in range(150))
    assert statuses == {401: 100, 429: 50}
    assert attempt(fronted, person.email, person.password, home).status == 200
    other = confirmed_person(fronted.api, receiver)
    assert attempt(fronted, other.email, other.password, new_address()).status == 200


def test_who_is_locked_out_gets_in_by_a_reset(fronted: Service, receiver: Receiver) -> None:
    """From a network that was never seen before, with the attack going on."""
    person, away = confirmed_person(fronted.api, receiver), new_address()
    for _ in range(100):
        assert guess(fronted, person.email, new_address()) == 401
    assert attempt(fronted, person.email, person.password, away).status == 429
    body = {
        "token": reset_token(fronted.api, receiver, person.email),
        "new_password": new_password(),
    }
    assert fronted.api.post(RESET_CONFIRM, body, headers=via(away)).status == 204
    for _ in range(100):
        assert guess(fronted, person.email, new_address()) == 401
    assert guess(fronted, person.email, new_address()) == 429
    assert attempt(fronted, person.email, body["new_password"], away).status == 200


def test_a_network_has_sixty_requests_a_minute(fronted: Service, receiver: Receiver) -> None:
    """10,000 addresses from one of them; nobody else is held up, and no user is locked."""
    victims = [confirmed_person(fronted.api, receiver) for _ in range(3)]
    address = new_address()
    emails = [victim.email for victim in victims] + [new_email() for _ in range(9997)]
    host = address.rsplit(".", 1)[0]
    statuses: Counter[int] = Counter()
    connection = http.client.HTTPConnection("127.0.0.1", fronted.port, timeout=30)
    for number, email in enumerate(emails):
        body = json.dumps({"email": email, "password": "Pw-not-the-right-one"})
        headers = {"Content-Type": "application/json", **via(f"{host}.{number % 250 + 1}")}
        connection.request("POST", LOGIN, body=body, headers=headers)
        answer = connection.getresponse()
        answer.read()
        statuses[answer.status] += 1
        if number == 200:
            assert statuses == {401: 60, 429: 141}
            assert 0 < int(answer.headers["Retry-After"]) <= 60
    connection.close()
    assert statuses[401] <= 120  # the run may see a second minute begin
    assert statuses[401] + statuses[429] == 10000
    for victim in victims:
        assert attempt(fronted, victim.email, victim.password, new_address()).status == 200
    # The other routes that hash or mail are limited with it; what costs little is not.
    reply = fronted.api.post(RESET, {"email": new_email()}, headers=via(address))
    assert reply.code == "too_many_attempts"
    body = {"refresh_token": victims[0].tokens["refresh_token"]}
    assert fronted.api.post("/v1/refresh", body, headers=via(address)).status == 200
    assert throttled(fronted, "rate") > 9000


def test_without_proxies_the_header_is_nobody_s_word(service: Service, receiver: Receiver) -> None:
    person = confirmed_person(service.api, receiver)
    for _ in range(5):
        assert guess(service, person.email, new_address()) == 401
    assert attempt(service, person.email, person.password, new_address()).status == 429
    warnings = [r["message"] for r in service.log_records() if r["level"] == "warn"]
    assert sum("US_TRUSTED_PROXIES is not set" in text for text in warnings) == 1
    statuses = {service.api.post(RESET, {"email": new_email()}).status for _ in range(80)}
    assert statuses == {202}


@pytest.mark.parametrize(
    ("header", "client"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("198.51.100.1, 203.0.113.9, 10.1.2.3", "203.0.113.9"),
        ("203.0.113.9:4711", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:DB8::5, 10.0.0.1", "2001:db8::5"),
        ("203.0.113.9, rubbish", "127.0.0.1"),
        ("203.0.113.9, <script>, 10.0.0.1", "10.0.0.1"),
    ],
)
def test_the_client_is_the_right_most_hop_that_is_no_proxy(
    fronted: Service, receiver: Receiver, header: str, client: str
) -> None:
    person = confirmed_person(fronted.api, receiver)
    reply = fronted.api.post(LOGIN, person.credentials, headers=via(header))
    sessions = fronted.api.get("/v1/me/sessions", token=reply.json()["access_token"]).json()
    assert [s["ip"] for s in sessions["items"] if s["current"]] == [client]
    request = reply.headers["x-request-id"]
    records = wait_until(
        lambda: [r for r in fronted.log_records() if r.get("request_id") == request], "log line"
    )
    assert records[0]["network.client.ip"] == client


def test_a_header_that_comes_twice_is_one_list(fronted: Service, receiver: Receiver) -> None:
    person = confirmed_person(fronted.api, receiver)
    connection = http.client.HTTPConnection("127.0.0.1", fronted.port, timeout=30)
    body = json.dumps(person.credentials).encode()
    connection.putrequest("POST", LOGIN)
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(len(body)))
    connection.putheader("X-Forwarded-For", "198.51.100.1")  # the client's own
    connection.putheader("x-forwarded-for", "203.0.113.9")
    connection.endheaders(body)
    assert connection.getresponse().status == 200
    connection.close()
    sql = "SELECT count(*) FROM sessions WHERE ip = '203.0.113.9' AND user_id = (SELECT id FROM"
    assert query(fronted, f"{sql} users WHERE email = '{person.email}')") == 1


def test_three_replicas_count_as_one(
    make_service: ServiceMaker, make_receiver: ReceiverMaker
) -> None:
    """Hammered at once: five guesses and not one more are answered; a restart forgets nothing."""
    receiver = make_receiver()
    first = make_service(receiver, **TRUSTED).start()
    replicas = [first] + [
        make_service(receiver, first.database_url, US_PUBLIC_URL=first.url, **TRUSTED).start()
        for _ in range(2)
    ]
    person = confirmed_person(first.api, receiver)
    address = new_address()
    for email in (person.email, new_email()):
        statuses = _hammer(replicas, email, lambda _n: address, 45)
        assert statuses == {401: 5, 429: 40}
    # From a network each: a hundred in all, five of which have been.
    statuses = _hammer(replicas, person.email, lambda _n: new_address(), 150)
    assert statuses == {401: 95, 429: 55}

    for replica in replicas:
        replica.stop()
        replica.start()
    assert guess(first, person.email, address) == 429
    assert guess(first, person.email, new_address()) == 429


def _hammer(replicas: list[Service], email: str, address_of, count: int) -> Counter[int]:
    barrier = threading.Barrier(15)

    def run(worker: int) -> list[int]:
        barrier.wait(timeout=30)
        return [
            _served(replicas[worker % 3], email, address_of(number))
            for number in range(worker, count, 15)
        ]

    with ThreadPoolExecutor(15) as pool:
        return Counter(status for statuses in pool.map(run, range(15)) for status in statuses)


def _served(service: Service, email: str, address: str) -> int:
    """A 503 has checked nothing."""
    return wait_until(
        lambda: None if (status := guess(service, email, address)) == 503 else status, "answer", 30
    )


def test_guesses_at_once_do_not_hide_a_right_one(
    make_service: ServiceMaker, make_receiver: ReceiverMaker
) -> None:
    """The right password among many wrong ones: before it come five of them at most."""
    receiver = make_receiver()
    first = make_service(receiver, **TRUSTED).start()
    second = make_service(receiver, first.database_url, US_PUBLIC_URL=first.url, **TRUSTED).start()
    for _ in range(5):
        person, address = confirmed_person(first.api, receiver), new_address()
        passwords = [new_password() for _ in range(20)]
        passwords[10] = person.password
        tries = [
            ((first, second)[number % 2], person.email, password, address)
            for number, password in enumerate(passwords)
        ]
        with ThreadPoolExecutor(8) as pool:
            statuses = Counter(pool.map(lambda one: attempt(*one).status, tries))
        assert statuses[200] <= 1
        assert statuses[401] <= (10 if statuses[200] else 5)
        assert set(statuses) <= {200, 401, 429}


def test_mails_that_anybody_may_ask_for_are_limited(
    make_service: ServiceMaker, make_receiver: ReceiverMaker
) -> None:
    """Three an hour and ten a day, over all kinds; the answers never tell."""
    receiver = make_receiver()
    service = make_service(receiver).start()
    person = confirmed_person(service.api, receiver)  # one mail of the first hour
    kinds = {
        RESET: {"email": person.email},
        "/v1/register": {"email": person.email, "password": new_password()},
        "/v1/email-verification": {"email": person.email},  # verified: nothing to send, no count
    }
    sent = 1
    for added in (2, 3, 3, 1, 0):
        faces = {path: [] for path in kinds}
        for _ in range(3):
            for path, body in kinds.items():
                faces[path].append(face(service.api.post(path, body)))
        assert all(one == answers[0] for answers in faces.values() for one in answers)
        assert {answers[0][0] for answers in faces.values()} == {202}
        sent += added
        _settle(service)
        assert _mails(receiver, person) == sent
        change(
            service,
            "UPDATE mail_counts SET sent ="
            " ARRAY(SELECT s - interval '61 min' FROM unnest(sent) AS s)",
        )
    assert throttled(service, "mail") == 5 * 6 - 9
    other = confirmed_person(service.api, receiver)
    reset_token(service.api, receiver, other.email)
    # What the service has to tell by itself comes all the same.
    tokens = login(service.api, person)
    body = {"current_password": person.password, "new_password": new_password()}
    assert service.api.post(ME_PASSWORD, body, token=tokens["access_token"]).status == 200
    receiver.wait_for(events.PASSWORD_CHANGED, email=person.email)


def _settle(service: Service) -> None:
    for table in ("mail_requests", "outbox"):
        sql = f"SELECT count(*) FROM {table}"
        wait_until(lambda sql=sql: query(service, sql) == 0, f"{table} empty", 20)


def _mails(receiver: Receiver, person: Person) -> int:
    kinds = (
        events.VERIFICATION_REQUESTED,
        events.PASSWORD_RESET_REQUESTED,
        events.REGISTRATION_REPEATED,
    )
    found = [mail for kind in kinds for mail in receiver.find(kind, email=person.email)]
    return len(events.first_deliveries(found))


def test_nothing_in_the_tables_names_anybody(fronted: Service, receiver: Receiver) -> None:
    person = confirmed_person(fronted.api, receiver)
    guess(fronted, person.email, new_address())
    sql = (
        "SELECT count(*) FROM (SELECT key, t::text AS row FROM throttle t UNION ALL"
        " SELECT key, t::text FROM known_networks t UNION ALL"
        " SELECT key, t::text FROM mail_counts t) AS rows"
        " WHERE position('example'::bytea IN key) > 0 OR row LIKE '%@%'"
    )
    assert query(fronted, "SELECT count(*) FROM throttle") > 0
    assert query(fronted, sql) == 0
