# SPDX-License-Identifier: Apache-2.0
"""Second factors: an authenticator that is not ours (PyOTP), and steps that many tests take."""

import time
from typing import Any

import pyotp

from .client import Api
from .journey import Person
from .ledger import LEDGER
from .refresh_tokens import execute
from .service import Service

STEP_S = 30
TOTP, CONFIRM, RECOVERY = "/v1/me/mfa/totp", "/v1/me/mfa/totp/confirm", "/v1/me/mfa/recovery-codes"
LOGIN, LOGIN_MFA = "/v1/login", "/v1/login/mfa"

_OF = "user_id = (SELECT id FROM users WHERE email_canonical = %s)"


class Authenticator:
    """As the app on somebody's phone."""

    def __init__(self, secret: str) -> None:
        self._totp = pyotp.TOTP(secret)

    def code(self, steps: int = 0) -> str:
        """Of now, or of so many steps later."""
        return self._totp.at(int(time.time()) + steps * STEP_S)

    def wrong_code(self) -> str:
        """None of the codes of now and the steps around."""
        right = {self.code(steps) for steps in range(-2, 3)}
        return next(
            code
            for code in ("000000", "111111", "222222", "3" * 6, "4" * 6, "5" * 6)
            if code not in right
        )


def early_in_step(needed_s: float = 10.0) -> None:
    """Returns when the present step lasts for at least so long: no code expires meanwhile."""
    left = STEP_S - time.time() % STEP_S
    if left < needed_s:
        time.sleep(left)


def enrol(api: Api, token: str) -> tuple[Authenticator, list[str]]:
    """A confirmed factor, and its recovery codes. The token is worth nothing any more."""
    begun = api.post(TOTP, token=token)
    assert begun.status == 201, begun
    authenticator = Authenticator(begun.json()["secret"])
    confirmed = api.post(CONFIRM, {"code": authenticator.code()}, token=token)
    assert confirmed.status == 200, confirmed
    codes = confirmed.json()["recovery_codes"]
    LEDGER.add(*codes)
    return authenticator, codes


def ask(api: Api, person: Person) -> str:
    """The mfa_token of a login."""
    reply = api.post(LOGIN, person.credentials)
    assert (reply.status, reply.code) == (401, "mfa_required"), reply
    return reply.json()["mfa_token"]


def finish(api: Api, mfa_token: str, code: str) -> Any:
    return api.post(LOGIN_MFA, {"mfa_token": mfa_token, "code": code})


def forget_uses(service: Service, person: Person) -> None:
    """As if no code had been used and none had failed: a step lasts too long for a test."""
    execute(
        service.database_url,
        f"UPDATE totp_factors SET last_step = 0, failed_at = '{{}}' WHERE {_OF}",
        person.email,
    )


def pretend(service: Service, sub: str) -> None:
    """A factor that counts, of which nobody has the secret."""
    execute(
        service.database_url,
        "INSERT INTO totp_factors (user_id, kid, nonce, secret, confirmed_at)"
        " SELECT id, 'k1', '', '', clock_timestamp() FROM users WHERE id::text = %s"
        " ON CONFLICT DO NOTHING",
        sub,
    )


def unenrol(service: Service, email: str) -> None:
    execute(service.database_url, f"DELETE FROM totp_factors WHERE {_OF}", email)
