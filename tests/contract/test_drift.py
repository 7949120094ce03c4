# SPDX-License-Identifier: Apache-2.0
"""The binary's own tables against the documents: routes, settings, metrics, problem codes."""

import json
import re
from typing import Any

import pytest
from support.journey import confirmed_person
from support.openapi import ANY_METHOD, METHODS, document
from support.paths import ROOT
from support.receiver import Receiver
from support.service import Service, run_command


def _documented() -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method.upper(), path): item[method]
        for path, item in document()["paths"].items()
        for method in item
        if method in METHODS
    }


@pytest.fixture(scope="module")
def routes() -> list[dict[str, Any]]:
    done = run_command("routes", "--json")
    assert done.returncode == 0, done.stderr
    return [row | {"path": _path_of(row)} for row in json.loads(done.stdout)]


def _path_of(row: dict[str, Any]) -> str:
    """The document has no asterisk: what it stands for is a parameter there."""
    return row["path"].replace("*", "{path}")


def test_routes_are_those_of_the_document(routes: list[dict[str, Any]]) -> None:
    built = {(r["method"], r["path"]): r["operation_id"] for r in routes}
    assert len(built) == len(routes)
    assert built == {key: item["operationId"] for key, item in _documented().items()}


def test_routes_ask_for_what_the_document_says(routes: list[dict[str, Any]]) -> None:
    for route in routes:
        operation = _documented()[route["method"], route["path"]]
        asked = operation.get("security", [{}])
        assert (route["auth"] != "public") == ({} not in asked), route
        item = document()["paths"][route["path"]]
        assert route["any_method"] == item.get(ANY_METHOD, False), route
        assert route["body"] == ("requestBody" in operation), route
        waits = route["lane"] != "inline"
        assert waits == ("429" in operation["responses"]), route


def test_the_served_document_is_ours(make_service) -> None:
    service = make_service(US_DOCS="on", US_PAGES="on").start()
    assert service.api.get("/openapi.json").json() == document()
    for (method, path), operation in _documented().items():
        if method == "GET" and (operation["tags"] == ["pages"] or path.startswith("/docs")):
            assert service.api.get(path).status == 200, path


def test_docs_and_pages_are_off_by_default(service: Service) -> None:
    for path in ("/docs", "/openapi.json", "/docs/init.js", "/verify", "/reset"):
        assert service.api.get(path).code == "not_found"


def test_pages_name_no_outside_host(make_service) -> None:
    service = make_service(US_DOCS="on", US_PAGES="on").start()
    for path in ("/docs", "/docs/init.js", "/verify", "/reset", "/email-change", "/email-undo"):
        reply = service.api.get(path)
        assert not re.search(rb"https?://(?!127\.0\.0\.1)", reply.body), path
        assert "default-src 'none'" in reply.headers["content-security-policy"]


def test_settings_are_those_of_the_documentation(service: Service) -> None:
    done = run_command("check-config", "--json", environment=service.environment())
    assert done.returncode == 0, done.stderr
    built = set(_setting_names(json.loads(done.stdout)))
    text = (ROOT / "docs" / "CONFIGURATION.md").read_text()
    documented = set(re.findall(r"^\|\s*`([A-Z][A-Z0-9_]+)`", text, re.MULTILINE))
    assert built == documented


def _setting_names(printed: Any) -> list[str]:
    """An object by name, or a list of objects with a name."""
    if isinstance(printed, dict):
        return list(printed)
    return [setting["name"] for setting in printed]


def test_codes_of_the_answers_are_all_the_codes_there_are() -> None:
    listed = set(document()["components"]["schemas"]["Problem"]["properties"]["code"]["enum"])
    used = set()
    for response in document()["components"]["responses"].values():
        schema = response["content"].get("application/problem+json", {}).get("schema", {})
        for part in schema.get("allOf", []):
            used |= set(part.get("properties", {}).get("code", {}).get("enum", []))
    assert used == listed


LABELS = r'(\{([a-zA-Z_]\w*="(?:[^"\\\n]|\\.)*",?)*\})?'
SAMPLE = re.compile(rf"([a-zA-Z_:][a-zA-Z0-9_:]*){LABELS} ([-+0-9.eE]+|\+Inf|NaN)")


def test_metrics_are_well_formed(service: Service, receiver: Receiver) -> None:
    """Prometheus text format 0.0.4; labels come from tables, never from a client."""
    confirmed_person(service.api, receiver)
    for path in ("/nowhere", "/x" * 50, "/v1/me"):
        service.api.request("BREW", path)
        service.api.get(path)
    reply = service.ops.get("/metrics")
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    kinds: dict[str, str] = {}
    helped: set[str] = set()
    for line in reply.body.decode().splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            kinds[name] = kind
        elif line.startswith("# HELP "):
            helped.add(line.split(" ")[2])
        else:
            found = SAMPLE.fullmatch(line)
            assert found, line
            base = re.sub(r"_(bucket|sum|count)$", "", found.group(1))
            assert found.group(1) in kinds or kinds.get(base) == "histogram", line
    assert helped == set(kinds)
    assert b"nowhere" not in reply.body
    assert b"BREW" not in reply.body
    for name, kind in kinds.items():
        assert name.endswith("_total") == (kind == "counter"), name


def test_operations_listener_has_nothing_else(service: Service) -> None:
    for path in ("/v1/me", "/docs", "/.well-known/jwks.json", "/"):
        assert service.ops.get(path).status == 404
    assert service.api.get("/metrics").status == 404


@pytest.mark.parametrize(
    "path",
    [
        "/.well-known/jwks.json",
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
    ],
)
def test_discovery_can_be_cached(service: Service, path: str) -> None:
    first = service.api.get(path)
    assert "max-age=300" in first.headers["cache-control"]
    tag = first.headers["etag"]
    for wanted in (tag, f'"x", {tag}', f"W/{tag}", "*"):
        again = service.api.get(path, headers={"If-None-Match": wanted})
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
    other = service.api.get(path, headers={"If-None-Match": '"x"'})
    assert (other.status, other.body) == (200, first.body)


def test_metadata(service: Service) -> None:
    plain = service.api.get("/.well-known/oauth-authorization-server").json()
    assert plain == service.api.get("/.well-known/openid-configuration").json()
    assert plain["issuer"] == service.url
    assert plain["jwks_uri"] == f"{service.url}/.well-known/jwks.json"
    assert plain["token_endpoint"] == f"{service.url}/oauth2/token"
    assert plain["revocation_endpoint"] == f"{service.url}/oauth2/revoke"
    assert plain["introspection_endpoint"] == f"{service.url}/oauth2/introspect"
    methods = ["client_secret_basic", "client_secret_post"]
    assert plain["introspection_endpoint_auth_methods_supported"] == methods
    assert plain["grant_types_supported"] == ["refresh_token", "client_credentials"]
    assert plain["token_endpoint_auth_methods_supported"] == [*methods, "none"]
    assert plain["revocation_endpoint_auth_methods_supported"] == [*methods, "none"]


def test_heads_are_those_of_get(service: Service) -> None:
    """RFC 9110 section 9.3.2."""
    for path in ("/livez", "/.well-known/jwks.json", "/v1/me", "/nowhere"):
        head, full = service.api.request("HEAD", path), service.api.get(path)
        assert head.status == full.status
        assert head.body == b""
        varying = ("date", "x-request-id")
        for name in set(full.headers) - set(varying):
            assert head.headers[name] == full.headers[name], (path, name)
