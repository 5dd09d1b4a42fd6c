"""How values are written in a playlist (RFC 8216 §4.2): attributes, quoted texts, numbers, dates, URIs."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

Attributes = list[tuple[str, str]]
"""Names and values as they are written, in their order."""

_NAME = re.compile(r"[A-Z0-9-]+")
_URI = re.compile(r"[A-Za-z0-9._~/-]+")
_FORBIDDEN = re.compile(r'["\r\n\x00]')
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def attribute_list(attributes: Attributes) -> str:
    """`NAME=value,…`. Raises ValueError for a name that cannot be one, or comes twice."""
    seen: set[str] = set()
    for name, _ in attributes:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot be an attribute's name")
        if name in seen:
            raise ValueError(f"the attribute {name} comes twice")
        seen.add(name)
    return ",".join(f"{name}={value}" for name, value in attributes)


def quoted(text: str) -> str:
    """A quoted text. Raises ValueError where it holds what cannot stand in one: quotes and line ends."""
    if _FORBIDDEN.search(text):
        raise ValueError("a quoted text cannot hold quotes or line ends (RFC 8216 §4.2)")
    return f'"{text}"'


def decimal(number: float) -> str:
    """A number of seconds as short as it can be: `5`, `0.333`, `2.005333`."""
    return f"{number:.6f}".rstrip("0").rstrip(".")


def date_time(unix_ms: float) -> str:
    """ISO 8601 in UTC with milliseconds, as `2023-02-06T07:24:11.259Z`."""
    moment = _EPOCH + timedelta(milliseconds=round(unix_ms))
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"


def uri(path: str, query: str = "") -> str:
    """A relative URI with `query` behind it. Raises ValueError for a path that would need escapes."""
    if not _URI.fullmatch(path):
        raise ValueError("a segment's name holds letters, digits and . _ ~ / - only")
    return f"{path}?{query}" if query else path
