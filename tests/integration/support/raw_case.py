# SPDX-License-Identifier: Apache-2.0
"""One raw request of the framing table, and short ways to write its bytes."""

from dataclasses import dataclass

CRLF = b"\r\n"
JSON = b"Content-Type: application/json"
HOST = b"Host: a.example"
BODY = b'{"email":"raw@example.com"}'


@dataclass(frozen=True)
class Raw:
    """`statuses` are those that may answer the first request, `answers` how many requests are
    answered in all. `closed` None: either will do. `is_no_http`: a first line that does not begin
    as a request, or holds a NUL. libmicrohttpd hangs up on such without an answer, which is safe:
    the 400 of RFC 9112 section 3 is a SHOULD."""

    name: str
    clause: str
    data: bytes
    statuses: tuple[int, ...]
    answers: int = 1
    closed: bool | None = True
    head: bool = False
    is_no_http: bool = False


def message(line: bytes, *fields: bytes, body: bytes = b"") -> bytes:
    return CRLF.join([line, *fields, b"", body])


def get(*fields: bytes, target: bytes = b"/livez") -> bytes:
    return message(b"GET " + target + b" HTTP/1.1", HOST, *fields)


def post(*fields: bytes, body: bytes = BODY) -> bytes:
    """To the route that answers 202 to any address; the fields say how long the body is."""
    return message(b"POST /v1/email-verification HTTP/1.1", HOST, JSON, *fields, body=body)


def sized(value: bytes, body: bytes = BODY) -> bytes:
    return post(b"Content-Length: " + value, body=body)


def chunked(body: bytes, *fields: bytes) -> bytes:
    return post(b"Transfer-Encoding: chunked", *fields, body=body)


def chunk(data: bytes = BODY, extension: bytes = b"") -> bytes:
    return b"%x" % len(data) + extension + CRLF + data + CRLF


LAST_CHUNK = b"0\r\n\r\n"
# What an attacker hides behind a request that two parties read differently.
SMUGGLED = get(target=b"/readyz")
