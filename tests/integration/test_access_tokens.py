# SPDX-License-Identifier: Apache-2.0
"""Forged, altered and foreign access tokens, made with the very key that the service signs with.

RFC 8725 (best current practice), RFC 6750 (bearer tokens).
"""

from typing import Any

import pytest
from support.journey import confirmed_person
from support.receiver import Receiver
from support.secret_files import SecretFiles
from support.service import Service
from support.token_forge import (
    AUDIENCES,
    CLAIMS,
    HEADERS,
    TokenForge,
    base64url,
    from_base64url,
    hostile_tokens,
)


@pytest.fixture(scope="module")
def token(service: Service, receiver: Receiver) -> str:
    return confirmed_person(service.api, receiver).tokens["access_token"]


@pytest.fixture(scope="module")
def forge(token: str, secret_files: SecretFiles) -> TokenForge:
    return TokenForge(token, secret_files)


def _assert_refused(service: Service, authorization: str) -> None:
    for method, path in (("GET", "/v1/me"), ("POST", "/v1/logout")):
        reply = service.api.request(method, path, headers={"Authorization": authorization})
        assert (reply.status, reply.code) == (401, "unauthenticated"), authorization
        assert 'error="invalid_token"' in reply.headers["www-authenticate"]


def test_what_the_forge_signs_is_taken(service: Service, forge: TokenForge) -> None:
    """Or else the refusals below would prove nothing."""
    assert service.api.get("/v1/me", token=forge.sign()).status == 200


# Genuine, but worth nothing any more: a logout by them is fine and changes nothing.
OVER: dict[str, dict[str, Any]] = {
    "a session of nobody": {"sid": "00000000-0000-7000-8000-000000000000"},
    "newer auth version": {"av": 99},
    "older auth version": {"av": 0},
}


@pytest.mark.parametrize("name", CLAIMS | AUDIENCES)
def test_wrong_claims(service: Service, forge: TokenForge, name: str) -> None:
    claims = (CLAIMS | AUDIENCES)[name]
    _assert_refused(service, f"Bearer {forge.sign(**claims)}")


@pytest.mark.parametrize("name", OVER)
def test_claims_that_are_over(service: Service, forge: TokenForge, name: str) -> None:
    for call in (service.api.get, service.api.patch):
        body = {} if call == service.api.patch else None
        reply = call("/v1/me", value=body, token=forge.sign(**OVER[name]))
        assert (reply.status, reply.code) == (401, "unauthenticated")


def test_another_users_subject(service: Service, receiver: Receiver, forge: TokenForge) -> None:
    """Session and subject have to belong together."""
    other = confirmed_person(service.api, receiver)
    subject = service.api.get("/v1/me", token=other.tokens["access_token"]).json()["id"]
    token = forge.sign(sub=subject)
    reply = service.api.get("/v1/me", token=token)
    assert reply.status == 401 or reply.json()["id"] != subject


@pytest.mark.parametrize("name", HEADERS)
def test_wrong_header(service: Service, forge: TokenForge, name: str) -> None:
    _assert_refused(service, f"Bearer {forge.sign(HEADERS[name])}")


def test_hostile_tokens(service: Service, forge: TokenForge) -> None:
    for text in hostile_tokens(forge).values():
        _assert_refused(service, f"Bearer {text}")


def test_every_altered_byte_is_noticed(service: Service, token: str) -> None:
    for at in range(0, len(token) - 1, 7):
        other = "A" if token[at] != "A" else "B"
        _assert_refused(service, f"Bearer {token[:at]}{other}{token[at + 1 :]}")


def test_other_spellings_of_the_token_are_refused(service: Service, token: str) -> None:
    header, claims, signature = token.split(".")
    der_like = base64url(b"\x30\x44" + from_base64url(signature) + b"\x00" * 6)
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
