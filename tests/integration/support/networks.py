# SPDX-License-Identifier: Apache-2.0
"""Clients from many networks: the tests are a trusted proxy; X-Forwarded-For tells the client."""

import itertools

TRUSTED = {"US_TRUSTED_PROXIES": "127.0.0.0/8,10.0.0.0/8"}

_numbers = itertools.count(1)


def new_address() -> str:
    """Of a /24 that no other call has."""
    number = next(_numbers)
    return f"{20 + number // 65536}.{number // 256 % 256}.{number % 256}.7"


def via(address: str) -> dict[str, str]:
    """The header of a request that came from there."""
    return {"X-Forwarded-For": address}
