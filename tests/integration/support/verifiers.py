# SPDX-License-Identifier: Apache-2.0
"""Other teams' verifiers: the code of docs/INTEGRATE.md in each language, with the real libraries.

Each is started once for all tokens and answers a line a token: "good", or why not. What is fetched
and compiled stays below the build folder.
"""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .documents import code_block
from .paths import BUILD, CONTRACT
from .service import Service
from .tokens import jose_folder

_ISSUER = "https://users.example.com"
_FETCH_S = 240

_PYTHON_TABLE = """
import sys
for line in sys.stdin:
    try:
        verify(line.rstrip("\\n"))
        print("good")
    except jwt.PyJWTError as error:
        print(type(error).__name__, str(error).replace("\\n", " "))
"""

_SPRING = """
import com.nimbusds.jose.*;
import com.nimbusds.jose.jwk.source.*;
import com.nimbusds.jose.proc.*;
import com.nimbusds.jwt.proc.*;
import java.net.*;
import java.time.Duration;
import java.util.List;
import org.springframework.context.annotation.Bean;
import org.springframework.security.oauth2.core.DelegatingOAuth2TokenValidator;
import org.springframework.security.oauth2.jwt.*;

class SpringConfiguration {
%s
}
"""


@dataclass(frozen=True)
class Trust:
    """What a verifier is told beforehand."""

    issuer: str
    alg: str = "ES256"

    def block(self, name: str) -> str:
        """The document's code with what is true here."""
        text = code_block(name, **{_ISSUER: self.issuer})
        return text.replace("ES256", self.alg)


def by_pyjwt(trust: Trust, tokens: list[str]) -> list[str]:
    return _ask([sys.executable, "-c", trust.block("python") + _PYTHON_TABLE], tokens)


def by_jose(trust: Trust, tokens: list[str]) -> list[str]:
    folder = jose_folder()
    (folder / "documented.mjs").write_text(trust.block("node"))
    return _ask(["node", "table.mjs"], tokens, folder)


def by_golang_jwt(trust: Trust, tokens: list[str]) -> list[str]:
    return _ask([_go_program(trust)], tokens)


def by_go_oidc(trust: Trust, tokens: list[str]) -> list[str]:
    return _ask([_go_program(trust), "oidc"], tokens)


def by_nimbus(trust: Trust, tokens: list[str]) -> list[str]:
    return _ask(_java_program(trust), tokens)


def by_spring(trust: Trust, tokens: list[str]) -> list[str]:
    return _ask([*_java_program(trust), "spring"], tokens)


@cache
def _java_program(trust: Trust) -> list[str]:
    """The command; jars are fetched once a build folder."""
    folder = _copy("java", trust.alg)
    jars = folder.parent / "jars"
    if not any(jars.glob("spring-security-oauth2-jose-*.jar")):
        fetch = ["mvn", "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={jars}"]
        _build(fetch, folder)
    (folder / "Verifier.java").write_text(trust.block("java"))
    (folder / "SpringConfiguration.java").write_text(_SPRING % trust.block("spring"))
    classes = f"{jars}/*:{folder}"
    sources = ["Table.java", "Verifier.java", "SpringConfiguration.java"]
    _build(["javac", "-cp", classes, "-d", ".", *sources], folder)
    return ["java", "-XX:TieredStopAtLevel=1", "-cp", classes, "Table"]


@cache
def _go_program(trust: Trust) -> str:
    folder = _copy("go", trust.alg)
    (folder / "documented.go").write_text(trust.block("go"))
    _build(["go", "build", "-mod=readonly", "-o", "verifier", "."], folder)
    return str(folder / "verifier")


def _copy(name: str, alg: str) -> Path:
    folder = BUILD / "verifiers" / f"{name}-{alg}"
    folder.mkdir(parents=True, exist_ok=True)
    for path in (CONTRACT / name).iterdir():
        shutil.copy(path, folder)
    return folder


def _build(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_FETCH_S)
    assert done.returncode == 0, f"{command}:\n{done.stdout}{done.stderr}"


def _ask(command: list[str], tokens: list[str], folder: Path | None = None) -> list[str]:
    lines = "".join(f"{token}\n" for token in tokens)
    done = subprocess.run(
        command, cwd=folder, input=lines, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, f"{command[:2]}:\n{done.stderr}"
    verdicts = done.stdout.splitlines()
    assert len(verdicts) == len(tokens), f"{command[:2]}:\n{done.stdout}{done.stderr}"
    return verdicts


def jwks_fetches(service: Service) -> int:
    """How often the service has answered the JWKS."""
    wanted = 'duration_seconds_count{http_request_method="GET",http_route="/.well-known/jwks.json"'
    lines = [line for line in service.metrics().splitlines() if wanted in line]
    return sum(int(line.rsplit(" ", 1)[1]) for line in lines)
