# SPDX-License-Identifier: Apache-2.0
"""The three secrets that the service reads from files, in the shapes that an operator stores."""

import base64
import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from .ledger import LEDGER


@dataclass(frozen=True)
class SecretFiles:
    """Paths as `US_…_SECRET` takes them, and the webhook secrets to check signatures with."""

    jwt: str
    keyring: str
    webhook: str
    webhook_secrets: tuple[str, ...]

    def environment(self) -> dict[str, str]:
        return {
            "US_JWT_SECRET": self.jwt,
            "US_KEYRING_SECRET": self.keyring,
            "US_WEBHOOK_SECRET": self.webhook,
        }


def write_secret_files(folder: Path) -> SecretFiles:
    folder.mkdir(parents=True, exist_ok=True)
    webhook_secrets = (new_webhook_secret(),)
    return SecretFiles(
        jwt=_write(folder / "jwt.json", new_jwk()),
        keyring=_write(folder / "keyring.json", new_keyring()),
        webhook=_write(folder / "webhook.json", {"secrets": list(webhook_secrets)}),
        webhook_secrets=webhook_secrets,
    )


def new_jwk() -> dict[str, str]:
    """A private EC P-256 JWK (RFC 7518 section 6.2)."""
    numbers = ec.generate_private_key(ec.SECP256R1()).private_numbers()
    private = _base64url(numbers.private_value)
    LEDGER.add(private)
    return {
        "kty": "EC",
        "crv": "P-256",
        "x": _base64url(numbers.public_numbers.x),
        "y": _base64url(numbers.public_numbers.y),
        "d": private,
    }


def new_keyring() -> dict[str, object]:
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    LEDGER.add(key)
    return {"current": "k1", "keys": {"k1": key}}


def new_webhook_secret() -> str:
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    LEDGER.add(secret)
    return secret


def _base64url(number: int) -> str:
    return base64.urlsafe_b64encode(number.to_bytes(32, "big")).rstrip(b"=").decode()


def _write(path: Path, value: object) -> str:
    path.write_text(json.dumps(value))
    path.chmod(0o600)
    return f"file:{path}"
