# SPDX-License-Identifier: Apache-2.0
"""Checks answers against openapi/user-service.yaml: status, headers, media type, schema.

What the document does not list is checked too: an unknown path is 404, another method 405 with the
methods that the document has in `Allow`.
"""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from .paths import OPENAPI

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
ANY_METHOD = "x-any-method"
_URI = "urn:user-service:openapi"
_NO_BODY = (204, 304)


class ContractError(AssertionError):
    """An answer that the document does not have."""


@cache
def document() -> dict[str, Any]:
    return yaml.safe_load(OPENAPI.read_text())


@cache
def _registry() -> Registry:
    return Registry().with_resource(_URI, DRAFT202012.create_resource(document()))


@cache
def _validator(pointer: str) -> Draft202012Validator:
    return Draft202012Validator(
        {"$ref": f"{_URI}#{pointer}"},
        registry=_registry(),
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    )


def check_schema(name: str, value: object) -> None:
    """`value` is what components/schemas has under `name`."""
    _check_value(f"/components/schemas/{name}", value, name)


def check_answer(
    method: str, target: str, status: int, headers: Mapping[str, str], body: bytes
) -> None:
    """Raises ContractError where the answer is not one that the document has."""
    path = target.split("?")[0]
    where = f"{method} {path} -> {status}"
    path = _template_of(path)
    item = document()["paths"].get(path)
    documented = _documented_method(method, item or {})
    if item is None:
        _check_response("/components/responses/NotFound", 404, where, status, headers, body)
        return
    if documented not in item:
        _check_response("/components/responses/MethodNotAllowed", 405, where, status, headers, body)
        _check_allow(item, headers, where)
        return
    pointer = f"/paths/{_escape(path)}/{documented}/responses/{status}"
    if str(status) not in item[documented]["responses"]:
        raise ContractError(f"{where}: status is not documented; body {body[:300]!r}")
    _check_response(pointer, status, where, status, headers, b"" if method == "HEAD" else body)


def _documented_method(method: str, item: Mapping[str, Any]) -> str:
    """`x-any-method`: each known method is answered as the one that is documented."""
    if item.get(ANY_METHOD) and method.lower() in METHODS[:-1]:
        return "get"
    return "get" if method == "HEAD" else method.lower()


def _template_of(path: str) -> str:
    """The documented path that this one is of, `{id}` standing for one segment and `{path}` for all
    that follows; itself if none."""
    for template in document()["paths"]:
        if template.endswith("{path}") and path.startswith(template.removesuffix("{path}")):
            return template
    segments = path.split("/")
    for template in document()["paths"]:
        wanted = template.split("/")
        pairs = zip(wanted, segments, strict=False)
        if len(wanted) == len(segments) and all(w in ("{id}", s) for w, s in pairs):
            return template
    return path


def _check_allow(item: Mapping[str, Any], headers: Mapping[str, str], where: str) -> None:
    expected = {m.upper() for m in item if m in METHODS}
    if item.get(ANY_METHOD):
        expected |= {m.upper() for m in METHODS} - {"HEAD", "OPTIONS", "TRACE"}
    allowed = {m.strip() for m in headers["allow"].split(",")}
    if allowed - {"HEAD", "OPTIONS"} != expected:
        raise ContractError(f"{where}: Allow is {sorted(allowed)}, documented {sorted(expected)}")


def _check_response(
    pointer: str, expected: int, where: str, status: int, headers: Mapping[str, str], body: bytes
) -> None:
    if status != expected:
        raise ContractError(f"{where}: expected {expected}; body {body[:300]!r}")
    pointer, response = _resolve(pointer)
    for name, header in response.get("headers", {}).items():
        _check_header(f"{pointer}/headers/{name}", name, header, headers, where)
    _check_body(pointer, response, where, headers, body)


def _check_header(
    pointer: str, name: str, header: Any, headers: Mapping[str, str], where: str
) -> None:
    pointer, header = _resolve(pointer)
    value = headers.get(name.lower())
    if value is None:
        if header.get("required"):
            raise ContractError(f"{where}: header {name} is missing")
        return
    _check_value(f"{pointer}/schema", value, f"{where}: header {name}")


def _check_body(
    pointer: str, response: Mapping[str, Any], where: str, headers: Mapping[str, str], body: bytes
) -> None:
    content = response.get("content")
    if content is None:
        if body:
            raise ContractError(f"{where}: has a body, documented is none: {body[:200]!r}")
        return
    media = headers.get("content-type", "").split(";")[0].strip().lower()
    if media not in content:
        raise ContractError(f"{where}: content type {media!r}, documented {sorted(content)}")
    if not body or not media.endswith("json"):
        return
    schema = f"{pointer}/content/{_escape(media)}/schema"
    _check_value(schema, json.loads(body), where)


def _check_value(pointer: str, value: object, where: str) -> None:
    errors = [f"{e.json_path}: {e.message}" for e in _validator(pointer).iter_errors(value)]
    if errors:
        raise ContractError(f"{where}: {'; '.join(errors[:5])}")


def _resolve(pointer: str) -> tuple[str, Any]:
    """Follows one `$ref`, which is all that the document uses for responses and headers."""
    value = _at(pointer)
    if "$ref" in value:
        pointer = value["$ref"].removeprefix("#")
        value = _at(pointer)
    return pointer, value


def _at(pointer: str) -> Any:
    value: Any = document()
    for part in pointer.split("/")[1:]:
        value = value[part.replace("~1", "/").replace("~0", "~")]
    return value


def _escape(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")
