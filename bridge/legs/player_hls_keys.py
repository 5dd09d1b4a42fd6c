"""Segments of HLS that are encrypted as a whole (AES-128, RFC 8216 §5.2), made readable; no others are.

Keys come through the egress gate as segments do, and are in no log and no text.
"""

from __future__ import annotations

import asyncio

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from bridge.legs.hls_media_wire import Key
from bridge.legs.player_fetching import fetched
from bridge.legs.player_settings import PlayerSettings
from bridge.legs.player_supply import Remote, SupplyFailed, SupplyRefused

_KEY_BYTES = 16
_MOST_KEYS = 4
"""That are remembered; streams that change theirs use each for a while."""


class HlsKeys:
    """Those of one stream."""

    def __init__(self, remote: Remote, settings: PlayerSettings) -> None:
        self._remote = remote
        self._settings = settings
        self._known: dict[str, bytes] = {}

    def check(self, key: Key | None) -> None:
        """Raises SupplyRefused for what is encrypted otherwise."""
        if key is not None and key.method != "AES-128":
            raise SupplyRefused(f"the stream is encrypted by {key.method}, which is not played")

    async def opened(self, content: bytes, key: Key) -> bytes:
        """What `content` says; `check` comes first. Raises SupplyFailed, EgressRefused, HttpFailed."""
        secret = self._known.get(key.url)
        if secret is None:
            secret, _ = await fetched(self._remote, key.url, self._settings, _KEY_BYTES)
            if len(secret) != _KEY_BYTES:
                raise SupplyFailed(f"a key of the stream has not {_KEY_BYTES} bytes")
            while len(self._known) >= _MOST_KEYS:
                del self._known[next(iter(self._known))]
            self._known[key.url] = secret
        try:
            return await asyncio.to_thread(_decrypted, content, secret, key.start)
        except ValueError:
            self._known.pop(key.url, None)  # it may have become another one
            raise SupplyFailed("a segment is not encrypted by the key that was named") from None


def _decrypted(content: bytes, secret: bytes, start: bytes) -> bytes:
    """Raises ValueError for what cannot be."""
    opening = Cipher(AES(secret), CBC(start)).decryptor()
    padded = opening.update(content) + opening.finalize()
    unpadding = PKCS7(AES.block_size).unpadder()
    return unpadding.update(padded) + unpadding.finalize()
