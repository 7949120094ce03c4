# SPDX-License-Identifier: Apache-2.0
"""Keys and secrets that change while two replicas run: nobody is turned away, nothing is lost.

Delays are shortened; the order of things is that of production.
"""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import jwt
import pytest
from support.client import Api
from support.events import REGISTERED
from support.following import JWKS, JoseRfc, JwCrypto, NpmJose, PyJwt, Verifier
from support.journey import Person, login, new_person
from support.makers import ServiceMaker
from support.poll import wait_until
from support.receiver import Receiver
from support.refresh_tokens import parts_of, refresh, refreshed
from support.secret_files import new_jwk, new_keyring, new_webhook_secret
from support.service import Service, run_command
from support.stats import report

PUBLIC_URL = "http://replicas.example"
AUDIENCE = "shop"
ROTATIONS = 20
ROTATE_S = 1.5
DELAY_S = 3
TTL_S = 30
SETTINGS = {
    "US_PUBLIC_URL": PUBLIC_URL,
    "US_AUDIENCE": AUDIENCE,
    "US_EMAIL_VERIFICATION": "optional",
    "US_ARGON2_MEMORY_KIB": "8192",
    "US_ARGON2_PASSES": "1",
    "US_SECRETS_REFRESH": "1s",
    "US_KEY_DELAY": f"{DELAY_S}s",
    "US_ACCESS_TOKEN_TTL": f"{TTL_S}s",
}


class Secrets:
    """Files of its own, replaced whole by a rename, as the kubelet and most tools do."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.webhook_secret = new_webhook_secret()
        self.put("jwt", _key("key-0"))
        self.put("keyring", new_keyring())
        self.put("webhook", {"secrets": [self.webhook_secret]})

    def put(self, name: str, value: Any) -> None:
        path, fresh = self._folder / f"{name}.json", self._folder / f"{name}.new"
        fresh.write_text(value if isinstance(value, str) else json.dumps(value))
        fresh.chmod(0o600)
        fresh.rename(path)

    def get(self, name: str) -> Any:
        return json.loads((self._folder / f"{name}.json").read_text())

    def remove(self, name: str) -> None:
        (self._folder / f"{name}.json").unlink()

    @property
    def settings(self) -> dict[str, str]:
        names = {"jwt": "US_JWT_SECRET", "keyring": "US_KEYRING_SECRET"}
        names["webhook"] = "US_WEBHOOK_SECRET"
        return {names[n]: f"file:{self._folder}/{n}.json" for n in names}


def _key(kid: str) -> dict[str, str]:
    return new_jwk() | {"kid": kid}


@dataclass
class Shop:
    replicas: list[Service]
    secrets: Secrets
    person: Person

    @property
    def api(self) -> Api:
        return self.replicas[0].api

    def register(self) -> None:
        assert self.api.post("/v1/register", self.person.credentials).status == 201

    def published(self) -> list[set[str]]:
        return [{k["kid"] for k in r.api.get(JWKS).json()["keys"]} for r in self.replicas]

    def command(self, *arguments: str) -> Any:
        environment = {"US_DATABASE_URL": self.replicas[0].database_url}
        settings = {k: v for k, v in SETTINGS.items() if k.startswith("US_ACC")}
        done = run_command(*arguments, "--json", environment=environment | settings)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def reads(self, secrets: list[str], result: str) -> list[float]:
        """On each replica, of each of the secrets."""
        return [
            _sample(
                replica.metrics(),
                f'user_service_secret_reads_total{{secret="{secret}",result="{result}"}} ',
            )
            for replica in self.replicas
            for secret in secrets
        ]

    def await_reads(self, secrets: list[str], result: str, more: int) -> None:
        before = self.reads(secrets, result)
        wait_until(
            lambda: all(
                now >= old + more
                for now, old in zip(self.reads(secrets, result), before, strict=True)
            ),
            f"{more} {result} reads of {secrets}",
            10,
            0.05,
        )


def _sample(metrics: str, sample: str) -> float:
    found = [line for line in metrics.splitlines() if line.startswith(sample)]
    return float(found[0].rsplit(" ", 1)[1]) if found else 0.0


OpenShop = Callable[..., Shop]


@pytest.fixture
def secrets(tmp_path: Path) -> Secrets:
    return Secrets(tmp_path / "secrets")


@pytest.fixture
def open_shop(make_service: ServiceMaker, secrets: Secrets) -> OpenShop:
    """Two replicas over one database, on secrets of their own."""

    def make(receiver: Receiver | None = None, **more: str) -> Shop:
        settings = SETTINGS | secrets.settings | more
        first = make_service(receiver, **settings).start()
        second = make_service(receiver, database_url=first.database_url, **settings).start()
        shop = Shop([first, second], secrets, new_person())
        if receiver is None:
            shop.register()
        return shop

    return make


def _kid(token: str) -> str:
    return jwt.get_unverified_header(token)["kid"]


class Issuer:
    """Refreshes on one replica, then the other, and has each token checked: at once and often
    again for as long as it lives."""

    def __init__(self, shop: Shop, verifiers: list[Verifier]) -> None:
        self.shop = shop
        self.verifiers = verifiers
        self.rejects: list[tuple[str, str, float, str]] = []
        self.checks = 0
        self.kids: Counter[str] = Counter()
        self._alive: list[tuple[float, str]] = []

    def run(self, until: Callable[[], bool]) -> None:
        token = login(self.shop.api, self.shop.person)["refresh_token"]
        with ThreadPoolExecutor(len(self.verifiers) + 1) as pool:
            for number in range(1_000_000):
                if until():
                    break
                reply = refresh(self.shop.replicas[number % 2].api, token)
                assert reply.status == 200, reply
                token = reply.json()["refresh_token"]
                access = reply.json()["access_token"]
                self.kids[_kid(access)] += 1
                self._alive.append((time.monotonic(), access))
                self._check(pool, number)

    def _check(self, pool: ThreadPoolExecutor, number: int) -> None:
        """The new one, and one of every age."""
        now = time.monotonic()
        self._alive = [one for one in self._alive if now - one[0] < TTL_S - 3]
        chosen = [self._alive[-1], self._alive[number % len(self._alive)], self._alive[0]]
        jobs = [
            pool.submit(self._ask, checker, born, token)
            for born, token in chosen
            for checker in [*self.verifiers, self._own]
        ]
        for job in jobs:
            job.result()
        self.checks += len(jobs)

    def _own(self, token: str) -> str:
        replies = [replica.api.get("/v1/me", token=token) for replica in self.shop.replicas]
        statuses = [reply.status for reply in replies]
        return "good" if statuses == [200, 200] else str(statuses)

    def _ask(self, checker: Any, born: float, token: str) -> None:
        name = type(checker).__name__ if isinstance(checker, Verifier) else "ourselves"
        verdict = checker.check(token) if isinstance(checker, Verifier) else checker(token)
        if verdict != "good":
            self.rejects.append((name, _kid(token), time.monotonic() - born, verdict))


@contextmanager
def _rotating(shop: Shop, first: int) -> Iterator[threading.Thread]:
    """A new key every ROTATE_S, each the only one in the secret."""

    def rotate() -> None:
        for number in range(first, first + ROTATIONS):
            shop.secrets.put("jwt", _key(f"key-{number}"))
            time.sleep(ROTATE_S)
        time.sleep(DELAY_S + 2)

    thread = threading.Thread(target=rotate)
    thread.start()
    yield thread
    thread.join()


@pytest.mark.timeout(120)
def test_no_verifier_rejects_a_token_while_keys_rotate(open_shop: OpenShop) -> None:
    """Faster than a key is due: there is always more than one that waits."""
    shop = open_shop()
    apis = [replica.api for replica in shop.replicas]
    assert shop.api.get(JWKS).headers["cache-control"] == f"public, max-age={DELAY_S // 2}"
    kinds = [PyJwt, JoseRfc, JwCrypto, NpmJose]
    verifiers = [kind(apis[i % 2], PUBLIC_URL, AUDIENCE) for i, kind in enumerate(kinds)]
    issuer = Issuer(shop, verifiers)
    try:
        with _rotating(shop, 1) as thread:
            issuer.run(lambda: not thread.is_alive())
    finally:
        for verifier in verifiers:
            verifier.close()
    assert not issuer.rejects, f"{len(issuer.rejects)} of {issuer.checks}: {issuer.rejects[:5]}"
    assert f"key-{ROTATIONS}" in issuer.kids
    assert len(issuer.kids) >= ROTATIONS - 1, issuer.kids
    report(
        f"{ROTATIONS} rotations of the signing key, one every {ROTATE_S:g} s:"
        f" {len(issuer.kids)} keys signed {issuer.kids.total()} tokens,"
        f" {issuer.checks} checks, no reject"
    )


def test_a_revoked_key_is_refused_everywhere_within_a_second(
    open_shop: OpenShop, secrets: Secrets
) -> None:
    secrets.put("jwt", {"keys": [_key("leaked"), _key("spare")]})
    shop = open_shop(US_KEY_DELAY="10m")
    tokens = login(shop.api, shop.person)
    assert _kid(tokens["access_token"]) == "leaked"
    states = {key["kid"]: key["state"] for key in shop.command("keys", "list")}
    assert states == {"leaked": "signs", "spare": "waits"}
    assert shop.published() == [{"leaked", "spare"}] * 2

    assert shop.command("keys", "revoke", "leaked", "--reason", "lost")["state"] == "revoked"
    told = time.monotonic()
    for replica in shop.replicas:
        wait_until(
            lambda r=replica: r.api.get("/v1/me", token=tokens["access_token"]).status == 401,
            "its token is refused",
            1.0,
        )
    report(
        f"a revoked signing key is refused by both replicas {time.monotonic() - told:.2f} s later"
    )
    assert shop.published() == [{"spare"}] * 2
    for replica in shop.replicas:
        token = login(replica.api, shop.person)["access_token"]
        assert _kid(token) == "spare"
        assert all(r.api.get("/v1/me", token=token).status == 200 for r in shop.replicas)
    listed = {key["kid"]: key for key in shop.command("keys", "list")}
    assert listed["leaked"]["state"] == "revoked" and listed["leaked"]["revoked_at"]
    done = run_command(
        *("keys", "revoke", "leaked"),
        environment={"US_DATABASE_URL": shop.replicas[0].database_url},
    )
    assert done.returncode == 1 and "revoked already" in done.stderr


def test_a_session_outlives_that_no_key_signs(open_shop: OpenShop, secrets: Secrets) -> None:
    """What cannot be answered does not rotate: else the client's next try would be a thief's."""
    secrets.put("jwt", _key("only"))
    shop = open_shop(US_REFRESH_GRACE="0s")
    tokens = login(shop.api, shop.person)
    shop.command("keys", "revoke", "only")
    for replica in shop.replicas:
        wait_until(
            lambda r=replica: r.api.get("/v1/me", token=tokens["access_token"]).status == 401,
            "its token is refused",
            1.0,
        )
    for replica in [*shop.replicas, *shop.replicas]:
        reply = replica.api.post("/v1/refresh", {"refresh_token": tokens["refresh_token"]})
        assert (reply.status, reply.code) == (503, "no_signing_key")
        assert replica.ops_status("/readyz") == 200
    shop.secrets.put("jwt", _key("next"))

    def refreshed() -> bool:
        reply = shop.api.post("/v1/refresh", {"refresh_token": tokens["refresh_token"]})
        return reply.status == 200

    wait_until(refreshed, "the same refresh token is good once a key signs again", 5)


def test_a_key_is_published_before_it_signs(open_shop: OpenShop) -> None:
    """And a roll-back of the secret is followed at once."""
    shop = open_shop(US_KEY_DELAY="4s")
    old, new = shop.secrets.get("jwt"), _key("fresh")
    shop.secrets.put("jwt", new)
    wait_until(lambda: shop.published() == [{"key-0", "fresh"}] * 2, "both publish both", 5)
    seen = time.monotonic()
    assert _kid(login(shop.api, shop.person)["access_token"]) == "key-0"
    wait_until(lambda: _kid(login(shop.api, shop.person)["access_token"]) == "fresh", "switch", 8)
    assert time.monotonic() - seen > 2.5
    shop.secrets.put("jwt", old)
    wait_until(lambda: _kid(login(shop.api, shop.person)["access_token"]) == "key-0", "back", 5)


BAD = {
    "jwt": ["{", '{"keys": []}', '{"kty": "oct", "k": "AAAA"}'],
    "keyring": ["[]", '{"current": "k9", "keys": {}}', json.dumps(new_keyring())],  # other bytes
    "webhook": ["null", '{"secrets": []}', '{"secrets": ["whsec_"]}'],
}


def test_bad_secrets_change_nothing(open_shop: OpenShop) -> None:
    """And each is told once, however often it is read. The last ones are not there at all."""
    shop = open_shop(US_KEY_DELAY="0s")
    tokens, good = login(shop.api, shop.person), {name: shop.secrets.get(name) for name in BAD}
    before = [replica.api.get(JWKS).body for replica in shop.replicas]
    for step in range(3):
        for name, contents in BAD.items():
            shop.secrets.put(name, contents[step])
        shop.await_reads(list(BAD), "failed", 1 if step else 2)
    for name in BAD:
        shop.secrets.remove(name)
    shop.await_reads(list(BAD), "failed", 1)
    assert [replica.api.get(JWKS).body for replica in shop.replicas] == before
    assert refresh(shop.api, tokens["refresh_token"]).status == 200
    assert shop.api.get("/v1/me", token=tokens["access_token"]).status == 200
    for name, content in good.items():
        shop.secrets.put(name, content)
    shop.await_reads(list(BAD), "changed", 1)
    for replica in shop.replicas:
        refused = [r["secret"] for r in replica.log_records() if "is refused" in r["message"]]
        assert Counter(refused) == dict.fromkeys(BAD, 4)


def test_an_unknown_id_has_the_secrets_read_again(open_shop: OpenShop, secrets: Secrets) -> None:
    """All of them, long before it would be time; new secrets sign events from then on."""
    both = (new_webhook_secret(), secrets.webhook_secret)
    receiver = Receiver(both)
    receiver.up()
    shop = open_shop(receiver, US_SECRETS_REFRESH="1h", US_KEY_DELAY="0s")
    secrets.put("webhook", {"secrets": both})
    _add_ring_key(secrets, "k2")
    unknown = f"rt1.k2.{uuid4()}.0.{'A' * 43}.{'A' * 22}"
    for replica in shop.replicas:
        assert refresh(replica.api, unknown).status == 401
    wait_until(lambda: all(_ones(shop, "webhook")), "secrets are read", 15, 0.05)
    wait_until(lambda: _ones(shop, "keyring") == [1, 1], "keyring, too", 5, 0.05)
    shop.register()
    receiver.wait_for(REGISTERED)
    for replica in shop.replicas:
        wait_until(lambda r=replica: _ring_kid(r.api, shop.person) == "k2", "k2 is used", 5)
    receiver.down()
    receiver.check()


def _ones(shop: Shop, secret: str) -> list[float]:
    return shop.reads([secret], "changed")


class Load:
    """Logins and refreshes on both replicas until it is told to end."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.faults: list[Any] = []
        self.logins = 0
        self.refreshes = 0
        # Somebody else, whose many logins end none of the sessions that are watched.
        self.busy = new_person()
        assert shop.api.post("/v1/register", self.busy.credentials).status == 201
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=work, args=(replica.api,))
            for replica in shop.replicas
            for work in (self._log_in, self._refresh)
        ]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _log_in(self, api: Api) -> None:
        while not self._over.is_set():
            reply = api.post("/v1/login", self.busy.credentials)
            self.logins += 1
            if reply.status != 200:
                self.faults.append(reply)

    def _refresh(self, api: Api) -> None:
        token = login(api, self.shop.person)["refresh_token"]
        while not self._over.is_set():
            reply = refresh(api, token)
            self.refreshes += 1
            if reply.status != 200:
                self.faults.append(reply)
                return
            token = reply.json()["refresh_token"]


def _add_ring_key(secrets: Secrets, kid: str) -> None:
    keyring = secrets.get("keyring")
    root = new_keyring()["keys"]["k1"]
    secrets.put("keyring", {"current": kid, "keys": keyring["keys"] | {kid: root}})


def test_the_keyring_rotates_under_load(open_shop: OpenShop) -> None:
    shop = open_shop(US_KEY_DELAY="2s")
    old = login(shop.api, shop.person)["refresh_token"]
    assert parts_of(old).kid == "k1"
    with Load(shop) as load:
        for kid in ("k2", "k3"):
            _add_ring_key(shop.secrets, kid)
            for replica in shop.replicas:
                wait_until(
                    lambda r=replica, k=kid: _ring_kid(r.api, load.busy) == k, f"{kid} is used", 8
                )
    assert not load.faults, load.faults[:3]
    report(f"keyring rotated twice under {load.logins} logins and {load.refreshes} refreshes")
    for replica in shop.replicas:
        old = refreshed(replica.api, old)
    assert parts_of(old).kid == "k1"
    _assert_start_names_what_is_missing(shop)


def _ring_kid(api: Api, person: Person) -> str:
    return parts_of(login(api, person)["refresh_token"]).kid


def _assert_start_names_what_is_missing(shop: Shop) -> None:
    """k1 keys the password of the user, k2 was current lately."""
    whole = shop.secrets.get("keyring")
    for missing in ("k1", "k2"):
        keys = {kid: key for kid, key in whole["keys"].items() if kid != missing}
        shop.secrets.put("keyring", {"current": "k3", "keys": keys})
        second = shop.replicas[1]
        second.stop()
        done = run_command("serve", environment=second.environment())
        assert done.returncode == 1
        assert "US_KEYRING_SECRET" in done.stderr and f'"{missing}"' in done.stderr
    shop.secrets.put("keyring", whole)
    second.start()
    assert _ring_kid(second.api, shop.person) == "k3"
