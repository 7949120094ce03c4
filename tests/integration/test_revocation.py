# SPDX-License-Identifier: Apache-2.0
"""What one replica revokes, all refuse: within a second, after a late commit, after a start, with
the feed cut and with the database away."""

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from support.fleet import SEEN_S, VERIFY, Fleet, Session, cut_feeds
from support.machine_clients import INACTIVE, active, add_client, introspect
from support.makers import ServiceMaker
from support.poll import wait_until
from support.postgres import Cluster
from support.refresh_tokens import REFRESH
from support.service import Service
from support.stats import percentile, report

REVOCATIONS = 600
AT_ONCE = 4
POLL_S = 0.004
# So often others look what was revoked.
INTERVAL_S = 0.25
# The default: so long may memory be older than the database.
STALE_S = 1.0


@pytest.fixture
def fleet(make_service: ServiceMaker) -> Fleet:
    return Fleet(make_service, 3)


@pytest.fixture(scope="module")
def fragile(scratch: Path) -> Iterator[Cluster]:
    server = Cluster(scratch / "pg-revocation")
    server.start()
    yield server
    server.stop()


def _log_out(replica: Service, session: Session) -> None:
    assert replica.api.post("/v1/logout", token=session.access_token).status == 204


def _seen_after(fleet: Fleet, replica: Service, session: Session, since: float) -> float:
    """Seconds until the replica refuses it."""
    while fleet.status(replica, session) == 200:
        assert time.monotonic() - since < SEEN_S
        time.sleep(POLL_S)
    assert fleet.status(replica, session) == 401
    return time.monotonic() - since


@pytest.mark.timeout(300)
def test_all_replicas_see_a_logout(fleet: Fleet) -> None:
    """The one that was asked knows it when it answers."""
    first, *others = fleet.replicas

    def one(_number: int) -> list[float]:
        session = fleet.open()
        assert fleet.statuses(session) == [200, 200, 200]
        time.sleep(random.uniform(0, INTERVAL_S))  # not in step with the reads of the others
        _log_out(first, session)
        answered = time.monotonic()
        assert fleet.status(first, session) == 401
        with ThreadPoolExecutor(len(others)) as pool:
            waits = [pool.submit(_seen_after, fleet, o, session, answered) for o in others]
            return [wait.result() for wait in waits]

    with ThreadPoolExecutor(AT_ONCE) as pool:
        delays = [delay for both in pool.map(one, range(REVOCATIONS)) for delay in both]
    assert len(delays) == REVOCATIONS * len(others)
    shown = ", ".join(
        f"{name} {value * 1e3:.0f} ms"
        for name, value in (
            ("p50", percentile(delays, 0.5)),
            ("p99", percentile(delays, 0.99)),
            ("max", max(delays)),
        )
    )
    report(f"revocation seen by two other replicas, {REVOCATIONS} logouts: {shown}")
    assert percentile(delays, 0.5) < STALE_S


@pytest.mark.parametrize("how", ["logout", "refresh token", "end one", "end others", "reuse"])
def test_each_way_to_end_a_session(fleet: Fleet, how: str) -> None:
    api = fleet.first.api
    acting, session = fleet.open(), fleet.open()
    refresh = {"refresh_token": session.refresh_token}
    path = "/v1/me/sessions"
    if how == "logout":
        _log_out(fleet.first, session)
    elif how == "refresh token":
        assert api.post("/v1/logout", refresh).status == 204
    elif how == "end one":
        gone = api.request("DELETE", f"{path}/{session.id}", token=acting.access_token)
        assert gone.status == 204
    elif how == "end others":
        assert api.request("DELETE", path, token=acting.access_token).status == 204
    else:
        second = api.post(REFRESH, refresh).json()["refresh_token"]
        assert api.post(REFRESH, {"refresh_token": second}).status == 200
        assert api.post(REFRESH, refresh).status == 401
    assert fleet.status(fleet.first, session) == 401
    fleet.wait_seen(session)
    assert fleet.statuses(acting) == [200, 200, 200]


def test_introspection_sees_it_too(fleet: Fleet) -> None:
    assert fleet.database_url is not None
    client = add_client(fleet.database_url)
    session = fleet.open()
    for replica in fleet.replicas:
        wait_until(
            lambda replica=replica: (
                introspect(replica.api, client, session.access_token).status == 200
            ),
            "client is known",
            SEEN_S,
        )
        assert active(replica.api, client, session.access_token)["sid"] == session.id
    _log_out(fleet.first, session)
    fleet.wait_seen(session)
    for replica in fleet.replicas:
        assert introspect(replica.api, client, session.access_token).body == INACTIVE


def test_a_late_commit_is_seen(fleet: Fleet) -> None:
    """A transaction that took its number first and commits after many others."""
    late = fleet.open()
    with fleet.connect(autocommit=False) as connection:
        connection.execute("UPDATE sessions SET revoked_at = now() WHERE id = %s", [late.id])
        connection.execute(
            "INSERT INTO revocations (session_id, expires_at) VALUES (%s, now() + interval '1 h')",
            [late.id],
        )
        for replica in fleet.replicas * 4:
            session = fleet.open()
            _log_out(replica, session)
            fleet.wait_seen(session)
        assert fleet.statuses(late) == [200, 200, 200]
        connection.commit()
        fleet.wait_seen(late)


def test_a_new_replica_knows_what_was_revoked_before(fleet: Fleet) -> None:
    """It is not ready before it has read all of it."""
    ended, alive = fleet.open(), fleet.open()
    with fleet.connect() as connection:
        connection.execute(
            "INSERT INTO revocations (session_id, expires_at)"
            " SELECT gen_random_uuid(), now() + interval '1 h' FROM generate_series(1, 20000)"
        )
    _log_out(fleet.first, ended)
    new = fleet.add()
    assert new.metric("user_service_revocations") > 20000
    assert fleet.status(new, ended) == 401
    assert fleet.status(new, alive) == 200


def test_a_feed_that_is_cut_again_and_again(fleet: Fleet) -> None:
    """Nothing that was revoked passes for longer than it may, and nothing else is refused."""
    alive = fleet.open()
    cuts = 0
    with fleet.connect() as connection:
        end = time.monotonic() + 6
        while time.monotonic() < end:
            cuts += cut_feeds(connection)
            session = fleet.open()
            _log_out(fleet.first, session)
            answered = time.monotonic()
            assert fleet.status(fleet.first, session) == 401
            for other in fleet.replicas[1:]:
                _seen_after(fleet, other, session, answered)
            assert fleet.statuses(alive) == [200, 200, 200]
    assert cuts >= 10
    for replica in fleet.replicas:
        assert replica.metric("user_service_revocation_read_age_seconds") < SEEN_S


def test_without_the_feed_the_database_is_asked(
    make_service: ServiceMaker, fragile: Cluster
) -> None:
    """No replica may read what is revoked: each asks about each token, and is right at once."""
    owners = make_service(database_url=fragile.url(fragile.create_database())).start()
    with psycopg.connect(owners.database_url, autocommit=True) as connection:
        connection.execute("CREATE ROLE reader LOGIN")
        connection.execute(
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO reader"
        )
        fleet = Fleet(make_service, 2, owners.database_url.replace("//owner@", "//reader@"))
        session, alive = fleet.open(), fleet.open()
        connection.execute("REVOKE SELECT ON revocations FROM reader")
        time.sleep(STALE_S + 0.5)  # what was read before counts for so long
        connection.execute(
            "UPDATE sessions SET revoked_at = clock_timestamp() WHERE id = %s", [session.id]
        )
        for _ in range(20):
            assert fleet.statuses(session) == [401, 401]
            assert fleet.statuses(alive) == [200, 200]
        for replica in fleet.replicas:
            assert replica.metric("user_service_revocation_read_failures_total") > 0
            assert replica.metric("user_service_revocation_read_age_seconds") > STALE_S
        connection.execute("GRANT SELECT ON revocations TO reader")
    wait_until(
        lambda: all(
            r.metric("user_service_revocation_read_age_seconds") < STALE_S for r in fleet.replicas
        ),
        "feeds read again",
    )
    assert fleet.statuses(alive) == [200, 200]


def test_without_a_database_nothing_is_active(make_service: ServiceMaker, fragile: Cluster) -> None:
    """503 and never 200, as soon as memory is too old; what is known to be revoked stays 401."""
    fleet = Fleet(make_service, 2, fragile.url(fragile.create_database()))
    alive, ended = fleet.open(), fleet.open()
    _log_out(fleet.first, ended)
    fleet.wait_seen(ended)
    for away, back in ((fragile.kill, fragile.start), (fragile.pause, fragile.resume)):
        away()
        time.sleep(STALE_S + 0.2)
        try:
            for replica in fleet.replicas * 3:
                reply = replica.api.get(VERIFY, token=alive.access_token)
                assert reply.status == 503, reply
                assert int(reply.headers["retry-after"]) >= 1
            assert fleet.statuses(ended) == [401, 401]
        finally:
            back()
        wait_until(lambda: fleet.statuses(alive) == [200, 200], "answers again", 20)
        assert fleet.statuses(ended) == [401, 401]
