# SPDX-License-Identifier: Apache-2.0
"""Good bodies to spoil, and how a finding about one looks."""

from typing import Any

from .client import Reply

REGISTER = "/v1/register"
RESEND = "/v1/email-verification"
CONFIRM = "/v1/email-verification/confirm"
LOGIN = "/v1/login"
ME = "/v1/me"
RESET = "/v1/password-reset"
RESET_CONFIRM = "/v1/password-reset/confirm"
ME_PASSWORD = "/v1/me/password"

GOOD: dict[str, dict[str, Any]] = {
    REGISTER: {"email": "good@example.com", "password": "a long enough pass phrase"},
    RESEND: {"email": "good@example.com"},
    CONFIRM: {"token": "ot1.k1.r.00.00", "password": "a long enough pass phrase"},
    LOGIN: {"email": "good@example.com", "password": "a long enough pass phrase"},
    RESET: {"email": "good@example.com"},
    RESET_CONFIRM: {"token": "ot1.k1.r.00.00", "new_password": "a long enough pass phrase"},
}


def assert_finding(reply: Reply, pointer: str, code: str) -> None:
    assert reply.status == 422, reply.body
    findings = [(e["pointer"], e["code"]) for e in reply.json()["errors"]]
    assert (pointer, code) in findings, findings
