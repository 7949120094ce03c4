# SPDX-License-Identifier: Apache-2.0
"""/oauth2/token and /oauth2/revoke as OAuth libraries use them, and logout by refresh token."""

from typing import Any

import jwt
import pytest
from support import events
from support.client import Reply
from support.clients import create_client
from support.journey import Person, confirmed_person, login
from support.receiver import Receiver
from support.refresh_tokens import (
    RefreshForge,
    assert_refused,
    execute,
    parts_of,
    refreshed,
    row_of,
    send_form,
)
from support.secret_files import SecretFiles
from support.service import Service

TOKEN, REVOKE, LOGOUT = "/oauth2/token", "/oauth2/revoke", "/v1/logout"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def forge(secret_files: SecretFiles) -> RefreshForge:
    return RefreshForge(secret_files)


@pytest.fixture(scope="module")
def person(service: Service, receiver: Receiver) -> Person:
    return confirmed_person(service.api, receiver)


@pytest.fixture
def tokens(service: Service, person: Person) -> dict[str, Any]:
    """Of a new session."""
    return login(service.api, person)


def _grant(token: str, **more: str) -> dict[str, str]:
    return {"grant_type": "refresh_token", "refresh_token": token, **more}


def _assert_error(reply: Reply, status: int, error: str) -> None:
    """RFC 6749 section 5.2, as the document has it (which the client has checked)."""
    assert reply.status == status, reply
    assert reply.headers["content-type"] == "application/json"
    assert set(reply.json()) == {"error", "error_description"}
    assert reply.json()["error"] == error


def _assert_ended(service: Service, receiver: Receiver, tokens: dict[str, Any]) -> None:
    """By a logout, which is told once."""
    assert service.api.get("/v1/me", token=tokens["access_token"]).code == "unauthenticated"
    assert_refused(service.api, tokens["refresh_token"])
    event = receiver.wait_for(events.SESSION_REVOKED, session_id=tokens["session_id"])
    assert event["data"]["reason"] == "logout"
    found = receiver.find(events.SESSION_REVOKED, session_id=tokens["session_id"])
    assert len(events.first_deliveries(found)) == 1
    assert not receiver.find(events.SESSION_REUSE_DETECTED, session_id=tokens["session_id"])


def _assert_lives(service: Service, tokens: dict[str, Any]) -> None:
    assert service.api.get("/v1/me", token=tokens["access_token"]).status == 200


def test_a_grant_has_the_successor(service: Service, tokens, forge: RefreshForge) -> None:
    first = tokens["refresh_token"]
    reply = send_form(service.api, TOKEN, _grant(first))
    assert (reply.status, reply.headers["pragma"]) == (200, "no-cache")
    answer = reply.json()
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 300)
    assert answer["refresh_token"] == forge.successor(first)
    claims = jwt.decode(answer["access_token"], options={"verify_signature": False})
    assert (claims["sid"], claims["client_id"]) == (tokens["session_id"], "first-party")
    _assert_lives(service, answer)
    # One session, by whichever door.
    third = refreshed(service.api, answer["refresh_token"])
    assert send_form(service.api, TOKEN, _grant(third)).status == 200
    assert send_form(service.api, TOKEN, _grant(third)).status == 200


@pytest.mark.parametrize(
    "more",
    [
        {"client_id": "first-party"},
        {"client_id": ""},
        {"scope": "", "resource": "https://api.example", "x": "1"},
        {"client_secret": ""},
    ],
)
def test_parameters_that_change_nothing(service: Service, tokens, more: dict[str, str]) -> None:
    assert send_form(service.api, TOKEN, _grant(tokens["refresh_token"], **more)).status == 200


def test_an_old_token_is_reuse_here_too(service: Service, receiver: Receiver, tokens) -> None:
    first = tokens["refresh_token"]
    third = refreshed(service.api, refreshed(service.api, first))
    _assert_error(send_form(service.api, TOKEN, _grant(first)), 400, "invalid_grant")
    _assert_error(send_form(service.api, TOKEN, _grant(third)), 400, "invalid_grant")
    receiver.wait_for(events.SESSION_REUSE_DETECTED, session_id=tokens["session_id"])


ERRORS: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "invalid_request"),
    "no grant type": (b"refresh_token=x", "invalid_request"),
    "grant type without value": (b"grant_type=&refresh_token=x", "invalid_request"),
    "no token": (b"grant_type=refresh_token", "invalid_request"),
    "token without value": (b"grant_type=refresh_token&refresh_token=", "invalid_request"),
    "grant type twice": (b"grant_type=refresh_token&grant_type=x", "invalid_request"),
    "token twice": (
        b"grant_type=refresh_token&refresh_token=x&refresh_token=x",
        "invalid_request",
    ),
    "long token": (b"grant_type=refresh_token&refresh_token=" + b"x" * 513, "invalid_request"),
    "long client": (
        b"grant_type=refresh_token&refresh_token=x&client_id=" + b"c" * 65,
        "invalid_request",
    ),
    "broken escape": (b"grant_type=refresh_token&refresh_token=%zz", "invalid_request"),
    "U+0000": (b"grant_type=refresh_token&refresh_token=%00", "invalid_request"),
    "not UTF-8": (b"grant_type=refresh_token&refresh_token=%ff", "invalid_request"),
    "JSON in a form": (b'{"grant_type":"refresh_token"}', "invalid_request"),
    "password": (b"grant_type=password&username=a&password=b", "unsupported_grant_type"),
    "authorization code": (b"grant_type=authorization_code&code=x", "unsupported_grant_type"),
    "another case": (b"grant_type=Refresh_Token&refresh_token=x", "unsupported_grant_type"),
    "no refresh token": (b"grant_type=refresh_token&refresh_token=x", "invalid_grant"),
    "a wrong tag": (
        b"grant_type=refresh_token&refresh_token=rt1.k1.01890a5d-ac96-774b-bcce-b302099a8057.0."
        + b"A" * 43
        + b"."
        + b"A" * 22,
        "invalid_grant",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_of_the_token_endpoint(service: Service, name: str) -> None:
    body, error = ERRORS[name]
    reply = service.api.post(TOKEN, body=body, headers={"Content-Type": FORM})
    _assert_error(reply, 400, error)


@pytest.mark.parametrize("path", [TOKEN, REVOKE])
def test_other_bodies_are_refused(service: Service, tokens, path: str) -> None:
    body = {**_grant(tokens["refresh_token"]), "token": tokens["refresh_token"]}
    _assert_error(service.api.post(path, body), 415, "invalid_request")
    for media in ("text/plain", "multipart/form-data; boundary=x", "application/x-www-form", ""):
        reply = service.api.post(path, body=b"x=y", headers={"Content-Type": media})
        _assert_error(reply, 415, "invalid_request")
    assert service.api.post(path, body=b"x" * 16385, headers={"Content-Type": FORM}).status == 413
    service.api.close()
    assert service.api.get(path).code == "method_not_allowed"
    _assert_lives(service, tokens)
    charset = {"Content-Type": "Application/X-WWW-Form-URLEncoded; charset=UTF-8"}
    assert send_form(service.api, path, body, charset).status == 200


@pytest.mark.parametrize("path", [TOKEN, REVOKE])
@pytest.mark.parametrize("scheme", ["Basic Zmlyc3QtcGFydHk6eA==", "Bearer x", "x", ""])
def test_public_clients_have_no_credentials(
    service: Service, tokens, path: str, scheme: str
) -> None:
    form = {**_grant(tokens["refresh_token"]), "token": tokens["refresh_token"]}
    reply = send_form(service.api, path, form, {"Authorization": scheme})
    _assert_error(reply, 401, "invalid_client")
    assert reply.headers["www-authenticate"] == 'Basic realm="user-service"'
    row = row_of(service.database_url, tokens["session_id"])
    assert (row["generation"], row["revoked_at"]) == (0, None)


@pytest.mark.parametrize("which", range(4))
@pytest.mark.parametrize("hint", [None, "refresh_token", "access_token", "nonsense"])
def test_revoke_by_any_token_of_the_session(
    service: Service, receiver: Receiver, tokens, which: int, hint: str | None
) -> None:
    chain = [tokens["refresh_token"]]
    for _ in range(3):
        chain.append(refreshed(service.api, chain[-1]))
    form = {"token": chain[which]} | ({} if hint is None else {"token_type_hint": hint})
    for _ in range(2):
        reply = send_form(service.api, REVOKE, form)
        assert (reply.status, reply.body) == (200, b"")
    _assert_ended(service, receiver, {**tokens, "refresh_token": chain[3]})


def test_revoke_by_the_access_token(service: Service, receiver: Receiver, tokens) -> None:
    form = {"token": tokens["access_token"], "token_type_hint": "access_token"}
    assert send_form(service.api, REVOKE, form).status == 200
    _assert_ended(service, receiver, tokens)
    assert send_form(service.api, REVOKE, form).status == 200


def test_what_cannot_be_revoked_is_no_error(service: Service, tokens, forge: RefreshForge) -> None:
    """RFC 7009 section 2.2: 200 for a token that is none; and another client's stays as it is."""
    parts = parts_of(tokens["refresh_token"])
    for token in (
        "x",
        tokens["refresh_token"][:-1],
        tokens["access_token"][:-2],
        tokens["access_token"].rpartition(".")[0] + ".",
        forge.seal(parts, "spa"),
        "a" * 4096,
        "\U0001f600" * 300,
    ):
        assert send_form(service.api, REVOKE, {"token": token}).status == 200, token
    app = create_client(service, "app", "--public")["client_id"]
    for token in (tokens["refresh_token"], tokens["access_token"]):
        form = {"token": token, "client_id": app}
        assert send_form(service.api, REVOKE, form).status == 200
        _assert_error(
            send_form(service.api, REVOKE, form | {"client_id": "spa"}), 401, "invalid_client"
        )
    _assert_lives(service, tokens)
    refreshed(service.api, tokens["refresh_token"])


@pytest.mark.parametrize(
    "body", [b"", b"token=", b"token=a&token=b", b"token_type_hint=x", b"token=" + b"x" * 4097]
)
def test_errors_of_revocation(service: Service, body: bytes) -> None:
    reply = service.api.post(REVOKE, body=body, headers={"Content-Type": FORM})
    _assert_error(reply, 400, "invalid_request")


@pytest.mark.parametrize("which", range(3))
def test_logout_by_current_previous_and_older_token(
    service: Service, receiver: Receiver, tokens, which: int
) -> None:
    chain = [tokens["refresh_token"]]
    for _ in range(2):
        chain.append(refreshed(service.api, chain[-1]))
    for _ in range(2):  # the second time of an ended session
        reply = service.api.post(LOGOUT, {"refresh_token": chain[which]})
        assert (reply.status, reply.body) == (204, b"")
    _assert_ended(service, receiver, {**tokens, "refresh_token": chain[2]})


def test_logout_after_reuse(service: Service, receiver: Receiver, tokens) -> None:
    first = tokens["refresh_token"]
    refreshed(service.api, refreshed(service.api, first))
    assert_refused(service.api, first)
    receiver.wait_for(events.SESSION_REUSE_DETECTED, session_id=tokens["session_id"])
    assert service.api.post(LOGOUT, {"refresh_token": first}).status == 204
    assert service.api.post(LOGOUT, token=tokens["access_token"]).status == 204
    assert not receiver.find(events.SESSION_REVOKED, session_id=tokens["session_id"])


def test_logout_of_a_disabled_user(service: Service, receiver: Receiver) -> None:
    person = confirmed_person(service.api, receiver)
    tokens = person.tokens
    execute(
        service.database_url,
        "UPDATE users SET status = 'disabled' WHERE email_canonical = %s",
        person.email,
    )
    assert service.api.post(LOGOUT, {"refresh_token": tokens["refresh_token"]}).status == 204
    assert row_of(service.database_url, tokens["session_id"])["revoked_at"] is not None
    receiver.wait_for(events.SESSION_REVOKED, session_id=tokens["session_id"])


def test_the_body_goes_before_the_bearer(service: Service, person: Person, tokens) -> None:
    other = login(service.api, person)
    reply = service.api.post(
        LOGOUT, {"refresh_token": other["refresh_token"]}, token=tokens["access_token"]
    )
    assert reply.status == 204
    assert_refused(service.api, other["refresh_token"])
    _assert_lives(service, tokens)
    # A bad one does not fall back to the bearer: the caller means another session.
    reply = service.api.post(LOGOUT, {"refresh_token": "x"}, token=tokens["access_token"])
    assert (reply.status, reply.code) == (401, "invalid_refresh_token")
    _assert_lives(service, tokens)


def test_bodies_of_logout(service: Service, person: Person) -> None:
    api = service.api
    for body in (b"", b"{}", b'{"client_id":"first-party"}'):
        access = login(api, person)["access_token"]
        assert api.post(LOGOUT, body=body).code == "unauthenticated"
        assert api.get("/v1/me", token=access).status == 200
        assert api.post(LOGOUT, body=body, token=access).status == 204
        assert api.get("/v1/me", token=access).status == 401
    access = login(api, person)["access_token"]
    plain = {"Content-Type": "text/plain"}
    assert api.post(LOGOUT, body=b"x", headers=plain, token=access).status == 415
    assert api.post(LOGOUT, {"refresh_token": None}, token=access).status == 422
    assert api.post(LOGOUT, {"token": "x"}, token=access).status == 422
    assert api.get("/v1/me", token=access).status == 200
    assert api.post(LOGOUT, body=b"", headers=plain, token=access).status == 204
