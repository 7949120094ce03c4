# SPDX-License-Identifier: Apache-2.0
"""Apache with mod_oauth2 as docs/INTEGRATE.md has it: by JWKS and by introspection."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.client import Api
from support.documents import code_block, fill
from support.gateways import FOUR, Upstream, apache
from support.journey import confirmed_person
from support.poll import free_port, wait_until
from support.receiver import Receiver
from support.secret_files import SecretFiles
from support.service import Service, run_command
from support.token_cases import TokenCase, token_cases
from support.token_forge import TokenForge
from support.verifiers import jwks_fetches

# What the module lets pass by JWKS. All but the last four are for the holder of the key alone.
LAX = {
    *("typ JWT", "no typ", "typ of an id token", "typ in upper case", "typ with application/"),
    *("no kid", "kid is a number", "crit", "b64 false", "alg twice", "deep claims"),
    *("exp twice", "exp twice, the first one over", "e\\u0078p twice"),
    *("sub twice", "iss twice", "aud twice"),
    *("signature with a byte more", "longer r and s"),
    *("padded signature", "signature with stray bits"),
}


@dataclass
class Front:
    api: Api
    upstream: Upstream
    tokens: dict[str, str]
    claims: dict[str, object]
    cases: list[TokenCase]

    def refused_and_taken(self) -> tuple[set[str], set[str]]:
        """Names: good tokens that are refused, hostile ones that come through."""
        status = {case.name: self.api.get("/", token=case.token).status for case in self.cases}
        assert set(status.values()) <= {200, 401}, status
        good = {case.name for case in self.cases if case.good}
        taken = {name for name, code in status.items() if code == 200}
        return good - taken, taken - good


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    running = Upstream()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def gateway(service: Service) -> dict[str, str]:
    """A confidential client for the gateway."""
    command = ("client", "create", "gateway", "--audience", "shop", "--json")
    made = run_command(*command, environment=service.environment())
    assert made.returncode == 0, made.stderr
    return json.loads(made.stdout)


def _block(service: Service, upstream: Upstream) -> str:
    return code_block(
        "apache",
        **{
            "user-service:8000": f"127.0.0.1:{service.port}",
            "https://users.example.com": service.url,
            "shop:8080": upstream.authority,
        },
    )


def _front(api: Api, upstream: Upstream, tokens: dict[str, str], secrets: SecretFiles) -> Front:
    forge = TokenForge(tokens["access_token"], secrets)
    return Front(api, upstream, tokens, forge.claims, token_cases(forge))


@pytest.fixture(scope="module")
def tokens(service: Service, receiver: Receiver) -> dict[str, str]:
    return confirmed_person(service.api, receiver).tokens or {}


@pytest.fixture(scope="module")
def by_jwks(
    service: Service,
    upstream: Upstream,
    tokens: dict[str, str],
    secret_files: SecretFiles,
    scratch: Path,
) -> Iterator[Front]:
    line = code_block("apache-jwks", **{"user-service:8000": f"127.0.0.1:{service.port}"})
    rest = _block(service, upstream).split("\n", 2)[2]
    port = free_port()
    with apache(scratch / "apache-jwks", line + rest, port, ["oauth2"]) as api:
        yield _front(api, upstream, tokens, secret_files)


@pytest.fixture(scope="module")
def by_introspection(
    service: Service,
    upstream: Upstream,
    tokens: dict[str, str],
    gateway: dict[str, str],
    secret_files: SecretFiles,
    scratch: Path,
) -> Iterator[Front]:
    block = _block(service, upstream).replace("GATEWAY_ID", gateway["client_id"])
    block = block.replace("GATEWAY_SECRET", gateway["client_secret"])
    port = free_port()
    with apache(scratch / "apache-introspection", block, port, ["oauth2"]) as api:
        yield _front(api, upstream, tokens, secret_files)


@pytest.fixture(params=["by_jwks", "by_introspection"])
def front(request: pytest.FixtureRequest, upstream: Upstream) -> Front:
    upstream.arrived.clear()
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_what_arrives(front: Front, method: str) -> None:
    spoofed = dict.fromkeys(FOUR, "admin") | {n.replace("-", "_"): "admin" for n in FOUR}
    body = b"x" * 20_000 if method == "POST" else None
    headers = spoofed | {"OAUTH2_CLAIM_sub": "admin"}
    token = front.tokens["access_token"]
    assert (
        front.api.request(method, "/a?b=c", body=body, headers=headers, token=token).status == 200
    )
    (arrived,) = front.upstream.arrived
    assert (arrived.method, arrived.path, arrived.body) == (method, "/a?b=c", body or b"")
    assert {name: arrived.all(name) for name in FOUR} == {
        "X-Auth-Subject": [front.claims["sub"]],
        "X-Auth-Session": [front.claims["sid"]],
        "X-Auth-Roles": ["[]"],
        "X-Auth-Scope": [""],
    }


def test_without_a_token(front: Front) -> None:
    assert front.api.get("/", headers=dict.fromkeys(FOUR, "admin")).status == 401
    assert front.api.get("/", token=front.tokens["refresh_token"]).status == 401
    assert not front.upstream.arrived


def test_the_same_verdict_by_jwks(by_jwks: Front) -> None:
    refused, taken = by_jwks.refused_and_taken()
    assert not refused
    assert taken <= LAX  # the distribution's version, which differs


def test_the_keys_are_fetched_again(
    service: Service, upstream: Upstream, tokens: dict[str, str], scratch: Path
) -> None:
    """When their time is over; here after a second."""
    line = code_block("apache-jwks", **{"user-service:8000": f"127.0.0.1:{service.port}"})
    block = fill(line, {"jwks_uri.expiry=300": "jwks_uri.expiry=1"})
    block += _block(service, upstream).split("\n", 2)[2]
    port = free_port()
    with apache(scratch / "apache-expiry", block, port, ["oauth2"]) as api:
        fetched = jwks_fetches(service)
        for _ in range(5):
            assert api.get("/", token=tokens["access_token"]).status == 200
        assert jwks_fetches(service) <= fetched + 2
        fetched = jwks_fetches(service)

        def again() -> bool:
            assert api.get("/", token=tokens["access_token"]).status == 200
            return jwks_fetches(service) > fetched

        wait_until(again, "another look at the keys", interval_s=0.2)


def test_the_same_verdict_by_introspection(by_introspection: Front) -> None:
    refused, taken = by_introspection.refused_and_taken()
    assert not refused
    assert not taken


def test_a_logout_is_seen_by_introspection(
    by_introspection: Front, service: Service, receiver: Receiver
) -> None:
    token = (confirmed_person(service.api, receiver).tokens or {})["access_token"]
    assert by_introspection.api.get("/", token=token).status == 200
    assert service.api.post("/v1/logout", token=token).status == 204
    assert by_introspection.api.get("/", token=token).status == 401
