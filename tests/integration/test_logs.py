# SPDX-License-Identifier: Apache-2.0
"""The logs of the whole run (this module runs last): JSON lines, and no secret in any of them."""

import json
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest
from support.journey import confirmed_person
from support.ledger import LEDGER
from support.receiver import Receiver
from support.service import Service
from support.stats import report


@pytest.fixture(scope="module")
def logs(log_folder: Path) -> list[Path]:
    found = sorted(log_folder.glob("*.log"))
    assert found
    return found


def test_a_request_is_one_line(service: Service, receiver: Receiver) -> None:
    confirmed_person(service.api, receiver)
    reply = service.api.get("/v1/me")
    wanted = reply.headers["x-request-id"]
    service.stop()
    records = [r for r in service.log_records() if wanted in json.dumps(r)]
    assert len(records) == 1
    assert "401" in json.dumps(records[0])
    assert "/v1/me" in json.dumps(records[0])
    service.start()


def test_each_line_is_one_json_object(logs: list[Path]) -> None:
    levels: Counter[str] = Counter()
    for path in logs:
        for number, line in enumerate(path.read_bytes().splitlines(), 1):
            try:
                record = json.loads(line)
            except ValueError:
                pytest.fail(f"{path}:{number}: {line[:300]!r}")
            assert isinstance(record, dict), f"{path}:{number}"
            levels[record["level"]] += 1
            datetime.fromisoformat(record["timestamp"])
    report(f"log lines by level over {len(logs)} services: {dict(levels)}")
    assert set(levels) <= {"debug", "info", "warn", "error"}


def test_no_secret_in_any_line(logs: list[Path], scratch: Path) -> None:
    assert len(LEDGER) > 0
    found = LEDGER.find_in(logs, scratch / "secrets.txt")
    assert not found, "\n".join(line[:300] for line in found)
    report(f"{len(LEDGER)} secrets looked for in the logs, none found")


def test_no_secret_in_what_postgresql_logged(cluster, scratch: Path) -> None:
    found = LEDGER.find_in([cluster.log], scratch / "secrets.txt")
    assert not found, "\n".join(line[:300] for line in found)
