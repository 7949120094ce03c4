# SPDX-License-Identifier: Apache-2.0
"""Sessions against a small model, by a random walk over two replicas, one of them without grace.

The model has of each session only its generation, the key of its last rotation, how old it and its
last rotation are, and whether it has ended; each token of it is computed. Answers, rows and
published events must be what it says. Time passes by setting the rows' times back. Of the user it
has the password and auth_ver: whatever raises that ends all sessions and all mails of resets.
"""

from collections import Counter
from dataclasses import dataclass, field

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from support import events
from support.client import Api, Reply
from support.journey import new_password, new_person, reset_token
from support.makers import ReceiverMaker, ServiceMaker
from support.poll import wait_until
from support.receiver import Receiver
from support.refresh_tokens import RefreshForge, parts_of, refresh, send_form, set_back
from support.secret_files import SecretFiles
from support.service import Service, run_command
from support.stats import report

WALKS, STEPS = 50, 50
STEPS_MIN = 2000
KEYS = st.sampled_from([None, None, "a", "b"])
REPLICAS = st.sampled_from(["grace", "strict"])
WHICH = st.integers(0, 10**6)
AWAY = st.integers(-4, 4)
BACK = st.integers(0, 4)
ENDINGS = st.sampled_from(["logout", "bearer", "revoke"])
MINUTE, DAY = 60, 86400
GRACE_S, IDLE_S, ABSOLUTE_S = 10 * MINUTE, 7 * DAY, 30 * DAY
JUMPS = st.sampled_from([MINUTE, 9 * MINUTE, 9 * MINUTE, 11 * MINUTE, DAY, DAY, 6 * DAY, 8 * DAY])
RESTARTS_MAX = 20


@dataclass
class Session:
    """`tokens` are all that were ever given out, those ahead of a restored row too."""

    access: str
    tokens: list[str]
    generation: int = 0
    key: str | None = None
    ended: bool = False
    age_s: int = 0
    idle_s: int = 0

    @property
    def expired(self) -> bool:
        return self.idle_s >= IDLE_S or self.age_s >= ABSOLUTE_S

    @property
    def live(self) -> bool:
        return not self.ended and not self.expired

    @property
    def sid(self) -> str:
        return parts_of(self.tokens[0]).sid


@dataclass
class World:
    """What all walks of a run share."""

    replicas: dict[str, Service]
    receiver: Receiver
    forge: RefreshForge
    steps: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    reused: Counter[str] = field(default_factory=Counter)
    revoked: Counter[str] = field(default_factory=Counter)

    @property
    def url(self) -> str:
        return self.replicas["grace"].database_url

    def api(self, replica: str) -> Api:
        return self.replicas[replica].api


def _machine(world: World) -> type[RuleBasedStateMachine]:
    """Hypothesis makes its machines without arguments."""

    class Sessions(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.person = new_person()
            self.known: list[Session] = []
            self.version = 1  # auth_ver
            self.resets: list[tuple[str, int]] = []  # token, and the version that it is of
            self.database = psycopg.connect(world.url, autocommit=True)
            reply = world.api("grace").post("/v1/register", self.person.credentials)
            assert reply.status == 201, reply
            self.user_id = reply.json()["id"]

        def teardown(self) -> None:
            self.database.close()

        @invariant()
        def enough_time_has_passed(self) -> None:
            """That nobody meets a throttle: test_throttle.py is about that."""
            self.database.execute("DELETE FROM throttle")
            self.database.execute("DELETE FROM mail_counts")

        @initialize(replica=REPLICAS)
        def first_login(self, replica: str) -> None:
            self.login(replica)

        @rule(replica=REPLICAS)
        def login(self, replica: str) -> None:
            world.steps["login"] += 1
            reply = world.api(replica).post("/v1/login", self.person.credentials)
            assert reply.status == 200, reply
            made = Session(reply.json()["access_token"], [reply.json()["refresh_token"]])
            self.known.append(made)

        @rule(
            pick=WHICH,
            replica=REPLICAS,
            key=KEYS,
            by_form=st.booleans(),
            times=st.integers(1, 4),
        )
        def refresh_current(
            self, pick: int, replica: str, key: str | None, by_form: bool, times: int
        ) -> None:
            world.steps["refresh"] += times
            session = self._picked(pick)
            for _ in range(times):
                self._present(session, session.generation, replica, key, by_form)

        @rule(pick=WHICH, by=AWAY, replica=REPLICAS, key=KEYS, by_form=st.booleans())
        def replay(self, pick: int, by: int, replica: str, key: str | None, by_form: bool) -> None:
            """Any token that was ever given out, counted from the current one."""
            world.steps["replay"] += 1
            session = self._picked(pick)
            at = min(max(0, session.generation + by), len(session.tokens) - 1)
            self._present(session, at, replica, key, by_form)

        @rule(pick=WHICH, replica=REPLICAS, key=KEYS)
        def repeat_previous(self, pick: int, replica: str, key: str | None) -> None:
            world.steps["repeat"] += 1
            session = self._picked(pick)
            self._present(session, max(0, session.generation - 1), replica, key, False)

        @rule(pick=WHICH, which=WHICH, replica=REPLICAS, how=ENDINGS)
        def end(self, pick: int, which: int, replica: str, how: str) -> None:
            world.steps["end"] += 1
            session = self._picked(pick)
            api, token = world.api(replica), session.tokens[which % len(session.tokens)]
            if how == "logout":
                assert api.post("/v1/logout", {"refresh_token": token}).status == 204
            elif how == "bearer":
                assert api.post("/v1/logout", token=session.access).status == 204
            else:
                assert send_form(api, "/oauth2/revoke", {"token": token}).status == 200
            if not session.ended:
                session.ended = True
                world.revoked[session.sid] += 1

        @rule(pick=WHICH, replica=REPLICAS, right=st.booleans())
        def reauthenticate(self, pick: int, replica: str, right: bool) -> None:
            world.steps["reauth"] += 1
            session = self._picked(pick)
            password = self.person.password if right else "not the password of anybody"
            api = world.api(replica)
            reply = api.post("/v1/me/reauth", {"password": password}, token=session.access)
            if not session.live:
                assert (reply.status, reply.code) == (401, "unauthenticated"), reply
            elif not right:
                assert (reply.status, reply.code) == (401, "invalid_credentials"), reply
            else:
                assert reply.status == 200, reply
                session.access = reply.json()["access_token"]

        @rule(pick=WHICH, replica=REPLICAS, right=st.booleans())
        def change_password(self, pick: int, replica: str, right: bool) -> None:
            world.steps["change"] += 1
            session = self._picked(pick)
            body = {
                "current_password": self.person.password if right else "not the password at all",
                "new_password": new_password(),
            }
            reply = world.api(replica).post("/v1/me/password", body, token=session.access)
            if not session.live:
                assert (reply.status, reply.code) == (401, "unauthenticated"), reply
            elif not right:
                assert (reply.status, reply.code) == (401, "invalid_credentials"), reply
            else:
                assert reply.status == 200, reply
                self._all_end()
                self.person.password = body["new_password"]
                made = Session(reply.json()["access_token"], [reply.json()["refresh_token"]])
                self.known.append(made)

        @rule(replica=REPLICAS)
        def ask_for_reset(self, replica: str) -> None:
            world.steps["ask"] += 1
            token = reset_token(world.api(replica), world.receiver, self.person.email)
            self.resets.append((token, self.version))

        @rule(which=WHICH, replica=REPLICAS, good=st.booleans())
        def reset_password(self, which: int, replica: str, good: bool) -> None:
            """By any token that was ever mailed to them."""
            if not self.resets:
                self.ask_for_reset(replica)
            world.steps["reset"] += 1
            token, version = self.resets[-1 - which % min(3, len(self.resets))]
            password = new_password() if good else self.person.email
            body = {"token": token, "new_password": password}
            reply = world.api(replica).post("/v1/password-reset/confirm", body)
            if version != self.version:
                assert (reply.status, reply.code) == (400, "invalid_token"), reply
            elif not good:
                assert (reply.status, reply.code) == (422, "validation_failed"), reply
            else:
                assert reply.status == 204, reply
                self._all_end()
                self.person.password = password

        @rule(by_s=JUMPS)
        def time_passes(self, by_s: int) -> None:
            world.steps["time"] += 1
            self.database.execute(
                "UPDATE sessions SET created_at = created_at - t, rotated_at = rotated_at - t,"
                " idle_expires_at = idle_expires_at - t,"
                " absolute_expires_at = absolute_expires_at - t"
                " FROM make_interval(secs => %s) AS t WHERE user_id = %s",
                [by_s, self.user_id],
            )
            for session in self.known:
                session.age_s += by_s
                session.idle_s += by_s
            # The janitor removes these some time.
            self.known = [session for session in self.known if session.age_s < ABSOLUTE_S]

        @rule(replica=REPLICAS, kill=st.booleans(), lucky=st.integers(0, 7))
        def restart(self, replica: str, kill: bool, lucky: int) -> None:
            """Rarely: a service that stops drains first."""
            if lucky != 0 or world.steps["restart"] >= RESTARTS_MAX:
                return
            world.steps["restart"] += 1
            service = world.replicas[replica]
            if kill:
                service.kill()
            else:
                service.stop()
            service.start()

        @rule(pick=WHICH, which=WHICH, replica=REPLICAS, at=WHICH)
        def forge(self, pick: int, which: int, replica: str, at: int) -> None:
            world.steps["forge"] += 1
            session = self._picked(pick)
            token = session.tokens[which % len(session.tokens)]
            at %= len(token)
            forged = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
            self._assert_refused(refresh(world.api(replica), forged))

        @rule(pick=WHICH, back=BACK, replica=REPLICAS, key=KEYS, ahead=st.booleans())
        def restore(self, pick: int, back: int, replica: str, key: str | None, ahead: bool) -> None:
            """The row as it once was. What has ended stays so: that is what the runbook is for."""
            world.steps["restore"] += 1
            session = self._picked(pick)
            generation = max(0, session.generation - back)
            before = session.tokens[generation - 1] if generation else None
            set_back(world.url, session.tokens[generation], before)
            session.generation, session.key = generation, None
            if ahead:
                self._present(session, len(session.tokens) - 1, replica, key, False)

        @rule(pick=WHICH, which=WHICH, replica=REPLICAS, key=KEYS)
        def disable_for_a_while(self, pick: int, which: int, replica: str, key: str | None) -> None:
            world.steps["disable"] += 1
            session = self._picked(pick)
            self._operate("disable")
            self._all_end()
            reply = world.api(replica).post("/v1/login", self.person.credentials)
            assert reply.code == "invalid_credentials", reply
            token = session.tokens[which % len(session.tokens)]
            self._assert_refused(refresh(world.api(replica), token, key))
            self._operate("enable")

        @invariant()
        def rows_are_what_the_model_says(self) -> None:
            rows = self.database.execute(
                "SELECT id::text, generation, revoked_at IS NOT NULL, token_hash FROM sessions"
                " WHERE user_id = %s",
                [self.user_id],
            ).fetchall()
            current = {one.sid: one.tokens[one.generation] for one in self.known}
            rows = [row for row in rows if row[0] in current]
            assert sorted(row[:3] for row in rows) == sorted(
                (one.sid, one.generation, one.ended) for one in self.known
            )
            for sid, _generation, _ended, digest in rows:
                assert digest == parts_of(current[sid]).digest

        def _all_end(self) -> None:
            """The user's auth_ver has risen."""
            self.version += 1
            for one in self.known:
                if one.live:
                    world.revoked[one.sid] += 1
                one.ended = True

        def _operate(self, what: str) -> None:
            environment = {"US_DATABASE_URL": world.url}
            done = run_command("user", what, self.person.email, environment=environment)
            assert done.returncode == 0, done.stderr

        def _picked(self, pick: int) -> Session:
            """Mostly one that lives: of those that have ended there is little to tell."""
            if not any(one.live for one in self.known):
                self.login("grace")
            pool = [one for one in self.known if one.live or pick % 8 == 7]
            return pool[pick // 8 % len(pool)]

        def _present(
            self, session: Session, at: int, replica: str, key: str | None, by_form: bool
        ) -> None:
            token = session.tokens[at]
            outcome = self._expected(session, at, replica, key)
            world.outcomes[outcome] += 1
            reply = _send(world.api(replica), token, key, by_form)
            if outcome in ("rotated", "repeated"):
                successor = world.forge.successor(token)
                assert reply.status == 200, (outcome, reply)
                assert reply.json()["refresh_token"] == successor, outcome
                if outcome == "rotated":
                    session.generation, session.key = at + 1, key
                    session.idle_s = 0
                if at + 1 == len(session.tokens):
                    session.tokens.append(successor)
                session.access = reply.json()["access_token"]
                return
            self._assert_refused(reply, by_form)
            if outcome == "reused":
                session.ended = True
                world.reused[session.sid] += 1

        def _expected(self, session: Session, at: int, replica: str, key: str | None) -> str:
            if not session.live:
                return "ended"
            if at == session.generation:
                return "rotated"
            if at > session.generation:
                return "ahead"
            is_same_request = key is not None and key == session.key
            is_in_grace = replica == "grace" and session.idle_s < GRACE_S
            if at == session.generation - 1 and (is_in_grace or is_same_request):
                return "repeated"
            return "reused"

        def _assert_refused(self, reply: Reply, by_form: bool = False) -> None:
            if by_form:
                assert (reply.status, reply.json()["error"]) == (400, "invalid_grant"), reply
            else:
                assert (reply.status, reply.code) == (401, "invalid_refresh_token"), reply

    return Sessions


def _send(api: Api, token: str, key: str | None, by_form: bool) -> Reply:
    if not by_form:
        return refresh(api, token, key)
    headers = {} if key is None else {"Idempotency-Key": key}
    form = {"grant_type": "refresh_token", "refresh_token": token}
    return send_form(api, "/oauth2/token", form, headers)


@pytest.mark.timeout(600)
def test_sessions_are_what_the_model_says(
    make_service: ServiceMaker, make_receiver: ReceiverMaker, secret_files: SecretFiles
) -> None:
    receiver = make_receiver()
    common = {
        "US_PUBLIC_URL": "http://model.example",
        "US_EMAIL_VERIFICATION": "optional",
        "US_ARGON2_MEMORY_KIB": "8192",
        "US_ARGON2_PASSES": "1",
    }
    grace = make_service(receiver, US_REFRESH_GRACE="10m", **common).start()
    strict = make_service(
        receiver, database_url=grace.database_url, US_REFRESH_GRACE="0s", **common
    ).start()
    world = World({"grace": grace, "strict": strict}, receiver, RefreshForge(secret_files))

    run_state_machine_as_test(
        _machine(world),
        settings=settings(
            max_examples=WALKS,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )

    with psycopg.connect(world.url, autocommit=True) as connection:
        pending = "SELECT count(*) FROM outbox"
        wait_until(lambda: connection.execute(pending).fetchone()[0] == 0, "outbox empty", 30)
    assert _told(receiver, events.SESSION_REUSE_DETECTED) == world.reused
    assert _told(receiver, events.SESSION_REVOKED) == world.revoked
    assert world.steps.total() >= STEPS_MIN, world.steps
    assert set(world.outcomes) == {"rotated", "repeated", "reused", "ahead", "ended"}
    report(
        f"sessions against their model: {world.steps.total()} steps {dict(world.steps)},"
        f" tokens presented: {dict(world.outcomes)}"
    )


def _told(receiver: Receiver, event_type: str) -> Counter[str]:
    told = events.first_deliveries(receiver.accepted(event_type))
    return Counter(event["data"]["session_id"] for event in told)
