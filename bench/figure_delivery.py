# SPDX-License-Identifier: Apache-2.0
"""From commit to the receiver, with a PostgreSQL that syncs each commit to the disk.

An event's `time` is taken just before the commit, so receipt minus `time` is more than the figure.
"""

import time
from datetime import datetime

from measure import Spread, percentile
from support.events import SESSION_CREATED
from support.poll import wait_until
from support.receiver import Attempt, Receiver
from table import Row
from world import CHEAP_HASH, Client, World

ROUNDS = 5
EVENTS_A_ROUND = 80


def measure(world: World) -> list[Row]:
    receiver = Receiver(world.secrets.webhook_secrets)
    receiver.up()
    settings = {"US_NOTIFICATION_URL": receiver.url, "US_EVENTS": "session.created"}
    try:
        with world.service(**settings, **CHEAP_HASH) as service:
            client = Client(service)
            person = client.register()
            _one(receiver, client, person)  # the connection to the receiver is kept from here on
            rounds = [
                [_one(receiver, client, person) for _ in range(EVENTS_A_ROUND)]
                for _ in range(ROUNDS)
            ]
            client.close()
    finally:
        receiver.down()
    receiver.check()
    return _rows(rounds)


def _rows(rounds: list[list[tuple[float, float]]]) -> list[Row]:
    commit = [[since_commit for since_commit, _ in one] for one in rounds]
    answer = [[since_answer for _, since_answer in one] for one in rounds]
    return [
        Row("commit to receiver, p50", _over(commit, 0.50), "ms", digits=1, bound=10),
        Row("commit to receiver, p99", _over(commit, 0.99), "ms", digits=1, bound=50),
        Row("client's answer to receiver, p50", _over(answer, 0.50), "ms", digits=1),
    ]


def _over(rounds: list[list[float]], share: float) -> Spread:
    """The percentile over all, and its range over the rounds."""
    every = percentile([value for one in rounds for value in one], share)
    each = [percentile(one, share) for one in rounds]
    return Spread(every, min(each), max(each))


def _one(receiver: Receiver, client: Client, person: dict[str, str]) -> tuple[float, float]:
    """Milliseconds from the event's time, and from the client's answer, to the receipt."""
    before = len(_logins(receiver))
    client.login(person)
    answered = time.monotonic()
    wait_until(lambda: len(_logins(receiver)) > before, SESSION_CREATED, interval_s=0.002)
    attempt = _logins(receiver)[-1]
    return _since_commit_s(attempt) * 1e3, (attempt.at - answered) * 1e3


def _logins(receiver: Receiver) -> list[Attempt]:
    """Without the mails, which are sent in any case."""
    return [a for a in receiver.attempts if a.event["type"] == SESSION_CREATED]


def _since_commit_s(attempt: Attempt) -> float:
    received = time.time() - (time.monotonic() - attempt.at)
    return received - datetime.fromisoformat(attempt.event["time"]).timestamp()
