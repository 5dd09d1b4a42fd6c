"""Tokens that let one call stream into one conference."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from time import monotonic

LIFETIME_S = 60.0
MAX_TOKENS = 10_000
"""Of more, the oldest are forgotten."""


@dataclass(slots=True)
class StreamToken:
    """What a token stands for, and what became of it."""

    conference_id: str
    name: str
    """The caller's name; may be empty."""
    expires_at: float
    call_id: str | None = None
    """The one call it was used for."""


class StreamTokens:
    """Makes them, finds them, forgets them. Each is good for one call, begun within a minute.

    The vendor opens the stream's address again when it lost the connection; so a used token still opens the
    door while its call is live, but for nothing else than that call.
    """

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._tokens: dict[bytes, StreamToken] = {}

    def make(self, conference_id: str, name: str) -> str:
        """A new token."""
        self._forget()
        token = secrets.token_urlsafe(24)
        self._tokens[_hash(token)] = StreamToken(conference_id, name, self._now() + LIFETIME_S)
        return token

    def find(self, token: str) -> StreamToken | None:
        """What `token` stands for; None when it is unknown or too old, or when its call is over."""
        found = self._tokens.get(_hash(token))
        if found is None or (found.call_id is None and found.expires_at <= self._now()):
            return None
        return found

    def end(self, ended: StreamToken) -> None:
        """Its call is over."""
        self._tokens = {key: token for key, token in self._tokens.items() if token is not ended}

    def _forget(self) -> None:
        now = self._now()
        kept = {
            key: token
            for key, token in self._tokens.items()
            if token.call_id is not None or token.expires_at > now
        }
        while len(kept) >= MAX_TOKENS:
            del kept[next(iter(kept))]
        self._tokens = kept


def _hash(token: str) -> bytes:
    return sha256(token.encode("utf-8", "replace")).digest()
