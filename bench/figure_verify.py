# SPDX-License-Identifier: Apache-2.0
"""What it costs to ask whether a token counts: forward authentication and introspection against the
JWKS answer, a token's first sight against OpenSSL's own check of a signature, and the wait while
logins arrive at ten times the capacity.
"""

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

from figure_overload import (
    PEOPLE,
    STORM_CONNECTIONS,
    STORM_TIMES,
    Answer,
    Load,
    capacity_of,
    login_request,
    p99,
)
from measure import SUBJECT_CORES, Spread, cpu_ns, pinned
from support.machine_clients import INTROSPECT, MachineClient, active, add_client
from support.poll import wait_until
from support.service import Service
from support.token_forge import TokenForge
from table import Row
from world import Client, World

ROUNDS = 5
STORM_ROUNDS = 9
ROUND_S = 2  # wrk counts whole seconds
CONNECTIONS = 16
VERIFY = "/v1/auth/verify"
JWKS = "/.well-known/jwks.json"
PROBES_PER_S = 200
PROBE_CONNECTIONS = 8
# In turns: each was forgotten again when it comes the next time.
FRESH_TOKENS = 20000

_SCRIPT = """
local requests, at = {}, 0
for line in io.lines("%s") do requests[#requests + 1] = line:gsub("\\\\r\\\\n", "\\r\\n") end
request = function() at = at %% #requests + 1; return requests[at] end
"""


class Asked:
    """Requests as they go over the wire, for wrk and for the load generator."""

    def __init__(self, folder: Path, name: str, requests: list[str]) -> None:
        lines, self.script = folder / f"{name}.lines", folder / f"{name}.lua"
        lines.write_text("".join(one.replace("\r\n", "\\r\\n") + "\n" for one in requests))
        self.script.write_text(_SCRIPT % lines)
        self.file = folder / f"{name}.request"
        self.file.write_text(requests[0])


def measure(world: World) -> list[Row]:
    with world.service(SUBJECT_CORES) as service:
        client = Client(service)
        token = client.tokens(client.register())["access_token"]
        people = [client.register() for _ in range(PEOPLE)]
        client.close()
        asked = _asked(world, service, token)
        rows = [*_costs(service, asked), *_first_sight(service, asked)]
        capacity = capacity_of(service, people)
        logins = [login_request(world.folder / f"login-{n}", p) for n, p in enumerate(people)]
        return rows + _beside_logins(service, asked, logins, int(capacity * STORM_TIMES))


def _asked(world: World, service: Service, token: str) -> dict[str, Asked]:
    machine = add_client(service.database_url)
    wait_until(lambda: active(service.api, machine, token), "client is known")
    time.sleep(1)  # and is in memory
    forge = TokenForge(token, world.secrets)
    fresh = [_verify(forge.sign(jti=f"fresh-{number}")) for number in range(FRESH_TOKENS)]
    requests = {
        "jwks": [_get(JWKS)],
        "verify": [_verify(token)],
        "introspect": [_introspect(machine, token)],
        "fresh": fresh,
    }
    return {name: Asked(world.folder, name, texts) for name, texts in requests.items()}


def _get(path: str, fields: str = "") -> str:
    return f"GET {path} HTTP/1.1\r\nHost: bench\r\n{fields}\r\n"


def _verify(token: str) -> str:
    return _get(VERIFY, f"Authorization: Bearer {token}\r\n")


def _introspect(machine: MachineClient, token: str) -> str:
    body = urlencode({"token": token})
    return (
        f"POST {INTROSPECT} HTTP/1.1\r\nHost: bench\r\nAuthorization: {machine.basic}\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
        f"{body}"
    )


def _costs(service: Service, asked: dict[str, Asked]) -> list[Row]:
    names = ("jwks", "verify", "introspect")
    costs: dict[str, list[float]] = {name: [] for name in names}
    for name in names:
        _cost_us(service, asked[name])
    for _ in range(ROUNDS):
        for name in names:
            costs[name].append(_cost_us(service, asked[name]))
    rows = [Row(f"`{JWKS}`, CPU", Spread.of(costs["jwks"]), "µs", digits=1)]
    for name, path in (("verify", VERIFY), ("introspect", INTROSPECT)):
        ratios = [one / base for one, base in zip(costs[name], costs["jwks"], strict=True)]
        rows += [
            Row(f"`{path}`, token seen before, CPU", Spread.of(costs[name]), "µs", digits=1),
            Row(f"`{path}`, token seen before / JWKS", Spread.of(ratios), "×", bound=1.6),
        ]
    return rows


def _first_sight(service: Service, asked: dict[str, Asked]) -> list[Row]:
    pairs = []
    for _ in range(ROUNDS):
        verified = service.metric("user_service_token_checks_total")
        pairs.append((_cost_us(service, asked["fresh"]), _openssl_verify_us()))
        assert service.metric("user_service_token_checks_total") > verified
    ours = Spread.of([one for one, _ in pairs])
    theirs = Spread.of([other for _, other in pairs])
    more = Spread.of([one - other for one, other in pairs])
    return [
        Row(f"`{VERIFY}`, first sight of a token, CPU", ours, "µs", digits=1),
        Row("`openssl speed ecdsap256`, one verification", theirs, "µs", digits=1),
        Row("the first less the second", more, "µs", digits=1, bound=20),
    ]


def _cost_us(service: Service, asked: Asked) -> float:
    """CPU of one request. The client has the same core: on another one it would sleep between the
    slower answers, and to wake a sleeping core costs the service more than the answer does."""
    url = f"http://127.0.0.1:{service.port}/"
    line = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{ROUND_S}s", "-s", str(asked.script), url]
    before = cpu_ns(service.process.pid)
    with pinned(SUBJECT_CORES):
        done = subprocess.run(line, capture_output=True, text=True, check=True, timeout=60)
    time.sleep(0.05)  # connections are closed, and the process is off the CPU
    used = cpu_ns(service.process.pid) - before
    assert "Non-2xx" not in done.stdout and "Socket errors" not in done.stdout, done.stdout
    return used / 1e3 / int(re.search(r"(\d+) requests in", done.stdout).group(1))


def _openssl_verify_us() -> float:
    line = ["openssl", "speed", "-seconds", str(ROUND_S), "ecdsap256"]
    with pinned(SUBJECT_CORES):
        done = subprocess.run(line, capture_output=True, text=True, check=True, timeout=60)
    per_s = re.search(r"256 bits ecdsa \(nistp256\).*\s([\d.]+)\s*$", done.stdout, re.MULTILINE)
    return 1e6 / float(per_s.group(1))


def _beside_logins(
    service: Service, asked: dict[str, Asked], logins: list[Path], storm_per_s: int
) -> list[Row]:
    quiet, loaded = [], []
    for _ in range(STORM_ROUNDS):
        quiet.append(p99(_probe(service, asked)))
        with _storm(service, logins, storm_per_s):
            loaded.append(p99(_probe(service, asked)))
    ratio = Spread.of([after / before for before, after in zip(quiet, loaded, strict=True)])
    return [
        Row(f"`{VERIFY}` p99, idle service", Spread.of(quiet), "ms"),
        Row(f"`{VERIFY}` p99, logins at {STORM_TIMES} times capacity", Spread.of(loaded), "ms"),
        Row(f"`{VERIFY}` p99, the second / the first", ratio, "×", bound=2),
    ]


@contextmanager
def _storm(service: Service, logins: list[Path], per_s: int) -> Iterator[None]:
    storm = Load(service, per_s, STORM_CONNECTIONS, logins)
    yield
    storm.answers()


def _probe(service: Service, asked: dict[str, Asked]) -> list[Answer]:
    """All good, or there is no figure."""
    load = Load(service, PROBES_PER_S, PROBE_CONNECTIONS, [asked["verify"].file]).hurry()
    answers = load.answers()
    assert {answer.status for answer in answers} == {200}, answers[:5]
    return answers
