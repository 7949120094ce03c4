# SPDX-License-Identifier: Apache-2.0
"""Access tokens that nobody may take, made with the very key that the service signs with.

RFC 8725 (best current practice); RFC 7515 section 5.2 and 10; RFC 7519 section 7.2.
"""

import base64
import json
import time
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from .secret_files import SecretFiles, new_jwk

_ALGORITHMS = {
    "EC": ECAlgorithm(ECAlgorithm.SHA256),
    "RSA": RSAAlgorithm(RSAAlgorithm.SHA256),
}


class TokenForge:
    """Signs whatever it is told with the service's own key, after the pattern of a good token."""

    def __init__(self, token: str, secrets: SecretFiles) -> None:
        self.token = token
        self.header = jwt.get_unverified_header(token)
        self.claims = jwt.decode(token, options={"verify_signature": False})
        self.jwk = json.loads(Path(secrets.jwt.removeprefix("file:")).read_text())
        self.algorithm = _ALGORITHMS[self.jwk["kty"]]
        self.key = self.algorithm.from_jwk(self.jwk)

    def sign(self, header: dict[str, Any] | None = None, key: Any = None, **claims: Any) -> str:
        """None as a value takes the member away."""
        head = json.dumps(_merged(self.header, header or {}))
        return self.sign_text(head, json.dumps(_merged(self.claims, claims)), key)

    def sign_text(self, header: str, claims: str, key: Any = None) -> str:
        text = f"{base64url(header.encode())}.{base64url(claims.encode())}"
        signature = self.algorithm.sign(text.encode(), key or self.key)
        return f"{text}.{base64url(signature)}"

    def mac(self, algorithm: str, key: bytes) -> str:
        """With a public key in the place of a shared secret (RFC 8725 section 2.1)."""
        header = {**self.header, "alg": algorithm}
        text = f"{_part(header)}.{_part(self.claims)}"
        signer = jwt.algorithms.get_default_algorithms()[algorithm]
        return f"{text}.{base64url(signer.sign(text.encode(), key))}"

    @property
    def public_point(self) -> bytes:
        return from_base64url(self.jwk["x"]) + from_base64url(self.jwk["y"])

    @property
    def public_jwk(self) -> dict[str, Any]:
        return {name: value for name, value in self.jwk.items() if name != "d"}


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in (base | changes).items() if v is not None}


def _part(value: dict[str, Any]) -> str:
    return base64url(json.dumps(value).encode())


NOW = int(time.time())  # when the tests were collected: a run may take an hour
LATER = NOW + 86400
CLAIMS: dict[str, dict[str, Any]] = {
    "expired": {"iat": NOW - 900, "exp": NOW - 600},
    "no expiry": {"exp": None},
    "expiry as text": {"exp": str(LATER)},
    "expiry as fraction": {"exp": 1e300},
    "expiry as infinity": {"exp": float("inf")},
    "expiry beyond 64 bits": {"exp": 2**64 + NOW},
    "negative expiry": {"exp": -1},
    "other issuer": {"iss": "https://evil.example"},
    "no issuer": {"iss": None},
    "no audience": {"aud": None},
    "no subject": {"sub": None},
    "no session": {"sid": None},
    "session is no id": {"sid": "' OR 1=1 --"},
    "auth version as text": {"av": "1"},
    "no auth version": {"av": None},
}
HEADERS: dict[str, dict[str, Any]] = {
    "alg none": {"alg": "none"},
    "alg None": {"alg": "None"},
    "alg in lower case": {"alg": "es256"},
    "alg RS256": {"alg": "RS256"},
    "alg HS256": {"alg": "HS256"},
    "alg ES384": {"alg": "ES384"},
    "alg as list": {"alg": ["ES256"]},
    "no alg": {"alg": None},
    "typ JWT": {"typ": "JWT"},
    "no typ": {"typ": None},
    "typ of an id token": {"typ": "id+jwt"},
    "no kid": {"kid": None},
    "unknown kid": {"kid": "x" * 43},
    "kid is a path": {"kid": "../../../../dev/null"},
    "kid is SQL": {"kid": "' UNION SELECT 'x"},
    "long kid": {"kid": "k" * 3000},
    "kid is a number": {"kid": 1},
    "crit": {"crit": ["x"], "x": 1},
    "b64 false": {"crit": ["b64"], "b64": False},
}
# Refused where one of the users' audiences is asked for, and genuine elsewhere.
AUDIENCES: dict[str, dict[str, Any]] = {
    "other audience": {"aud": "somebody-else"},
    "other audiences": {"aud": ["a", "b"]},
    "empty audience": {"aud": []},
}


def hostile_tokens(forge: TokenForge) -> dict[str, str]:
    """By what is wrong with it. Each is refused wherever a token is shown."""
    found = {name: forge.sign(**claims) for name, claims in CLAIMS.items()}
    found |= {name: forge.sign(header) for name, header in HEADERS.items()}
    return found | _of_other_keys(forge) | _doubled(forge) | _misspelt(forge)


def _of_other_keys(forge: TokenForge) -> dict[str, str]:
    jwk = new_jwk()
    public = {name: value for name, value in jwk.items() if name != "d"}
    key = ECAlgorithm.from_jwk(jwk)
    point = forge.public_point
    found = {
        "another key": forge.sign(key=key),
        "another key, given along": forge.sign({"jwk": public}, key=key),
        "another key, elsewhere": forge.sign({"jku": "http://127.0.0.1:9/"}, key=key),
        "another key, in a certificate": forge.sign({"x5u": "http://127.0.0.1:9/"}, key=key),
    }
    for algorithm in ("HS256", "HS384", "HS512"):
        for name, secret in {
            "JWK": json.dumps(forge.public_jwk).encode(),
            "point": point,
            "point with its mark": b"\x04" + point,
            "zero": b"\x00",
        }.items():
            found[f"{algorithm} with the public key as {name}"] = forge.mac(algorithm, secret)
    return found


def _doubled(forge: TokenForge) -> dict[str, str]:
    """Members twice: two readers may take different ones (RFC 7519 section 4)."""
    header, claims = json.dumps(forge.header), json.dumps(forge.claims)
    twice = {
        "exp": str(LATER),
        "sub": '"somebody"',
        "iss": json.dumps(forge.claims["iss"]),
        "aud": '"shop"',
        "e\\u0078p": str(LATER),  # the same name, escaped
    }
    heads = {
        "alg twice": f'{header[:-1]}, "alg": "ES256"}}',
        "kid twice": f'{header[:-1]}, "kid": "x"}}',
        "header is a list": f"[{header}]",
        "header has a tail": f"{header} {{}}",
    }
    bodies = {
        "claims are a list": f"[{claims}]",
        "claims have a tail": f"{claims} {{}}",
        "deep claims": f'{claims[:-1]}, "x": {"[" * 900 + "]" * 900}}}',
    }
    bodies |= {f"{k} twice": f'{claims[:-1]}, "{k}": {v}}}' for k, v in twice.items()}
    found = {name: forge.sign_text(text, claims) for name, text in heads.items()}
    return found | {name: forge.sign_text(header, text) for name, text in bodies.items()}


def _misspelt(forge: TokenForge) -> dict[str, str]:
    token = forge.token
    header, claims, signature = token.split(".")
    raw = from_base64url(signature)
    r, s = raw[:32], raw[32:]
    der = encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".index(signature[-1])
    general = {"payload": claims, "signatures": [{"protected": header, "signature": signature}]}
    flat = {"payload": claims, "protected": header, "signature": signature}
    signatures = {
        "DER signature": base64url(der),
        "r and s exchanged": base64url(s + r),
        "r alone": base64url(r),
        "signature of zeros": base64url(bytes(64)),
        "signature of the order": base64url(b"\xff" * 64),
        "signature with a byte more": base64url(raw + b"\x00"),
        "signature with a byte less": base64url(raw[:-1]),
        "longer r and s": base64url(b"\x00" + r + b"\x00" + s),
        "no signature": "",
        "padded signature": f"{signature}==",
        "signature with stray bits": signature[:-1] + chr(ord(signature[-1]) + 1),
        "signature twice": f"{signature}.{signature}",
    }
    assert last % 16 == 0, "the last character of 64 bytes has four bits that say nothing"
    found = {name: f"{header}.{claims}.{text}" for name, text in signatures.items()}
    return found | {
        "JSON serialisation": json.dumps(general, separators=(",", ":")),
        "flattened JSON serialisation": json.dumps(flat, separators=(",", ":")),
        "a header alone": header,
        "no claims": f"{header}..{signature}",
        "no header": f".{claims}.{signature}",
        "a dot more": f"{token}.",
        "five parts": f"{token}.x.y",
        "padded header": f"{header}=.{claims}.{signature}",
        "other alphabet": f"{header}.{claims}.{base64.b64encode(raw).decode().rstrip('=')}+",
        "dots": "...",
        "no token": "a.b.c",
        "long": "x" * 6000,
    }
