"""What callers and calls are called: names out of the headers that come with a stream, and ids."""

from __future__ import annotations

import re
from collections.abc import Mapping
from uuid import UUID

MAX_NAME_CHARACTERS = 100
MAX_HEADER_BYTES = 512
"""All `extraHeaders` of a stream together."""

_PREFIX = re.compile(r"x-ph-", re.IGNORECASE)
_NAME_KEYS = ("name", "callername", "from", "caller")
_OTHER_KEYS = ("calleename", "to", "callee")


def caller_name(headers: Mapping[str, str]) -> str:
    """`name`, else the caller's number, else nothing."""
    return _first(headers, _NAME_KEYS)


def callee_name(headers: Mapping[str, str]) -> str:
    """Whom the caller called, or nothing."""
    return _first(headers, _OTHER_KEYS)


def numbers(headers: Mapping[str, str]) -> tuple[str, str]:
    """The caller's number and the one that was called, as far as the headers tell."""
    return _first(headers, ("from", "caller")), _first(headers, ("to", "callee"))


def clean(name: str) -> str:
    """Printable, in one line, not too long."""
    printable = "".join(letter if letter.isprintable() else " " for letter in name)
    return " ".join(printable.split())[:MAX_NAME_CHARACTERS]


def name_header(name: str) -> str:
    """`extraHeaders` that carry a name, in the letters the vendor allows there; empty when none is left."""
    letters = re.sub(r"[^A-Za-z0-9]", "", name)[: MAX_HEADER_BYTES - len("name=")]
    return f"name={letters}" if letters else ""


def canonical(call_uuid: str) -> str:
    """A UUID in lower case with its dashes; anything else as it is."""
    try:
        return str(UUID(call_uuid))
    except ValueError:
        return call_uuid


def _first(headers: Mapping[str, str], keys: tuple[str, ...]) -> str:
    plain = {_PREFIX.sub("", key, count=1).lower(): value for key, value in headers.items()}
    return next((found for key in keys if (found := clean(plain.get(key, "")))), "")
