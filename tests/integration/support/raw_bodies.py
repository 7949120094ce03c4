# SPDX-License-Identifier: Apache-2.0
"""The framing table, second half: body length, chunks, pipelines (RFC 9112 6, 7, 9)."""

from .raw_case import (
    BODY,
    CRLF,
    HOST,
    JSON,
    LAST_CHUNK,
    SMUGGLED,
    Raw,
    chunk,
    chunked,
    get,
    message,
    post,
    sized,
)

BAD = (400,)
NO_CODING = (400, 501)
SIZE = b"%d" % len(BODY)
CL = b"Content-Length: " + SIZE
TE = b"Transfer-Encoding: chunked"
HALF = len(BODY) // 2


def _taken(name: str, clause: str, data: bytes, answers: int = 1) -> Raw:
    return Raw(name, clause, data, (202,), answers, closed=False)


def _length(name: str, value: bytes, statuses: tuple[int, ...] = BAD) -> Raw:
    return Raw(name, "9112 6.3", sized(value) + SMUGGLED, statuses)


def _coding(name: str, *fields: bytes, statuses: tuple[int, ...] = NO_CODING) -> Raw:
    body = chunk() + LAST_CHUNK
    return Raw(name, "9112 6.1", post(*fields, body=body) + SMUGGLED, statuses)


def _chunks(name: str, body: bytes, statuses: tuple[int, ...] = BAD) -> Raw:
    return Raw(name, "9112 7.1", chunked(body) + SMUGGLED, statuses)


LENGTHS = [
    _taken("length", "9112 6.3", sized(SIZE)),
    _taken("length with zeros before", "9110 8.6", sized(b"000" + SIZE)),
    _taken("length with space around", "9112 5", sized(b" \t" + SIZE + b" ")),
    Raw("same length twice", "9112 6.3", post(CL, CL) + SMUGGLED, BAD),
    Raw("two lengths", "9112 6.3", post(CL, b"Content-Length: 5") + SMUGGLED, BAD),
    Raw("two lengths, the other way", "9112 6.3", post(b"Content-Length: 5", CL) + SMUGGLED, BAD),
    Raw("two lengths, other case", "9112 6.3", post(CL, b"content-LENGTH: 5") + SMUGGLED, BAD),
    _length("list of lengths", SIZE + b", " + SIZE),
    _length("list of other lengths", SIZE + b",5"),
    _length("negative length", b"-" + SIZE),
    _length("length with plus", b"+" + SIZE),
    _length("hexadecimal length", b"0x1b"),
    _length("length with point", SIZE + b".0"),
    _length("length with exponent", b"2e1"),
    _length("length with underscore", b"2_7"),
    _length("length with space inside", b"2 7"),
    _length("length in quotes", b'"27"'),
    _length("empty length", b""),
    _length("length of letters", b"abc"),
    _length("length with NUL", SIZE + b"\x00"),
    _length("length in full-width digits", b"\xef\xbc\x92\xef\xbc\x97"),
    _length("length 2^63", b"9223372036854775808", (400, 413)),
    _length("length 2^64", b"18446744073709551616", (400, 413)),
    _length("length 2^64 + body", b"%d" % (2**64 + len(BODY)), (400, 413)),
    _length("length of 40 digits", b"9" * 40, (400, 413)),
    Raw("length above the limit", "9110 15.5.14", sized(b"16385"), (413,), closed=None),
    Raw("space before colon of length", "9112 5.1", post(b"Content-Length : " + SIZE), BAD),
    Raw("folded length", "9112 5.2", post(b"Content-Length:", b" " + SIZE), BAD),
    Raw("no length", "9112 6.3", post(body=b""), (400, 411), closed=None),
    Raw("length 0", "9112 6.3", post(b"Content-Length: 0", body=b""), BAD, closed=False),
    Raw(
        "body longer than length",
        "9112 6.3",
        sized(b"2", b"{}GET x HTTP/9.9" + CRLF * 2),
        (422,),
        2,
    ),
]

CODINGS = [
    _taken("chunked", "9112 7.1", chunked(chunk() + LAST_CHUNK)),
    _taken("Chunked", "9112 7", post(b"Transfer-Encoding: Chunked", body=chunk() + LAST_CHUNK)),
    Raw("length and coding", "9112 6.1", post(CL, TE, body=chunk() + LAST_CHUNK) + SMUGGLED, BAD),
    Raw("coding and length", "9112 6.1", post(TE, CL, body=chunk() + LAST_CHUNK) + SMUGGLED, BAD),
    Raw(
        "length 0 and coding",
        "9112 6.1",
        post(b"Content-Length: 0", TE, body=LAST_CHUNK) + SMUGGLED,
        BAD,
    ),
    _coding("identity", b"Transfer-Encoding: identity"),
    _coding("gzip", b"Transfer-Encoding: gzip"),
    _coding("gzip, chunked", b"Transfer-Encoding: gzip, chunked"),
    _coding("chunked, gzip", b"Transfer-Encoding: chunked, gzip"),
    _coding("chunked, chunked", b"Transfer-Encoding: chunked, chunked"),
    _coding("chunked twice", TE, TE),
    _coding("chunked and identity", TE, b"Transfer-Encoding: identity"),
    _coding("identity and length", b"Transfer-Encoding: identity", CL),
    _coding("xchunked", b"Transfer-Encoding: xchunked"),
    _coding("chunkedx", b"Transfer-Encoding: chunkedx"),
    _coding("chunked with parameter", b"Transfer-Encoding: chunked;q=1"),
    _coding("chunked in quotes", b'Transfer-Encoding: "chunked"'),
    _coding("empty coding", b"Transfer-Encoding:"),
    _coding("coding with vertical tab", b"Transfer-Encoding: \x0bchunked"),
    _coding("coding with NUL", b"Transfer-Encoding: chunked\x00"),
    _coding("space before colon of coding", b"Transfer-Encoding : chunked"),
    _coding("folded coding", b"Transfer-Encoding:", b" chunked"),
    Raw(
        "chunked in HTTP/1.0",
        "9112 6.1",
        message(b"POST /v1/email-verification HTTP/1.0", HOST, JSON, TE, body=chunk() + LAST_CHUNK),
        (202, 400, 501),
    ),
]

CHUNKS = [
    _taken("two chunks", "9112 7.1", chunked(chunk(BODY[:HALF]) + chunk(BODY[HALF:]) + LAST_CHUNK)),
    _taken("zeros before size", "9112 7.1", chunked(b"000" + chunk() + LAST_CHUNK)),
    _taken("size in capitals", "9112 7.1", chunked(b"1B\r\n" + BODY + CRLF + LAST_CHUNK)),
    _taken("extension", "9112 7.1.1", chunked(chunk(extension=b";a=b") + LAST_CHUNK)),
    _taken("quoted extension", "9112 7.1.1", chunked(chunk(extension=b';a="b c"') + LAST_CHUNK)),
    _taken("trailer", "9112 7.1.2", chunked(chunk() + b"0\r\nX-A: b\r\n\r\n")),
    _taken("many zeros as last chunk", "9112 7.1", chunked(chunk() + b"000\r\n\r\n")),
    _chunks("size with plus", b"+" + chunk() + LAST_CHUNK),
    _chunks("negative size", b"-" + chunk() + LAST_CHUNK),
    _chunks("size with 0x", b"0x" + chunk() + LAST_CHUNK),
    _chunks("size with underscore", b"0_" + chunk() + LAST_CHUNK),
    _chunks("space before size", b" " + chunk() + LAST_CHUNK),
    _chunks("empty size", CRLF + BODY + CRLF + LAST_CHUNK),
    _chunks("size of letters", b"xyz\r\n" + BODY + CRLF + LAST_CHUNK),
    _chunks("size with NUL", b"1b\x00\r\n" + BODY + CRLF + LAST_CHUNK),
    _chunks("size 2^64", b"10000000000000000\r\n" + BODY + CRLF + LAST_CHUNK, (400, 413)),
    _chunks("size 2^64 + body", b"1000000000000001b\r\n" + BODY + CRLF + LAST_CHUNK, (400, 413)),
    _chunks("size of 40 digits", b"F" * 40 + CRLF + BODY + CRLF + LAST_CHUNK, (400, 413)),
    _chunks("bare LF after size", b"1b\n" + BODY + CRLF + LAST_CHUNK),
    _chunks("bare CR after size", b"1b\r" + BODY + CRLF + LAST_CHUNK),
    _chunks("bare LF after data", b"1b\r\n" + BODY + b"\n" + LAST_CHUNK),
    _chunks("nothing after data", b"1b\r\n" + BODY + LAST_CHUNK),
    _chunks("data longer than size", b"1a\r\n" + BODY + CRLF + LAST_CHUNK),
    _chunks("data shorter than size", b"1d\r\n" + BODY + CRLF + LAST_CHUNK),
    _chunks("bare LF in extension", b"1b;a\nb\r\n" + BODY + CRLF + LAST_CHUNK),
    _chunks("bare CR in extension", b"1b;a\rb\r\n" + BODY + CRLF + LAST_CHUNK),
    _chunks(
        "extension of 20,000 bytes",
        chunk(extension=b";" + b"a" * 20000) + LAST_CHUNK,
        (400, 413, 431),
    ),
    _chunks("bare LF in last chunk", chunk() + b"0\n\n"),
    _chunks("trailer without colon", chunk() + b"0\r\nX\r\n\r\n"),
    _chunks("trailer with space before colon", chunk() + b"0\r\nX-A : b\r\n\r\n"),
    _chunks("folded trailer", chunk() + b"0\r\nX-A: b\r\n c\r\n\r\n"),
    _chunks(
        "trailer of 20,000 bytes",
        chunk() + b"0\r\nX: " + b"y" * 20000 + b"\r\n\r\n",
        (400, 413, 431),
    ),
    Raw(
        "chunks of 17 KiB in all",
        "9110 15.5.14",
        chunked(chunk(b" " * 1024) * 17 + LAST_CHUNK),
        (413,),
        closed=None,
    ),
    Raw(
        "17,000 chunks of one byte",
        "9110 15.5.14",
        chunked(chunk(b" ") * 17000 + LAST_CHUNK),
        (413,),
        closed=None,
    ),
]

CONNECTIONS = [
    Raw("two at once", "9112 9.3.2", get() * 2, (200,), 2, False),
    Raw("twenty at once", "9112 9.3.2", get() * 20, (200,), 20, False),
    Raw("body, then another", "9112 9.3.2", sized(SIZE) + get(), (202,), 2, False),
    Raw(
        "chunks, then another",
        "9112 9.3.2",
        chunked(chunk() + LAST_CHUNK) + get(),
        (202,),
        2,
        False,
    ),
    Raw(
        "GET with a body, then another",
        "9110 9.3.1",
        get(b"Content-Length: 3") + b"abc" + get(),
        (200, 400),
        2,
        False,
    ),
    Raw("404, then another", "9112 9.3", get(target=b"/nowhere") + get(), (404,), 2, False),
    Raw("405, then another", "9112 9.3", get(target=b"/v1/login") + get(), (405,), 2, False),
    Raw("401, then another", "9112 9.3", get(target=b"/v1/me") + get(), (401,), 2, False),
    Raw("close", "9112 9.6", get(b"Connection: close") + get(), (200,)),
    Raw("Close in capitals", "9110 7.6.1", get(b"Connection: CLOSE") + get(), (200,)),
    Raw("close in a list", "9110 7.6.1", get(b"Connection: x, close") + get(), (200,)),
    Raw(
        "kept in HTTP/1.0",
        "9112 9.3",
        message(b"GET /livez HTTP/1.0", b"Connection: keep-alive"),
        (200,),
        closed=None,
    ),
    Raw("expectation", "9110 10.1.1", post(CL, b"Expect: 100-continue"), (100, 202), 2, None),
    Raw("unknown expectation", "9110 10.1.1", get(b"Expect: 200-ok"), (200, 417), closed=None),
    Raw(
        "upgrade to h2c",
        "9110 7.8",
        get(b"Connection: Upgrade", b"Upgrade: h2c"),
        (200,),
        closed=None,
    ),
    Raw(
        "HEAD",
        "9110 9.3.2",
        message(b"HEAD /livez HTTP/1.1", HOST),
        (200, 405),
        closed=None,
        head=True,
    ),
]

CASES = [*LENGTHS, *CODINGS, *CHUNKS, *CONNECTIONS]
