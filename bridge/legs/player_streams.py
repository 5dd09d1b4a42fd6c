"""Supplies by RTMP and HTTP: one stream each, or HLS, which is told by its first word."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bridge.legs.hls_media_wire import is_playlist
from bridge.legs.player_hls import following
from bridge.legs.player_settings import PlayerSettings
from bridge.legs.player_supply import Incoming, Remote, Supply, SupplyFailed

_TELLING_BYTES = 16
_GOOD = (200, 206)


class StreamSupply:
    """One run, one byte after the other."""

    size = None

    def __init__(self, pieces: AsyncIterator[bytes], beginning: bytes, length: int | None) -> None:
        """`length`: of all of it; None: nobody knows, so it happens now."""
        self._pieces = pieces
        self._left = memoryview(beginning)
        self._begun = False
        self.paced = self.ends = length is not None
        self._missing = (length or 0) - len(beginning)

    async def next_run(self) -> bool:
        """There is only one."""
        begun, self._begun = self._begun, True
        return not begun

    async def read(self, at: int, count: int) -> bytes:
        """The next bytes."""
        if not self._left:
            piece = await anext(self._pieces, b"")
            if not piece and self.ends and self._missing > 0:
                raise SupplyFailed("it broke off")
            self._missing -= len(piece)
            self._left = memoryview(piece)
        given, self._left = bytes(self._left[:count]), self._left[count:]
        return given


@asynccontextmanager
async def rtmp_supply(remote: Remote, url: str) -> AsyncIterator[Supply]:
    """A stream of an RTMP server; always live."""
    async with remote.play(url) as pieces:
        yield StreamSupply(pieces, b"", None)


@asynccontextmanager
async def http_supply(remote: Remote, url: str, settings: PlayerSettings) -> AsyncIterator[Supply]:
    """What an HTTP server gives: live, unless it says how long it is; or the playlist of a stream."""
    async with remote.get(url, {}) as incoming:
        if incoming.status not in _GOOD:
            raise SupplyFailed(f"the server answered {incoming.status}")
        pieces = incoming.pieces()
        beginning = b""
        while len(beginning) < _TELLING_BYTES and (piece := await anext(pieces, b"")):
            beginning += piece
        if not is_playlist(beginning):
            yield StreamSupply(pieces, beginning, _length(incoming))
            return
        async for piece in pieces:
            beginning += piece
            if len(beginning) > settings.playlist_bytes:
                raise SupplyFailed(f"the playlist is larger than {settings.playlist_bytes} bytes")
        base = incoming.url
    async with following(remote, url, base, beginning, settings) as supply:
        yield supply


def _length(incoming: Incoming) -> int | None:
    told = incoming.headers.get("content-length", "")
    return int(told) if told.isascii() and told.isdigit() else None
