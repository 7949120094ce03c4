# SPDX-License-Identifier: Apache-2.0
"""nginx `auth_request` as docs/INTEGRATE.md has it, in front of a real upstream."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.client import Api
from support.documents import code_block, fill
from support.gateways import FOUR, Upstream, nginx
from support.journey import confirmed_person, login
from support.makers import ServiceMaker
from support.poll import free_port
from support.receiver import Receiver
from support.service import Service


@dataclass
class Front:
    """The gateway, what is behind it, and somebody who is logged in."""

    api: Api
    upstream: Upstream
    tokens: dict[str, str]
    sub: str

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens['access_token']}"}

    def expected(self) -> dict[str, list[str]]:
        return {
            "X-Auth-Subject": [self.sub],
            "X-Auth-Session": [self.tokens["session_id"]],
            "X-Auth-Roles": ["-"],
            "X-Auth-Scope": ["-"],
        }


def _block(service_port: int, upstream: Upstream, port: int) -> str:
    return code_block(
        "nginx",
        **{
            "user-service:8000": f"127.0.0.1:{service_port}",
            "listen 8080;": f"listen 127.0.0.1:{port};",
            "shop:8080": upstream.authority,
        },
    )


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    running = Upstream()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def front(
    service: Service, receiver: Receiver, upstream: Upstream, scratch: Path
) -> Iterator[Front]:
    tokens = confirmed_person(service.api, receiver).tokens or {}
    sub = service.api.get("/v1/me", token=tokens["access_token"]).json()["id"]
    port = free_port()
    with nginx(scratch / "nginx", _block(service.port, upstream, port), port) as api:
        yield Front(api, upstream, tokens, sub)


@pytest.fixture(autouse=True)
def nothing_arrived(upstream: Upstream) -> None:
    upstream.arrived.clear()
    upstream.status = 200


def _assert_refused(front: Front, status: int, **options: object) -> None:
    reply = front.api.request("GET", "/", **options)
    assert reply.status == status
    assert not front.upstream.arrived


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_a_good_token_comes_through(front: Front, method: str) -> None:
    body = b"x" * 20_000 if method in ("POST", "PUT", "PATCH") else None
    path = "/orders/7?aud=nobody&scope=x"
    assert front.api.request(method, path, body=body, headers=front.bearer).status == 200
    (arrived,) = front.upstream.arrived
    assert (arrived.method, arrived.path, arrived.body) == (method, path, body or b"")
    assert {name: arrived.all(name) for name in FOUR} == front.expected()


def test_what_the_client_claims_never_arrives(front: Front) -> None:
    forged = dict.fromkeys(FOUR, "admin")
    spelt = {name.replace("-", "_"): "admin" for name in FOUR}
    lower = {name.lower(): "admin" for name in ("X-Auth-Roles", "X-Auth-Scope")}
    for headers in (forged, spelt, forged | spelt, lower):
        assert front.api.get("/", headers={**front.bearer, **headers}).status == 200
        arrived = front.upstream.arrived[-1]
        assert {name: arrived.all(name) for name in FOUR} == front.expected()


def test_the_upstreams_own_errors_are_its_own(front: Front) -> None:
    for status in (401, 403, 500, 503):
        front.upstream.status = status
        reply = front.api.get("/", headers=front.bearer)
        assert (reply.status, reply.headers.get("retry-after")) == (status, None)


def test_a_role_that_is_missing(front: Front, service: Service, scratch: Path) -> None:
    block = _block(service.port, front.upstream, port := free_port())
    block = fill(block, {"?aud=shop": "?aud=shop&role=admin"})
    with nginx(scratch / "nginx-role", block, port) as api:
        assert api.get("/", headers=front.bearer).status == 403
        assert api.get("/").status == 401
    assert not front.upstream.arrived


def test_without_a_token(front: Front) -> None:
    reply = front.api.get("/", headers=dict.fromkeys(FOUR, "admin"))
    assert reply.status == 401
    assert reply.headers["www-authenticate"].startswith("Bearer")
    assert not front.upstream.arrived


@pytest.mark.parametrize("method", ["POST", "DELETE", "OPTIONS"])
def test_other_methods_without_a_token(front: Front, method: str) -> None:
    assert front.api.request(method, "/", body=b"{}").status == 401
    assert not front.upstream.arrived


def test_a_bad_token(front: Front) -> None:
    token = front.tokens["access_token"]
    for bad in (token[:-4] + "AAAA", "x", front.tokens["refresh_token"]):
        _assert_refused(front, 401, headers={"Authorization": f"Bearer {bad}"})


def test_the_inner_location_is_not_reached(front: Front) -> None:
    assert front.api.get("/_verify", headers=front.bearer).status == 404
    assert not front.upstream.arrived


def test_a_logout_is_seen(front: Front, service: Service, receiver: Receiver) -> None:
    """By the replica that took it, at once."""
    person = confirmed_person(service.api, receiver)
    token = login(service.api, person)["access_token"]
    assert front.api.get("/", token=token).status == 200
    assert service.api.post("/v1/logout", token=token).status == 204
    front.upstream.arrived.clear()
    _assert_refused(front, 401, token=token)


def test_another_audience(
    make_service: ServiceMaker, receiver: Receiver, upstream: Upstream, scratch: Path
) -> None:
    """A live token that is for somebody else is none here: the snippet asks for `aud`."""
    service = make_service(receiver, US_AUDIENCE="warehouse").start()
    tokens = confirmed_person(service.api, receiver).tokens or {}
    port = free_port()
    with nginx(scratch / "nginx-other", _block(service.port, upstream, port), port) as api:
        assert api.get("/", token=tokens["access_token"]).status == 401
    assert not upstream.arrived


def test_the_service_is_away(upstream: Upstream, scratch: Path) -> None:
    """Nobody gets in, and the client is told to come again."""
    port = free_port()
    with nginx(scratch / "nginx-away", _block(free_port(), upstream, port), port) as api:
        reply = api.get("/", token="a.b.c")
        assert (reply.status, reply.headers.get("retry-after")) == (503, "1")
    assert not upstream.arrived
