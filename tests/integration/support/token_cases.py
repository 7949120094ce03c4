# SPDX-License-Identifier: Apache-2.0
"""One list of access tokens, good and hostile, for the service and for other teams' verifiers.

The hostile ones are token_forge.py's, but for those whose fault only the service can see: they lack
what speaks of a session.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .ledger import LEDGER
from .token_forge import (
    AUDIENCES,
    CLAIMS,
    HEADERS,
    NOW,
    TokenForge,
    base64url,
    from_base64url,
    hostile_tokens,
)

_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_OF_THE_SESSION = {
    *("no session", "session is no id", "no subject"),
    *("auth version as text", "no auth version"),
}
_MORE: dict[str, dict[str, Any]] = {
    "issuer with a slash": {"iss": "http://127.0.0.1/"},
    "longer audience": {"aud": "shopx"},
    "expiry is true": {"exp": True},
}
_TYPES = {
    "typ in upper case": {"typ": "AT+JWT"},
    "typ with application/": {"typ": "application/at+jwt"},
}


@dataclass(frozen=True)
class TokenCase:
    name: str
    token: str
    good: bool = False


def token_cases(forge: TokenForge) -> list[TokenCase]:
    is_ec = forge.jwk["kty"] == "EC"
    cases = [*_good(forge), *(_ec(forge) if is_ec else _rsa(forge)), *_doubled_expiry(forge)]
    for name, claims in (_MORE | AUDIENCES).items():
        cases.append(TokenCase(name, forge.sign(**claims)))
    for name, header in _TYPES.items():
        cases.append(TokenCase(name, forge.sign(header)))
    LEDGER.add(*(case.token for case in cases if case.good))
    return cases


def _good(forge: TokenForge) -> Iterator[TokenCase]:
    """So that refusals prove something."""
    audience = forge.claims["aud"]
    yield TokenCase("good: as issued", forge.token, True)
    yield TokenCase("good: signed again", forge.sign(), True)
    yield TokenCase("good: one of several audiences", forge.sign(aud=["x", audience]), True)
    yield TokenCase("good: a list of one audience", forge.sign(aud=[audience]), True)
    yield TokenCase("good: a claim that nobody knows", forge.sign(department={"id": 7}), True)


def _ec(forge: TokenForge) -> Iterator[TokenCase]:
    for name, token in hostile_tokens(forge).items():
        if name not in _OF_THE_SESSION:
            yield TokenCase(name, token)
    head, _, text = forge.token.rpartition(".")
    raw = from_base64url(text)
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    big = (r + _P256_ORDER).to_bytes(33, "big") + s.to_bytes(33, "big")
    yield TokenCase("r above the order", f"{head}.{base64url(big)}")
    yield TokenCase("r is zero", f"{head}.{base64url(bytes(32) + raw[32:])}")
    # ECDSA by itself: whoever has a token can write its signature in a second way.
    other = base64url(raw[:32] + (_P256_ORDER - s).to_bytes(32, "big"))
    yield TokenCase("good: s on the other side", f"{head}.{other}", True)


def _rsa(forge: TokenForge) -> Iterator[TokenCase]:
    """RFC 8725 section 2.1 is best known for RSA keys: a public PEM as a shared secret."""
    for name, claims in CLAIMS.items():
        if name not in _OF_THE_SESSION:
            yield TokenCase(name, forge.sign(**claims))
    headers = {name: header for name, header in HEADERS.items() if header.get("alg") != "RS256"}
    for name, header in headers.items():
        yield TokenCase(name, forge.sign(header))
    yield TokenCase("another key", forge.sign(key=rsa.generate_private_key(65537, 3072)))
    public = forge.key.public_key()
    for name, encoding in {"PEM": Encoding.PEM, "DER": Encoding.DER}.items():
        key = public.public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)
        yield TokenCase(f"HS256 with the public key as {name}", forge.mac("HS256", key))
    yield from _pss(forge)


def _pss(forge: TokenForge) -> Iterator[TokenCase]:
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
    named = forge.sign({"alg": "PS256"})
    for name, token in (("PSS under alg RS256", forge.token), ("PS256", named)):
        text = token.rpartition(".")[0]
        signature = forge.key.sign(text.encode(), pss, hashes.SHA256())
        yield TokenCase(name, f"{text}.{base64url(signature)}")


def _doubled_expiry(forge: TokenForge) -> Iterator[TokenCase]:
    """Two expiries, one of them over: a reader that takes either is wrong for somebody."""
    header, claims = forge.token.split(".")[:2]
    text = from_base64url(claims).decode()[1:-1]
    head = from_base64url(header).decode()
    over = f'"exp": {NOW - 600}'
    yield TokenCase("exp twice, the last one over", forge.sign_text(head, f"{{{text}, {over}}}"))
    yield TokenCase("exp twice, the first one over", forge.sign_text(head, f"{{{over}, {text}}}"))
