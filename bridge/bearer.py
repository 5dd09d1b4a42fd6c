"""The access token that a request carries."""

from __future__ import annotations

from collections.abc import Mapping


def bearer(headers: Mapping[str, str], query: Mapping[str, str]) -> str | None:
    """Out of `Authorization: Bearer …`, else `?access_token=…` (browsers' WebSockets have no headers).

    Names of headers are in lower case, or compared without regard to it.
    """
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    return query.get("access_token")
