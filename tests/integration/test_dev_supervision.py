# SPDX-License-Identifier: Apache-2.0
"""What `user-service dev` does with its processes and its data folder, as root and not as root."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.dev import Dev, processes
from support.paths import BINARY
from support.poll import free_port, wait_until
from support.service import base_environment

_FALLBACK = Path("/var/lib/user-service-dev")
_NOBODY = 65534

# A user namespace with all accounts in it that allows no further one, as some kernels are set up.
_WITHOUT_NAMESPACES = """
import ctypes, os, sys
ready, go = os.pipe(), os.pipe()
parent = os.getpid()
if os.fork() == 0:
    os.read(ready[0], 1)
    for name in ("gid_map", "uid_map"):
        with open(f"/proc/{parent}/{name}", "w") as file:
            file.write("0 0 65536")
    os.write(go[1], b"x")
    os._exit(0)
if ctypes.CDLL(None, use_errno=True).unshare(0x10000000) != 0:
    sys.exit("no user namespace to test in")
os.write(ready[1], b"x")
os.read(go[0], 1)
with open("/proc/sys/user/max_user_namespaces", "w") as file:
    file.write("0")
os.execv(sys.argv[1], sys.argv[1:])
"""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture(scope="module")
def folder(scratch: Path) -> Path:
    made = scratch / "supervision"
    made.mkdir()
    return made


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., Dev]]:
    """Starts one; whatever a failed test leaves is killed."""
    started: list[Dev] = []

    def run(name: str, **options: object) -> Dev:
        started.append(Dev(folder, folder / name, **options))
        return started[-1]

    yield run
    for dev in started:
        if dev.process.poll() is None:
            dev.kill()


def _wait_gone(pids: set[int]) -> None:
    wait_until(lambda: not pids & processes().keys(), "all processes gone", 30.0)


def _pid_of(dev: Dev, program: str) -> int:
    return next(pid for pid, name in dev.children().items() if name == program)


def _cluster_id(dev: Dev) -> bytes:
    """The system identifier: the same data, or other data."""
    return (dev.data / "postgres/global/pg_control").read_bytes()[:8]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_all_of_it(start: Callable[..., Dev], number: signal.Signals) -> None:
    dev = start("data").wait_ready()
    family = dev.family()
    assert len(dev.children()) == 2
    socket_folder = _socket_folder(dev)
    dev.interrupt(number)
    assert not family & processes().keys()
    assert not socket_folder.exists()
    assert not (dev.data / "postgres/postmaster.pid").exists()


def test_ctrl_c_leaves_the_order_to_the_supervisor(start: Callable[..., Dev]) -> None:
    """A terminal sends it to the whole process group; children in it would all stop at once."""
    dev = start("data", start_new_session=True).wait_ready()
    assert all(os.getpgid(pid) == pid for pid in dev.children())
    os.killpg(dev.process.pid, signal.SIGINT)
    assert dev.wait_end() == 0
    assert dev.errors == ""
    assert '"stopped"' in (dev.data / "service.log").read_text().splitlines()[-1]


def _socket_folder(dev: Dev) -> Path:
    return Path((dev.data / "postgres/postmaster.pid").read_text().splitlines()[4])


def test_postgresql_listens_on_a_private_socket_only(start: Callable[..., Dev]) -> None:
    dev = start("data").wait_ready()
    folder = _socket_folder(dev)
    assert folder.stat().st_mode & 0o777 == 0o700
    lines = (dev.data / "postgres/postmaster.pid").read_text().splitlines()
    assert lines[5].strip() == ""  # the address that it listens on
    for name in ("jwt.json", "keyring.json", "webhook.json"):
        assert (dev.data / name).stat().st_mode & 0o777 == 0o600
    assert dev.data.stat().st_mode & 0o777 == 0o700
    dev.interrupt()


def test_a_killed_dev_leaves_no_process(start: Callable[..., Dev]) -> None:
    dev = start("data").wait_ready()
    family = dev.family()
    assert len(family) > 3
    dev.kill()
    _wait_gone(family)


def test_it_starts_right_behind_a_killed_one(start: Callable[..., Dev]) -> None:
    """While the first one's PostgreSQL may still be shutting down."""
    first = start("data").wait_ready()
    cluster = _cluster_id(first)
    secret = (first.data / "jwt.json").read_bytes()
    sockets = _socket_folder(first)
    first.kill()
    second = start("data").wait_ready()
    assert not sockets.exists()
    assert _cluster_id(second) == cluster
    assert (second.data / "jwt.json").read_bytes() == secret
    second.interrupt()


def test_an_orphaned_postgresql_is_replaced(start: Callable[..., Dev]) -> None:
    """Stopped (SIGSTOP), it does not notice that its supervisor was killed."""
    first = start("data").wait_ready()
    postgres = _pid_of(first, "postgres")
    os.kill(postgres, signal.SIGSTOP)
    first.kill()
    log = first.data / "postgres.log"
    inode = log.stat().st_ino
    second = start("data")
    wait_until(lambda: log.exists() and log.stat().st_ino != inode, "second one's log")
    os.kill(postgres, signal.SIGCONT)
    second.wait_ready()
    assert _pid_of(second, "postgres") != postgres
    second.interrupt()


def test_a_stale_pid_file_is_not_believed(start: Callable[..., Dev]) -> None:
    """It names a process that lives, but is another program: this one."""
    first = start("data").wait_ready()
    pid_file = first.data / "postgres/postmaster.pid"
    lines = pid_file.read_text().splitlines()
    first.interrupt()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    pid_file.chmod(0o600)
    start("data").wait_ready().interrupt()


def test_an_interrupted_first_start_is_begun_anew(start: Callable[..., Dev], folder: Path) -> None:
    half = folder / "half/postgres.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("15\n")
    start("half").wait_ready().interrupt()
    assert not half.exists()


def test_a_second_one_on_the_same_data_is_refused(start: Callable[..., Dev]) -> None:
    first = start("data").wait_ready()
    second = start("data")
    assert second.wait_end() == 1
    assert re.search(r"another one runs with the data in .*/data.*--data", second.errors)
    first.interrupt()


def test_a_port_that_is_taken_is_named(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        by_flag = _refused(folder, "--port", str(port))
        ops = _refused(folder, "--port", str(free_port()), US_OPS_LISTEN=f"127.0.0.1:{port}")
    assert f"port {port} for the API is taken" in by_flag
    assert "--port N" in by_flag
    assert f"port {port} for the operations listener is taken" in ops
    assert "US_OPS_LISTEN=" in ops


def test_a_port_that_is_none_is_refused(folder: Path) -> None:
    assert '--port takes 1 to 65535, got "0"' in _refused(folder, "--port", "0")
    assert "US_HTTP_LISTEN takes an address with a port of 1 to 65535" in _refused(
        folder, US_HTTP_LISTEN="127.0.0.1:0"
    )


def _refused(folder: Path, *arguments: str, **settings: str) -> str:
    command = [str(BINARY), "dev", "--data", str(folder / "ports"), *arguments]
    environment = base_environment() | settings
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30)
    assert done.returncode in (1, 2)
    assert not (folder / "ports/postgres").exists()
    return done.stderr


def test_two_inboxes_take_two_ports(start: Callable[..., Dev]) -> None:
    first, second = start("data").wait_ready(), start("two").wait_ready()
    assert first.place("inbox") != second.place("inbox")
    first.interrupt()
    second.interrupt()


@pytest.mark.parametrize("program", ["postgres", "service"])
def test_a_child_that_dies_ends_it(start: Callable[..., Dev], program: str) -> None:
    dev = start("data").wait_ready()
    family = dev.family()
    postgres = _pid_of(dev, "postgres")
    service = next(pid for pid in dev.children() if pid != postgres)
    os.kill(postgres if program == "postgres" else service, signal.SIGKILL)
    assert dev.wait_end() == 1
    name = "PostgreSQL" if program == "postgres" else "the service"
    assert f"{name} was ended by signal 9" in dev.errors
    assert "the last lines of" in dev.errors
    _wait_gone(family)


def test_a_foreign_folder_is_left_alone(start: Callable[..., Dev], folder: Path) -> None:
    place = folder / "foreign/postgres"
    place.mkdir(parents=True)
    (place / "letter.txt").write_text("mine")
    dev = start("foreign")
    assert dev.wait_end() == 1
    assert "has no PG_VERSION" in dev.errors
    assert (place / "letter.txt").read_text() == "mine"


@as_root
def test_root_with_user_namespaces(start: Callable[..., Dev]) -> None:
    """In a folder that only root may enter, which no other account's PostgreSQL could use."""
    dev = start("closed/inner")
    dev.wait_ready()
    postgres = Path(f"/proc/{_pid_of(dev, 'postgres')}")
    if (postgres / "ns/user").readlink() == Path("/proc/self/ns/user").readlink():
        pytest.skip("this kernel gives root no user namespace")
    assert (dev.data / "postgres").stat().st_uid == 0
    dev.interrupt()


@as_root
def test_root_without_user_namespaces(start: Callable[..., Dev]) -> None:
    command = (sys.executable, "-c", _WITHOUT_NAMESPACES, str(BINARY))
    first = start("refused", command=command)
    data = None
    try:
        first.wait_ready()
        said = first.output.read_text()
        data = Path(re.search(rf"data in ({_FALLBACK}/\S+)$", said, re.MULTILINE).group(1))
        assert data.stat().st_uid != 0
        assert not (first.data / "postgres").exists()
        control = (data / "global/pg_control").read_bytes()[:8]
        first.interrupt()
        second = start("refused", command=command).wait_ready()
        assert (data / "global/pg_control").read_bytes()[:8] == control
        family = second.family()
        second.kill()
        _wait_gone(family)
    finally:
        if data is not None:
            shutil.rmtree(data.parent)


@as_root
def test_not_root(start: Callable[..., Dev], folder: Path) -> None:
    home = folder / "nobody"
    home.mkdir(mode=0o755)
    copy = home / "user-service"  # the build folder may be root's alone
    shutil.copy(BINARY, copy)
    data = home / "data"
    data.mkdir()
    os.chown(data, _NOBODY, _NOBODY)
    options = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}
    first = start("nobody/data", command=(str(copy),), **options).wait_ready()
    assert (data / "postgres").stat().st_uid == _NOBODY
    first.interrupt()
    # And then by root: PostgreSQL keeps running as the owner of its data.
    second = start("nobody/data").wait_ready()
    assert Path(f"/proc/{_pid_of(second, 'postgres')}").stat().st_uid == _NOBODY
    second.interrupt()
