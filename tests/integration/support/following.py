# SPDX-License-Identifier: Apache-2.0
"""Verifiers of other services that run for long: each keeps the JWKS for its max-age, and four
libraries that are not ours check the tokens.

None fetches keys earlier than that when it meets an unknown one, though most libraries would: what
is good here is good for the laziest of them.
"""

import json
import re
import subprocess
import threading
import time
from abc import ABC, abstractmethod
from typing import Any

import joserfc.errors
import joserfc.jwk
import joserfc.jwt
import jwcrypto.common
import jwcrypto.jwk
import jwcrypto.jwt
import jwt

from .client import Api
from .tokens import jose_folder

JWKS = "/.well-known/jwks.json"
_ALGORITHMS = ["ES256", "RS256"]


def max_age_of(api: Api) -> int:
    return int(re.search(r"max-age=(\d+)", api.get(JWKS).headers["cache-control"]).group(1))


class Verifier(ABC):
    """`check` gives "good", or why not."""

    def __init__(self, api: Api, issuer: str, audience: str) -> None:
        self.api = api
        self.issuer = issuer
        self.audience = audience
        self.fetches = 0
        self._document: dict[str, Any] = {}
        self._until = 0.0
        self._lock = threading.Lock()

    @abstractmethod
    def check(self, token: str) -> str: ...

    def close(self) -> None:
        """Ends what it has started; of connections, this thread's."""
        self.api.close()

    def keys(self) -> dict[str, Any]:
        """The key set, at most max-age old."""
        with self._lock:
            if time.monotonic() >= self._until:
                reply = self.api.get(JWKS)
                max_age = int(re.search(r"max-age=(\d+)", reply.headers["cache-control"]).group(1))
                self._until = time.monotonic() + max_age
                self._document = reply.json()
                self.fetches += 1
            return self._document


class PyJwt(Verifier):
    def check(self, token: str) -> str:
        try:
            kid = jwt.get_unverified_header(token)["kid"]
            key = jwt.PyJWKSet.from_dict(self.keys())[kid]
            jwt.decode(
                token, key, algorithms=_ALGORITHMS, issuer=self.issuer, audience=self.audience
            )
        except (KeyError, jwt.PyJWTError) as error:
            return f"{type(error).__name__} {error}"
        return "good"


class JoseRfc(Verifier):
    def check(self, token: str) -> str:
        claims = joserfc.jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": self.issuer},
            aud={"essential": True, "value": self.audience},
        )
        try:
            keys = joserfc.jwk.KeySet.import_key_set(self.keys())
            claims.validate(joserfc.jwt.decode(token, keys, algorithms=_ALGORITHMS).claims)
        except (ValueError, joserfc.errors.JoseError) as error:
            return f"{type(error).__name__} {error}"
        return "good"


class JwCrypto(Verifier):
    def check(self, token: str) -> str:
        keys = jwcrypto.jwk.JWKSet.from_json(json.dumps(self.keys()))
        wanted = {"iss": self.issuer, "aud": self.audience}
        try:
            jwcrypto.jwt.JWT(jwt=token, key=keys, algs=_ALGORITHMS, check_claims=wanted)
        except (ValueError, jwcrypto.common.JWException) as error:
            return f"{type(error).__name__} {error}"
        return "good"


class NpmJose(Verifier):
    """A process of its own, which fetches the keys itself."""

    def __init__(self, api: Api, issuer: str, audience: str) -> None:
        super().__init__(api, issuer, audience)
        url = f"http://{api.host}:{api.port}{JWKS}"
        command = ["node", "follow.mjs", url, issuer, audience, str(max_age_of(api))]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            command, cwd=jose_folder(), stdin=pipe, stdout=pipe, text=True, bufsize=1
        )

    def check(self, token: str) -> str:
        with self._lock:
            self._process.stdin.write(f"{token}\n")
            return self._process.stdout.readline().strip()

    def close(self) -> None:
        super().close()
        self._process.stdin.close()
        self._process.wait(timeout=10)
        self._process.stdout.close()
