# SPDX-License-Identifier: Apache-2.0
"""A wrong value stops the start with one line: the variable, what it got, what it takes."""

import base64
import json
import re
import secrets
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from support.makers import ServiceMaker
from support.secret_files import new_jwk
from support.service import Service, run_command

WRONG = [
    ("US_HTTP_LISTEN", "nonsense"),
    ("US_HTTP_LISTEN", "127.0.0.1:99999"),
    ("US_HTTP_LISTEN", "127.0.0.1:-1"),
    ("US_HTTP_LISTEN", "127.0.0.1"),
    ("US_OPS_LISTEN", "127.0.0.1:http"),
    ("US_PUBLIC_URL", "not a url"),
    ("US_PUBLIC_URL", "ftp://users.example"),
    ("US_PUBLIC_URL", "https://"),
    ("US_PUBLIC_URL", "https://users.example?a=b"),
    ("US_PUBLIC_URL", "https://users.example#a"),
    ("US_NOTIFICATION_URL", "nonsense"),
    ("US_NOTIFICATION_URL", "file:///etc/passwd"),
    ("US_LINK_VERIFY", "https://front.example/verify"),
    ("US_LINK_VERIFY", "front.example/verify#token={token}"),
    ("US_LINK_VERIFY", "javascript:alert(1)//{token}"),
    ("US_PAGES", "yes please"),
    ("US_DOCS", "2"),
    ("US_EMAIL_VERIFICATION", "maybe"),
    ("US_EVENTS", "user.exploded"),
    ("US_EVENTS", "user.registered,,user.verified"),
    ("US_ACCESS_TOKEN_TTL", "5"),
    ("US_ACCESS_TOKEN_TTL", "0s"),
    ("US_ACCESS_TOKEN_TTL", "-5m"),
    ("US_ACCESS_TOKEN_TTL", "5 m"),
    ("US_ACCESS_TOKEN_TTL", "5minutes"),
    ("US_ACCESS_TOKEN_TTL", "99999999999999999999s"),
    ("US_REFRESH_IDLE_TTL", "x"),
    ("US_REFRESH_ABSOLUTE_TTL", "1.5d"),
    ("US_PASSWORD_MIN_LENGTH", "7"),
    ("US_PASSWORD_MIN_LENGTH", "65"),
    ("US_PASSWORD_MIN_LENGTH", "15.0"),
    ("US_PASSWORD_MIN_LENGTH", "1e1"),
    ("US_PASSWORD_MIN_LENGTH", " 15"),
    ("US_PASSWORD_MIN_LENGTH", "0x10"),
    ("US_ARGON2_MEMORY_KIB", "1"),
    ("US_ARGON2_MEMORY_KIB", "99999999"),
    ("US_ARGON2_PASSES", "0"),
    ("US_HASH_THREADS", "-1"),
    ("US_DB_THREADS", "100000"),
    ("US_IO_THREADS", "many"),
    ("US_LOG_LEVEL", "loud"),
    ("US_JWT_SECRET", "vault:jwt"),
    ("US_JWT_SECRET", "file:"),
]


def _one_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode not in (0, None) and done.returncode > 0, done
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    errors = [line for line in lines if not re.search(r'"level":"(info|warn)"', line)]
    assert len(errors) == 1, errors
    return errors[0]


def _start_with(service: Service, **changes: str | None) -> subprocess.CompletedProcess[str]:
    environment = service.environment() | {k: v for k, v in changes.items() if v is not None}
    for name, value in changes.items():
        if value is None:
            environment.pop(name, None)
    return run_command("serve", environment=environment, timeout_s=10)


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_wrong_value(make_service: ServiceMaker, name: str, value: str) -> None:
    line = _one_line(_start_with(make_service(), **{name: value}))
    assert name in line
    assert value in line or json.dumps(value)[1:-1] in line


def test_wrong_database_url_does_not_show_its_password(make_service: ServiceMaker) -> None:
    for url in (
        "mysql://owner:hidden-password@db.example/us",
        "postgresql://owner:hidden-password@db.example:port/us",
        "hidden-password",
    ):
        line = _one_line(_start_with(make_service(), US_DATABASE_URL=url))
        assert "US_DATABASE_URL" in line
        assert "hidden-password" not in line


@pytest.mark.parametrize(
    "name",
    [
        *("US_PUBLIC_URL", "US_AUDIENCE", "US_DATABASE_URL"),
        *("US_JWT_SECRET", "US_KEYRING_SECRET", "US_WEBHOOK_SECRET"),
    ],
)
def test_missing(make_service: ServiceMaker, name: str) -> None:
    for value in (None, ""):
        assert name in _one_line(_start_with(make_service(), **{name: value}))


def _ec_jwk(curve: ec.EllipticCurve) -> dict[str, str]:
    return ECAlgorithm.to_jwk(ec.generate_private_key(curve), as_dict=True)


def _rsa_jwk(bits: int) -> dict[str, str]:
    return RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, bits), as_dict=True)


def _without(value: dict, *names: str) -> dict:
    return {k: v for k, v in value.items() if k not in names}


def _mismatched() -> dict[str, str]:
    return new_jwk() | {"d": new_jwk()["d"]}


_KEY = base64.b64encode(secrets.token_bytes(32)).decode()
_SHORT = base64.b64encode(secrets.token_bytes(16)).decode()

BAD_SECRETS = {
    "JWT: no JSON": ("US_JWT_SECRET", "hello"),
    "JWT: empty file": ("US_JWT_SECRET", ""),
    "JWT: empty object": ("US_JWT_SECRET", {}),
    "JWT: empty set": ("US_JWT_SECRET", {"keys": []}),
    "JWT: public only": ("US_JWT_SECRET", _without(new_jwk(), "d")),
    "JWT: P-384": ("US_JWT_SECRET", _ec_jwk(ec.SECP384R1())),
    "JWT: RSA 2048": ("US_JWT_SECRET", _rsa_jwk(2048)),
    "JWT: symmetric": ("US_JWT_SECRET", {"kty": "oct", "k": "AAAA"}),
    "JWT: halves of two keys": ("US_JWT_SECRET", _mismatched()),
    "JWT: short d": ("US_JWT_SECRET", new_jwk() | {"d": "AAAA"}),
    "JWT: point not on the curve": ("US_JWT_SECRET", new_jwk() | {"x": "A" * 43}),
    "keyring: no JSON": ("US_KEYRING_SECRET", "hello"),
    "keyring: no keys": ("US_KEYRING_SECRET", {"current": "k1", "keys": {}}),
    "keyring: current is none": (
        "US_KEYRING_SECRET",
        {"current": "k2", "keys": {"k1": _KEY}},
    ),
    "keyring: short key": ("US_KEYRING_SECRET", {"current": "k1", "keys": {"k1": _SHORT}}),
    "keyring: not base64": ("US_KEYRING_SECRET", {"current": "k1", "keys": {"k1": "!" * 44}}),
    "keyring: id with a dot": ("US_KEYRING_SECRET", {"current": "k.1", "keys": {"k.1": _KEY}}),
    "webhook: no JSON": ("US_WEBHOOK_SECRET", "hello"),
    "webhook: none": ("US_WEBHOOK_SECRET", {"secrets": []}),
    "webhook: no prefix": ("US_WEBHOOK_SECRET", {"secrets": [_KEY]}),
    "webhook: too short": ("US_WEBHOOK_SECRET", {"secrets": ["whsec_" + _SHORT]}),
}


@pytest.mark.parametrize("name", BAD_SECRETS)
def test_bad_secret(make_service: ServiceMaker, tmp_path: Path, name: str) -> None:
    variable, value = BAD_SECRETS[name]
    path = tmp_path / "secret.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    line = _one_line(_start_with(make_service(), **{variable: f"file:{path}"}))
    assert variable in line
    for hidden in (_KEY, _SHORT):
        assert hidden not in line
    if isinstance(value, dict) and len(value.get("d", "")) > 8:
        assert value["d"] not in line


def test_a_secret_that_is_not_there(make_service: ServiceMaker, tmp_path: Path) -> None:
    for path in (tmp_path / "missing.json", tmp_path):
        line = _one_line(_start_with(make_service(), US_JWT_SECRET=f"file:{path}"))
        assert "US_JWT_SECRET" in line
        assert str(path) in line


def test_a_port_that_is_taken(make_service: ServiceMaker, service: Service) -> None:
    listen = f"127.0.0.1:{service.port}"
    line = _one_line(_start_with(make_service(), US_HTTP_LISTEN=listen))
    assert "US_HTTP_LISTEN" in line
    assert str(service.port) in line


def test_an_unknown_variable_warns(make_service: ServiceMaker) -> None:
    """A roll-back must not crash-loop; `check-config --strict` is for before the roll-out."""
    service = make_service(US_FUTURE_OPTION="1").start()
    warnings = [r for r in service.log_records() if "US_FUTURE_OPTION" in json.dumps(r)]
    assert [record["level"] for record in warnings] == ["warn"]
    environment = service.environment()
    assert run_command("check-config", environment=environment).returncode == 0
    strict = run_command("check-config", "--strict", environment=environment)
    assert strict.returncode > 0
    assert "US_FUTURE_OPTION" in strict.stderr + strict.stdout


def test_check_config_hides_secrets(make_service: ServiceMaker) -> None:
    service = make_service(US_DATABASE_URL="postgresql://owner:hidden-word@db.example/us")
    for arguments in (["check-config"], ["check-config", "--json"]):
        done = run_command(*arguments, environment=service.environment())
        assert done.returncode == 0, done
        assert "US_PUBLIC_URL" in done.stdout
        assert service.url in done.stdout
        assert "hidden-word" not in done.stdout + done.stderr


def test_check_config_says_what_is_wrong(make_service: ServiceMaker) -> None:
    environment = make_service(US_LOG_LEVEL="loud").environment()
    done = run_command("check-config", environment=environment)
    assert done.returncode > 0
    assert "US_LOG_LEVEL" in done.stderr


@pytest.mark.parametrize("arguments", [[], ["unknown"], ["serve", "--unknown"], ["serve", "word"]])
def test_wrong_command_line(arguments: list[str]) -> None:
    done = run_command(*arguments)
    assert done.returncode > 0
    assert done.stderr


@pytest.mark.parametrize(
    "command", ["serve", "dev", "migrate", "check-config", "routes", "version", "healthcheck"]
)
def test_help(command: str) -> None:
    done = run_command(command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "user-service " + command in done.stdout


def test_migrate_twice_then_serve(make_service: ServiceMaker) -> None:
    service = make_service()
    for _ in range(2):
        done = run_command("migrate", environment=service.environment())
        assert done.returncode == 0, done
    service.start()


def test_two_start_at_once_on_an_empty_database(make_service: ServiceMaker) -> None:
    first = make_service()
    others = [make_service(database_url=first.database_url) for _ in range(3)]
    for service in (first, *others):
        service.launch()
    for service in (first, *others):
        service.wait_ready()


def test_healthcheck(make_service: ServiceMaker) -> None:
    service = make_service().start()
    environment = service.environment()
    assert run_command("healthcheck", environment=environment).returncode == 0
    service.stop()
    assert run_command("healthcheck", environment=environment).returncode > 0
