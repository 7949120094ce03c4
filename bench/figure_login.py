# SPDX-License-Identifier: Apache-2.0
"""CPU of a whole login in the service against one bare crypto_pwhash, on the same core.

One of each in turns, so that what else the machine does falls on all alike. A round's value is the
median of its turns, for a difference the median of the turns' own differences.
"""

import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from measure import SUBJECT_CORES, Spread, cpu_ns, pinned
from support.service import Service
from table import Row
from world import ARGON2_MEMORY_KIB, ARGON2_PASSES, Client, World, tool

ROUNDS = 10
TURNS_A_ROUND = 60
_SETTLE_S = 0.001


@dataclass(frozen=True)
class Turn:
    """CPU ns of each."""

    plain: int
    resident: int
    login: int


class Hasher:
    """hash_plain or hash_resident, at hand for one hash after the other."""

    def __init__(self, program: str) -> None:
        line = [tool(program), str(ARGON2_MEMORY_KIB), str(ARGON2_PASSES)]
        with pinned(SUBJECT_CORES):
            self._process = subprocess.Popen(
                line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
            )

    def cpu_ns(self) -> int:
        self._process.stdin.write("\n")
        return int(self._process.stdout.readline())

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(timeout=10)


@contextmanager
def _hashers() -> Iterator[tuple[Hasher, Hasher]]:
    plain, resident = Hasher("hash_plain"), Hasher("hash_resident")
    yield plain, resident
    plain.close()
    resident.close()


def measure(world: World) -> list[Row]:
    with world.service(SUBJECT_CORES) as service, _hashers() as (plain, resident):
        client = Client(service)
        person = client.register()

        def turn() -> Turn:
            return Turn(plain.cpu_ns(), resident.cpu_ns(), _login_ns(service, client, person))

        turn()  # warm
        rounds = [[turn() for _ in range(TURNS_A_ROUND)] for _ in range(ROUNDS)]
        client.close()
    return _rows(rounds)


def _login_ns(service: Service, client: Client, person: dict[str, str]) -> int:
    before = cpu_ns(service.process.pid)
    client.login(person)
    time.sleep(_SETTLE_S)  # what follows the answer, such as the log, is the login's too
    return cpu_ns(service.process.pid) - before


def _rows(rounds: list[list[Turn]]) -> list[Row]:
    plain = _medians([[turn.plain / 1e6 for turn in one] for one in rounds])
    resident = _medians([[turn.resident / 1e6 for turn in one] for one in rounds])
    login = _medians([[turn.login / 1e6 for turn in one] for one in rounds])
    ratio = _medians([[turn.login / turn.plain for turn in one] for one in rounds])
    outside = _medians([[(turn.login - turn.resident) / 1e3 for turn in one] for one in rounds])
    return [
        Row("one bare `crypto_pwhash` of libsodium, CPU", plain, "ms"),
        Row("the same hash with resident memory, CPU", resident, "ms"),
        Row("one login, the service's whole CPU", login, "ms"),
        Row("login / bare `crypto_pwhash`", ratio, "×", bound=0.80),
        Row("login without its hash, CPU", outside, "µs", digits=0, bound=300),
    ]


def _medians(rounds: list[list[float]]) -> Spread:
    return Spread.of([statistics.median(one) for one in rounds])
