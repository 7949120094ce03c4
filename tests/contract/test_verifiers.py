# SPDX-License-Identifier: Apache-2.0
"""Other teams' verifiers accept and reject our tokens as we do.

One list of tokens, good and hostile, made with the service's own key. The service says which are
good (by its answer to a request), and each library has to say the same, in the code that
docs/INTEGRATE.md gives its users. Where a library lets more pass than we do it stands in LAX:
tokens that only the holder of the signing key can make, and other spellings of a genuine one.
"""

import dataclasses
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from support.journey import confirmed_person
from support.postgres import Cluster
from support.receiver import Receiver
from support.secret_files import SecretFiles
from support.service import Service
from support.token_cases import TokenCase, token_cases
from support.token_forge import TokenForge
from support.verifiers import (
    Trust,
    by_go_oidc,
    by_golang_jwt,
    by_jose,
    by_nimbus,
    by_pyjwt,
    by_spring,
    jwks_fetches,
)

Verifier = Callable[[Trust, list[str]], list[str]]
VERIFIERS: dict[str, Verifier] = {
    "PyJWT": by_pyjwt,
    "jose": by_jose,
    "golang-jwt": by_golang_jwt,
    "go-oidc": by_go_oidc,
    "Nimbus": by_nimbus,
    "Spring": by_spring,
}
# Which of two members counts (RFC 8259 section 4) and how deep to look are the parser's choice.
_JSON = {
    *("exp twice", "exp twice, the first one over", "e\\u0078p twice"),
    *("sub twice", "iss twice", "aud twice", "deep claims"),
}
# The same token, spelt in another way: anybody can write these, and they say nothing new.
_SPELT = {"padded signature", "signature with stray bits"}
_ONE_KEY = {"no kid"}  # taken while the JWKS has one key that fits
LAX: dict[str, set[str]] = {
    "PyJWT": {
        *(*_JSON, "alg twice", "padded signature"),
        *("expiry as text", "expiry as fraction", "expiry beyond 64 bits"),
    },
    "jose": {
        *(*_JSON, *_SPELT, *_ONE_KEY, "alg twice", "kid is a number"),
        *("expiry as fraction", "expiry beyond 64 bits"),
        *("typ in upper case", "typ with application/"),
    },
    "golang-jwt": {*_JSON, "alg twice"},
    # Made for ID tokens: it looks at no typ, so the document has another library.
    "go-oidc": {
        *(*_JSON, *_SPELT, *_ONE_KEY, "padded header", "expiry as text"),
        *("no typ", "typ JWT", "typ of an id token", "typ in upper case", "typ with application/"),
    },
    "Nimbus": {*_SPELT, *_ONE_KEY, "typ in upper case"},
    "Spring": {*_SPELT, *_ONE_KEY, "typ in upper case"},
}


@dataclass(frozen=True)
class Table:
    """The cases of one service and what it needs to be known of it."""

    service: Service
    trust: Trust
    forge: TokenForge
    cases: list[TokenCase]

    @property
    def good(self) -> set[str]:
        return {case.name for case in self.cases if case.good}


@pytest.fixture(scope="module", params=["ES256", "RS256"])
def table(
    request: pytest.FixtureRequest,
    cluster: Cluster,
    secret_files: SecretFiles,
    log_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
    receiver: Receiver,
) -> Iterator[Table]:
    secrets = secret_files
    if request.param == "RS256":
        secrets = _with_rsa(secret_files, tmp_path_factory.mktemp("rsa"))
    settings = {"US_NOTIFICATION_URL": receiver.url}
    url = cluster.url(cluster.create_database())
    service = Service(log_folder, url, secrets, settings).start()
    yield _table_of(service, receiver, request.param, secrets)
    service.stop()


def _with_rsa(secrets: SecretFiles, folder: Path) -> SecretFiles:
    key = rsa.generate_private_key(65537, 3072)
    path = folder / "jwt.json"
    path.write_text(RSAAlgorithm.to_jwk(key))
    return dataclasses.replace(secrets, jwt=f"file:{path}")


def _table_of(service: Service, receiver: Receiver, alg: str, secrets: SecretFiles) -> Table:
    tokens = confirmed_person(service.api, receiver).tokens or {}
    forge = TokenForge(tokens["access_token"], secrets)
    assert forge.header["alg"] == alg
    cases = token_cases(forge)
    cases.append(TokenCase("a refresh token", tokens["refresh_token"]))
    return Table(service, Trust(service.url, alg), forge, cases)


@pytest.mark.parametrize("path", ["/v1/me", "/v1/auth/verify?aud=shop"])
def test_our_own_verdict(table: Table, path: str) -> None:
    """So that "as we do" below means what the service does, not what the list says."""
    status = {
        case.name: table.service.api.get(path, token=case.token).status for case in table.cases
    }
    assert {name for name, code in status.items() if code == 200} == table.good
    assert set(status.values()) == {200, 401}


@pytest.mark.parametrize("name", VERIFIERS)
def test_the_same_verdict(table: Table, name: str) -> None:
    _skip_without_jdk(name)
    verdicts = VERIFIERS[name](table.trust, [case.token for case in table.cases])
    said = dict(zip((case.name for case in table.cases), verdicts, strict=True))
    accepted = {case for case, verdict in said.items() if verdict == "good"}
    assert not table.good - accepted, {case: said[case] for case in table.good - accepted}
    assert accepted - table.good == LAX[name] & set(said)


def _skip_without_jdk(name: str) -> None:
    if name in ("Nimbus", "Spring") and not (shutil.which("javac") and shutil.which("mvn")):
        pytest.skip("no JDK with Maven on this machine (javac, mvn)")


@pytest.mark.parametrize("name", sorted(VERIFIERS.keys() - {"go-oidc"}))
def test_invented_kids_make_no_traffic(table: Table, name: str) -> None:
    """The code of the document fetches the keys once, and once again for unknown ones."""
    _skip_without_jdk(name)
    invented = [table.forge.sign({"kid": f"invented-{number}"}) for number in range(20)]
    before = jwks_fetches(table.service)
    verdicts = VERIFIERS[name](table.trust, [table.forge.token, *invented, table.forge.token])
    assert [verdict == "good" for verdict in verdicts] == [True, *[False] * 20, True]
    assert 1 <= jwks_fetches(table.service) - before <= 2
