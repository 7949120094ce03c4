# SPDX-License-Identifier: Apache-2.0
"""The receiver misbehaves in every way it can: nothing is lost, nothing reordered, nobody waits."""

import itertools
import random
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from support import events
from support.journey import Person, login, new_person
from support.makers import ReceiverMaker, ServiceMaker
from support.poll import wait_until
from support.receiver import ACCEPT, Answer, Attempt, Receiver, Script
from support.service import Service

_BACK_S = 60.0


@pytest.fixture
def target(make_receiver: ReceiverMaker) -> Receiver:
    return make_receiver()


@pytest.fixture
def shop(make_service: ServiceMaker, target: Receiver) -> Service:
    """Accounts without a mail to wait for, so that it works while nobody takes events."""
    return make_service(target, US_EMAIL_VERIFICATION="optional").start()


def _tries(target: Receiver, email: str | None = None) -> list[Attempt]:
    """Attempts to tell of a new account, mails aside."""
    return [
        attempt
        for attempt in target.attempts
        if attempt.event["type"] == events.REGISTERED
        and email in (None, attempt.event["data"]["email"])
    ]


def _first_times(count: int, answer: Answer) -> Script:
    """`answer` to the first `count` attempts to tell of an account; all else is accepted."""
    numbers = itertools.count(1)

    def script(event: dict[str, Any]) -> Answer:
        if event["type"] != events.REGISTERED:
            return ACCEPT
        return answer if next(numbers) <= count else ACCEPT

    return script


def _register(service: Service, count: int) -> list[Person]:
    """Accounts; none of the requests may be slowed down by what the receiver does."""
    people = [new_person() for _ in range(count)]
    for person in people:
        started = time.monotonic()
        assert service.api.post("/v1/register", person.credentials).status == 201
        assert time.monotonic() - started < 2.0
    return people


def _log_in_and_out(service: Service, person: Person) -> None:
    tokens = login(service.api, person)
    assert service.api.post("/v1/logout", token=tokens["access_token"]).status == 204


def _all_told(receiver: Receiver, people: list[Person], deadline_s: float = _BACK_S) -> None:
    """Each account's event came, once after de-duplication, and in order."""
    emails = {person.email for person in people}

    def missing() -> set[str]:
        return emails - {e["data"]["email"] for e in receiver.accepted(events.REGISTERED)}

    wait_until(lambda: not missing(), f"registered events of all {len(emails)}", deadline_s)
    told = events.first_deliveries(receiver.accepted(events.REGISTERED))
    assert len([e for e in told if e["data"]["email"] in emails]) == len(emails)
    events.check_order(receiver.accepted())


def _outbox(service: Service, column: str = "count(*)") -> Any:
    with psycopg.connect(service.database_url) as connection:
        return connection.execute(f"SELECT {column} FROM outbox").fetchone()[0]


def _wait_delivered(service: Service, deadline_s: float = _BACK_S) -> None:
    wait_until(lambda: _outbox(service) == 0, "outbox empty", deadline_s, 0.05)


def test_delivered_is_forgotten_and_quick(shop: Service, target: Receiver) -> None:
    for _ in range(20):
        started = time.monotonic()
        (person,) = _register(shop, 1)
        target.wait_for(events.REGISTERED, email=person.email)
        assert time.monotonic() - started < 1.0
    _wait_delivered(shop)
    assert len(_tries(target)) == 20


def test_down_for_a_while(shop: Service, target: Receiver) -> None:
    target.down()
    people = _register(shop, 20)
    _log_in_and_out(shop, people[0])
    assert shop.is_ready()
    target.up()
    _all_told(target, people)
    target.wait_for(events.SESSION_REVOKED, _BACK_S)
    _wait_delivered(shop)


def test_down_at_start(make_service: ServiceMaker, target: Receiver) -> None:
    target.down()
    shop = make_service(target, US_EMAIL_VERIFICATION="optional").start()
    people = _register(shop, 5)
    target.up()
    _all_told(target, people)


def test_fails_a_few_times(shop: Service, target: Receiver) -> None:
    """One user's event is answered by each of these three times."""
    people = {status: new_person(f"fails-{status}") for status in (500, 502, 503, 504, 408, 429)}
    left = {person.email: [Answer(status=status)] * 3 for status, person in people.items()}

    def script(event: dict[str, Any]) -> Answer:
        answers = left.get(event["data"]["email"])
        return answers.pop() if event["type"] == events.REGISTERED and answers else ACCEPT

    target.script(script)
    for person in people.values():
        assert shop.api.post("/v1/register", person.credentials).status == 201
    _all_told(target, list(people.values()))
    for person in people.values():
        tries = _tries(target, person.email)
        assert len(tries) == 4
        assert len({attempt.event["id"] for attempt in tries}) == 1


def test_retry_after_is_kept(shop: Service, target: Receiver) -> None:
    target.script(_first_times(1, Answer(status=429, headers={"Retry-After": "3"})))
    people = _register(shop, 1)
    _all_told(target, people)
    first, second = _tries(target)
    assert 2.9 <= second.at - first.at <= 15


@pytest.mark.parametrize("status", [401, 403, 410])
def test_the_endpoints_fault_counts_no_attempt(
    shop: Service, target: Receiver, status: int
) -> None:
    """The circuit opens; when the endpoint takes events again, every one of them comes."""
    target.answer(Answer(status=status))
    people = _register(shop, 5)
    wait_until(lambda: target.attempts, "an attempt")
    time.sleep(3)  # long enough for several tries; what counts is that none of them is counted
    assert _outbox(shop) == 10  # an event and a mail each
    target.answer()
    _all_told(target, people)
    _wait_delivered(shop)


def test_redirects_are_not_followed(
    shop: Service, target: Receiver, make_receiver: ReceiverMaker
) -> None:
    elsewhere = make_receiver()
    statuses = iter([301, 302, 307, 308])

    def script(_event: dict[str, Any]) -> Answer:
        status = next(statuses, None)
        return Answer(status=status, headers={"Location": elsewhere.url}) if status else ACCEPT

    target.script(script)
    people = _register(shop, 1)
    _all_told(target, people)
    assert elsewhere.attempts == []


def test_slow_answers_slow_nobody_down(shop: Service, target: Receiver) -> None:
    target.answer(Answer(delay_s=2.0))
    people = _register(shop, 40)
    _all_told(target, people)


def test_an_answer_that_takes_for_ever_is_given_up(shop: Service, target: Receiver) -> None:
    target.script(_first_times(1, Answer(delay_s=45)))
    people = _register(shop, 3)
    _all_told(target, people, 90)


def test_a_huge_answer_is_not_kept(make_service: ServiceMaker, target: Receiver) -> None:
    """One small hash buffer, so that it does not hide what is measured."""
    settings = {"US_HASH_THREADS": "1", "US_ARGON2_MEMORY_KIB": "7168"}
    shop = make_service(target, US_EMAIL_VERIFICATION="optional", **settings).start()
    _register(shop, 1)
    before = _private_kib(shop)
    target.answer(Answer(status=200, body_bytes=64 * 1024 * 1024))
    people = _register(shop, 3)
    wait_until(lambda: len(target.attempts) >= 4, "attempts", 30)
    target.answer()
    _all_told(target, people)
    _wait_delivered(shop)
    assert _private_kib(shop) - before < 16 * 1024


def _private_kib(service: Service) -> int:
    assert service.process is not None
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("RssAnon")).split()[1])


@pytest.mark.parametrize(
    "answer", [Answer(close=True), Answer(status=200, body_bytes=10, close=True)]
)
def test_the_receiver_closes_after_its_answer(
    shop: Service, target: Receiver, answer: Answer
) -> None:
    target.answer(answer)
    people = _register(shop, 20)
    _all_told(target, people)
    assert len(_tries(target)) == 20


def test_a_delivery_without_an_answer_comes_again(shop: Service, target: Receiver) -> None:
    target.script(_first_times(2, Answer(reset=True)))
    people = _register(shop, 1)
    _all_told(target, people)
    assert len({attempt.headers["webhook-id"] for attempt in _tries(target)}) == 1
    stamps = [int(attempt.headers["webhook-timestamp"]) for attempt in _tries(target)]
    assert stamps == sorted(stamps)


def test_refused_three_times_is_dead(shop: Service, target: Receiver) -> None:
    """Three events are refused; those of other users come, and the dead ones are kept."""
    refused = {status: new_person(f"refused-{status}") for status in (400, 404, 422)}
    answers = {person.email: Answer(status=status) for status, person in refused.items()}

    def script(event: dict[str, Any]) -> Answer:
        is_account = event["type"] == events.REGISTERED
        return answers.get(event["data"]["email"], ACCEPT) if is_account else ACCEPT

    target.script(script)
    for person in refused.values():
        assert shop.api.post("/v1/register", person.credentials).status == 201
    _all_told(target, _register(shop, 5))
    wait_until(lambda: all(len(_tries(target, e)) == 3 for e in answers), "three tries each", 90)
    wait_until(lambda: shop.metric("user_service_outbox_dead") == 3, "three dead letters", 30)
    assert all(len(_tries(target, email)) == 3 for email in answers)
    assert _outbox(shop) == 3


def test_order_holds_while_the_receiver_flaps(make_service: ServiceMaker, target: Receiver) -> None:
    chance = random.Random(7)
    target.script(lambda _event: chance.choice([ACCEPT, ACCEPT, Answer(500), Answer(reset=True)]))
    chosen = "user.registered,session.created,session.revoked"
    shop = make_service(target, US_EMAIL_VERIFICATION="optional", US_EVENTS=chosen).start()
    people = _register(shop, 10)

    def live(person: Person) -> None:
        for _ in range(3):
            _log_in_and_out(shop, person)

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(live, people))
    target.answer()
    _wait_delivered(shop, 120)
    _all_told(target, people)
    told = events.first_deliveries(target.accepted())
    assert len([e for e in told if e["type"] == events.SESSION_CREATED]) == 30
    assert len([e for e in told if e["type"] == events.SESSION_REVOKED]) == 30
    by_user: dict[str, list[str]] = {}
    for event in told:
        if event["type"] != events.VERIFICATION_REQUESTED:
            by_user.setdefault(event["subject"], []).append(event["type"])
    one_login = [events.SESSION_CREATED, events.SESSION_REVOKED]
    assert set(map(tuple, by_user.values())) == {(events.REGISTERED, *one_login * 3)}


def test_two_replicas_share_the_work(make_service: ServiceMaker, target: Receiver) -> None:
    settings = {"US_EMAIL_VERIFICATION": "optional", "US_PUBLIC_URL": "http://two.example"}
    one = make_service(target, **settings).start()
    two = make_service(target, database_url=one.database_url, **settings).start()
    target.answer(Answer(delay_s=0.05))
    people = _register(one, 20) + _register(two, 20)
    _all_told(target, people)
    _wait_delivered(one)
    assert len(_tries(target)) == 40


def test_a_backlog_outlives_the_service(make_service: ServiceMaker, target: Receiver) -> None:
    target.down()
    settings = {"US_EMAIL_VERIFICATION": "optional", "US_PUBLIC_URL": "http://later.example"}
    before = make_service(target, **settings).start()
    people = _register(before, 30)
    before.stop()
    target.up()
    make_service(target, database_url=before.database_url, **settings).start()
    _all_told(target, people)


def test_a_mail_does_not_wait_for_other_events(shop: Service, target: Receiver) -> None:
    """It is in no order with the rest: a stuck event does not keep it back."""
    target.script(lambda e: Answer(500) if e["type"] == events.REGISTERED else ACCEPT)
    people = _register(shop, 3)
    for person in people:
        target.wait_for(events.VERIFICATION_REQUESTED, email=person.email)
    assert not target.accepted(events.REGISTERED)
    target.answer()
    _all_told(target, people)
