# SPDX-License-Identifier: Apache-2.0
"""The framing table, first half: request lines, targets, Host, field lines (RFC 9112 2, 3, 5)."""

from .raw_case import HOST, SMUGGLED, Raw, get, message

LIVEZ = b"GET /livez HTTP/1.1"
BAD = (400,)
REFUSED = (400, 501)
NOWHERE = (400, 404)


def _line(name: str, clause: str, line: bytes, statuses: tuple[int, ...], **more: object) -> Raw:
    return Raw(name, clause, message(line, HOST), statuses, **more)


def _target(name: str, target: bytes, statuses: tuple[int, ...] = NOWHERE, **more: object) -> Raw:
    return Raw(name, "9110 4.2.3", get(target=target), statuses, closed=None, **more)


def _field(name: str, clause: str, *fields: bytes, statuses: tuple[int, ...] = BAD) -> Raw:
    return Raw(name, clause, message(LIVEZ, HOST, *fields), statuses)


def _fine(name: str, clause: str, data: bytes, statuses: tuple[int, ...] = (200,)) -> Raw:
    return Raw(name, clause, data, statuses, closed=False)


REQUEST_LINES = [
    _fine("plain", "9112 3", get()),
    _fine("one empty line before", "9112 2.2", b"\r\n" + get()),
    _line("two spaces after method", "9112 3", b"GET  /livez HTTP/1.1", BAD),
    _line("two spaces before version", "9112 3", b"GET /livez  HTTP/1.1", BAD),
    _line("tab after method", "9112 3", b"GET\t/livez HTTP/1.1", BAD, is_no_http=True),
    _line("space before method", "9112 3", b" GET /livez HTTP/1.1", BAD, is_no_http=True),
    _line("space after version", "9112 3", b"GET /livez HTTP/1.1 ", BAD),
    _line("no version", "9112 3", b"GET /livez", (400, 505)),
    _line("no target", "9112 3", b"GET HTTP/1.1", (400, 404, 505)),
    _line("no method", "9112 3", b"/livez HTTP/1.1", (400, 501, 505), is_no_http=True),
    _line("only a method", "9112 3", b"GET", BAD, is_no_http=True),
    _line("words behind version", "9112 3", b"GET /livez HTTP/1.1 x", (400, 505)),
    _line("method in lower case", "9110 9.1", b"get /livez HTTP/1.1", (405, 501), closed=None),
    _line("unknown method", "9110 9.1", b"BREW /livez HTTP/1.1", (405, 501), closed=None),
    _line(
        "method of 3000 bytes",
        "9112 3",
        b"G" * 3000 + b" /livez HTTP/1.1",
        (400, 405, 414, 501),
        closed=None,
    ),
    _line("method with colon", "9110 9.1", b"GE:T /livez HTTP/1.1", (400, 405, 501), closed=None),
    _line(
        "method with control", "9110 9.1", b"GE\x01T /livez HTTP/1.1", (400, 405, 501), closed=None
    ),
    _line(
        "method with NUL",
        "9110 9.1",
        b"GE\x00T /livez HTTP/1.1",
        (400, 405, 501),
        closed=None,
        is_no_http=True,
    ),
    _line(
        "CONNECT",
        "9112 3.2.3",
        b"CONNECT a.example:443 HTTP/1.1",
        (400, 404, 405, 501),
        closed=None,
    ),
    _line("TRACE", "9110 9.3.8", b"TRACE /livez HTTP/1.1", (405, 501), closed=None),
    _line("asterisk with GET", "9112 3.2.4", b"GET * HTTP/1.1", NOWHERE, closed=None),
    _line(
        "asterisk with OPTIONS",
        "9112 3.2.4",
        b"OPTIONS * HTTP/1.1",
        (200, 204, 400, 404, 405),
        closed=None,
    ),
    _line("authority with GET", "9112 3.2.3", b"GET a.example:80 HTTP/1.1", NOWHERE, closed=None),
    _line("target without slash", "9112 3.2.1", b"GET livez HTTP/1.1", NOWHERE, closed=None),
    _line(
        "absolute form",
        "9112 3.2.2",
        b"GET http://a.example/livez HTTP/1.1",
        (200, 400, 404),
        closed=None,
    ),
    _line(
        "absolute form, other scheme",
        "9112 3.2.2",
        b"GET ftp://a.example/livez HTTP/1.1",
        NOWHERE,
        closed=None,
    ),
    _line(
        "target of 20,000 bytes", "9110 15.5.15", b"GET /" + b"x" * 20000 + b" HTTP/1.1", (414, 431)
    ),
    _line(
        "query of 20,000 bytes",
        "9110 15.5.15",
        b"GET /livez?" + b"x" * 20000 + b" HTTP/1.1",
        (414, 431),
    ),
    _line("HTTP/2.0", "9110 15.6.6", b"GET /livez HTTP/2.0", (400, 505)),
    _line("HTTP/1.10", "9112 2.3", b"GET /livez HTTP/1.10", (400, 505)),
    _line("HTTP/01.1", "9112 2.3", b"GET /livez HTTP/01.1", (400, 505)),
    _line("HTTP/1.1.1", "9112 2.3", b"GET /livez HTTP/1.1.1", (400, 505)),
    _line("http/1.1", "9112 2.3", b"GET /livez http/1.1", (400, 505)),
    _line("HTTP/1", "9112 2.3", b"GET /livez HTTP/1", (400, 505)),
    _line("HTTP/-1.1", "9112 2.3", b"GET /livez HTTP/-1.1", (400, 505)),
    _line("HTTP 1.1", "9112 2.3", b"GET /livez HTTP 1.1", (400, 505)),
    _line("HTTP/1.1 with NUL", "9112 2.3", b"GET /livez HTTP/1.1\x00", (400, 505), is_no_http=True),
    Raw("HTTP/2 preface", "9113 3.4", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (400, 505)),
    Raw("HTTP/1.0", "9112 9.3", message(b"GET /livez HTTP/1.0"), (200,)),
    Raw("HTTP/0.9", "9112 2.3", b"GET /livez\r\n\r\n", (400, 505)),
    Raw(
        "TLS hello",
        "9112 3",
        b"\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x03" + b"\x00" * 36 + b"\r\n\r\n",
        (400, 501, 505),
        is_no_http=True,
    ),
    Raw("bare LF all through", "9112 2.2", b"GET /livez HTTP/1.1\nHost: a.example\n\n", BAD),
    Raw(
        "bare LF after request line",
        "9112 2.2",
        b"GET /livez HTTP/1.1\nHost: a.example\r\n\r\n",
        BAD,
    ),
    Raw("bare LF after a field", "9112 2.2", b"GET /livez HTTP/1.1\r\nHost: a.example\n\r\n", BAD),
    Raw(
        "bare LF as empty line",
        "9112 2.2",
        b"GET /livez HTTP/1.1\r\nHost: a.example\r\n\n" + SMUGGLED,
        BAD,
    ),
    Raw(
        "bare CR after request line",
        "9112 2.2",
        b"GET /livez HTTP/1.1\rHost: a.example\r\n\r\n",
        (400, 505),
    ),
    Raw("bare CR in target", "9112 2.2", get(target=b"/li\rvez"), BAD),
]

TARGETS = [
    _fine("query", "9110 4.2.3", get(target=b"/livez?a=b&c=%00/../;\\")),
    _target("double slash", b"//livez"),
    _target("double slash inside", b"/v1//login"),
    _target("slash at the end", b"/livez/"),
    _target("dot segment", b"/./livez"),
    _target("dot dot segment", b"/v1/../livez"),
    _target("dot dot at root", b"/../livez"),
    _target("dot at the end", b"/livez/."),
    _target("encoded dot", b"/%2e/livez"),
    _target("encoded dot dot", b"/v1/%2E%2E/livez"),
    _target("half encoded dot dot", b"/v1/.%2e/livez"),
    _target("encoded slash", b"/v1%2flogin"),
    _target("encoded backslash", b"/v1%5clogin"),
    _target("backslash", b"/v1\\login"),
    _target("matrix parameter", b"/livez;x=1"),
    _target("matrix parameter inside", b"/v1;x=1/login"),
    _target("encoded semicolon", b"/livez%3bx"),
    _target("encoded letter", b"/%6civez"),
    _target("encoded NUL", b"/livez%00"),
    _target("encoded CRLF", b"/livez%0d%0aX:%20y"),
    _target("encoded question mark", b"/livez%3fa=b"),
    _target("double encoding", b"/%252e%252e/livez"),
    _target("bad percent", b"/livez%zz"),
    _target("percent at the end", b"/livez%"),
    _target("overlong UTF-8", b"/%c0%ae%c0%ae/livez"),
    _target("fragment", b"/livez#x"),
    _target("upper case", b"/LIVEZ"),
    _target("plus", b"/live+z"),
    Raw("space in target", "9112 3.2", get(target=b"/live z"), (400, 404, 505)),
    Raw("tab in target", "9112 3.2", get(target=b"/live\tz"), BAD),
    Raw("NUL in target", "9112 3.2", get(target=b"/livez\x00"), BAD, is_no_http=True),
    Raw("NUL in query", "9112 3.2", get(target=b"/livez?\x00"), BAD, is_no_http=True),
    Raw("control in target", "9112 3.2", get(target=b"/livez\x01"), BAD),
    Raw("DEL in target", "9112 3.2", get(target=b"/livez\x7f"), BAD),
    Raw("non-ASCII in target", "9112 3.2", get(target=b"/livez\xc3\xa9"), BAD),
    Raw("non-ASCII in query", "9112 3.2", get(target=b"/livez?\xff"), BAD),
]

HOSTS = [
    Raw("no Host", "9112 3.2", message(LIVEZ), BAD),
    Raw("two Hosts", "9112 3.2", message(LIVEZ, HOST, b"Host: b.example"), BAD),
    Raw("the same Host twice", "9112 3.2", message(LIVEZ, HOST, HOST), BAD),
    Raw("two Hosts, other case", "9112 3.2", message(LIVEZ, HOST, b"hOsT: b.example"), BAD),
    Raw("two Hosts in HTTP/1.0", "9112 3.2", message(b"GET /livez HTTP/1.0", HOST, HOST), BAD),
    Raw("empty Host", "9110 7.2", message(LIVEZ, b"Host:"), (200, 400), closed=None),
    _fine("Host with port", "9110 7.2", message(LIVEZ, b"Host: a.example:80")),
    _fine("Host of IPv6", "9110 7.2", message(LIVEZ, b"Host: [::1]:80")),
    Raw("space before colon of Host", "9112 5.1", message(LIVEZ, b"Host : a.example"), BAD),
]

FIELDS = [
    _fine("no space behind colon", "9112 5", get(b"X-A:b")),
    _fine("space around value", "9112 5", get(b"X-A: \t b \t ")),
    _fine("empty value", "9112 5", get(b"X-A:")),
    _fine("obs-text in value", "9110 5.5", get(b"X-A: \xe4\xff")),
    _fine("50 fields", "9110 5.4", get(*[b"X-%d: y" % n for n in range(50)])),
    _field("space before colon", "9112 5.1", b"X-A : b"),
    _field("tab before colon", "9112 5.1", b"X-A\t: b"),
    _field("obs-fold with space", "9112 5.2", b"X-A: b", b" c"),
    _field("obs-fold with tab", "9112 5.2", b"X-A: b", b"\tc"),
    _field("obs-fold of Host", "9112 5.2", b" c.example"),
    Raw("space before first field", "9112 2.2", message(LIVEZ, b" X-A: b", HOST), BAD),
    _field("no colon", "9112 5", b"X-A"),
    _field("empty name", "9112 5", b": b"),
    _field("space in name", "9112 5.1", b"X A: b"),
    _field("NUL in name", "9110 5.1", b"X\x00A: b"),
    _field("control in name", "9110 5.1", b"X\x01A: b"),
    _field("non-ASCII in name", "9110 5.1", b"X\xe4A: b"),
    _field("slash in name", "9110 5.1", b"X/A: b"),
    _field("parenthesis in name", "9110 5.1", b"X(A: b"),
    _field("NUL in value", "9110 5.5", b"X-A: b\x00c"),
    _field("bare CR in value", "9110 5.5", b"X-A: b\rc"),
    _field("bare CR hides a field", "9110 5.5", b"X-A: b\rContent-Length: 5"),
    _field("CR CR LF", "9112 2.2", b"X-A: b\r"),
    _field(
        "two Authorizations", "9110 11.6.2", b"Authorization: Bearer a", b"Authorization: Bearer b"
    ),
    _field("field of 20,000 bytes", "6585 5", b"X-A: " + b"b" * 20000, statuses=(400, 431)),
    _field("name of 20,000 bytes", "6585 5", b"X" * 20000 + b": b", statuses=(400, 431)),
    _field("2,000 fields", "6585 5", *[b"X-%d: y" % n for n in range(2000)], statuses=(400, 431)),
]

CASES = [*REQUEST_LINES, *TARGETS, *HOSTS, *FIELDS]
