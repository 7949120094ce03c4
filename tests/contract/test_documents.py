# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI document and the event schemas by themselves: whole, consistent, strict."""

import json
import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from support.events import schemas
from support.openapi import METHODS, document
from support.paths import EVENTS

ENVELOPE = {
    *("id", "source", "specversion", "type", "subject", "time"),
    *("datacontenttype", "sequence", "data"),
}
# RFC 8414 section 2 and RFC 6749 section 3.2 have others' members in them, to be ignored.
OPEN = {"Metadata", "OAuthTokenRequest", "OAuthIntrospectRequest", "OAuthRevokeRequest"}


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, item[method])
        for path, item in document()["paths"].items()
        for method in item
        if method in METHODS
    ]


def test_operation_ids() -> None:
    names = [operation["operationId"] for _, _, operation in operations()]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in names)


def test_every_reference_leads_somewhere() -> None:
    for reference in set(_references(document())):
        value: Any = document()
        for part in reference.removeprefix("#/").split("/"):
            value = value[part.replace("~1", "/").replace("~0", "~")]


def _references(value: Any) -> list[str]:
    if isinstance(value, list):
        return [found for item in value for found in _references(item)]
    if not isinstance(value, dict):
        return []
    own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
    return own + [found for item in value.values() for found in _references(item)]


def test_schemas_are_schemas() -> None:
    for name, schema in document()["components"]["schemas"].items():
        Draft202012Validator.check_schema(schema)
        assert schema.get("type") != "object" or name in OPEN or _is_strict(schema), name


def _is_strict(schema: dict[str, Any]) -> bool:
    return schema.get("additionalProperties") is False


def _body_schema(operation: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """Media type and schema, None where no body is taken."""
    if "requestBody" not in operation:
        return None
    ((media, content),) = operation["requestBody"]["content"].items()
    return media, document()["components"]["schemas"][_name(content["schema"])]


def _name(reference: dict[str, str]) -> str:
    return reference["$ref"].rsplit("/", 1)[1]


def test_requests_are_strict_and_limited() -> None:
    for _, path, operation in operations():
        media, schema = _body_schema(operation) or ("", {})
        assert media != "application/json" or _is_strict(schema), path
        for member in schema.get("properties", {}).values():
            target = (
                document()["components"]["schemas"][_name(member)] if "$ref" in member else member
            )
            if target.get("type") == "array":
                assert "maxItems" in target, (path, member)
                target = target["items"]
            limited = {"maxLength", "enum", "const"} & set(target)
            assert limited or target.get("type") == "boolean", (path, member)


def test_each_operation_says_how_it_fails() -> None:
    for method, path, operation in operations():
        statuses = set(operation["responses"])
        assert {"400", "500"} <= statuses, (method, path)
        if "security" in operation:
            assert "401" in statuses, (method, path)
        media, _ = _body_schema(operation) or ("", None)
        if media:
            assert {"413", "415", "503"} <= statuses, (method, path)
        if media == "application/json":
            assert "422" in statuses, (method, path)


@pytest.mark.parametrize("path", sorted(EVENTS.glob("*.schema.json")), ids=lambda p: p.name)
def test_event_schema(path: Any) -> None:
    schema = json.loads(path.read_text())
    Draft202012Validator.check_schema(schema)
    name = path.name.removesuffix(".schema.json")
    assert schema["properties"]["type"]["const"] == f"com.mallhive.{name}"
    assert schema["$id"].endswith(name)
    assert set(schema["required"]) == set(schema["properties"]) == ENVELOPE
    assert _is_strict(schema)
    data = schema["properties"]["data"]
    assert _is_strict(data)
    assert set(data["required"]) == set(data["properties"])
    hidden = {"password", "password_hash", "hash", "ip", "user_agent"}
    assert not hidden & set(data["properties"])


def test_each_event_has_its_schema() -> None:
    assert len(schemas()) == len(list(EVENTS.glob("*.json")))
