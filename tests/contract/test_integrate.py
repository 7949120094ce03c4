# SPDX-License-Identifier: Apache-2.0
"""docs/INTEGRATE.md: the app's recipe and the calls of a client, run as they stand there.

Verifiers and gateways have files of their own; here it is checked that each block is run somewhere.
"""

import json
import re
import subprocess
import threading
import time
import types
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from support.documents import INTEGRATE, code_block, code_blocks
from support.journey import Person, confirmed_person
from support.ledger import LEDGER
from support.makers import ServiceMaker
from support.paths import CONTRACT
from support.receiver import Receiver
from support.service import Service, run_command

ISSUER = "https://users.example.com"
RUNNERS = ("test_nginx.py", "test_apache.py", "test_integrate.py")


def test_each_block_is_run() -> None:
    texts = [(CONTRACT / name).read_text() for name in RUNNERS]
    texts.append((CONTRACT.parent / "integration" / "support" / "verifiers.py").read_text())
    for name in code_blocks():
        assert any(f'"{name}"' in text for text in texts), f"nobody runs block {name}"


def test_links_lead_somewhere() -> None:
    for document in (INTEGRATE, INTEGRATE.with_name("THREATS.md")):
        text = document.read_text()
        anchors = {_anchor(line) for line in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}
        for target in re.findall(r"\]\(([^)]+)\)", text):
            path, _, anchor = target.partition("#")
            assert not path or (document.parent / path).exists(), target
            assert path or anchor in anchors, target


def _anchor(heading: str) -> str:
    return re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")


class Store:
    """What a device keeps; counts what was saved."""

    def __init__(self) -> None:
        self.saved: dict[str, Any] = {}

    def load(self) -> dict[str, Any]:
        return dict(self.saved)

    def save(self, value: dict[str, Any]) -> None:
        self.saved = dict(value)

    def make_stale(self) -> None:
        self.saved["fresh_until"] = 0


class App:
    """The document's module, with a network that can fail."""

    def __init__(self, service: Service, person: Person) -> None:
        self.module = types.ModuleType("app")
        exec(code_block("app", **{ISSUER: service.url}), self.module.__dict__)
        self.module.requests = types.SimpleNamespace(  # type: ignore[attr-defined]
            post=self._post, RequestException=requests.RequestException
        )
        self.module.time = types.SimpleNamespace(time=time.time, sleep=self.pauses_s)
        self.store, self.pauses = Store(), []
        self.posts: list[str] = []
        self.lost_answers = 0
        self.answers: list[requests.Response] = []
        self.login = self.module.Login(self.store)
        self.login.start(person.email, person.password)

    def pauses_s(self, pause_s: float) -> None:
        self.pauses.append(pause_s)

    def _post(self, url: str, **options: Any) -> requests.Response:
        self.posts.append(url)
        if self.answers:
            return self.answers.pop()
        answer = requests.post(url, **options)
        if answer.ok:
            LEDGER.add(*(answer.json()[name] for name in ("access_token", "refresh_token")))
        if self.lost_answers:
            self.lost_answers -= 1
            raise requests.ConnectionError("the answer was lost")
        return answer


@pytest.fixture
def person(service: Service, receiver: Receiver) -> Person:
    return confirmed_person(service.api, receiver)


def test_an_app_refreshes_once(service: Service, person: Person) -> None:
    """Eight threads find their token stale; one request is made."""
    app = App(service, person)
    old = app.login.access_token()
    app.store.make_stale()
    start = threading.Barrier(8)

    def ask(_: int) -> str:
        start.wait()
        return app.login.access_token()

    with ThreadPoolExecutor(8) as pool:
        tokens = set(pool.map(ask, range(8)))
    assert len(tokens) == 1 and old not in tokens
    assert [url.rsplit("/", 1)[1] for url in app.posts] == ["login", "refresh"]
    assert service.api.get("/v1/me", token=tokens.pop()).status == 200


def test_an_app_survives_lost_answers(make_service: ServiceMaker, receiver: Receiver) -> None:
    """Without any grace, so that it is the key that helps."""
    service = make_service(receiver, US_REFRESH_GRACE="0s").start()
    app = App(service, confirmed_person(service.api, receiver))
    for _ in range(3):
        app.store.make_stale()
        app.lost_answers = 3
        assert service.api.get("/v1/me", token=app.login.access_token()).status == 200


def test_an_app_stays_logged_in_when_the_service_is_busy(service: Service, person: Person) -> None:
    app = App(service, person)
    app.store.make_stale()
    before = app.store.load()
    app.answers = [_answer(503, {"Retry-After": "7"}), _answer(502), _answer(429), _answer(500)]
    with pytest.raises(app.module.TryLater):
        app.login.access_token()
    assert app.store.load() == before
    assert 7 in app.pauses
    assert app.login.access_token() != before["access_token"]


def _answer(status: int, headers: dict[str, str] | None = None) -> requests.Response:
    answer = requests.Response()
    answer.status_code = status
    answer.headers.update(headers or {})
    return answer


def test_an_app_that_is_logged_out(service: Service, person: Person) -> None:
    app = App(service, person)
    stolen = app.store.load()["refresh_token"]
    assert service.api.post("/v1/logout", {"refresh_token": stolen}).status == 204
    app.store.make_stale()
    for _ in range(2):
        with pytest.raises(app.module.LoggedOut):
            app.login.access_token()
    assert len(app.posts) == 2


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[dict[str, str]]:
    command = ("client", "create", "billing", "--audience", "shop", "--scope", "orders:read")
    made = run_command(*command, "--json", environment=service.environment())
    assert made.returncode == 0, made.stderr
    credentials = json.loads(made.stdout)
    LEDGER.add(credentials["client_secret"])
    yield credentials


def _shell(block: str, service: Service, client: dict[str, str], token: str = "") -> dict[str, Any]:
    """What the block prints."""
    given = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "CLIENT_ID": client["client_id"],
        "CLIENT_SECRET": client["client_secret"],
        "TOKEN": token,
    }
    text = code_block(block, **{ISSUER: service.url})
    done = subprocess.run(["sh", "-euc", text], env=given, capture_output=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_introspection(
    service: Service, receiver: Receiver, client: dict[str, str], person: Person
) -> None:
    tokens = person.tokens or {}
    answer = _shell("introspect", service, client, tokens["access_token"])
    assert answer["active"] is True
    assert answer["sid"] == tokens["session_id"]
    shown = re.search(r'\{"active":true.*?\n\}|\{"active":true.*?\}', INTEGRATE.read_text(), re.S)
    assert shown and set(answer) == set(re.findall(r'"(\w+)":', shown.group(0)))
    assert service.api.post("/v1/logout", token=tokens["access_token"]).status == 204
    for dead in (tokens["access_token"], tokens["refresh_token"], "x"):
        assert _shell("introspect", service, client, dead) == {"active": False}


def test_client_credentials(service: Service, client: dict[str, str]) -> None:
    answer = _shell("client-credentials", service, client)
    LEDGER.add(answer["access_token"])
    assert (answer["token_type"], answer["scope"]) == ("Bearer", "orders:read")
    asked = _shell("introspect", service, client, answer["access_token"])
    assert (asked["active"], asked["sub"]) == (True, client["client_id"])
    assert "sid" not in asked


def test_a_service_token_is_kept(service: Service, client: dict[str, str]) -> None:
    module = types.ModuleType("service_token")
    exec(code_block("service-token", **{ISSUER: service.url}), module.__dict__)
    kept = module.ServiceToken(client["client_id"], client["client_secret"])
    first = kept.get()
    LEDGER.add(first)
    assert kept.get() == first
    with pytest.raises(requests.HTTPError):
        module.ServiceToken(client["client_id"], "wrong").get()
