# SPDX-License-Identifier: Apache-2.0
"""Nobody learns who has an account: answers alike byte by byte, and in the time they take.

The clocked requests alternate between known and unknown addresses in random order, on a service of
its own with the default cost of a hash. What is reported is the area under the ROC curve: the
chance to tell a pair apart by its times.
"""

import json
import random
import socket
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from support.client import Reply
from support.clients import claims_of
from support.journey import (
    Person,
    confirmed_person,
    new_email,
    new_password,
    new_person,
    register,
)
from support.makers import ServiceMaker
from support.mfa import pretend
from support.postgres import Cluster
from support.raw_case import HOST, JSON, message
from support.raw_http import connect, read_one
from support.receiver import Receiver
from support.secret_files import SecretFiles
from support.service import Service
from support.stats import report, roc_auc

PAIRS = 2000
# So that no address meets its throttle (5 failures in 15 minutes).
PAIRS_AN_ADDRESS = 4
WARM_UP = 52
ADDRESSES = (PAIRS + WARM_UP) // PAIRS_AN_ADDRESS
BOUNDS = (0.45, 0.55)


def _face(reply: Reply) -> tuple[int, dict[str, str], bytes]:
    """All of an answer but what names the single request."""
    varying = ("date", "x-request-id")
    headers = {name: value for name, value in reply.headers.items() if name not in varying}
    request_id = reply.headers["x-request-id"].encode()
    return reply.status, headers, reply.body.replace(request_id, b"")


def _kinds(service: Service, receiver: Receiver) -> list[Person]:
    known = confirmed_person(service.api, receiver, "same-length-a")
    pending = new_person("same-length-b")
    register(service.api, pending)
    return [known, pending, new_person("same-length-c")]


def test_login_answers_are_alike(service: Service, receiver: Receiver) -> None:
    """Known with a wrong password, with a second factor or without, pending and disabled with their
    right one, unknown."""
    known, pending, unknown = _kinds(service, receiver)
    disabled = confirmed_person(service.api, receiver, "same-length-d")
    with psycopg.connect(service.database_url) as connection:
        connection.execute(
            "UPDATE users SET status = 'disabled' WHERE email_canonical = %s", [disabled.email]
        )
    wrong = {"email": known.email, "password": new_password()}
    guarded = confirmed_person(service.api, receiver, "same-length-e")
    pretend(service, claims_of(guarded.tokens["access_token"])["sub"])
    asked = {"email": guarded.email, "password": new_password()}
    faces = [
        _face(service.api.post("/v1/login", body))
        for body in (wrong, asked, pending.credentials, unknown.credentials, disabled.credentials)
    ]
    assert faces[0][0] == 401
    assert all(face == faces[0] for face in faces)


@pytest.mark.parametrize("path", ["/v1/register", "/v1/email-verification", "/v1/password-reset"])
def test_mail_answers_are_alike(service: Service, receiver: Receiver, path: str) -> None:
    faces = []
    for person in _kinds(service, receiver):
        body = {"email": person.email}
        if path == "/v1/register":
            body["password"] = new_password()
        faces += [_face(service.api.post(path, body)) for _ in range(5)]
    assert faces[0][0] == 202
    assert all(face == faces[0] for face in faces)


@pytest.fixture(scope="module")
def clocked(
    cluster: Cluster, secret_files: SecretFiles, log_folder: Path, receiver: Receiver
) -> Iterator[Service]:
    maker = ServiceMaker(cluster, secret_files, log_folder)
    # One worker stays below its share of the CPU, so that pacing does not stand in the times.
    yield maker(receiver, US_HASH_THREADS="1").start()
    maker.close()


@pytest.fixture(scope="module")
def known(clocked: Service, receiver: Receiver) -> list[str]:
    """Addresses of accounts; every other one has a second factor."""
    with ThreadPoolExecutor(8) as pool:
        people = list(
            pool.map(
                lambda _n: confirmed_person(clocked.api, receiver, "clocked-k"), range(ADDRESSES)
            )
        )
    for person in people[::2]:
        pretend(clocked, claims_of(person.tokens["access_token"])["sub"])
    return [person.email for person in people]


@pytest.fixture(scope="module")
def unknown() -> list[str]:
    """As many and as long, of nobody."""
    return [new_email("clocked-u") for _ in range(ADDRESSES)]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "path", ["/v1/login", "/v1/register", "/v1/email-verification", "/v1/password-reset"]
)
def test_answers_take_equal_time(
    clocked: Service, known: list[str], unknown: list[str], path: str
) -> None:
    with_password = path in ("/v1/login", "/v1/register")
    members = {"password": new_password()} if with_password else {}
    status = 401 if path == "/v1/login" else 202
    times: dict[str, list[float]] = {"known": [], "unknown": []}
    chance = random.Random(path)
    with connect(clocked.port) as sock:
        for number in range(-WARM_UP, PAIRS):
            index = (number + WARM_UP) // PAIRS_AN_ADDRESS
            pair = [("known", known[index]), ("unknown", unknown[index])]
            chance.shuffle(pair)
            for kind, email in pair:
                took = _clock(sock, path, {"email": email, **members}, status)
                if number >= 0:  # those before warm caches up
                    times[kind].append(took)
    auc = roc_auc(times["known"], times["unknown"])
    medians = {kind: f"{statistics.median(values) * 1e6:.0f} us" for kind, values in times.items()}
    report(f"{path}: ROC-AUC {auc:.3f} over {PAIRS} pairs, medians {medians}")
    assert BOUNDS[0] <= auc <= BOUNDS[1], medians


@pytest.mark.timeout(300)
def test_refusals_take_equal_time(clocked: Service, known: list[str], unknown: list[str]) -> None:
    """Of addresses that have met their throttle; some have an account."""
    addresses = {"known": known[:20], "unknown": unknown[:20]}
    password = new_password()
    times: dict[str, list[float]] = {"known": [], "unknown": []}
    chance = random.Random("refused")
    for email in addresses["known"] + addresses["unknown"]:
        _use_up(clocked, email)
    with connect(clocked.port) as sock:
        for number in range(-WARM_UP, PAIRS):
            pair = [(kind, emails[number % 20]) for kind, emails in addresses.items()]
            chance.shuffle(pair)
            for kind, email in pair:
                took = _clock(sock, "/v1/login", {"email": email, "password": password}, 429)
                if number >= 0:
                    times[kind].append(took)
    auc = roc_auc(times["known"], times["unknown"])
    report(f"/v1/login, refused: ROC-AUC {auc:.3f} over {PAIRS} pairs")
    assert BOUNDS[0] <= auc <= BOUNDS[1]


def _use_up(service: Service, email: str) -> None:
    body = {"email": email, "password": new_password()}
    for _ in range(6):
        status = service.api.post("/v1/login", body).status
    assert status == 429


def _clock(sock: socket.socket, path: str, value: dict[str, str], status: int) -> float:
    body = json.dumps(value).encode()
    data = message(
        f"POST {path} HTTP/1.1".encode(),
        *(HOST, JSON, b"Content-Length: %d" % len(body)),
        body=body,
    )
    started = time.perf_counter()
    sock.sendall(data)
    answer = read_one(sock)
    took = time.perf_counter() - started
    assert answer.status == status, answer
    return took
