# SPDX-License-Identifier: Apache-2.0
"""Make several services and receivers in one test, and stop all of them at its end."""

from collections.abc import Callable
from pathlib import Path

from .postgres import Cluster
from .receiver import Receiver
from .secret_files import SecretFiles
from .service import Service


class ServiceMaker:
    """`make(receiver, database_url=…, US_…=…)`: a service that is made, not started."""

    def __init__(self, cluster: Cluster, secrets: SecretFiles, logs: Path) -> None:
        self._cluster = cluster
        self._secrets = secrets
        self._logs = logs
        self._made: list[Service] = []

    def __call__(
        self, receiver: Receiver | None = None, database_url: str | None = None, **settings: str
    ) -> Service:
        if receiver is not None:
            settings.setdefault("US_NOTIFICATION_URL", receiver.url)
        url = database_url or self._cluster.url(self._cluster.create_database())
        self._made.append(Service(self._logs, url, self._secrets, settings))
        return self._made[-1]

    def close(self) -> None:
        _each(self._made, Service.stop)


class ReceiverMaker:
    """`make()`: a receiver that listens."""

    def __init__(self, secrets: SecretFiles) -> None:
        self._secrets = secrets
        self._made: list[Receiver] = []

    def __call__(self) -> Receiver:
        self._made.append(Receiver(self._secrets.webhook_secrets))
        self._made[-1].up()
        return self._made[-1]

    def close(self) -> None:
        _each(self._made, Receiver.down)
        _each(self._made, Receiver.check)


def _each(made: list, action: Callable) -> None:
    """All of them, and the first failure afterwards."""
    failures = []
    for one in made:
        try:
            action(one)
        except AssertionError as failure:
            failures.append(failure)
    if failures:
        raise failures[0]
