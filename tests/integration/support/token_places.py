# SPDX-License-Identifier: Apache-2.0
"""Where the API takes a token, and of which class: one row for every route.

`PLACES` is held against `user-service routes --json`: a route without a row fails the matrix, so
that nobody adds one without saying which tokens it takes.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

ACCESS, ADMIN, CLIENT, REFRESH, ONE_TIME, RESET, MFA = CLASSES = (
    "access",
    "admin",
    "client",
    "refresh",
    "one-time",
    "reset",
    "mfa",
)


@dataclass
class Case:
    """What a request needs besides the token that it presents."""

    token: str
    password: str  # of the user whose token it is
    user: str  # somebody else's `sub`
    session: str  # one of the acting user's, another than the acting one
    foreign_session: str  # of `user`
    client: str  # a confidential client's id
    code: str  # that the acting user's authenticator shows
    event: str  # a dead letter's id
    introspector: dict[str, str]  # Basic of a client for the audience of users' tokens


@dataclass(frozen=True)
class Request:
    headers: dict[str, str] = field(default_factory=dict)
    path: str | None = None  # where it is not the route's own
    body: Any = None  # JSON
    form: dict[str, str] | None = None


@dataclass(frozen=True)
class Place:
    """Tokens of these classes are answered 2xx, all others never."""

    accepted: tuple[str, ...]
    request: Callable[[Case], Request]
    # 200 may also say no: RFC 7009 and RFC 7662 have no error for a token that is none.
    says_yes: Callable[[bytes], bool] | None = None


def _bearer(case: Case) -> dict[str, str]:
    return {"Authorization": f"Bearer {case.token}"}


def _by_bearer(
    accepted: tuple[str, ...], body: Any = None, path: Callable[[Case], str] | None = None
) -> Place:
    def request(case: Case) -> Request:
        filled = body(case) if callable(body) else body
        return Request(_bearer(case), path(case) if path else None, filled)

    return Place(accepted, request)


def _user(body: Any = None, path: Callable[[Case], str] | None = None) -> list[Place]:
    return [_by_bearer((ACCESS,), body, path)]


def _admin(body: Any = None, path: Callable[[Case], str] | None = None) -> list[Place]:
    return [_by_bearer((ADMIN,), body, path)]


def _in_body(accepted: tuple[str, ...], body: Callable[[Case], Any]) -> Place:
    return Place(accepted, lambda case: Request(body=body(case)))


def _in_form(
    accepted: tuple[str, ...],
    form: dict[str, str],
    member: str,
    says_yes: Callable[[bytes], bool] | None = None,
    by_client: bool = False,
) -> Place:
    def request(case: Case) -> Request:
        headers = case.introspector if by_client else {}
        return Request(headers, form=form | {member: case.token})

    return Place(accepted, request, says_yes)


_REFRESH_GRANT = {"grant_type": "refresh_token"}
_NOBODY_BY_BEARER = Place(
    (), lambda case: Request(_bearer(case), form={"token": "x", "grant_type": "client_credentials"})
)
_USERS = "/v1/admin/users"

PLACES: dict[tuple[str, str], list[Place]] = {
    ("POST", "/v1/email-verification/confirm"): [
        _in_body((ONE_TIME,), lambda c: {"token": c.token, "password": c.password})
    ],
    ("POST", "/v1/password-reset/confirm"): [
        _in_body((RESET,), lambda c: {"token": c.token, "new_password": c.password})
    ],
    ("POST", "/v1/login/mfa"): [_in_body((MFA,), lambda c: {"mfa_token": c.token, "code": c.code})],
    ("POST", "/v1/refresh"): [_in_body((REFRESH,), lambda c: {"refresh_token": c.token})],
    ("POST", "/v1/logout"): [
        _in_body((REFRESH,), lambda c: {"refresh_token": c.token}),
        _by_bearer((ACCESS,)),
    ],
    ("POST", "/oauth2/token"): [
        _in_form((REFRESH,), _REFRESH_GRANT, "refresh_token"),
        _in_form((REFRESH,), _REFRESH_GRANT | {"scope": "users:admin"}, "refresh_token"),
        _NOBODY_BY_BEARER,
    ],
    ("POST", "/oauth2/revoke"): [_NOBODY_BY_BEARER],  # see test_revocation_ends_what_it_is_shown
    ("POST", "/oauth2/introspect"): [
        _in_form((ACCESS, CLIENT), {}, "token", lambda body: body != b'{"active":false}', True),
        _NOBODY_BY_BEARER,
    ],
    ("GET", "/v1/me"): _user(),
    ("PATCH", "/v1/me"): _user({"name": "Ada"}),
    ("GET", "/v1/me/sessions"): _user(),
    ("DELETE", "/v1/me/sessions"): _user(),
    ("DELETE", "/v1/me/sessions/{id}"): _user(path=lambda c: f"/v1/me/sessions/{c.session}"),
    ("POST", "/v1/me/reauth"): _user(lambda c: {"password": c.password}),
    ("POST", "/v1/me/password"): _user(
        lambda c: {"current_password": c.password, "new_password": c.password}
    ),
    ("POST", "/v1/me/mfa/totp"): _user(),
    ("POST", "/v1/me/mfa/totp/confirm"): _user(lambda c: {"code": c.code}),
    ("DELETE", "/v1/me/mfa/totp"): _user(),
    ("POST", "/v1/me/mfa/recovery-codes"): _user(),
    ("GET", "/v1/users"): [_by_bearer((CLIENT,), path=lambda c: f"/v1/users?id={c.user}")],
    # Forward authentication takes whatever counts, as long as `aud` asks for nobody.
    ("GET", "/v1/auth/verify"): [
        _by_bearer((ACCESS, ADMIN, CLIENT)),
        _by_bearer((ACCESS, CLIENT), path=lambda c: "/v1/auth/verify?aud=shop"),
    ],
    ("GET", "/v1/auth/verify/*"): [
        _by_bearer((ACCESS, ADMIN, CLIENT), path=lambda c: "/v1/auth/verify/a//b?aud=x")
    ],
    ("GET", _USERS): _admin(),
    ("GET", _USERS + "/{id}"): _admin(path=lambda c: f"{_USERS}/{c.user}"),
    ("POST", _USERS + "/{id}/disable"): _admin(path=lambda c: f"{_USERS}/{c.user}/disable"),
    ("POST", _USERS + "/{id}/enable"): _admin(path=lambda c: f"{_USERS}/{c.user}/enable"),
    ("POST", _USERS + "/{id}/mfa/remove"): _admin(path=lambda c: f"{_USERS}/{c.user}/mfa/remove"),
    ("PUT", _USERS + "/{id}/roles"): _admin(
        {"roles": ["support"]}, lambda c: f"{_USERS}/{c.user}/roles"
    ),
    ("GET", _USERS + "/{id}/sessions"): _admin(path=lambda c: f"{_USERS}/{c.user}/sessions"),
    ("DELETE", _USERS + "/{id}/sessions"): _admin(path=lambda c: f"{_USERS}/{c.user}/sessions"),
    ("DELETE", "/v1/admin/sessions/{id}"): _admin(
        path=lambda c: f"/v1/admin/sessions/{c.foreign_session}"
    ),
    ("GET", "/v1/admin/clients"): _admin(),
    ("POST", "/v1/admin/clients"): _admin({"name": "made", "audience": ["shop"], "scope": []}),
    ("GET", "/v1/admin/clients/{id}"): _admin(path=lambda c: f"/v1/admin/clients/{c.client}"),
    ("POST", "/v1/admin/clients/{id}/rotate"): _admin(
        path=lambda c: f"/v1/admin/clients/{c.client}/rotate"
    ),
    ("POST", "/v1/admin/clients/{id}/disable"): _admin(
        path=lambda c: f"/v1/admin/clients/{c.client}/disable"
    ),
    ("GET", "/v1/admin/audit"): _admin(),
    ("GET", "/v1/admin/events"): _admin(),
    ("POST", "/v1/admin/events/{id}/redeliver"): _admin(
        path=lambda c: f"/v1/admin/events/{c.event}/redeliver"
    ),
    # These read no token.
    **{
        route: []
        for route in (
            ("POST", "/v1/register"),
            ("POST", "/v1/email-verification"),
            ("POST", "/v1/password-reset"),
            ("POST", "/v1/login"),
            ("GET", "/.well-known/jwks.json"),
            ("GET", "/.well-known/oauth-authorization-server"),
            ("GET", "/.well-known/openid-configuration"),
            ("GET", "/livez"),
            ("GET", "/readyz"),
            ("GET", "/openapi.json"),
            ("GET", "/docs"),
            ("GET", "/docs/init.js"),
            ("GET", "/docs/swagger-ui.css"),
            ("GET", "/docs/swagger-ui-bundle.js"),
            ("GET", "/verify"),
            ("GET", "/reset"),
            ("GET", "/email-change"),
            ("GET", "/email-undo"),
            ("GET", "/pages/pages.css"),
            ("GET", "/pages/pages.js"),
        )
    },
}
