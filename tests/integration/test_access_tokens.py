# SPDX-License-Identifier: Apache-2.0
"""Forged, altered and foreign access tokens, made with the very key that the service signs with.

RFC 8725 (best current practice), RFC 6750 (bearer tokens).
"""

import base64
import json
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from jwt.algorithms import ECAlgorithm
from support.journey import confirmed_person
from support.receiver import Receiver
from support.secret_files import SecretFiles, new_jwk
from support.service import Service


@pytest.fixture(scope="module")
def token(service: Service, receiver: Receiver) -> str:
    return confirmed_person(service.api, receiver).tokens["access_token"]


class Forge:
    """Signs whatever it is told with the service's own key."""

    def __init__(self, token: str, secrets: SecretFiles) -> None:
        self.header = jwt.get_unverified_header(token)
        self.claims = jwt.decode(token, options={"verify_signature": False})
        jwk = json.loads(Path(secrets.jwt.removeprefix("file:")).read_text())
        self.key = ECAlgorithm.from_jwk(jwk)

    def sign(self, header: dict[str, Any] | None = None, key: Any = None, **claims: Any) -> str:
        """None as a value takes the member away."""
        head = _merged(self.header, header or {})
        body = _merged(self.claims, claims)
        text = f"{_part(head)}.{_part(body)}"
        signature = ECAlgorithm(ECAlgorithm.SHA256).sign(text.encode(), key or self.key)
        return f"{text}.{_base64url(signature)}"


@pytest.fixture(scope="module")
def forge(token: str, secret_files: SecretFiles) -> Forge:
    return Forge(token, secret_files)


def _merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in (base | changes).items() if v is not None}


def _part(value: dict[str, Any]) -> str:
    return _base64url(json.dumps(value).encode())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _assert_refused(service: Service, authorization: str) -> None:
    for method, path in (("GET", "/v1/me"), ("POST", "/v1/logout")):
        reply = service.api.request(method, path, headers={"Authorization": authorization})
        assert (reply.status, reply.code) == (401, "unauthenticated"), authorization
        assert 'error="invalid_token"' in reply.headers["www-authenticate"]


def test_what_the_forge_signs_is_taken(service: Service, forge: Forge) -> None:
    """Or else the refusals below would prove nothing."""
    assert service.api.get("/v1/me", token=forge.sign()).status == 200


NOW = int(time.time())
CLAIMS: dict[str, dict[str, Any]] = {
    "expired": {"iat": NOW - 900, "exp": NOW - 600},
    "no expiry": {"exp": None},
    "expiry as text": {"exp": str(NOW + 300)},
    "expiry as fraction": {"exp": 1e300},
    "negative expiry": {"exp": -1},
    "other issuer": {"iss": "https://evil.example"},
    "no issuer": {"iss": None},
    "other audience": {"aud": "somebody-else"},
    "other audiences": {"aud": ["a", "b"]},
    "no audience": {"aud": None},
    "empty audience": {"aud": []},
    "no subject": {"sub": None},
    "no session": {"sid": None},
    "session is no id": {"sid": "' OR 1=1 --"},
    "auth version as text": {"av": "1"},
    "no auth version": {"av": None},
}
# Genuine, but worth nothing any more: a logout by them is fine and changes nothing.
OVER: dict[str, dict[str, Any]] = {
    "a session of nobody": {"sid": "00000000-0000-7000-8000-000000000000"},
    "newer auth version": {"av": 99},
    "older auth version": {"av": 0},
}


@pytest.mark.parametrize("name", CLAIMS)
def test_wrong_claims(service: Service, forge: Forge, name: str) -> None:
    _assert_refused(service, f"Bearer {forge.sign(**CLAIMS[name])}")


@pytest.mark.parametrize("name", OVER)
def test_claims_that_are_over(service: Service, forge: Forge, name: str) -> None:
    for call in (service.api.get, service.api.patch):
        body = {} if call == service.api.patch else None
        reply = call("/v1/me", value=body, token=forge.sign(**OVER[name]))
        assert (reply.status, reply.code) == (401, "unauthenticated")


def test_another_users_subject(service: Service, receiver: Receiver, forge: Forge) -> None:
    """Session and subject have to belong together."""
    other = confirmed_person(service.api, receiver)
    subject = service.api.get("/v1/me", token=other.tokens["access_token"]).json()["id"]
    token = forge.sign(sub=subject)
    reply = service.api.get("/v1/me", token=token)
    assert reply.status == 401 or reply.json()["id"] != subject


HEADERS: dict[str, dict[str, Any]] = {
    "alg none": {"alg": "none"},
    "alg None": {"alg": "None"},
    "alg in lower case": {"alg": "es256"},
    "alg RS256": {"alg": "RS256"},
    "alg HS256": {"alg": "HS256"},
    "alg ES384": {"alg": "ES384"},
    "alg as list": {"alg": ["ES256"]},
    "no alg": {"alg": None},
    "typ JWT": {"typ": "JWT"},
    "no typ": {"typ": None},
    "typ of an id token": {"typ": "id+jwt"},
    "no kid": {"kid": None},
    "unknown kid": {"kid": "x" * 43},
    "kid is a path": {"kid": "../../../../dev/null"},
    "kid is SQL": {"kid": "' UNION SELECT 'x"},
    "long kid": {"kid": "k" * 3000},
    "kid is a number": {"kid": 1},
    "crit": {"crit": ["x"], "x": 1},
    "b64 false": {"crit": ["b64"], "b64": False},
}


@pytest.mark.parametrize("name", HEADERS)
def test_wrong_header(service: Service, forge: Forge, name: str) -> None:
    _assert_refused(service, f"Bearer {forge.sign(HEADERS[name])}")


def test_a_key_in_the_token_is_not_believed(service: Service, forge: Forge) -> None:
    jwk = new_jwk()
    public = {k: v for k, v in jwk.items() if k != "d"}
    key = ECAlgorithm.from_jwk(jwk)
    _assert_refused(service, f"Bearer {forge.sign({'jwk': public}, key=key)}")
    _assert_refused(service, f"Bearer {forge.sign({'jku': 'http://127.0.0.1:9/'}, key=key)}")
    _assert_refused(service, f"Bearer {forge.sign(key=key)}")


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_the_public_key_is_no_hmac_key(service: Service, forge: Forge, algorithm: str) -> None:
    jwk = service.api.get("/.well-known/jwks.json").json()["keys"][0]
    point = _from_base64url(jwk["x"]) + _from_base64url(jwk["y"])
    for key in (json.dumps(jwk).encode(), point, b"\x04" + point, b"\x00"):
        header = {**forge.header, "alg": algorithm}
        text = f"{_part(header)}.{_part(forge.claims)}".encode()
        signer = jwt.algorithms.get_default_algorithms()[algorithm]
        _assert_refused(service, f"Bearer {text.decode()}.{_base64url(signer.sign(text, key))}")


def _from_base64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_every_altered_byte_is_noticed(service: Service, token: str) -> None:
    for at in range(0, len(token) - 1, 7):
        other = "A" if token[at] != "A" else "B"
        _assert_refused(service, f"Bearer {token[:at]}{other}{token[at + 1 :]}")


def test_other_spellings_of_the_token_are_refused(service: Service, token: str) -> None:
    header, claims, signature = token.split(".")
    der_like = _base64url(b"\x30\x44" + _from_base64url(signature) + b"\x00" * 6)
    for wrong in (
        *(header, f"{header}.{claims}", f"{header}.{claims}.", f".{claims}.{signature}"),
        *(f"{token}.", f"{token}.x", f"{token}=", f"{header}=.{claims}.{signature}"),
        *(f"{header}.{claims}.{signature[:-4]}", f"{header}.{claims}.{signature}AAAA"),
        *(f"{header}.{claims}.{der_like}", f"{header}.{claims}.{'A' * 86}", "x" * 8000),
        *(
            f"{header}..{signature}",
            "...",
            "a.b.c",
            token.replace("_", "/").replace("-", "+") + "+",
        ),
    ):
        _assert_refused(service, f"Bearer {wrong}")
    last = signature[-1]
    for other in "ABCDEFGHIJKLMNOPQRSTUVWXYZ":
        if other != last:  # the unused bits of base64url have to be zero, too
            _assert_refused(service, f"Bearer {header}.{claims}.{signature[:-1]}{other}")


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "bearertoken", "Token abc", "Bearer a b"],
)
def test_other_authorizations(service: Service, authorization: str) -> None:
    reply = service.api.get("/v1/me", headers={"Authorization": authorization})
    assert reply.status in (400, 401)
    if reply.status == 401:
        assert reply.headers["www-authenticate"].startswith("Bearer")


def test_no_authorization(service: Service) -> None:
    """RFC 6750 section 3.1: no error code where no token was sent."""
    reply = service.api.get("/v1/me")
    assert (reply.status, reply.code) == (401, "unauthenticated")
    assert "error=" not in reply.headers["www-authenticate"]


def test_the_scheme_has_no_case(service: Service, token: str) -> None:
    """RFC 9110 section 11.1."""
    for scheme in ("bearer", "BEARER"):
        headers = {"Authorization": f"{scheme} {token}"}
        assert service.api.get("/v1/me", headers=headers).status == 200


def test_a_token_in_the_query_is_not_taken(service: Service, token: str) -> None:
    assert service.api.get(f"/v1/me?access_token={token}").status == 401


def test_a_refresh_token_is_no_access_token(service: Service, receiver: Receiver) -> None:
    person = confirmed_person(service.api, receiver)
    _assert_refused(service, f"Bearer {person.tokens['refresh_token']}")
