"""Participants' tokens: made once, known afterwards by their hash only."""

from __future__ import annotations

import secrets
import string
from collections.abc import Iterable
from hashlib import sha256
from hmac import compare_digest

from bridge.records import GONE_TOKENS_KEPT

TOKEN_LENGTH = 100
ALPHABET = string.ascii_letters + string.digits


def new_token() -> str:
    """100 letters and digits, nearly 600 bits: no salt and no slow hash is needed to keep it."""
    return "".join(secrets.choice(ALPHABET) for _ in range(TOKEN_LENGTH))


def hash_of(token: str) -> str:
    """SHA-256 in hexadecimal; any text will do."""
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


class TokenIndex:
    """Whose token is whose, and whose was: the last 20,000 of those who are gone are remembered."""

    def __init__(self) -> None:
        self._owners: dict[str, tuple[str, str]] = {}
        self._hashes: dict[str, str] = {}
        self._gone: dict[str, None] = {}

    def add(self, token_hash: str, conference_id: str, participant_id: str) -> None:
        """From now on this token is that participant's."""
        self._owners[token_hash] = (conference_id, participant_id)
        self._hashes[participant_id] = token_hash

    def remove(self, participant_id: str, *, remember: bool = True) -> None:
        """That participant's token means nobody any more."""
        token_hash = self._hashes.pop(participant_id, None)
        if token_hash is not None:
            del self._owners[token_hash]
            if remember:
                self.recall((token_hash,))

    def recall(self, gone: Iterable[str]) -> None:
        """These are hashes of tokens of the gone, the oldest first."""
        for token_hash in gone:
            self._gone[token_hash] = None
        while len(self._gone) > GONE_TOKENS_KEPT:
            del self._gone[next(iter(self._gone))]

    def owner(self, token: str) -> tuple[str, str] | None:
        """(conference id, participant id), or None.

        What is looked up is a hash, so the time it takes says nothing about any token; the comparison that
        decides takes the same time for all.
        """
        token_hash = hash_of(token)
        owner = self._owners.get(token_hash)
        known = self._hashes.get(owner[1], "") if owner else ""
        return owner if compare_digest(known, token_hash) else None

    def was_known(self, token: str) -> bool:
        """Whether it belonged to somebody who was removed."""
        return hash_of(token) in self._gone
