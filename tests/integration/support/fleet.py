# SPDX-License-Identifier: Apache-2.0
"""Several replicas over one database, and what each of them thinks of a token."""

import threading
from dataclasses import dataclass
from typing import Any

import psycopg

from .client import Api
from .journey import Person, login, new_person
from .makers import ServiceMaker
from .poll import wait_until
from .service import Service

VERIFY = "/v1/auth/verify"
# A revocation is to be seen within a second; the rest is for a busy machine.
SEEN_S = 5.0

_FEED = "query LIKE '%pg_current_snapshot%' AND query NOT LIKE '%pg_stat_activity%'"
_SETTINGS = {
    "US_PUBLIC_URL": "http://replicas.example",
    "US_EMAIL_VERIFICATION": "optional",
    "US_EVENTS": "user.verified",
    "US_ARGON2_MEMORY_KIB": "7168",
    "US_ARGON2_PASSES": "1",
}


@dataclass(frozen=True)
class Session:
    """One that a person has opened."""

    id: str
    access_token: str
    refresh_token: str


class Fleet:
    """Replicas that are ready, and a person who logs in. Thread-safe but for `add`."""

    def __init__(
        self, make: ServiceMaker, count: int, database_url: str | None = None, **settings: str
    ) -> None:
        self._make = make
        self._settings = _SETTINGS | settings
        self._local = threading.local()
        self.database_url = database_url
        self.replicas: list[Service] = []
        for _ in range(count):
            self.add()
        self.person: Person = new_person()
        assert self.first.api.post("/v1/register", self.person.credentials).status == 201

    @property
    def first(self) -> Service:
        return self.replicas[0]

    def add(self) -> Service:
        made = self._make(database_url=self.database_url, **self._settings).start()
        self.database_url = made.database_url
        self.replicas.append(made)
        return made

    def open(self) -> Session:
        tokens = login(self.first.api, self.person)
        return Session(tokens["session_id"], tokens["access_token"], tokens["refresh_token"])

    def status(self, replica: Service, session: Session) -> int:
        """What a gateway is told of it."""
        # Without a look at the contract for each of thousands of polls.
        apis = self._local.__dict__.setdefault("apis", {})
        api = apis.setdefault(replica.port, Api("127.0.0.1", replica.port, checked=False))
        return api.get(VERIFY, token=session.access_token).status

    def statuses(self, session: Session) -> list[int]:
        return [self.status(replica, session) for replica in self.replicas]

    def wait_seen(self, session: Session) -> None:
        """Until all refuse it. Never anything but 200 and 401 meanwhile."""

        def refused() -> bool:
            statuses = self.statuses(session)
            assert set(statuses) <= {200, 401}, statuses
            return set(statuses) == {401}

        wait_until(refused, f"session {session.id} refused by all", SEEN_S)

    def connect(self, autocommit: bool = True) -> psycopg.Connection[Any]:
        assert self.database_url is not None
        return psycopg.connect(self.database_url, autocommit=autocommit)


def cut_feeds(connection: psycopg.Connection[Any]) -> int:
    """Ends the connections by which replicas read revocations; how many there were."""
    row = connection.execute(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        f" WHERE datname = current_database() AND {_FEED}"
    ).fetchone()
    assert row is not None
    return int(row[0])
