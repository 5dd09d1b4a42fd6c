"""Plivo's `extra_headers`: one string, written in four ways by different versions of the service."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote, unquote

import msgspec

MAX_CHARACTERS = 8 * 1024
"""Plivo allows 512 bytes; the rest of what is longer is not read."""
MAX_HEADERS = 64

# A separator counts only where a key and its sign follow, so that values may hold commas and semicolons.
_SEPARATOR = re.compile(r"[,;]\s*(?=[\w.%-]+\s*[=:])")
_PAIR = re.compile(r"\s*([^=:\s]+)\s*[=:]\s*(.*?)\s*", re.DOTALL)


def read_extra_headers(written: object) -> dict[str, str]:
    """The headers by key, keys as sent, values percent-decoded; what cannot be read is left out.

    Forms seen: `{}`, `{X-PH-key: value, …}` (not JSON), a JSON object (as text or as itself),
    `key=value;key=value` and `key=value,key=value`.
    """
    if isinstance(written, Mapping):
        return _values(written)
    if not isinstance(written, str):
        return {}
    text = written[:MAX_CHARACTERS].strip()
    if text.startswith("{"):
        try:
            decoded = msgspec.json.decode(text.encode("utf-8", "replace"))
        except (msgspec.DecodeError, RecursionError):
            text = text[1:].removesuffix("}")
        else:
            return _values(decoded) if isinstance(decoded, dict) else {}
    pairs = (_PAIR.fullmatch(part) for part in _SEPARATOR.split(text)[:MAX_HEADERS])
    return {pair[1]: unquote(pair[2]) for pair in pairs if pair is not None}


def write_extra_headers(headers: Mapping[str, str]) -> str:
    """As Plivo writes them now: `{}` when there are none, else `key=value;key=value`.

    Keys and values are percent-encoded (RFC 3986 §2.1), so that a value may hold whatever it likes.
    """
    return ";".join(f"{_quoted(key)}={_quoted(value)}" for key, value in headers.items()) or "{}"


def _values(decoded: Mapping[object, object]) -> dict[str, str]:
    simple = (
        (str(key), value) for key, value in decoded.items() if isinstance(value, str | int | float | bool)
    )
    return {key: unquote(str(value)) for key, value in list(simple)[:MAX_HEADERS]}


def _quoted(text: str) -> str:
    return quote(text, safe="", errors="replace")
