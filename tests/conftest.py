# SPDX-License-Identifier: Apache-2.0
"""Fixtures: one PostgreSQL a run, services on fresh databases, receivers, and all of it stopped.

With KEEP_TEST_FOLDER set, logs and data stay below /tmp for a look.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.makers import ReceiverMaker, ServiceMaker
from support.paths import BINARY
from support.postgres import Cluster
from support.receiver import Receiver
from support.secret_files import SecretFiles, write_secret_files
from support.service import Service
from support.stats import FIGURES

# Looks into the logs of all others.
_LAST = "test_logs.py"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name == _LAST)


def pytest_sessionstart() -> None:
    if not BINARY.exists():
        pytest.exit(f"no {BINARY}; run: make (or set USER_SERVICE_BIN)", returncode=4)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if FIGURES:
        terminalreporter.section("figures")
        for figure in FIGURES:
            terminalreporter.write_line(figure)


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """A short path (a unix socket's is at most 107 bytes) that any account can enter."""
    folder = Path(tempfile.mkdtemp(prefix="us-test-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    if "KEEP_TEST_FOLDER" not in os.environ:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def log_folder(scratch: Path) -> Path:
    """Logs of every `serve` of the run."""
    folder = scratch / "logs"
    folder.mkdir()
    return folder


@pytest.fixture(scope="session")
def cluster(scratch: Path) -> Iterator[Cluster]:
    """For tests that leave the server alone."""
    server = Cluster(scratch / "pg")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def secret_files(scratch: Path) -> SecretFiles:
    return write_secret_files(scratch / "secrets")


@pytest.fixture(scope="module")
def receiver(secret_files: SecretFiles) -> Iterator[Receiver]:
    """Of the shared service; accepts everything."""
    target = Receiver(secret_files.webhook_secrets)
    target.up()
    yield target
    target.down()
    target.check()


@pytest.fixture(scope="module")
def service(
    cluster: Cluster, secret_files: SecretFiles, log_folder: Path, receiver: Receiver
) -> Iterator[Service]:
    """One for the tests of a module that only send requests."""
    settings = {"US_NOTIFICATION_URL": receiver.url}
    url = cluster.url(cluster.create_database())
    running = Service(log_folder, url, secret_files, settings).start()
    yield running
    running.stop()


@pytest.fixture
def make_receiver(secret_files: SecretFiles) -> Iterator[ReceiverMaker]:
    maker = ReceiverMaker(secret_files)
    yield maker
    maker.close()


@pytest.fixture
def make_service(
    cluster: Cluster, secret_files: SecretFiles, log_folder: Path
) -> Iterator[ServiceMaker]:
    maker = ServiceMaker(cluster, secret_files, log_folder)
    yield maker
    maker.close()
