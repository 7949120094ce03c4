# SPDX-License-Identifier: Apache-2.0
"""Checks events: by the JSON Schemas in events/, by the `cloudevents` package, and their order."""

import json
from collections.abc import Iterable
from functools import cache
from typing import Any

from cloudevents.core.formats.json import JSONFormat
from jsonschema import Draft202012Validator

from .paths import EVENTS

PREFIX = "com.mallhive."
REGISTERED = "com.mallhive.user.registered.v1"
VERIFICATION_REQUESTED = "com.mallhive.user.verification_requested.v1"
REGISTRATION_REPEATED = "com.mallhive.user.registration_repeated.v1"
VERIFIED = "com.mallhive.user.verified.v1"
PASSWORD_RESET_REQUESTED = "com.mallhive.user.password_reset_requested.v1"
PASSWORD_CHANGED = "com.mallhive.user.password_changed.v1"
MFA_CHANGED = "com.mallhive.user.mfa_changed.v1"
DISABLED = "com.mallhive.user.disabled.v1"
SESSION_CREATED = "com.mallhive.session.created.v1"
SESSION_REVOKED = "com.mallhive.session.revoked.v1"
SESSION_REUSE_DETECTED = "com.mallhive.session.reuse_detected.v1"

# Mails with a token expire with it and keep no order.
_UNORDERED = {VERIFICATION_REQUESTED, PASSWORD_RESET_REQUESTED}


@cache
def schemas() -> dict[str, dict[str, Any]]:
    """Event type -> schema."""
    found = {}
    for path in sorted(EVENTS.glob("*.schema.json")):
        schema = json.loads(path.read_text())
        found[schema["properties"]["type"]["const"]] = schema
    return found


@cache
def _validator(event_type: str) -> Draft202012Validator:
    return Draft202012Validator(
        schemas()[event_type], format_checker=Draft202012Validator.FORMAT_CHECKER
    )


def check_event(event: dict[str, Any], body: bytes) -> None:
    """Raises AssertionError where the event is not what its schema and CloudEvents 1.0 have."""
    assert event.get("type") in schemas(), f"no schema for type {event.get('type')!r}"
    errors = [f"{e.json_path}: {e.message}" for e in _validator(event["type"]).iter_errors(event)]
    assert not errors, f"{event['type']}: {'; '.join(errors[:5])}"
    parsed = JSONFormat().read(None, body)
    assert parsed.get_id() == event["id"]
    assert parsed.get_specversion() == "1.0"
    assert parsed.get_extension("sequence") == event["sequence"]


def first_deliveries(events: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """In the order they came, each id once."""
    seen: dict[str, dict[str, Any]] = {}
    for event in events:
        seen.setdefault(event["id"], event)
    return list(seen.values())


def check_order(events: Iterable[dict[str, Any]]) -> None:
    """Per user the events that are ordered came by growing sequence."""
    last: dict[str, dict[str, Any]] = {}
    for event in first_deliveries(events):
        if event["type"] in _UNORDERED:
            continue
        before = last.get(event["subject"])
        if before is not None:
            assert before["sequence"] < event["sequence"], f"{before} came before {event}"
        last[event["subject"]] = event
