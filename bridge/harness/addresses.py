"""Addresses, as people may read them."""

from __future__ import annotations

from urllib.parse import urlsplit


def without_query(url: str) -> str:
    """An address without what may be secret in it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
