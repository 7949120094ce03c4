# SPDX-License-Identifier: Apache-2.0
"""Members with wrong values, and the values at the edge of what is right."""

import json
import time
import unicodedata

import pytest
from support.bodies import CONFIRM, GOOD, LOGIN, ME, REGISTER, RESEND, RESET, assert_finding
from support.journey import (
    confirm,
    confirmed_person,
    login,
    mail_token,
    new_email,
    new_person,
    register,
)
from support.makers import ServiceMaker
from support.raw_http import exchange
from support.receiver import Receiver
from support.service import Service


@pytest.mark.parametrize(
    "email",
    [
        *("", "a", "@", "a@", "@example.com", "a@b@example.com", "a example.com", "a@example..com"),
        *("a@.example.com", "a@example.com.", "a@-example.com", "a@example-.com", "a@exa mple.com"),
        *(" a@example.com", "a@example.com ", "a\t@example.com", "a\r\nBcc: b@example.com"),
        *(
            "a\u007f@example.com",
            "a\u0085@example.com",
            "a\u200b@exam ple.com",
            "a@exa\u0001mple.com",
        ),
        *(".a@example.com", "a.@example.com", "a..b@example.com", "<a@example.com>"),
        *("Ada <a@example.com>", "a@[127.0.0.1]", "a@xn--\u00e9.com", "a@xn--0.com"),
        *(
            "a" * 65 + "@example.com",
            "a@" + "b" * 64 + ".com",
            "a,b@example.com",
            "a;b@example.com",
        ),
        *("mailto:a@example.com ", "a@example.com\u2028", "a@ex\u202eample.com"),
    ],
)
def test_bad_addresses(service: Service, email: str) -> None:
    for path in (REGISTER, RESEND, RESET):
        reply = service.api.post(path, {**GOOD[path], "email": email})
        assert reply.status == 422, (path, reply.body)
        assert {e["pointer"] for e in reply.json()["errors"]} == {"/email"}


def test_the_longest_address(service: Service, receiver: Receiver) -> None:
    person = new_person()
    local = person.email.split("@")[0].ljust(64, "x")
    person.email = f"{local}@{'d' * 60}.{'e' * 60}.{'f' * 60}.co"
    person.email = person.email.removesuffix("co") + "c" * (254 - len(person.email) + 2)
    assert len(person.email) == 254
    register(service.api, person)
    confirm(service.api, mail_token(receiver, person.email), person.password)
    reply = service.api.post(REGISTER, {**GOOD[REGISTER], "email": person.email + "c"})
    assert reply.status == 422


PASSWORDS_REFUSED = {
    "14 letters": ("abcdefghijklmn", "password_too_short"),
    "14 emoji": ("\U0001f600" * 14, "password_too_short"),
    "empty": ("", "password_too_short"),
    "257 letters": ("a1" * 128 + "x", "password_too_long"),
    "257 emoji": ("\U0001f600" * 257, "password_too_long"),
    "15 KiB": ("x" * 15 * 1024, "password_too_long"),
    "common": ("1qaz2wsx3edc4rfv", "password_too_common"),
    "common, in capitals": ("QAZWSXEDCRFVTGB", "password_too_common"),
    "audience": ("shop" * 10, "password_contains_service_name"),
    "product": ("MallHive-2026-11", "password_contains_service_name"),
}


@pytest.mark.parametrize("name", PASSWORDS_REFUSED)
def test_password_policy(service: Service, name: str) -> None:
    password, code = PASSWORDS_REFUSED[name]
    reply = service.api.post(REGISTER, {"email": new_email(), "password": password})
    assert_finding(reply, "/password", code)


def test_the_address_is_no_password(service: Service) -> None:
    person = new_person("ada.lovelace")
    local = person.email.split("@")[0]
    for password in (f"{local}-1815!", local.upper(), f"{person.email}{person.email}1"):
        reply = service.api.post(REGISTER, {"email": person.email, "password": password})
        assert_finding(reply, "/password", "password_contains_email")
    reply = service.api.post(
        REGISTER, {"email": person.email, "password": f"{local} and fifteen letters more"}
    )
    assert reply.status == 202
    both = service.api.post(REGISTER, {"email": "a@", "password": "short"})
    assert {e["pointer"] for e in both.json()["errors"]} == {"/email", "/password"}


def test_common_passwords_where_eight_letters_do(
    make_service: ServiceMaker, receiver: Receiver
) -> None:
    service = make_service(receiver, US_PASSWORD_MIN_LENGTH="8").start()
    for password in ("password", "Password1", "TRUSTNO1", "iloveyou1"):
        reply = service.api.post(REGISTER, {"email": new_email(), "password": password})
        assert_finding(reply, "/password", "password_too_common")
    reply = service.api.post(REGISTER, {"email": new_email(), "password": "xkq-7pwm"})
    assert reply.status == 202
    # At login nothing is asked: whatever was set once is good.
    reply = service.api.post(LOGIN, {"email": new_email(), "password": "password"})
    assert reply.status == 401


@pytest.mark.parametrize(
    "password",
    [
        *("abcdefghijklmno!", "\U0001f600" * 15, "\U0001f600" * 256, "z" * 255 + "q"),
        *("   leading and trailing   ", "tab\tnewline\nin the middle", "Üñïçødé 密码 пароль ok"),
    ],
)
def test_passwords_that_are_good(service: Service, receiver: Receiver, password: str) -> None:
    person = new_person()
    person.password = password
    register(service.api, person)
    confirm(service.api, mail_token(receiver, person.email), password)
    login(service.api, person)
    for wrong in (password + " ", password[:-1], password.strip() + "x", password.swapcase() + "x"):
        reply = service.api.post(LOGIN, {"email": person.email, "password": wrong})
        assert reply.status in (401, 422), reply.body


def test_forms_of_one_password_are_one(service: Service, receiver: Receiver) -> None:
    person = new_person()
    person.password = unicodedata.normalize("NFD", "Ångström café señor ") + person.password
    register(service.api, person)
    confirm(service.api, mail_token(receiver, person.email), person.password)
    person.password = unicodedata.normalize("NFC", person.password)
    login(service.api, person)


def test_a_huge_password_is_refused_before_hashing(service: Service) -> None:
    body = json.dumps({"email": new_email(), "password": "x" * 1024 * 1024}).encode()
    head = (
        f"POST {REGISTER} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    started = time.monotonic()
    result = exchange(service.port, head.encode() + body, quiet_s=0.001)
    assert result.statuses == [413]
    assert time.monotonic() - started < 0.5


def test_size_of_the_body(service: Service) -> None:
    body = json.dumps({"email": new_email()}).encode()
    exactly = body + b" " * (16 * 1024 - len(body))
    assert service.api.post(RESEND, body=exactly).status == 202
    for size in (16 * 1024 + 1, 17 * 1024):
        reply = service.api.post(RESEND, body=body.ljust(size))
        assert (reply.status, reply.code) == (413, "body_too_large")
        service.api.close()


NAMES_REFUSED = {
    "empty": ("", "too_short"),
    "201 letters": ("n" * 201, "too_long"),
    "201 emoji": ("\U0001f600" * 201, "too_long"),
    "control": ("Ada\u0007", "invalid_format"),
    "newline": ("Ada\nLovelace", "invalid_format"),
    "escape": ("Ada\u001b[31m", "invalid_format"),
}


@pytest.mark.parametrize("name", NAMES_REFUSED)
def test_bad_names(service: Service, token: str, name: str) -> None:
    value, code = NAMES_REFUSED[name]
    reply = service.api.post(REGISTER, {**GOOD[REGISTER], "name": value})
    assert_finding(reply, "/name", code)
    assert_finding(service.api.patch(ME, {"name": value}, token=token), "/name", code)


@pytest.mark.parametrize("name", ["A", "n" * 200, "\U0001f600" * 200, "O'Brien; DROP TABLE x--"])
def test_good_names(service: Service, token: str, name: str) -> None:
    reply = service.api.patch(ME, {"name": name}, token=token)
    assert (reply.status, reply.json()["name"]) == (200, name)


@pytest.mark.parametrize(
    "locale", ["", "e", "en_GB", "en-", "-en", "en--GB", "en-GB ", "e1", "én", "en-" + "a" * 40]
)
def test_bad_locales(service: Service, token: str, locale: str) -> None:
    for reply in (
        service.api.post(REGISTER, {**GOOD[REGISTER], "locale": locale}),
        service.api.patch(ME, {"locale": locale}, token=token),
    ):
        assert reply.status == 422, reply.body
        assert {e["pointer"] for e in reply.json()["errors"]} == {"/locale"}


@pytest.mark.parametrize("locale", ["en", "en-GB", "zh-Hant-TW", "de-CH-1996", "sr-Latn-RS"])
def test_good_locales(service: Service, token: str, locale: str) -> None:
    reply = service.api.patch(ME, {"locale": locale}, token=token)
    assert (reply.status, reply.json()["locale"]) == (200, locale)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"token": "", "password": "x" * 20}, 422, None),
        ({"token": "t" * 513, "password": "x" * 20}, 422, None),
        ({"token": "t" * 512, "password": "x" * 20}, 400, "invalid_token"),
        ({"token": "ot1.k1.registration.x.y", "password": "x" * 20}, 400, "invalid_token"),
        ({"token": "ot1....", "password": "x" * 20}, 400, "invalid_token"),
        ({"token": "\U0001f600" * 10, "password": "x" * 20}, 400, "invalid_token"),
        ({"token": "ot1.k1.registration.x.y", "password": "x" * 257}, 422, None),
    ],
)
def test_bad_mail_tokens(service: Service, body: dict, status: int, code: str | None) -> None:
    reply = service.api.post(CONFIRM, body)
    assert reply.status == status, reply.body
    assert code in (None, reply.code)


@pytest.mark.parametrize(
    "client_id", ["", "unknown", "first-party ", "FIRST-PARTY", "x" * 65, "'; --", "\u00e9"]
)
def test_login_takes_registered_clients_only(service, receiver, client_id: str) -> None:
    person = confirmed_person(service.api, receiver)
    reply = service.api.post(LOGIN, {**person.credentials, "client_id": client_id})
    assert reply.status == 422, reply.body
    assert {e["pointer"] for e in reply.json()["errors"]} == {"/client_id"}
    assert service.api.post(LOGIN, {**person.credentials, "client_id": "first-party"}).status == 200


@pytest.fixture(scope="module")
def token(service: Service, receiver: Receiver) -> str:
    """Somebody's access token."""
    return confirmed_person(service.api, receiver).tokens["access_token"]
