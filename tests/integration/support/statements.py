# SPDX-License-Identifier: Apache-2.0
"""What the database server was told to do, by its own log."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg

from .poll import wait_until
from .postgres import Cluster
from .service import Service

# What the service does by itself: its clockwork, and what a worker says once, as it connects.
_BY_ITSELF = re.compile(
    r"(outbox|mail|expiry|key|keyring)_|revocation_read|client_all"
    r"|SELECT 1$|SELECT set_config\("
)


@contextmanager
def statements_logged(cluster: Cluster, service: Service) -> Iterator[Callable[[], Counter[str]]]:
    """Counts what was executed in the service's database since the call before."""
    name = psycopg.conninfo.conninfo_to_dict(service.database_url)["dbname"]
    entry = re.compile(rf"\] {name} LOG:  (?:execute (\w+)|execute <.*>|statement): *(.*)")
    read = 0

    def count() -> Counter[str]:
        nonlocal read
        text = cluster.log.read_bytes()[read:]
        read += len(text)
        found = entry.findall(text.decode(errors="replace"))
        return Counter(executed or text.split("'")[0] for executed, text in found)

    def is_on() -> bool:
        refreshes = service.api.post("/v1/logout", {"refresh_token": "x"})
        return bool(count()) and refreshes.status == 401

    with cluster.connect() as connection:
        connection.execute("ALTER SYSTEM SET log_statement = 'all'")
        connection.execute("SELECT pg_reload_conf()")
        try:
            count()
            wait_until(is_on, "statements are logged")
            yield count
        finally:
            connection.execute("ALTER SYSTEM RESET log_statement")
            connection.execute("SELECT pg_reload_conf()")


def of_requests(seen: Counter[str]) -> Counter[str]:
    """Without what the service does by itself."""
    return Counter({one: count for one, count in seen.items() if not _BY_ITSELF.match(one)})
