# SPDX-License-Identifier: Apache-2.0
"""Web pages of the origins that are named may call the API; no others."""

import pytest
from support.journey import new_person

_OURS = "https://www.example.com"
_PREFLIGHT = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "content-type",
}


@pytest.fixture
def api(make_service):
    settings = {"US_CORS_ORIGINS": f"{_OURS},http://localhost:3000"}
    running = make_service(**settings).start()
    running.api._checked = False  # preflights are no operations of the document
    return running.api


def _cors(reply) -> dict[str, str]:
    return {name: value for name, value in reply.headers.items() if "access-control" in name}


def test_a_preflight_of_ours_is_answered(api) -> None:
    reply = api.request("OPTIONS", "/v1/login", headers={"Origin": _OURS, **_PREFLIGHT})
    assert reply.status == 204
    assert reply.headers["access-control-allow-origin"] == _OURS
    assert reply.headers["access-control-allow-methods"] == "POST"
    assert "Content-Type" in reply.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in reply.headers
    assert reply.headers["vary"] == "Origin"


def test_an_answer_may_be_read_by_ours(api) -> None:
    reply = api.post("/v1/login", new_person().credentials, headers={"Origin": _OURS})
    assert reply.status == 401
    assert reply.headers["access-control-allow-origin"] == _OURS


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "https://www.example.com.evil.example",
        "https://www.example.com:8443",
        "http://www.example.com",
        "HTTPS://WWW.EXAMPLE.COM",
        "https://www.example.com/",
        "null",
        "",
    ],
)
def test_others_get_no_permission(api, origin: str) -> None:
    preflight = api.request("OPTIONS", "/v1/login", headers={"Origin": origin, **_PREFLIGHT})
    assert preflight.status == 405
    assert not _cors(preflight)
    assert not _cors(api.get("/.well-known/jwks.json", headers={"Origin": origin}))


def test_an_unknown_path_has_no_preflight(api) -> None:
    reply = api.request("OPTIONS", "/v1/nowhere", headers={"Origin": _OURS, **_PREFLIGHT})
    assert reply.status == 404


def test_without_the_setting_nobody_may(make_service) -> None:
    api = make_service().start().api
    reply = api.get("/.well-known/jwks.json", headers={"Origin": _OURS})
    assert not _cors(reply)
    assert "vary" not in reply.headers
