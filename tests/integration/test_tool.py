# SPDX-License-Identifier: Apache-2.0
"""What all of the operator's commands share: help, the database they find, their output."""

import json
import os
import pwd
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from support.dev import Dev
from support.journey import confirm, new_person
from support.ledger import LEDGER
from support.paths import BINARY
from support.poll import wait_until
from support.postgres import Cluster
from support.receiver import token_of
from support.service import base_environment, run_command

_TOOLS = ("user", "client", "keys", "events")


def _commands() -> list[str]:
    listed = run_command("--help").stdout
    return re.findall(r"^  (\S+)  +\S", listed, re.MULTILINE)


def _subcommands() -> list[tuple[str, str]]:
    found = []
    for tool in _TOOLS:
        text = run_command(tool, "--help").stdout
        found += re.findall(rf"^(?:usage:|      ) user-service ({tool}) (\S+)", text, re.MULTILINE)
    return found


COMMANDS = _commands()
SUBCOMMANDS = _subcommands()


def _examples(*command: str) -> list[str]:
    text = run_command(*command, "--help").stdout
    behind = re.search(r"^examples?:\n((?:  .*\n)+)", text, re.MULTILINE)
    assert behind, text
    return [line.strip() for line in behind.group(1).splitlines()]


def _arguments(example: str) -> list[str]:
    """Of the first call of the binary in a line of shell."""
    call = re.search(r"user-service ([^|>&;)]*)", example).group(1)
    return shlex.split(call)


def _run(*arguments: str, folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """In a folder without data of `dev`."""
    return subprocess.run(
        [str(BINARY), *arguments],
        cwd=folder,
        env=base_environment() | settings,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
    )


def _is_offline(tool: str, subcommand: str) -> bool:
    return (tool, subcommand) == ("keys", "new")


ONLINE = [pair for pair in SUBCOMMANDS if not _is_offline(*pair)]
LISTS = [pair for pair in SUBCOMMANDS if pair[1] == "list"]


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture(scope="module")
def migrated(cluster: Cluster) -> str:
    """The URL of a database with the whole schema."""
    url = cluster.url(cluster.create_database())
    settings = {
        "US_PUBLIC_URL": "http://127.0.0.1:1",
        "US_AUDIENCE": "shop",
        "US_DATABASE_URL": url,
        "US_JWT_SECRET": "file:/none",
        "US_KEYRING_SECRET": "file:/none",
        "US_WEBHOOK_SECRET": "file:/none",
    }
    assert run_command("migrate", environment=settings).returncode == 0
    return url


@pytest.fixture(scope="module")
def dev(scratch: Path) -> Iterator[Dev]:
    folder = scratch / "tool"
    folder.mkdir()
    running = Dev(folder, folder / "data").wait_ready()
    yield running
    if running.process.poll() is None:
        running.interrupt()


def test_there_are_some() -> None:
    assert set(_TOOLS) <= set(COMMANDS)
    assert set(_TOOLS) == {tool for tool, _ in SUBCOMMANDS}
    assert {("client", "list"), ("keys", "list"), ("events", "list")} <= set(LISTS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str) -> None:
    done = run_command(command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert any(f"user-service {command}" in example for example in _examples(command))


@pytest.mark.parametrize(("tool", "subcommand"), SUBCOMMANDS)
def test_every_subcommand_has_help_with_an_example(tool: str, subcommand: str) -> None:
    done = run_command(tool, subcommand, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    examples = _examples(tool, subcommand)
    assert all(f"user-service {tool} {subcommand}" in example for example in examples)
    assert set(examples) <= set(_examples(tool))
    summary = done.stdout.splitlines()[0]
    assert re.search(rf"^  {subcommand} +{re.escape(summary)}$", _help(tool), re.MULTILINE)


def _help(tool: str) -> str:
    return run_command(tool, "--help").stdout


@pytest.mark.parametrize(("tool", "subcommand"), ONLINE)
def test_examples_are_understood_and_want_a_database(
    tool: str, subcommand: str, empty: Path
) -> None:
    for example in _examples(tool, subcommand):
        done = _run(*_arguments(example), folder=empty)
        assert done.returncode == 1, (example, done)
        assert done.stdout == ""
        assert re.fullmatch(
            rf"user-service {tool}: no database is named: set US_DATABASE_URL, or start "
            r"`user-service dev` \(none runs with its data in \.local; .*\)\n",
            done.stderr,
        ), done.stderr


@pytest.mark.parametrize(("tool", "subcommand"), SUBCOMMANDS)
@pytest.mark.parametrize("wrong", ["--no-such-option", "-x", "--json=1"])
def test_wrong_usage_is_told_with_the_usage(
    tool: str, subcommand: str, wrong: str, empty: Path
) -> None:
    done = _run(tool, subcommand, wrong, folder=empty)
    assert (done.returncode, done.stdout) == (2, "")
    said, usage = done.stderr.splitlines()
    assert wrong.split("=")[0] in said
    assert usage.startswith(f"usage: user-service {tool} {subcommand}")


@pytest.mark.parametrize("tool", _TOOLS)
@pytest.mark.parametrize("arguments", [[], ["unknown"], ["--json"], ["--data"]])
def test_without_a_subcommand(tool: str, arguments: list[str], empty: Path) -> None:
    done = _run(tool, *arguments, folder=empty)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"usage: user-service {tool}" in done.stderr


@pytest.mark.parametrize(("tool", "subcommand"), LISTS)
def test_a_list_as_json_and_for_a_person(
    tool: str, subcommand: str, migrated: str, empty: Path
) -> None:
    for arguments in ([subcommand, "--json"], ["--json", subcommand]):
        done = _run(tool, *arguments, folder=empty, US_DATABASE_URL=migrated)
        assert (done.returncode, done.stderr) == (0, "")
        assert isinstance(json.loads(done.stdout), list)
    done = _run(tool, subcommand, folder=empty, US_DATABASE_URL=migrated)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_new_key_is_json(empty: Path) -> None:
    for arguments in (["new"], ["new", "--json"]):
        done = _run("keys", *arguments, folder=empty)
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(done.stdout)["crv"] == "P-256"


def test_a_schema_that_is_too_old_is_told(cluster: Cluster, empty: Path) -> None:
    url = cluster.url(cluster.create_database())
    done = _run("client", "list", folder=empty, US_DATABASE_URL=url)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(
        r"user-service client: the database's schema is older than this binary \(version 0, \d+ "
        r"migrations are missing\): run `user-service migrate` on it first\n",
        done.stderr,
    )


def test_a_schema_of_which_the_last_step_is_missing(
    cluster: Cluster, migrated: str, empty: Path
) -> None:
    name = migrated.split("@/")[1].split("?")[0]
    with cluster.connect() as connection:
        connection.execute(f'CREATE DATABASE half TEMPLATE "{name}"')
    with cluster.connect("half") as connection:
        last = "(SELECT max(version) FROM schema_migrations)"
        connection.execute(f"DELETE FROM schema_migrations WHERE version = {last}")
    done = _run("client", "list", folder=empty, US_DATABASE_URL=cluster.url("half"))
    assert done.returncode == 1
    assert "1 migrations are missing): run `user-service migrate`" in done.stderr


def test_a_database_that_is_away_is_told(empty: Path) -> None:
    url = f"postgresql://nobody@/none?host={empty}"
    done = _run("client", "list", folder=empty, US_DATABASE_URL=url)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("user-service client: no connection: ")
    assert len(done.stderr.splitlines()) == 1


def test_wrong_values_are_refused_though_others_are_missing(migrated: str, empty: Path) -> None:
    settings = {"US_DATABASE_URL": migrated, "US_EVENTS": "user.exploded"}
    done = _run("client", "list", folder=empty, **settings)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(r'user-service: US_EVENTS: got "user\.exploded"; takes .*\n', done.stderr)


def test_the_database_of_dev_is_found(dev: Dev, empty: Path) -> None:
    note = dev.data / "database"
    assert note.stat().st_mode & 0o777 == 0o600
    data = str(dev.data)
    for arguments in (
        ["client", "list", "--json", "--data", data],
        ["client", "--data", data, "list", "--json"],
        ["client", f"--data={data}", "--json", "list"],
    ):
        done = _run(*arguments, folder=empty)
        assert (done.returncode, done.stderr) == (0, ""), arguments
        assert json.loads(done.stdout) == []
    (empty / ".local").symlink_to(dev.data)
    assert _run("client", "list", folder=empty).returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_the_database_of_somebody_else(dev: Dev, scratch: Path) -> None:
    copy = scratch / "user-service"  # the build folder may be root's alone
    shutil.copy(BINARY, copy)
    done = subprocess.run(
        [str(copy), "client", "list", "--data", str(dev.data)],
        cwd="/",
        env=base_environment(),
        capture_output=True,
        text=True,
        timeout=30,
        user=65534,
        group=65534,
        extra_groups=[],
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"user-service client: no permission to read {dev.data}/database\n"


def test_the_configuration_comes_first(dev: Dev, empty: Path) -> None:
    url = f"postgresql://nobody@/none?host={empty}"
    done = _run("client", "list", "--data", str(dev.data), folder=empty, US_DATABASE_URL=url)
    assert done.returncode == 1
    assert str(empty) in done.stderr


def test_what_it_revokes_outlives_every_token(dev: Dev, empty: Path) -> None:
    """Whatever lifetime the service was given: the command does not know it."""
    person = new_person()
    assert dev.api.post("/v1/register", person.credentials).status == 202
    token = token_of(dev.mail_link(person.email))
    LEDGER.add(token)
    access = confirm(dev.api, token, person.password)["access_token"]
    assert dev.api.get("/v1/me", token=access).status == 200
    done = _run("user", "disable", person.email, "--data", str(dev.data), folder=empty)
    assert (done.returncode, done.stderr) == (0, "")
    wait_until(lambda: dev.api.get("/v1/me", token=access).status == 401, "no access", 2.0)
    with psycopg.connect((dev.data / "database").read_text()) as connection:
        left = (
            "SELECT min(expires_at) - clock_timestamp() FROM revocations WHERE subject IS NOT NULL"
        )
        assert connection.execute(left).fetchone()[0].total_seconds() > 3600
        done_by = connection.execute("SELECT DISTINCT actor FROM audit").fetchall()
    assert done_by == [(f"cli:{pwd.getpwuid(os.getuid()).pw_name}",)]


@pytest.mark.parametrize("folder", ["", "x" * 1024])
def test_a_data_folder_that_is_none(folder: str, empty: Path) -> None:
    done = _run("client", "list", "--data", folder, folder=empty)
    assert done.returncode == 2
    assert f"--data takes a folder of 1 to 1023 bytes, got {len(folder)}" in done.stderr


def test_dev_that_has_ended(scratch: Path, empty: Path) -> None:
    folder = scratch / "tool-ended"
    folder.mkdir()
    first = Dev(folder, folder / "data").wait_ready()
    note = folder / "data/database"
    first.interrupt()
    assert not note.exists()
    done = _run("client", "list", "--data", str(folder / "data"), folder=empty)
    assert "no database is named: set US_DATABASE_URL" in done.stderr
    second = Dev(folder, folder / "data").wait_ready()
    second.kill()
    assert note.exists()
    pid_file = folder / "data/postgres/postmaster.pid"
    wait_until(lambda: not pid_file.exists(), "PostgreSQL gone", 30.0)
    done = _run("client", "list", "--data", str(folder / "data"), folder=empty)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.search(
        r"client: the `user-service dev` with its data in \S+ has ended without tidying up: "
        r"start it again, or set US_DATABASE_URL",
        done.stderr,
    )


def test_output_that_cannot_be_written_is_told(migrated: str, empty: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [str(BINARY), "client", "list", "--json"],
            cwd=empty,
            env=base_environment() | {"US_DATABASE_URL": migrated},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=30,
        )
    assert done.returncode == 1
    assert "could not be written" in done.stderr
