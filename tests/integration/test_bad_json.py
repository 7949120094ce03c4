# SPDX-License-Identifier: Apache-2.0
"""Bodies that are not what a route takes, and routes that are not: a clear answer each."""

import json
from typing import Any

import pytest
from support.bodies import (
    CONFIRM,
    GOOD,
    LOGIN,
    ME,
    REGISTER,
    RESEND,
    RESET,
    RESET_CONFIRM,
    assert_finding,
)
from support.events import VERIFICATION_REQUESTED
from support.journey import (
    confirmed_person,
    login,
    new_email,
)
from support.receiver import Receiver
from support.service import Service

BODY_ROUTES = [("POST", REGISTER), ("POST", RESEND), ("POST", CONFIRM), ("POST", LOGIN)]
BODY_ROUTES += [("POST", RESET), ("POST", RESET_CONFIRM)]

MALFORMED = {
    "empty": b"",
    "space only": b"  \r\n\t ",
    "open object": b'{"email":"a@example.com"',
    "open string": b'{"email":"a@example.com',
    "trailing comma": b'{"email":"a@example.com",}',
    "trailing text": b'{"email":"a@example.com"}x',
    "two values": b'{"email":"a@example.com"}{}',
    "single quotes": b"{'email':'a@example.com'}",
    "comment": b'{"email":"a@example.com"/*x*/}',
    "unquoted name": b'{email:"a@example.com"}',
    "NaN": b'{"email":NaN}',
    "Infinity": b'{"email":Infinity}',
    "hex number": b'{"email":0x10}',
    "leading zero": b'{"email":01}',
    "raw tab in string": b'{"email":"a\tb@example.com"}',
    "raw newline in string": b'{"email":"a\nb@example.com"}',
    "bad escape": b'{"email":"a\\x41@example.com"}',
    "short \\u": b'{"email":"\\u12@example.com"}',
    "byte order mark": b'\xef\xbb\xbf{"email":"a@example.com"}',
    "UTF-16": '{"email":"a@example.com"}'.encode("utf-16-le"),
    "NUL byte": b'{"email":"a\x00@example.com"}',
    "NUL after": b'{"email":"a@example.com"}\x00',
    "escaped NUL": b'{"email":"a\\u0000@example.com"}',
    "escaped NUL in name": b'{"email":"a@example.com","x\\u0000":1}',
    "lone high surrogate": b'{"email":"\\ud800@example.com"}',
    "lone low surrogate": b'{"email":"\\udc00@example.com"}',
    "swapped surrogates": b'{"email":"\\udc00\\ud800@example.com"}',
    "surrogate in UTF-8": b'{"email":"\xed\xa0\x80@example.com"}',
    "invalid UTF-8": b'{"email":"\xff@example.com"}',
    "overlong UTF-8": b'{"email":"\xc0\xaf@example.com"}',
    "truncated UTF-8": b'{"email":"\xe2\x82"}',
    "above U+10FFFF": b'{"email":"\xf4\x90\x80\x80@example.com"}',
    "duplicate member": b'{"email":"a@example.com","email":"b@example.com"}',
    "duplicate by escape": b'{"email":"a@example.com","\\u0065mail":"b@example.com"}',
    "duplicate below": b'{"email":{"a":1,"a":2}}',
    "33 deep": b'{"email":' + b"[" * 33 + b"]" * 33 + b"}",
    "4000 deep": b'{"email":' + b"[" * 4000 + b"]" * 4000 + b"}",
}


@pytest.mark.parametrize("name", MALFORMED)
@pytest.mark.parametrize(("method", "path"), [*BODY_ROUTES, ("PATCH", ME)])
def test_malformed_json(service: Service, token: str, method: str, path: str, name: str) -> None:
    reply = service.api.request(
        method, path, body=MALFORMED[name], token=token if path == ME else None
    )
    assert (reply.status, reply.code) == (400, "malformed_json"), reply.body


@pytest.mark.parametrize("value", [[], "text", 1, None, True, [{}]])
@pytest.mark.parametrize(("method", "path"), [*BODY_ROUTES, ("PATCH", ME)])
def test_not_an_object(service: Service, token: str, method: str, path: str, value: Any) -> None:
    body = json.dumps(value).encode()
    reply = service.api.request(method, path, body=body, token=token if path == ME else None)
    assert reply.status == 422, reply.body
    assert [e["pointer"] for e in reply.json()["errors"]] == [""]


@pytest.mark.parametrize("value", [1, 1.5, True, [], {}, None])
@pytest.mark.parametrize(
    ("path", "member"),
    [(path, member) for path, good in GOOD.items() for member in good] + [(LOGIN, "client_id")],
)
def test_wrong_type(service: Service, path: str, member: str, value: Any) -> None:
    reply = service.api.post(path, {**GOOD[path], member: value})
    assert_finding(reply, f"/{member}", "wrong_type")


@pytest.mark.parametrize("value", [1, True, [], {}])
@pytest.mark.parametrize("member", ["name", "locale"])
def test_wrong_type_of_optional_members(service, token: str, member: str, value: Any) -> None:
    reply = service.api.post(REGISTER, {**GOOD[REGISTER], member: value})
    assert_finding(reply, f"/{member}", "wrong_type")
    reply = service.api.patch(ME, {member: value}, token=token)
    assert_finding(reply, f"/{member}", "wrong_type")


@pytest.mark.parametrize(
    ("path", "member"), [(path, member) for path, good in GOOD.items() for member in good]
)
def test_missing_member(service: Service, path: str, member: str) -> None:
    body = {name: value for name, value in GOOD[path].items() if name != member}
    assert_finding(service.api.post(path, body), f"/{member}", "required")


# What a careless mapper would write into a row or a token.
FOREIGN = [
    *("id", "sub", "subject", "status", "roles", "role", "scope", "aud", "iss", "av", "auth_ver"),
    *("email_verified", "email_canonical", "password_hash", "is_admin", "created_at", "Email"),
    *("__proto__", "constructor", "", " email", "a/b", "a~b", "é", "x" * 60),
]


@pytest.mark.parametrize("member", FOREIGN)
def test_unknown_member(service: Service, token: str, member: str) -> None:
    pointer = "/" + member.replace("~", "~0").replace("/", "~1")
    for path, good in GOOD.items():
        reply = service.api.post(path, {**good, member: "x"})
        assert_finding(reply, pointer, "unknown_member")
    reply = service.api.patch(ME, {member: "x"}, token=token)
    assert_finding(reply, pointer, "unknown_member")


@pytest.mark.parametrize("member", ["email", "password", "email_verified", "roles", "id"])
def test_patch_takes_name_and_locale_only(service: Service, token: str, member: str) -> None:
    before = service.api.get(ME, token=token).json()
    reply = service.api.patch(ME, {"name": "Changed", member: "admin"}, token=token)
    assert_finding(reply, f"/{member}", "unknown_member")
    assert service.api.get(ME, token=token).json() == before


@pytest.mark.parametrize(
    "media",
    [
        *("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"),
        *("application/xml", "application/jsonx", "application/json-patch+json", "json", "*/*"),
        *("", "application/json, text/plain"),
    ],
)
@pytest.mark.parametrize(("method", "path"), BODY_ROUTES)
def test_another_media_type(service: Service, method: str, path: str, media: str) -> None:
    body = json.dumps(GOOD[path]).encode()
    reply = service.api.request(method, path, body=body, headers={"Content-Type": media})
    assert (reply.status, reply.code) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "media",
    [
        *("application/json", "application/json; charset=utf-8", "Application/JSON"),
        *('application/json;charset="UTF-8"', "application/json ; charset=UTF-8"),
    ],
)
def test_spellings_of_the_media_type(service: Service, media: str) -> None:
    body = json.dumps({"email": new_email()}).encode()
    reply = service.api.post(RESEND, body=body, headers={"Content-Type": media})
    assert reply.status == 202


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "TRACE", "FOO", "OPTIONS"])
def test_wrong_method(service: Service, method: str) -> None:
    for path in GOOD:
        reply = service.api.request(method, path)
        assert (reply.status, reply.headers["allow"].split(", ")[0]) == (405, "POST")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "TRACE"])
@pytest.mark.parametrize("path", ["/livez", "/readyz", "/.well-known/jwks.json", "/v1/me"])
def test_wrong_method_where_one_reads(service: Service, method: str, path: str) -> None:
    assert service.api.request(method, path).code == "method_not_allowed"


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/v1", "/v1/", "/v2/login", "/v1/login/", "/V1/login", "/v1/Login", "/v1/loginx"),
        *("/metrics", "/index.html", "/.git/config", "/v1/me/passwords", "/docs/"),
        *("/v1/register%20", "/favicon.ico", "/openapi.yaml", "/.well-known/"),
    ],
)
def test_unknown_path(service: Service, path: str) -> None:
    for method in ("GET", "POST"):
        assert service.api.request(method, path).code == "not_found"


def test_query_is_no_part_of_the_path(service: Service) -> None:
    reply = service.api.post(f"{RESEND}?email=b@example.com&/../x", {"email": new_email()})
    assert reply.status == 202


def test_every_answer_names_its_request(service: Service) -> None:
    seen = set()
    for path in ("/livez", "/v1/me", "/nowhere", "/.well-known/jwks.json"):
        reply = service.api.get(path)
        seen.add(reply.headers["x-request-id"])
        if reply.code:
            assert reply.json()["request_id"] == reply.headers["x-request-id"]
    assert len(seen) == 4


def test_nothing_came_of_all_this(service: Service, receiver: Receiver) -> None:
    """The address that every refused body named got no mail, and the service is well."""
    person = confirmed_person(service.api, receiver)
    assert not receiver.find(VERIFICATION_REQUESTED, email="good@example.com")
    assert service.is_ready()
    assert login(service.api, person)


@pytest.fixture(scope="module")
def token(service: Service, receiver: Receiver) -> str:
    """Somebody's access token."""
    return confirmed_person(service.api, receiver).tokens["access_token"]
