# SPDX-License-Identifier: Apache-2.0
"""Schemathesis writes requests from the OpenAPI document, good and bad ones, and judges answers.

Left out: `positive_data_acceptance`, because what the document calls good may still be refused. A
made-up token is 400 `invalid_token`, an address may not be one that RFC 5321 and IDNA allow, a
common password is refused. test_bad_fields.py has the edges of what is taken.
"""

import subprocess
import sys
from pathlib import Path

import pytest
from support.administrators import machine_administrator
from support.journey import confirmed_person
from support.ledger import LEDGER
from support.makers import ReceiverMaker, ServiceMaker
from support.paths import OPENAPI
from support.receiver import Receiver
from support.service import Service
from support.stats import report

LEFT_OUT = "positive_data_acceptance"
EXAMPLES = 60


# By refresh token, and so without a header: a public client that sends one is refused.
WITHOUT_BEARER = "^/(oauth2/|v1/(refresh|logout)$)"
# Takes any method, of which the document can only say so: test_auth_verify.py has it.
ANY_METHOD = "^/v1/auth/verify"
ADMINISTRATION = "^/v1/admin/"
# Long questions are refused by their length first (414, 431): test_clients.py has it.
DIRECTORY = "^/v1/users$"


@pytest.mark.timeout(240)
@pytest.mark.parametrize("who", ["user", "administrator", "nobody"])
def test_no_failure_is_left_unexplained(
    make_service: ServiceMaker, make_receiver: ReceiverMaker, tmp_path: Path, who: str
) -> None:
    receiver = make_receiver()
    service = make_service(receiver, US_DOCS="on", US_PAGES="on").start()
    token = _token(service, receiver, who)
    LEDGER.add(token)
    command = [
        str(Path(sys.executable).parent / "schemathesis"),
        *("run", str(OPENAPI), "--url", f"http://127.0.0.1:{service.port}"),
        *("--checks", "all", "--exclude-checks", LEFT_OUT),
        *_selection(token, who),
        *("--phases", "examples,coverage,fuzzing", "--max-examples", str(EXAMPLES)),
        *("--seed", "1", "--generation-database", "none", "--no-color", "--workers", "1"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=220)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    report(f"schemathesis, {who}: {_summary(done.stdout)}")
    assert service.is_ready()


def _token(service: Service, receiver: Receiver, who: str) -> str:
    if who == "administrator":
        return machine_administrator(service).token
    return confirmed_person(service.api, receiver).tokens["access_token"]


def _selection(token: str, who: str) -> tuple[str, ...]:
    """A token is to live through the run, so that what would end it is left to the others."""
    header = ("--header", f"Authorization: Bearer {token}")
    if who == "nobody":
        return ("--include-path-regex", WITHOUT_BEARER)
    if who == "administrator":
        return (*header, "--include-path-regex", ADMINISTRATION)
    left_out = f"{WITHOUT_BEARER}|{ANY_METHOD}|{ADMINISTRATION}|{DIRECTORY}"
    return (*header, "--exclude-path-regex", left_out)


def _summary(output: str) -> str:
    lines = [line.strip() for line in output.splitlines()]
    return next((line for line in reversed(lines) if "generated" in line), lines[-1])
