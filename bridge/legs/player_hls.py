"""HLS as a supply: runs of segments, fetched one ahead of what is read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field

from bridge.errors import BadInput
from bridge.legs.hls_media_wire import MasterPlaylist, read_playlist
from bridge.legs.player_fetching import fetched
from bridge.legs.player_hls_media import HlsMedia
from bridge.legs.player_settings import PlayerSettings
from bridge.legs.player_supply import Remote, Supply, SupplyFailed, SupplyRefused


@dataclass(frozen=True, slots=True)
class _Got:
    """A segment; `begins`: a run, for it does not go on from the one before."""

    content: bytes = field(repr=False)
    begins: bool


class HlsSupply:
    """A run for everything up to a discontinuity."""

    paced = True
    size = None

    def __init__(self, media: HlsMedia) -> None:
        self._media = media
        self.ends = media.playlist.ended
        self._coming: asyncio.Queue[_Got | Exception | None] = asyncio.Queue(maxsize=1)
        self._next: _Got | None = None
        self._over = False
        self._begins = False
        self._left = memoryview(b"")

    async def next_run(self) -> bool:
        """What begins where the last one ended."""
        self._left = memoryview(b"")
        self._begins = await self._look()
        return self._begins

    async def read(self, at: int, count: int) -> bytes:
        """The next bytes of the run."""
        while not self._left:
            if not await self._look():
                return b""
            assert self._next is not None
            if self._next.begins and not self._begins:
                return b""
            self._begins = False
            self._left, self._next = memoryview(self._next.content), None
        given, self._left = bytes(self._left[:count]), self._left[count:]
        return given

    async def fetch(self) -> None:
        """Get what is to be read, beside the reading, until there is no more."""
        try:
            async with aclosing(self._media.segments()) as segments:
                async for content, begins in segments:
                    await self._coming.put(_Got(content, begins))
            await self._coming.put(None)
        except Exception as failed:  # at the task's edge: whoever reads raises it
            await self._coming.put(failed)

    async def _look(self) -> bool:
        if self._next is None and not self._over:
            got = await self._coming.get()
            if isinstance(got, Exception):
                self._over = True
                raise got
            self._next, self._over = got, got is None
        return self._next is not None


@asynccontextmanager
async def following(
    remote: Remote, url: str, base: str, content: bytes, settings: PlayerSettings
) -> AsyncIterator[Supply]:
    """The stream whose playlist `content` was got from `url`, and at last from `base`.

    Raises SupplyFailed, SupplyRefused, EgressRefused, HttpFailed.
    """
    try:
        playlist = read_playlist(content, base)
        if isinstance(playlist, MasterPlaylist):
            url = playlist.sound()
            content, base = await fetched(remote, url, settings, settings.playlist_bytes)
            playlist = read_playlist(content, base)
    except BadInput as wrong:
        raise SupplyFailed(str(wrong)) from None
    if isinstance(playlist, MasterPlaylist):
        raise SupplyRefused("the playlist's playlists have playlists of their own")
    supply = HlsSupply(HlsMedia(remote, url, playlist, settings))
    fetching = asyncio.create_task(supply.fetch())
    try:
        yield supply
    finally:
        fetching.cancel()
        await asyncio.wait((fetching,))
