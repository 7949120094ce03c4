# SPDX-License-Identifier: Apache-2.0
"""Second factors from outside, with an authenticator that is not ours."""

import base64
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import psycopg
import pytest
from support import events
from support.administrators import Administrator, command, machine_administrator, subject_of
from support.client import Api, Reply
from support.clients import claims_of
from support.journey import Person, confirmed_person, login, new_password
from support.makers import ServiceMaker
from support.mfa import (
    CONFIRM,
    LOGIN,
    RECOVERY,
    TOTP,
    Authenticator,
    ask,
    early_in_step,
    enrol,
    finish,
    forget_uses,
)
from support.receiver import Receiver
from support.refresh_tokens import execute, send_form
from support.service import Service


@pytest.fixture
def person(service: Service, receiver: Receiver) -> Person:
    return confirmed_person(service.api, receiver, "mfa")


def _access(tokens: dict[str, Any]) -> str:
    return tokens["access_token"]


def _enrolled(service: Service, person: Person) -> tuple[Authenticator, list[str]]:
    """No code was used, as far as the database knows."""
    early_in_step()
    made = enrol(service.api, _access(person.tokens))
    forget_uses(service, person)
    return made


def _assert_refused(reply: Reply, status: int, code: str) -> None:
    assert (reply.status, reply.code) == (status, code), reply


def _count(service: Service, what: str, *values: Any) -> int:
    with psycopg.connect(service.database_url) as connection:
        return connection.execute(f"SELECT count(*) FROM {what}", values).fetchone()[0]


def test_a_whole_journey(service: Service, receiver: Receiver, person: Person) -> None:
    api = service.api
    other = login(api, person)
    subject = claims_of(_access(person.tokens))["sub"]
    early_in_step()

    begun = api.post(TOTP, token=_access(person.tokens))
    assert begun.status == 201, begun
    secret, uri = begun.json()["secret"], urlsplit(begun.json()["otpauth_uri"])
    host = urlsplit(service.url).hostname
    query = parse_qs(uri.query)
    assert (uri.scheme, uri.netloc) == ("otpauth", "totp")
    assert unquote(uri.path) == f"/{host}:{person.email}"
    assert query == {
        "secret": [secret],
        "issuer": [host],
        "algorithm": ["SHA1"],
        "digits": ["6"],
        "period": ["30"],
    }
    authenticator = Authenticator(secret)
    login(api, person)  # what is not confirmed asks nobody
    wrong = api.post(CONFIRM, {"code": authenticator.wrong_code()}, token=_access(person.tokens))
    _assert_refused(wrong, 401, "invalid_code")

    confirmed = api.post(CONFIRM, {"code": authenticator.code()}, token=_access(person.tokens))
    assert confirmed.status == 200, confirmed
    for ended in (person.tokens, other):
        assert api.get("/v1/me", token=_access(ended)).status == 401
        assert api.get("/v1/auth/verify", token=_access(ended)).status == 401
    dead = api.post("/v1/refresh", {"refresh_token": other["refresh_token"]})
    _assert_refused(dead, 401, "invalid_refresh_token")
    acting = api.post("/v1/refresh", {"refresh_token": person.tokens["refresh_token"]}).json()
    assert claims_of(_access(acting))["amr"] == ["pwd", "otp"]
    assert api.get("/v1/me", token=_access(acting)).status == 200
    changed = receiver.wait_for(events.MFA_CHANGED, subject=subject)
    assert changed["data"] == {
        "email": person.email,
        "locale": None,
        "enabled": True,
        "reason": "changed_by_user",
    }

    asked = api.post(LOGIN, person.credentials)
    _assert_refused(asked, 401, "mfa_required")
    assert "access_token" not in asked.json()
    reply = finish(api, asked.json()["mfa_token"], authenticator.code(1))
    assert reply.status == 200, reply
    tokens = reply.json()
    assert claims_of(_access(tokens))["amr"] == ["pwd", "otp"]
    assert tokens["session_id"] != acting["session_id"]

    assert api.request("DELETE", TOTP, token=_access(tokens)).status == 204
    tokens = api.post("/v1/refresh", {"refresh_token": tokens["refresh_token"]}).json()
    assert api.get("/v1/me", token=_access(tokens)).status == 200
    assert api.get("/v1/me", token=_access(acting)).status == 401
    receiver.wait_for(events.MFA_CHANGED, subject=subject, enabled=False)
    login(api, person)
    assert api.request("DELETE", TOTP, token=_access(tokens)).status == 204  # there is none


def test_a_code_counts_once_and_one_step_around(service: Service, person: Person) -> None:
    authenticator, _ = _enrolled(service, person)
    early_in_step()
    for steps in (-2, 2):
        _assert_refused(
            finish(service.api, ask(service.api, person), authenticator.code(steps)),
            401,
            "invalid_code",
        )
    for steps in (-1, 0, 1):  # each later than the one before
        code = authenticator.code(steps)
        assert finish(service.api, ask(service.api, person), code).status == 200
        again = finish(service.api, ask(service.api, person), code)
        _assert_refused(again, 401, "invalid_code")
    reply = finish(service.api, ask(service.api, person), authenticator.code(0))
    _assert_refused(reply, 401, "invalid_code")  # one before the last one that was used


def test_an_mfa_token_counts_once(service: Service, person: Person) -> None:
    authenticator, _ = _enrolled(service, person)
    token = ask(service.api, person)
    for wrong in (token[:-1], token + "A", "x", token.replace(".mfa.", ".reset.")):
        reply = finish(service.api, wrong, authenticator.code())
        _assert_refused(reply, 401, "invalid_mfa_token")
    assert finish(service.api, token, authenticator.code()).status == 200
    forget_uses(service, person)
    reply = finish(service.api, token, authenticator.code())
    _assert_refused(reply, 401, "invalid_mfa_token")
    token = ask(service.api, person)
    execute(service.database_url, "UPDATE mfa_logins SET expires_at = clock_timestamp()")
    _assert_refused(finish(service.api, token, authenticator.code()), 401, "invalid_mfa_token")
    token = ask(service.api, person)
    execute(
        service.database_url,
        "UPDATE users SET status = 'disabled' WHERE email_canonical = %s",
        person.email,
    )
    _assert_refused(finish(service.api, token, authenticator.code()), 401, "invalid_mfa_token")
    _assert_refused(service.api.post(LOGIN, person.credentials), 401, "invalid_credentials")


def test_a_wrong_password_is_answered_as_anybodys(service: Service, person: Person) -> None:
    _enrolled(service, person)
    answers = []
    for email in (person.email, "nobody-at-all@example.com"):
        reply = service.api.post(LOGIN, {"email": email, "password": new_password()})
        document = {k: v for k, v in reply.json().items() if k != "request_id"}
        answers.append((reply.status, document, sorted(reply.headers)))
    assert answers[0] == answers[1]
    assert answers[0][1]["code"] == "invalid_credentials"


def test_recovery_codes_count_once(service: Service, receiver: Receiver, person: Person) -> None:
    _, codes = _enrolled(service, person)
    assert len(set(codes)) == 10
    reply = finish(service.api, ask(service.api, person), codes[0])
    assert reply.status == 200, reply
    tokens = reply.json()
    assert claims_of(_access(tokens))["amr"] == ["pwd", "mfa"]
    used = finish(service.api, ask(service.api, person), codes[0])
    _assert_refused(used, 401, "invalid_code")
    shouted = codes[1].upper().replace("-", " ")
    assert finish(service.api, ask(service.api, person), shouted).status == 200

    renewed = service.api.post(RECOVERY, token=_access(tokens))
    assert renewed.status == 200, renewed
    fresh = renewed.json()["recovery_codes"]
    assert not set(fresh) & set(codes)
    old = finish(service.api, ask(service.api, person), codes[2])
    _assert_refused(old, 401, "invalid_code")
    assert finish(service.api, ask(service.api, person), fresh[2]).status == 200

    stranger = confirmed_person(service.api, receiver)
    reply = service.api.post(RECOVERY, token=_access(stranger.tokens))
    _assert_refused(reply, 409, "mfa_not_enabled")
    reply = service.api.post(CONFIRM, {"code": "123456"}, token=_access(stranger.tokens))
    _assert_refused(reply, 409, "mfa_not_enabled")
    reply = service.api.post(TOTP, token=_access(tokens))
    _assert_refused(reply, 409, "mfa_enabled")


def _replica(make_service: ServiceMaker, of: Service) -> Service:
    return make_service(database_url=of.database_url, US_PUBLIC_URL=of.url).start()


def test_ten_codes_may_fail_over_all_tokens(
    service: Service, person: Person, make_service: ServiceMaker
) -> None:
    """Counted in the database: with three replicas at once, and after a restart."""
    authenticator, codes = _enrolled(service, person)
    replicas = [service.api, *(_replica(make_service, service).api for _ in "12")]
    wrong = authenticator.wrong_code()

    def guess(number: int) -> str | None:
        api = replicas[number % len(replicas)]
        return finish(api, ask(api, person), wrong).code

    with ThreadPoolExecutor(6) as pool:
        told = list(pool.map(guess, range(30)))
    assert told.count("invalid_code") == 10
    assert told.count("too_many_attempts") == 20
    for code in (authenticator.code(), codes[0]):
        reply = finish(service.api, ask(service.api, person), code)
        _assert_refused(reply, 429, "too_many_attempts")
        assert 3500 < int(reply.headers["retry-after"]) <= 3600


def test_proving_again_takes_the_code(service: Service, person: Person) -> None:
    authenticator, codes = _enrolled(service, person)
    tokens = finish(service.api, ask(service.api, person), codes[0]).json()

    def reauth(body: dict[str, str]) -> Reply:
        return service.api.post("/v1/me/reauth", body, token=_access(tokens))

    password = {"password": person.password}
    _assert_refused(reauth({"password": new_password()}), 401, "invalid_credentials")
    _assert_refused(reauth(password), 401, "mfa_required")
    assert "mfa_token" not in reauth(password).json()
    _assert_refused(reauth(password | {"code": authenticator.wrong_code()}), 401, "invalid_code")
    proved = reauth(password | {"code": authenticator.code()})
    assert proved.status == 200, proved
    assert claims_of(_access(proved.json()))["amr"] == ["pwd", "otp"]
    _assert_refused(reauth(password | {"code": authenticator.code()}), 401, "invalid_code")
    proved = reauth(password | {"code": codes[1]})
    assert claims_of(_access(proved.json()))["amr"] == ["pwd", "mfa"]


def test_only_a_fresh_session_touches_it(
    service: Service, receiver: Receiver, person: Person
) -> None:
    execute(
        service.database_url,
        "UPDATE sessions SET auth_time = clock_timestamp() - interval '301 s' WHERE id = %s",
        person.tokens["session_id"],
    )
    stale = {"access_token": refresh_access(service.api, person)}
    for method, path, body in (
        ("POST", TOTP, None),
        ("POST", CONFIRM, {"code": "123456"}),
        ("DELETE", TOTP, None),
        ("POST", RECOVERY, None),
    ):
        reply = service.api.request(method, path, body, token=_access(stale))
        _assert_refused(reply, 403, "reauth_required")


def refresh_access(api: Api, person: Person) -> str:
    reply = api.post("/v1/refresh", {"refresh_token": person.tokens["refresh_token"]})
    assert reply.status == 200, reply
    person.tokens = reply.json()
    return _access(person.tokens)


def test_a_code_given_twice_at_once_counts_once(service: Service, person: Person) -> None:
    authenticator, codes = _enrolled(service, person)
    early_in_step()
    for code in (authenticator.code(), codes[0], authenticator.code(1)):
        tokens = [ask(service.api, person) for _ in range(4)]
        with ThreadPoolExecutor(4) as pool:
            replies = list(pool.map(lambda t, c=code: finish(service.api, t, c), tokens))
        assert sorted(r.status for r in replies) == [200, 401, 401, 401]


def test_an_administrator_removes_it(service: Service, receiver: Receiver, person: Person) -> None:
    authenticator, _ = _enrolled(service, person)
    tokens = finish(service.api, ask(service.api, person), authenticator.code()).json()
    waiting = ask(service.api, person)
    boss, sub = machine_administrator(service), subject_of(service, person.email)
    assert boss.user(sub, "/mfa/remove").status == 204
    assert service.api.get("/v1/auth/verify", token=_access(tokens)).status == 401
    dead = service.api.post("/v1/refresh", {"refresh_token": tokens["refresh_token"]})
    _assert_refused(dead, 401, "invalid_refresh_token")
    reply = finish(service.api, waiting, authenticator.code(1))
    _assert_refused(reply, 401, "invalid_mfa_token")
    told = receiver.wait_for(events.MFA_CHANGED, subject=sub, reason="removed_by_admin")
    assert told["data"]["email"] == person.email
    assert told["data"]["enabled"] is False
    login(service.api, person)
    assert boss.user(sub, "/mfa/remove").status == 204  # nothing to do, nothing recorded
    assert _count(service, "audit WHERE type = 'user.mfa_removed' AND subject = %s", sub) == 1
    assert boss.user("nobody", "/mfa/remove").code == "not_found"


def test_an_operator_removes_it(service: Service, receiver: Receiver, person: Person) -> None:
    _enrolled(service, person)
    ask(service.api, person)
    shown = command(service, "user", "mfa-remove", person.email)
    assert shown["email"] == person.email
    receiver.wait_for(events.MFA_CHANGED, subject=shown["id"], reason="removed_by_operator")
    login(service.api, person)


def test_administration_with_a_real_code(service: Service, person: Person) -> None:
    execute(
        service.database_url,
        "UPDATE users SET roles = '{admin}' WHERE email_canonical = %s",
        person.email,
    )
    form = {"grant_type": "refresh_token", "scope": "users:admin"}

    def mint(tokens: dict[str, Any]) -> Any:
        more = {"refresh_token": tokens["refresh_token"]}
        return send_form(service.api, "/oauth2/token", form | more)

    tokens = login(service.api, person)
    assert mint(tokens).json()["error"] == "mfa_enrollment_required"
    person.tokens = tokens
    authenticator, codes = _enrolled(service, person)
    by_recovery = finish(service.api, ask(service.api, person), codes[0]).json()
    assert mint(by_recovery).json()["error"] == "reauth_required"
    tokens = finish(service.api, ask(service.api, person), authenticator.code()).json()
    minted = mint(tokens)
    assert minted.status == 200, minted
    admin = Administrator(service, minted.json()["access_token"])
    assert admin.get("/users", limit="1").status == 200
    own = subject_of(service, person.email)
    assert admin.user(own, "/mfa/remove").code == "own_account"
    execute(
        service.database_url,
        "UPDATE sessions SET auth_time = clock_timestamp() - interval '901 s' WHERE id = %s",
        tokens["session_id"],
    )
    assert mint(tokens).json()["error"] == "reauth_required"


def test_secrets_are_sealed(service: Service, person: Person) -> None:
    """Neither secret nor recovery code nor token is in any row."""
    begun = service.api.post(TOTP, token=_access(person.tokens)).json()
    authenticator = Authenticator(begun["secret"])
    early_in_step()
    codes = service.api.post(
        CONFIRM, {"code": authenticator.code()}, token=_access(person.tokens)
    ).json()["recovery_codes"]
    token = ask(service.api, person)
    with psycopg.connect(service.database_url) as connection:
        rows = []
        for table in ("totp_factors", "recovery_codes", "mfa_logins", "outbox", "audit"):
            query = f"SELECT to_jsonb(t)::text FROM {table} t"
            rows += [row[0] for row in connection.execute(query)]
    text = "\n".join(rows)
    raw = base64.b32decode(begun["secret"]).hex()
    for secret in (begun["secret"], raw, *codes, *(c.replace("-", "") for c in codes), token):
        assert secret not in text


@pytest.mark.fault
@pytest.mark.parametrize("after_ms", [2, 5, 10])
def test_a_crash_leaves_all_or_nothing(
    make_service: ServiceMaker, receiver: Receiver, after_ms: int
) -> None:
    """Killed while factors are confirmed: auth_ver, factor and recovery codes agree."""
    service = make_service(receiver).start()
    people = [confirmed_person(service.api, receiver, "crash") for _ in range(6)]
    secrets = [service.api.post(TOTP, token=_access(p.tokens)).json()["secret"] for p in people]
    early_in_step(5)

    def confirm(at: int) -> int | None:
        try:
            body = {"code": Authenticator(secrets[at]).code()}
            return service.api.post(CONFIRM, body, token=_access(people[at].tokens)).status
        except OSError:
            return None

    with ThreadPoolExecutor(6) as pool:
        running = [pool.submit(confirm, at) for at in range(len(people))]
        time.sleep(after_ms / 1000)
        service.kill()
        for future in running:
            try:
                future.result()
            except Exception:
                continue
    with psycopg.connect(service.database_url) as connection:
        rows = connection.execute(
            "SELECT u.auth_ver, f.confirmed_at IS NOT NULL,"
            " (SELECT count(*) FROM recovery_codes r WHERE r.user_id = u.id),"
            " (SELECT count(*) FROM audit a WHERE a.subject = u.id::text"
            "  AND a.type = 'user.mfa_enabled')"
            " FROM users u JOIN totp_factors f ON f.user_id = u.id"
        ).fetchall()
    assert len(rows) == len(people)
    assert set(rows) <= {(1, False, 0, 0), (2, True, 10, 1)}
