# SPDX-License-Identifier: Apache-2.0
"""Tokens for administration: of a refresh token, with role, second factor and a fresh login.

The second factor and the time of the login are set in the session's row, as a login with a code
would have left them.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from support import events
from support.clients import TOKEN, claims_of, create_client
from support.journey import Person, confirmed_person, login
from support.mfa import pretend, unenrol
from support.receiver import Receiver
from support.refresh_tokens import (
    RefreshForge,
    counted,
    execute,
    parts_of,
    refresh,
    refreshed,
    row_of,
    send_form,
)
from support.secret_files import SecretFiles
from support.service import Service
from support.tokens import verify_by_pyjwt

ADMIN = "users:admin"


@pytest.fixture(scope="module")
def forge(secret_files: SecretFiles) -> RefreshForge:
    return RefreshForge(secret_files)


@pytest.fixture(scope="module")
def admin(service: Service, receiver: Receiver) -> Person:
    person = confirmed_person(service.api, receiver)
    grant_role(service, person)
    return person


@pytest.fixture(autouse=True)
def factor(service: Service, admin: Person) -> Iterator[None]:
    """`prove` gives the administrator one; the next test's logins are without a code."""
    yield
    unenrol(service, admin.email)


@pytest.fixture
def tokens(service: Service, admin: Person) -> dict[str, Any]:
    """Of a new session with a second factor."""
    made = login(service.api, admin)
    prove(service, made)
    return made


def grant_role(service: Service, person: Person) -> None:
    execute(
        service.database_url,
        "UPDATE users SET roles = '{admin}' WHERE email_canonical = %s",
        person.email,
    )


def prove(service: Service, tokens: dict[str, Any], ago_s: int = 0) -> None:
    pretend(service, claims_of(tokens["access_token"])["sub"])
    execute(
        service.database_url,
        "UPDATE sessions SET amr = '{pwd,otp}',"
        " auth_time = clock_timestamp() - %s * interval '1 second' WHERE id = %s",
        ago_s,
        tokens["session_id"],
    )


def mint(service: Service, token: str, **more: str) -> Any:
    form = {"grant_type": "refresh_token", "refresh_token": token, "scope": ADMIN, **more}
    return send_form(service.api, TOKEN, form)


def _assert_error(reply: Any, error: str) -> None:
    assert (reply.status, reply.json()["error"]) == (400, error), reply


def test_an_administrators_token(service: Service, tokens: dict[str, Any]) -> None:
    before = row_of(service.database_url, tokens["session_id"])
    reply = mint(service, tokens["refresh_token"])
    assert (reply.status, reply.headers["pragma"]) == (200, "no-cache")
    answer = reply.json()
    assert set(answer) == {"access_token", "token_type", "expires_in", "scope"}
    assert (answer["scope"], answer["expires_in"]) == (ADMIN, 300)
    _, claims = verify_by_pyjwt(answer["access_token"], service.url, service.url)
    assert (claims["aud"], claims["scope"]) == (service.url, ADMIN)
    assert (claims["roles"], claims["amr"]) == (["admin"], ["pwd", "otp"])
    assert (claims["sid"], claims["client_id"]) == (tokens["session_id"], "first-party")
    # Nothing rotated: the same token gives another one, and is refreshed after that.
    assert row_of(service.database_url, tokens["session_id"]) == before
    again = claims_of(mint(service, tokens["refresh_token"]).json()["access_token"])
    assert again["jti"] != claims["jti"]
    refreshed(service.api, tokens["refresh_token"])
    # It is no user's token: nobody logs out or renames themselves with it.
    assert service.api.get("/v1/me", token=answer["access_token"]).code == "unauthenticated"


def test_logins_and_refreshes_carry_none(service: Service, tokens: dict[str, Any]) -> None:
    reply = refresh(service.api, tokens["refresh_token"])
    claims = claims_of(reply.json()["access_token"])
    assert (claims["scope"], claims["aud"], claims["roles"]) == ("", "shop", ["admin"])


def test_the_role_is_asked_for(service: Service, receiver: Receiver) -> None:
    person = confirmed_person(service.api, receiver)
    prove(service, person.tokens)
    _assert_error(mint(service, person.tokens["refresh_token"]), "invalid_scope")
    grant_role(service, person)
    assert mint(service, person.tokens["refresh_token"]).status == 200


def test_the_second_factor_is_asked_for(service: Service, admin: Person) -> None:
    tokens = login(service.api, admin)
    _assert_error(mint(service, tokens["refresh_token"]), "mfa_enrollment_required")
    pretend(service, claims_of(tokens["access_token"])["sub"])
    _assert_error(mint(service, tokens["refresh_token"]), "reauth_required")
    prove(service, tokens)
    assert mint(service, tokens["refresh_token"]).status == 200


def test_a_fresh_login_is_asked_for(service: Service, tokens: dict[str, Any]) -> None:
    prove(service, tokens, ago_s=930)
    _assert_error(mint(service, tokens["refresh_token"]), "reauth_required")
    prove(service, tokens, ago_s=870)
    assert mint(service, tokens["refresh_token"]).status == 200


@pytest.mark.parametrize(
    "scope", ["users:read", "openid", "users:admin users:read", "users:admin ", "USERS:ADMIN", " "]
)
def test_no_other_scope(service: Service, tokens: dict[str, Any], scope: str) -> None:
    before = row_of(service.database_url, tokens["session_id"])
    _assert_error(mint(service, tokens["refresh_token"], scope=scope), "invalid_scope")
    assert row_of(service.database_url, tokens["session_id"]) == before


def test_only_the_current_token_will_do(
    service: Service, receiver: Receiver, tokens: dict[str, Any]
) -> None:
    first = tokens["refresh_token"]
    second = refreshed(service.api, first)
    before = row_of(service.database_url, tokens["session_id"])
    _assert_error(mint(service, first), "invalid_grant")  # within the grace
    assert row_of(service.database_url, tokens["session_id"]) == before
    assert mint(service, second).status == 200
    assert refreshed(service.api, first) == second  # which still answers a second tab
    third = refreshed(service.api, second)
    _assert_error(mint(service, first), "invalid_grant")  # two have used it
    _assert_error(mint(service, third), "invalid_grant")
    assert refresh(service.api, third).code == "invalid_refresh_token"
    receiver.wait_for(events.SESSION_REUSE_DETECTED, session_id=tokens["session_id"])


def test_forgeries_touch_nothing(
    service: Service, tokens: dict[str, Any], forge: RefreshForge
) -> None:
    token = tokens["refresh_token"]
    before = row_of(service.database_url, tokens["session_id"])
    forged = counted(service, "forged")
    for wrong in (token[:-1], token[:-1] + "!", "x", forge.seal(parts_of(token), "spa")):
        _assert_error(mint(service, wrong), "invalid_grant")
    assert counted(service, "forged") == forged + 4
    ahead = forge.successor(token)  # a generation that a restored database has not reached
    _assert_error(mint(service, ahead), "invalid_grant")
    assert row_of(service.database_url, tokens["session_id"]) == before
    assert mint(service, token).status == 200


def test_an_ended_session_mints_nothing(service: Service, tokens: dict[str, Any]) -> None:
    assert service.api.post("/v1/logout", token=tokens["access_token"]).status == 204
    _assert_error(mint(service, tokens["refresh_token"]), "invalid_grant")


def test_through_a_public_client(service: Service, admin: Person) -> None:
    app = create_client(service, "console", "--public")["client_id"]
    reply = service.api.post("/v1/login", {**admin.credentials, "client_id": app})
    tokens = reply.json()
    prove(service, tokens)
    _assert_error(mint(service, tokens["refresh_token"]), "invalid_grant")
    answer = mint(service, tokens["refresh_token"], client_id=app).json()
    assert claims_of(answer["access_token"])["client_id"] == app
