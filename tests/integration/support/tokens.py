# SPDX-License-Identifier: Apache-2.0
"""Checks access tokens as another team's service would: issuer and audience known, keys by JWKS.

Two libraries that are not ours: PyJWT, and `jose` of npm, installed below the build folder.
"""

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import jwt
import requests

from .paths import BUILD, JOSE

ALGORITHM = "ES256"
TYP = "at+jwt"

Checked = tuple[dict[str, Any], dict[str, Any]]


def verify_by_pyjwt(token: str, issuer: str, audience: str) -> Checked:
    """Header and claims. Raises jwt.InvalidTokenError."""
    metadata = requests.get(f"{issuer}/.well-known/oauth-authorization-server", timeout=10).json()
    key = jwt.PyJWKClient(metadata["jwks_uri"]).get_signing_key_from_jwt(token)
    claims = jwt.decode(
        token,
        key,
        algorithms=[ALGORITHM],
        issuer=issuer,
        audience=audience,
        options={"require": ["exp", "iat", "sub", "jti", "aud", "iss"]},
    )
    return jwt.get_unverified_header(token), claims


def verify_by_jose(token: str, issuer: str, audience: str) -> Checked:
    """Header and claims. Raises ValueError with jose's code."""
    request = {
        "token": token,
        "issuer": issuer,
        "audience": audience,
        "typ": TYP,
        "alg": ALGORITHM,
    }
    done = subprocess.run(
        ["node", "verify.mjs"],
        cwd=jose_folder(),
        input=json.dumps(request),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    answer = json.loads(done.stdout)
    if "error" in answer:
        raise ValueError(answer["error"])
    return answer["protectedHeader"], answer["payload"]


@cache
def jose_folder() -> Path:
    """A copy with its packages, made once a build folder."""
    folder = BUILD / "jose"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = (JOSE / "package-lock.json").read_text()
    lock = folder / "package-lock.json"
    current = lock.exists() and lock.read_text() == wanted and (folder / "node_modules").exists()
    for path in JOSE.iterdir():
        if path.is_file():
            shutil.copy(path, folder)
    if not current:
        subprocess.run(
            ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=folder,
            check=True,
            capture_output=True,
            timeout=180,
        )
    return folder
